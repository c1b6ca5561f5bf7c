"""Session timers in both roles, on the virtual clock (RFC 4028)."""

import pytest

from sip.dialog_user import SessionState
from sip.flow import Address, Flow
from sip.invite import Ended, EndedBy
from sip.message import Response, parse
from sip.session_timer import Agreed, answering, too_short
from tests.sip.test_invite import PEER, TO_B, raw_invite
from tests.sip.wire import ANSWER, Line, label, pair


def invite(*headers: str):
    head, _, body = raw_invite().partition(b"\r\n\r\n")
    return parse(b"\r\n".join([head, *(header.encode() for header in headers)]) + b"\r\n\r\n" + body)


def talking(line: Line):
    a, b = pair(line)
    calling, heard = a.call(b)
    line.run(1)
    called = b.received[0]
    called.answer(ANSWER)
    line.run(1)
    assert called.state is SessionState.CONFIRMED
    return a, b, calling, heard, called


@pytest.mark.parametrize(
    ("headers", "answered", "agreed"),
    [
        ((), [], None),
        (("Session-Expires: 600",), [("Session-Expires", "600;refresher=uas")], Agreed(600, True)),
        (
            ("Session-Expires: 600", "Supported: timer"),
            [("Require", "timer"), ("Session-Expires", "600;refresher=uac")],
            Agreed(600, False),
        ),
        (
            ("Session-Expires: 600;refresher=uas", "Supported: 100rel, timer"),
            [("Require", "timer"), ("Session-Expires", "600;refresher=uas")],
            Agreed(600, True),
        ),
        (("Session-Expires: soon", "Supported: timer"), [], None),
    ],
)
def test_what_an_invite_asks_for_is_agreed(headers, answered, agreed) -> None:
    assert answering(invite(*headers)) == (answered, agreed)


def test_an_interval_below_ours_is_422_to_who_understands_it() -> None:
    assert too_short(invite("Session-Expires: 30", "Supported: timer"))
    assert not too_short(invite("Session-Expires: 30"))
    line = Line()
    _, b = pair(line)
    line.deliver(invite("Session-Expires: 30", "Supported: timer").encode(), PEER, TO_B)
    refusal = line.sent[-1]
    assert isinstance(refusal, Response)
    assert (refusal.status, refusal.headers.get("Min-SE")) == (422, "90")
    assert b.received == []


def test_a_session_is_refreshed_after_half_its_interval_for_as_long_as_it_stands() -> None:
    line = Line()
    _, _, calling, heard, called = talking(line)
    line.run(4 * 3600)
    updates = [message for message in line.sent if label(message) == "UPDATE"]
    assert len(updates) == 16  # every 900 s
    assert {message.headers.get("Session-Expires") for message in updates} == {"1800;refresher=uac"}
    assert (calling.state, called.state) == (SessionState.CONFIRMED, SessionState.CONFIRMED)
    calling.bye()
    line.run(100)
    assert isinstance(heard[-1], Ended)


def test_a_session_that_its_refresher_left_ends_before_the_interval_does() -> None:
    line = Line(drop=lambda message: label(message) == "UPDATE")
    a, b, _, _, called = talking(line)
    line.ends.pop(Address("192.0.2.1", 5060))  # vanished without a BYE
    a.core.endpoint.queue.clear()
    line.run(1760)
    assert called.state is SessionState.CONFIRMED
    line.run(20)
    assert called.events[-1] == Ended(EndedBy.TIMEOUT, None, "the session was not refreshed")
    line.run(100)
    assert b.left() == (0, 0, 0)


def test_a_422_is_answered_with_the_interval_that_it_wants() -> None:
    line = Line()
    a, _ = pair(line)
    line.ends.pop(Address("192.0.2.2", 5060))
    a.call(type("There", (), {"address": Address("192.0.2.2", 5060)})())
    first = line.sent[0]
    refusal = "\r\n".join(
        [
            "SIP/2.0 422 Session Interval Too Small",
            f"Via: {first.headers.get('Via')}",
            f"From: {first.headers.get('From')}",
            f"To: {first.headers.get('To')};tag=x",
            f"Call-ID: {first.call_id}",
            f"CSeq: {first.headers.get('CSeq')}",
            "Min-SE: 3600",
            "Content-Length: 0\r\n\r\n",
        ]
    )
    a.core.receive(refusal.encode(), Flow("udp", Address("192.0.2.2", 5060)))
    again = [message for message in line.sent if label(message) == "INVITE"][-1]
    assert (again.cseq.number, again.headers.get("Session-Expires")) == (2, "3600")
