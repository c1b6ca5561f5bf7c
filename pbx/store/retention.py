"""What ``pbx purge`` removes beside recordings and visitors: when agents were there, and stays in queues.

The calls' own rows stay, and with them what reports say of queues and agents.
"""

from datetime import datetime

from sqlalchemy import ColumnElement, Engine, and_, delete, func, select
from sqlmodel import col

from pbx.store.database import writing
from pbx.store.encoding import to_ms
from pbx.store.tables import AgentStateRow, QueueVisitRow


def _old_states(before: datetime) -> ColumnElement[bool]:
    """All but each agent's newest, which a restart goes on from."""
    newest = select(func.max(col(AgentStateRow.id))).group_by(col(AgentStateRow.agent))
    return and_(col(AgentStateRow.at_ms) < to_ms(before), col(AgentStateRow.id).not_in(newest))


def _old_visits(before: datetime) -> ColumnElement[bool]:
    return col(QueueVisitRow.joined_ms) < to_ms(before)


def kept_too_long(engine: Engine, before: datetime) -> tuple[int, int]:
    """How many changes of availability and stays in queues are from before then."""
    with engine.connect() as connection:
        states = select(func.count()).select_from(AgentStateRow).where(_old_states(before))
        visits = select(func.count()).select_from(QueueVisitRow).where(_old_visits(before))
        return connection.execute(states).scalar_one(), connection.execute(visits).scalar_one()


def remove(engine: Engine, before: datetime) -> None:
    with writing(engine) as connection:
        connection.execute(delete(AgentStateRow).where(_old_states(before)))
        connection.execute(delete(QueueVisitRow).where(_old_visits(before)))
