"""Names in braces become what the call knows."""

import pytest

from pbx import events
from pbx.clock import VirtualClock
from pbx.flows.filling import filled
from pbx.flows.simulated import Script, SimulatedCall
from tests.pbx.flows.worlds import facts

KNOWN = {"zip": "07102", "ring.agent": "alice", "caller": "set by the flow"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Zip {zip}, {ring.agent}.", "Zip 07102, alice."),
        ("{caller}", "set by the flow"),
        ("{did} from {source}", "+12125550100 from yellow-pages"),
        ("{unheard} of", " of"),
        ('{"json": {"zip": "{zip}"}} {}', '{"json": {"zip": "07102"}} {}'),
    ],
)
def test_names_are_filled_in(text: str, said: str) -> None:
    clock = VirtualClock()

    async def main() -> str:
        happened: list[events.CallEvent] = []
        call = SimulatedCall(facts(), clock, happened.append, Script())
        call.values.update(KNOWN)
        return filled(text, call)

    assert clock.run(main()) == said
