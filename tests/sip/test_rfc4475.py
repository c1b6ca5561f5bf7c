"""RFC 4475, the torture tests: every case is answered as that RFC says.

``torture/`` holds messages of our own, one for each section, under the names that the RFC gives its
cases. Where the RFC's own messages lie beside the checkout they are held to the same table.
"""

from dataclasses import dataclass
from pathlib import Path

import pytest

from sip.headers import Via, parse_delta_seconds
from sip.message import Request, Response, SipError, parse, response_to
from sip.uri import URI
from sip.validate import validate, validate_response

OURS = Path(__file__).parent / "torture"
ORIGINALS = Path(__file__).parents[3] / "shared" / "rfc4475"

FINE = 0  # taken as it is
DROPPED = -1  # never answered


@dataclass(frozen=True)
class Case:
    section: str
    outcome: int  # FINE, DROPPED, or the status that answers it


CASES = {
    # 3.1.1 valid messages
    "wsinv": Case("3.1.1.1", FINE),
    "intmeth": Case("3.1.1.2", FINE),
    "esc01": Case("3.1.1.3", FINE),
    "escnull": Case("3.1.1.4", FINE),
    "esc02": Case("3.1.1.5", FINE),
    "lwsdisp": Case("3.1.1.6", FINE),
    "longreq": Case("3.1.1.7", FINE),
    "dblreq": Case("3.1.1.8", FINE),
    "semiuri": Case("3.1.1.9", FINE),
    "transports": Case("3.1.1.10", FINE),
    "mpart01": Case("3.1.1.11", FINE),
    "unreason": Case("3.1.1.12", FINE),
    "noreason": Case("3.1.1.13", FINE),
    # 3.1.2 invalid messages
    "badinv01": Case("3.1.2.1", 400),
    "clerr": Case("3.1.2.2", 400),
    "ncl": Case("3.1.2.3", 400),
    "scalar02": Case("3.1.2.4", 400),
    "scalarlg": Case("3.1.2.5", DROPPED),
    "quotbal": Case("3.1.2.6", 400),
    "ltgtruri": Case("3.1.2.7", 400),
    "lwsruri": Case("3.1.2.8", 400),
    "lwsstart": Case("3.1.2.9", 400),
    "trws": Case("3.1.2.10", 400),
    "escruri": Case("3.1.2.11", 400),
    "baddate": Case("3.1.2.12", FINE),  # nothing here depends on Date: the RFC allows leniency
    "regbadct": Case("3.1.2.13", 400),
    "badaspec": Case("3.1.2.14", 400),
    "baddn": Case("3.1.2.15", 400),
    "badvers": Case("3.1.2.16", 505),
    "mismatch01": Case("3.1.2.17", 400),
    "mismatch02": Case("3.1.2.18", 400),
    "bigcode": Case("3.1.2.19", DROPPED),
    # 3.2 transaction layer
    "badbranch": Case("3.2.1", FINE),  # matched without its branch
    # 3.3 application layer
    "insuf": Case("3.3.1", 400),
    "unkscm": Case("3.3.2", 416),
    "novelsc": Case("3.3.3", 416),
    "unksm2": Case("3.3.4", 400),
    "bext01": Case("3.3.5", 420),
    "invut": Case("3.3.6", 415),
    "regaut01": Case("3.3.7", FINE),  # its credentials are none: the registrar challenges
    "multi01": Case("3.3.8", 400),
    "mcl01": Case("3.3.9", 400),
    "bcast": Case("3.3.10", FINE),  # dropped by its Via, which is no transaction of ours
    "zeromf": Case("3.3.11", FINE),  # for us as its end, 0 is enough
    "cparam01": Case("3.3.12", FINE),
    "cparam02": Case("3.3.13", FINE),
    "regescrt": Case("3.3.14", FINE),
    "sdp01": Case("3.3.15", 406),
    # 3.4 backward compatibility
    "inv2543": Case("3.4.1", FINE),
}

# Lies among the originals and is in no section: no version, and a line that is no header.
UNNUMBERED = {"test": Case("-", DROPPED)}

MESSAGES = sorted(OURS.glob("*.sip")) + sorted(ORIGINALS.glob("*/*.dat"))


def outcome(data: bytes) -> int:
    try:
        message = parse(data)
    except SipError as error:
        return error.status if error.request is not None else DROPPED
    if isinstance(message, Response):
        return DROPPED if validate_response(message) else FINE
    refusal = validate(message)
    return refusal.status if refusal else FINE


def ours(name: str) -> Request | Response:
    return parse((OURS / f"{name}.sip").read_bytes())


def test_every_section_has_a_message_of_ours():
    assert {path.stem for path in OURS.glob("*.sip")} == set(CASES)


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_outcome(path):
    assert outcome(path.read_bytes()) == ({**CASES, **UNNUMBERED})[path.stem].outcome


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_refusal_can_be_sent_and_read(path):
    try:
        request = parse(path.read_bytes())
    except SipError as error:
        request = error.request
    if isinstance(request, Request):
        answer = parse(response_to(request, 400, to_tag="ours").encode())
        assert answer.headers.lines("via") == request.headers.lines("via")


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_is_read_can_be_written_and_read_again(path):
    try:
        message = parse(path.read_bytes())
    except SipError:
        return
    again = parse(message.encode())
    message.headers.set("Content-Length", str(len(message.body)))
    again.headers.set("Content-Length", str(len(again.body)))
    assert again == message


def test_wsinv_white_space_and_folding():
    invite = ours("wsinv")
    assert invite.uri == "sip:bakery@shop.example.org;colour=blue"
    assert invite.to_tag == "rye77"
    assert invite.from_.display == 'Miller "the Mill" \\ Sons'
    assert invite.from_tag == "flour9"
    assert (invite.cseq.number, invite.cseq.method) == (21, "INVITE")
    assert invite.branch is None
    assert [str(Via.parse(value)) for value in invite.headers.all("Via")] == [
        "SIP/2.0/UDP 198.51.100.2;branch=oldstyle-1",
        "SIP/2.0/TCP oven.example.org;branch=z9hG4bKoven1",
        "SIP/2.0/UDP 198.51.100.9;branch=z9hG4bKoven2",
    ]
    assert invite.headers.get("Subject") == ""
    assert invite.headers.get("X-Bread") == "rye and wheat"
    assert invite.contact.display == 'Crust, "crumb"'
    assert dict(invite.contact.params) == {"new": "value", "bare": None, "q": "0.5"}
    assert invite.body.startswith(b"v=0\r\n")


def test_intmeth_every_character_a_token_may_hold():
    request = ours("intmeth")
    assert request.method == request.cseq.method == "!Knead-0123456789_*+`.%roll'~"
    assert request.cseq.number == 2**31 - 1
    uri = URI.parse(request.uri)
    assert uri.user == "2_rolls.(to-go!)&isn't+it$/hot?,/;;*"
    assert uri.password == "&so+much=1,butter!*with$jam_~(please)"
    assert request.to.display == "BEL:\x07 NUL:\x00 DEL:\x7f"
    assert request.from_tag == "-.!%*_+`'~9"
    assert request.from_.params["bread''~+*_!.-%"] == '"тёплый хлеб"'


def test_esc01_escapes_are_undone_once():
    invite = ours("esc01")
    assert URI.parse(invite.uri).user == "sips:rye@example.net"
    assert invite.from_.uri.user == "rye and wheat"
    assert invite.to.uri.user == "bakery"
    assert dict(invite.contact.uri.params) == {"lr": None, "kind": "crust%41"}


def test_escnull_null_is_a_character_like_others():
    users = [URI.parse(value[1:-1]).user for value in ours("escnull").headers.all("Contact")]
    assert users == ["\0", "\0\0"]


def test_esc02_escapes_outside_uris_are_just_text():
    request = ours("esc02")
    assert request.method == "KN%45AD"
    assert request.from_.display == "%R%59E"
    assert len(request.headers.all("Contact")) == 2


def test_longreq_keeps_all_of_it():
    invite = ours("longreq")
    assert len(invite.headers.all("Via")) == 41
    assert invite.to.uri.port == 6000


def test_dblreq_what_follows_the_body_is_dropped():
    register = ours("dblreq")
    assert (register.method, register.body) == ("REGISTER", b"")


def test_semiuri_the_userinfo_may_hold_a_semicolon():
    uri = URI.parse(ours("semiuri").uri)
    assert (uri.user, dict(uri.params)) == ("bakery;day=monday@dawn", {})


def test_mpart01_a_binary_body_is_not_touched():
    assert bytes(range(256)) in ours("mpart01").body


def test_unreason_and_noreason():
    assert ours("unreason").reason == "= 4 * 50 хлеб испечён и остывает"
    assert ours("noreason").reason == ""


def test_scalars_too_large_for_any_integer():
    register = ours("scalar02")
    assert parse_delta_seconds(register.headers.get("Expires"), "Expires") == 2**32 - 1
    assert parse_delta_seconds(register.contact.params["expires"], "expires") == 2**32 - 1


def test_badbranch_identifies_no_transaction():
    assert ours("badbranch").branch is None


def test_bext01_names_what_is_not_supported():
    refusal = validate(ours("bext01"))
    assert refusal.headers == (("Unsupported", "kneading, proving"),)


def test_invut_names_what_is_accepted():
    refusal = validate(ours("invut"))
    assert "application/sdp" in dict(refusal.headers)["Accept"]


def test_cparam_a_parameter_is_the_headers_without_brackets_and_the_uris_within():
    assert dict(ours("cparam01").contact.params) == {"oven": None}
    assert dict(ours("cparam02").contact.uri.params) == {"oven": None}


def test_regescrt_headers_in_a_contact():
    assert ours("regescrt").contact.uri.headers == (("Subject", "<sip:loaf>"),)


def test_inv2543_parameters_of_an_addr_spec_are_the_headers():
    invite = ours("inv2543")
    assert dict(invite.to.params) == {"user": "phone"}
    assert invite.from_tag is None
    assert invite.branch is None
