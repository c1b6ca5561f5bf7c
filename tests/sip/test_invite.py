"""A call from INVITE to BYE between two cores, on good lines and bad ones."""

import gc
import weakref

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sip.dialog_user import SessionMisuse, SessionState
from sip.flow import Address, Flow
from sip.invite import (
    Acknowledged,
    Answered,
    Cancelled,
    Ended,
    EndedBy,
    Info,
    Provisional,
    Rejected,
    Reoffer,
    ReofferAnswered,
    ReofferRejected,
)
from sip.message import Request, Response
from tests.sip.wire import ANSWER, OFFER, Line, label, pair

TERMINAL = (Rejected, Cancelled, Ended)
NOTHING = (0, 0, 0)


def established(line):
    a, b = pair(line)
    calling, heard = a.call(b)
    line.run(0.1)
    called = b.received[0]
    called.answer(ANSWER)
    line.run(0.1)
    assert heard == [Answered(ANSWER)]
    assert called.events == [Acknowledged(None)]
    return a, b, calling, called, heard


def everything_is_over(line, *ends) -> None:
    line.run(120)
    for end in ends:
        assert end.left() == NOTHING


def test_a_call_rings_is_answered_and_ended() -> None:
    line = Line()
    a, b = pair(line)
    calling, heard = a.call(b)
    line.run(0.1)
    (called,) = b.received
    assert (called.did, called.offer) == ("100", OFFER)
    called.ring()
    line.run(0.1)
    called.answer(ANSWER)
    line.run(0.1)
    calling.bye("Q.850;cause=16")
    line.run(0.1)
    assert heard == [
        Provisional(180, "Ringing", None),
        Answered(ANSWER),
        Ended(EndedBy.LOCAL, None, "Q.850;cause=16"),
    ]
    assert called.events == [Acknowledged(None), Ended(EndedBy.REMOTE, None, "Q.850;cause=16")]
    assert line.methods() == ["INVITE", "180 INVITE", "200 INVITE", "ACK", "BYE", "200 BYE"]
    everything_is_over(line, a, b)


def test_early_media_is_carried_by_183_and_stands_in_for_an_answer_without_sdp() -> None:
    line = Line()
    a, b = pair(line)
    _, heard = a.call(b)
    line.run(0.1)
    b.received[0].ring(ANSWER)
    line.run(0.1)
    b.received[0].answer(b"")
    line.run(0.1)
    assert heard == [Provisional(183, "Session Progress", ANSWER), Answered(ANSWER)]


def test_the_called_side_may_end_it() -> None:
    line = Line()
    a, b, _, called, heard = established(line)
    called.bye()
    line.run(0.1)
    assert heard[1:] == [Ended(EndedBy.REMOTE)]
    assert called.events[1:] == [Ended(EndedBy.LOCAL)]
    everything_is_over(line, a, b)


def test_both_may_end_it_at_once() -> None:
    line = Line()
    a, b, calling, called, heard = established(line)
    calling.bye()
    called.bye()
    everything_is_over(line, a, b)
    assert heard[1:] == [Ended(EndedBy.LOCAL)]
    assert called.events[1:] == [Ended(EndedBy.LOCAL)]


def test_a_refusal_is_heard_with_its_headers() -> None:
    line = Line()
    a, b = pair(line)
    _, heard = a.call(b)
    line.run(0.1)
    b.received[0].reject(486, headers=[("Retry-After", "30")])
    line.run(0.1)
    (rejected,) = heard
    assert (rejected.status, rejected.reason) == (486, "Busy Here")
    assert dict(rejected.headers)["Retry-After"] == "30"
    assert line.methods() == ["INVITE", "486 INVITE", "ACK"]
    everything_is_over(line, a, b)


def test_cancel_waits_for_a_provisional_response() -> None:
    line = Line()
    a, b = pair(line)
    calling, heard = a.call(b)
    calling.cancel()
    assert heard == [Cancelled()]
    line.run(0.15)
    assert line.methods() == ["INVITE"]
    line.run(0.2)  # 100 Trying after 200 ms
    assert line.methods() == ["INVITE", "100 INVITE", "CANCEL", "200 CANCEL", "487 INVITE", "ACK"]
    assert b.received[0].events == [Cancelled()]
    assert heard == [Cancelled()]
    everything_is_over(line, a, b)


def test_an_answer_that_crosses_the_cancel_is_acknowledged_and_ended() -> None:
    line = Line()
    a, b = pair(line)
    calling, heard = a.call(b)
    line.run(0.1)
    b.received[0].ring()
    line.run(0.1)
    calling.cancel()
    b.received[0].answer(ANSWER)
    line.run(0.1)
    assert line.methods()[2:] == ["CANCEL", "200 INVITE", "200 CANCEL", "ACK", "BYE", "200 BYE"]
    assert heard == [Provisional(180, "Ringing", None), Cancelled()]
    assert b.received[0].events == [Acknowledged(None), Ended(EndedBy.REMOTE)]
    everything_is_over(line, a, b)


def test_a_cancelled_invite_that_never_ends_is_given_up() -> None:
    line = Line(drop=lambda message: label(message) == "487 INVITE")
    a, b = pair(line)
    calling, _ = a.call(b)
    line.run(0.1)
    b.received[0].ring()
    line.run(0.1)
    calling.cancel()
    everything_is_over(line, a, b)


def test_nobody_there_is_408_after_timer_b() -> None:
    line = Line(drop=lambda message: True)
    a, b = pair(line)
    _, heard = a.call(b)
    line.run(31.9)
    assert heard == []
    line.run(0.2)
    assert heard == [Rejected(408, "Request Timeout")]
    assert line.methods() == ["INVITE"] * 7
    assert a.left() == NOTHING
    assert b.received == []


def test_a_port_that_refuses_is_503_at_once() -> None:
    line = Line()
    a, b = pair(line)
    line.dead.add(b.address)
    _, heard = a.call(b)
    line.run(0.1)
    assert heard == [Rejected(503, "Service Unavailable")]
    assert a.left() == NOTHING


def test_an_answer_is_sent_again_until_its_ack_and_then_given_up() -> None:
    line = Line(drop=lambda message: label(message) == "ACK")
    a, b = pair(line)
    a.call(b)
    line.run(0.1)
    called = b.received[0]
    called.answer(ANSWER)
    line.run(31.6)
    assert called.events == []
    # at 0, .5, 1.5, 3.5, 7.5 and then every T2 until 31.5 s after the first
    assert line.methods().count("200 INVITE") == 11
    assert line.methods().count("ACK") == 11
    line.run(1)
    assert called.events == [Ended(EndedBy.TIMEOUT, None, "no ACK to our answer")]
    everything_is_over(line, a, b)
    assert line.methods().count("BYE") == 1


def test_bye_before_the_ack_waits_for_it() -> None:
    lost = []
    line = Line(drop=lambda message: label(message) == "ACK" and not lost.append(1) and len(lost) == 1)
    a, b = pair(line)
    a.call(b)
    line.run(0.1)
    b.received[0].answer(ANSWER)
    b.received[0].bye()
    assert b.received[0].events == [Ended(EndedBy.LOCAL)]
    line.run(1)
    assert line.methods() == ["INVITE", "200 INVITE", "ACK", "200 INVITE", "ACK", "BYE", "200 BYE"]
    everything_is_over(line, a, b)


def test_a_peer_that_vanishes_is_noticed_when_we_say_bye() -> None:
    line = Line()
    a, b, calling, _, heard = established(line)
    del line.ends[b.address]
    calling.bye()
    line.run(60)
    assert heard[1:] == [Ended(EndedBy.LOCAL)]
    assert a.left() == NOTHING


def test_a_caller_who_waits_long_is_told_every_minute_that_it_still_rings() -> None:
    line = Line()
    a, b = pair(line)
    a.call(b)
    line.run(0.1)
    b.received[0].ring()
    line.run(185)
    assert line.methods().count("180 INVITE") == 4


def test_a_late_offer_is_ours_and_its_answer_comes_with_the_ack() -> None:
    line = Line()
    _, b = pair(line)
    invite = raw_invite(body=b"")
    line.deliver(invite, PEER, TO_B)
    called = b.received[0]
    assert called.offer is None
    called.answer(OFFER)
    line.run(0.1)
    ok = line.sent[-1]
    assert isinstance(ok, Response)
    assert ok.body == OFFER
    line.deliver(raw_in_dialog("ACK", 1, ok, ANSWER), PEER, TO_B)
    assert called.events == [Acknowledged(ANSWER)]


def test_a_session_that_is_over_is_let_go_although_its_transactions_linger() -> None:
    line = Line()
    a, b, calling, called, _ = established(line)
    calling.bye()
    line.run(0.1)
    assert b.left()[2] == 2
    called_left, calling_left = weakref.ref(called), weakref.ref(calling)
    b.received.clear()
    del called, calling
    gc.collect()
    assert called_left() is None
    line.run(40)  # Timer M keeps the caller's for a further fork that may answer
    gc.collect()
    assert calling_left() is None
    everything_is_over(line, a, b)


# --- changing an established session


def test_a_reinvite_changes_the_session() -> None:
    line = Line()
    a, b, calling, called, heard = established(line)
    calling.reoffer(OFFER)
    line.run(0.1)
    assert called.events[1:] == [Reoffer(OFFER, False)]
    called.accept_reoffer(ANSWER)
    line.run(0.1)
    assert heard[1:] == [ReofferAnswered(ANSWER)]
    assert line.methods()[-3:] == ["INVITE", "200 INVITE", "ACK"]
    called.bye()
    everything_is_over(line, a, b)


def test_a_refused_reinvite_leaves_the_session_as_it_was() -> None:
    line = Line()
    a, b, calling, called, heard = established(line)
    calling.reoffer(OFFER)
    line.run(0.1)
    called.reject_reoffer(488)
    line.run(0.1)
    assert heard[1:] == [ReofferRejected(488, "Not Acceptable Here")]
    assert calling.state is SessionState.CONFIRMED
    calling.bye()
    everything_is_over(line, a, b)


def test_reinvites_that_cross_are_both_told_491_and_come_again_one_after_the_other() -> None:
    """§14.1: within two seconds who was called, after that the caller."""
    line = Line()
    _, _, calling, called, heard = established(line)
    calling.reoffer(OFFER)
    called.reoffer(OFFER)
    line.run(0.2)
    assert [label(message) for message in line.sent].count("491 INVITE") == 2
    assert (heard[1:], called.events[1:]) == ([], [])
    line.run(2)
    assert heard[1:] == [Reoffer(OFFER)]
    calling.accept_reoffer(ANSWER)
    line.run(4)
    assert called.events[1:] == [ReofferAnswered(ANSWER), Reoffer(OFFER)]
    called.accept_reoffer(ANSWER)
    line.run(1)
    assert heard[1:] == [Reoffer(OFFER), Acknowledged(None), ReofferAnswered(ANSWER)] or heard[-1] == (
        ReofferAnswered(ANSWER)
    )


def test_a_second_reinvite_while_the_first_waits_is_told_to_try_later() -> None:
    line = Line()
    _, called = raw_established(line)
    ok = line.sent[-1]
    line.deliver(raw_in_dialog("INVITE", 2, ok, OFFER), PEER, TO_B)
    line.deliver(raw_in_dialog("INVITE", 3, ok, OFFER), PEER, TO_B)
    assert label(line.sent[-1]) == "500 INVITE"
    assert 0 <= int(line.sent[-1].headers.get("Retry-After") or "") <= 10
    assert called.events[1:] == [Reoffer(OFFER, False)]


def test_update_and_info_reach_the_user() -> None:
    line = Line()
    _, called = raw_established(line)
    ok = line.sent[-1]
    line.deliver(raw_in_dialog("UPDATE", 2, ok, OFFER), PEER, TO_B)
    called.accept_reoffer(ANSWER)
    line.deliver(raw_in_dialog("UPDATE", 3, ok, b""), PEER, TO_B)
    dtmf = raw_in_dialog("INFO", 4, ok, b"Signal=5\r\n", content_type="application/dtmf-relay")
    line.deliver(dtmf, PEER, TO_B)
    line.run(0.1)
    assert called.events[1:] == [Reoffer(OFFER, True), Info("application/dtmf-relay", b"Signal=5\r\n")]
    assert line.methods()[-3:] == ["200 UPDATE", "200 UPDATE", "200 INFO"]


def test_what_is_told_by_info_arrives_once_and_in_order_over_a_line_that_loses() -> None:
    line = Line()
    a, b, calling, called, heard = established(line)
    line.loss, line.duplication, line.jitter_s = 0.2, 0.2, 0.5
    for key in b"123":
        calling.info("text/x", bytes([key]))
    called.info("text/x", b"4")
    line.run(40)
    told = [event for event in called.events if isinstance(event, Info)]
    assert told == [Info("text/x", bytes([key])) for key in b"123"]
    assert heard[1:] == [Info("text/x", b"4")]
    called.bye()
    called.info("text/x", b"5")
    everything_is_over(line, a, b)


def test_who_answers_info_that_there_is_no_such_call_ends_it() -> None:
    line = Line()
    _, b, calling, _, heard = established(line)
    b.core.endpoint.dialogs.clear()
    calling.info("text/x", b"1")
    line.run(1)
    assert heard[-1] == Ended(EndedBy.REMOTE, 481, "Call/Transaction Does Not Exist")


@pytest.mark.parametrize(
    ("method", "status"), [("OPTIONS", 200), ("REFER", 400), ("MESSAGE", 405), ("PUBLISH", 405)]
)
def test_other_requests_in_a_dialog(method, status) -> None:
    line = Line()
    raw_established(line)
    ok = line.sent[-1]
    line.deliver(raw_in_dialog(method, 2, ok, b""), PEER, TO_B)
    assert label(line.sent[-1]) == f"{status} {method}"


def test_a_request_out_of_order_is_500_and_changes_nothing() -> None:
    line = Line()
    _, called = raw_established(line)
    ok = line.sent[-1]
    line.deliver(raw_in_dialog("INFO", 5, ok, b""), PEER, TO_B)
    line.deliver(raw_in_dialog("BYE", 4, ok, b""), PEER, TO_B)
    assert label(line.sent[-1]) == "500 BYE"
    assert called.state is SessionState.CONFIRMED


def test_an_unknown_dialog_is_481() -> None:
    line = Line()
    raw_established(line)
    ok = line.sent[-1]
    stray = raw_in_dialog("BYE", 2, ok, b"").replace(b"Call-ID: raw", b"Call-ID: stray")
    line.deliver(stray, PEER, TO_B)
    assert label(line.sent[-1]) == "481 BYE"


def test_a_caller_may_leave_an_early_dialog_by_bye() -> None:
    line = Line()
    _, b = pair(line)
    line.deliver(raw_invite(), PEER, TO_B)
    b.received[0].ring()
    line.deliver(raw_in_dialog("BYE", 2, line.sent[-1], b""), PEER, TO_B)
    assert line.methods() == ["180 INVITE", "200 BYE", "487 INVITE"]
    assert b.received[0].events == [Cancelled()]


def test_misuse_is_said() -> None:
    line = Line()
    a, b = pair(line)
    calling, _ = a.call(b)
    line.run(0.1)
    with pytest.raises(SessionMisuse, match="before the session was answered"):
        calling.bye()
    with pytest.raises(SessionMisuse, match="before the session was answered"):
        b.received[0].bye()
    b.received[0].answer(ANSWER)
    with pytest.raises(SessionMisuse, match="use bye"):
        b.received[0].reject(486)
    with pytest.raises(SessionMisuse, match="after the session was answered"):
        b.received[0].answer(ANSWER)


def test_verbs_on_a_session_that_is_over_do_nothing() -> None:
    line = Line()
    a, b, calling, called, heard = established(line)
    calling.bye()
    line.run(0.1)
    for verb in (calling.bye, calling.cancel, called.bye, called.ring, lambda: called.answer(ANSWER)):
        verb()
    called.reject(486)
    called.accept_reoffer(ANSWER)
    assert len(heard) == 2
    everything_is_over(line, a, b)


# --- forks


def test_a_second_fork_that_answers_is_acknowledged_and_ended() -> None:
    line = Line()
    a, b = pair(line)
    _, heard = a.call(b)
    line.run(0.1)
    b.received[0].answer(ANSWER)
    line.run(0.1)
    ok = next(message for message in line.sent if label(message) == "200 INVITE")
    other = ok.encode().replace(ok.to_tag.encode(), b"another")
    line.deliver(other, b.address, Flow("udp", a.address))
    line.deliver(other, b.address, Flow("udp", a.address))
    acks = [m for m in line.sent if label(m) == "ACK" and m.to_tag == "another"]
    byes = [m for m in line.sent if label(m) == "BYE" and m.to_tag == "another"]
    assert (len(acks), len(byes)) == (2, 1)
    assert heard == [Answered(ANSWER)]


# --- bad lines


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.booleans(), st.booleans())
def test_a_line_that_loses_repeats_and_reorders_makes_no_difference(seed, caller_ends, answered) -> None:
    line = Line(loss=0.2, duplication=0.2, jitter_s=0.3, seed=seed)
    a, b = pair(line)
    calling, heard = a.call(b)
    line.run(20)
    if b.received:
        called = b.received[0]
        called.ring()
        line.run(1)
        if answered:
            called.answer(ANSWER)
            line.run(20)
        else:
            called.reject(486)
    line.run(40)
    assert len(b.received) <= 1
    if calling.state is SessionState.CONFIRMED:
        (calling if caller_ends else b.received[0]).bye()
    line.run(150)
    assert a.left() == NOTHING
    assert b.left() == NOTHING
    for events in (heard, *(session.events for session in b.received)):
        assert [isinstance(event, TERMINAL) for event in events].count(True) == 1
        assert isinstance(events[-1], TERMINAL)


# --- a peer made of raw messages, for what a core of ours would never send


PEER = Address("192.0.2.9", 5060)
TO_B = Flow("udp", Address("192.0.2.2", 5060))


def raw_invite(body: bytes = OFFER) -> bytes:
    head = (
        "INVITE sip:100@192.0.2.2 SIP/2.0\r\n"
        "Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKraw1\r\n"
        "Max-Forwards: 70\r\n"
        "From: <sip:raw@192.0.2.9>;tag=raw\r\n"
        "To: <sip:100@192.0.2.2>\r\n"
        "Call-ID: raw\r\n"
        "CSeq: 1 INVITE\r\n"
        "Contact: <sip:raw@192.0.2.9>\r\n"
    )
    kind = "Content-Type: application/sdp\r\n" if body else ""
    return f"{head}{kind}Content-Length: {len(body)}\r\n\r\n".encode() + body


def raw_in_dialog(
    method: str, cseq: int, ok: Request | Response, body: bytes, content_type: str = "application/sdp"
) -> bytes:
    head = (
        f"{method} sip:100@192.0.2.2 SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKraw{method}{cseq}\r\n"
        "Max-Forwards: 70\r\n"
        "From: <sip:raw@192.0.2.9>;tag=raw\r\n"
        f"To: {ok.headers.get('To')}\r\n"
        "Call-ID: raw\r\n"
        f"CSeq: {cseq} {method}\r\n"
        "Contact: <sip:raw@192.0.2.9>\r\n"
    )
    kind = f"Content-Type: {content_type}\r\n" if body else ""
    return f"{head}{kind}Content-Length: {len(body)}\r\n\r\n".encode() + body


def raw_established(line):
    _, b = pair(line)
    line.deliver(raw_invite(), PEER, TO_B)
    called = b.received[0]
    called.answer(ANSWER)
    ok = line.sent[-1]
    line.deliver(raw_in_dialog("ACK", 1, ok, b""), PEER, TO_B)
    assert called.events == [Acknowledged(None)]
    return b, called
