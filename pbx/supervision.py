"""Supervision: a third party in a call of two, who listens, whispers to the agent, or speaks to both.

A supervisor calls by feature code, or is called because the API asked for it; their own call hears
the other one as long as that lasts. Who hears whom is three lists of edges, made anew at each change:

=========  ==================  =====================  ===============
mode       the supervisor      the agent              the customer
=========  ==================  =====================  ===============
listen     agent and customer  customer               agent
whisper    agent and customer  customer, supervisor   agent
barge      agent and customer  customer, supervisor   agent, supervisor
=========  ==================  =====================  ===============

The supervisor's keys, which change the mode, are nobody else's to hear. What a supervisor says to both is
recorded, on the agent's side; what only the agent hears is not.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from media.engine import Edge, EndpointId, MediaEngine, MediaUnavailable
from pbx.flows.own_words import NO_SUCH_CALL, NOT_ALLOWED, own
from pbx.legs import Leg

if TYPE_CHECKING:
    from pbx.calls import LiveCall
    from pbx.feature_codes import FeatureCall


class Mode(StrEnum):
    LISTEN = "listen"
    WHISPER = "whisper"
    BARGE = "barge"


BY_KEY = {"1": Mode.LISTEN, "2": Mode.WHISPER, "3": Mode.BARGE}


class Audience:
    """Two legs that hear each other, and those who supervise them."""

    def __init__(self, engine: MediaEngine, one: Leg, other: Leg) -> None:
        """``other`` is the agent, unless only ``one`` is one."""
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._engine = engine
        agent_is_one = other.agent is None and one.agent is not None
        self.agent, self.customer = (one, other) if agent_is_one else (other, one)
        self._supervisors: dict[Leg, Mode] = {}
        self._on_hold: set[Leg] = set()
        self.on_speakers: Callable[[list[EndpointId]], None] = lambda speakers: None
        """Hears who else speaks to both, at each change."""

    @contextlib.contextmanager
    def joined(self) -> Iterator[None]:
        """Both hear each other inside the block. Raises MediaUnavailable."""
        if self.agent.endpoint is None or self.customer.endpoint is None:
            raise MediaUnavailable("a leg lost its media")
        self._plan()
        try:
            yield
        finally:
            self.over.set_result(None)
            for leg in (self.agent, self.customer, *self._supervisors):
                self._hear(leg, ())
            self.on_speakers([])

    def hold(self, leg: Leg, held: bool) -> None:
        """``leg`` hears nobody while the other wants it so."""
        (self._on_hold.add if held else self._on_hold.discard)(leg)
        self._plan()

    def supervise(self, supervisor: Leg, mode: Mode) -> None:
        self._supervisors[supervisor] = mode
        self._plan()

    def leave(self, supervisor: Leg) -> None:
        if self._supervisors.pop(supervisor, None) is not None and not self.over.done():
            self._hear(supervisor, ())
            self._plan()

    def supervised_by(self, agent: str) -> Leg | None:
        return next((leg for leg in self._supervisors if leg.agent == agent), None)

    def _plan(self) -> None:
        spoken_to = {
            self.agent: [leg for leg, mode in self._supervisors.items() if mode is not Mode.LISTEN],
            self.customer: [leg for leg, mode in self._supervisors.items() if mode is Mode.BARGE],
        }
        for leg, partner in ((self.agent, self.customer), (self.customer, self.agent)):
            if leg in self._on_hold:
                self._hear(leg, ())
            else:
                self._hear(leg, (partner,), quietly=spoken_to[leg])
        for supervisor in self._supervisors:
            self._hear(supervisor, (), quietly=[self.agent, self.customer])
        self.on_speakers([leg.endpoint.id for leg in spoken_to[self.customer] if leg.endpoint is not None])

    def _hear(self, leg: Leg, sources: tuple[Leg, ...], quietly: list[Leg] | None = None) -> None:
        """``leg`` hears ``sources`` with the keys they press, and ``quietly`` without."""
        if leg.endpoint is None:
            return
        to = leg.endpoint.id
        edges = [Edge(source.endpoint.id, to) for source in sources if source.endpoint]
        edges += [Edge(source.endpoint.id, to, keys=False) for source in quietly or () if source.endpoint]
        self._engine.set_edges(to, edges)


class LiveCalls:
    """The calls that are up, for whoever has to find one: by its id, or by the agent who talks."""

    def __init__(self) -> None:
        self._calls: dict[str, LiveCall] = {}

    def add(self, call: "LiveCall") -> None:
        self._calls[call.facts.call_id] = call

    def discard(self, call: "LiveCall") -> None:
        self._calls.pop(call.facts.call_id, None)

    def get(self, call_id: str) -> "LiveCall | None":
        return self._calls.get(call_id)

    def talking(self, agent: str) -> "LiveCall | None":
        """The call on which this agent talks to somebody."""
        for call in self._calls.values():
            if call.audience is not None and call.audience.agent.agent == agent:
                return call
        return None


async def supervise(it: "FeatureCall") -> str:
    """``*33101``: the agent with extension 101. The API gives a call's id, and a mode behind ``*``."""
    agents = it.site.config.agents
    if not agents[it.agent].supervisor:
        return await _say(it, NOT_ALLOWED, f"{it.agent} is no supervisor")
    whom, _, key = it.argument.partition("*")
    extensions = {each.extension: name for name, each in agents.items() if each.extension}
    live = it.call.live
    watched = live.get(whom) or live.talking(extensions.get(whom, ""))
    talk = watched.audience if watched is not None else None
    if watched is None or talk is None or it.call.caller in (talk.agent, talk.customer):
        return await _say(it, NO_SUCH_CALL, "there was no such call to supervise")
    mode = BY_KEY.get(key, Mode.LISTEN)
    await it.call.answer()
    watched.note_supervision(it.agent, mode.value)
    talk.supervise(it.call.caller, mode)
    try:
        while not talk.over.done():
            key = await it.call.key_before(talk.over)
            if (chosen := BY_KEY.get(key)) and chosen is not mode:
                mode = chosen
                talk.supervise(it.call.caller, mode)
                watched.note_supervision(it.agent, mode.value)
    finally:
        talk.leave(it.call.caller)
        watched.note_supervision(it.agent, "left")
    return f"supervised call {watched.facts.call_id} to its end"


async def _say(it: "FeatureCall", words: Mapping[str, str], because: str) -> str:
    await it.call.play(own(words, it.around.language))
    return because
