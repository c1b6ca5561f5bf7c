"""What a call from a trunk brings along, and what of it is kept."""

from datetime import UTC, datetime
from types import SimpleNamespace

from pbx.arrivals import arrival
from pbx.attestation import NO_CERTIFICATES
from pbx.config.models import Config
from sip import FromTrunk
from sip.message import parse

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def arrived(*lines: str, did: str = "+12125550100", to: str = "x", trunk: dict | None = None):
    config = Config.model_validate({"trunks": {"carrier": trunk or {}}})
    text = [
        f"INVITE sip:{did}@us SIP/2.0",
        "Via: SIP/2.0/UDP h;branch=z9hG4bK1",
        "From: <sip:+13105550199@c>;tag=1",
        f"To: <sip:{to}@us>",
        *lines,
    ]
    request = parse("\r\n".join(text).encode() + b"\r\n\r\n")
    session = SimpleNamespace(request=request, did=did, identity=FromTrunk("carrier"))
    return arrival(session, SimpleNamespace(config=config), NO_CERTIFICATES, NOW)


def test_a_plain_call_needs_no_further_event() -> None:
    plain = arrived()
    assert (plain.did, plain.caller.number) == ("+12125550100", "+13105550199")
    assert plain.identified("c", NOW) is None


def test_what_else_is_known_is_kept() -> None:
    event = arrived(
        'P-Asserted-Identity: "Ann Low" <sip:+13105550199@c;verstat=TN-Validation-Passed-A>',
        "Diversion: <sip:2125550123@c>;reason=user-busy",
    ).identified("c", NOW)
    assert event is not None
    assert (event.name, event.asserted, event.withheld) == ("Ann Low", True, False)
    assert event.diverted_by == ("+12125550123 (user-busy)",)
    assert (event.attestation, event.because) == ("A", "the carrier checked the signature")


def test_numbers_are_read_as_the_trunk_writes_them() -> None:
    assert arrived(did="2125550100", trunk={"numbers_in": "national"}).did == "+12125550100"
    assert (
        arrived(did="99442071838750", trunk={"numbers_in": "digits", "prefix_in": "99"}).did
        == "+442071838750"
    )


def test_a_carrier_that_calls_what_we_registered_names_the_number_in_to() -> None:
    trunk = {"host": "c", "register": True, "username": "acme", "password": "x"}
    assert arrived(did="acme", to="2125550100", trunk=trunk).did == "+12125550100"
    assert arrived(did="2125550101", to="2125550100", trunk=trunk).did == "+12125550101"
