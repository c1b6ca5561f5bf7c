"""Legs: a SIP dialog and an RTP endpoint as one thing. The only file that imports both sip and media.

A :class:`Leg` owns its session and its endpoint and releases both, whatever happens. It turns what
SIP and media report into a few futures and callbacks that :mod:`pbx.calls` waits on. SDP text stays
in here: media receives :class:`~media.engine.RemoteMedia`, calls receive neither.
"""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from media.engine import (
    Codec,
    Dtmf,
    Edge,
    Endpoint,
    EndpointId,
    EndpointStats,
    MediaEngine,
    MediaEvent,
    MediaUnavailable,
    PlayEnded,
    RemoteMedia,
    RtpTimeout,
    Source,
    WorkerLost,
)
from sip import ClientSession, InviteTarget, ServerSession, SipError, Stack, sdp
from sip.invite import (
    Acknowledged,
    Answered,
    Cancelled,
    Ended,
    EndedBy,
    Info,
    Provisional,
    Rejected,
    Reoffer,
    SessionEvent,
)

log = logging.getLogger(__name__)

TELEPHONE_EVENT = 101


def remote_media(remote: sdp.RemoteAudio) -> RemoteMedia:
    """What the negotiation found, in the media engine's terms."""
    return RemoteMedia(
        address=remote.address,
        port=remote.port,
        codec=Codec[remote.codec],
        payload_type=remote.payload_type,
        receive_payload_type=remote.receive_payload_type,
        telephone_event=remote.telephone_event,
        receive_telephone_event=remote.receive_telephone_event,
        ptime_ms=remote.ptime_ms,
        send=remote.send,
        receive=remote.receive,
    )


@dataclass(frozen=True, slots=True)
class LegEnd:
    """How a leg ended: a pbx.failures cause, and the SIP status if there was one."""

    cause: str
    sip_status: int | None = None


class Leg:
    """One party: its dialog and its audio.

    ``ended`` resolves once, with a :class:`LegEnd`. ``on_key`` hears each key pressed.
    """

    role = "caller"

    def __init__(self, exchange: "Exchange") -> None:
        self.id = uuid.uuid4().hex[:12]
        self.ended: asyncio.Future[LegEnd] = asyncio.get_running_loop().create_future()
        self.on_key: Callable[[str], None] = lambda key: None
        self.endpoint: Endpoint | None = None
        self._exchange = exchange
        self._play_ended: asyncio.Future[str] | None = None
        self._playback = -1
        self._local_sdp = b""
        self._over = False  # the session reported its terminal event

    async def open_media(self) -> Endpoint:
        """The leg's RTP address; allocated at first use. Raises MediaUnavailable."""
        if self.endpoint is None:
            endpoint = await self._exchange.engine.allocate()
            self.endpoint = endpoint
            self._exchange.by_endpoint[endpoint.id] = self
        return self.endpoint

    async def play(self, source: Source) -> str:
        """Play to the end. Returns what went wrong, "" for nothing. Cancelling stops the sound."""
        endpoint = await self.open_media()
        ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._play_ended = ended
        self._playback = self._exchange.engine.play(endpoint.id, source)
        try:
            return await ended
        finally:
            if self._play_ended is ended:
                self._play_ended = None
            if not ended.done() or ended.cancelled():
                self.stop_playing()

    def loop(self, source: Source) -> None:
        """Play over and over until something else is played, or ``stop_playing``."""
        if self.endpoint is not None:
            self._exchange.engine.play(self.endpoint.id, source, loop=True)

    def stop_playing(self) -> None:
        if self.endpoint is not None:
            self._exchange.engine.stop_playing(self.endpoint.id)

    async def close(self) -> EndpointStats:
        """Give the endpoint back; the dialog must have been ended before. Safe to call twice."""
        endpoint, self.endpoint = self.endpoint, None
        if endpoint is None:
            return EndpointStats()
        self._exchange.by_endpoint.pop(endpoint.id, None)
        try:
            return await self._exchange.engine.release(endpoint.id)
        except MediaUnavailable:
            return EndpointStats()

    def media_event(self, event: MediaEvent) -> None:
        match event:
            case Dtmf(digit=digit):
                self.on_key(digit)
            case PlayEnded(playback=playback, problem=problem):
                if playback == self._playback and self._play_ended and not self._play_ended.done():
                    self._play_ended.set_result(problem)
            case RtpTimeout():
                self.fell_silent()
            case _:
                pass

    def fell_silent(self) -> None:
        """No audio for too long."""

    def end(self, cause: str, sip_status: int | None = None) -> None:
        if not self.ended.done():
            self.ended.set_result(LegEnd(cause, sip_status))

    def media_lost(self) -> None:
        self.endpoint = None
        self.end("media_lost")

    def _reoffer(self, session: ServerSession | ClientSession, event: Reoffer) -> None:
        """A re-INVITE or UPDATE: same endpoint, perhaps a new address, codec or direction."""
        if self.endpoint is None:
            session.reject_reoffer(488)
            return
        if event.sdp is None:
            session.accept_reoffer(self._local_sdp or self._offer())
            return
        try:
            negotiated = self._exchange.negotiate(event.sdp, self.endpoint)
        except SipError as error:
            session.reject_reoffer(error.status)
            return
        self._local_sdp = negotiated.sdp
        self._exchange.engine.set_remote(self.endpoint.id, remote_media(negotiated.remote))
        session.accept_reoffer(negotiated.sdp)

    def _offer(self) -> bytes:
        assert self.endpoint is not None
        self._local_sdp = self._exchange.build_offer(self.endpoint)
        return self._local_sdp

    def _take_answer(self, answer: bytes) -> None:
        remote = sdp.accept_answer(self._local_sdp, answer)
        if self.endpoint is not None:  # None: lost with its worker, which ends the leg
            self._exchange.engine.set_remote(self.endpoint.id, remote_media(remote))

    def _reoffer_answered(self, answer: bytes) -> None:
        """The answer to the offer that a re-INVITE without one asked us for."""
        try:
            self._take_answer(answer)
        except SipError as error:
            log.warning("leg %s acknowledged unusably: %s", self.id, error.reason)

    def _info(self, event: Info) -> None:
        key = dtmf_of_info(event)
        if key:
            self.on_key(key)


def dtmf_of_info(event: Info) -> str:
    """The key in an INFO body of ``application/dtmf-relay`` or ``application/dtmf``, "" if none."""
    text = event.body.decode("ascii", "replace")
    kind = event.content_type.partition(";")[0].strip().lower()
    if kind == "application/dtmf-relay":
        for line in text.splitlines():
            name, _, value = line.partition("=")
            if name.strip().lower() == "signal":
                text = value
                break
        else:
            return ""
    elif kind != "application/dtmf":
        return ""
    key = text.strip()
    return key if len(key) == 1 and key in "0123456789*#ABCD" else ""


class CallerLeg(Leg):
    """The party who called us: the UAS side."""

    def __init__(self, exchange: "Exchange", session: ServerSession) -> None:
        super().__init__(exchange)
        self.session = session
        self.answered = False
        self._acknowledged: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        session.on_event = self._sip_event

    @property
    def sip_call_id(self) -> str:
        return self.session.sip_call_id

    def ring(self) -> None:
        if not self.answered and not self.ended.done():
            self.session.ring()

    async def ring_with_media(self) -> str:
        """183: what is played and bridged to the caller is heard before the answer.

        Returns what went wrong, "" for nothing: that nobody is deaf for it is the answer's business.
        """
        try:
            endpoint = await self.open_media()
            if self.answered or self.ended.done() or self._local_sdp:
                return ""
            if self.session.offer is None:
                return "the caller made no offer"
            self._accept_offer(endpoint, self.session.offer)
        except (SipError, MediaUnavailable) as error:
            return str(error)
        self.session.ring(self._local_sdp)
        return ""

    async def answer(self) -> None:
        """200 OK. Raises SipError if the offer has nothing we speak, MediaUnavailable without media."""
        if self.answered:
            return
        endpoint = await self.open_media()
        if self.ended.done():
            return
        offer = self.session.offer
        if offer is None:
            self._offer()
        else:  # again after early media: from here on it counts whether they are heard
            self._accept_offer(endpoint, offer)
        self.answered = True
        self.session.answer(self._local_sdp)
        if offer is None:
            answer = await self._acknowledged
            if answer is None:
                raise SipError(488, "The ACK to our offer carried no answer")
            self._take_answer(answer)

    def _accept_offer(self, endpoint: Endpoint, offer: bytes) -> None:
        negotiated = self._exchange.negotiate(offer, endpoint)
        self._local_sdp = negotiated.sdp
        self._exchange.engine.set_remote(endpoint.id, remote_media(negotiated.remote))

    def fell_silent(self) -> None:
        if self.answered:  # many send nothing before
            self.end("no_rtp")

    def hang_up(self, sip_status: int, reason: str | None = None) -> None:
        """BYE if we answered, else refuse with ``sip_status``; does nothing when the caller has gone."""
        if self._over:
            return
        if self.answered:
            self.session.bye(reason)
        else:
            self.session.reject(sip_status)

    def _sip_event(self, event: SessionEvent) -> None:
        self._over |= isinstance(event, Cancelled | Ended | Rejected)
        match event:
            case Acknowledged(sdp=answer):
                if not self._acknowledged.done():
                    self._acknowledged.set_result(answer)
                elif answer is not None:
                    self._reoffer_answered(answer)
            case Cancelled():
                self.end("caller_hung_up", 487)
            case Ended(by=by):
                self.end(_CALLER_ENDS[by])
            case Reoffer():
                self._reoffer(self.session, event)
            case Info():
                self._info(event)
            case _:
                pass
        if self.ended.done() and not self._acknowledged.done():
            self._acknowledged.cancel()


_CALLER_ENDS = {
    EndedBy.REMOTE: "caller_hung_up",
    EndedBy.LOCAL: "flow_ended",
    EndedBy.TIMEOUT: "no_ack",
    EndedBy.TRANSPORT: "transport_lost",
}


class CalledLeg(Leg):
    """A party whom we ring: the UAC side. ``answered`` resolves to True, or False if it never will."""

    role = "agent"

    def __init__(self, exchange: "Exchange", target: str, agent: str | None) -> None:
        super().__init__(exchange)
        self.target = target
        self.agent = agent
        self.role = "agent" if agent else "number"
        self.answered: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.on_progress: Callable[[bool], None] = lambda early_media: None
        self.session: ClientSession | None = None

    @property
    def sip_call_id(self) -> str:
        return self.session.sip_call_id if self.session else ""

    async def invite(self, destination: "Destination", from_: str) -> None:
        """Ring. Raises MediaUnavailable."""
        await self.open_media()
        self.session = self._exchange.stack.invite(
            destination.target,
            offer=self._offer(),
            from_=from_,
            to=f"<{destination.target.uri}>",
            credentials=destination.credentials,
            on_event=self._sip_event,
        )

    def hang_up(self) -> None:
        """CANCEL or BYE, whichever fits; does nothing when the far end has gone."""
        if self.session is None or self._over:
            return
        if self.answered.done() and self.answered.result():
            self.session.bye()
        else:
            self.session.cancel()

    def _sip_event(self, event: SessionEvent) -> None:
        self._over |= isinstance(event, Cancelled | Ended | Rejected)
        match event:
            case Provisional(status=status, sdp=early) if status > 100:
                self.on_progress(self._early_media(early))
            case Answered(sdp=answer):
                self._on_answered(answer)
            case Acknowledged(sdp=answer) if answer is not None:
                self._reoffer_answered(answer)
            case Rejected(status=status):
                self.end("rejected", status)
            case Cancelled():
                self.end("cancelled", 487)
            case Ended(by=by, status=status):
                self.end("agent_hung_up" if by is EndedBy.REMOTE else "agent_vanished", status)
            case Reoffer() if self.session is not None:
                self._reoffer(self.session, event)
            case Info():
                self._info(event)
            case _:
                pass
        if self.ended.done() and not self.answered.done():
            self.answered.set_result(False)

    def _early_media(self, early: bytes | None) -> bool:
        if not early:
            return False
        try:
            self._take_answer(early)
        except SipError as error:
            log.info("early media of leg %s ignored: %s", self.id, error.reason)
            return False
        return True

    def _on_answered(self, answer: bytes | None) -> None:
        if self.answered.done():
            return
        try:
            if answer is None:
                raise SipError(488, "The 200 OK to our offer carried no answer")
            self._take_answer(answer)
        except SipError as error:
            log.warning("leg %s answered unusably: %s", self.id, error.reason)
            self.end("rejected", 488)
            if self.session is not None:
                self.session.bye()
            return
        self.answered.set_result(True)

    def fell_silent(self) -> None:
        if self.answered.done():  # a phone that rings may well say nothing
            self.end("agent_vanished")

    def media_lost(self) -> None:
        super().media_lost()
        if not self.answered.done():
            self.answered.set_result(False)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where one INVITE goes, and with which digest credentials."""

    target: InviteTarget
    credentials: tuple[str, str] | None = None


class Exchange:
    """Makes legs, and hands each media event to the leg that it is about."""

    def __init__(self, stack: Stack, engine: MediaEngine, *, address: str, codecs: Sequence[str]) -> None:
        self.stack = stack
        self.engine = engine
        self.by_endpoint: dict[EndpointId, Leg] = {}
        self.address = address
        self._codecs = tuple(codecs)
        self._session_ids = 0
        engine.on_event = self._media_event

    def negotiate(self, offer: bytes, endpoint: Endpoint) -> sdp.Negotiated:
        return sdp.answer(offer, address=self.address, port=endpoint.port, codecs=self._codecs)

    def build_offer(self, endpoint: Endpoint) -> bytes:
        self._session_ids += 1
        return sdp.build_offer(
            address=self.address,
            port=endpoint.port,
            codecs=self._codecs,
            telephone_event=TELEPHONE_EVENT,
            session_id=self._session_ids,
            version=1,
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


def figures(stats: EndpointStats) -> Mapping[str, float]:
    """The stats as they are stored with the leg: only what is not zero."""
    return {name: value for name, value in asdict(stats).items() if value}


@contextlib.contextmanager
def joined(engine: MediaEngine, one: Leg, other: Leg) -> Iterator[None]:
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
