"""Reading the history of agents' availability."""

from datetime import datetime

from sqlalchemy import Engine, func
from sqlmodel import Session, col, select

from pbx.agents.presence import Presence
from pbx.store.encoding import to_ms
from pbx.store.tables import AgentStateRow


class AgentStates:
    """Methods block: call them from a thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def presences(self) -> dict[str, Presence]:
        """What each agent decided last: what a restart goes on from."""
        last = select(func.max(AgentStateRow.id)).group_by(AgentStateRow.agent)
        with Session(self._engine) as session:
            rows = session.exec(select(AgentStateRow).where(col(AgentStateRow.id).in_(last)))
            return {row.agent: presence_of(row) for row in rows}

    def between(self, since: datetime, until: datetime) -> list[AgentStateRow]:
        """Every change in that time, oldest first, and before them what each agent was at its start."""
        before = (
            select(func.max(AgentStateRow.id))
            .where(col(AgentStateRow.at_ms) < to_ms(since))
            .group_by(AgentStateRow.agent)
        )
        within = (col(AgentStateRow.at_ms) >= to_ms(since)) & (col(AgentStateRow.at_ms) < to_ms(until))
        query = (
            select(AgentStateRow)
            .where(within | col(AgentStateRow.id).in_(before))
            .order_by(col(AgentStateRow.id))
        )
        with Session(self._engine) as session:
            return list(session.exec(query))


def presence_of(row: AgentStateRow) -> Presence:
    logged_out = frozenset(row.logged_out.split("\n")) if row.logged_out else frozenset()
    return Presence(row.paused, row.reason, logged_out, row.decided_by)
