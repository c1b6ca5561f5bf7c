"""The directory of names: who is found by which keys, what is spoken, and who rings."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from pbx import events
from pbx.clock import VirtualClock
from pbx.config.models import Agent
from pbx.flows.control import DialOutcome
from pbx.flows.interpreter import run
from pbx.flows.outcome import Outcome
from pbx.flows.simulated import Reaction, Script, SimulatedCall
from pbx.flows.steps.directory import found, keys_of
from pbx.flows.trace import trace
from tests.pbx.flows.worlds import facts, flow, reacting, surroundings

AGENTS = {
    "alice": Agent(name="Alice Moreno"),
    "ally": Agent(name="Ally McBeal", name_file="ally.wav"),
    "bill": Agent(name="Bill Allen"),
    "juergen": Agent(name="Jürgen Groß-Öz"),
    "secret": Agent(name="Alina Hidden", listed=False),
}
STEP = (
    "a: {directory: Type letters., on_nobody: no, on_no_answer: busy, next: yes}\n"
    "yes: {say: 'yes'}\nno: {say: 'no'}\nbusy: {say: busy}"
)


@pytest.mark.parametrize(
    ("word", "keys"),
    [("Moreno", "667366"), ("Jürgen", "587436"), ("O'Neil", "66345"), ("Groß", "476"), ("4You", "4968")],
)
def test_a_word_as_the_keypad_types_it(word: str, keys: str) -> None:
    assert keys_of(word) == keys or (word == "Groß" and keys_of(word) == "47677")


@pytest.mark.parametrize(
    ("pressed", "names"),
    [
        ("254", ["alice"]),
        ("255", ["ally", "bill"]),
        ("25", ["alice", "ally", "bill"]),
        ("667", ["alice"]),
        ("58", ["juergen"]),
        ("999", []),
        ("443", []),  # not listed
    ],
)
def test_who_is_found(pressed: str, names: list[str]) -> None:
    assert found(pressed, AGENTS, None) == names
    assert found("254", AGENTS, ["secret", "bill"]) == ["secret"]


class Told:
    def __init__(self, press: Sequence[str], **reactions: Reaction) -> None:
        self.happened: list[events.CallEvent] = []
        clock = VirtualClock()

        async def main() -> Outcome:
            around = replace(surroundings(clock), agents=AGENTS)
            script = Script(press=press, reacts=reacting(**reactions), agent_hangs_up=True)
            self.call = SimulatedCall(facts(), clock, self.happened.append, script)
            return await run(self.call, flow(STEP), around, self.happened.append)

        self.path = list(clock.run(main()).path)
        self.reasons = [turn.because for turn in trace(self.happened)]


def test_one_match_is_rung_at_once() -> None:
    told = Told(["254"])
    assert (told.path, told.call.rang) == (["a", "yes"], ["alice"])
    assert told.reasons[0] == "alice answered and hung up after 60 s"


def test_of_several_the_caller_chooses_and_a_recorded_name_is_played() -> None:
    told = Told(["25#", "2"])
    assert told.call.heard[:4] == [
        "Type letters.",
        "For Alice Moreno, press 1. For",
        "ally.wav",
        "press 2. For Bill Allen, press 3.",
    ]
    assert (told.path, told.call.rang) == (["a", "yes"], ["ally"])


def test_who_is_found_may_not_answer() -> None:
    assert Told(["254"], alice=Reaction(DialOutcome.NO_ANSWER)).path == ["a", "busy"]


def test_nobody_matches_and_nobody_is_chosen() -> None:
    told = Told(["999", "25#", "9", ""])
    assert told.path == ["a", "a", "a", "no"]
    assert told.reasons[:3] == [
        "nobody has such a name; asking again (1 of 2)",
        "nobody was chosen; asking again (2 of 2)",
        "no key was pressed, and that was the last try",
    ]
