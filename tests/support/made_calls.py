"""Calls as the server would publish them, for tests of whatever listens."""

from datetime import UTC, datetime, timedelta

from pbx import events
from pbx.flows.control import CallerHistory

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def started(call_id: str, at: datetime = NOON, **changes) -> events.CallStarted:
    values = {
        "direction": events.Direction.INBOUND,
        "from_": "+12125550999",
        "to": "+12125550100",
        "trunk": "carrier",
        "sip_call_id": f"{call_id}@carrier",
        "flow": "main",
        "source": "yellow-pages",
        "reasons": ("+12125550100 is yellow-pages' own number",),
    }
    return events.CallStarted(call_id=call_id, at=at, **(values | changes))


def ended(
    call_id: str, at: datetime, status: events.CallStatus = events.CallStatus.ANSWERED
) -> events.CallEnded:
    return events.CallEnded(call_id=call_id, at=at, status=status, cause="caller_hung_up", reason="Over.")


def talk(
    call_id: str, leg_id: str, agent: str, at: datetime, talk_s: float, *, rings_s: float = 2
) -> list[events.CallEvent]:
    """An agent is rung, answers, talks, hangs up."""
    about = {"call_id": call_id, "leg_id": leg_id}
    up = at + timedelta(seconds=rings_s)
    down = up + timedelta(seconds=talk_s)
    return [
        events.LegStarted(
            **about, at=at, role="agent", target=agent, agent=agent, sip_call_id=f"{leg_id}@us"
        ),
        events.LegAnswered(**about, at=up),
        events.AgentConnected(**about, at=up, agent=agent),
        events.AgentDisconnected(**about, at=down, agent=agent, talk_s=talk_s),
        events.LegEnded(**about, at=down, cause="answered", sip_status=None, stats={"packets_received": 9.0}),
    ]


def tracked(
    call_id: str, at: datetime = NOON, *, agent: str = "alice", talk_s: float = 30, **changes
) -> list[events.CallEvent]:
    """A whole call: prompt, menu, agent, recording."""
    path = f"recordings/{call_id}.wav"
    later = at + timedelta(seconds=1)
    end = at + timedelta(seconds=3 + talk_s)
    return [
        started(call_id, at, **changes),
        events.StepEntered(call_id=call_id, at=at, step="welcome", step_kind="say"),
        events.CallAnswered(call_id=call_id, at=at),
        events.TurnTaken(call_id=call_id, at=later, step="welcome", next="sales", because="the prompt ended"),
        events.StepEntered(call_id=call_id, at=later, step="sales", step_kind="dial"),
        events.RecordingStarted(call_id=call_id, at=later, path=path),
        *talk(call_id, f"{call_id}-a", agent, later, talk_s),
        events.TurnTaken(call_id=call_id, at=end, step="sales", next=None, because="the agent hung up"),
        events.RecordingEnded(call_id=call_id, at=end, path=path, duration_s=talk_s),
        ended(call_id, end),
    ]


async def unknown_caller(number: str, but: str) -> CallerHistory:
    """A store that knows of no earlier call."""
    return CallerHistory()
