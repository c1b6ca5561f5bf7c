"""Whatever a peer sends, the core raises nothing, goes on serving and forgets everything in the end."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sip.flow import Address, Flow
from tests.sip.test_core import HERE, STRANGER, TRUNK
from tests.sip.wire import ANSWER, OFFER, Line, make_end

METHODS = ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "UPDATE", "INFO", "REFER", "PRACK", "X"]


def core():
    line = Line()
    return line, make_end(line, HERE.host)


def request(method: str, number: int, tag: str) -> bytes:
    to = f"<sip:100@example>{f';tag={tag}' if tag else ''}"
    lines = [
        f"{method} sip:100@example SIP/2.0",
        f"Via: SIP/2.0/UDP {TRUNK};branch=z9hG4bK{number};rport",
        "From: <sip:me@example>;tag=f",
        f"To: {to}",
        "Call-ID: abuse",
        f"CSeq: {number} {method}",
        f"Contact: <sip:me@{TRUNK}>",
        "Record-Route: <sip:192.0.2.77;lr>",
        "Content-Type: application/sdp",
        f"Content-Length: {len(OFFER)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + OFFER


MUTATIONS = st.lists(st.tuples(st.integers(0, 2000), st.binary(max_size=6), st.integers(0, 12)), max_size=4)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(METHODS), MUTATIONS, st.sampled_from([TRUNK, STRANGER]))
def test_mangled_requests(method, mutations, source) -> None:
    line, end = core()
    data = request(method, 1, "")
    for at, inserted, cut in mutations:
        at %= len(data) + 1
        data = data[:at] + inserted + data[at + cut :]
    end.core.receive(data, Flow("udp", source))
    for session in end.received:
        session.reject(486)
    line.run(200)
    assert end.left() == (0, 0, 0)


STEPS = st.one_of(
    st.tuples(st.sampled_from(METHODS), st.integers(1, 4), st.booleans()),
    st.sampled_from(
        ["ring", "answer", "reject", "bye", "accept_reoffer", "reject_reoffer", "reoffer", "wait"]
    ),
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, max_size=25))
def test_any_order_of_requests_and_verbs(steps) -> None:
    """A peer without manners and an application without sense, on one dialog."""
    line, end = core()
    for step in steps:
        if isinstance(step, str):
            for session in list(end.received):
                do(line, session, step)
            continue
        method, number, in_dialog = step
        tag = end.received[-1].dialog.local_tag if in_dialog and end.received else ""
        end.core.receive(request(method, number, tag), Flow("udp", TRUNK))
    for session in end.received:
        do(line, session, "reject")
        do(line, session, "reject_reoffer")
        do(line, session, "bye")
    line.run(300)
    assert end.left() == (0, 0, 0)
    assert not end.core.endpoint.incoming
    for session in end.received:
        terminal = [type(e).__name__ in ("Rejected", "Cancelled", "Ended") for e in session.events]
        assert terminal.count(True) == 1
        assert terminal[-1]


def do(line, session, step) -> None:
    from sip.dialog_user import SessionMisuse

    arguments = {
        "answer": [ANSWER],
        "reject": [486],
        "accept_reoffer": [ANSWER],
        "reject_reoffer": [488],
        "reoffer": [OFFER],
    }
    try:
        if step == "wait":
            line.run(1)
        else:
            getattr(session, step)(*arguments.get(step, []))
    except SessionMisuse:
        pass  # said, and nothing done


def test_responses_that_lie() -> None:
    line, end = core()
    other = Address("192.0.2.50", 5060)
    line.ends[other] = end  # never asked: what it would answer is sent by hand
    line.drop = lambda message: True
    for mangle in (
        lambda text: text.replace("Contact: <sip:x@192.0.2.50>", "Contact: <sip:[bad>"),
        lambda text: text.replace("Contact: <sip:x@192.0.2.50>", "Record-Route: <<<"),
        lambda text: text.replace("Contact: <sip:x@192.0.2.50>\r\n", ""),
        lambda text: text.replace(";tag=peer", ""),
    ):
        events = []
        session, heard = end.call(line.ends[other])
        events = heard
        invite = line.sent[-1]
        copied = [
            f"{name}: {value}" for name, value in invite.headers if name in ("Via", "From", "Call-ID", "CSeq")
        ]
        lines = ["SIP/2.0 200 OK", *copied, "To: <sip:100@example>;tag=peer", "Contact: <sip:x@192.0.2.50>"]
        text = mangle("\r\n".join([*lines, "Content-Length: 0", "", ""]))
        end.core.receive(text.encode(), Flow("udp", other))
        assert [type(event).__name__ for event in events] == ["Answered"]
        session.bye()
        line.run(100)
        assert end.left() == (0, 0, 0)
