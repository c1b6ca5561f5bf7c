"""PASSporTs: what proves a caller's number, and everything that does not."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from pbx.attestation import Certificates, attestation
from pbx.config.stir import Stir
from sip.headers import NameAddr
from sip.message import parse
from sip.stir import StirError, Verdict, carrier_verdict, parse_identity, verify
from tests.support.certificates import Authority

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
CALLER, CALLED = "+13105550199", "+12125550100"
URL = "https://cr.example/certs/carrier.pem"
ROOT = Authority("root")
MIDDLE = Authority("middle", ROOT)
SIGNER = MIDDLE.issue("carrier.example")
CHAIN = [SIGNER.certificate, MIDDLE.certificate]


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def identity(*, by=SIGNER, header=None, url=URL, **claims) -> str:
    header = {"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": URL} | (header or {})
    payload = {
        "attest": "A",
        "dest": {"tn": [CALLED[1:]]},
        "iat": int(NOW.timestamp()),
        "orig": {"tn": CALLER[1:]},
        "origid": "de305d54-75b4-431b-adb2-eb6b9e546014",
    } | claims
    signed = ".".join(b64(json.dumps(part, separators=(",", ":")).encode()) for part in (header, payload))
    r, s = decode_dss_signature(by.key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{b64(r.to_bytes(32) + s.to_bytes(32))};info=<{url}>;alg=ES256;ppt=shaken"


def check(
    value: str, *, chain=CHAIN, roots=(ROOT.certificate,), now=NOW, caller=CALLER, called=CALLED
) -> str:
    passport = parse_identity(value)
    verify(
        passport, caller=caller, called=called, now=now.timestamp(), chain_of=lambda url: chain, roots=roots
    )
    return passport.attestation.value


@pytest.mark.parametrize("letter", ["A", "B", "C"])
def test_a_number_that_is_proved(letter) -> None:
    assert check(identity(attest=letter)) == letter


def test_numbers_are_compared_by_their_digits() -> None:
    assert check(identity(orig={"tn": "+1 310-555-0199"}, dest={"tn": ["+44207", CALLED]})) == "A"


OTHER = Authority("other")


@pytest.mark.parametrize(
    ("value", "how", "why"),
    [
        (identity(), {"caller": "+13105550198"}, "for another caller"),
        (identity(), {"called": "+12125550101"}, "for another number called"),
        (identity(), {"now": NOW + timedelta(seconds=61)}, "61 s old"),
        (identity(), {"now": NOW - timedelta(seconds=61)}, "-61 s old"),
        (identity(), {"chain": []}, "not known here"),
        (identity(), {"roots": [OTHER.certificate]}, "no root that is trusted"),
        (identity(), {"chain": [SIGNER.certificate, OTHER.certificate]}, "chain of certificates is broken"),
        (identity(), {"chain": [SIGNER.certificate]}, "no root that is trusted"),
        (identity(by=OTHER.issue("x")), {}, "signature is wrong"),
        (identity(), {"chain": [MIDDLE.issue("x", until=NOW - timedelta(1)).certificate, MIDDLE.certificate]}, "expired"),
    ],
)  # fmt: skip
def test_what_proves_nothing(value, how, why) -> None:
    with pytest.raises(StirError, match=why):
        check(value, **how)


def test_a_leaf_certificate_signs_no_other() -> None:
    leaf = Authority("leaf", ROOT, ca=False)
    forged = leaf.issue("carrier.example")
    with pytest.raises(StirError, match="broken"):
        check(identity(by=forged), chain=[forged.certificate, leaf.certificate])


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "1 parts"),
        ("..;info=<https://x>", "no JSON"),
        ("a.b.c", "no JSON|base64"),
        (identity(header={"alg": "none"}), "alg none"),
        (identity(header={"ppt": "div"}), "ppt div"),
        (identity(url="https://elsewhere"), "different certificates"),
        (identity(attest="D"), "malformed"),
        (identity(orig={}), "malformed"),
        (identity(orig={"tn": 1}), "malformed"),
        (identity(iat="x"), "malformed"),
        (identity(iat=1e999), "malformed"),
        (identity(dest=[]), "malformed"),
    ],
)
def test_what_is_no_token(value, why) -> None:
    with pytest.raises(StirError, match=why):
        parse_identity(value)


@given(st.text(max_size=300))
def test_nothing_breaks_the_parser(text) -> None:
    with pytest.raises(StirError):
        parse_identity(text)


@pytest.mark.parametrize(
    ("uri", "indicator", "said"),
    [
        ("sip:+13105550199;verstat=TN-Validation-Passed@c", None, None),  # of the user part: not read
        ("sip:+13105550199@c;verstat=TN-Validation-Passed", "A", "A"),
        ("sip:+13105550199@c;verstat=TN-Validation-Passed-B", None, "B"),
        ("sip:+13105550199@c;verstat=TN-Validation-Passed", None, "passed"),
        ("tel:+13105550199;verstat=TN-Validation-Failed", "A", "failed"),
        ("sip:+13105550199@c;verstat=No-TN-Validation", None, None),
        ("sip:+13105550199@c", "A", None),
    ],
)
def test_what_the_carrier_says(uri, indicator, said) -> None:
    assert carrier_verdict(NameAddr.parse(f"<{uri}>"), indicator) == said
    assert carrier_verdict(None, indicator) is None


def test_the_verdict_on_a_call(tmp_path) -> None:
    (tmp_path / "roots.pem").write_bytes(ROOT.pem)
    (tmp_path / "known").mkdir()
    (tmp_path / "known" / "carrier.pem").write_bytes(SIGNER.pem + MIDDLE.pem)
    ours = Certificates(Stir(roots="roots.pem", certificates="known"), tmp_path)
    nothing = Certificates(Stir(), tmp_path)
    passed = "P-Asserted-Identity: <sip:+13105550199@c;verstat=TN-Validation-Passed>"
    failed = passed.replace("Passed", "Failed")

    def on(*lines: str, certificates=ours, trusted=True) -> Verdict:
        head = [
            "INVITE sip:x@y SIP/2.0",
            "Via: SIP/2.0/UDP h;branch=z9hG4bK1",
            "From: <sip:a@b>;tag=1",
            "To: <sip:x@y>",
        ]
        message = parse("\r\n".join([*head, *lines]).encode() + b"\r\n\r\n")
        return attestation(
            message, caller=CALLER, called=CALLED, trusted=trusted, now=NOW, certificates=certificates
        )

    assert on() == Verdict()
    assert on(f"Identity: {identity()}") == Verdict("A", f"signed by {URL}")
    assert on("Identity: rubbish").attestation == "failed"
    assert on(f"Identity: {identity(by=OTHER.issue('x'))}", passed) == Verdict(
        "failed", "the signature is wrong"
    )
    assert on(f"Identity: {identity(attest='B')}", passed, certificates=nothing) == Verdict(
        "B", "the carrier checked the signature"
    )
    assert on(f"Identity: {identity()}", certificates=nothing) == Verdict(
        "", "the signer's certificate is not known here"
    )
    assert on(f"Identity: {identity()}", passed, certificates=nothing, trusted=False).attestation == ""
    assert on(passed, "P-Attestation-Indicator: C").attestation == "C"
    assert on(passed).attestation == ""
    assert on(failed).attestation == "failed"
    assert on(failed, trusted=False).attestation == ""
