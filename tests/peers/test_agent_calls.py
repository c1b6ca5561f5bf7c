"""Calls that agents' phones start: to each other, out over the trunk, to feature codes."""

import asyncio
import io
import json
import urllib.error
import wave
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from pbx.phone_plan import Plan
from pbx.phonecall import Phone
from tests.support.phones import agent_plan, caller_plan, number, recording, registered, spoken
from tests.support.server import Server, eventually, server

pytestmark = pytest.mark.peers

ALICE = """
name: Alice
start: alice
steps:
  alice: {dial: alice, timeout: 10s}
"""
T = TypeVar("T")
CUSTOMER = "+13105550188"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory):
    with server(tmp_path_factory.mktemp("site"), {"alice": ALICE}) as running:
        yield running


def dials(site: Server, agent: str, what: str, **more: object) -> Plan:
    return agent_plan(site, agent, call=f"sip:{what}@127.0.0.1:{site.sip}", **more)


def carrier(site: Server, **more: object) -> Plan:
    """Whatever is called out over the trunk."""
    return Plan(port=site.carrier, id_uri="sip:customer@127.0.0.1", **more)  # type: ignore[arg-type]


def run(scene: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(scene, 60))


async def listening(phone: Phone) -> None:
    async with asyncio.timeout(20):
        await phone.until("listening")


def test_extension_to_extension(site: Server) -> None:
    before = len(site.calls())

    async def scene() -> None:
        async with Phone(agent_plan(site, "bob", answer_after_s=0.5)) as bob:
            await registered(bob)
            async with Phone(dials(site, "alice", "102", hang_up_after_s=3)) as alice:
                happened = await alice.finish()
            assert any(event["event"] == "answered" for event in happened), happened
            await bob.until("ended")
            incoming = next(event for event in bob.events if event["event"] == "incoming")
            assert "Alice Moreno" in incoming["from_"]

    run(scene())
    call = site.ended_call(before + 1)
    assert (call["direction"], call["status"], call["agent"]) == ("internal", "answered", "bob")
    assert (call["from"], call["to"]) == ("101", "bob")
    talks = {leg["agent"]: leg["talk_time"] for leg in call["legs"]}
    assert talks["alice"] == talks["bob"] == call["talk_time"] > 1
    assert recording(site, call["id"]).shape[1] == 2


def test_out_over_the_trunk_as_a_call_back(site: Server, tmp_path: Path) -> None:
    """The customer calls a tracking number and misses us; alice calls back and shows that number."""
    before = len(site.calls())

    async def scene() -> list[dict]:
        missed = Plan(
            id_uri=f"sip:{CUSTOMER}@127.0.0.1", call=f"sip:{number(0)}@127.0.0.1:{site.sip}",
            hang_up_after_s=1,
        )  # fmt: skip
        async with Phone(missed) as customer:
            await customer.finish()
        with spoken(tmp_path, "hello this is the customer speaking", lead_s=0.5) as says:
            async with Phone(carrier(site, answer_after_s=0.5, play=str(says))) as customer:
                await listening(customer)
                async with Phone(dials(site, "alice", CUSTOMER, hang_up_after_s=5)) as alice:
                    await alice.finish()
                await customer.until("ended")
                return customer.events

    heard = run(scene())
    incoming = next(event for event in heard if event["event"] == "incoming")
    assert number(0) in incoming["from_"]
    call = site.ended_call(before + 2)
    assert (call["direction"], call["status"], call["agent"]) == ("outbound", "answered", "alice")
    assert (call["from"], call["to"], call["source"]) == ("101", CUSTOMER, "radio")
    assert "call back to" in call["attribution"]["reasons"][0]
    legs = {leg["target"]: leg for leg in call["legs"]}
    assert legs["101"]["talk_time"] == call["talk_time"] > 2
    assert legs[CUSTOMER]["talk_time"] == 0, "the customer's time is not an agent's"
    sound = recording(site, call["id"])
    assert np.abs(sound[:, 0]).max() > 1000, "the customer's channel, the left one, is silent"


def test_a_customer_who_is_busy_is_heard_of(site: Server) -> None:
    before = len(site.calls())

    async def scene() -> list[dict]:
        async with Phone(carrier(site, reject_with=486)) as customer:
            await listening(customer)
            async with Phone(dials(site, "alice", CUSTOMER)) as alice:
                return await alice.finish()

    happened = run(scene())
    assert next(event for event in happened if event["event"] == "ended")["status"] == 486
    call = site.ended_call(before + 1)
    assert (call["status"], call["cause"]) == ("missed", "busy")


@pytest.mark.parametrize(
    ("dialled", "status", "cause"),
    [
        ("+18765550123", 403, "outbound_country"),
        ("nobody", 404, "not_dialable"),
        ("*99", 404, "not_dialable"),
    ],
)
def test_what_may_not_or_cannot_be_called_is_refused(site: Server, dialled, status, cause) -> None:
    before = len(site.calls())

    async def scene() -> list[dict]:
        async with Phone(dials(site, "alice", dialled)) as alice:
            return await alice.finish()

    happened = run(scene())
    assert next(event for event in happened if event["event"] == "ended")["status"] == status
    call = site.ended_call(before + 1)
    assert (call["status"], call["cause"]) == ("rejected", cause)


def test_the_echo_test_plays_back_what_is_said(site: Server, tmp_path: Path) -> None:
    before = len(site.calls())
    heard = tmp_path / "heard.wav"

    async def scene() -> None:
        with spoken(tmp_path, "one two three four five six seven eight nine ten", lead_s=5) as says:
            plan = dials(site, "alice", "*43", hang_up_after_s=9, play=str(says), record=str(heard))
            async with Phone(plan) as alice:
                await alice.finish()

    run(scene())
    call = site.ended_call(before + 1)
    assert call["path"] == ["echo"]
    with wave.open(io.BytesIO(heard.read_bytes())) as file:
        rate = file.getframerate()
        sound = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    assert np.abs(sound[round(5.5 * rate) :].astype(np.int32)).max() > 1000, "nothing came back"


def test_calling_back_the_last_caller(site: Server) -> None:
    before = len(site.calls())

    async def scene() -> list[dict]:
        async with Phone(agent_plan(site, "alice")) as alice:
            await registered(alice)
            async with Phone(caller_plan(site, 0, hang_up_after_s=2)) as caller:
                await caller.finish()
        eventually("the talk's end", lambda: site.ended_call(before + 1)["agent"] == "alice")
        async with Phone(carrier(site)) as customer:
            await listening(customer)
            async with Phone(dials(site, "alice", "*69", hang_up_after_s=2)) as alice:
                await alice.finish()
            return customer.events or [await customer.until("incoming")]

    heard = run(scene())
    assert heard
    call = site.ended_call(before + 2)
    assert call["status"] == "answered"
    assert "+12125557788" in {leg["target"] for leg in call["legs"]}


def test_click_to_call_rings_the_agent_and_then_the_customer(site: Server) -> None:
    before = len(site.calls())

    async def scene() -> tuple[list[dict], list[dict]]:
        async with (
            Phone(carrier(site, hang_up_after_s=3)) as customer,
            Phone(agent_plan(site, "alice")) as alice,
        ):
            await listening(customer)
            await registered(alice)
            made = await asyncio.to_thread(site.post, "/api/calls", {"agent": "alice", "to": CUSTOMER})
            assert made["url"] == f"/api/calls/{made['id']}"
            await alice.until("ended")
            await customer.until("ended")
            return alice.events, customer.events

    alice, customer = run(scene())
    assert CUSTOMER in next(event for event in alice if event["event"] == "incoming")["from_"]
    assert number(0) in next(event for event in customer if event["event"] == "incoming")["from_"]
    call = site.ended_call(before + 1)
    assert (call["direction"], call["status"], call["cause"]) == ("outbound", "answered", "called_hung_up")
    assert (call["agent"], call["source"]) == ("alice", "radio")
    assert call["attribution"]["reasons"][0].startswith("Alice Moreno asked for this call")


def test_an_agent_who_is_not_there_is_a_call_missed(site: Server) -> None:
    before = len(site.calls())
    site.post("/api/calls", {"agent": "bob", "to": CUSTOMER})
    call = site.ended_call(before + 1)
    assert (call["status"], call["cause"]) == ("missed", "unreachable")


@pytest.mark.parametrize(
    ("wanted", "field"), [({"agent": "eve", "to": "102"}, "agent"), ({"agent": "alice", "to": "?"}, "to")]
)
def test_calls_that_cannot_be_made_are_refused(site: Server, wanted, field) -> None:
    with pytest.raises(urllib.error.HTTPError) as refusal:
        site.post("/api/calls", wanted)
    with refusal.value as answer:
        assert (answer.code, json.loads(answer.read())["field"]) == (422, field)


def test_nothing_is_left_behind(site: Server) -> None:
    for gauge in ("pbx_calls_live", "pbx_media_endpoints"):
        eventually(f"{gauge} back at 0", lambda gauge=gauge: site.metric(gauge) == 0)
