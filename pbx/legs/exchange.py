"""Makes descriptions for legs, and hands each media event to the leg that it is about."""

import contextlib
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from media.engine import (
    Codec,
    Edge,
    Endpoint,
    EndpointId,
    EndpointStats,
    MediaEngine,
    MediaEvent,
    MediaUnavailable,
    RemoteMedia,
    SrtpKeys,
    SrtpSuite,
    WorkerLost,
)
from sip import Attempt, InviteTarget, Session, SipError, Stack, sdp
from sip.headers import Replaces
from sip.sdes import KEY_OCTETS, SUITES, Crypto

if TYPE_CHECKING:
    from pbx.legs.leg import Leg

TELEPHONE_EVENT = 101


def remote_media(remote: sdp.RemoteAudio, *, keys_by_info: bool = False) -> RemoteMedia:
    """What the negotiation found, in the media engine's terms. ``keys_by_info``: the party gets keys by SIP
    INFO where it takes no events."""
    return RemoteMedia(
        address=remote.address,
        port=remote.port,
        codec=Codec[remote.codec],
        payload_type=remote.payload_type,
        receive_payload_type=remote.receive_payload_type,
        telephone_event=remote.telephone_event,
        receive_telephone_event=remote.receive_telephone_event,
        keys_by_signalling=keys_by_info and remote.telephone_event is None,
        ptime_ms=remote.ptime_ms,
        comfort_noise=remote.comfort_noise,
        send=remote.send,
        receive=remote.receive,
        srtp=_srtp_keys(remote.crypto),
    )


def _srtp_keys(crypto: Crypto | None) -> SrtpKeys | None:
    if crypto is None:
        return None
    return SrtpKeys(SrtpSuite(crypto.suite), crypto.send_key, crypto.receive_key)


class Security:
    """What a leg wants of its encryption, and the keys that it sends with, the same as long as it lives."""

    def __init__(self, srtp: sdp.Srtp = sdp.Srtp.OFF) -> None:
        self.srtp = srtp

    @cached_property
    def keys(self) -> tuple[bytes, ...]:
        """One for each of :data:`sip.sdes.SUITES`; made when first needed, which in most calls is never."""
        return tuple(secrets.token_bytes(KEY_OCTETS) for _ in SUITES)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where one INVITE goes. Over trunks there may be several ways: ``attempts`` says which, in order,
    given the name-addr that we call as."""

    target: InviteTarget
    srtp: sdp.Srtp = sdp.Srtp.OFF
    keys_by_info: bool = False  # where it takes no telephone-events
    attempts: Callable[[str], Sequence[Attempt]] | None = None

    def ways(self, from_: str) -> Sequence[Attempt]:
        if self.attempts is not None:
            return self.attempts(from_)
        return [Attempt(target=self.target, from_=from_, to=f"<{self.target.uri}>")]


class Exchange:
    """Makes legs, and hands each media event to the leg that it is about."""

    def __init__(
        self,
        stack: Stack,
        engine: MediaEngine,
        *,
        address: str,
        address_ipv6: str | None = None,
        external_address: str | None = None,
        codecs: Sequence[str],
        comfort_noise: bool = False,
    ) -> None:
        self.stack = stack
        self.engine = engine
        self.by_endpoint: dict[EndpointId, Leg] = {}
        self._by_session: WeakValueDictionary[str, Leg] = WeakValueDictionary()
        self.address = address
        self._address_ipv6 = address_ipv6
        self._external_address = external_address
        self._codecs = tuple(codec.upper() for codec in codecs)
        self._comfort_noise = comfort_noise
        self._session_ids = 0
        engine.on_event = self._media_event

    def update(self, external_address: str | None) -> None:
        """For the legs to come."""
        self._external_address = external_address

    def address_towards(self, host: str, offer: bytes | None = None) -> str:
        """Where audio reaches us from ``host``: behind NAT, by the outside unless it is inside with us. Who
        speaks IPv6, by the ``offer`` if there is one, else by ``host``, gets the address of IPv6."""
        if self._address_ipv6 is not None and ":" in (_audio_address(offer) or host):
            return self._address_ipv6
        if self._external_address is None or self.stack.is_local(host):
            return self.address
        return self._external_address

    async def allocate(self, address: str) -> Endpoint:
        """An endpoint for a party that is told this address of ours. Raises MediaUnavailable."""
        return await self.engine.allocate(ipv6=address == self._address_ipv6)

    def leg_of(self, replaces: Replaces) -> "Leg | None":
        """The leg whose dialog that is."""
        session = self.stack.session_of(replaces)
        if session is None:
            return None
        return self._by_session.get(session.id)

    def speaks_by(self, leg: "Leg", session: Session) -> None:
        """That dialog is this leg's, from before it has any media."""
        self._by_session[session.id] = leg

    def negotiate(
        self, offer: bytes, port: int, address: str, security: "Security", *, after: bytes = b""
    ) -> sdp.Negotiated:
        """Our answer, as an endpoint on ``port``. ``after``: what we described last in this dialog, if
        anything. Raises SipError."""
        session_id, version = _next_version(after) if after else (None, None)
        return sdp.answer(
            offer,
            address=address,
            port=port,
            codecs=self._codecs,
            srtp=security.srtp,
            key=security.keys[0] if b"crypto" in offer else b"",
            session_id=session_id,
            version=version,
        )

    def codec_for(self, offer: bytes, security: "Security") -> str:
        """The codec that this offer would be answered with, "" if with none."""
        try:
            return self.negotiate(offer, 9, self.address, security).remote.codec
        except SipError:
            return ""

    def build_offer(
        self, endpoint: Endpoint, address: str, security: "Security", *, first: str = "", after: bytes = b""
    ) -> bytes:
        """``first``: the codec of the other party, which saves coding everything anew. ``after``: what
        we described last in this dialog: it keeps its id, and the version grows (RFC 3264 §8).

        SRTP is offered where it is required: an offer of both would need two streams, which few take.
        """
        if after:
            session_id, version = _next_version(after)
        else:
            self._session_ids += 1
            session_id, version = self._session_ids, 1
        codecs = sorted(self._codecs, key=lambda codec: codec != first)
        return sdp.build_offer(
            address=address,
            port=endpoint.port,
            codecs=codecs,
            telephone_event=TELEPHONE_EVENT,
            comfort_noise=self._comfort_noise,
            session_id=session_id,
            version=version,
            keys=security.keys if security.srtp.offered else (),
        )

    def _media_event(self, event: MediaEvent) -> None:
        if isinstance(event, WorkerLost):
            for endpoint in event.endpoints:
                if leg := self.by_endpoint.pop(endpoint, None):
                    leg.media_lost()
            return
        leg = self.by_endpoint.get(getattr(event, "endpoint", -1))
        if leg is not None:
            leg.media_event(event)


def _audio_address(offer: bytes | None) -> str:
    """Where the offer wants its audio, "" where that cannot be read: the negotiation will say why."""
    try:
        described = sdp.SessionDescription.parse(offer or b"")
    except SipError:
        return ""
    return next((media.address for media in described.media if media.address), described.address) or ""


def _next_version(described: bytes) -> tuple[int, int]:
    origin = sdp.SessionDescription.parse(described).origin
    return int(origin.session_id), int(origin.version) + 1


_FIGURES = tuple(each.name for each in fields(EndpointStats))


def figures(stats: EndpointStats) -> Mapping[str, float]:
    """The stats as they are stored with the leg: only what is not zero."""
    return {name: value for name in _FIGURES if (value := getattr(stats, name))}


@contextlib.contextmanager
def joined(engine: MediaEngine, one: "Leg", other: "Leg") -> Iterator[None]:
    """Both hear each other inside the block. Raises MediaUnavailable."""
    a, b = one.endpoint, other.endpoint
    if a is None or b is None:
        raise MediaUnavailable("a leg lost its media")
    engine.set_edges(a.id, [Edge(b.id, a.id)])
    engine.set_edges(b.id, [Edge(a.id, b.id)])
    try:
        yield
    finally:
        for leg in (one, other):
            if leg.endpoint is not None:
                engine.set_edges(leg.endpoint.id, [])
