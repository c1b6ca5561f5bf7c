"""Coverage counts what the tests' calls came through, and paths are laid side by side."""

from datetime import datetime
from pathlib import Path

import pytest

from pbx.config.load import Site, load
from pbx.flows.coverage import Coverage, FlowCoverage, Missed
from pbx.flows.pathdiff import Row, align, parting
from pbx.flows.simulation import Behaviour, simulate
from pbx.flows.trace import TraceTurn

CONFIG = """
sources: {radio: {name: Radio, kind: offline}}
numbers: {"+12125550100": {source: radio, flow: main}}
agents:
  alice: {name: Alice, contact: "sip:alice@127.0.0.1"}
"""
MAIN = """
start: ask
steps:
  ask: {menu: Press 1 or 2, keys: {"1": alice, "2": alice, "3": other}, retries: 0, otherwise: message}
  alice: {dial: alice, on_no_answer: message, next: message}
  message: {voicemail: {}}
  other: {goto: other}
"""
OTHER = """
start: bye
steps:
  bye: {say: Goodbye}
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "ivr_flows").mkdir()
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "ivr_flows" / "main.yaml").write_text(MAIN)
    (tmp_path / "ivr_flows" / "other.yaml").write_text(OTHER)
    return load(tmp_path / "config.yaml", {})


def covered(site: Site, *calls: tuple[str, Behaviour]) -> dict[str, FlowCoverage]:
    coverage = Coverage(site.flows)
    at = site.config.server.zone
    for press, agents in calls:
        coverage.note(
            simulate(site, "+12125550100", "", datetime(2026, 12, 7, 10, tzinfo=at), list(press), agents)
        )
    return {each.flow: each for each in coverage.report()}


def test_nothing_is_covered_by_no_call(site: Site):
    found = covered(site)
    assert (found["main"].percent, found["other"].percent) == (0, 0)
    assert found["main"].missed_steps == ("ask", "alice", "message", "other")
    assert (found["main"].steps, found["main"].exits) == (4, 7)


def test_two_keys_that_lead_to_one_step_are_two_exits(site: Site):
    (main, _) = covered(site, ("1", Behaviour.NONE)).values()
    assert main.missed_steps == ("other",)
    assert main.missed_exits == (
        Missed("ask", "key 2", "alice"),
        Missed("ask", "key 3", "other"),
        Missed("ask", "otherwise", "message"),
        Missed("alice", "after the talk", "message"),
    )
    assert str(main.missed_exits[0]) == "ask: key 2 → alice"
    assert main.percent == pytest.approx(100 * 3 / 7)


def test_a_way_that_the_caller_s_leaving_broke_off_is_not_taken(site: Site):
    (main, _) = covered(site, ("1", Behaviour.ANSWER)).values()
    assert "alice" not in main.missed_steps
    assert {missed.way for missed in main.missed_exits if missed.step == "alice"} == {
        "no answer",
        "after the talk",
    }


def test_another_flow_is_covered_from_the_first(site: Site):
    found = covered(site, ("3", Behaviour.ANSWER))
    assert found["other"].percent == 100
    assert found["other"].missed_steps == ()


def test_paths_are_aligned_where_they_agree():
    assert align(["a", "b", "c", "d"], ["a", "x", "c"]) == [
        Row("a", "a"),
        Row("b", "x"),
        Row("c", "c"),
        Row("d", None),
    ]
    assert align([], ["a"]) == [Row(None, "a")]


def test_where_two_paths_part():
    turns = [TraceTurn("a", "say", "b", "spoken"), TraceTurn("b", "say", None, "over")]
    assert parting(["a", "c"], turns) == turns[0]
    assert parting(["a", "b", "c"], turns) == turns[1]
    assert parting(["a"], turns) == turns[0]
    assert parting(["c"], turns) is None
    assert parting(["a", "b"], turns) is None
