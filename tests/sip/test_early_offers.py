"""Offers before the answer (RFC 3262 §5, RFC 3311 §5, RFC 6337): by PRACK, by UPDATE, and late ones of ours."""

import pytest

from sip.dialog_user import SessionState
from sip.invite import Acknowledged, EarlyAnswered, Reoffer
from sip.message import Response, parse
from tests.sip.test_invite import PEER, TO_B, raw_in_dialog, raw_invite
from tests.sip.wire import ANSWER, OFFER, Line, label, make_end, pair

OTHER = OFFER.replace(b"o=", b"o=")[:-2].replace(b"sendrecv", b"sendonly") + b"\r\n"


def knowing_100rel(body: bytes = OFFER, how: bytes = b"Supported") -> bytes:
    return raw_invite(body).replace(b"Max-Forwards", how + b": 100rel\r\nMax-Forwards")


def prack(reliable: Response, cseq: int, body: bytes = b"") -> bytes:
    rack = f"RAck: {reliable.headers.get('RSeq')} 1 INVITE\r\nMax-Forwards".encode()
    return raw_in_dialog("PRACK", cseq, reliable, body).replace(b"Max-Forwards", rack)


def last(line: Line) -> Response:
    message = line.sent[-1]
    assert isinstance(message, Response)
    return message


def early(line: Line, body: bytes = OFFER, how: bytes = b"Supported"):
    """A call that has its early media by a reliable 183, acknowledged."""
    _, b = pair(line)
    line.deliver(knowing_100rel(body, how), PEER, TO_B)
    called = b.received[0]
    called.ring(ANSWER)
    reliable = last(line)
    line.deliver(prack(reliable, 2, b"" if body else ANSWER), PEER, TO_B)
    assert label(line.sent[-1]) == "200 PRACK"
    return called, reliable


def test_an_update_before_the_answer_is_served_once_the_first_offer_is_answered_reliably() -> None:
    line = Line()
    called, reliable = early(line)
    line.deliver(raw_in_dialog("UPDATE", 3, reliable, OTHER), PEER, TO_B)
    assert called.events == [Reoffer(OTHER, True)]
    called.accept_reoffer(OFFER)
    assert (label(line.sent[-1]), last(line).body) == ("200 UPDATE", OFFER)
    called.answer(ANSWER)
    assert last(line).body == OFFER, "the 200 to the INVITE says what was agreed last"


def test_an_update_before_any_answer_of_ours_waits_its_turn() -> None:
    line = Line()
    _, b = pair(line)
    line.deliver(raw_invite(), PEER, TO_B)
    b.received[0].ring(ANSWER)  # not reliably: it may never arrive
    line.deliver(raw_in_dialog("UPDATE", 2, line.sent[-1], OTHER), PEER, TO_B)
    assert label(line.sent[-1]) == "500 UPDATE"
    assert last(line).headers.get("Retry-After")


def test_an_update_without_an_offer_is_served_at_any_time_and_starts_no_session_timer() -> None:
    line = Line()
    _, b = pair(line)
    line.deliver(raw_invite(), PEER, TO_B)
    b.received[0].ring()
    update = raw_in_dialog("UPDATE", 2, line.sent[-1], b"")
    timed = update.replace(b"Max-Forwards", b"Supported: timer\r\nSession-Expires: 90\r\nMax-Forwards")
    line.deliver(timed, PEER, TO_B)
    assert label(line.sent[-1]) == "200 UPDATE"
    assert last(line).headers.get("Session-Expires") is None
    line.run(91)
    assert b.received[0].state is SessionState.PROCEEDING


def test_a_prack_may_bring_another_offer() -> None:
    line = Line()
    _, b = pair(line)
    line.deliver(knowing_100rel(), PEER, TO_B)
    called = b.received[0]
    called.ring(ANSWER)
    line.deliver(prack(last(line), 2, OTHER), PEER, TO_B)
    assert called.events == [Reoffer(OTHER, True)]
    called.accept_reoffer(OFFER)
    assert (label(line.sent[-1]), last(line).body) == ("200 PRACK", OFFER)


def test_a_prack_with_an_offer_before_ours_was_answered_is_refused() -> None:
    line = Line()
    _, b = pair(line)
    line.deliver(knowing_100rel(how=b"Require"), PEER, TO_B)
    b.received[0].ring()
    line.deliver(prack(last(line), 2, OTHER), PEER, TO_B)
    assert label(line.sent[-1]) == "488 PRACK"


@pytest.mark.parametrize("how", [b"Supported", b"Require"])
def test_an_invite_without_an_offer_has_ours_in_the_first_reliable_response(how: bytes) -> None:
    line = Line()
    _, b = pair(line)
    line.deliver(knowing_100rel(b"", how), PEER, TO_B)
    called = b.received[0]
    assert (called.takes_early_offer, called.wants_early_offer) == (True, how == b"Require")
    called.ring(OFFER, status=180)
    reliable = last(line)
    assert (label(reliable), reliable.body) == ("180 INVITE", OFFER)
    line.deliver(raw_in_dialog("UPDATE", 2, reliable, OTHER), PEER, TO_B)
    assert label(line.sent[-1]) == "491 UPDATE", "our offer is not answered yet"
    line.deliver(prack(reliable, 3, ANSWER), PEER, TO_B)
    assert called.events == [EarlyAnswered(ANSWER)]
    called.answer(OFFER)
    line.deliver(raw_in_dialog("ACK", 1, line.sent[-1], b""), PEER, TO_B)
    assert called.events[1:] == [Acknowledged(None)]


def test_who_is_called_may_update_before_the_answer_once_theirs_was_reliable() -> None:
    line = Line()
    us = make_end(line, "192.0.2.2")
    calling, heard = us.call(make_end(line, "192.0.2.9"))
    invite = line.sent[-1]
    for status, reliable in (("180 Ringing", False), ("183 Session Progress", True)):
        more = "Require: 100rel\r\nRSeq: 7\r\nContent-Type: application/sdp\r\n" if reliable else ""
        body = ANSWER if reliable else b""
        response = (
            f"SIP/2.0 {status}\r\nVia: {invite.headers.get('Via')}\r\nFrom: {invite.headers.get('From')}\r\n"
            f"To: {invite.headers.get('To')};tag=far\r\nCall-ID: {calling.sip_call_id}\r\nCSeq: 1 INVITE\r\n"
            f"Contact: <sip:far@192.0.2.9>\r\n{more}Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body
        line.deliver(response, PEER, TO_B)
        update = (
            f"UPDATE sip:us@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK{status[:3]}\r\n"
            f"Max-Forwards: 70\r\nFrom: {invite.headers.get('To')};tag=far\r\n"
            f"To: {invite.headers.get('From')}\r\nCall-ID: {calling.sip_call_id}\r\n"
            f"CSeq: {status[:3]} UPDATE\r\nContact: <sip:far@192.0.2.9>\r\n"
            f"Content-Type: application/sdp\r\nContent-Length: {len(OTHER)}\r\n\r\n"
        ).encode() + OTHER
        line.deliver(update, PEER, TO_B)
        if not reliable:
            assert label(line.sent[-1]) == "491 UPDATE"
    assert heard[-1] == Reoffer(OTHER, True)
    calling.accept_reoffer(OFFER)
    assert label(parse(line.sent[-1].encode())) == "200 UPDATE"
