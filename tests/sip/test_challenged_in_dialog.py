"""Trunks that challenge not only the INVITE: BYE, re-INVITE, PRACK and NOTIFY are proved too (RFC 3261 §22)."""

from ipaddress import ip_network

import pytest

from sip.flow import Flow
from sip.invite import Ended, EndedBy, FromTrunk, ReofferAnswered, ReofferRejected
from sip.message import Message, Request
from sip.trunk import Directory, Trunk
from tests.sip.test_invite import established
from tests.sip.wire import ANSWER, OFFER, End, Line, label, pair

CREDENTIALS = ("trunk", "secret")


class Challenging:
    """Stands on the way to ``to``, and lets nothing of ``methods`` pass without a proof of the nonce that it
    wants; a new one is wanted, and the old called stale, after ``uses``."""

    def __init__(self, line: Line, of: End, *methods: str, uses: int = 100, status: int = 407) -> None:
        self.line, self.of, self.methods = line, of, methods
        self.left, self.uses, self.nonce, self.status = uses, uses, 1, status
        self.refused: list[str] = []
        line.drop = self.drop

    def drop(self, message: Message) -> bool:
        if not isinstance(message, Request) or message.method not in self.methods:
            return False
        field = "Proxy-Authorization" if self.status == 407 else "Authorization"
        given = message.headers.get(field) or ""
        if f'nonce="n{self.nonce}"' in given and self.left:
            self.left -= 1
            return False
        stale = ", stale=true" if "nonce" in given else ""
        if not self.left:
            self.nonce, self.left = self.nonce + 1, self.uses
        self.refused.append(message.method)
        asks = "Proxy-Authenticate" if self.status == 407 else "WWW-Authenticate"
        reply = (
            f"SIP/2.0 {self.status} Proof Wanted\r\nVia: {message.headers.get('Via')}\r\n"
            f"From: {message.headers.get('From')}\r\nTo: {message.headers.get('To')}\r\n"
            f"Call-ID: {message.call_id}\r\nCSeq: {message.headers.get('CSeq')}\r\n"
            f'{asks}: Digest realm="carrier", nonce="n{self.nonce}", qop="auth"{stale}\r\n'
            "Content-Length: 0\r\n\r\n"
        )
        at = Flow("udp", self.of.address)
        self.line.at(self.line.now, lambda: self.line.deliver(reply.encode(), at.remote, at))
        return True


def up(line: Line):
    a, b = pair(line)
    calling, heard = a.call(b, credentials=CREDENTIALS)
    line.run(0.1)
    b.received[0].answer(ANSWER)
    line.run(0.1)
    return a, b, calling, heard


@pytest.mark.parametrize("status", [401, 407])
def test_a_bye_is_proved_and_sent_once_more(status: int) -> None:
    line = Line()
    a, b, calling, _ = up(line)
    Challenging(line, a, "BYE", status=status)
    calling.bye()
    line.run(1)
    assert line.methods()[-3:] == ["BYE", "BYE", "200 BYE"]
    first, second = (message for message in line.sent if label(message) == "BYE")
    assert second.cseq.number == first.cseq.number + 1
    assert b.received[0].events[-1] == Ended(EndedBy.REMOTE)
    line.run(100)
    assert (a.left(), b.left()) == ((0, 0, 0), (0, 0, 0))


def test_a_reinvite_is_proved_and_its_ack_says_so_too() -> None:
    line = Line()
    a, b, calling, heard = up(line)
    Challenging(line, a, "INVITE")
    calling.reoffer(OFFER)
    line.run(0.2)
    b.received[0].accept_reoffer(ANSWER)
    line.run(0.2)
    assert heard[-1] == ReofferAnswered(ANSWER)
    ack = line.sent[-1]
    assert (label(ack), "Proxy-Authorization" in ack.headers) == ("ACK", True)
    calling.reoffer(OFFER)
    line.run(0.2)
    assert line.methods()[-1] == "INVITE", "the next one is proved from the start"


def test_early_media_over_a_trunk_that_challenges_prack() -> None:
    line = Line()
    a, b = pair(line)
    a.call(b, credentials=CREDENTIALS)
    line.run(0.1)
    challenging = Challenging(line, a, "PRACK")
    b.received[0].ring(ANSWER)
    line.run(1)
    assert challenging.refused == ["PRACK"]
    assert line.methods()[-1] == "200 PRACK"


def test_a_stale_nonce_is_no_wrong_password_but_one_that_stays_stale_is_given_up() -> None:
    line = Line()
    a, b, calling, heard = up(line)
    Challenging(line, a, "INVITE", "BYE", uses=1)
    calling.reoffer(OFFER)
    line.run(0.2)
    b.received[0].accept_reoffer(ANSWER)
    line.run(0.2)
    assert heard[-1] == ReofferAnswered(ANSWER)
    challenging = Challenging(line, a, "INVITE", uses=0)
    calling.reoffer(OFFER)
    line.run(1)
    assert heard[-1] == ReofferRejected(407, "Proof Wanted")
    assert len(challenging.refused) == 4


def test_who_has_no_credentials_hears_of_the_refusal() -> None:
    line = Line()
    a, _, calling, _, heard = established(line)
    Challenging(line, a, "INVITE")
    calling.reoffer(OFFER)
    line.run(1)
    assert heard[-1] == ReofferRejected(407, "Proof Wanted")


def test_a_call_from_a_trunk_is_proved_with_that_trunks_credentials() -> None:
    carrier, other = (
        Trunk(name=name, allow_from=(ip_network(f"192.0.2.{n}/32"),), username=name, password="secret")
        for n, name in ((1, "carrier"), (2, "other"))
    )
    directory = Directory({}, (carrier, other))
    assert directory.credentials_of(FromTrunk("other")) == ("other", "secret")
    assert directory.credentials_of(FromTrunk("nobody")) is None
