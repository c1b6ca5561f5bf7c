"""A replay through the same flows is the past again; through others, it says what changes and why."""

from collections import Counter
from pathlib import Path
from random import Random

import pytest

from pbx.agents.presence import Presence
from pbx.config.load import Site, load
from pbx.events import CallStatus
from pbx.replay.outcome import difference
from pbx.replay.people import People
from pbx.replay.recorded import RecordedCall
from pbx.replay.world import Occupied, PresenceChange, Replayed, World
from tests.pbx.replay.past import DID, Past, Person, random_people, seconds_after

CONFIG = """
server: {timezone: America/New_York}
sources: {radio: {name: Radio, kind: offline}}
numbers: {"+12125550100": {source: radio, flow: main}}
agents:
  alice: {name: Alice, contact: "sip:alice@127.0.0.1"}
  bob: {name: Bob, contact: "sip:bob@127.0.0.1"}
queues:
  sales: {strategy: longest-idle, members: [alice, bob], ring_timeout: 15s, max_wait: 90s, wrap_up: 10s}
  support: {strategy: ring-all, members: [bob], ring_timeout: 15s, max_wait: 60s}
"""
MAIN = """
start: hello
steps:
  hello: {say: Thank you for calling, next: hours}
  hours: {schedule: {mon-fri: "08:00-18:00"}, open: ask, closed: message}
  ask: {menu: Press 1 or 2, keys: {"1": sales, "2": support}, timeout: 4s, retries: 1, otherwise: desk}
  sales: {queue: sales, on_timeout: message}
  support: {queue: support, on_timeout: desk}
  desk: {dial: alice, timeout: 12s, on_no_answer: message}
  message: {voicemail: {}}
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "ivr_flows").mkdir()
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "ivr_flows" / "main.yaml").write_text(MAIN)
    return load(tmp_path / "config.yaml", {})


def changed(site: Site, old: str, new: str) -> Site:
    """The site with other flows, in a folder of their own."""
    assert old in MAIN
    folder = site.folder / "changed"
    folder.mkdir(exist_ok=True)
    (folder / "main.yaml").write_text(MAIN.replace(old, new))
    return load(site.path, {}, flows=folder)


def replay(site: Site, calls: list[RecordedCall], **more) -> list[Replayed]:
    return World(site, calls, people=People.of(calls), **more).run()


def result(call: RecordedCall | Replayed) -> tuple[object, ...]:
    return call.id, call.status, call.agent, call.path


@pytest.mark.parametrize("seed", range(12))
def test_unchanged_flows_give_the_recorded_outcomes(site: Site, seed: int):
    random = Random(seed)
    reacts_s = {"alice": random.choice([1.5, 6.0, None]), "bob": random.choice([2.5, 9.0, 14.0])}
    calls = Past(site, random_people(random, 40), reacts_s).calls()
    again = replay(site, calls)
    assert [result(each) for each in again] == [
        result(call) for call in sorted(calls, key=lambda call: call.at)
    ]
    assert len({call.status for call in calls}) >= 3, "a past that tries nothing proves nothing"
    assert difference(calls, again).changed == ()


def test_figures_of_an_unchanged_replay_are_the_recorded_ones(site: Site):
    calls = Past(site, random_people(Random(7), 60), {"alice": 3.0, "bob": 4.0}).calls()
    found = difference(calls, replay(site, calls))
    assert found.before.statuses == found.after.statuses
    assert found.before.statuses == Counter(call.status for call in calls)
    assert found.after.mean_wait_s == pytest.approx(found.before.mean_wait_s, abs=0.01)
    assert found.after.p90_wait_s == pytest.approx(found.before.p90_wait_s, abs=0.01)


def test_a_call_that_changes_says_why(site: Site):
    calls = Past(site, [Person(0, ["1"])], {"alice": 3.0, "bob": 4.0}).calls()
    later = changed(site, '"08:00-18:00"', '"12:00-18:00"')
    (change,) = difference(calls, replay(later, calls)).changed
    assert (change.before, change.after) == (CallStatus.ANSWERED, CallStatus.VOICEMAIL)
    assert (change.agent_before, change.agent_after) == ("alice", "")
    assert change.because == "hours: closed: Mon 10:00 is outside 12:00-18:00"


def test_a_caller_leaves_after_the_wait_that_they_showed(site: Site):
    """Nobody answers; they left 40 s after the queue was joined. With a longer greeting they still wait so long."""
    calls = Past(site, [Person(0, ["2"], patience_s=45)], {"bob": None}).calls()
    assert calls[0].left_waiting_s == pytest.approx(45 - 22 / 15 - 1, abs=0.2)
    slow = changed(site, "hello: {say: Thank you for calling,", "hello: {wait: 30s,")
    (again,) = replay(slow, calls)
    assert again.status is CallStatus.ABANDONED
    assert difference(calls, [again]).changed == ()


def test_calls_compete_in_the_shared_world(site: Site):
    """Two callers at once for Bob alone: sent to sales instead, nobody waits for the other's talk."""
    people = [Person(0, ["2"], talk_s=200), Person(1, ["2"], talk_s=50)]
    calls = Past(site, people, {"alice": 2.0, "bob": 2.0}).calls()
    assert [call.agent for call in calls] == ["bob", "alice"], "the second came to the desk, after a minute"
    both = changed(site, '"2": support', '"2": sales, "3": support')
    again = replay(both, calls)
    assert [each.agent for each in again] == ["alice", "bob"]
    found = difference(calls, again)
    assert found.after.mean_wait_s < found.before.mean_wait_s
    assert all("the caller pressed 2" in change.because for change in found.changed)


def test_agents_are_as_they_were(site: Site):
    calls = Past(site, [Person(0, ["1"])], {"alice": 3.0, "bob": 4.0}).calls()
    early = seconds_after(-30)
    paused = PresenceChange(early, "alice", True, Presence(paused=True, reason="lunch"))
    (again,) = replay(site, calls, presence=[paused])
    assert again.agent == "bob"
    away = [PresenceChange(early, name, False) for name in ("alice", "bob")]
    (again,) = replay(site, calls, presence=away)
    assert again.status is CallStatus.VOICEMAIL
    busy = [Occupied(name, early, seconds_after(600)) for name in ("alice", "bob")]
    (again,) = replay(site, calls, occupied=busy)
    assert again.status is CallStatus.VOICEMAIL


def test_a_number_that_is_no_longer_ours_is_not_replayed(site: Site):
    calls = Past(site, [Person(0, ["1"])], {"alice": 3.0, "bob": 4.0}).calls()
    site.path.write_text(CONFIG.replace(DID, "+12125550177"))
    assert replay(load(site.path, {}), calls) == []
    assert replay(site, []) == []
