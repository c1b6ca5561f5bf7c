"""A party whom we ring: the UAC side."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pbx.legs.caller import CallerLeg
from pbx.legs.exchange import Security
from pbx.legs.leg import Leg
from sip import ClientSession, Session, SipError, redirect
from sip.invite import (
    Acknowledged,
    Answered,
    Cancelled,
    Ended,
    EndedBy,
    Info,
    Provisional,
    Referred,
    Rejected,
    Reoffer,
    SessionEvent,
)
from sip.uri import URI

if TYPE_CHECKING:
    from pbx.legs.exchange import Destination, Exchange

log = logging.getLogger(__name__)


class CalledLeg(Leg):
    """A party whom we ring: the UAC side. ``outcome`` resolves to whether it was answered."""

    def __init__(self, exchange: "Exchange", target: str, agent: str | None) -> None:
        super().__init__(exchange)
        self.target = target
        self.agent = agent
        self.role = "agent" if agent else "number"
        self.outcome: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.on_progress: Callable[[bool], None] = lambda early_media: None
        self.session: ClientSession | None = None
        self.sent_on = False  # answered with a 3xx that may be followed, to ``contacts``, ``because``
        self.contacts: list[URI] = []
        self.because = ""
        self.picked_up_by: CallerLeg | None = None

    @property
    def answered(self) -> bool:
        return self.outcome.done() and self.outcome.result()

    @property
    def number(self) -> str:
        return "" if self.agent else self.target

    @property
    def _session(self) -> Session | None:
        return self.session

    @property
    def sip_call_id(self) -> str:
        return self.session.sip_call_id if self.session else ""

    @property
    def trunk(self) -> str:
        """The trunk that was asked last, "" for a phone."""
        return self.session.target.trunk if self.session else ""

    async def invite(
        self, destination: "Destination", from_: str, *, codec: str = "", diversions: Sequence[str] = ()
    ) -> None:
        """Ring, and offer ``codec`` first. ``diversions``: who sent the call on to here (RFC 5806), latest
        first. Raises MediaUnavailable."""
        self.security = Security(destination.srtp)
        self.keys_by_info = destination.keys_by_info
        diverted = [("Diversion", each) for each in diversions]
        first, *fallbacks = [
            replace(way, headers=(*way.headers, *diverted)) for way in destination.ways(from_)
        ]
        self._address = self._exchange.address_towards(first.target.flow.remote.host)
        await self.open_media()
        self.session = self._exchange.stack.invite(
            first.target,
            offer=self._offer(codec),
            from_=first.from_,
            to=first.to,
            headers=first.headers,
            credentials=first.credentials,
            fallbacks=fallbacks,
            on_event=self._sip_event,
        )
        self._exchange.speaks_by(self, self.session)

    def hang_up(self, sip_status: int = 480, reason: str | None = None) -> None:
        """CANCEL or BYE, whichever fits."""
        if self.session is None or self._over:
            return
        if self.answered:
            self.session.bye(reason)
        else:
            self.session.cancel()

    def pick_up(self, by: CallerLeg) -> bool:
        """``by`` takes this one's place while it rings (RFC 3891 §3); False if it rings no more."""
        if self.outcome.done() or self.session is None:
            return False
        self.picked_up_by = by
        self.hang_up()
        return True

    def _sip_event(self, event: SessionEvent) -> None:
        self._over |= isinstance(event, Cancelled | Ended | Rejected)
        match event:
            case Provisional(status=status, sdp=early) if status > 100:
                self.on_progress(self._early_media(early))
            case Answered(sdp=answer):
                self._on_answered(answer)
            case Acknowledged(sdp=answer) if answer is not None:
                self._reoffer_answered(answer)
            case Rejected(status=status, headers=fields):
                if status in redirect.FOLLOWED:
                    self.sent_on = True
                    self.contacts, self.because = redirect.contacts(fields), redirect.reason(fields)
                self.end("rejected", status)
            case Cancelled():
                self.end("cancelled", 487)
            case Ended(by=by, status=status):
                left = "agent_hung_up" if self.agent else "called_hung_up"
                self.end(left if by is EndedBy.REMOTE else "agent_vanished", status)
            case Reoffer() if self.session is not None:
                self._reoffer(self.session, event)
            case Info():
                self._info(event)
            case Referred(referral=referral):
                self._referred(referral)
            case _:
                pass
        if self.ended.done() and not self.outcome.done():
            self.outcome.set_result(False)

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
        if self.outcome.done():
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
        self.outcome.set_result(True)

    def fell_silent(self) -> None:
        if self.answered and not self.held:  # a phone that rings may well say nothing
            self.end("agent_vanished")

    def media_lost(self) -> None:
        super().media_lost()
        if not self.outcome.done():
            self.outcome.set_result(False)
