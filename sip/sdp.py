"""Offer and answer for one audio stream (RFC 3264), with telephone-event beside it (RFC 4733).

Theory of operation. Three functions, each pure: :func:`build_offer` says what we would take,
:func:`answer` answers somebody's offer, :func:`accept_answer` reads the answer to ours. Both ways of
agreeing end in a :class:`RemoteAudio`: where to send, and with which payload types.

*Payload types are per direction* (§5.1): we send with the number that the other side's description
gives and receive on the one that ours gives. *One codec* is answered, the first of ours that is offered
(the order of ``codecs`` is an admin's, which §6.1 lets an answerer follow), so that neither side changes
codec in mid-stream. telephone-event is offered at each clock rate of ours (RFC 4733 §2.1 ties it to the
audio's) and answered whenever it is offered at the codec's; so is comfort noise (RFC 3389), at 8000.
*Streams* beyond the first usable audio are refused with port 0 and keep their place (§6). *Hold* is a
direction, or the old way's address 0.0.0.0 (§8.4): we then do not send.

*Encryption* is SRTP with keys in the SDP (:mod:`sip.sdes`): RTP/SAVP in place of RTP/AVP, never both for one
stream. :class:`Srtp` says whether it is refused, taken if offered, or insisted on.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from ipaddress import ip_address

from sip.errors import SipError
from sip.sdes import Crypto, CryptoLine, crypto_lines, offered_lines
from sip.session_description import (
    Attribute,
    Direction,
    MediaDescription,
    Origin,
    RtpMap,
    SessionDescription,
    attribute,
)
from sip.uri import shown

__all__ = [
    "CodecName",
    "Direction",
    "MediaDescription",
    "Negotiated",
    "Origin",
    "RemoteAudio",
    "RtpMap",
    "SessionDescription",
    "Srtp",
    "accept_answer",
    "answer",
    "build_offer",
]

PTIME_MS = 20
TELEPHONE_EVENT = "TELEPHONE-EVENT"
COMFORT_NOISE = "CN"
EVENTS = "0-15"  # the sixteen DTMF keys

_PLAIN = ("RTP/AVP", "RTP/AVPF")
_SECURE = ("RTP/SAVP", "RTP/SAVPF")

# RFC 3551 §6: the payload types that mean something without an rtpmap.
_STATIC = {
    0: RtpMap(0, "PCMU", 8000),
    3: RtpMap(3, "GSM", 8000),
    4: RtpMap(4, "G723", 8000),
    8: RtpMap(8, "PCMA", 8000),
    9: RtpMap(9, "G722", 8000),
    13: RtpMap(13, COMFORT_NOISE, 8000),
    18: RtpMap(18, "G729", 8000),
}


class Srtp(Enum):
    """What we want of a stream's encryption."""

    OFF = "off"
    OPTIONAL = "optional"
    REQUIRED = "required"

    @property
    def offered(self) -> bool:
        """Whether we offer it: an offer cannot leave it to the other side (RFC 3264 has no such word)."""
        return self is Srtp.REQUIRED

    @property
    def protocols(self) -> tuple[str, ...]:
        """What we take in an offer."""
        return {Srtp.OFF: _PLAIN, Srtp.OPTIONAL: _PLAIN + _SECURE, Srtp.REQUIRED: _SECURE}[self]


class CodecName(Enum):
    """The codecs we can offer, with their payload type: static, or the one that is usual."""

    PCMU = 0
    PCMA = 8
    G722 = 9
    OPUS = 111


# RFC 7587 §7: two channels and 48 kHz whatever is sent; the far end may send us error correction.
_OPUS = RtpMap(CodecName.OPUS.value, "opus", 48000, 2)
_OURS = {**_STATIC, _OPUS.payload_type: _OPUS}
_PARAMETERS = {"OPUS": "useinbandfec=1", TELEPHONE_EVENT: EVENTS}
_NO_AUDIO = (TELEPHONE_EVENT, COMFORT_NOISE)

_ip_address = lru_cache(maxsize=1024)(ip_address)  # a trunk's media come from few addresses


@dataclass(frozen=True, slots=True)
class RemoteAudio:
    """What was agreed: the far end's address, the payload types each way, and what *we* may do."""

    address: str
    port: int
    codec: str
    payload_type: int
    receive_payload_type: int
    telephone_event: int | None = None
    receive_telephone_event: int | None = None
    ptime_ms: int = PTIME_MS
    comfort_noise: bool = False
    send: bool = True
    receive: bool = True
    crypto: Crypto | None = None

    @property
    def direction(self) -> Direction:
        """Ours."""
        return Direction.of(sends=self.send, receives=self.receive)


@dataclass(frozen=True, slots=True)
class Negotiated:
    """Our answer to send, and what it means."""

    sdp: bytes
    remote: RemoteAudio


def build_offer(
    *,
    address: str,
    port: int,
    codecs: Sequence[str],
    telephone_event: int | None = 101,
    comfort_noise: bool = False,
    session_id: int,
    version: int,
    direction: Direction = Direction.SENDRECV,
    keys: Sequence[bytes] = (),
) -> bytes:
    """Offer one audio stream. A later offer in the dialog keeps the id and raises the version (§8).

    ``telephone_event`` is the payload type at the first codec's clock rate; another rate's is found.
    ``keys``, one a suite of :data:`sip.sdes.SUITES`, make it RTP/SAVP.
    """
    maps = [_OURS[_codec(name).value] for name in codecs]
    if not maps:
        raise ValueError("an offer needs a codec")
    rates = list(dict.fromkeys(found.clock_rate_hz for found in maps))
    if comfort_noise and 8000 in rates:
        maps.append(_STATIC[13])
    if telephone_event is not None:
        taken = {found.payload_type for found in maps}
        if telephone_event in taken:  # Opus' number is ours to choose
            maps = [replace(one, payload_type=_free(taken)) if one is _OPUS else one for one in maps]
        for rate in rates:
            maps.append(RtpMap(telephone_event, "telephone-event", rate))
            telephone_event = _free({found.payload_type for found in maps})
    return SessionDescription(
        Origin("-", str(session_id), str(version), address),
        (
            _audio(port, "RTP/SAVP", maps, direction, offered_lines(keys))
            if keys
            else _audio(port, "RTP/AVP", maps, direction),
        ),
        address,
    ).encode()


def answer(
    offer: bytes,
    *,
    address: str,
    port: int,
    codecs: Sequence[str],
    direction: Direction = Direction.SENDRECV,
    session_id: int | None = None,
    version: int | None = None,
    srtp: Srtp = Srtp.OFF,
    key: bytes = b"",
) -> Negotiated:
    """Answer an offer; ``direction`` is the most that we want of it, ``key`` the one that we would send with.

    Unless told otherwise, the answer's id and version follow from the offer's, so that they change
    exactly when the offer does. Raises :class:`SipError` 488 where nothing is common to both.
    """
    wanted = tuple(_codec(name).name for name in codecs)
    theirs = SessionDescription.parse(offer)
    index, codec, offered = _choose(theirs, wanted, srtp)
    media = theirs.media[index]
    event = _telephone_event(offered, codec.clock_rate_hz)
    noise = _takes_noise(offered, codec)
    remote = _remote(theirs, media, codec, event, codec.payload_type, event, noise, direction, address)
    lines = []
    if media.protocol in _SECURE:
        line = next(crypto_lines(media))
        lines = [replace(line, key=key)]
        remote = replace(remote, crypto=Crypto(line.suite, key, line.key))
    maps = [codec]
    if remote.comfort_noise:
        maps.append(_STATIC[13])
    if event is not None:
        maps.append(RtpMap(event, "telephone-event", codec.clock_rate_hz))
    ours = SessionDescription(
        Origin(
            "-",
            str(session_id if session_id is not None else _derived_id(theirs.origin, port)),
            str(version) if version is not None else _digits(theirs.origin.version),
            address,
        ),
        tuple(
            _audio(port, media.protocol, maps, remote.direction, lines)
            if other == index
            else _refused(stream)
            for other, stream in enumerate(theirs.media)
        ),
        address,
    )
    return Negotiated(ours.encode(), remote)


def accept_answer(offer_sent: bytes, answer: bytes) -> RemoteAudio:
    """What an answer to our offer means. Raises :class:`SipError` 488 if it takes no audio of ours."""
    ours, theirs = SessionDescription.parse(offer_sent), SessionDescription.parse(answer)
    offered = ours.media[0]
    if not theirs.media or theirs.media[0].kind != "audio" or not theirs.media[0].port:
        raise SipError(488, "Not Acceptable Here: the answer refuses the audio offered")
    media = theirs.media[0]
    local = {(_name(found), found.clock_rate_hz): found.payload_type for found in _codecs(offered)}
    for codec in _codecs(media, also=offered.rtpmaps()):
        receive_on = local.get((_name(codec), codec.clock_rate_hz))
        if receive_on is not None and _name(codec) not in _NO_AUDIO:
            break
    else:
        raise SipError(488, f"Not Acceptable Here: {_offered(theirs)}; we offered {_offered(ours)}")
    answered_codecs, offered_codecs = _codecs(media, also=offered.rtpmaps()), _codecs(offered)
    send_event = _telephone_event(answered_codecs, codec.clock_rate_hz)
    receive_event = _telephone_event(offered_codecs, codec.clock_rate_hz)
    if send_event is None or receive_event is None:
        send_event = receive_event = None
    agreed = _remote(
        theirs,
        media,
        codec,
        send_event,
        receive_on,
        receive_event,
        _takes_noise(_codecs(media), codec) and _takes_noise(offered_codecs, codec),
        ours.direction_of(offered),
        ours.address_of(offered) or "",
    )
    return replace(agreed, crypto=_crypto_agreed(offered, media))


def _crypto_agreed(offered: MediaDescription, answered: MediaDescription) -> Crypto | None:
    """The suite and keys of an answer. An answer without them would be in the clear: it is refused."""
    if offered.protocol not in _SECURE:
        return None
    ours = {(line.tag, line.suite): line for line in crypto_lines(offered)}
    for theirs in crypto_lines(answered):
        if answered.protocol in _SECURE and (mine := ours.get((theirs.tag, theirs.suite))):
            return Crypto(mine.suite, mine.key, theirs.key)
    raise SipError(488, "Not Acceptable Here: the answer to RTP/SAVP takes none of our keys")


def _choose(
    offer: SessionDescription, wanted: Sequence[str], srtp: Srtp
) -> tuple[int, RtpMap, Sequence[RtpMap]]:
    """The first audio stream that holds a codec of ours, the one of them that we like best, and all of
    the stream's."""
    for index, media in enumerate(offer.media):
        if media.kind == "audio" and media.port and media.protocol in srtp.protocols:
            if media.protocol in _SECURE and not any(crypto_lines(media)):
                continue
            offered = _codecs(media)
            found = [codec for codec in offered if _name(codec) in wanted and _is_plain(codec)]
            if found:
                return index, min(found, key=lambda codec: wanted.index(_name(codec))), offered
    taken = f"{', '.join(wanted)} over {srtp.protocols[0]}"
    raise SipError(488, f"Not Acceptable Here: {_offered(offer)}; we take {taken}")


def _remote(
    theirs: SessionDescription,
    media: MediaDescription,
    codec: RtpMap,
    send_event: int | None,
    receive_on: int,
    receive_event: int | None,
    comfort_noise: bool,
    wanted: Direction,
    our_address: str,
) -> RemoteAudio:
    address = theirs.address_of(media)
    try:
        there = _ip_address(address or "")
        same_family = there.version == _ip_address(our_address).version
    except ValueError:
        raise SipError(
            488, f"Not Acceptable Here: media address {shown(address or '')} is no IP address"
        ) from None
    if not same_family:
        raise SipError(488, f"Not Acceptable Here: media address {address}, ours is {our_address}")
    said = theirs.direction_of(media)
    return RemoteAudio(
        address=str(there),
        port=media.port,
        codec=_name(codec),
        payload_type=codec.payload_type,
        receive_payload_type=receive_on,
        telephone_event=send_event,
        receive_telephone_event=receive_event,
        ptime_ms=_ptime_ms(media),
        comfort_noise=comfort_noise,
        send=wanted.sends and said.receives and not there.is_unspecified,
        receive=wanted.receives and said.sends,
    )


def _codecs(media: MediaDescription, also: dict[int, RtpMap] | None = None) -> list[RtpMap]:
    """What the formats stand for, in order; those that say nothing are left out."""
    maps = {**_STATIC, **(also or {}), **media.rtpmaps()}
    numbers = (int(text) for text in media.formats if text.isascii() and text.isdecimal() and len(text) <= 3)
    return [maps[number] for number in numbers if number <= 127 and number in maps]


def _telephone_event(codecs: Sequence[RtpMap], clock_rate_hz: int) -> int | None:
    for found in codecs:
        if found.clock_rate_hz == clock_rate_hz and _name(found) == TELEPHONE_EVENT:
            return found.payload_type
    return None


def _takes_noise(codecs: Sequence[RtpMap], codec: RtpMap) -> bool:
    """Whether comfort noise is listed, under its static number, beside a codec of its clock rate."""
    return codec.clock_rate_hz == 8000 and _STATIC[13] in codecs


def _is_plain(codec: RtpMap) -> bool:
    """Whether a codec that has a name of ours also has our clock rate and channels."""
    ours = _OURS[CodecName[_name(codec)].value]
    return (codec.clock_rate_hz, codec.channels) == (ours.clock_rate_hz, ours.channels)


def _free(taken: set[int]) -> int:
    """A dynamic payload type (RFC 3551 §6) that means nothing yet."""
    return next(number for number in range(96, 128) if number not in taken)


def _name(codec: RtpMap) -> str:
    return codec.encoding.upper()


def _codec(name: str) -> CodecName:
    try:
        return CodecName[name.upper()]
    except KeyError:
        known = ", ".join(codec.name for codec in CodecName)
        raise ValueError(f"codec {name!r} is none of {known}") from None


def _ptime_ms(media: MediaDescription) -> int:
    """How they want it packed; what is no sensible number is the usual 20 ms, if that is allowed."""
    ptime = _milliseconds(media, "ptime") or PTIME_MS
    return min(ptime, _milliseconds(media, "maxptime") or ptime)


def _milliseconds(media: MediaDescription, name: str) -> int | None:
    text = attribute(media.attributes, name) or ""
    if text.isascii() and text.isdecimal() and len(text) <= 3 and 10 <= int(text) <= 200:
        return int(text)
    return None


def _audio(
    port: int,
    protocol: str,
    maps: Sequence[RtpMap],
    direction: Direction,
    crypto: Sequence[CryptoLine] = (),
) -> MediaDescription:
    attributes: list[Attribute] = [line.attribute() for line in crypto]
    for found in maps:
        channels = f"/{found.channels}" if found.channels != 1 else ""
        encoding = f"{found.encoding}/{found.clock_rate_hz}{channels}"
        attributes.append(("rtpmap", f"{found.payload_type} {encoding}"))
        if parameters := _PARAMETERS.get(_name(found)):
            attributes.append(("fmtp", f"{found.payload_type} {parameters}"))
    attributes += (("ptime", str(PTIME_MS)), (direction.value, None))
    formats = tuple(str(found.payload_type) for found in maps)
    return MediaDescription("audio", port, protocol, formats, attributes=tuple(attributes))


def _refused(media: MediaDescription) -> MediaDescription:
    return MediaDescription(media.kind, 0, media.protocol, media.formats or ("0",))


def _offered(description: SessionDescription) -> str:
    """What a description holds, for the reason of a refusal: kinds, protocols and codecs."""
    streams = []
    for media in description.media[:4]:
        names = ", ".join(found.encoding for found in _codecs(media)) or "no known codec"
        streams.append(f"{media.kind} {media.protocol} {names}")
    return shown("; ".join(streams) or "no media")[1:-1]


def _derived_id(origin: Origin, port: int) -> int:
    return zlib.crc32(f"{origin.session_id} {port}".encode())


def _digits(text: str) -> str:
    return text if text.isascii() and text.isdecimal() else "1"
