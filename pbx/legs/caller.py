"""The party who called us: the UAS side."""

import asyncio
from typing import TYPE_CHECKING

from media.engine import Endpoint, MediaUnavailable
from pbx.legs.exchange import Security
from pbx.legs.leg import Leg
from sip import ServerSession, Session, SipError, sdp
from sip.invite import (
    Acknowledged,
    Cancelled,
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
        self._address = exchange.address_towards(session.source.host)
        self.agent = agent
        self.offered = session.offer is not None
        self._answered = False
        self._acknowledged: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        session.on_event = self._sip_event

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

    def ring(self) -> None:
        if not self.answered and not self.ended.done():
            self.session.ring()

    async def ring_with_media(self) -> str:
        """183."""
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
        self._answered = True
        self.session.answer(self._local_sdp)
        if offer is None:
            answer = await self._acknowledged
            if answer is None:
                raise SipError(488, "The ACK to our offer carried no answer")
            self._take_answer(answer)

    def _accept_offer(self, endpoint: Endpoint, offer: bytes) -> None:
        negotiated = self._exchange.negotiate(offer, endpoint.port, self._address, self.security)
        self._local_sdp = negotiated.sdp
        self._speak_to(endpoint, negotiated.remote)

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
