"""Live calls over a real SIP stack and a real media worker: what is left when somebody leaves."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC
from ipaddress import ip_network
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from media.client import WorkerEngine
from pbx.calls import Equipment, LiveCall
from pbx.clock import SystemClock
from pbx.events import AgentConnected, CallEvent, LegEnded, LegStarted, Redirected
from pbx.flows.control import AgentTarget, CallerGone, CallFacts, DialOutcome, NumberTarget
from pbx.httpclient import WebClient
from pbx.legs import CallerLeg, Destination, Exchange
from pbx.routing import SiteRouter
from pbx.transfer import TransferRules
from sip import Address, Cancelled, Ended, Flow, InviteTarget, Provisional, Stack, StackConfig, Trunk
from tests.media.phone import port_range
from tests.sip.wire import ANSWER, OFFER
from tests.support.made_calls import unknown_caller

HOST = "127.0.0.1"
ANYWHERE = Trunk(name="carrier", allow_from=(ip_network("127.0.0.0/8"),))


class Phone:
    """A stack of its own. Sessions that come in wait in ``sessions``, their events in ``heard``."""

    def __init__(self) -> None:
        self.sessions: asyncio.Queue = asyncio.Queue()
        self.stack = Stack(
            StackConfig(
                listen=(f"udp://{HOST}:0",), realm="test", nonce_secret=bytes(32), trunks=(ANYWHERE,)
            ),
            self,
        )

    def invite_received(self, session) -> None:
        session.heard = asyncio.Queue()
        session.on_event = session.heard.put_nowait
        self.sessions.put_nowait(session)

    @property
    def address(self) -> Address:
        port = int(self.stack.listening[0].rpartition(":")[2])
        return Address(HOST, port)


async def heard(events: asyncio.Queue, kind: type) -> Any:
    """The next event of this kind; others are passed over, and so is 100, which only a slow answer brings."""
    while not isinstance(event := await events.get(), kind) or getattr(event, "status", None) == 100:
        pass
    return event


class Scene:
    """Two agents' phones, a caller, and the call as a flow would drive it."""

    def __init__(self, engine: WorkerEngine, caller: Phone, server: Phone, agents: dict[str, Phone]) -> None:
        self.engine, self.caller, self.server, self.agents = engine, caller, server, agents
        self.events: list[CallEvent] = []
        exchange = Exchange(server.stack, engine, address=HOST, codecs=["pcmu"])
        contacts = {
            name: SimpleNamespace(srtp="optional", dtmf="inband", contact=f"sip:{name}@{a.address}")
            for name, a in agents.items()
        }
        self.router = SiteRouter(exchange, SimpleNamespace(agents=contacts, trunks={}))

    async def call(self) -> LiveCall:
        """A caller's INVITE; ``self.far`` is their session, ``self.far_hears`` its events."""
        self.far_hears: asyncio.Queue = asyncio.Queue()
        target = InviteTarget(uri=f"sip:100@{self.server.address}", flow=Flow("udp", self.server.address))
        self.far = self.caller.stack.invite(
            target,
            offer=OFFER,
            from_="<sip:200@test>",
            to="<sip:100@test>",
            on_event=self.far_hears.put_nowait,
        )
        session = await self.server.sessions.get()
        facts = CallFacts(
            call_id="c", did="+12125550110", caller="+13105550199", source="radio", flow="f",
            trunk="carrier", whisper="", zone=UTC, country="US",
        )  # fmt: skip
        equipment = Equipment(
            engine=self.engine, router=self.router, clock=SystemClock(), publish=self.events.append,
            speak=self._speak, data_dir=Path("unused"), record_from=None,
            web=WebClient(),
            send_text=lambda text: "",
            history=unknown_caller,
        )  # fmt: skip
        return LiveCall(facts, CallerLeg(self.router.exchange, session), equipment)

    async def _speak(self, text: str) -> Path:
        raise AssertionError(f"nothing is said in these tests, but {text!r} was")

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


@asynccontextmanager
async def scene():
    engine = WorkerEngine(address=HOST, port_range=port_range())
    phones = [Phone() for _ in range(4)]
    await engine.start()
    try:
        for phone in phones:
            await phone.stack.start()
        caller, server, alice, bob = phones
        made = Scene(engine, caller, server, {"alice": alice, "bob": bob})
        yield made
        assert engine._endpoints == set()
        assert made.router.exchange.by_endpoint == {}
        started = Counter(event.leg_id for event in made.of(LegStarted))
        ended = Counter(event.leg_id for event in made.of(LegEnded) if event.leg_id in started)
        assert started == ended
    finally:
        for phone in phones:
            await phone.stack.close()
        await engine.close()


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 30))


def dialling(call: LiveCall, *agents: str, together: bool = True, timeout_s: float = 20) -> asyncio.Task:
    targets = [AgentTarget(agent) for agent in agents]
    return asyncio.create_task(call.dial(targets, together=together, timeout_s=timeout_s))


async def gone(task: asyncio.Task) -> str:
    try:
        await task
    except CallerGone as left:
        return left.cause
    raise AssertionError("the caller is still there")


def test_a_caller_who_leaves_before_anybody_is_rung_rings_nobody() -> None:
    async def test() -> None:
        async with scene() as it:
            call = await it.call()
            it.far.cancel()
            await call.caller.ended
            assert await gone(dialling(call, "alice")) == "caller_hung_up"
            await call.close("caller_hung_up", 480)
            assert it.of(LegStarted) == []
            assert it.agents["alice"].sessions.empty()

    run(test())


def test_a_caller_who_leaves_while_it_rings_ends_every_ringing() -> None:
    async def test() -> None:
        async with scene() as it:
            call = await it.call()
            dial = dialling(call, "alice", "bob")
            rung = [await it.agents[name].sessions.get() for name in ("alice", "bob")]
            rung[0].ring()
            await heard(it.far_hears, Provisional)
            it.far.cancel()
            assert await gone(dial) == "caller_hung_up"
            await call.close("caller_hung_up", 480)
            rung[1].ring()  # its INVITE was not answered at all yet, and only then may be cancelled
            for session in rung:
                await heard(session.heard, Cancelled)

    run(test())


def test_who_answers_as_the_caller_leaves_is_let_go() -> None:
    async def test() -> None:
        async with scene() as it:
            call = await it.call()
            dial = dialling(call, "alice")
            session = await it.agents["alice"].sessions.get()
            session.answer(ANSWER)
            call.end("caller_hung_up")
            assert await gone(dial) == "caller_hung_up"
            await heard(session.heard, Ended)
            await call.close("caller_hung_up", 480)

    run(test())


def test_of_two_who_answer_at_once_one_talks_and_the_other_is_let_go() -> None:
    async def test() -> None:
        async with scene() as it:
            call = await it.call()
            dial = dialling(call, "alice", "bob")
            rung = {name: await it.agents[name].sessions.get() for name in ("alice", "bob")}
            for session in rung.values():
                session.answer(ANSWER)
            result = await dial
            assert result.outcome is DialOutcome.ANSWERED
            winner = result.winner.target.agent
            await heard(rung["bob" if winner == "alice" else "alice"].heard, Ended)
            await call.close("server_stopping", 503)
            await heard(rung[winner].heard, Ended)

    run(test())


def test_an_agent_who_leaves_before_the_bridge_has_not_talked() -> None:
    async def test() -> None:
        async with scene() as it:
            call = await it.call()
            dial = dialling(call, "alice")
            session = await it.agents["alice"].sessions.get()
            session.answer(ANSWER)
            winner = (await dial).winner
            session.bye()
            await call._winners[winner.leg_id].ended
            assert (await call.bridge(winner)).talk_s == 0
            assert not call.answered
            assert it.of(AgentConnected) == []
            assert it.of(LegEnded)[0].cause == "agent_hung_up"
            await call.close("flow_ended", 480)

    run(test())


def test_who_declines_on_one_phone_is_rung_on_no_other() -> None:
    async def test() -> None:
        async with scene() as it:
            call = await it.call()
            at = it.agents["bob"].address
            second = Destination(InviteTarget(uri=f"sip:alice@{at}", flow=Flow("udp", at)))
            first = it.router.destinations
            it.router.destinations = lambda target: [*first(target), second]
            dial = dialling(call, "alice")
            here, there = [await it.agents[name].sessions.get() for name in ("alice", "bob")]
            there.ring()
            await heard(it.far_hears, Provisional)
            here.reject(603)
            assert (await dial).outcome is DialOutcome.DECLINED
            await heard(there.heard, Cancelled)
            await call.close("flow_ended", 480)

    run(test())


class Permits:
    """The outbound rules' part: what is counted, and for how long."""

    def __init__(self) -> None:
        self.up: list[tuple[str, str]] = []

    @contextmanager
    def permit(self, call_id: str, agent: str, number: str) -> Iterator[None]:
        self.up.append((agent, number))
        try:
            yield
        finally:
            self.up.remove((agent, number))


def forwarding(it: Scene, call: LiveCall, permits: Permits) -> None:
    """Let phones send the call on, to agents by id and to numbers; whoever is no phone of the scene's is
    bob's phone."""
    at = it.agents["bob"].address

    def understand(dialled: str) -> AgentTarget | NumberTarget:
        return NumberTarget(dialled, None) if dialled.startswith("+") else AgentTarget(dialled)

    def destinations(target: AgentTarget | NumberTarget) -> list[Destination]:
        if str(target) == "alice":
            return list(known(target))
        return [Destination(InviteTarget(uri=f"sip:{target}@{at}", flow=Flow("udp", at)))]

    known, it.router.destinations = it.router.destinations, destinations
    it.router.diversion = lambda call, by, because, target: f"<sip:{by}@{HOST}>;reason={because}"
    rules = TransferRules(understand, permits.permit, board=None, codes={})
    call._with = replace(call._with, transfers=rules)


def test_five_at_most_ring_in_the_place_of_one() -> None:
    async def test() -> None:
        async with scene() as it:
            call = await it.call()
            forwarding(it, call, Permits())
            dial = dialling(call, "alice")
            session = await it.agents["alice"].sessions.get()
            for n in range(1, 6):
                session.reject(302, headers=[("Contact", f"<sip:agent{n}@x>")])
                session = await it.agents["bob"].sessions.get()
                assert session.did == f"agent{n}"
            assert len(session.request.headers.all("Diversion")) == 5
            session.reject(302, headers=[("Contact", "<sip:agent6@x>")])
            assert (await dial).outcome is DialOutcome.NO_ANSWER
            assert [told.cause for told in it.of(Redirected)] == [""] * 5 + ["redirect_circle"]
            await call.close("flow_ended", 480)

    run(test())


def test_a_forwarded_call_counts_as_the_agents_until_it_is_over() -> None:
    async def test() -> None:
        async with scene() as it:
            call, permits = await it.call(), Permits()
            forwarding(it, call, permits)
            dial = dialling(call, "alice")
            session = await it.agents["alice"].sessions.get()
            session.reject(302, headers=[("Contact", "<sip:+13105550177@x>")])
            session = await it.agents["bob"].sessions.get()
            assert permits.up == [("alice", "+13105550177")]
            session.answer(ANSWER)
            winner = (await dial).winner
            assert str(winner.target) == "+13105550177"
            assert permits.up == [("alice", "+13105550177")]
            session.bye()
            await call._winners[winner.leg_id].ended
            assert (await call.bridge(winner)).talk_s == 0
            assert permits.up == []
            await call.close("flow_ended", 480)

    run(test())


def test_a_caller_who_leaves_stops_what_a_phone_sent_on() -> None:
    async def test() -> None:
        async with scene() as it:
            call, permits = await it.call(), Permits()
            forwarding(it, call, permits)
            dial = dialling(call, "alice")
            session = await it.agents["alice"].sessions.get()
            session.reject(302, headers=[("Contact", "<sip:+13105550177@x>")])
            session = await it.agents["bob"].sessions.get()
            session.ring()
            await heard(it.far_hears, Provisional)
            it.far.cancel()
            assert await gone(dial) == "caller_hung_up"
            await heard(session.heard, Cancelled)
            assert permits.up == []
            await call.close("caller_hung_up", 487)

    run(test())


@pytest.mark.parametrize("status", [305, 380])
def test_other_proxies_and_services_are_not_followed(status: int) -> None:
    async def test() -> None:
        async with scene() as it:
            call = await it.call()
            forwarding(it, call, Permits())
            dial = dialling(call, "alice")
            session = await it.agents["alice"].sessions.get()
            session.reject(status, headers=[("Contact", "<sip:agent1@x>")])
            assert (await dial).outcome is DialOutcome.FAILED
            assert it.of(Redirected) == []
            await call.close("flow_ended", 480)

    run(test())


def test_early_media_of_one_is_not_left_to_the_next() -> None:
    async def test() -> None:
        async with scene() as it:
            call = await it.call()
            dial = dialling(call, "alice", "bob", together=False)
            first = await it.agents["alice"].sessions.get()
            first.ring(ANSWER)
            assert (await heard(it.far_hears, Provisional)).status == 183
            first.reject(486)
            second = await it.agents["bob"].sessions.get()
            second.ring()
            assert (await heard(it.far_hears, Provisional)).status == 180
            second.reject(486)
            assert (await dial).outcome is DialOutcome.BUSY
            await call.close("flow_ended", 480)

    run(test())


def test_the_media_worker_dies_while_it_rings() -> None:
    async def test() -> None:
        async with scene() as it:
            call = await it.call()
            dial = dialling(call, "alice")
            session = await it.agents["alice"].sessions.get()
            session.ring()
            await heard(it.far_hears, Provisional)
            it.engine._worker.kill()
            assert (await dial).outcome is DialOutcome.FAILED
            await heard(session.heard, Cancelled)
            await call.close("flow_ended", 480)
            assert it.of(LegEnded)[0].cause == "media_lost"

    run(test())
