"""What every leg can do, whoever sent the INVITE."""

import asyncio
import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from media.engine import (
    Dtmf,
    Endpoint,
    EndpointStats,
    FellSilent,
    KeyToSignal,
    MediaEvent,
    MediaUnavailable,
    PlayEnded,
    RtpTimeout,
    Source,
)
from pbx.legs.exchange import Security, remote_media
from sip import ClientSession, Referral, ServerSession, Session, SipError, sdp
from sip.invite import Info, Reoffer

if TYPE_CHECKING:
    from pbx.legs.exchange import Exchange
    from pbx.transfer import Consultation, TalkOrders

log = logging.getLogger(__name__)

DTMF_RELAY = "application/dtmf-relay"


def ignore(news: object) -> None:
    """What a leg's news meet while nobody wants to know."""


def _nobody_to_transfer(referral: Referral) -> None:
    """What a REFER meets while its sender is not in a talk."""
    referral.reject(480)


@dataclass(frozen=True, slots=True)
class LegEnd:
    """How a leg ended: a pbx.failures cause, and the SIP status if there was one."""

    cause: str
    sip_status: int | None = None


class Leg:
    """One party: its dialog and its audio.

    ``ended`` resolves once, with a :class:`LegEnd`. ``on_key`` hears each key pressed, ``on_silence`` that
    nothing was said for as long as ``CallRecording.watch_for_silence`` was told, ``on_hold`` that
    the party put us on hold or took us back, ``on_referral`` that it wants somebody else called: it must
    accept then or is refused. ``agent`` is the id of the agent who speaks here, None for anybody else.
    """

    role = "caller"
    agent: str | None = None
    offered = True
    """Whether an offer came with the INVITE."""

    @property
    def number(self) -> str:
        """The number that we rang to reach this party, "" for one who called us."""
        return ""

    @property
    def sip_call_id(self) -> str:
        raise NotImplementedError

    def __init__(self, exchange: "Exchange") -> None:
        self.id = uuid.uuid4().hex[:12]
        self.ended: asyncio.Future[LegEnd] = asyncio.get_running_loop().create_future()
        self.on_key: Callable[[str], None] = ignore
        self.on_silence: Callable[[FellSilent], None] = ignore
        self.on_hold: Callable[[bool], None] = ignore
        self.on_referral: Callable[[Referral], None] = _nobody_to_transfer
        self.talk: TalkOrders | None = None  # the one that the party is in
        self.consultation: Consultation | None = None  # what an agent's own call leads to
        self.held = False  # the party wants to hear nothing from us just now
        self.endpoint: Endpoint | None = None
        self.security = Security()
        self.keys_by_info = False  # it is sent keys by INFO where it takes no telephone-events
        self._exchange = exchange
        self._play_ended: asyncio.Future[str] | None = None
        self._playback = -1
        self._local_sdp = b""
        self._remote: sdp.RemoteAudio | None = None  # what was agreed last
        self._address = exchange.address  # of our audio, as the party reaches it
        self._over = False  # the session reported its terminal event

    # What a flow asks of the party that it serves

    @property
    def answered(self) -> bool:
        """Whether the party and we are through to each other."""
        raise NotImplementedError

    async def answer(self) -> None:
        """Answer, if that has not been done."""

    async def prepare_to_ring(self) -> None:
        """To be awaited before anybody is rung for this party. Raises MediaUnavailable."""

    def ring(self) -> None:
        """Say that somebody else is rung for this party."""

    async def ring_with_media(self) -> str:
        """Let the party hear, before the answer, what is played and bridged to it.

        Returns what went wrong, "" for nothing: that nobody is deaf for it is the answer's business.
        """
        return ""

    def hang_up(self, sip_status: int = 480, reason: str | None = None) -> None:
        """End the dialog in whichever way fits; does nothing when the far end has gone.

        ``sip_status`` refuses an INVITE that was never answered, ``reason`` goes into a BYE.
        """
        raise NotImplementedError

    # Its audio

    async def open_media(self) -> Endpoint:
        """The leg's RTP address; allocated at first use. Raises MediaUnavailable."""
        if self.endpoint is None:
            endpoint = await self._exchange.allocate(self._address)
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
            case KeyToSignal(digit=digit, duration_ms=duration_ms):
                self._tell_key(digit, duration_ms)
            case FellSilent():
                self.on_silence(event)
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
        """A re-INVITE, UPDATE or PRACK: same endpoint, perhaps a new address, codec or direction."""
        if self.endpoint is None:
            session.reject_reoffer(488)
            return
        if event.sdp is None:  # RFC 6337 §5.2: all that we can, however things stand just now
            session.accept_reoffer(self._offer(after=self._local_sdp))
            return
        try:
            negotiated = self._exchange.negotiate(
                event.sdp, self.endpoint.port, self._address, self.security, after=self._local_sdp
            )
        except SipError as error:
            session.reject_reoffer(error.status)
            return
        self._local_sdp = negotiated.sdp
        self._speak_to(negotiated.remote)
        session.accept_reoffer(negotiated.sdp)
        self._hold(not negotiated.remote.send)

    @property
    def codec(self) -> str:
        """What the party speaks, or would; "" while nobody knows."""
        return ""

    def _offer(self, first: str = "", after: bytes = b"") -> bytes:
        assert self.endpoint is not None
        self._local_sdp = self._exchange.build_offer(
            self.endpoint, self._address, self.security, first=first, after=after
        )
        return self._local_sdp

    def _take_answer(self, answer: bytes) -> sdp.RemoteAudio:
        remote = sdp.accept_answer(self._local_sdp, answer)
        self._speak_to(remote)
        return remote

    def _speak_to(self, remote: sdp.RemoteAudio) -> None:
        self._remote = remote
        if self.endpoint is not None:  # None: lost with its worker, which ends the leg
            media = remote_media(remote, keys_by_info=self.keys_by_info)
            self._exchange.engine.set_remote(self.endpoint.id, media)

    def _reoffer_answered(self, answer: bytes) -> None:
        """The answer to the offer that a re-INVITE without one asked us for."""
        try:
            self._hold(not self._take_answer(answer).send)
        except SipError as error:
            log.warning("leg %s acknowledged unusably: %s", self.id, error.reason)

    def _hold(self, held: bool) -> None:
        if held is not self.held:
            self.held = held
            self.on_hold(held)

    def _referred(self, referral: Referral) -> None:
        """Only agents transfer: a trunk that could would make us call whom it likes."""
        if self.agent is None:
            referral.reject(403)
        else:
            self.on_referral(referral)

    def _info(self, event: Info) -> None:
        key = dtmf_of_info(event)
        if key and self.endpoint is not None:  # it comes back as the endpoint's, for whoever hears that
            self._exchange.engine.key_signalled(self.endpoint.id, key)

    def _tell_key(self, key: str, duration_ms: int) -> None:
        session = self._session
        if session is not None:
            session.info(DTMF_RELAY, f"Signal={key}\r\nDuration={duration_ms}\r\n".encode())

    @property
    def _session(self) -> Session | None:
        """The dialog, once there is one."""
        return None


class Nobody(Leg):
    """Stands for the party whom the server itself calls for, until somebody is there."""

    def __init__(self, exchange: "Exchange", number: str = "") -> None:
        """``number`` is what those who are rung see."""
        super().__init__(exchange)
        self._number = number

    @property
    def number(self) -> str:
        return self._number

    @property
    def answered(self) -> bool:
        return False

    def hang_up(self, sip_status: int = 480, reason: str | None = None) -> None:
        pass


def dtmf_of_info(event: Info) -> str:
    """The key in an INFO body of ``application/dtmf-relay`` or ``application/dtmf``, "" if none."""
    text = event.body.decode("ascii", "replace")
    kind = event.content_type.partition(";")[0].strip().lower()
    if kind == DTMF_RELAY:
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
