"""Messages of all channels as rows: one inbox, one thread a conversation, one line of a visitor's history."""

import itertools
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Engine, func, update
from sqlmodel import Session, col, select

from pbx.store.encoding import from_ms, to_ms
from pbx.store.outbox import Parcel, put
from pbx.store.tables import MessageRow

LONGEST_TEXT = 10_000
LONGEST_PAGE = 1000


class Channel(StrEnum):
    TEXT = "text"
    CHAT = "chat"
    FORM = "form"
    SOCIAL = "social"
    LEAD = "lead"


class State(StrEnum):
    RECEIVED = "received"
    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"


_made = itertools.count()


def new_id() -> str:
    """Ids of one process sort as they were made: so do messages of one and the same millisecond."""
    return f"{next(_made):08x}{secrets.token_hex(8)}"


@dataclass(frozen=True, slots=True)
class Message:
    """One message, in or out."""

    channel: Channel
    thread: str
    via: str
    from_: str
    to: str
    text: str
    state: State
    created: datetime
    id: str = field(default_factory=new_id)
    fields: Mapping[str, Any] = field(default_factory=dict)
    visitor: str | None = None
    source: str = ""
    call_id: str = ""
    agent: str = ""
    provider_id: str = ""
    problem: str = ""
    sent: datetime | None = None
    handled: datetime | None = None
    handled_by: str = ""

    @property
    def incoming(self) -> bool:
        return self.state is State.RECEIVED


@dataclass(frozen=True, slots=True)
class Thread:
    """A conversation: its newest message, and how many nobody has seen to."""

    last: Message
    open: int


class Messages:
    """Methods block: call them from a thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, message: Message, parcels: Iterable[Parcel] = ()) -> bool:
        """Keep it, and put ``parcels`` into the outbox with it. False if the provider sent it before."""
        with Session(self._engine) as session:
            if message.incoming and message.provider_id:
                known = select(MessageRow.id).where(
                    col(MessageRow.via) == message.via,
                    col(MessageRow.provider_id) == message.provider_id,
                    col(MessageRow.direction) == "in",
                )
                if session.exec(known).first() is not None:
                    return False
            session.add(_row(message))
            put(session, parcels, message.created)
            session.commit()
        return True

    def one(self, id: str) -> Message | None:
        with Session(self._engine) as session:
            row = session.get(MessageRow, id)
            return _message(row) if row is not None else None

    def sent(self, id: str, provider_id: str, now: datetime) -> None:
        self._change(id, state=State.SENT, provider_id=provider_id, problem="", sent_ms=to_ms(now))

    def failed(self, id: str, problem: str) -> None:
        self._change(id, state=State.FAILED, problem=problem)

    def reported(self, via: str, provider_id: str, state: State, problem: str) -> Message | None:
        """What the provider says later of a message that it took; the message, or None if it is not ours."""
        with Session(self._engine) as session:
            row = session.exec(
                select(MessageRow).where(
                    col(MessageRow.via) == via,
                    col(MessageRow.provider_id) == provider_id,
                    col(MessageRow.direction) == "out",
                )
            ).first()
            if row is None:
                return None
            row.state, row.problem = state, problem
            session.add(row)
            session.commit()
            session.refresh(row)
            return _message(row)

    def _change(self, id: str, **values: Any) -> None:
        with Session(self._engine) as session:
            session.exec(update(MessageRow).where(col(MessageRow.id) == id).values(**values))
            session.commit()

    def handle(self, thread: str, by: str, now: datetime) -> int:
        """Somebody has seen to all that came in on a thread; how many were open."""
        with Session(self._engine) as session:
            changed = session.exec(
                update(MessageRow)
                .where(
                    col(MessageRow.thread) == thread,
                    col(MessageRow.direction) == "in",
                    col(MessageRow.handled_ms).is_(None),
                )
                .values(handled_ms=to_ms(now), handled_by=by)
            ).rowcount
            session.commit()
        return int(changed)

    def waiting_chats(self) -> list[Message]:
        """Visitors' lines that are open and not known to be missed, oldest first."""
        query = (
            select(MessageRow)
            .where(col(MessageRow.channel) == Channel.CHAT, *_OPEN, col(MessageRow.problem) == "")
            .order_by(col(MessageRow.created_ms))
            .limit(LONGEST_PAGE)
        )
        with Session(self._engine) as session:
            return [_message(row) for row in session.exec(query)]

    def miss_chat(self, line: str, problem: str) -> Message | None:
        """If nobody has answered this line, its chat's open lines are marked with ``problem``.

        The first of them, None if the line was answered, or the chat was missed before.
        """
        with Session(self._engine) as session:
            row = session.get(MessageRow, line)
            if row is None or row.handled_ms is not None or row.problem:
                return None
            query = select(MessageRow).where(col(MessageRow.thread) == row.thread, *_OPEN)
            opened = session.exec(query.order_by(col(MessageRow.created_ms), col(MessageRow.id))).all()
            before = any(each.problem for each in opened)
            for each in opened:
                each.problem = each.problem or problem
                session.add(each)
            session.commit()
            return None if before else _message(opened[0])

    def threads(
        self,
        *,
        channel: str | None = None,
        only_open: bool = False,
        before: datetime | None = None,
        limit: int = 50,
    ) -> list[Thread]:
        """Conversations, the one with the newest message first."""
        newest = select(MessageRow.thread, func.max(MessageRow.created_ms).label("newest_ms"))
        if channel is not None:
            newest = newest.where(col(MessageRow.channel) == channel)
        opened = col(MessageRow.handled_ms).is_(None) & (col(MessageRow.direction) == "in")
        if only_open:
            newest = newest.where(opened)
        newest = newest.group_by(col(MessageRow.thread))
        if before is not None:
            newest = newest.having(func.max(MessageRow.created_ms) < to_ms(before))
        newest = newest.order_by(func.max(MessageRow.created_ms).desc()).limit(limit)
        found: list[Thread] = []
        with Session(self._engine) as session:
            for thread, _ in session.exec(newest):
                last = session.exec(
                    select(MessageRow)
                    .where(col(MessageRow.thread) == thread)
                    .order_by(col(MessageRow.created_ms).desc(), col(MessageRow.id).desc())
                    .limit(1)
                ).one()
                waiting = session.exec(
                    select(func.count())
                    .select_from(MessageRow)
                    .where(col(MessageRow.thread) == thread, opened)
                ).one()
                found.append(Thread(_message(last), waiting))
        return found

    def thread(self, thread: str, limit: int = 200) -> list[Message]:
        """The last messages of a conversation, oldest first."""
        return self._list(col(MessageRow.thread) == thread, limit)

    def of_visitor(self, visitor: str, limit: int = 200) -> list[Message]:
        """The last messages of a website visitor, oldest first."""
        return self._list(col(MessageRow.visitor) == visitor, limit)

    def _list(self, condition: Any, limit: int) -> list[Message]:
        query = (
            select(MessageRow)
            .where(condition)
            .order_by(col(MessageRow.created_ms).desc(), col(MessageRow.id).desc())
            .limit(min(limit, LONGEST_PAGE))
        )
        with Session(self._engine) as session:
            return [_message(row) for row in session.exec(query)][::-1]

    def open_count(self) -> int:
        """How many messages nobody has seen to."""
        query = select(func.count()).where(
            col(MessageRow.handled_ms).is_(None), col(MessageRow.direction) == "in"
        )
        with Session(self._engine) as session:
            return session.exec(query).one()


_OPEN = (col(MessageRow.direction) == "in", col(MessageRow.handled_ms).is_(None))
"""What came in, and nobody has seen to."""


def cut(message: Message) -> Message:
    """What is longer than anybody writes is cut."""
    return replace(message, text=message.text[:LONGEST_TEXT])


def _row(message: Message) -> MessageRow:
    return MessageRow(
        id=message.id,
        channel=message.channel,
        direction="in" if message.incoming else "out",
        thread=message.thread,
        via=message.via,
        from_=message.from_,
        to=message.to,
        text=message.text,
        fields=json.dumps(dict(message.fields), ensure_ascii=False) if message.fields else "",
        visitor=message.visitor,
        source=message.source,
        call_id=message.call_id,
        agent=message.agent,
        state=message.state,
        problem=message.problem,
        provider_id=message.provider_id,
        created_ms=to_ms(message.created),
    )


def _message(row: MessageRow) -> Message:
    return Message(
        channel=Channel(row.channel),
        thread=row.thread,
        via=row.via,
        from_=row.from_,
        to=row.to,
        text=row.text,
        state=State(row.state),
        created=from_ms(row.created_ms),
        id=row.id,
        fields=json.loads(row.fields) if row.fields else {},
        visitor=row.visitor,
        source=row.source,
        call_id=row.call_id,
        agent=row.agent,
        provider_id=row.provider_id,
        problem=row.problem,
        sent=from_ms(row.sent_ms) if row.sent_ms is not None else None,
        handled=from_ms(row.handled_ms) if row.handled_ms is not None else None,
        handled_by=row.handled_by,
    )
