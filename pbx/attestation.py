"""How far a caller's number is to be believed: STIR/SHAKEN's verdict on one call.

Our own check of the signature beats what the carrier says. Without certificates (``stir.roots``) or
where the signer's is not known, the carrier's ``verstat`` counts, from a trunk that is trusted with it.
A signature that is wrong is "failed"; one that cannot be checked proves nothing either way.
"""

import logging
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509

from pbx.config.stir import Stir
from sip.errors import SipError
from sip.headers import NameAddr
from sip.message import Request
from sip.stir import StirError, Verdict, carrier_verdict, parse_identity, verify

log = logging.getLogger(__name__)

MOST_IDENTITIES = 4


class Certificates:
    """What the admin has put in place. Read at start and at a reload, never during a call."""

    def __init__(self, config: Stir, folder: Path) -> None:
        self.roots = _read(folder / config.roots) if config.roots else []
        self._by_name: dict[str, Sequence[x509.Certificate]] = {}
        if config.certificates:
            for path in sorted((folder / config.certificates).glob("*")):
                self._by_name[path.name] = _read(path)

    def chain_of(self, url: str) -> Sequence[x509.Certificate]:
        return self._by_name.get(urlsplit(url).path.rpartition("/")[2], ())


NO_CERTIFICATES = Certificates(Stir(), Path())


def attestation(
    request: Request, *, caller: str, called: str, trusted: bool, now: datetime, certificates: Certificates
) -> Verdict:
    """``trusted`` tells whether the trunk is believed; numbers are E.164."""
    said = (
        carrier_verdict(_asserted(request), request.headers.get("P-Attestation-Indicator"))
        if trusted
        else None
    )
    best = Verdict()
    for value in request.headers.all("Identity")[:MOST_IDENTITIES]:
        try:
            passport = parse_identity(value)
        except StirError as error:
            best = Verdict("failed", f"the Identity header cannot be read: {error}")
            continue
        if certificates.roots and certificates.chain_of(passport.certificate_url):
            try:
                verify(
                    passport,
                    caller=caller,
                    called=called,
                    now=now.timestamp(),
                    chain_of=certificates.chain_of,
                    roots=certificates.roots,
                )
            except StirError as error:
                best = Verdict("failed", str(error))
                continue
            return Verdict(passport.attestation.value, f"signed by {passport.certificate_url}")
        if said == "passed":
            return Verdict(passport.attestation.value, "the carrier checked the signature")
        best = best if best.attestation else Verdict("", "the signer's certificate is not known here")
    return _by_carrier(said, best)


def _by_carrier(said: str | None, best: Verdict) -> Verdict:
    """What remains where no signature of our own checking says more."""
    if said == "failed":
        return Verdict("failed", "the carrier checked the signature: it failed")
    if best.attestation or said is None:
        return best
    if said == "passed":
        return Verdict("", "the carrier checked the signature, and does not say how far it attests")
    return Verdict(said, "the carrier checked the signature")


def _asserted(request: Request) -> NameAddr | None:
    for value in (*request.headers.all("P-Asserted-Identity"), request.headers.get("From") or ""):
        try:
            address = NameAddr.parse(value)
        except SipError:
            continue
        if "verstat" in address.uri.params or "verstat" in address.params:
            return address
    return None


def _read(path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        log.error("no certificates in %s: %s", path, error)
        return []
