"""Names in braces become what the call knows."""

from urllib.parse import quote

import pytest

from pbx import events
from pbx.clock import VirtualClock
from pbx.flows.filling import filled
from pbx.flows.simulated import Script, SimulatedCall
from tests.pbx.flows.worlds import facts, surroundings

KNOWN = {"zip": "07102", "ring.agent": "alice", "name": "Ann & Co"}


def fill(text: str, **options: object) -> str:
    clock = VirtualClock()

    async def main() -> str:
        happened: list[events.CallEvent] = []
        call = SimulatedCall(facts(), clock, happened.append, Script())
        call.values.update(KNOWN)
        return await filled(text, call, surroundings(clock), **options)

    return clock.run(main())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Zip {zip}, {ring.agent}.", "Zip 07102, alice."),
        ("{caller}", "+12125557788"),
        ("{did} from {source}", "+12125550100 from yellow-pages"),
        ("{unheard} of", " of"),
        ('{{"json": "{zip|digits}"}}', '{"json": "07102"}'),
    ],
)
def test_names_are_filled_in_as_they_are(text: str, said: str) -> None:
    assert fill(text) == said


def test_what_is_filled_in_can_be_quoted() -> None:
    assert fill("https://crm/{name}?x=1", quote=lambda value: quote(value, safe="")) == (
        "https://crm/Ann%20%26%20Co?x=1"
    )
