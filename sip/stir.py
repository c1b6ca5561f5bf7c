"""STIR/SHAKEN: whether the caller's number is the caller's (RFC 8224, RFC 8225, RFC 8588; ATIS-1000074).

An ``Identity`` header holds a PASSporT: a signed token (JWS, RFC 7515) in which the caller's carrier
attests to the number, *A* (the customer is known and may use it), *B* (the customer is known) or *C*
(it came by this gateway). :func:`verify` checks what RFC 8224 §6.2 asks for: the signature by the
certificate that the header names, a chain to a root that is trusted, freshness, and that the token's
numbers are the call's; else anybody could attach an old token to a new call.

Certificates are given, never fetched: a call does not wait for a stranger's web server. A carrier that
verified for us says so in ``verstat`` (:func:`carrier_verdict`), and is believed if it is trusted.
"""

import base64
import binascii
import itertools
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from sip.headers import NameAddr

FRESH_S = 60  # RFC 8224 §6.2.2 step 4
LONGEST_CHAIN = 4

_INFO = re.compile(r"\binfo\s*=\s*<([^>]*)>", re.IGNORECASE)
_NOT_A_DIGIT = re.compile(r"[^0-9]")


class Attestation(StrEnum):
    FULL = "A"
    PARTIAL = "B"
    GATEWAY = "C"


class StirError(Exception):
    """The token does not prove the number; the text says why."""


@dataclass(frozen=True, slots=True)
class Passport:
    """What a token claims. Only :func:`verify` says whether that is true."""

    attestation: Attestation
    caller: str  # digits alone, as RFC 8224 §8.3 compares them
    called: tuple[str, ...]
    issued_at: int
    origin_id: str
    certificate_url: str
    signed: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Verdict:
    """``attestation`` is "A", "B", "C", "failed" or "" (nothing was said); ``because`` in words."""

    attestation: str = ""
    because: str = ""


def parse_identity(value: str) -> Passport:
    """The token of one Identity header. Raises StirError."""
    token, _, params = value.partition(";")
    info = _INFO.search(params)
    parts = token.strip().split(".")
    if len(parts) != 3:
        raise StirError(f"a token of {len(parts)} parts, not 3")  # the compact form is not SHAKEN's
    header, claims = _json(parts[0]), _json(parts[1])
    algorithm, kind = header.get("alg"), header.get("ppt")
    if (algorithm, kind) != ("ES256", "shaken"):
        raise StirError(f"alg {algorithm} and ppt {kind}, not ES256 and shaken")
    url = header.get("x5u")
    if not isinstance(url, str) or (info is not None and info[1] != url):
        raise StirError("the header's info and the token's x5u name different certificates")
    try:
        return Passport(
            attestation=Attestation(claims["attest"]),
            caller=_digits(claims["orig"]["tn"]),
            called=tuple(_digits(number) for number in claims["dest"]["tn"]),
            issued_at=int(claims["iat"]),
            origin_id=str(claims.get("origid", "")),
            certificate_url=url,
            signed=f"{parts[0]}.{parts[1]}".encode(),
            signature=_bytes(parts[2]),
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        raise StirError("the token lacks a claim, or one is malformed") from None


def verify(
    passport: Passport,
    *,
    caller: str,
    called: str,
    now: float,
    chain_of: Callable[[str], Sequence[x509.Certificate]],
    roots: Sequence[x509.Certificate],
) -> None:
    """Raises StirError, with the reason, unless the token proves that ``caller`` calls ``called``.

    ``chain_of`` gives the certificates known for a URL, the signer's first; none if it is not known.
    ``now`` is in seconds since 1970.
    """
    age_s = now - passport.issued_at
    if not -FRESH_S <= age_s <= FRESH_S:
        raise StirError(f"the token is {age_s:.0f} s old, at most {FRESH_S}")
    if passport.caller != _digits(caller):
        raise StirError("the token is for another caller")
    if _digits(called) not in passport.called:
        raise StirError("the token is for another number called")
    chain = chain_of(passport.certificate_url)
    if not chain:
        raise StirError("the signer's certificate is not known here")
    _check_chain(chain[:LONGEST_CHAIN], roots, now)
    key = chain[0].public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or len(passport.signature) != 64:
        raise StirError("the signature is not one of ES256")
    r, s = (int.from_bytes(half) for half in (passport.signature[:32], passport.signature[32:]))
    try:
        key.verify(encode_dss_signature(r, s), passport.signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise StirError("the signature is wrong") from None


def carrier_verdict(asserted: NameAddr | None, indicator: str | None) -> str | None:
    """What the carrier found out: "passed", "failed", or the letter that it gives in
    ``P-Attestation-Indicator``; None if it says nothing (ATIS-1000074 §5.3, 3GPP TS 24.229 §7.2A.20)."""
    if asserted is None:
        return None
    verstat = asserted.uri.params.get("verstat") or asserted.params.get("verstat")
    match (verstat or "").lower().partition("-passed")[0::2]:
        case ("tn-validation", letter):
            named = letter.removeprefix("-").upper() or (indicator or "").strip().upper()
            return named if named in {*Attestation} else "passed"
        case (other, _) if other.startswith("tn-validation-failed"):
            return "failed"
    return None


def _check_chain(chain: Sequence[x509.Certificate], roots: Sequence[x509.Certificate], now: float) -> None:
    for certificate in chain:
        first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if not first.timestamp() <= now <= last.timestamp():
            raise StirError("a certificate of the chain has expired, or is not valid yet")
    for subject, issuer in itertools.pairwise(chain):
        if not _issued(subject, issuer):
            raise StirError("the chain of certificates is broken")
    if not any(root == chain[-1] or _issued(chain[-1], root) for root in roots):
        raise StirError("the chain of certificates ends at no root that is trusted")


def _issued(subject: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints)
        subject.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    return constraints.value.ca


def _json(part: str) -> dict[str, Any]:
    try:
        value = json.loads(_bytes(part))
    except (ValueError, RecursionError):
        raise StirError("the token is no JSON") from None
    if not isinstance(value, dict):
        raise StirError("the token is no JSON object")
    return value


def _bytes(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise StirError("the token is not base64url") from None


def _digits(number: Any) -> str:
    if not isinstance(number, str):
        raise TypeError(f"a telephone number is text, not {type(number).__name__}")
    return _NOT_A_DIGIT.sub("", number)
