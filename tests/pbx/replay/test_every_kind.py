"""A recorded history of every kind of call, replayed through the flows that it ran through: nothing changes."""

import json
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from pbx.config.load import Site, load
from pbx.events import CallStatus
from pbx.flows.control import CallerHistory
from pbx.flows.step import HIDDEN
from pbx.httpcalls import TIMEOUT, WebAnswer
from pbx.replay.outcome import difference
from pbx.replay.people import People
from pbx.replay.recorded import Happened, recorded
from pbx.replay.world import World
from tests.pbx.replay.past import MONDAY, Past, Person

CONFIG = """
server: {timezone: America/New_York}
sources: {radio: {name: Radio, kind: offline}}
numbers: {"+12125550100": {source: radio, flow: main}}
conferences: {room: {}}
texts: {sms: {from: "+12125550100", trunk: carrier}}
trunks: {carrier: {allow_from: [192.0.2.0/24], host: 192.0.2.1}}
agents:
  alice: {name: Alice Moreno, contact: "sip:alice@127.0.0.1", skills: [sales]}
  bob: {name: Bob Okafor, contact: "sip:bob@127.0.0.1", skills: [sales, spanish]}
  carol: {name: Carol Ng, contact: "sip:carol@127.0.0.1"}
queues:
  drawn: {strategy: weighted-random, members: [alice, bob, carol], weights: {alice: 3}, ring_timeout: 10s, max_wait: 60s}
  skilled: {strategy: skills, members: [alice, bob], ring_timeout: 10s, max_wait: 40s, announce_position: 10s, sticky: 10s}
"""
MAIN = """
start: known
steps:
  known:
    condition: [{when: {caller.calls: ">= 3"}, to: regulars}]
    otherwise: crm
  regulars: {tag: regular, next: drawn}
  crm: {webhook: "https://crm.example/{caller}", keep: {tier: customer.tier}, retries: 1, on_timeout: ask, next: gold}
  gold:
    condition: [{when: {crm.tier: gold}, to: drawn}, {when: {crm: failure}, to: desk}]
    otherwise: ask
  ask:
    menu: Press a key
    keys: {"1": drawn, "2": skilled, "3": zip, "4": trial, "5": part, "6": room, "7": names, "8": park, "9": desk}
    timeout: 4s
    retries: 1
    otherwise: desk
  drawn: {queue: drawn, keys: {"2": later}, on_timeout: message}
  skilled: {queue: skilled, skills: [spanish], relax: {20s: []}, on_timeout: later}
  later: {callback: drawn, offer: Press 1 to be called back, otherwise: message}
  zip: {collect: Your ZIP code, digits: 5, confirm: yes, invalid: No, next: near, otherwise: message}
  near:
    by: [zip, number]
    geo: [{name: near, offices: {drawn: "Newark, NJ", skilled: "Boston, MA"}}]
    otherwise: desk
  trial: {split: {drawn: 50, desk: 50}}
  part: {goto: {flow: part, return: ask}}
  room: {conference: room, leave: "#", next: message}
  names: {directory: Three letters, letters: 3, on_nobody: desk, on_no_answer: message}
  park: {park: any, timeout: 30s, on_timeout: desk}
  desk: {dial: [carol, alice], timeout: 8s, on_no_answer: message, on_busy: sorry, next: thanks}
  thanks: {score: 4, next: sorry}
  sorry: {say: "Goodbye, {caller}"}
  message: {voicemail: {greeting: Speak, max: 30s}, next: text}
  text: {message: Thank you}
"""
PART = """
start: crm
steps:
  crm: {webhook: "https://crm.example/", on_failure: back, next: order}
  order: {collect: Your order, digits: 3-6, retries: 1, next: back, otherwise: back}
  back: {set: {order: "{order}"}}
"""
ANSWERS = (
    WebAnswer(200, json.dumps({"customer": {"tier": "gold"}, "n": 1}).encode(), took_s=0.8),
    WebAnswer(200, json.dumps({"customer": {"tier": "tin"}}).encode(), took_s=0.3),
    WebAnswer(404, took_s=0.1),
    WebAnswer(503, took_s=0.2),
    WebAnswer(problem=TIMEOUT),
)
PRESSED = (
    ["1"], ["2"], ["3", "07102", "1"], ["3", "02108", "2", "10001", "1", "1"], ["3", "12"], ["4"], ["5", "1234"],
    ["5", "", "12", "9"], ["6"], ["7", "662", "1"], ["7", "26"], ["8"], ["9"], ["6"], [], ["", "1"], ["0", "2", "1"],
    ["5", "777", "1", "1"],
)  # fmt: skip


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "ivr_flows").mkdir()
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "ivr_flows" / "main.yaml").write_text(MAIN)
    (tmp_path / "ivr_flows" / "part.yaml").write_text(PART)
    return load(tmp_path / "config.yaml", {})


def people(random: Random, count: int) -> list[Person]:
    return [
        Person(
            after_s=round(random.uniform(0, 7200), 2),
            press=list(random.choice(PRESSED)),
            talk_s=round(random.uniform(5, 300), 2),
            patience_s=random.choice([None, None, round(random.uniform(1, 120), 2)]),
            agent_hangs_up=random.random() < 0.4,
            message_s=round(random.uniform(1, 40), 2),
            history=random.choice(
                [CallerHistory(), CallerHistory(4, MONDAY - timedelta(days=2), "radio", "bob")]
            ),
            answer=random.choice(ANSWERS),
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("seed", range(20))
def test_unchanged_flows_change_nothing(site: Site, seed: int):
    random = Random(seed)
    reacts_s = {name: random.choice([1.5, 4.0, 7.0, 9.5, None]) for name in ("alice", "bob", "carol")}
    calls = Past(site, people(random, 80), reacts_s).calls()
    again = World(site, calls, people=People.of(calls)).run()
    found = difference(calls, again)
    assert [f"{each.id} {each.before} → {each.after}: {each.because}" for each in found.changed] == []
    assert found.before.statuses == found.after.statuses
    assert found.after.mean_wait_s == pytest.approx(found.before.mean_wait_s, abs=0.02)


def test_the_history_is_of_every_kind(site: Site):
    calls = [
        call
        for seed in range(3)
        for call in Past(site, people(Random(seed), 150), {"alice": 4.0, "bob": 7.0, "carol": None}).calls()
    ]
    walked = {step.rpartition("/")[2] for call in calls for step in call.path}
    assert walked == set(site.flows["main"].steps) | set(site.flows["part"].steps)
    statuses = {CallStatus.ANSWERED, CallStatus.VOICEMAIL, CallStatus.ABANDONED, CallStatus.COMPLETED}
    assert statuses <= {call.status for call in calls}


def test_keys_go_along_with_a_step_that_has_another_name_now(site: Site):
    person = Person(0, press=["9"], answer=ANSWERS[1])
    calls = Past(site, [person], {"alice": 4.0, "bob": 7.0, "carol": 2.0}).calls()
    folder = site.folder / "changed"
    folder.mkdir()
    (folder / "main.yaml").write_text(MAIN.replace("  ask:", "  choose:").replace(": ask", ": choose"))
    (folder / "part.yaml").write_text(PART)
    (again,) = World(load(site.path, {}, flows=folder), calls, people=People.of(calls)).run()
    assert again.path == ("known", "crm", "gold", "choose", "desk")
    assert (again.status, again.agent) == (CallStatus.ANSWERED, "carol")


def test_what_only_the_people_in_a_call_could_do_again_is_not_replayed():
    started = {"from": "+12125557788", "to": "+12125550100", "trunk": "", "source": "radio"}
    ended = {"status": "answered", "cause": "caller_hung_up", "reason": ""}
    step = {"step": "a", "step_kind": "collect"}

    def told(*middle: tuple[str, dict[str, object]]) -> str:
        told = [("call.started", started), ("step.entered", step), *middle, ("call.ended", ended)]
        call = recorded("one", [Happened(MONDAY, kind, data) for kind, data in told])
        assert call is not None
        return call.beyond

    assert told() == ""
    assert told(("call.keys", {"keys": "12", "after_s": 1.0})) == ""
    assert told(("call.keys", {"keys": HIDDEN, "after_s": 1.0})) == "with digits that were kept hidden"
    assert told(("call.transferred", {"by": "alice", "to": "bob"})) == "transferred by an agent"
    parked = {"step": "b", "step_kind": "park"}
    assert told(("step.entered", parked), ("call.connected", {})) == "picked up from parking"
