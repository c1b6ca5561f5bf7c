"""Phones and trunks that answer 3xx: where the call goes then, and where it does not."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from pbx.phone_plan import Plan
from pbx.phonecall import Phone
from tests.support.phones import CALLER, agent_plan, caller_plan, number, sipp
from tests.support.server import Server, free_port, server

pytestmark = pytest.mark.peers
T = TypeVar("T")

FLOWS = {
    "desk": "name: Desk\nstart: desk\nsteps:\n  desk: {dial: desk, timeout: 10s, on_no_answer: away}\n"
    '  away: {say: "Nobody is here."}\n',
    "out": "name: Out\nstart: out\nsteps:\n"
    '  out: {dial: "+13105550188", timeout: 10s, on_no_answer: away}\n  away: {say: "Nobody is here."}\n',
}
DESK, OUT = range(2)
OUTSIDE = "+13105550177"
DESK_2 = '  desk2: {name: Second desk, extension: 202, contact: "sip:desk2@127.0.0.1:PORT"}\n'


@pytest.fixture(scope="module")
def second_desk() -> int:
    return free_port()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, second_desk: int):
    def edit(text: str) -> str:
        text = text.replace("{name: Front desk,", "{name: Front desk, extension: 201,")
        return text.replace("queues:\n", DESK_2.replace("PORT", str(second_desk)) + "queues:\n", 1)

    with server(tmp_path_factory.mktemp("site"), FLOWS, edit=edit) as running:
        yield running


def run(scene: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(scene, 60))


def sends_on(port: int, *contacts: str):
    """A phone (or trunk) on that port that answers 302 with those Contacts."""
    return sipp("sends_on", "-p", str(port), "-key", "contact", ", ".join(contacts))


def sent_on(call: dict) -> list[tuple[str, str, str]]:
    return [
        (event["by"], event["to"], event["cause"])
        for event in call["events"]
        if event["kind"] == "call.redirected"
    ]


def call_in(site: Server, index: int, *plans: Plan) -> list[list[dict]]:
    """One call to that flow, with those phones up; what each phone said, the caller's first."""

    async def scene() -> list[list[dict]]:
        phones = [Phone(plan) for plan in plans]
        for phone in phones:
            await phone.__aenter__()
        try:
            for phone in phones:
                async with asyncio.timeout(20):
                    await phone.until("registered" if phone.plan.registrar else "listening")
            async with Phone(caller_plan(site, index, hang_up_after_s=4)) as caller:
                said = [await caller.finish()]
            for phone in phones:
                async with asyncio.timeout(20):
                    await phone.until("ended")
            return said + [phone.events for phone in phones]
        finally:
            for phone in phones:
                await phone.__aexit__()

    return run(scene())


def invite_to(site: Server, call: dict, target: str) -> str:
    """The INVITE that went to that leg, as text."""
    rung = next(e for e in call["events"] if e["kind"] == "call.ringing" and e["target"] == target)
    messages = site.get(f"/api/calls/{call['id']}/trace")["messages"]
    return next(
        message["text"]
        for message in messages
        if message["text"].startswith("INVITE") and rung["sip_call_id"] in message["text"]
    )


def test_a_desk_phone_forwards_to_a_colleague(site: Server) -> None:
    before = len(site.calls())
    with sends_on(site.desk, "<sip:101@127.0.0.1>"):
        _, alice = call_in(site, DESK, agent_plan(site, "alice"))
    assert CALLER in next(event for event in alice if event["event"] == "incoming")["from_"]
    call = site.ended_call(before + 1)
    assert (call["status"], call["agent"]) == ("answered", "alice")
    assert sent_on(call) == [("desk", "alice", "")]
    assert "Diversion: <sip:201@127.0.0.1>;reason=unconditional" in invite_to(site, call, "alice")
    causes = {leg["target"]: (leg["cause"], leg["sip_status"]) for leg in call["legs"]}
    assert causes["desk"] == ("redirected", 302)


def test_a_desk_phone_forwards_to_a_number(site: Server) -> None:
    before = len(site.calls())
    outside = Plan(port=site.carrier, id_uri="sip:outside@127.0.0.1")
    with sends_on(site.desk, f"<sip:{OUTSIDE}@192.0.2.9:5999;transport=tcp>"):
        call_in(site, DESK, outside)
    call = site.ended_call(before + 1)
    assert call["status"] == "answered"
    assert sent_on(call) == [("desk", OUTSIDE, "")]
    invite = invite_to(site, call, OUTSIDE)
    assert f"INVITE sip:{OUTSIDE}@127.0.0.1:{site.carrier} " in invite, (
        "the site's trunk, not the phone's word"
    )
    assert f"Diversion: <sip:{number(DESK)}@127.0.0.1>" in invite, "an extension is nobody's business outside"
    assert "201" not in invite.split("Diversion:")[1].splitlines()[0]


@pytest.mark.parametrize(
    ("contact", "to", "cause"),
    [
        ("<sip:+18765550123@127.0.0.1>", "+18765550123", "outbound_country"),
        ("<sip:stranger@127.0.0.1:5999>", "stranger", "not_dialable"),
        ("<sip:*43@127.0.0.1>", "*43", "not_dialable"),
        ("<sip:127.0.0.1:5999>", "127.0.0.1", "not_dialable"),
        ("<sip:201@127.0.0.1>", "201", "redirect_circle"),
    ],
)
def test_where_nobody_may_be_rung_the_call_goes_on_as_not_answered(
    site: Server, contact: str, to: str, cause: str
) -> None:
    before = len(site.calls())
    with sends_on(site.desk, contact):
        call_in(site, DESK)
    call = site.ended_call(before + 1)
    assert sent_on(call) == [("desk", to, cause)]
    assert call["path"] == ["desk", "away"]
    assert [leg["target"] for leg in call["legs"] if leg["role"] != "caller"] == ["desk"]


def test_a_circle_of_forwards_ends(site: Server, second_desk: int) -> None:
    before = len(site.calls())
    with sends_on(site.desk, "<sip:202@127.0.0.1>"), sends_on(second_desk, "<sip:201@127.0.0.1>"):
        call_in(site, DESK)
    call = site.ended_call(before + 1)
    assert sent_on(call) == [("desk", "desk2", ""), ("desk2", "201", "redirect_circle")]
    assert call["path"] == ["desk", "away"]


def test_the_contacts_are_tried_in_the_order_of_their_q(site: Server) -> None:
    before = len(site.calls())
    alice, bob = agent_plan(site, "alice", reject_with=486), agent_plan(site, "bob")
    with sends_on(site.desk, "<sip:bob@127.0.0.1>;q=0.2", "<sip:alice@127.0.0.1>;q=0.9"):
        call_in(site, DESK, alice, bob)
    call = site.ended_call(before + 1)
    assert (call["status"], call["agent"]) == ("answered", "bob")
    assert sent_on(call) == [("desk", "alice", ""), ("desk", "bob", "")]


@pytest.mark.parametrize(
    ("to", "told"),
    [
        (OUTSIDE, [("+13105550188", OUTSIDE, ""), (OUTSIDE, OUTSIDE, "redirect_circle")]),
        ("+18765550123", [("+13105550188", "+18765550123", "outbound_country")]),
        (number(DESK), [("+13105550188", number(DESK), "not_dialable")]),
        ("alice", [("+13105550188", "alice", "not_dialable")]),
    ],
)
def test_a_trunk_sends_on_to_numbers_over_itself_alone(
    site: Server, to: str, told: list[tuple[str, str, str]]
) -> None:
    before = len(site.calls())
    with sends_on(site.carrier, f"<sip:{to}@192.0.2.9>"):
        call_in(site, OUT)
    call = site.ended_call(before + 1)
    assert sent_on(call) == told
    assert call["path"] == ["out", "away"]
