"""A visitor's history over all channels: calls and messages beside the touches.

What belongs to a visitor is what names them, and what came from or went to a telephone number that they
called from or left: an agent's call back, a text. What names another visitor never does.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Engine, and_, or_
from sqlmodel import Session, col, select

from pbx.attribution.visitors import LIKELY
from pbx.store.tables import CallRow, MessageRow
from pbx.store.visitor_tables import ContactRow

LONGEST = 500
"""Of calls, and of messages; the newest."""


@dataclass(frozen=True, slots=True)
class Contacts:
    """Oldest first."""

    calls: tuple[CallRow, ...]
    messages: tuple[MessageRow, ...]


def contacts_of(engine: Engine, visitor: str, threads_of: Callable[[str], Iterable[str]]) -> Contacts:
    """``threads_of``: the conversations that somebody with this telephone number may have with us."""
    with Session(engine) as session:
        phones = session.exec(
            select(ContactRow.phone)
            .where(col(ContactRow.visitor_id) == visitor, col(ContactRow.phone) != "")
            .where(col(ContactRow.probability) >= LIKELY)
            .distinct()
        ).all()
        calls = session.exec(
            select(CallRow)
            .where(_of_call(visitor, phones))
            .order_by(col(CallRow.started_ms).desc())
            .limit(LONGEST)
        ).all()
        threads = [thread for phone in phones for thread in threads_of(phone)]
        messages = session.exec(
            select(MessageRow)
            .where(_of_message(visitor, threads))
            .order_by(col(MessageRow.created_ms).desc(), col(MessageRow.id).desc())
            .limit(LONGEST)
        ).all()
    return Contacts(tuple(reversed(calls)), tuple(reversed(messages)))


def _of_call(visitor: str, phones: Collection[str]) -> ColumnElement[bool]:
    by_number = or_(col(CallRow.from_number).in_(phones), col(CallRow.to_number).in_(phones))
    return or_(col(CallRow.visitor) == visitor, and_(by_number, col(CallRow.visitor) == ""))


def _of_message(visitor: str, threads: Collection[str]) -> ColumnElement[bool]:
    """What names the visitor, and what else was said in those conversations, such as our answers."""
    mine = col(MessageRow.visitor) == visitor
    theirs = select(MessageRow.thread).where(mine).distinct()
    of_thread = or_(col(MessageRow.thread).in_(theirs), col(MessageRow.thread).in_(threads))
    return or_(mine, and_(of_thread, col(MessageRow.visitor).is_(None)))
