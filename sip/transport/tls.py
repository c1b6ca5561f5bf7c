"""TLS contexts that are renewed while the server runs.

A listening socket keeps its context for good; but each handshake asks, by its SNI callback, which
context's certificate to show. So a renewed certificate takes effect with the next connection, and
connections that stand go on. Towards carriers the host's name must stand in the certificate (RFC 5922
§7.2): a carrier that cannot prove who it is gets no call.
"""

import ssl

from sip.tls import KeyPair, Tls

HANDSHAKE_TIMEOUT_S = 8.0


class TlsError(Exception):
    """A certificate, key or list of authorities cannot be used; the message names the file."""


class TlsContexts:
    """``server`` for listening sockets, None before :meth:`renew`; ``client`` for connections out."""

    def __init__(self) -> None:
        self._shown: dict[str, ssl.SSLContext] = {}
        self._usual: ssl.SSLContext | None = None
        self.client = _client(None)
        self.server: ssl.SSLContext | None = None

    def renew(self, tls: Tls | None) -> None:
        """Read the files again. Raises TlsError, and then everything is as it was.

        Whether clients must show a certificate is settled when the listening sockets are opened.
        """
        if tls is None:
            return
        usual = _server(tls, tls.own)
        shown = {name.lower(): _server(tls, pair) for name, pair in tls.names.items()}
        client = _client(tls)
        self._usual, self._shown, self.client = usual, shown, client
        if self.server is None:
            self.server = _server(tls, tls.own)
            self.server.sni_callback = self._choose

    def _choose(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        chosen = self._shown.get((name or "").lower()) or self._usual
        if chosen is not None:
            connection.context = chosen


def _server(tls: Tls, pair: KeyPair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load(context, pair)
    if tls.authorities is not None:
        _believe(context, tls)
    if tls.verify_clients:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _client(tls: Tls | None) -> ssl.SSLContext:
    context = ssl.create_default_context()  # the host's name is checked
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls is not None:
        _load(context, tls.own)
        if tls.authorities is not None:
            _believe(context, tls)
    return context


def _load(context: ssl.SSLContext, pair: KeyPair) -> None:
    for path in (pair.certificate, pair.key):
        if not path.is_file():
            raise TlsError(f"there is no file {path}")
    try:
        context.load_cert_chain(pair.certificate, pair.key, password=_no_password)
    except (ssl.SSLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise TlsError(
            f"{pair.certificate} and {pair.key} are no certificate with its key: {reason}"
        ) from None


def _believe(context: ssl.SSLContext, tls: Tls) -> None:
    assert tls.authorities is not None
    try:
        context.load_verify_locations(tls.authorities)
    except (ssl.SSLError, OSError) as error:
        raise TlsError(f"no certificates of authorities in {tls.authorities}: {error}") from error


def _no_password() -> str:
    raise ValueError("the key is encrypted")
