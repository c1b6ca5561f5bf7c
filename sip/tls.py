"""What a stack needs for TLS (RFC 3261 §26.3, RFC 5922): whose certificates, and whom to believe."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class KeyPair:
    """PEM files; the certificate's with the chain behind it."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    own: KeyPair
    names: Mapping[str, KeyPair] = field(default_factory=dict)  # by the name that a client asks for (SNI)
    authorities: Path | None = None  # whom to believe; None: whom the system believes
    verify_clients: bool = False  # no connection without a certificate of ``authorities``
