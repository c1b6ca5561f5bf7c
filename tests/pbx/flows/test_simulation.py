"""Whole simulated calls on the repository's own config, flows and flow tests."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pbx.config.load import Site, load
from pbx.events import CallStatus
from pbx.flows.flow_tests import run_file, test_files
from pbx.flows.simulation import Behaviour, NotOurNumber, Simulation, simulate

REPOSITORY = Path(__file__).resolve().parents[3]
MONDAY = datetime(2026, 12, 7, 10)


@pytest.fixture(scope="module")
def site() -> Site:
    return load(
        REPOSITORY / "config.yaml", {"ALICE_PASSWORD": "a long password", "BOB_PASSWORD": "another one"}
    )


def main_line(site: Site, press: str = "", at: datetime = MONDAY, **values: object) -> Simulation:
    return simulate(site, "+12125550100", values.pop("caller", "+12125557788"), at, list(press), **values)


@pytest.mark.parametrize("file", test_files([REPOSITORY / "flow_tests"]), ids=lambda file: file.name)
def test_the_repositorys_flow_tests_pass(site: Site, file: Path):
    results = run_file(site, file)
    assert results
    assert [(result.name, result.differences) for result in results if not result.passed] == []


def test_a_simulation_tells_the_whole_story(site: Site):
    result = main_line(site, "1")
    assert result.source == "yellow-pages"
    assert "Yellow Pages ad" in result.reasons[0]
    assert result.path == ("welcome", "hours", "menu", "sales")
    assert [turn.because for turn in result.turns] == [
        "the text was spoken",
        "open: Mon 10:00 is within mon 08:00-18:00",
        "the caller pressed 1",
        "alice answered after 0 s; the caller hung up",
    ]
    assert result.rings == ("alice", "bob")
    assert result.heard[0].startswith("Thanks for calling")
    assert result.status is CallStatus.ANSWERED


@pytest.mark.parametrize(
    ("agents", "rings"),
    [(Behaviour.NONE, ("alice", "bob")), (Behaviour.BUSY, ("alice", "bob")), (Behaviour.AWAY, ())],
)
def test_when_nobody_takes_it_the_call_goes_to_voicemail(
    site: Site, agents: Behaviour, rings: tuple[str, ...]
):
    result = main_line(site, "1", agents=agents)
    assert result.path[-2:] == ("sales", "voicemail")
    assert (result.rings, result.status, result.tags) == (rings, CallStatus.VOICEMAIL, ("voicemail",))
    assert 120 < result.duration_s < 140


def test_agents_may_behave_differently(site: Site):
    result = main_line(site, "1", agents={"alice": Behaviour.BUSY})
    assert result.turns[-1].because.startswith("bob answered")


def test_a_receiving_number_that_does_not_answer(site: Site):
    result = main_line(site, "3", caller="+19735551234", agents={"+19735550150": Behaviour.NONE})
    assert result.path[-3:] == ("nearest", "newark_office", "voicemail")


def test_the_caller_who_hangs_up_while_it_rings(site: Site):
    result = main_line(site, "1", agents=Behaviour.NONE, hang_up_after_s=30)
    assert result.status is CallStatus.ABANDONED
    assert result.turns[-1].because == "the caller hung up"


def test_a_naive_time_is_the_sites_and_an_aware_one_is_itself(site: Site):
    assert main_line(site, at=datetime(2026, 12, 7, 17, 59)).path[2] == "menu"
    assert main_line(site, at=datetime(2026, 12, 7, 22, 59, tzinfo=UTC)).path[2] == "menu"
    assert main_line(site, at=datetime(2026, 12, 7, 23, 1, tzinfo=UTC)).path[2] == "after_hours"


def test_numbers_may_be_written_as_people_write_them(site: Site):
    result = simulate(site, "(212) 555-0102", "212 555 7788", MONDAY)
    assert (result.flow, result.source, result.rings) == ("straight-to-alice", "direct", ("alice",))


def test_a_number_that_is_not_ours_is_an_error_that_names_it(site: Site):
    with pytest.raises(NotOurNumber, match=r"\+12125550199 is neither in numbers nor in a pool"):
        simulate(site, "+12125550199", "", MONDAY)


def test_two_simulations_of_the_same_call_are_the_same(site: Site):
    assert main_line(site, "92", agents=Behaviour.NONE) == main_line(site, "92", agents=Behaviour.NONE)


MOST_CALLS = 1400
"""Python functions that a simulated call may call: 1000 a second on a core that calls 1.4 million."""


@pytest.mark.parametrize(
    ("agents", "most"), [(Behaviour.ANSWER, MOST_CALLS), (Behaviour.NONE, 3 * MOST_CALLS)]
)
def test_a_simulated_call_is_little_work(site: Site, agents: Behaviour, most: int):
    main_line(site, "1", agents=agents)  # what is done once and kept
    made = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal made
        made += event == "call"

    sys.setprofile(count)
    try:
        main_line(site, "1", agents=agents)
    finally:
        sys.setprofile(None)
    assert made < most


QUEUED = """
start: line
steps:
  line: {queue: sales, keys: {"2": call_me}, on_timeout: bye, on_empty: bye}
  call_me: {callback: sales, confirm: "You are number {place}.", otherwise: bye}
  bye: {say: Sorry}
"""


@pytest.fixture
def queued(tmp_path):
    (tmp_path / "ivr_flows").mkdir()
    (tmp_path / "ivr_flows" / "main.yaml").write_text(QUEUED)
    (tmp_path / "config.yaml").write_text(
        "sources: {radio: {name: Radio, kind: offline}}\n"
        'numbers: {"+12125550100": {source: radio, flow: main}}\n'
        "trunks: {carrier: {host: 192.0.2.1}}\n"
        'agents: {alice: {name: Alice, contact: "sip:a@127.0.0.1"}, bob: {name: Bob, contact: "sip:b@127.0.0.1"}}\n'
        "queues: {sales: {members: [alice, bob], announce_position: 30s, max_wait: 20m, empty_when: paused}}\n"
    )
    return load(tmp_path / "config.yaml", {})


def test_callers_in_front_are_served_first(queued):
    result = simulate(queued, "+12125550100", "+12125557788", MONDAY, waiting={"sales": 3})
    assert result.heard[0] == "You are number four in line."
    assert result.status is CallStatus.ANSWERED
    assert result.duration_s > 360  # two rounds of talks of three minutes
    assert simulate(queued, "+12125550100", "+12125557788", MONDAY).heard == ()


def test_a_promised_callback_is_simulated_to_its_end(queued):
    result = simulate(queued, "+12125550100", "+12125557788", MONDAY, ["2"], waiting={"sales": 1})
    assert (result.path, result.status) == (("line", "call_me"), CallStatus.COMPLETED)
    assert result.heard[-1] == "You are number 2."
    assert result.called_back == ("bob", "+12125557788")
    assert result.duration_s < 10


def test_paused_agents_are_not_rung_by_a_queue(queued):
    result = simulate(queued, "+12125550100", "", MONDAY, agents=Behaviour.PAUSED)
    assert (result.path, result.rings) == (("line", "bye"), ())
