"""Every path of the contract's ``main.yaml``, called for real on the file as it stands.

The file asks what time it is: one server believes in a Monday morning, the other in Christmas. Each call is
compared with its simulation at the time that the server saw.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pbx.config.load import load
from pbx.flows.simulation import Behaviour, Simulation, simulate
from pbx.phone_plan import Plan
from pbx.phonecall import Phone
from tests.support.phones import agent_plan, number, registered
from tests.support.server import REPOSITORY, Server, eventually, server
from tests.support.twins import expected, seen

pytestmark = pytest.mark.peers

FLOWS = {name: (REPOSITORY / "ivr_flows" / f"{name}.yaml").read_text() for name in ("main", "emergency")}
OFFICE = "+19735550150"
MANHATTAN, NEWARK, CHICAGO = "+1212555", "+1973555", "+1312555"
OPENING = ("welcome", "hours", "menu")
SHORTEST_MESSAGE = 44 + 32_000
"""Of a stereo recording, the bytes of the first second."""


@dataclass(frozen=True)
class Caller:
    """Where they call from, what they press, and the path guarding against both worlds being wrong."""

    path: tuple[str, ...]
    area: str = CHICAGO
    press: str = ""


@pytest.fixture(scope="module")
def monday(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """10:00 in the site's zone, UTC; whoever waits in a queue waits for three seconds."""
    with server(tmp_path_factory.mktemp("monday"), FLOWS, max_wait="3s", at="2026-12-07 10:00") as running:
        yield running


@pytest.fixture(scope="module")
def christmas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server(tmp_path_factory.mktemp("christmas"), FLOWS, at="2026-12-25 10:00") as running:
        yield running


ANSWERED = {
    "sales, the queue": Caller((*OPENING, "sales"), press="1"),
    "support, the queue": Caller((*OPENING, "support"), press="2"),
    "the nearest office is the reception": Caller((*OPENING, "nearest", "reception"), MANHATTAN, "3"),
    "the nearest office is Newark": Caller((*OPENING, "nearest", "newark_office"), NEWARK, "3"),
    "the nearest office is nowhere": Caller((*OPENING, "nearest", "reception"), press="3"),
    "no key at all": Caller((*OPENING, "menu", "menu", "reception")),
}
UNANSWERED = {
    "sales": Caller((*OPENING, "sales", "voicemail"), press="1"),
    "support": Caller((*OPENING, "support", "voicemail"), press="2"),
    "the reception": Caller((*OPENING, "nearest", "reception", "voicemail"), MANHATTAN, "3"),
    "a busy office": Caller((*OPENING, "nearest", "newark_office", "voicemail"), NEWARK, "3"),
    "wrong keys": Caller((*OPENING, "menu", "menu", "reception", "voicemail"), press="9,,9,,9"),
}


@pytest.mark.parametrize("caller", ANSWERED.values(), ids=ANSWERED)
def test_somebody_answers(monday: Server, caller: Caller) -> None:
    """alice and the desk have phones and so has the office; who answers is talked to for a moment."""
    does = {"answer_after_s": 0.2}
    phones = [
        agent_plan(monday, "alice", **does),
        Plan(id_uri="sip:desk@127.0.0.1", port=monday.desk, **does),
        Plan(id_uri=f"sip:{OFFICE}@127.0.0.1", port=monday.carrier, **does),
    ]
    from_ = f"{caller.area}{1000 + list(ANSWERED.values()).index(caller)}"
    live = asyncio.run(_scene(monday, phones, {from_: caller}, _talks))[from_]
    there = {"bob": Behaviour.AWAY}
    simulated = _simulation(monday, live, caller, there)
    assert (simulated.path, simulated.status) == (caller.path, "answered")
    assert seen(live) == expected(simulated) | {"cause": "caller_hung_up"}


def test_nobody_answers(monday: Server) -> None:
    """All at once: no agent has a phone, the office is busy, and each caller leaves a message."""
    office = Plan(id_uri=f"sip:{OFFICE}@127.0.0.1", port=monday.carrier, reject_with=486)
    callers = {f"{caller.area}{2000 + n}": caller for n, caller in enumerate(UNANSWERED.values())}
    lives = asyncio.run(_scene(monday, [office], callers, _has_left_a_message))
    nobody = dict.fromkeys(("alice", "bob"), Behaviour.AWAY) | dict.fromkeys(("desk", OFFICE), Behaviour.BUSY)
    for from_, caller in callers.items():
        simulated = _simulation(monday, lives[from_], caller, nobody)
        assert (simulated.path, simulated.status) == (caller.path, "voicemail")
        real = seen(lives[from_])
        # The desk's port is deaf here, which no behaviour of a simulation says: rung it was all the same.
        assert real | {"rings": ()} == expected(simulated) | {"cause": "caller_hung_up", "rings": ()}


def test_closed_on_christmas(christmas: Server) -> None:
    caller = Caller(("welcome", "hours", "after_hours", "voicemail"))
    from_ = f"{CHICAGO}3000"
    live = asyncio.run(_scene(christmas, [], {from_: caller}, _has_left_a_message))[from_]
    simulated = _simulation(christmas, live, caller, {})
    assert (simulated.path, simulated.status) == (caller.path, "voicemail")
    assert seen(live) == expected(simulated) | {"cause": "caller_hung_up"}


Over = Callable[[dict[str, Any]], bool]


def _talks(call: dict[str, Any]) -> bool:
    return call["agent"] is not None


def _has_left_a_message(call: dict[str, Any]) -> bool:
    return call["path"][-1:] == ["voicemail"] and call["recording"] is not None


async def _scene(
    site: Server, phones: list[Plan], callers: Mapping[str, Caller], over: Over
) -> dict[str, dict[str, Any]]:
    """Everybody calls; each hangs up once ``over`` holds of their call. The calls by caller, ended."""
    async with AsyncExitStack() as stack:
        for plan in phones:
            phone = await stack.enter_async_context(Phone(plan))
            await (registered(phone) if plan.registrar else phone.until("listening"))
        await asyncio.gather(*(_call(site, from_, caller, over) for from_, caller in callers.items()))
    return {from_: await asyncio.to_thread(_ended, site, from_) for from_ in callers}


async def _call(site: Server, from_: str, caller: Caller, over: Over) -> None:
    plan = Plan(
        id_uri=f"sip:{from_}@127.0.0.1",
        call=f"sip:{number(0)}@127.0.0.1:{site.sip}",
        press=caller.press,
        press_after_s=0.5,
    )

    def is_over() -> bool:
        call = _newest(site, from_)
        return call is not None and over(call) and _recorded(site, call) >= SHORTEST_MESSAGE

    async with Phone(plan):  # left, it hangs up
        await asyncio.to_thread(eventually, f"the end of the call from {from_}", is_over, 120)


def _newest(site: Server, from_: str) -> dict[str, Any] | None:
    calls = site.get(f"/api/calls?q={from_.replace('+', '%2B')}")["calls"]
    return site.get(f"/api/calls/{calls[0]['id']}") if calls else None


def _recorded(site: Server, call: dict[str, Any]) -> int:
    found = list((site.folder / "data" / "recordings").rglob(f"{call['id']}.wav"))
    return found[0].stat().st_size if found else 0


def _ended(site: Server, from_: str) -> dict[str, Any]:
    def ended() -> dict[str, Any] | None:
        call = _newest(site, from_)
        return call if call and call["ended_at"] else None

    found: dict[str, Any] = eventually(f"the row of the call from {from_}", ended)
    return found


def _simulation(
    site: Server, live: dict[str, Any], caller: Caller, agents: Mapping[str, Behaviour]
) -> Simulation:
    loaded = load(Path(site.config), site.environment)
    press = [key for key in caller.press if key != ","]
    at = datetime.fromisoformat(live["started_at"])
    return simulate(loaded, number(0), live["from"], at, press, agents)
