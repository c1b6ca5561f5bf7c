"""What agents say of themselves by feature code."""

import pytest

from pbx.agents import AgentState
from pbx.clock import VirtualClock
from pbx.config.models import Config, Queue
from pbx.feature_codes import FEATURES, FeatureCall, dialled_codes, handler
from pbx.flows.simulated import Script, SimulatedCall
from tests.pbx.flows.worlds import facts, surroundings

QUEUES = {
    "sales": Queue(members=["alice", "bob"], extension="601"),
    "support": Queue(members=["alice"], extension="602"),
    "other": Queue(members=["bob"], extension="603"),
}


def dial(*dialled: tuple[str, str]):
    """Alice dials codes, one after the other; what she hears, and the board."""
    clock = VirtualClock()
    around = surroundings(clock, queues=QUEUES)

    async def main() -> list[str]:
        call = SimulatedCall(facts(), clock, lambda event: None, Script())
        for name, argument in dialled:
            code = FeatureCall(
                agent="alice",
                site=None,
                argument=argument,
                call=call,
                around=around,
                go_on=None,
                last_caller=None,
            )
            assert await handler(name).run(code) == call.heard[-1]
        return call.heard

    return clock.run(main()), around.board


def test_pause_and_resume():
    heard, board = dial(("pause", "2"))
    assert heard == ["You are paused: lunch."]
    assert board.state("alice") is AgentState.PAUSED
    assert (board.presence("alice").reason, board.presence("alice").by) == ("lunch", "phone")
    heard, board = dial(("pause", ""), ("resume", ""))
    assert heard == ["You are paused.", "You take calls again."]
    assert board.available("alice")


@pytest.mark.parametrize("argument", ["0", "6", "x", "٣", "22"])
def test_a_reason_that_does_not_exist_changes_nothing(argument):
    heard, board = dial(("pause", argument))
    assert heard == ["There is no such reason for a pause."]
    assert board.available("alice")


def test_one_queue_or_all_of_them():
    heard, board = dial(("log_out", "601"))
    assert (heard, board.presence("alice").logged_out) == (["You are logged out of sales."], {"sales"})
    heard, board = dial(("log_out", ""), ("log_in", "602"))
    assert board.presence("alice").logged_out == {"sales"}
    assert heard == ["You are logged out of all your queues.", "You are logged in to support."]


def test_of_a_queue_of_others_an_agent_is_no_member():
    heard, board = dial(("log_out", "603"))
    assert heard == ["You are no member of that queue."]
    assert board.presence("alice").logged_out == frozenset()


def test_the_codes_are_told_apart():
    codes = dialled_codes(Config().feature_codes)
    assert {codes[code] for code in ("*41", "*42", "*45", "*46")} == {"pause", "resume", "log_in", "log_out"}
    assert len(codes) == len(FEATURES)
