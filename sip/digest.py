"""Digest authentication, both sides (RFC 7616, RFC 8760; RFC 2617 and 2069 for older phones).

Theory of operation. *Server*: a nonce carries when it was made and is signed, so a challenge costs no
memory, however many strangers ask. Only credentials that proved right leave a trace: which nonce
counts of their nonce were used (a window of 64, since UDP reorders). A count seen before is a replay.
A client that knows no ``qop`` has no counts; its nonce serves once. The traces are bounded: when the
oldest nonce is forgotten, every nonce as old counts as stale, so forgetting never admits a replay.

All challenges of one refusal share a nonce: phones that keep only the last header still answer right.
SHA-256 stands first (RFC 8760 §2.4: a client takes the topmost that it knows).

*Client*: :class:`Client` keeps a nonce and counts its uses, so that every later request is
authorized at once; :func:`authorize` answers a single challenge.

No clock is read: ``now`` comes in, in seconds. Its origin must not change while a secret lives: where
``now`` starts afresh with the process, so must the secret.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import struct
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from sip.errors import SipError
from sip.headers import Challenge, Credentials
from sip.uri import URI

NONCE_LIFETIME_S = 300.0
MAX_NONCES = 20_000
WINDOW = 64

_HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
_OFFERED = ("SHA-256", "MD5")
_STAMP = struct.Struct("!Q8s")  # microseconds, salt
_SIGNATURE_BYTES = 16


def _hash(algorithm: str, text: str | bytes) -> str:
    data = text.encode() if isinstance(text, str) else text
    return _HASHES[algorithm](data, usedforsecurity=False).hexdigest()


def response_digest(
    *,
    algorithm: str,
    username: str,
    realm: str,
    password: str,
    method: str,
    uri: str,
    nonce: str,
    qop: str | None = None,
    nonce_count: str = "",
    cnonce: str = "",
    body: bytes = b"",
) -> str:
    """The ``response`` of RFC 7616 §3.4.1; without ``qop`` that of RFC 2069."""
    name = algorithm.upper().removesuffix("-SESS")
    secret = _hash(name, f"{username}:{realm}:{password}")
    if name != algorithm.upper():
        secret = _hash(name, f"{secret}:{nonce}:{cnonce}")
    request = f"{method}:{uri}"
    if qop == "auth-int":
        request += f":{_hash(name, body)}"
    request = _hash(name, request)
    if qop is None:
        return _hash(name, f"{secret}:{nonce}:{request}")
    return _hash(name, f"{secret}:{nonce}:{nonce_count}:{cnonce}:{qop}:{request}")


class Verdict(Enum):
    """What became of a request's credentials."""

    ACCEPTED = "accepted"
    ABSENT = "no digest credentials for this realm"
    STALE = "right or wrong, the nonce is used up: challenge again with stale=true"
    WRONG = "wrong name, password, address or nonce"


@dataclass(frozen=True, slots=True)
class Verification:
    """The verdict, and the user name given (only ACCEPTED proves it)."""

    verdict: Verdict
    username: str | None = None

    def __bool__(self) -> bool:
        return self.verdict is Verdict.ACCEPTED


@dataclass(slots=True)
class _Uses:
    """The nonce counts seen of one nonce: bit 0 is the highest, bit n the n-th below."""

    highest: int = 0
    seen: int = 0

    def take(self, count: int) -> bool:
        """Note a use; False if it was noted before, or lies too far back to know."""
        if count > self.highest:
            shift = count - self.highest
            self.seen = 1 if shift >= WINDOW else ((self.seen << shift) | 1) & ((1 << WINDOW) - 1)
            self.highest = count
            return True
        bit = 1 << (self.highest - count)
        if self.highest - count >= WINDOW or self.seen & bit:
            return False
        self.seen |= bit
        return True


class Server:
    """Challenges, and judges the credentials that come back."""

    def __init__(
        self,
        realm: str,
        secret: bytes,
        *,
        lifetime_s: float = NONCE_LIFETIME_S,
        max_nonces: int = MAX_NONCES,
    ) -> None:
        if not secret:
            raise ValueError("a digest server needs a secret to sign its nonces with")
        self.realm = realm
        self._key = hashlib.sha256(secret).digest()
        self._lifetime_us = int(lifetime_s * 1e6)
        self._max_nonces = max_nonces
        self._uses: OrderedDict[str, _Uses] = OrderedDict()  # by nonce, in order of first use
        self._forgotten_until_us = -1

    def challenges(self, now: float, *, stale: bool = False) -> list[str]:
        """The values of the WWW-Authenticate (or Proxy-Authenticate) headers, strongest first."""
        nonce = self._nonce(now)
        params = {"realm": self.realm, "nonce": nonce, "qop": "auth"}
        if stale:
            params["stale"] = "true"
        return [str(Challenge("digest", {**params, "algorithm": name})) for name in _OFFERED]

    def verify(
        self,
        values: Iterable[str],
        *,
        method: str,
        uri: str,
        password_of: Callable[[str], str | None],
        now: float,
    ) -> Verification:
        """Judge the Authorization headers of a request.

        An unknown user costs the same work and gets the same verdict as a wrong password.
        """
        credentials = self._ours(values)
        if credentials is None:
            return Verification(Verdict.ABSENT)
        given = credentials.params
        username = given.get("username", "")
        password = password_of(username)
        proved = self._proves(credentials, method, uri, username, password or "")
        made_us = self._made_us(given.get("nonce", ""))
        if made_us is None or not proved or password is None:
            return Verification(Verdict.WRONG, username)
        if not self._is_fresh(made_us, now) or not self._take(given["nonce"], given.get("nc"), made_us, now):
            return Verification(Verdict.STALE, username)
        return Verification(Verdict.ACCEPTED, username)

    def _ours(self, values: Iterable[str]) -> Credentials | None:
        for value in values:
            try:
                credentials = Credentials.parse(value)
            except SipError:
                continue
            if credentials.scheme == "digest" and credentials.params.get("realm") == self.realm:
                return credentials
        return None

    def _proves(self, credentials: Credentials, method: str, uri: str, username: str, password: str) -> bool:
        given = credentials.params
        algorithm = given.get("algorithm", "MD5").upper()
        qop = given.get("qop")
        if algorithm not in _HASHES or qop not in (None, "auth"):
            return False
        if (qop is None) != ("nc" not in given):
            return False
        expected = response_digest(
            algorithm=algorithm,
            username=username,
            realm=self.realm,
            password=password,
            method=method,
            uri=given.get("uri", ""),
            nonce=given.get("nonce", ""),
            qop=qop,
            nonce_count=given.get("nc", ""),
            cnonce=given.get("cnonce", ""),
        )
        proved = hmac.compare_digest(expected.encode(), given.get("response", "").lower().encode())
        return proved and _same_resource(given.get("uri", ""), uri)

    def _nonce(self, now: float) -> str:
        stamp = _STAMP.pack(max(0, int(now * 1e6)), secrets.token_bytes(8))
        return base64.urlsafe_b64encode(stamp + self._signature(stamp)).decode().rstrip("=")

    def _signature(self, stamp: bytes) -> bytes:
        return hmac.digest(self._key, stamp + self.realm.encode(), "sha256")[:_SIGNATURE_BYTES]

    def _made_us(self, nonce: str) -> int | None:
        """When we made it; None for a nonce that is not ours."""
        try:
            raw = base64.urlsafe_b64decode(nonce + "=" * (-len(nonce) % 4))
        except ValueError:
            return None
        stamp = raw[: _STAMP.size]
        if len(raw) != _STAMP.size + _SIGNATURE_BYTES:
            return None
        if not hmac.compare_digest(self._signature(stamp), raw[_STAMP.size :]):
            return None
        made_us: int = _STAMP.unpack(stamp)[0]
        return made_us

    def _is_fresh(self, made_us: int, now: float) -> bool:
        return 0 <= now * 1e6 - made_us + 1 <= self._lifetime_us  # 1: rounding

    def _take(self, nonce: str, count: str | None, made_us: int, now: float) -> bool:
        """Note one use of a nonce; False if it is a replay, or the nonce is too old to tell."""
        uses = self._uses.get(nonce)
        if uses is None:
            if made_us <= self._forgotten_until_us:
                return False
            self._forget_old(now)
            uses = self._uses[nonce] = _Uses()
        if count is None:  # RFC 2069: a nonce serves once, and never beside counted uses
            return uses.highest == 0 and uses.take(2**32)
        try:
            number = int(count, 16)
        except ValueError:
            return False
        return 0 < number < 2**32 and uses.take(number)

    def _forget_old(self, now: float) -> None:
        while self._uses:
            oldest = next(iter(self._uses))
            made_us = self._made_us(oldest) or 0
            if len(self._uses) < self._max_nonces and self._is_fresh(made_us, now):
                return
            del self._uses[oldest]
            self._forgotten_until_us = max(self._forgotten_until_us, made_us)


def _same_resource(claimed: str, requested: str) -> bool:
    """Whether the digest's ``uri`` is the Request-URI's user and host.

    Ports and parameters are not compared: phones (pyVoIP, some desk phones) write them in one only.
    """
    if claimed == requested:
        return True
    try:
        ours, theirs = URI.parse(requested), URI.parse(claimed)
    except SipError:
        return False
    return (ours.scheme, ours.user, ours.host.lower()) == (theirs.scheme, theirs.user, theirs.host.lower())


class Client:
    """One account's credentials towards one server, over as many requests as are sent."""

    def __init__(self, username: str, password: str) -> None:
        self._username = username
        self._password = password
        self._challenge: Challenge | None = None
        self._count = 0
        self._proved = False

    def challenged(self, values: Sequence[str]) -> bool:
        """Take a 401's or 407's challenges; False if asking again would be refused again.

        That is so where nothing offered can be answered, or where an answer to a nonce's first use
        was refused and the server does not call it stale: the password is wrong.
        """
        challenge = _choose(values)
        if challenge is None:
            return False
        stale = challenge.params.get("stale", "").lower() == "true"
        refused = self._count == 1 and not self._proved and not stale
        self._challenge = None if refused else challenge
        self._count = 0
        self._proved = False
        return not refused

    def accepted(self) -> None:
        """The server took our credentials: a later refusal is then no proof of a wrong password."""
        self._proved = True

    def authorization(
        self, *, method: str, uri: str, body: bytes = b"", cnonce: str | None = None
    ) -> str | None:
        """The value of Authorization for the next request; None before any challenge."""
        if self._challenge is None:
            return None
        self._count += 1
        return _proof(
            self._challenge,
            method=method,
            uri=uri,
            username=self._username,
            password=self._password,
            body=body,
            count=self._count,
            cnonce=cnonce,
        )


def _choose(values: Sequence[str]) -> Challenge | None:
    """The topmost challenge that we know how to answer (RFC 8760 §2.4)."""
    for value in values:
        try:
            challenge = Challenge.parse(value)
        except SipError:
            continue
        name = challenge.params.get("algorithm", "MD5").upper().removesuffix("-SESS")
        offered = _qops(challenge)
        if (
            challenge.scheme == "digest"
            and name in _HASHES
            and {"realm", "nonce"} <= challenge.params.keys()
            and (not offered or offered & {"auth", "auth-int"})
        ):
            return challenge
    return None


def _qops(challenge: Challenge) -> set[str]:
    return {qop.strip().lower() for qop in challenge.params.get("qop", "").split(",")} - {""}


def _proof(
    challenge: Challenge,
    *,
    method: str,
    uri: str,
    username: str,
    password: str,
    body: bytes,
    count: int,
    cnonce: str | None,
) -> str:
    params = challenge.params
    offered = _qops(challenge)
    qop = None if not offered else "auth" if "auth" in offered else "auth-int"
    algorithm = params.get("algorithm", "MD5")
    cnonce = cnonce or secrets.token_hex(8)
    nonce_count = f"{count:08x}"
    answer = {
        "username": username,
        "realm": params["realm"],
        "nonce": params["nonce"],
        "uri": uri,
        "response": response_digest(
            algorithm=algorithm,
            username=username,
            realm=params["realm"],
            password=password,
            method=method,
            uri=uri,
            nonce=params["nonce"],
            qop=qop,
            nonce_count=nonce_count,
            cnonce=cnonce,
            body=body,
        ),
    }
    if "algorithm" in params:
        answer["algorithm"] = algorithm
    if qop is not None:
        answer |= {"qop": qop, "nc": nonce_count, "cnonce": cnonce}
    elif algorithm.upper().endswith("-SESS"):
        answer["cnonce"] = cnonce
    if "opaque" in params:
        answer["opaque"] = params["opaque"]
    return str(Credentials("digest", answer))
