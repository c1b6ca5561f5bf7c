"""The switchboard's own part of a call: who is calling, and an end whatever happens."""

import asyncio
import gc
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from media.client import WorkerEngine
from pbx.agents import AgentBoard
from pbx.calls import Equipment, LiveCall
from pbx.clock import SystemClock
from pbx.config.load import load
from pbx.events import CallEnded, CallEvent, CallStarted, CallStatus
from pbx.flows.interpreter import Surroundings
from pbx.httpclient import WebClient
from pbx.legs import CallerLeg, Exchange
from pbx.queues import Queues
from pbx.routing import SiteRouter
from pbx.switchboard import Desk, Switchboard
from sip import Answered, Ended, Flow, InviteTarget, Rejected, ServerSession
from tests.media.phone import port_range
from tests.pbx.test_live_call import HOST, Phone, heard
from tests.sip.wire import OFFER
from tests.support.made_calls import unknown_caller

CONFIG = """
server: {name: Test, timezone: UTC, country: US, data_dir: ./data, database: "sqlite:///data/pbx.db"}
sip: {listen: ["udp://127.0.0.1:5060"]}
web: {listen: "127.0.0.1:8080"}
trunks: {carrier: {allow_from: [127.0.0.1/32]}}
sources: {radio: {name: Radio spot, kind: offline}}
numbers: {"+12125550100": {source: radio, flow: wait}}
agents: {}
"""
WAIT = "name: Wait\nstart: wait\nsteps:\n  wait: {wait: 60s}\n"


class Scene:
    """A switchboard behind a real stack, and a phone to call it with."""

    def __init__(self, folder: Path, engine: WorkerEngine) -> None:
        (folder / "ivr_flows").mkdir()
        (folder / "ivr_flows" / "wait.yaml").write_text(WAIT)
        (folder / "config.yaml").write_text(CONFIG)
        site = load(folder / "config.yaml", {})
        self.events: list[CallEvent] = []
        self.row_is_safe = asyncio.Event()
        self.opening = asyncio.Event()
        self.board = Switchboard(self._opened)
        self.caller, self.server = Phone(), Phone()
        self.server.invite_received = self.board.invite_received
        clock = SystemClock()
        exchange = Exchange(self.server.stack, engine, address=HOST, codecs=["pcmu"])
        agents = AgentBoard((), clock, lambda agent: False)
        equipment = Equipment(
            engine=engine, router=SiteRouter(exchange, site.config), clock=clock,
            publish=self.events.append, speak=self._speak, data_dir=site.data_dir, record_from=None,
            web=WebClient(),
            send_text=lambda text: "",
            history=unknown_caller,
        )  # fmt: skip
        self.board.desk = Desk(site, Surroundings.of(site, agents, Queues({}, agents)), equipment)

    async def _speak(self, text: str) -> Path:
        raise AssertionError(f"nothing is said in these tests, but {text!r} was")

    async def _opened(self, call_id: str) -> None:
        self.opening.set()
        await self.row_is_safe.wait()

    def call(self, number: str, caller: str = "+13105550199") -> asyncio.Queue:
        """Dial ``number``; what the caller hears of it."""
        hears: asyncio.Queue = asyncio.Queue()
        at = self.server.address
        self.caller.stack.invite(
            InviteTarget(uri=f"sip:{number}@{at}", flow=Flow("udp", at)),
            offer=OFFER, from_=f"<sip:{caller}@test>", to="<sip:x@test>", on_event=hears.put_nowait,
        )  # fmt: skip
        return hears


@asynccontextmanager
async def scene(folder: Path):
    engine = WorkerEngine(address=HOST, port_range=port_range())
    await engine.start()
    made = Scene(folder, engine)
    try:
        await made.caller.stack.start()
        await made.server.stack.start()
        yield made
        assert (made.board.calls, engine._endpoints) == (0, set())
    finally:
        await made.caller.stack.close()
        await made.server.stack.close()
        await engine.close()


def ended(it: Scene) -> CallEnded:
    (event,) = (event for event in it.events if isinstance(event, CallEnded))
    return event


def test_a_call_whose_row_is_not_safe_when_the_server_stops_is_ended(tmp_path: Path) -> None:
    async def test() -> None:
        async with asyncio.timeout(30), scene(tmp_path) as it:
            hears = it.call("+12125550100")
            await it.opening.wait()
            draining = asyncio.create_task(it.board.drain(0))
            while not it.board._over:  # the drain has come to its limit
                await asyncio.sleep(0)
            it.row_is_safe.set()
            await draining
            assert (await heard(hears, Rejected)).status == 503
            assert ended(it).cause == "server_stopping"

    asyncio.run(test())


def test_a_number_that_is_none_of_ours_is_refused_and_recorded_as_text(tmp_path: Path) -> None:
    async def test() -> None:
        async with asyncio.timeout(30), scene(tmp_path) as it:
            it.row_is_safe.set()
            hears = it.call("9%0d%0aX%3a%20y%00", "eve%0d%0aVia%3a%20z")
            assert (await heard(hears, Rejected)).status == 404
            await it.board.drain(20)
            started = next(event for event in it.events if isinstance(event, CallStarted))
            assert (started.to, started.from_) == ("9X: y", "eveVia: z")
            assert ended(it).status is CallStatus.REJECTED

    asyncio.run(test())


def test_a_call_that_breaks_down_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with asyncio.timeout(30), scene(tmp_path) as it:

            async def broken(call_id: str) -> None:
                raise RuntimeError("no store at all")

            it.board._opened = broken
            hears = it.call("+12125550100")
            assert (await heard(hears, Rejected)).status == 500
            await it.board.drain(20)

    asyncio.run(test())
    assert "broke down" in caplog.text


def test_a_call_that_is_over_is_freed_without_the_garbage_collector(tmp_path: Path) -> None:
    """What a call leaves in circles waits for a collection, and makes each one longer."""

    def kept() -> int:
        return sum(isinstance(each, LiveCall | CallerLeg | ServerSession) for each in gc.get_objects())

    async def test() -> None:
        async with asyncio.timeout(30), scene(tmp_path) as it:
            it.row_is_safe.set()
            gc.collect()
            before = kept()
            gc.disable()
            for _ in range(20):
                hears: asyncio.Queue = asyncio.Queue()
                at = it.server.address
                session = it.caller.stack.invite(
                    InviteTarget(uri=f"sip:+12125550100@{at}", flow=Flow("udp", at)),
                    offer=OFFER, from_="<sip:+13105550199@test>", to="<sip:x@test>", on_event=hears.put_nowait,
                )  # fmt: skip
                await heard(hears, Answered)
                session.bye()
                await heard(hears, Ended)
                await it.board._idle.wait()
            del session
            while it.server.stack.sessions:
                await asyncio.sleep(0)
            assert kept() == before

    try:
        asyncio.run(test())
    finally:
        gc.enable()
