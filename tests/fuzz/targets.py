"""What reads strangers' bytes, each with the errors that it may raise and samples to start from."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from media import dtmf, rtcp, rtp
from sip import sdp
from sip.flow import Address
from sip.message import Request, SipError, parse, response_to
from sip.session_description import SessionDescription
from sip.stir import StirError, parse_identity
from sip.stun import binding_response, is_stun
from sip.transport.framing import WebSocketFraming
from sip.transport.stream import Framer, StreamError
from sip.validate import validate, validate_response

TORTURE = Path(__file__).parents[1] / "sip" / "torture"


@dataclass(frozen=True, slots=True)
class Target:
    """``feed`` lets nothing but what the parser promises to raise go unnoticed: it raises the rest."""

    name: str
    feed: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


def message(data: bytes) -> None:
    with suppress(SipError):
        parsed = parse(data)
        problem = validate(parsed) if isinstance(parsed, Request) else validate_response(parsed)
        for name in ("via", "from_", "to", "cseq", "contact", "call_id"):
            with suppress(SipError):
                getattr(parsed, name)
        if isinstance(parsed, Request):
            response_to(parsed, problem.status if problem else 200, to_tag="t").encode()
        parse(parsed.encode())


def description(data: bytes) -> None:
    with suppress(SipError):
        str(SessionDescription.parse(data))
    with suppress(SipError):
        sdp.answer(data, address="192.0.2.1", port=4000, codecs=("OPUS", "G722", "PCMU", "PCMA"))
    with suppress(SipError):
        sdp.accept_answer(OFFER, data)


def stream(data: bytes) -> None:
    framer = Framer()
    with suppress(StreamError):
        for at in range(0, len(data), 97):
            framer.feed(data[at : at + 97])


def websocket(data: bytes) -> None:
    framing = WebSocketFraming()
    with suppress(StreamError):
        framing.feed(data)
        framing.feed(UPGRADE + data)


def rtp_packet(data: bytes) -> None:
    with suppress(rtp.RtpError):
        start, end = rtp.payload_span(data, len(data))
        assert rtp.HEADER_SIZE <= start <= end <= len(data)


def rtcp_packet(data: bytes) -> None:
    with suppress(rtcp.RtcpError):
        rtcp.parse(data)


def telephone_event(data: bytes) -> None:
    with suppress(dtmf.DtmfError):
        dtmf.parse_event(data)


def stun(data: bytes) -> None:
    for packet in (data, STUN[:8] + data):
        if is_stun(packet):
            binding_response(packet, Address("192.0.2.1", 5060))


def identity(data: bytes) -> None:
    with suppress(StirError):
        parse_identity(data.decode("latin-1"))


OFFER = (
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
    b"m=audio 4000 RTP/AVP 0 8 9 96 101\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:101 telephone-event/8000\r\n"
    b"a=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n"
)
SAVP = (
    OFFER.replace(b"RTP/AVP", b"RTP/SAVP")
    + b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"
    + b"A" * 40
    + b"\r\n"
)
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\n\r\n"
)
STUN = bytes.fromhex("000100002112a442") + b"123456789012"
RTP = bytes.fromhex("b2650001000000a0deadbeef0000000100000002bede0001") + b"x" * 160 + b"\x04\0\0\x04"
RTCP = rtcp.build(
    rtcp.Report(1, rtcp.SenderInfo(1 << 40, 2, 3, 4), (rtcp.ReportBlock(5, 6, 7, 8, 9, 10, 11),), False),
    "name",
)
TOKEN = b"eyJhbGciOiJFUzI1NiIsInBwdCI6InNoYWtlbiJ9.eyJhdHRlc3QiOiJBIn0.c2ln;info=<https://x/y.pem>;alg=ES256"


def torture() -> tuple[bytes, ...]:
    return tuple(path.read_bytes() for path in sorted(TORTURE.iterdir()) if path.is_file())


TARGETS = {
    target.name: target
    for target in (
        Target("message", message, torture()),
        Target("sdp", description, (OFFER, SAVP)),
        Target("stream", stream, torture()),
        Target("websocket", websocket, (b"", b"\x81\x85\1\2\3\4abcde", b"\x89\x80\1\2\3\4", UPGRADE)),
        Target("rtp", rtp_packet, (RTP, b"\x80\0" + b"\0" * 170)),
        Target("rtcp", rtcp_packet, (RTCP,)),
        Target("telephone-event", telephone_event, (bytes.fromhex("058a0320"),)),
        Target("stun", stun, (STUN,)),
        Target("identity", identity, (TOKEN,)),
    )
}
