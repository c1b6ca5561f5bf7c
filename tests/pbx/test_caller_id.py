"""Who calls, whom we say that we are, and numbers as each carrier writes them."""

import pytest

from pbx.caller_id import Caller, Diversion, caller_of, diversions_of, presented
from pbx.config.trunks import Trunk
from pbx.trunk_numbers import read_from, written_for
from sip.headers import NameAddr
from sip.message import parse

PLAIN = Trunk()
NATIONAL = Trunk(numbers_in="national", numbers_out="national", country="GB", prefix_out="9", prefix_in="00#")
DIGITS = Trunk(numbers_in="digits", numbers_out="digits")


def request(*lines: str, from_: str = '"Ann" <sip:+13105550199@example>;tag=1'):
    text = [
        "INVITE sip:+12125550100@example SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1",
        f"From: {from_}",
        "To: <sip:x@y>",
        "Call-ID: c",
        "CSeq: 1 INVITE",
        *lines,
    ]
    return parse("\r\n".join(text).encode() + b"\r\n\r\n")


@pytest.mark.parametrize(
    ("lines", "trunk", "expected"),
    [
        ((), PLAIN, Caller("+13105550199", "Ann")),
        (("P-Asserted-Identity: <sip:+12025550111@c>",), PLAIN, Caller("+12025550111", "Ann", asserted=True)),
        (("P-Asserted-Identity: <sip:c.example>, <tel:+12025550111>",), PLAIN, Caller("+12025550111", "Ann", asserted=True)),
        (("P-Asserted-Identity: <sip:+12025550111@c>",), Trunk(trust_identity=False), Caller("+13105550199", "Ann")),
        (("P-Asserted-Identity: <sip:+12025550111@c>",), None, Caller("+13105550199", "Ann")),
        (("P-Asserted-Identity: <<<",), PLAIN, Caller("+13105550199", "Ann")),
        (("Privacy: id", "P-Asserted-Identity: <sip:+12025550111@c>"), PLAIN, Caller("", asserted=True, withheld=True)),
        (("Privacy: header;session",), PLAIN, Caller("", withheld=True)),
        (("Privacy: none",), PLAIN, Caller("+13105550199", "Ann")),
    ],
)  # fmt: skip
def test_who_calls(lines, trunk, expected) -> None:
    assert caller_of(request(*lines), trunk, "US") == expected


def test_nobody_and_a_name() -> None:
    anonymous = request(from_='"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1')
    assert caller_of(anonymous, PLAIN, "US") == Caller("", withheld=True)
    assert caller_of(request(from_="<sip:ann%00%0a@x>;tag=1"), PLAIN, "US").number == "ann"


def test_who_sent_it_on() -> None:
    diverted = request(
        "Diversion: <sip:+12125550123@a>;reason=user-busy;counter=1",
        'Diversion: <sip:2125550124@b>;reason="no-answer", <<',
    )
    assert diversions_of(diverted, PLAIN, "US") == (
        Diversion("+12125550123", "user-busy"),
        Diversion("+12125550124", "no-answer"),
    )
    history = request(
        "History-Info: <sip:+12125550123@a>;index=1",
        "History-Info: <sip:+12125550124@a?Reason=SIP%3Bcause%3D302>;index=1.1;rc=1, <sip:+12125550100@b>;index=1.1.1",
    )
    assert diversions_of(history, PLAIN, "US") == (
        Diversion("+12125550124", "unknown"),
        Diversion("+12125550123", "SIP;cause=302"),
    )
    assert diversions_of(request(), PLAIN, "US") == ()


@pytest.mark.parametrize(
    ("trunk", "from_", "headers"),
    [
        (Trunk(identity="from"), "<sip:+12125550100@us>", ()),
        (PLAIN, "<sip:+12125550100@us>", (("P-Asserted-Identity", "<sip:+12125550100@us>"),)),
        (
            Trunk(identity="p-asserted-identity", username="acme", password="x"),
            "<sip:acme@us>",
            (("P-Asserted-Identity", "<sip:+12125550100@us>"),),
        ),
        (Trunk(identity="from", numbers_out="national"), "<sip:2125550100@us>", ()),
    ],
)
def test_whom_we_say_that_we_are(trunk, from_, headers) -> None:
    shown = presented("+12125550100", "", trunk, "US", "us")
    assert (shown.from_, shown.headers) == (from_, headers)


def test_a_withheld_number_goes_out_withheld() -> None:
    shown = presented("", "Ann", PLAIN, "US", "us")
    assert NameAddr.parse(shown.from_).uri.user == "anonymous"
    assert shown.headers == (("Privacy", "id"),)


@pytest.mark.parametrize(
    ("trunk", "e164", "written"),
    [
        (PLAIN, "+12125550100", "+12125550100"),
        (DIGITS, "+12125550100", "12125550100"),
        (NATIONAL, "+442071838750", "902071838750"),
        (NATIONAL, "+12125550100", "90012125550100"),
        (Trunk(numbers_out="national"), "+12125550100", "2125550100"),
        (Trunk(numbers_out="national"), "+442071838750", "011442071838750"),
        (Trunk(prefix_out="8"), "101", "8101"),
    ],
)
def test_numbers_out(trunk, e164, written) -> None:
    assert written_for(e164, trunk, "US") == written


@pytest.mark.parametrize(
    ("trunk", "text", "e164"),
    [
        (PLAIN, "2125550100", "+12125550100"),
        (DIGITS, "442071838750", "+442071838750"),
        (DIGITS, "+442071838750", "+442071838750"),
        (NATIONAL, "00#02071838750", "+442071838750"),
        (NATIONAL, "02071838750", "+442071838750"),
        (NATIONAL, "101", None),
        (None, "2125550100", "+12125550100"),
    ],
)
def test_numbers_in(trunk, text, e164) -> None:
    assert read_from(text, trunk, "US") == e164
