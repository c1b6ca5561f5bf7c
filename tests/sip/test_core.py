"""Who is let in, what strangers learn, and what is refused when there is too much."""

from dataclasses import replace

import pytest

from sip.client_session import InviteTarget
from sip.flow import Address, Flow
from sip.guard import Allowance, Limits
from sip.invite import FromAgent, FromTrunk
from sip.message import Request, Response
from tests.sip.password import authorize
from tests.sip.wire import ANSWER, OFFER, Line, label, make_end

HERE = Address("203.0.113.1", 5060)
TRUNK = Address("192.0.2.77", 5060)
PHONE = Address("198.51.100.5", 40_000)
STRANGER = Address("198.51.100.66", 5071)


class Site:
    """One core, spoken to in raw messages from any address."""

    def __init__(self, **options) -> None:
        self.line = Line()
        self.end = make_end(self.line, HERE.host, **options)
        self.core = self.end.core
        self._serial = 0

    def send(
        self, method: str, source: Address, *, user: str = "100", headers=(), body: bytes = b"", **fields
    ) -> Response | None:
        """Send a request; returns the answer it got at once, if any."""
        self._serial += 1
        call_id = fields.get("call_id", f"call{self._serial}")
        cseq = fields.get("cseq", self._serial)
        to_tag = f";tag={fields['to_tag']}" if "to_tag" in fields else ""
        branch = fields.get("branch", f"z9hG4bKtest{self._serial}")
        lines = [
            f"{method} sip:{user}@example SIP/2.0",
            f"Via: SIP/2.0/UDP {source};branch={branch};rport",
            "Max-Forwards: 70",
            f"From: <sip:{fields.get('from_', 'someone')}@example>;tag=f",
            f"To: <sip:{fields.get('to', user)}@example>{to_tag}",
            f"Call-ID: {call_id}",
            f"CSeq: {cseq} {method}",
            f"Contact: {fields.get('contact', f'<sip:me@{source}>')}",
            *(f"{name}: {value}" for name, value in headers),
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        before = len(self.line.sent)
        data = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
        self.core.receive(data, Flow("udp", source))
        sent = self.line.sent[before:]
        return sent[0] if sent and isinstance(sent[0], Response) else None

    def authorized(
        self, method: str, source: Address, username: str, password: str, **fields
    ) -> Response | None:
        challenge = self.send(method, source, **fields)
        assert challenge is not None
        assert challenge.status == 401
        proof = authorize(
            challenge.headers.all("WWW-Authenticate"),
            method=method,
            uri=f"sip:{fields.get('user', '100')}@example",
            username=username,
            password=password,
        )
        extra = [*fields.pop("headers", ()), ("Authorization", proof)]
        return self.send(method, source, headers=extra, **fields)

    def register(
        self, source: Address = PHONE, username: str = "alice", password: str = "wonderland", **fields
    ) -> Response | None:
        fields.setdefault("to", username)
        return self.authorized("REGISTER", source, username, password, **fields)


def shape(response: Response) -> tuple[int, str, list[str], list[str]]:
    """What a stranger can learn from an answer: everything but what differs by itself."""
    names = [name for name, _ in response.headers]
    nonces = [value.split("nonce=")[0] for value in response.headers.all("WWW-Authenticate")]
    return response.status, response.reason, names, nonces


def test_a_trunk_is_known_by_its_address() -> None:
    site = Site()
    assert site.send("INVITE", TRUNK, body=OFFER) is None
    assert site.end.received[0].identity == FromTrunk("carrier")
    assert site.end.received[0].source == TRUNK


def test_an_agent_is_known_by_credentials_even_from_a_trunk_address() -> None:
    site = Site()
    site.register(TRUNK, contact=f"<sip:alice@{TRUNK.host}:7777>")
    site.authorized("INVITE", STRANGER, "101", "wonderland", body=OFFER)
    site.send("INVITE", TRUNK, body=OFFER)
    site.send("INVITE", TRUNK._replace(port=6000), body=OFFER)
    assert [session.identity for session in site.end.received] == [
        FromAgent("alice", authenticated=True),
        FromAgent("alice"),  # same address and port as the registration
        FromTrunk("carrier"),  # same address, another port
    ]


@pytest.mark.parametrize(
    "method", ["INVITE", "OPTIONS", "REGISTER", "BYE", "CANCEL", "SUBSCRIBE", "MESSAGE", "FOO"]
)
def test_strangers_are_answered_alike_whoever_they_name_and_leave_nothing_behind(method) -> None:
    site = Site()
    answers = [
        site.send(method, STRANGER, user=user, from_=from_, to=user)
        for user in ("100", "alice", "101", "nobody", "+12125550100")
        for from_ in ("alice", "nobody")
    ]
    assert len({repr(shape(answer)) for answer in answers}) == 1
    assert answers[0].status == 401
    assert site.end.left() == (0, 0, 0)
    assert site.end.received == []
    assert site.core.counters.refused_strangers == 10


def test_a_wrong_password_and_an_unknown_user_look_the_same() -> None:
    site = Site()
    wrong = site.register(password="guess")
    unknown = site.register(username="mallory", password="guess")
    assert shape(wrong) == shape(unknown)
    assert wrong.status == 401
    assert site.core.counters.failed_credentials == 2


def test_wrong_credentials_are_not_excused_by_a_trunk_address() -> None:
    site = Site()
    proof = 'Digest username="alice", realm="example", nonce="x", uri="sip:100@example", response="y"'
    answer = site.send("INVITE", TRUNK, body=OFFER, headers=[("Authorization", proof)])
    assert answer.status == 401
    assert site.end.received == []


def test_the_same_refusal_has_the_same_tag() -> None:
    site = Site()
    tags = {site.send("INVITE", STRANGER, branch="z9hG4bKsame", call_id="same").to_tag for _ in range(3)}
    assert len(tags) == 1


def test_the_ack_to_a_refusal_is_swallowed() -> None:
    site = Site()
    site.send("INVITE", STRANGER, branch="z9hG4bKsame", call_id="same")
    assert site.send("ACK", STRANGER, branch="z9hG4bKsame", call_id="same", to_tag="x") is None


def test_a_flood_from_a_stranger_is_dropped_unread_while_others_are_served() -> None:
    site = Site(limits=Limits(refusals_burst=10, refusals_per_s=1.0))
    answered = [site.send("INVITE", STRANGER) for _ in range(1000)]
    assert sum(answer is not None for answer in answered) == 10
    counters = site.core.counters
    assert counters.dropped_floods + counters.dropped_banned == 990
    assert site.end.left() == (0, 0, 0)
    assert site.send("OPTIONS", TRUNK).status == 200
    assert site.register(PHONE).status == 200
    site.line.run(601)  # the flood was a ban, too
    assert site.send("INVITE", STRANGER) is not None


def test_trunks_are_never_bucketed() -> None:
    site = Site(limits=Limits(refusals_burst=1))
    assert all(site.send("OPTIONS", TRUNK).status == 200 for _ in range(50))


def test_strangers_are_forgotten_in_turn() -> None:
    allowance = Allowance(Limits(max_strangers=100))
    for number in range(10_000):
        assert allowance.spend(f"10.0.{number // 256}.{number % 256}", 0.0)
    assert len(allowance) == 100


def test_rubbish_is_counted_and_answered_only_where_it_can_be() -> None:
    site = Site()
    for rubbish in (b"\x00" * 40, b"hello", b"INVITE sip:x SIP/2.0\r\n\r\n", b"SIP/2.0 200 OK\r\n\r\n"):
        site.core.receive(rubbish, Flow("udp", TRUNK))
    assert site.line.sent == []
    assert site.core.counters.parse_errors == 3
    site.core.receive(b"\r\n\r\n", Flow("udp", TRUNK))
    assert site.core.counters.parse_errors == 3
    assert site.send("INVITE", TRUNK, cseq="many").status == 400


def test_a_response_that_matches_nothing_is_dropped() -> None:
    site = Site()
    stray = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 203.0.113.1;branch=z9hG4bKnone\r\n"
    stray += b"From: <sip:a@b>;tag=1\r\nTo: <sip:x@example>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\r\n"
    site.core.receive(stray, Flow("udp", TRUNK))
    assert site.core.counters.unmatched_responses == 1


def test_a_draining_server_sends_new_calls_elsewhere_and_keeps_the_old() -> None:
    site = Site()
    site.send("INVITE", TRUNK, body=OFFER)
    site.core.load.refusing = True
    answer = site.send("INVITE", TRUNK, body=OFFER)
    assert (answer.status, answer.headers.get("Retry-After")) == (503, "10")
    site.end.received[0].answer(ANSWER)
    assert label(site.line.sent[-1]) == "200 INVITE"
    assert len(site.end.received) == 1


def test_too_many_calls_are_503() -> None:
    site = Site(limits=Limits(max_sessions=2))
    answers = [site.send("INVITE", TRUNK, body=OFFER) for _ in range(3)]
    assert [answer and answer.status for answer in answers] == [None, None, 503]


def test_a_retransmitted_invite_makes_one_call() -> None:
    site = Site()
    for _ in range(3):
        site.send("INVITE", TRUNK, body=OFFER, branch="z9hG4bKsame", call_id="same", cseq=1)
    assert len(site.end.received) == 1
    assert site.core.counters.retransmissions_received == 2


def test_an_invite_that_comes_twice_by_different_ways_is_a_loop() -> None:
    site = Site()
    site.send("INVITE", TRUNK, body=OFFER, call_id="same", cseq=1)
    answer = site.send("INVITE", TRUNK, body=OFFER, call_id="same", cseq=1)
    assert answer.status == 482
    assert len(site.end.received) == 1


def test_an_extension_we_do_not_know_is_420() -> None:
    site = Site()
    answer = site.send("INVITE", TRUNK, body=OFFER, headers=[("Require", "100rel, foo, bar")])
    assert answer.status == 420
    assert answer.headers.all("Unsupported") == ["foo", "bar"]


def test_a_cancel_for_nothing_is_481() -> None:
    assert Site().send("CANCEL", TRUNK).status == 481


def test_options_say_what_we_can_do() -> None:
    answer = Site().send("OPTIONS", TRUNK)
    assert answer.status == 200
    assert "INVITE" in answer.headers.all("Allow")
    assert answer.headers.get("Accept") == "application/sdp"


def test_a_handler_that_fails_is_500_to_the_caller(caplog) -> None:
    site = Site()

    def fail(session) -> None:
        raise RuntimeError("a bug of the application")

    site.end.invite_received = fail
    assert site.send("INVITE", TRUNK, body=OFFER).status == 500
    assert "a bug of the application" in caplog.text


def test_answers_go_back_to_where_the_request_came_from() -> None:
    site = Site()
    sent = []
    site.line.carry = lambda data, source, flow: sent.append((data, flow.remote))
    for branch in ("z9hG4bKa;rport", "z9hG4bKb"):
        lines = [
            "OPTIONS sip:x@example SIP/2.0",
            f"Via: SIP/2.0/UDP 10.1.2.3:5099;branch={branch}",
            "From: <sip:a@b>;tag=1",
            "To: <sip:x@example>",
            "Call-ID: c",
            "CSeq: 1 OPTIONS\r\n\r\n",
        ]
        site.core.receive("\r\n".join(lines).encode(), Flow("udp", TRUNK))
    assert [remote for _, remote in sent] == [TRUNK, Address(TRUNK.host, 5099)]
    assert b"received=192.0.2.77;rport=5060" in sent[0][0] or b"rport=5060;received=192.0.2.77" in sent[0][0]
    assert b"received=192.0.2.77" in sent[1][0]


def test_new_accounts_and_trunks_hold_at_once() -> None:
    site = Site()
    site.register()
    assert site.core.registrar.bindings("alice")
    site.core.reconfigure(replace(site.core._config, accounts={}, trunks=()))
    assert site.core.registrar.bindings("alice") == []
    assert site.send("INVITE", TRUNK).status == 401


def test_an_agents_phone_is_reached_where_it_registered_from_not_where_it_says() -> None:
    site = Site()
    site.register(PHONE, contact="<sip:alice@10.0.0.9:5060>")
    site.send("INVITE", PHONE, body=OFFER, contact="<sip:alice@10.0.0.9:5060>", call_id="nat", cseq=1)
    sent = []
    site.line.carry = lambda data, source, flow: sent.append((data, flow.remote))
    session = site.end.received[0]
    session.answer(ANSWER)
    ok_tag = session.dialog.local_tag
    site.send("ACK", PHONE, call_id="nat", cseq=1, to_tag=ok_tag)
    session.bye()
    assert sent[-1][0].startswith(b"BYE sip:alice@10.0.0.9:5060 ")
    assert sent[-1][1] == PHONE


def test_a_session_for_a_registered_phone_goes_by_its_flow() -> None:
    site = Site()
    site.register(PHONE, contact="<sip:alice@10.0.0.9:5060>")
    (binding,) = site.core.registrar.bindings("alice")
    sent = []
    site.line.carry = lambda data, source, flow: sent.append((data, flow.remote))
    target = InviteTarget(uri=binding.contact_uri, flow=binding.flow, owner=binding.owner)
    site.core.invite(target, offer=OFFER, from_="<sip:+1@example>", to="<sip:alice@example>", on_event=print)
    assert sent[0][1] == PHONE
    assert sent[0][0].startswith(b"INVITE sip:alice@10.0.0.9:5060 SIP/2.0\r\n")


def test_a_trunk_that_challenges_gets_its_credentials_once() -> None:
    line = Line()
    us = make_end(line, HERE.host)
    carrier = make_end(line, "192.0.2.50", trusts="10.0.0.0/8")
    us.call(carrier, credentials=("alice", "wonderland"))
    line.run(0.1)
    assert line.methods()[:4] == ["INVITE", "401 INVITE", "ACK", "INVITE"]
    carrier.received[0].answer(ANSWER)
    line.run(0.1)
    ack = line.sent[-1]
    assert isinstance(ack, Request)
    assert "Authorization" in ack.headers
    _, refused = us.call(carrier, credentials=("alice", "wrong"))
    line.run(0.1)
    assert [event.status for event in refused] == [401]
    assert line.methods().count("INVITE") == 4


def test_who_is_known_by_address_is_asked_for_the_password_where_it_matters() -> None:
    site = Site()
    site.register()
    site.send("INVITE", PHONE, body=OFFER, call_id="costly", cseq=1)
    (session,) = site.end.received
    assert session.identity == FromAgent("alice")
    before = len(site.line.sent)
    site.core.challenge(session)
    refusal = site.line.sent[before]
    assert refusal.status == 407
    site.send("ACK", PHONE, body=b"", call_id="costly", cseq=1)
    for password, identity in (("guess", None), ("wonderland", FromAgent("alice", authenticated=True))):
        proof = authorize(
            refusal.headers.all("Proxy-Authenticate"),
            method="INVITE", uri="sip:100@example", username="alice", password=password,
        )  # fmt: skip
        cseq = 2 if identity is None else 3
        headers = [("Proxy-Authorization", proof)]
        answer = site.send("INVITE", PHONE, body=OFFER, call_id="costly", cseq=cseq, headers=headers)
        if identity is None:
            assert answer.status == 407
            assert len(site.end.received) == 1
        else:
            assert answer is None
            assert site.end.received[-1].identity == identity
