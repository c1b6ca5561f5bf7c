"""The party who called us: the UAS side."""

import asyncio
import logging
from typing import TYPE_CHECKING

from media.engine import Endpoint, MediaUnavailable
from pbx.legs.exchange import Security
from pbx.legs.leg import Leg
from sip import ServerSession, Session, SipError, sdp
from sip.invite import (
    Acknowledged,
    Cancelled,
    EarlyAnswered,
    Ended,
    EndedBy,
    Info,
    Referred,
    Rejected,
    Reoffer,
    SessionEvent,
)

if TYPE_CHECKING:
    from pbx.legs.exchange import Exchange

log = logging.getLogger(__name__)


class CallerLeg(Leg):
    """The party who called us: the UAS side. ``agent`` is given where an agent's phone called."""

    def __init__(
        self,
        exchange: "Exchange",
        session: ServerSession,
        agent: str | None = None,
        *,
        srtp: sdp.Srtp = sdp.Srtp.OPTIONAL,
        keys_by_info: bool = False,
    ) -> None:
        super().__init__(exchange)
        self.security = Security(srtp)
        self.keys_by_info = keys_by_info
        self.session = session
        self._address = exchange.address_towards(session.source.host, session.offer)
        self.agent = agent
        self.offered = session.offer is not None
        self._answered = False
        self._has_early_media = False
        self._acknowledged: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        session.on_event = self._sip_event
        exchange.speaks_by(self, session)

    @property
    def answered(self) -> bool:
        return self._answered

    @property
    def _session(self) -> Session:
        return self.session

    @property
    def sip_call_id(self) -> str:
        return self.session.sip_call_id

    @property
    def codec(self) -> str:
        offer = self.session.offer
        return self._exchange.codec_for(offer, self.security) if offer else ""

    @property
    def is_insecure(self) -> bool:
        """Whether the offer could be answered but for the encryption that it lacks."""
        offer = self.session.offer
        if self.security.srtp is not sdp.Srtp.REQUIRED or offer is None or self.codec:
            return False
        return self._exchange.codec_for(offer, Security()) != ""

    async def prepare_to_ring(self) -> None:
        if self.session.wants_early_offer and not self._local_sdp:
            await self.open_media()
            self._offer()

    def ring(self) -> None:
        if self.answered or self.ended.done():
            return
        if self.session.wants_early_offer:
            self.session.ring(self._local_sdp, status=180)
        else:
            self.session.ring()

    async def ring_with_media(self) -> str:
        """183."""
        try:
            endpoint = await self.open_media()
            if self.answered or self.ended.done() or self._has_early_media:
                return ""
            if self.session.offer is not None:
                self._accept_offer(endpoint, self.session.offer)
            elif not self.session.takes_early_offer:
                return "the caller made no offer"
            elif not self._local_sdp:
                self._offer()
        except (SipError, MediaUnavailable) as error:
            return str(error)
        self._has_early_media = True
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
        # Also after early media it is said again: from here on it counts whether they are heard.
        if self.session.answered_early and self._remote is not None:
            self._speak_to(self._remote)
        elif offer is not None:
            self._accept_offer(endpoint, offer)
        elif not self._local_sdp:
            self._offer()
        self._answered = True
        self.session.answer(self._local_sdp)
        if offer is None:
            await self._take_late_answer()

    async def _take_late_answer(self) -> None:
        """To our offer, out of the ACK; unless a PRACK brought it already."""
        answer = await self._acknowledged
        if answer is not None:
            self._take_answer(answer)
        elif self._remote is None:
            raise SipError(488, "The ACK to our offer carried no answer")

    def _accept_offer(self, endpoint: Endpoint, offer: bytes) -> None:
        negotiated = self._exchange.negotiate(offer, endpoint.port, self._address, self.security)
        self._local_sdp = negotiated.sdp
        self._speak_to(negotiated.remote)

    def _answered_early(self, answer: bytes) -> None:
        """Our offer went out with the ringing, and a PRACK brought what the caller says to it."""
        try:
            self._take_answer(answer)
        except SipError as error:
            log.info("leg %s answered our early offer unusably: %s", self.id, error.reason)
            self.session.reject(488)
            self.end("no_offer_answered", 488)

    def fell_silent(self) -> None:
        if self.answered and not self.held:  # many send nothing before
            self.end("no_rtp")

    def hang_up(self, sip_status: int = 480, reason: str | None = None) -> None:
        """BYE if we answered, else refuse with ``sip_status``."""
        if self._over:
            return
        if self.answered:
            self.session.bye(reason)
        else:
            self.session.reject(sip_status)

    def _sip_event(self, event: SessionEvent) -> None:
        self._over |= isinstance(event, Cancelled | Ended | Rejected)
        match event:
            case EarlyAnswered(sdp=answer):
                self._answered_early(answer)
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
            case Referred(referral=referral):
                self._referred(referral)
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
