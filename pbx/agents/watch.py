"""The agents' states as events: for whoever watches live, and for the record.

Theory of operation
-------------------
The watch hears that the board changed, looks at it once the moment's changes are all in, and publishes
what differs from what it saw last. Two kinds of event come of it. ``agent.state`` is every change, for
the live stream, and is not stored: who rang and talked, the calls' legs tell. ``agent.presence`` is
what the legs cannot tell, and is stored: whether a phone of the agent's could be rung, pauses with their
reasons, queues left alone. Each is a whole picture, so the last one of an agent says all. When the
watch begins it publishes one of everybody: of the time before, the server knows nothing.
"""

import asyncio
from collections.abc import Callable

from pbx.agents.board import AgentBoard, AgentState, AgentView
from pbx.clock import Clock
from pbx.events import AgentPresenceChanged, AgentStateChanged, CallEvent

_Shown = tuple[AgentState, str, str]


class AgentWatch:
    """Begin it where an event loop runs, after the board has its agents' presence."""

    def __init__(self, board: AgentBoard, clock: Clock, publish: Callable[[CallEvent], None]) -> None:
        self._board = board
        self._clock = clock
        self._publish = publish
        self._shown: dict[str, _Shown] = {}
        self._recorded: dict[str, tuple[bool, object]] = {}
        self._since: dict[str, float] = {}
        self._due = False
        board.subscribe(self._changed)
        self._look()

    def since_s(self, agent: str) -> float:
        """How long the agent has been in the present state."""
        now = self._clock.monotonic()
        return now - self._since.get(agent, now)

    def _changed(self) -> None:
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        self._due = False
        for view in self._board.snapshot():
            self._show(view)
            self._record(view)

    def _show(self, view: AgentView) -> None:
        before = self._shown.get(view.agent)
        shown = (view.state, view.presence.reason, view.call_id)
        if shown == before:
            return
        self._shown[view.agent] = shown
        if before is None or before[0] is not view.state:
            self._since[view.agent] = self._clock.monotonic()
        self._publish(
            AgentStateChanged(
                call_id=view.call_id,
                at=self._clock.now(),
                agent=view.agent,
                state=view.state.value,
                reason=view.presence.reason,
            )
        )

    def _record(self, view: AgentView) -> None:
        presence = view.presence
        picture = (view.reachable, presence)
        if self._recorded.get(view.agent) == picture:
            return
        self._recorded[view.agent] = picture
        self._publish(
            AgentPresenceChanged(
                call_id="",
                at=self._clock.now(),
                agent=view.agent,
                reachable=view.reachable,
                paused=presence.paused,
                reason=presence.reason,
                logged_out=tuple(sorted(presence.logged_out)),
                by=presence.by,
            )
        )
