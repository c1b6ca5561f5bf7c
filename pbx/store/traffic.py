"""Reading what went through a flow."""

import json
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from pbx.flows.traffic import Traffic
from pbx.store.encoding import to_ms
from pbx.store.tables import CallRow, EventRow


class FlowTraffic:
    """Methods block: call them from a thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of(self, flow: str, since: datetime, until: datetime) -> Traffic:
        """The traffic of calls that began in that time, in the names of the flow's own steps."""
        within = (col(CallRow.started_ms) >= to_ms(since)) & (col(CallRow.started_ms) < to_ms(until))
        turns = (
            select(CallRow.flow, EventRow.kind, EventRow.data)
            .join(EventRow, col(EventRow.call_id) == col(CallRow.id))
            .where(within, col(EventRow.kind).in_(("step.entered", "step.turn")))
        )
        left = select(CallRow.flow, CallRow.path).where(
            within,
            col(CallRow.cause) == "caller_hung_up",
            col(CallRow.connected_ms).is_(None),
            col(CallRow.voicemail_ms).is_(None),
            col(CallRow.path) != "",
        )
        found = Traffic()
        with Session(self._engine) as session:
            for first, kind, text in session.exec(turns):
                data = json.loads(text)
                step = _own(flow, first, data["step"])
                if step is None:
                    continue
                if kind == "step.entered":
                    found.calls[step] += 1
                else:
                    target = data["next"].removeprefix(f"{flow}/") if data["next"] else None
                    found.ways[step, target] += 1
                    found.labels[step, data.get("way", ""), target] += 1
            for first, path in session.exec(left):
                if (step := _own(flow, first, path.rpartition("\n")[2])) is not None:
                    found.hung_up[step] += 1
        return found

    def calls(self, since: datetime, until: datetime) -> dict[str, int]:
        """How many calls began with each flow in that time."""
        query = select(CallRow.flow).where(
            col(CallRow.started_ms) >= to_ms(since), col(CallRow.started_ms) < to_ms(until)
        )
        found: dict[str, int] = {}
        with Session(self._engine) as session:
            for flow in session.exec(query):
                found[flow] = found.get(flow, 0) + 1
        return found


def _own(flow: str, first: str, shown: str) -> str | None:
    """The step's own name if it is this flow's: bare in calls that began with it, else ``flow/step``."""
    if first == flow:
        return None if "/" in shown else shown
    return shown.removeprefix(f"{flow}/") if shown.startswith(f"{flow}/") else None
