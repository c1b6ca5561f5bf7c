"""Live calls keep the promises of CallControl: the contract's suite over real sockets.

The call runs on one SIP stack, the people in it have another; all of their audio, and the keys that
they press, is RTP on loopback through the media worker. One event loop serves the whole suite, so
that the worker starts once.
"""

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from media.client import WorkerEngine
from media.engine import EndpointId, MediaEngine
from media.tts import Speech
from pbx import events
from pbx.calls import Equipment, LiveCall
from pbx.clock import SystemClock
from pbx.config.models import Config
from pbx.flows.control import AgentTarget, CallerHistory, DialOutcome, Target
from pbx.flows.simulated import Reaction
from pbx.httpclient import WebClient
from pbx.legs import CallerLeg, Destination, Exchange, remote_media
from pbx.routing import SiteRouter
from sip import Address, ClientSession, Flow, InviteTarget, ServerSession, Stack, StackConfig, Trunk, sdp
from sip.invite import Answered, SessionEvent
from tests.pbx.flows.call_contract import (
    A_MOMENT_S,
    ALICE,
    ANSWER,
    ANSWERS,
    BUSY,
    HISTORY,
    NEVER_S,
    SILENT,
    CallContract,
    Scenario,
    World,
)
from tests.pbx.flows.worlds import facts
from tests.support.server import need

pytestmark = pytest.mark.peers

HOST = "127.0.0.1"
CODECS = ("pcmu",)
PATIENCE_S = 60.0
STATUS = {DialOutcome.BUSY: 486, DialOutcome.DECLINED: 603}


def rtp_ports() -> tuple[int, int]:
    """A range of this process's own, below the ports that the system hands out."""
    first = 10000 + os.getpid() % 20 * 100
    return first, first + 99


def stack(handler: "Building | People") -> Stack:
    trunk = Trunk(name="trunk", allow_from=(IPv4Network(HOST),))
    config = StackConfig(listen=(f"udp://{HOST}:0",), realm="test", nonce_secret=b"secret", trunks=(trunk,))
    return Stack(config, handler)


def address_of(stack: Stack) -> Address:
    return Address(HOST, int(stack.listening[0].rpartition(":")[2]))


class People:
    """The caller and the agents: everybody's phone."""

    def __init__(self, engine: MediaEngine) -> None:
        self.stack = stack(self)
        self.reactions: dict[str, Reaction] = {}
        self.talking: ServerSession | None = None
        self._engine = engine
        self._endpoints: list[EndpointId] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def endpoint(self) -> tuple[EndpointId, int]:
        made = await self._engine.allocate()
        self._endpoints.append(made.id)
        return made.id, made.port

    def invite_received(self, session: ServerSession) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(self._react(session)))

    async def _react(self, session: ServerSession) -> None:
        reaction = self.reactions[session.did]
        session.ring()
        if reaction.outcome is DialOutcome.NO_ANSWER:
            return
        await asyncio.sleep(reaction.after_s)
        if reaction.outcome is not DialOutcome.ANSWERED:
            session.reject(STATUS[reaction.outcome])
            return
        assert session.offer is not None
        endpoint, port = await self.endpoint()
        negotiated = sdp.answer(session.offer, address=HOST, port=port, codecs=CODECS)
        self._engine.set_remote(endpoint, remote_media(negotiated.remote))
        self.talking = session
        session.answer(negotiated.sdp)

    async def go_home(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for endpoint in self._endpoints:
            await self._engine.release(endpoint)
        self._endpoints.clear()
        self._tasks.clear()
        self.talking = None


class Caller:
    """The phone of whoever calls."""

    def __init__(self, engine: MediaEngine, endpoint: EndpointId, offer: bytes) -> None:
        self.offer = offer
        self.session: ClientSession
        self._engine = engine
        self._endpoint = endpoint
        self._talks = False
        self._to_press = ""

    def sip_event(self, event: SessionEvent) -> None:
        if isinstance(event, Answered):
            assert event.sdp is not None
            self._engine.set_remote(self._endpoint, remote_media(sdp.accept_answer(self.offer, event.sdp)))
            self._talks = True
            self.press("")

    def press(self, keys: str) -> None:
        """Once the call is answered: a phone has no way to send keys before."""
        self._to_press += keys
        if self._talks and self._to_press:
            self._engine.send_dtmf(self._endpoint, self._to_press)
            self._to_press = ""


async def answer_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Another program: /answer has something to say, /silence never says anything."""
    head = await reader.readuntil(b"\r\n\r\n")
    if b"/silence" not in head:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(ANSWER), ANSWER))
    await reader.read()  # until the caller of the API has had enough
    writer.close()


class TwoPhones(SiteRouter):
    """An agent's second phone is the agent of that name and ``_too``, if there is one."""

    def destinations(self, target: Target) -> Sequence[Destination]:
        first = super().destinations(target)
        second = f"{target}_too"
        return [*first, *super().destinations(AgentTarget(second))] if second in self.config.agents else first


class Building:
    """The stack, the worker and the people that all calls of the suite share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.speech = Speech(folder / "prompts")
        self.web = WebClient()
        self.program = ""
        self.engine = WorkerEngine(address=HOST, port_range=rtp_ports())
        self.stack = stack(self)
        self.people = People(self.engine)
        self.exchange = Exchange(self.stack, self.engine, address=HOST, codecs=CODECS)
        self._incoming: asyncio.Queue[ServerSession] = asyncio.Queue()

    def invite_received(self, session: ServerSession) -> None:
        self._incoming.put_nowait(session)

    async def open(self, parts: AsyncExitStack) -> None:
        await self.engine.start()
        parts.push_async_callback(self.engine.close)
        parts.push_async_callback(self.web.close)
        program = await asyncio.start_server(answer_http, HOST, 0)
        self.program = "{}:{}".format(*program.sockets[0].getsockname())
        parts.callback(program.close)
        for each in (self.stack, self.people.stack):
            await each.start()
            parts.push_async_callback(each.close)

    def router(self, reactions: dict[str, Reaction]) -> SiteRouter:
        """Who is away has no phone anywhere."""
        agents = {
            who: {"name": who}
            if reaction.outcome is DialOutcome.UNREACHABLE
            else {"name": who, "contact": f"sip:{who}@{address_of(self.people.stack)}"}
            for who, reaction in reactions.items()
        }
        return TwoPhones(self.exchange, Config.model_validate({"agents": agents}))

    async def play(self, scenario: Scenario, reactions: dict[str, Reaction]) -> None:
        self.people.reactions = reactions
        caller = await self._call()
        happened: list[events.CallEvent] = []
        session = await self._incoming.get()
        equipment = Equipment(
            engine=self.engine,
            router=self.router(reactions),
            clock=SystemClock(),
            publish=happened.append,
            speak=self.speech.speak,
            data_dir=self.folder,
            record_from=None,
            web=self.web,
            send_text=lambda text: "",
            history=self._history,
        )
        call = LiveCall(facts(), CallerLeg(self.exchange, session), equipment)
        try:
            await scenario(LiveWorld(call, happened, caller, self.people, self.program))
        finally:
            await call.close("flow_ended", 480)
            caller.session.cancel()
            await self.people.go_home()
        assert not self.exchange.by_endpoint, "a leg kept its media"

    async def _history(self, number: str, but: str) -> CallerHistory:
        return HISTORY

    async def _call(self) -> Caller:
        endpoint, port = await self.people.endpoint()
        offer = sdp.build_offer(
            address=HOST, port=port, codecs=CODECS, telephone_event=101, session_id=1, version=1
        )
        caller = Caller(self.engine, endpoint, offer)
        here = address_of(self.stack)
        caller.session = self.people.stack.invite(
            InviteTarget(uri=f"sip:+12125550100@{here}", flow=Flow("udp", here)),
            offer=offer,
            from_=f"<sip:+12125557788@{HOST}>",
            to=f"<sip:+12125550100@{here}>",
            on_event=caller.sip_event,
        )
        return caller


class LiveWorld(World):
    def __init__(
        self,
        call: LiveCall,
        happened: list[events.CallEvent],
        caller: Caller,
        people: People,
        program: str,
    ) -> None:
        self.call = call
        self.program = program
        self.happened = happened
        self._caller = caller
        self._people = people

    def press(self, keys: str) -> None:
        self._caller.press(keys)

    def caller_hangs_up(self) -> None:
        self._caller.session.cancel()

    def agent_hangs_up(self) -> None:
        assert self._people.talking is not None
        self._people.talking.bye()


@pytest.fixture(scope="class")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="class")
def building(runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Building]:
    need("espeak-ng")

    async def make() -> Building:
        building = Building(tmp_path_factory.mktemp("building"))
        await building.open(parts)
        return building

    parts = AsyncExitStack()
    yield runner.run(make())
    runner.run(parts.aclose())


class TestLiveCall(CallContract):
    @pytest.fixture(autouse=True)
    def place(self, runner: asyncio.Runner, building: Building) -> None:
        self.runner, self.building = runner, building

    def run(
        self, scenario: Scenario, *, alice: Reaction = SILENT, bob: Reaction = SILENT, **more: Reaction
    ) -> None:
        async def main() -> None:
            async with asyncio.timeout(PATIENCE_S):
                await self.building.play(scenario, {"alice": alice, "bob": bob, **more})

        self.runner.run(main())

    def test_of_an_agents_phones_the_busy_one_says_most(self) -> None:
        async def scenario(world: World) -> None:
            result = await world.call.dial([ALICE], together=True, timeout_s=A_MOMENT_S)
            assert [(a.outcome, a.sip_status) for a in result.attempts] == [(DialOutcome.BUSY, 486)]

        self.run(scenario, alice=BUSY, alice_too=SILENT)

    def test_of_an_agents_phones_one_answers_and_the_other_stops(self) -> None:
        async def scenario(world: World) -> None:
            result = await world.call.dial([ALICE], together=True, timeout_s=NEVER_S)
            assert [(a.outcome, a.sip_status) for a in result.attempts] == [(DialOutcome.ANSWERED, 200)]
            assert world.up() == ["alice"]

        self.run(scenario, alice=ANSWERS, alice_too=SILENT)

    def test_silence_ends_a_message(self) -> None:
        """Scripted callers are never silent, so this is live calls' alone."""

        async def scenario(world: World) -> None:
            message = await world.call.take_message(max_s=NEVER_S, silence_s=1.0)
            assert message.ended_by == "silence"
            assert message.duration_s >= 1.0
            assert len(world.of(events.VoicemailLeft)) == 1

        self.run(scenario)
