"""Strangers learn nothing, are bounded in number, and are not heard for a while if they go on."""

from dataclasses import replace
from ipaddress import ip_network
from random import Random

import pytest

from sip import digest
from sip.bans import Bans, Rules, is_scanner
from sip.flow import Address, Flow
from sip.guard import Limits
from sip.message import parse
from tests.sip.password import authorize
from tests.sip.wire import Line, make_end

HERE = "192.0.2.1"
STRANGER = Address("198.51.100.9", 5060)


def test_so_many_strikes_make_a_ban_and_each_lasts_longer() -> None:
    bans = Bans(Rules(strikes=3, first_s=100))
    assert [bans.strike("1.2.3.4", "guesses", now) for now in (0, 1, 2)] == [False, False, True]
    assert bans.holds("1.2.3.4", 101)
    assert not bans.holds("1.2.3.4", 102)
    for now in (200, 201, 202):
        bans.strike("1.2.3.4", "guesses", now)
    (ban,) = bans.current(210)
    assert (ban.until, ban.times) == (402, 2)
    assert bans.lift("1.2.3.4", 210)
    assert not bans.lift("1.2.3.4", 210)
    assert not bans.holds("1.2.3.4", 210)


def test_strikes_are_forgotten_in_time_and_some_addresses_have_none() -> None:
    bans = Bans(Rules(strikes=2, allow=(ip_network("10.0.0.0/8"),)))
    assert not bans.strike("1.2.3.4", "x", 0)
    assert not bans.strike("1.2.3.4", "x", 601)
    assert not any(bans.strike("10.1.1.1", "x", 0) for _ in range(9))


def test_the_tables_are_bounded() -> None:
    bans = Bans(Rules(strikes=2, most=100))
    for n in range(10_000):
        host = f"10.{n >> 8 & 255}.{n & 255}.1"
        bans.strike(host, "x", n)
        if n % 2:
            bans.strike(host, "x", n)
    assert len(bans) <= 200


@pytest.mark.parametrize("name", ["friendly-scanner", "sipvicious/0.3", "SIPCLI/v1.8", "sipsak 0.9.8"])
def test_scanners_by_name(name) -> None:
    assert is_scanner(name)
    assert not is_scanner("Linphone/5.1.65")


class Stranger:
    """Asks, and keeps what it is answered."""

    def __init__(self, *, limits: Limits | None = None, address: Address = STRANGER) -> None:
        self.line = Line()
        self.end = make_end(self.line, HERE, trusts="203.0.113.0/24", limits=limits)
        self.address = address
        self.n = 0

    def ask(
        self, method: str, user: str, *, agent: str = "Phone", proof: str = "", at: Address | None = None
    ) -> bytes:
        self.n += 1
        lines = [
            f"{method} sip:{user}@example SIP/2.0",
            f"Via: SIP/2.0/UDP {self.address};branch=z9hG4bK{self.n};rport",
            f"From: <sip:{user}@example>;tag=f",
            f"To: <sip:{user}@example>",
            f"Call-ID: {self.n}",
            f"CSeq: 1 {method}",
            "Max-Forwards: 70",
            f"User-Agent: {agent}",
            *([f"Authorization: {proof}"] if proof else []),
        ]
        before = len(self.line.sent)
        data = "\r\n".join(lines).encode() + b"\r\n\r\n"
        self.end.core.receive(data, Flow("udp", at or self.address))
        return b"".join(message.encode() for message in self.line.sent[before:])

    def guess(self, user: str, method: str = "REGISTER") -> bytes:
        challenges = parse(self.ask(method, user)).headers.all("WWW-Authenticate")
        proof = authorize(challenges, method=method, uri=f"sip:{user}@example", username=user, password="x")
        return self.ask(method, user, proof=proof or "")


def without_chance(answer: bytes, user: str) -> str:
    """An answer without what differs between any two: nonce, tags, ids, and the name that was asked for."""
    response = parse(answer)
    kept = [f"{response.status} {response.reason}"]
    for name, value in response.headers:
        if name in ("Via", "Call-ID"):
            continue
        value = value.replace(user, "USER")
        for part in ('nonce="', "tag="):
            head, found, tail = value.partition(part)
            value = head + found + ("" if not found else tail.partition('"' if "nonce" in part else ";")[2])
        kept.append(f"{name}: {value}")
    return "\n".join(kept)


@pytest.mark.parametrize("method", ["REGISTER", "INVITE", "OPTIONS", "SUBSCRIBE", "MESSAGE", "BYE"])
def test_who_exists_is_answered_as_who_does_not(method) -> None:
    stranger = Stranger()
    assert without_chance(stranger.ask(method, "alice"), "alice") == without_chance(
        stranger.ask(method, "nobody"), "nobody"
    )
    assert without_chance(stranger.guess("alice", method), "alice") == without_chance(
        stranger.guess("nobody", method), "nobody"
    )


def test_who_exists_costs_the_same_work() -> None:
    """As many digests are computed for a name that does not exist: time tells nothing either."""
    counted = []
    server = digest.Server("example", b"secret")

    def password_of(name: str) -> str | None:
        counted.append(name)
        return {"alice": "wonderland"}.get(name)

    for user in ("alice", "nobody"):
        proof = authorize(server.challenges(0), method="REGISTER", uri="sip:x", username=user, password="no")
        verdict = server.verify([proof or ""], method="REGISTER", uri="sip:x", password_of=password_of, now=1)
        assert verdict.verdict is digest.Verdict.WRONG
    assert counted == ["alice", "nobody"]


def test_guessing_ends_in_silence() -> None:
    stranger = Stranger()
    answers = [bool(stranger.guess(f"{100 + n}")) for n in range(10)]
    assert all(answers)
    assert stranger.ask("REGISTER", "alice") == b""
    assert stranger.end.core.counters.failed_credentials == 10
    assert stranger.end.core.counters.dropped_banned == 1
    assert not stranger.end.core.admits(STRANGER.host, 0, 0), "nor a connection"
    stranger.line.run(601)
    assert stranger.ask("REGISTER", "alice")


def test_scanners_get_nothing_and_are_banned() -> None:
    stranger = Stranger()
    assert [stranger.ask("OPTIONS", "100", agent="friendly-scanner") for _ in range(12)] == [b""] * 12
    assert stranger.end.core.counters.dropped_scanners == 10
    assert stranger.ask("REGISTER", "alice") == b"", "whatever it calls itself now"


def test_a_trunk_is_neither_banned_nor_bucketed() -> None:
    trunk = Stranger(
        address=Address("203.0.113.5", 5060), limits=Limits(refusals_burst=1, refusals_per_s=0.001)
    )
    for n in range(40):
        assert trunk.guess(f"{n}")
        assert trunk.ask("OPTIONS", "x", agent="friendly-scanner")


def test_an_allowed_address_is_not_banned() -> None:
    stranger = Stranger()
    config = stranger.end.core._config
    stranger.end.core.reconfigure(replace(config, bans=Rules(allow=(ip_network("198.51.100.0/24"),))))
    for n in range(20):
        assert stranger.guess(f"{n}")


def test_nothing_that_strangers_send_is_remembered() -> None:
    """Twenty thousand messages of every kind from as many addresses: counts, not megabytes."""
    stranger = Stranger(limits=Limits(max_strangers=500))
    core, random = stranger.end.core, Random(1)
    core.reconfigure(replace(core._config, bans=Rules(most=500)))
    stranger.line.carry = lambda data, source, flow: None  # type: ignore[method-assign]
    for n in range(20_000):
        source = Address(f"100.{random.randrange(64)}.{random.randrange(256)}.{random.randrange(256)}", 5060)
        method = random.choice(["INVITE", "REGISTER", "OPTIONS", "BYE", "CANCEL", "ACK", "SUBSCRIBE"])
        agent = random.choice(["Phone", "friendly-scanner"])
        stranger.ask(method, f"{n}", agent=agent, at=source, proof="" if n % 3 else 'Digest realm="example"')
    assert stranger.end.left() == (0, 0, 0)
    assert len(core.endpoint.queue) == 0
    assert len(core._allowance) <= 500
    assert len(core.bans) <= 1000
    assert len(core.registrar) == 0
    assert len(core._nonces._uses) == 0
    assert not core.endpoint.incoming
