"""Messages: bytes in, bytes out, and what happens to bytes that are none."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sip.headers import Credentials, CSeq
from sip.message import (
    MAX_HEADER_LINE_CHARACTERS,
    MAX_HEADERS,
    MAX_MESSAGE_BYTES,
    Headers,
    Request,
    Response,
    SipError,
    canonical,
    parse,
    reason_phrase,
    response_to,
)
from sip.validate import validate, validate_response

INVITE = b"""\
INVITE sip:12125550110@127.0.0.1:5060 SIP/2.0\r
Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK-77-1;rport\r
Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK-76-1, SIP/2.0/TCP 10.0.0.8;branch=z9hG4bK-75-1\r
Record-Route: <sip:10.0.0.9;lr>\r
From: "Ann" <sip:+12125550142@127.0.0.1>;tag=a1\r
To: <sip:12125550110@127.0.0.1>\r
Call-ID: 77@127.0.0.1\r
CSeq: 3 INVITE\r
Contact: <sip:trunk@127.0.0.1:5070>\r
Max-Forwards: 70\r
Timestamp: 54\r
Content-Type: application/sdp\r
Content-Length: 5\r
\r
v=0\r
"""


def with_line(line: str) -> bytes:
    return INVITE.replace(b"Max-Forwards: 70", line.encode())


def refused(data: bytes) -> SipError:
    with pytest.raises(SipError) as raised:
        parse(data)
    return raised.value


# --- reading


def test_a_request_and_its_typed_headers():
    invite = parse(INVITE)
    assert isinstance(invite, Request)
    assert (invite.method, invite.uri) == ("INVITE", "sip:12125550110@127.0.0.1:5060")
    assert invite.via.port == 5070
    assert invite.branch == "z9hG4bK-77-1"
    assert invite.cseq == CSeq(3, "INVITE")
    assert (invite.from_.display, invite.from_tag, invite.to_tag) == ("Ann", "a1", None)
    assert invite.call_id == "77@127.0.0.1"
    assert invite.contact.uri.user == "trunk"
    assert invite.body == b"v=0\r\n"
    assert validate(invite) is None


def test_a_response():
    ringing = parse(b"SIP/2.0 180 Ringing\r\nCSeq: 3 INVITE\r\n\r\n")
    assert isinstance(ringing, Response)
    assert (ringing.status, ringing.reason, ringing.cseq.number) == (180, "Ringing", 3)


def test_a_typed_header_follows_the_header():
    invite = parse(INVITE)
    assert invite.via.params["rport"] is None
    invite.headers.replace_first("Via", str(invite.via.with_params(rport="5070")))
    assert invite.via.params["rport"] == "5070"
    assert len(invite.headers.all("Via")) == 3


def test_a_missing_header_is_a_400():
    with pytest.raises(SipError, match="400 Missing header: to"):
        _ = parse(b"OPTIONS sip:a SIP/2.0\r\n\r\n").to


def test_the_star_of_a_register_is_no_contact():
    register = parse(b"REGISTER sip:a SIP/2.0\r\nContact: *\r\n\r\n")
    assert register.contact is None
    assert register.headers.all("Contact") == ["*"]


def test_keep_alives_before_a_message_are_skipped():
    assert parse(b"\r\n\r\n" + INVITE) == parse(INVITE)


def test_without_a_content_length_the_body_is_all_there_is():
    assert parse(INVITE.replace(b"Content-Length: 5\r\n", b"")).body == b"v=0\r\n"


def test_octets_behind_the_body_are_dropped():
    assert parse(INVITE + b"more").body == b"v=0\r\n"


def test_names_in_latin_1_are_read_as_such():
    invite = parse(INVITE.replace(b"Ann", "Jörg".encode("latin-1")))
    assert invite.from_.display == "Jörg"
    assert parse(INVITE.replace(b"Ann", "Jörg".encode())).from_.display == "Jörg"


@pytest.mark.parametrize("separator", ["\x85", "\u2028", "\x0b", "\x1c"])
def test_only_crlf_ends_a_line(separator):
    invite = parse(with_line(f"X-Odd: a{separator}Via: b"))
    assert invite.headers.get("X-Odd") == f"a{separator}Via: b"


# --- refusing


@pytest.mark.parametrize(
    ("data", "status", "reason"),
    [
        (b"", 400, "Bad start line"),
        (b"\r\n\r\n", 400, "Bad start line"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "Bad request line"),
        (b"SIP/2.0 99 Too Low\r\n\r\n", 400, "Bad start line"),
        (b"SIP/2.0 700 Too High\r\n\r\n", 400, "Bad start line"),
        (b"SIP/3.0 200 OK\r\n\r\n", 400, "Bad start line"),
        (
            INVITE.replace(b"SIP/2.0\r\n", b"SIP/3.0\r\n", 1),
            505,
            "Version Not Supported: 'SIP/3.0', not SIP/2.0",
        ),
        (INVITE[: INVITE.index(b"\r\n\r\n")], 400, "no empty line"),
        (INVITE[:-1], 400, "Bad Content-Length: 5, body 4"),
        (INVITE.replace(b": 5\r", b": five\r"), 400, "Bad Content-Length: 'five'"),
        (INVITE.replace(b": 5\r", b": 5\r\nl: 6\r"), 400, "'5 and 6'"),
        (with_line("no header"), 400, "Bad header line"),
        (with_line(": nameless"), 400, "Bad header line"),
        (with_line("X-Odd: a\nVia: b"), 400, "a lone CR or LF"),
        (with_line("X-Odd: a\rVia: b"), 400, "a lone CR or LF"),
        (INVITE.replace(b"SIP/2.0\r\nVia", b"SIP/2.0\r\n Via", 1), 400, "white space behind the start line"),
        (with_line("X: " + "y" * MAX_HEADER_LINE_CHARACTERS), 513, "at most 8192"),
        (with_line("X: y\r\n" * MAX_HEADERS + "Z: z"), 513, "at most 256"),
        (INVITE + b"x" * MAX_MESSAGE_BYTES, 513, "at most 65536"),
    ],
)
def test_refused(data, status, reason):
    error = refused(data)
    assert error.status == status
    assert reason in error.reason


def test_a_broken_request_with_a_via_can_be_answered():
    error = refused(INVITE.replace(b"INVITE sip:", b"INVITE  sip:"))
    answer = response_to(error.request, error.status, error.reason, to_tag="b")
    assert answer.headers.lines("via") == parse(INVITE).headers.lines("via")
    assert answer.headers.get("To") == "<sip:12125550110@127.0.0.1>;tag=b"


@pytest.mark.parametrize(
    "data",
    [b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h\r\nl: 9\r\n\r\n", b"OPTIONS sip:a SIP/2.0\r\nbad\r\n\r\n"],
)
def test_a_response_or_a_request_without_via_cannot(data):
    assert refused(data).request is None


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda tail: INVITE[:200] + tail))
def test_any_bytes_are_a_message_or_a_sip_error(data):
    read(data)


@settings(max_examples=300)
@given(st.data())
def test_any_damage_is_a_message_or_a_sip_error(data):
    damaged = bytearray(INVITE)
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, len(damaged)))
        end = data.draw(st.integers(start, min(len(damaged), start + 12)))
        damaged[start:end] = data.draw(
            st.binary(max_size=6)
            | st.sampled_from([b"\r\n", b";", b'"', b"<", b">", b",", b":", b" ", b"\0"])
        )
    read(bytes(damaged))


def read(data: bytes) -> None:
    """Parse and check as the stack does; only SipError may come of it."""
    try:
        message = parse(data)
    except SipError as error:
        message = error.request
    if isinstance(message, Request):
        validate(message)
        parse(response_to(message, 400, to_tag="t").encode())
    elif isinstance(message, Response):
        validate_response(message)


@pytest.mark.parametrize(
    "line",
    [
        "From: a" + " " * 8000 + '"',
        "From: " + "a " * 4000,
        'From: "' + "\\" * 8000,
        "X: " + " " * 8000 + "x",
        "Via: SIP/2.0/UDP h" + " ; a" * 2000 + " ",
        "CSeq: " + "0" * 8000,
        "Contact: " + "<>," * 2700,
        "To: sip:" + "a" * 8000,
        "Authorization: Digest " + "a=b " * 2000,
    ],
)
def test_no_line_hangs_the_reader(line):
    """A pattern that backtracks without end would not come back from these."""
    message = parse(f"OPTIONS sip:a SIP/2.0\r\n{line}\r\n\r\n".encode())
    for read_typed in ("via", "from_", "to", "cseq", "contact"):
        with contextlib.suppress(SipError):
            getattr(message, read_typed)
    for value in message.headers.lines("authorization"):
        with contextlib.suppress(SipError):
            Credentials.parse(value)


# --- validating


@pytest.mark.parametrize(
    ("old", "new", "status", "reason"),
    [
        ("CSeq: 3 INVITE", "CSeq: 3 BYE", 400, "method BYE in a INVITE request"),
        ("CSeq: 3 INVITE", "X: y", 400, "Missing header: cseq"),
        ("Call-ID: 77@127.0.0.1", "Call-ID: 7 7", 400, "Bad Call-ID: '7 7'"),
        ("Call-ID: 77@127.0.0.1", "i: 1\r\nCall-ID: 2", 400, "more than one call-id"),
        ("Max-Forwards: 70", "Max-Forwards: 256", 400, "'256' is not 0 to 255"),
        ("Max-Forwards: 70", "Max-Forwards: 7.0", 400, "'7.0' is not 0 to 255"),
        ("Max-Forwards: 70", "Route: sip:a@b>", 400, "Bad Route"),
        ("Max-Forwards: 70", "Require: 100rel, timer", 420, "Bad Extension: 100rel"),
        ("Max-Forwards: 70", "Content-Encoding: gzip", 415, "encoded as 'gzip'"),
        ("Max-Forwards: 70", "Accept: text/plain, image/*", 406, "application/sdp"),
        ("INVITE sip:12125550110@127.0.0.1:5060", "INVITE mailto:a@b", 416, "mailto"),
        ("INVITE sip:12125550110@127.0.0.1:5060", "INVITE sip:a@@b", 400, "Bad URI"),
        ("INVITE sip:12125550110@127.0.0.1:5060", "INVITE sip:a@b?x=y", 400, "headers in"),
        ("application/sdp", "text/html", 415, "'text/html'"),
        ("Contact: <sip:trunk@127.0.0.1:5070>", "Contact: *", 400, "* in a INVITE"),
        ("Contact: <sip:trunk", "Contact: <sip:a@b>, <sip:trunk", 400, "2 in an INVITE"),
        ("SIP/2.0/TCP 10.0.0.8", "SIP/2.0 10.0.0.8", 400, "Bad Via"),
    ],
)
def test_an_invite_is_refused(old, new, status, reason):
    request = parse(INVITE.decode().replace(old, new).encode())
    refusal = validate(request, supported={"timer"})
    assert refusal is not None
    assert (refusal.status, refusal.request) == (status, request)
    assert reason in refusal.reason


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Max-Forwards: 70\r\n", ""),
        ("Max-Forwards: 70", "Max-Forwards: 0"),
        ("Max-Forwards: 70", "Require: timer"),
        ("Max-Forwards: 70", "Accept: text/plain, application/*;q=0.5"),
        ("Contact: <sip:trunk@127.0.0.1:5070>\r\n", ""),
        (";tag=a1", ""),
        ("INVITE sip:12125550110@127.0.0.1:5060", "INVITE tel:+12125550110"),
        ("Content-Type: application/sdp", "Content-Type: APPLICATION/SDP ; charset=utf-8"),
        ("Content-Type: application/sdp", "Content-Disposition: x; handling=optional\r\nContent-Type: a/b"),
    ],
)
def test_an_invite_is_taken(old, new):
    assert validate(parse(INVITE.decode().replace(old, new).encode()), supported={"timer"}) is None


def test_require_cannot_refuse_an_ack():
    ack = INVITE.replace(b"INVITE", b"ACK").replace(b"Max-Forwards: 70", b"Require: 100rel")
    assert validate(parse(ack)) is None


# --- headers


def test_headers_are_found_by_any_spelling():
    headers = Headers([("v", "SIP/2.0/UDP a"), ("VIA", "SIP/2.0/UDP b"), ("Subject", "x, y")])
    assert headers.all("Via") == ["SIP/2.0/UDP a", "SIP/2.0/UDP b"]
    assert headers.get("s") == "x, y"
    assert "via" in headers
    assert "To" not in headers
    assert canonical("K") == "supported"
    assert list(headers) == [("v", "SIP/2.0/UDP a"), ("VIA", "SIP/2.0/UDP b"), ("Subject", "x, y")]


def test_lists_are_split_and_other_values_are_not():
    headers = Headers([("Allow", "INVITE, ACK"), ("Allow", "BYE"), ("Supported", ""), ("Date", "Sat, 1 Jan")])
    assert headers.all("Allow") == ["INVITE", "ACK", "BYE"]
    assert headers.get("Allow") == "INVITE"
    assert headers.lines("Allow") == ["INVITE, ACK", "BYE"]
    assert headers.all("Supported") == []
    assert headers.all("Date") == ["Sat, 1 Jan"]


def test_headers_are_changed_in_place():
    headers = Headers([("Via", "1, 2"), ("To", "t"), ("Via", "3")])
    copy = headers.copy()
    headers.prepend("Via", "0")
    assert headers.all("Via") == ["0", "1", "2", "3"]
    headers.replace_first("Via", "zero")
    headers.set("To", "u")
    headers.set("From", "f")
    assert list(headers) == [("Via", "zero"), ("Via", "1, 2"), ("To", "u"), ("Via", "3"), ("From", "f")]
    headers.remove("v")
    assert list(headers) == [("To", "u"), ("From", "f")]
    assert len(copy) == 3


@pytest.mark.parametrize(("name", "value"), [("X", "a\r\nVia: b"), ("X", "a\nb"), ("X y", "a"), ("", "a")])
def test_no_header_of_ours_can_break_its_line(name, value):
    with pytest.raises(ValueError, match=r"line end in header|no header name"):
        Headers().add(name, value)


# --- writing


def test_content_length_is_right_whatever_was_said():
    request = Request("INFO", "sip:a", Headers([("Content-Length", "99"), ("To", "t")]), b"abc")
    assert request.encode() == b"INFO sip:a SIP/2.0\r\nContent-Length: 3\r\nTo: t\r\n\r\nabc"
    assert Response(200, "OK", Headers()).encode() == b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"


tokens = st.from_regex(r"[A-Za-z0-9\-.!%*_+`'~]{1,16}", fullmatch=True)
values = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=40).map(
    lambda text: text.strip(" \t")
)
fields = st.lists(
    st.tuples(tokens | st.sampled_from(["Via", "v", "To", "Contact", "X-Odd"]), values).filter(
        lambda entry: canonical(entry[0]) != "content-length"
    ),
    max_size=8,
)


@given(tokens, st.from_regex(r"sip:[!#-;=?-~]{1,20}", fullmatch=True), fields, st.binary(max_size=60))
def test_a_request_is_read_as_it_was_written(method, uri, entries, body):
    headers = Headers([*entries, ("Content-Length", str(len(body)))])
    request = Request(method, uri, headers, body)
    assert parse(request.encode()) == request


@given(st.integers(100, 699), values.map(lambda text: text.replace("\r", "")), fields, st.binary(max_size=60))
def test_a_response_is_read_as_it_was_written(status, reason, entries, body):
    headers = Headers([*entries, ("Content-Length", str(len(body)))])
    response = Response(status, reason, headers, body)
    assert parse(response.encode()) == response


# --- responses to requests (RFC 3261 §8.2.6)


def test_a_response_copies_what_it_must():
    answer = response_to(
        parse(INVITE),
        200,
        to_tag="b2",
        headers=[("Contact", "<sip:us@127.0.0.1>")],
        body=b"v=0\r\n",
        content_type="application/sdp",
    )
    assert list(answer.headers) == [
        ("Via", "SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK-77-1;rport"),
        ("Via", "SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK-76-1, SIP/2.0/TCP 10.0.0.8;branch=z9hG4bK-75-1"),
        ("Record-Route", "<sip:10.0.0.9;lr>"),
        ("From", '"Ann" <sip:+12125550142@127.0.0.1>;tag=a1'),
        ("To", "<sip:12125550110@127.0.0.1>;tag=b2"),
        ("Call-ID", "77@127.0.0.1"),
        ("CSeq", "3 INVITE"),
        ("Contact", "<sip:us@127.0.0.1>"),
        ("Content-Type", "application/sdp"),
    ]
    assert answer.reason == "OK"


def test_a_100_has_the_timestamp_and_no_tag():
    trying = response_to(parse(INVITE), 100, to_tag="b2")
    assert trying.headers.get("Timestamp") == "54"
    assert trying.to_tag is None
    assert "Record-Route" not in trying.headers


def test_only_what_can_form_a_dialog_copies_the_record_route():
    assert "Record-Route" not in response_to(parse(INVITE), 486).headers
    bye = parse(INVITE.replace(b"INVITE", b"BYE"))
    assert "Record-Route" not in response_to(bye, 200).headers


@pytest.mark.parametrize("to", ["<sip:a@b>;tag=x", "sip:a@b; TAG = x", '";tag=y" <sip:a;tag=z@b>;tag=x'])
def test_a_tag_that_is_there_stays(to):
    request = parse(INVITE.replace(b"<sip:12125550110@127.0.0.1>", to.encode()))
    assert response_to(request, 200, to_tag="new").to_tag == "x"


def test_reasons():
    assert reason_phrase(486) == "Busy Here"
    assert reason_phrase(499) == "Bad Request"
    assert reason_phrase(299) == "OK"
