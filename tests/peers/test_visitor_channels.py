"""One website visitor on every channel, and the callback that a form asks for, with real phones."""

import asyncio
import hashlib
import hmac
import json

import pytest

from pbx.phone_plan import Plan
from pbx.phonecall import Phone
from tests.support.phones import agent_plan, registered
from tests.support.server import Server, eventually, server

pytestmark = pytest.mark.peers

FLOWS = {"wait": "name: Wait\nstart: wait\nsteps:\n  wait: {wait: 60s}\n"}
TARGET, CUSTOMER = "+12125550199", "+19735550123"
PAGE = "https://www.acme.example/offer"
MORE = """
pools:
  website: {numbers: ["+12125550110"], targets: ["+12125550199"], flow: wait}
outbound: {countries: [US], number: "+12125550100"}
texts:
  sms:
    from: "+12125550100"
    url: "http://127.0.0.1:9/send"
    body: {to: "{to}"}
    receive:
      signature: {scheme: hmac-sha256, header: X-Signature, secret: shared}
      fields: {from: from, to: to, text: text, id: id}
channels:
  chat: true
  callback: [alice]
  services:
    ads:
      channel: lead
      receive:
        signature: {scheme: token, header: X-Token, secret: word}
        fields: {name: name, phone: phone, id: id}
"""


@pytest.fixture
def site(tmp_path):
    with server(tmp_path, FLOWS) as running:
        text = running.config.read_text()
        ads = "sources:\n  google-ads: {name: Google Ads, match: {click_id: google}}\n"
        running.config.write_text(text.replace("sources:\n", ads) + MORE)
        running.pbx("reload")
        eventually("the reload", lambda: TARGET[2:] in running.read("/t.js").decode())
        yield running


def signed(body: dict[str, str]) -> dict[str, str]:
    digest = hmac.new(b"shared", json.dumps(body).encode(), hashlib.sha256).hexdigest()
    return {"X-Signature": digest}


def test_one_history_of_all_channels_and_a_callback_that_rings_the_agent_first(site: Server) -> None:
    view = {"visitor": None, "consent": True, "page": f"{PAGE}?gclid=1", "referrer": "", "targets": [TARGET]}
    visitor = site.post("/api/dni", view)["visitor"]
    chat = site.post("/api/chats", {"visitor": visitor, "page": PAGE, "text": "Hello?"})["chat"]
    site.post("/api/messages", {"thread": f"chat/{chat}", "text": "Hi!"})
    form = {"page": PAGE, "visitor": visitor, "fields": {"name": "Jo", "phone": CUSTOMER}, "callback": True}

    async def scene() -> None:
        plan = Plan(port=site.carrier, id_uri="sip:customer@127.0.0.1", answer_after_s=0.5, hang_up_after_s=3)
        async with Phone(agent_plan(site, "alice", answer_after_s=0.5)) as alice, Phone(plan) as customer:
            await customer.until("listening")
            await registered(alice)
            taken = await asyncio.to_thread(site.post, "/api/forms", form)
            assert taken["callback"]
            await customer.until("ended")
            await alice.until("ended")

    asyncio.run(asyncio.wait_for(scene(), 90))
    back = site.ended_call()
    assert (back["direction"], back["status"], back["agent"]) == ("outbound", "answered", "alice")
    assert (back["to"], back["source"]) == (CUSTOMER, "google-ads")
    assert "a form on https://www.acme.example/offer asked to be called" in back["attribution"]["reasons"][0]

    moments = site.get(f"/api/calls/{back['id']}")["events"]
    kinds = [event["kind"] for event in moments if event["kind"] in ("call.ringing", "leg.answered")]
    assert kinds == ["call.ringing", "leg.answered", "call.ringing", "leg.answered"], (
        "the agent answered first"
    )

    text = {"from": CUSTOMER, "to": "+12125550100", "text": "Thanks!", "id": "SM1"}
    site.post("/api/inbound/sms", text, signed(text))
    site.post("/api/inbound/ads", {"name": "Jo", "phone": CUSTOMER, "id": "L1"}, {"X-Token": "word"})

    entries = site.get(f"/api/visitors/{visitor}")["timeline"]
    told = [(entry["kind"], entry.get("channel", ""), entry.get("direction", "")) for entry in entries]
    assert told == [
        ("page", "", ""),
        ("contact", "chat", "in"),
        ("contact", "chat", "out"),
        ("contact", "form", "in"),
        ("contact", "call", "outbound"),
        ("contact", "text", "in"),
        ("contact", "lead", "in"),
    ]
    inbox = site.get("/api/messages")["threads"]
    assert {thread["last"]["channel"] for thread in inbox} == {"chat", "form", "text", "lead"}
    assert {thread["last"]["source"] for thread in inbox if thread["last"]["direction"] == "in"} == {
        "google-ads",
        "radio",
    }
