"""Hold and transfer from a softphone: REFER, Replaces, and keys for phones without them."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest

from pbx.phone_plan import Plan, listen_to
from pbx.phonecall import Phone
from tests.support.phones import CALLER, agent_plan, caller_plan, recording, registered, spoken
from tests.support.server import Server, eventually, server

pytestmark = pytest.mark.peers
T = TypeVar("T")

ALICE = "name: Alice\nstart: alice\nsteps:\n  alice: {dial: alice, timeout: 10s}\n"
SAY = 'name: Say\nstart: say\nsteps:\n  say: {say: "You have reached the end of the line."}\n'
CUSTOMER = "+13105550188"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory):
    flows = {"alice": ALICE, "say": SAY}
    with server(
        tmp_path_factory.mktemp("site"), flows, edit=lambda text: text + "parking: {ring_back: 8s}\n"
    ) as running:
        yield running


def run(scene: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(scene, 60))


def uri(site: Server, user: str) -> str:
    return f"sip:{user}@127.0.0.1:{site.sip}"


async def called(
    site: Server, caller: Plan, *plans: Plan, until: tuple[tuple[int, str], ...] = ()
) -> list[Phone]:
    """The caller's whole call, with these agents' phones (and others') up; the caller's phone is first.
    ``until``: what each of them must have said, by its place."""
    async with AsyncExitStack() as phones:
        up = []
        for plan in plans:
            phone = await phones.enter_async_context(Phone(plan))
            async with asyncio.timeout(20):
                await phone.until("registered" if plan.registrar else "listening")
            up.append(phone)
        first = await phones.enter_async_context(Phone(caller))
        await first.finish()
        for place, event in until:
            async with asyncio.timeout(20):
                await up[place - 1].until(event)
        return [first, *up]


def talks(call: dict) -> dict[str, float]:
    return {leg["agent"]: leg["talk_time"] for leg in call["legs"] if leg["talk_time"]}


def kinds(call: dict) -> list[str]:
    return [event["kind"] for event in call["events"]]


def test_a_blind_transfer_to_a_colleague_keeps_the_call(site: Server) -> None:
    before = len(site.calls())
    alice = agent_plan(site, "alice", transfer_to=uri(site, "102"), transfer_after_s=1.5)
    phones = run(called(site, caller_plan(site, 0, hang_up_after_s=7), alice, agent_plan(site, "bob")))
    call = site.ended_call(before + 1)
    assert len(site.calls()) == before + 1, "one call, whatever transfers it went through"
    assert (call["status"], call["agent"], call["source"]) == ("answered", "bob", "radio")
    assert set(talks(call)) == {"alice", "bob"}
    assert sum(talks(call).values()) == pytest.approx(call["talk_time"], abs=0.01)
    assert "call.transferred" in kinds(call)
    assert recording(site, call["id"]).shape[0] / 8000 > call["talk_time"] - 0.5, "one file"
    assert not any(event["event"] == "ended" and event["status"] >= 400 for event in phones[0].events)


def test_who_answers_a_transfer_sees_the_caller(site: Server) -> None:
    async def scene() -> list[dict]:
        async with Phone(agent_plan(site, "alice", transfer_to=uri(site, "102"))) as alice:
            await registered(alice)
            async with Phone(agent_plan(site, "bob")) as bob:
                await registered(bob)
                async with Phone(caller_plan(site, 0, hang_up_after_s=5)) as caller:
                    await caller.finish()
                await bob.until("ended")
                return bob.events

    heard = run(scene())
    assert CALLER in next(event for event in heard if event["event"] == "incoming")["from_"]


def test_a_transfer_that_nobody_takes_comes_back(site: Server) -> None:
    before = len(site.calls())
    alice = agent_plan(site, "alice", transfer_to=uri(site, "102"))
    run(
        called(site, caller_plan(site, 0, hang_up_after_s=6), alice, agent_plan(site, "bob", reject_with=486))
    )
    call = site.ended_call(before + 1)
    assert (call["status"], call["agent"], set(talks(call))) == ("answered", "alice", {"alice"})
    failed = next(event for event in call["events"] if event["kind"] == "call.transfer_failed")
    assert (failed["to"], failed["cause"]) == ("bob", "busy")
    assert kinds(call).count("call.connected") == 2


@pytest.mark.parametrize("to", ["sales", "say"])
def test_a_transfer_to_a_queue_or_a_flow(site: Server, to: str) -> None:
    before = len(site.calls())
    alice = agent_plan(site, "alice", transfer_to=uri(site, to))
    run(called(site, caller_plan(site, 0, hang_up_after_s=6), alice, agent_plan(site, "bob")))
    call = site.ended_call(before + 1)
    assert call["status"] == "answered"
    if to == "sales":
        assert (call["agent"], call["queue"]) == ("bob", "sales")
    else:
        assert call["path"] == ["alice", "say/say"]


def test_a_transfer_to_a_number_goes_out_as_the_number_dialled(site: Server) -> None:
    before = len(site.calls())
    alice = agent_plan(site, "alice", transfer_to=uri(site, CUSTOMER))
    outside = Plan(port=site.carrier, id_uri="sip:outside@127.0.0.1")
    phones = run(called(site, caller_plan(site, 0, hang_up_after_s=6), alice, outside))
    call = site.ended_call(before + 1)
    assert set(talks(call)) == {"alice", CUSTOMER}
    assert phones[2] is not None


def test_an_attended_transfer_joins_two_calls_to_one(site: Server) -> None:
    before = len(site.calls())
    alice = agent_plan(site, "alice", transfer_to=uri(site, "102"), consult=True)
    run(called(site, caller_plan(site, 0, hang_up_after_s=9), alice, agent_plan(site, "bob")))
    site.ended_call(before + 2)
    inbound, internal = (
        next(site.get(f"/api/calls/{call['id']}") for call in site.calls()[:2] if call["direction"] == way)
        for way in ("inbound", "internal")
    )
    assert (inbound["status"], inbound["agent"], inbound["source"]) == ("answered", "bob", "radio")
    assert set(talks(inbound)) == {"alice", "bob"}
    assert talks(inbound)["bob"] > 1
    assert (internal["status"], internal["cause"]) == ("answered", "transferred")


def both(site: Server, before: int) -> tuple[dict, dict]:
    """The caller's call and the consultation, once both are over."""
    site.ended_call(before + 2)
    inbound, internal = (
        next(site.get(f"/api/calls/{call['id']}") for call in site.calls()[:2] if call["direction"] == way)
        for way in ("inbound", "internal")
    )
    return inbound, internal


def test_an_attended_transfer_from_the_dialog_of_the_consultation(site: Server) -> None:
    before = len(site.calls())
    alice = agent_plan(site, "alice", transfer_to=uri(site, "102"), consult=True, transfer_by_second=True)
    run(called(site, caller_plan(site, 0, hang_up_after_s=9), alice, agent_plan(site, "bob")))
    inbound, internal = both(site, before)
    assert (inbound["status"], inbound["agent"], inbound["source"]) == ("answered", "bob", "radio")
    assert set(talks(inbound)) == {"alice", "bob"}
    assert (internal["status"], internal["cause"]) == ("answered", "transferred")


@pytest.mark.parametrize("by_second", [False, True])
def test_a_transfer_while_the_consultation_still_rings(site: Server, by_second: bool) -> None:
    before = len(site.calls())
    alice = agent_plan(
        site, "alice", transfer_to=uri(site, "102"), consult=True, transfer_ringing=True,
        transfer_by_second=by_second,
    )  # fmt: skip
    bob = agent_plan(site, "bob", answer_after_s=3)
    phones = run(called(site, caller_plan(site, 0, hang_up_after_s=12), alice, bob, until=((2, "answered"),)))
    inbound, internal = both(site, before)
    assert (inbound["status"], inbound["agent"], inbound["source"]) == ("answered", "bob", "radio")
    assert set(talks(inbound)) == {"alice", "bob"}
    assert internal["cause"] == "transferred"
    rung = [event["from_"] for event in phones[2].events if event["event"] == "incoming"]
    assert CALLER in rung[-1], "who is rung for the caller sees the caller"


def test_a_transfer_into_the_queue_where_the_agent_waits(site: Server) -> None:
    """The consultation is a queue whose members are away: the caller takes the agent's place in it."""
    before = len(site.calls())
    alice = agent_plan(site, "alice", transfer_to=uri(site, "support"), consult=True)
    run(called(site, caller_plan(site, 0, hang_up_after_s=8), alice))
    inbound, internal = both(site, before)
    assert internal["cause"] == "transferred"
    assert inbound["queue"] == "support"


def test_who_transfers_and_hangs_up_is_rung_when_nobody_takes_the_call(site: Server) -> None:
    before = len(site.calls())
    alice = agent_plan(site, "alice", transfer_to=uri(site, "102"), hang_up_after_s=2.5)
    bob = agent_plan(site, "bob", reject_with=486, answer_after_s=2.5)
    caller = caller_plan(site, 0, hang_up_after_s=9)
    phones = run(called(site, caller, alice, bob, until=((1, "ended"), (1, "ended"))))
    call = site.ended_call(before + 1)
    assert (call["status"], call["agent"]) == ("answered", "alice")
    assert kinds(call).count("call.connected") == 2
    rung = [event["from_"] for event in phones[1].events if event["event"] == "incoming"]
    assert len(rung) == 2
    assert all(CALLER in from_ for from_ in rung)


def test_a_blind_transfer_to_the_code_that_picks_up_parks(site: Server) -> None:
    async def scene() -> None:
        async with Phone(agent_plan(site, "alice", transfer_to=uri(site, "*7"))) as alice:
            await registered(alice)
            async with Phone(caller_plan(site, 0, hang_up_after_s=15)) as caller:
                await asyncio.to_thread(happened, site, "call.parked")
                fetch = agent_plan(site, "bob", call=uri(site, "*771"), hang_up_after_s=2)
                async with Phone(fetch) as bob:
                    await bob.finish()
                await caller.finish()

    run(scene())
    eventually("both ends", lambda: all(call["ended_at"] for call in site.calls()))
    call = next(call for call in site.calls() if call["direction"] == "inbound")
    assert set(talks(site.get(f"/api/calls/{call['id']}"))) == {"alice", "bob"}


@pytest.mark.parametrize(("to", "status"), [("*43", 403), ("nobody-here", 404)])
def test_a_transfer_to_where_nobody_can_be_led_is_refused_and_the_talk_goes_on(
    site: Server, to: str, status: int
) -> None:
    before = len(site.calls())
    alice = agent_plan(site, "alice", transfer_to=uri(site, to))
    phones = run(called(site, caller_plan(site, 0, hang_up_after_s=4), alice, until=((1, "ended"),)))
    call = site.ended_call(before + 1)
    assert (call["status"], call["agent"]) == ("answered", "alice")
    told = [event["status"] for event in phones[1].events if event["event"] == "transfer"]
    assert told == [status]


def test_a_transfer_by_who_is_alone_in_their_call_is_refused(site: Server) -> None:
    before = len(site.calls())

    async def scene() -> list[dict]:
        plan = agent_plan(
            site, "alice", call=uri(site, "support"), transfer_to=uri(site, "102"), hang_up_after_s=4
        )
        async with Phone(plan) as alice:
            return await alice.finish()

    happened = run(scene())
    site.ended_call(before + 1)
    assert [event["status"] for event in happened if event["event"] == "transfer"] == [480]


def test_an_agent_transfers_a_customer_whom_they_called(site: Server) -> None:
    before = len(site.calls())
    customer = Plan(port=site.carrier, id_uri="sip:customer@127.0.0.1", hang_up_after_s=6)
    alice = agent_plan(site, "alice", call=uri(site, CUSTOMER), transfer_to=uri(site, "102"))
    run(called(site, alice, customer, agent_plan(site, "bob")))
    call = site.ended_call(before + 1)
    assert (call["direction"], call["status"], call["agent"]) == ("outbound", "answered", "bob")
    assert set(talks(call)) == {"alice", "bob"}


@pytest.mark.parametrize("keys", ["##102#", "*2102#"])
def test_a_transfer_by_keys(site: Server, keys: str, tmp_path: Path) -> None:
    before = len(site.calls())
    with spoken(tmp_path, "please hold the line while I put you through to a colleague of mine") as says:
        alice = agent_plan(
            site,
            "alice",
            press=keys[:2] + ",," + keys[2:],
            press_after_s=1,
            hang_up_after_s=9,
            play=str(says),
        )
        run(called(site, caller_plan(site, 0, hang_up_after_s=13), alice, agent_plan(site, "bob")))
    call = site.ended_call(before + 1)
    assert (call["status"], call["agent"]) == ("answered", "bob")
    assert set(talks(call)) == {"alice", "bob"}


def happened(site: Server, kind: str) -> None:
    """Wait for it in the newest call from outside."""

    def has() -> bool:
        up = [call for call in site.calls() if not call["ended_at"]]
        return any(kind in kinds(site.get(f"/api/calls/{call['id']}")) for call in up)

    eventually(kind, has)


def test_an_agent_parks_the_talk_and_a_colleague_picks_it_up(site: Server, tmp_path: Path) -> None:
    """By keys on both phones; the parker hears at which orbit, the caller keeps the call."""
    before = len(site.calls())
    heard = tmp_path / "parker.wav"

    async def scene() -> None:
        alice = agent_plan(site, "alice", press="*7", press_after_s=1, record=str(heard))
        async with Phone(alice) as parker:
            await registered(parker)
            async with Phone(caller_plan(site, 0, hang_up_after_s=20)) as caller:
                await asyncio.to_thread(happened, site, "call.parked")
                fetch = agent_plan(site, "bob", call=uri(site, "*771"), hang_up_after_s=2)
                async with Phone(fetch) as fetcher:
                    await fetcher.finish()
                await caller.finish()

    run(scene())
    eventually("both ends", lambda: all(call["ended_at"] for call in site.calls()))
    assert len(site.calls()) == before + 2, "the caller's call, and the one that picked it up"
    call = next(call for call in site.calls() if call["direction"] == "inbound")
    call = site.get(f"/api/calls/{call['id']}")
    assert set(talks(call)) == {"alice", "bob"}
    unparked = next(event for event in call["events"] if event["kind"] == "call.unparked")
    assert (unparked["orbit"], unparked["because"]) == ("71", "bob picked it up")
    assert listen_to(heard).audible_s > 0.5, "the orbit was not told"


def test_a_parked_talk_that_nobody_picks_up_comes_back(site: Server) -> None:
    async def scene() -> None:
        alice = agent_plan(site, "alice", press="*7", press_after_s=1)
        async with Phone(alice) as parker:
            await registered(parker)
            async with Phone(caller_plan(site, 0, hang_up_after_s=17)) as caller:
                await caller.finish()

    run(scene())
    eventually("the end", lambda: all(call["ended_at"] for call in site.calls()))
    newest = site.get(f"/api/calls/{site.calls()[0]['id']}")
    unparked = next(event for event in newest["events"] if event["kind"] == "call.unparked")
    assert unparked["because"] == "alice picked it up"
    assert [leg["agent"] for leg in newest["legs"] if leg["talk_time"]].count("alice") >= 2


def test_on_hold_the_caller_hears_music_and_the_call_goes_on(site: Server, tmp_path: Path) -> None:
    before = len(site.calls())
    alice = agent_plan(site, "alice", hold_after_s=1, hold_for_s=2.5)
    heard = tmp_path / "heard.wav"
    run(called(site, caller_plan(site, 0, hang_up_after_s=6, record=str(heard)), alice))
    call = site.ended_call(before + 1)
    assert call["status"] == "answered"
    assert listen_to(heard).audible_s > 1, "no music was heard"


def test_nothing_is_left_behind(site: Server) -> None:
    for gauge in ("pbx_calls_live", "pbx_media_endpoints"):
        eventually(f"{gauge} back at 0", lambda gauge=gauge: site.metric(gauge) == 0)
    free = {agent["id"]: agent["state"] for agent in site.get("/api/agents")["agents"]}
    assert set(free.values()) == {"offline"} or free["alice"] == "offline"
