"""Trunks on virtual time: registering, refreshing, health with hysteresis, failover to the next hop."""

import itertools
from dataclasses import replace

import pytest

from sip import digest
from sip.client_session import Attempt, InviteTarget
from sip.flow import Address, Flow
from sip.invite import Answered, Rejected
from sip.locate import Hop
from sip.message import Request, parse, response_to
from sip.registration import RegistrationState
from sip.trunk import Trunk
from sip.trunk_line import Health
from tests.sip.wire import ANSWER, OFFER, Line, make_end

HERE, CARRIER, SECOND = "192.0.2.1", Address("192.0.2.50", 5060), Address("192.0.2.51", 5060)
TRUNK = Trunk(
    name="carrier",
    host="sip.carrier.example",
    username="acme",
    password="secret",
    register=True,
    expires_s=600,
)


class Carrier:
    """What stands at an address of the carrier: asks for a digest, and answers as it is told to."""

    def __init__(
        self, line: Line, address: Address, *, password: str = "secret", algorithm: str = "SHA-256"
    ) -> None:
        self.line = line
        self.address = address
        self.password = password
        self.algorithm = algorithm
        self.server = digest.Server("carrier", b"a secret of the carrier", lifetime_s=3600)
        self.asked: list[Request] = []
        self.answer: dict[str, list[tuple[int, list[tuple[str, str]]]]] = {}
        self.silent = False
        line.ends[address] = self

    @property
    def core(self) -> "Carrier":
        return self

    def receive(self, data: bytes, flow: Flow) -> None:
        message = parse(data)
        if not isinstance(message, Request) or message.method == "ACK" or self.silent:
            return
        if message.method == "REGISTER" and not self._knows(message):
            self._reply(message, flow, 401, self._challenges(self.line.now))
            return
        self.asked.append(message)
        status, headers = (
            self.answer.get(message.method, []).pop(0) if self.answer.get(message.method) else (200, [])
        )
        self._reply(message, flow, status, headers)

    def _challenges(self, now: float) -> list[tuple[str, str]]:
        return [("WWW-Authenticate", c) for c in self.server.challenges(now) if self.algorithm in c]

    def _knows(self, request: Request) -> bool:
        return bool(
            self.server.verify(
                request.headers.all("Authorization"),
                method="REGISTER",
                uri=request.uri,
                password_of=lambda name: self.password,
                now=self.line.now,
            )
        )

    def _reply(self, request: Request, flow: Flow, status: int, headers) -> None:
        if request.method == "INVITE" and status == 200:
            headers = [*headers, ("Contact", f"<sip:x@{self.address}>")]
        body = ANSWER if request.method == "INVITE" and status == 200 else b""
        response = response_to(
            request, status, to_tag="c", headers=headers, body=body, content_type="application/sdp"
        )
        self.line.carry(response.encode(), self.address, Flow("udp", flow.remote))

    def expires_asked(self) -> list[str]:
        return [r.headers.get("Expires") for r in self.asked if r.method == "REGISTER"]


def begin(trunk: Trunk = TRUNK, hops=(CARRIER,), transport="udp"):
    line = Line(
        hops={"sip.carrier.example": [Hop(transport, address, "sip.carrier.example") for address in hops]}
    )
    end = make_end(line, HERE)
    end.core.reconfigure(replace(end.core._config, trunks=(trunk,)))
    return line, end


def state(end) -> RegistrationState:
    return end.core.lines.get("carrier").registration.state


def test_registers_with_a_digest_and_refreshes_in_time_with_the_nonce_counted() -> None:
    line, end = begin()
    carrier = Carrier(line, CARRIER)
    line.run(1)
    assert state(end) is RegistrationState.REGISTERED
    first = carrier.asked[0]
    assert (first.uri, str(first.to)) == ("sip:sip.carrier.example", "<sip:acme@sip.carrier.example>")
    assert first.headers.get("Contact") == "<sip:acme@192.0.2.1:5060>"
    line.run(300)  # half of 600
    assert len(carrier.asked) == 2
    second = carrier.asked[1]
    assert second.call_id == first.call_id
    assert second.cseq.number == first.cseq.number + 1, "no challenge in between: the nonce was used again"
    assert "nc=00000002" in second.headers.get("Authorization")


def test_a_nonce_that_went_stale_is_replaced() -> None:
    line, end = begin()
    carrier = Carrier(line, CARRIER)
    line.run(301)
    carrier.server = digest.Server("carrier", b"a secret of the carrier", lifetime_s=1)
    line.run(300)
    assert len(carrier.asked) == 3
    assert state(end) is RegistrationState.REGISTERED


def test_what_the_carrier_grants_counts() -> None:
    line, _ = begin()
    carrier = Carrier(line, CARRIER)
    ours = "<sip:acme@192.0.2.1:5060>;expires=120"
    carrier.answer["REGISTER"] = [
        (200, [("Contact", f"<sip:else@192.0.2.9>;expires=9, {ours}"), ("Expires", "7")])
    ]
    line.run(59)
    assert len(carrier.asked) == 1
    line.run(2)
    assert len(carrier.asked) == 2


def test_too_brief_is_asked_again_with_what_is_the_least() -> None:
    line, end = begin()
    carrier = Carrier(line, CARRIER)
    carrier.answer["REGISTER"] = [(423, [("Min-Expires", "1800")])]
    line.run(1)
    assert carrier.expires_asked() == ["600", "1800"]
    assert state(end) is RegistrationState.REGISTERED


def test_a_wrong_password_waits_longer_each_time() -> None:
    line, end = begin()
    carrier = Carrier(line, CARRIER, password="other")
    tries = []
    for _ in range(4000):
        before = len(line.sent)
        line.run(1)
        if any(isinstance(m, Request) and "Authorization" not in m.headers for m in line.sent[before:]):
            tries.append(line.now)
    assert state(end) is RegistrationState.FAILED
    assert end.core.lines.get("carrier").registration.problem == "401 Unauthorized"
    pauses = [later - sooner for sooner, later in itertools.pairwise(tries)]
    for n, pause in enumerate(pauses):
        longest = min(1800, 30 * 2**n)
        assert longest / 2 - 1 <= pause <= longest + 2
    carrier.password = "secret"
    line.run(1900)
    assert state(end) is RegistrationState.REGISTERED


def test_retry_after_is_waited_for() -> None:
    line, end = begin()
    carrier = Carrier(line, CARRIER)
    carrier.answer["REGISTER"] = [(500, [("Retry-After", "500 (soon)")])]
    line.run(499)
    assert len(carrier.asked) == 1
    line.run(3)
    assert state(end) is RegistrationState.REGISTERED


@pytest.mark.parametrize("fault", ["silent", "unreachable", "503"])
def test_the_next_hop_is_tried(fault) -> None:
    line, end = begin(hops=(CARRIER, SECOND))
    first, second = Carrier(line, CARRIER), Carrier(line, SECOND)
    first.silent = fault == "silent"
    if fault == "unreachable":
        line.dead.add(CARRIER)
    first.answer["REGISTER"] = [(503, [])]
    line.run(33)
    assert state(end) is RegistrationState.REGISTERED
    assert len(second.asked) == 1
    line.run(310)
    assert len(second.asked) == 2, "stays where it is registered"


def test_a_reload_takes_a_binding_back_and_leaves_the_others_alone() -> None:
    line, end = begin()
    carrier = Carrier(line, CARRIER)
    line.run(1)
    end.core.reconfigure(replace(end.core._config, trunks=(TRUNK, Trunk(name="other", host="192.0.2.99"))))
    line.run(1)
    assert carrier.expires_asked() == ["600"]
    end.core.reconfigure(replace(end.core._config, trunks=()))
    line.run(100)
    assert carrier.expires_asked() == ["600", "0"]
    assert end.core.lines.status() == []
    line.run(2000)
    assert len(carrier.asked) == 2
    assert end.left() == (0, 0, 0)


def test_calls_from_where_we_are_registered_are_the_trunks() -> None:
    line, end = begin()
    Carrier(line, CARRIER)
    line.run(1)
    assert end.core._trunk_at(CARRIER.host) == "carrier"
    assert end.core._trunk_at("198.51.100.1") is None


def test_a_lost_connection_is_registered_again() -> None:
    line, end = begin(replace(TRUNK, transport="tcp"), transport="tcp")
    carrier = Carrier(line, CARRIER)
    line.run(1)
    assert 'reg-id=1;+sip.instance="<urn:uuid:' in carrier.asked[0].headers.get("Contact")
    end.core.flow_closed(Flow("tcp", CARRIER, 0, 7))
    assert state(end) is RegistrationState.FAILED
    line.run(31)
    assert state(end) is RegistrationState.REGISTERED


def test_hysteresis() -> None:
    health = Health()
    assert [(health.heard(well), health.up) for well in (False, True, False, False, True, False, True, True)] == [
        (False, True), (False, True), (False, True), (True, False),
        (False, False), (False, False), (False, False), (True, True),
    ]  # fmt: skip


PROBED = Trunk(name="carrier", host="sip.carrier.example", probe_s=60)


def test_options_take_a_hop_down_and_bring_it_back() -> None:
    line, end = begin(PROBED, hops=(CARRIER, SECOND))
    first, second = Carrier(line, CARRIER), Carrier(line, SECOND)
    changes = []
    line.run(1)
    trunk = end.core.lines.get("carrier")
    end.core.lines.on_change = lambda: changes.append([up for _, up in trunk.status().hops])
    assert trunk.up
    second.answer["OPTIONS"] = [(404, []), (486, [])]  # somebody is there
    first.silent = True
    line.run(200)
    assert [flow.remote for flow in trunk.flows()] == [SECOND, CARRIER]
    assert trunk.up
    second.answer["OPTIONS"] = [(503, []), (503, [])]
    line.run(130)
    assert not trunk.up
    assert [flow.remote for flow in trunk.flows()] == [CARRIER, SECOND], "then all of them, in order"
    first.silent = False
    line.run(200)
    assert trunk.up
    assert changes[0] == [False, True]


def call(end, *addresses: Address):
    events: list = []
    attempts = [
        Attempt(
            target=InviteTarget(uri=f"sip:+12125550100@{address}", flow=Flow("udp", address)),
            from_=f"<sip:{n}@example>",
            to="<sip:100@example>",
        )
        for n, address in enumerate(addresses)
    ]
    first = attempts[0]
    session = end.core.invite(
        first.target,
        offer=OFFER,
        from_=first.from_,
        to=first.to,
        fallbacks=attempts[1:],
        on_event=events.append,
    )
    return session, events


@pytest.mark.parametrize("fault", ["silent", "unreachable", "503"])
def test_a_call_goes_on_to_the_next_trunk(fault) -> None:
    line, end = begin(PROBED, hops=(CARRIER,))
    first, second = Carrier(line, CARRIER), Carrier(line, SECOND)
    line.run(1)
    first.silent = fault == "silent"
    if fault == "unreachable":
        line.dead.add(CARRIER)
    first.answer["INVITE"] = [(503, [])]
    session, events = call(end, CARRIER, SECOND)
    line.run(40)
    assert events == [Answered(ANSWER)]
    invites = [
        message for message in line.sent if isinstance(message, Request) and message.method == "INVITE"
    ]
    assert {(message.call_id, message.from_tag) for message in invites} == {
        (session.sip_call_id, invites[0].from_tag)
    }
    assert str(second.asked[-1].from_).startswith("<sip:1@example>")
    assert len({message.branch for message in invites}) == 2
    session.bye()
    line.run(40)
    assert end.left()[:2] == (0, 0)


def test_a_refusal_that_is_meant_is_not_tried_elsewhere() -> None:
    line, end = begin(PROBED)
    first, second = Carrier(line, CARRIER), Carrier(line, SECOND)
    first.answer["INVITE"] = [(486, [])]
    _, events = call(end, CARRIER, SECOND)
    line.run(5)
    assert [(type(event), event.status) for event in events] == [(Rejected, 486)]
    assert not second.asked


def test_when_nobody_is_left_the_last_refusal_stands() -> None:
    line, end = begin(PROBED)
    line.dead |= {CARRIER, SECOND}
    _, events = call(end, CARRIER, SECOND)
    line.run(5)
    assert [(type(event), event.status) for event in events] == [(Rejected, 503)]


def test_a_cancelled_call_tries_nobody_else() -> None:
    line, end = begin(PROBED)
    first, second = Carrier(line, CARRIER), Carrier(line, SECOND)
    first.silent = True
    session, _ = call(end, CARRIER, SECOND)
    line.run(1)
    session.cancel()
    line.run(100)
    assert not second.asked
    assert end.left() == (0, 0, 0)
