"""What the stays in each queue add up to: service levels of any period, and the day so far.

The same figures as :mod:`pbx.queues.figures` keeps while the server runs; a server that starts goes on
from these. A stay counts for the time in which it began. One that the server's death cut off counts as
offered, and as nothing else.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, Engine, case, func
from sqlmodel import Session, col, select

from pbx.config.fields import seconds
from pbx.config.queues import Queue
from pbx.queues.figures import Figures
from pbx.store.encoding import to_ms
from pbx.store.tables import CallbackRow, LegRow, QueueVisitRow

_OF_ITS_OWN = ("answered", "abandoned", "timeout")
"""Ends that have a figure; the others share one."""


def of_period(
    engine: Engine, queues: Mapping[str, Queue], since: datetime | None, until: datetime | None
) -> dict[str, Figures]:
    """By queue. Blocks: call it from a thread."""
    with Session(engine) as session:
        return {name: _figures(session, name, queue, since, until) for name, queue in queues.items()}


def of_day(engine: Engine, queues: Mapping[str, Queue], midnight: datetime) -> dict[str, Figures]:
    """The same since midnight, with each agent's calls and talk time, and how long a call takes."""
    found = of_period(engine, queues, midnight, None)
    for figures in found.values():
        figures.day = midnight.date()
    with Session(engine) as session:
        for name, agent, talk_ms in [*_taken(session, midnight), *_called_back(session, midnight)]:
            if name in found:
                found[name].calls[agent] += 1
                found[name].talked(agent, talk_ms / 1000, seconds(queues[name].wrap_up))
    return found


def _figures(
    session: Session, name: str, queue: Queue, since: datetime | None, until: datetime | None
) -> Figures:
    row = QueueVisitRow
    ended_by, waited_ms = col(row.ended_by), col(row.waited_ms)
    answered = ended_by == "answered"
    in_time = answered & (waited_ms <= seconds(queue.service_level) * 1000)
    otherwise = col(row.left_ms).is_not(None) & ended_by.not_in(_OF_ITS_OWN)
    query = select(  # type: ignore[call-overload]
        func.count(),
        *map(_number_of, (answered, in_time, ended_by == "abandoned", ended_by == "timeout", otherwise)),
        func.coalesce(func.sum(case((answered, waited_ms), else_=0)), 0),
        func.coalesce(func.max(waited_ms), 0),
    ).where(col(row.queue) == name)
    if since is not None:
        query = query.where(col(row.joined_ms) >= to_ms(since))
    if until is not None:
        query = query.where(col(row.joined_ms) < to_ms(until))
    offered, answers, prompt, abandoned, timed_out, others, wait_ms, longest_ms = session.exec(query).one()
    return Figures(
        offered=offered,
        answered=answers,
        in_time=prompt,
        abandoned=abandoned,
        timed_out=timed_out,
        left_otherwise=others,
        wait_s=int(wait_ms) / 1000,
        longest_wait_s=longest_ms / 1000,
    )


def _number_of(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _taken(session: Session, since: datetime) -> list[tuple[str, str, int]]:
    """Queue, agent and talk of each call that was answered out of a queue, in order."""
    visits = session.exec(
        select(QueueVisitRow)
        .where(QueueVisitRow.ended_by == "answered", col(QueueVisitRow.joined_ms) >= to_ms(since))
        .order_by(col(QueueVisitRow.left_ms))
    ).all()
    talks: defaultdict[tuple[str, str], list[LegRow]] = defaultdict(list)
    legs = (
        select(LegRow)
        .join(QueueVisitRow, col(QueueVisitRow.call_id) == col(LegRow.call_id))
        .where(
            QueueVisitRow.ended_by == "answered",
            col(QueueVisitRow.joined_ms) >= to_ms(since),
            col(LegRow.connected_ms).is_not(None),
        )
        .order_by(col(LegRow.connected_ms))
        .distinct()
    )
    for leg in session.exec(legs):
        talks[leg.call_id, leg.agent or ""].append(leg)

    def talk_ms(visit: QueueVisitRow) -> int:
        """Of the leg that answered, not of one that the same agent had in the call before."""
        of_agent = talks[visit.call_id, visit.agent]
        return next((leg.talk_ms for leg in of_agent if (leg.connected_ms or 0) >= (visit.left_ms or 0)), 0)

    return [(visit.queue, visit.agent, talk_ms(visit)) for visit in visits]


def _called_back(session: Session, since: datetime) -> list[tuple[str, str, int]]:
    """The same of callbacks."""
    query = (
        select(CallbackRow.queue, LegRow.agent, LegRow.talk_ms)
        .join(LegRow, col(LegRow.call_id) == col(CallbackRow.by_call))
        .where(
            CallbackRow.state == "talked",
            col(CallbackRow.ended_ms) >= to_ms(since),
            col(LegRow.connected_ms).is_not(None),
            col(LegRow.agent).is_not(None),
        )
        .order_by(col(CallbackRow.ended_ms))
    )
    return [(queue, agent or "", talk_ms) for queue, agent, talk_ms in session.exec(query)]
