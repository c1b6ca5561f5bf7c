"""Simulated calls keep the promises of CallControl."""

import pytest

from pbx import events
from pbx.clock import VirtualClock
from pbx.flows.control import AgentTarget, Prompt
from pbx.flows.simulated import Reaction, Script, SimulatedCall
from pbx.httpcalls import TIMEOUT, WebAnswer
from tests.pbx.flows.call_contract import ANSWER, ANSWERS, HISTORY, SILENT, CallContract, Scenario, World
from tests.pbx.flows.worlds import facts, reacting


class SimulatedWorld(World):
    def __init__(self, clock: VirtualClock, alice: Reaction, bob: Reaction) -> None:
        self.happened: list[events.CallEvent] = []
        script = Script(
            reacts=reacting(alice=alice, bob=bob),
            talk_s=None,
            message_s=None,
            history=HISTORY,
            webhooks={"answer": [WebAnswer(200, ANSWER)], "silence": [WebAnswer(problem=TIMEOUT)]},
        )
        self.simulated = SimulatedCall(facts(), clock, self.happened.append, script)
        self.call = self.simulated

    def press(self, keys: str) -> None:
        self.simulated.press(keys)

    def caller_hangs_up(self) -> None:
        self.simulated.hang_up()

    def agent_hangs_up(self) -> None:
        self.simulated.agent_hangs_up()


class TestSimulatedCall(CallContract):
    def run(self, scenario: Scenario, *, alice: Reaction = SILENT, bob: Reaction = SILENT) -> None:
        clock = VirtualClock()

        async def main() -> None:
            await scenario(SimulatedWorld(clock, alice, bob))

        clock.run(main())


def test_scripted_keys_come_one_entry_a_prompt_and_an_empty_one_lets_it_pass() -> None:
    clock = VirtualClock()

    async def main() -> list[str]:
        call = SimulatedCall(facts(), clock, lambda event: None, Script(press=["1", "", "22"]))
        return [await call.collect(None, max_digits=2, timeout_s=2.0) for _ in range(4)]

    assert clock.run(main()) == ["1", "", "22", ""]


@pytest.mark.parametrize(
    ("step", "number", "spoken"),
    [(None, "Yellow Pages", ["Yellow Pages"]), ("", "Yellow Pages", []), ("X", "", ["X"])],
)
def test_the_steps_whisper_replaces_the_numbers(step: str | None, number: str, spoken: list[str]) -> None:
    clock = VirtualClock()

    async def main() -> list[str]:
        script = Script(reacts=lambda target: ANSWERS, agent_hangs_up=True)
        call = SimulatedCall(facts(whisper=number), clock, lambda event: None, script)
        result = await call.dial([AgentTarget("alice")], together=True, timeout_s=5)
        assert result.winner is not None
        await call.bridge(result.winner, whisper=None if step is None else Prompt(text=step))
        return call.whispered

    assert clock.run(main()) == spoken
