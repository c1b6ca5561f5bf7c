"""The message step hands texts over; what is in the way is a reason, never a failed call."""

import pytest

from pbx import events
from pbx.clock import VirtualClock
from pbx.flows.interpreter import run
from pbx.flows.outcome import EndedBy, Outcome
from pbx.flows.simulated import Script, SentText, SimulatedCall
from pbx.flows.trace import trace
from tests.pbx.flows.worlds import facts, flow, surroundings


@pytest.mark.parametrize(
    ("step", "caller", "sent", "because"),
    [
        (
            "{message: 'See {mail}'}",
            "+12125557788",
            [SentText("+12125557788", "See a@b.test", "")],
            "a text to +1212…88 was handed over",
        ),
        (
            "{message: Hi, to: '(973) 555-0123', via: sms}",
            "",
            [SentText("+19735550123", "Hi", "sms")],
            "a text to",
        ),
        ("{message: Hi, to: '{phone}'}", "", [SentText("+19735550199", "Hi", "")], "a text to +1973…99"),
        ("{message: Hi}", "", [], "no text was sent: the caller withheld the number"),
        ("{message: Hi, to: '{nothing}'}", "", [], "no text was sent: that is no number"),
        ("{message: Hi}", "front desk", [], "no text was sent: that is no number"),
    ],
)
def test_a_text_is_handed_over(step: str, caller: str, sent: list[SentText], because: str) -> None:
    clock = VirtualClock()
    happened: list[events.CallEvent] = []
    call: SimulatedCall

    async def main() -> Outcome:
        nonlocal call
        call = SimulatedCall(facts(caller=caller), clock, happened.append, Script())
        call.values.update({"mail": "a@b.test", "phone": "973 555 0199"})
        return await run(call, flow(f"a: {step}"), surroundings(clock), happened.append)

    outcome = clock.run(main())
    assert call.texts == sent
    assert trace(happened)[0].because.startswith(because)
    assert outcome.ended_by is EndedBy.FLOW
    assert not call.answered
