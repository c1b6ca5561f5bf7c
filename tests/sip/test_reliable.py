"""Provisional responses that are acknowledged (RFC 3262), in both roles, also on a line that loses."""

import pytest

from sip.dialog_user import SessionState
from sip.invite import Answered, Ended, EndedBy, Provisional
from sip.message import Response
from tests.sip.test_invite import PEER, TO_B, raw_in_dialog, raw_invite
from tests.sip.wire import ANSWER, Line, label, pair


def raw_requiring() -> bytes:
    return raw_invite().replace(b"Max-Forwards", b"Require: 100rel\r\nMax-Forwards")


def test_early_media_is_acknowledged_by_who_supports_it_and_the_answer_waits_for_that() -> None:
    line = Line()
    a, b = pair(line)
    calling, heard = a.call(b)
    line.run(0.05)
    called = b.received[0]
    called.ring(ANSWER)
    called.answer(ANSWER)
    assert called.state is SessionState.PROCEEDING
    line.run(1)
    assert line.methods() == ["INVITE", "183 INVITE", "PRACK", "200 PRACK", "200 INVITE", "ACK"]
    assert heard == [Provisional(183, "Session Progress", ANSWER), Answered(ANSWER)]
    calling.bye()
    line.run(100)
    assert (a.left(), b.left()) == ((0, 0, 0), (0, 0, 0))


@pytest.mark.parametrize("seed", range(100))
def test_a_line_that_loses_repeats_and_reorders_makes_no_difference(seed: int) -> None:
    line = Line(loss=0.2, duplication=0.2, jitter_s=0.3, seed=seed)
    a, b = pair(line)
    calling, heard = a.call(b)
    line.run(20)
    for called in b.received:
        called.ring(ANSWER)
        line.run(20)
        called.answer(ANSWER)
    line.run(40)
    assert [event for event in heard if isinstance(event, Provisional) and event.sdp] in (
        [],
        [Provisional(183, "Session Progress", ANSWER)],
    )
    calling.cancel()
    line.run(200)
    assert (a.left(), b.left()) == ((0, 0, 0), (0, 0, 0))


def test_who_requires_it_has_even_ringing_sent_again_until_the_prack() -> None:
    line = Line()
    _, b = pair(line)
    line.deliver(raw_requiring(), PEER, TO_B)
    called = b.received[0]
    called.ring()
    line.run(4)
    ringing = [message for message in line.sent if label(message) == "180 INVITE"]
    assert len(ringing) == 4  # at 0, 0.5, 1.5 and 3.5 s
    first = ringing[0]
    assert isinstance(first, Response)
    number = first.headers.get("RSeq")
    prack = raw_in_dialog("PRACK", 2, first, b"").replace(
        b"Max-Forwards", f"RAck: {number} 1 INVITE\r\nMax-Forwards".encode()
    )
    line.deliver(prack, PEER, TO_B)
    assert label(line.sent[-1]) == "200 PRACK"
    line.run(30)
    assert len([message for message in line.sent if label(message) == "180 INVITE"]) == 4
    line.deliver(prack.replace(b"PRACK2", b"PRACK3").replace(b"2 PRACK", b"3 PRACK"), PEER, TO_B)
    assert label(line.sent[-1]) == "481 PRACK"


def test_a_caller_who_never_acknowledges_is_refused_after_64_t1() -> None:
    line = Line()
    _, b = pair(line)
    line.deliver(raw_requiring(), PEER, TO_B)
    called = b.received[0]
    called.ring()
    line.run(33)
    assert called.events == [Ended(EndedBy.TIMEOUT, None, "no PRACK to our provisional response")]
    assert "504 INVITE" in line.methods()
