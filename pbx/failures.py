"""The one catalogue of how calls and legs end: cause, SIP status, call status, text, remedy.

A *cause* is the stable name that events, rows and logs carry. The text says what happened, the
remedy what an admin can do; both are shown on the call's page.
"""

from dataclasses import dataclass

from pbx.events import CallStatus
from pbx.flows.control import DialOutcome


@dataclass(frozen=True, slots=True)
class Failure:
    """``sip_status`` is what the caller's leg is refused with if it was never answered."""

    cause: str
    text: str
    sip_status: int = 480
    call_status: CallStatus | None = None  # None: the flow's outcome decides
    remedy: str = ""


_ALL = (
    Failure("caller_hung_up", "The caller hung up."),
    Failure("flow_ended", "The flow came to its end."),
    Failure("agent_hung_up", "The agent hung up."),
    Failure(
        "unknown_number",
        "The number called is not in numbers or pools.",
        404,
        CallStatus.REJECTED,
        "Add the number to `numbers` in config.yaml, or ask the carrier why it is sent here.",
    ),
    Failure(
        "not_dialable",
        "What was dialled is no extension, queue, flow, number or feature code.",
        404,
        CallStatus.REJECTED,
        "Feature codes begin with `*`; numbers without + are read as ones of `server.country`.",
    ),
    Failure("called_hung_up", "Who was called hung up."),
    Failure("transferred", "Whoever this was joined another call, by transfer."),
    Failure("feature_ended", "The feature code was carried out."),
    Failure(
        "no_common_codec",
        "The caller's offer has no audio codec that we speak.",
        488,
        CallStatus.FAILED,
        "Allow a codec of media.codecs on the trunk.",
    ),
    Failure(
        "srtp_required",
        "Who calls is to encrypt the media, and this offer does not.",
        488,
        CallStatus.FAILED,
        "Turn SRTP with SDES on there, or set its srtp to optional.",
    ),
    Failure(
        "no_offer_answered",
        "The caller sent no offer, and the answer to ours could not be used.",
        488,
        CallStatus.FAILED,
        "Check the codecs allowed on the trunk.",
    ),
    Failure(
        "no_ack",
        "The caller never acknowledged our answer.",
        408,
        CallStatus.FAILED,
        "The 200 OK or the ACK is lost on the way: check `sip.external_address` and the firewall.",
    ),
    Failure(
        "no_rtp",
        "The caller sent no audio for too long.",
        480,
        CallStatus.FAILED,
        "RTP is lost on the way: check `media.address`, `media.rtp_ports` and the firewall.",
    ),
    Failure(
        "agent_vanished",
        "The agent's phone vanished in mid-call.",
        480,
        None,
        "Check the phone's network; its audio stopped without a BYE.",
    ),
    Failure(
        "media_lost",
        "The media process died in the call.",
        503,
        CallStatus.FAILED,
        "A new one took over for the next call. See the log for why it died.",
    ),
    Failure(
        "media_unavailable",
        "No media could be set up.",
        503,
        CallStatus.FAILED,
        "Widen `media.rtp_ports`, or see the log of the media process.",
    ),
    Failure(
        "no_speech",
        "A text could not be spoken.",
        503,
        CallStatus.FAILED,
        "Install espeak-ng, or play files instead of texts.",
    ),
    Failure("transport_lost", "The caller's connection broke.", 503, CallStatus.FAILED, "Check the network."),
    Failure(
        "flow_error",
        "A step of the flow failed.",
        500,
        CallStatus.FAILED,
        "Run `pbx check` and see the log for the step named.",
    ),
    Failure("server_stopping", "The server was stopped.", 503, CallStatus.FAILED),
    Failure("interrupted", "The server died in the call.", 503, CallStatus.INTERRUPTED),
    # How a leg that we rang ended.
    Failure("answered", "Answered; the talk has ended.", 200),
    Failure("no_answer", "Rang until the time was up.", 480),
    Failure("busy", "Busy.", 486),
    Failure("declined", "Declined on the phone.", 603),
    Failure(
        "not_registered",
        "No phone of this agent is registered.",
        480,
        remedy="Register the agent's softphone, or give the agent a static `contact`.",
    ),
    Failure(
        "unreachable",
        "The phone did not react, or its network refused.",
        503,
        remedy="Check that the phone is on and its address is right.",
    ),
    Failure(
        "no_trunk",
        "No trunk can carry the call out.",
        503,
        remedy="Give a trunk a `host`, or name the step's `trunk`.",
    ),
    Failure(
        "outbound_country",
        "Agents may not call numbers of this country.",
        403,
        CallStatus.REJECTED,
        "If it was meant, add the country to `outbound.countries`; if not, change the phone's password.",
    ),
    Failure(
        "outbound_premium",
        "Agents may not call premium-rate numbers.",
        403,
        CallStatus.REJECTED,
        "If nobody meant to, change the phone's password.",
    ),
    Failure(
        "outbound_limit",
        "Too many calls out, at the same time or within an hour.",
        403,
        CallStatus.REJECTED,
        "If agents call so much, raise the limits under `outbound`; if not, change the phone's password.",
    ),
    Failure("picked_up", "A colleague picked the call up while it rang here.", 487),
    Failure("redirected", "Sent the call on to somebody else.", 480),
    Failure(
        "redirect_circle",
        "Sent the call on to where it rang already, or once too often.",
        480,
        remedy="Look at where the phones forward to: no more than five in a row, and never back.",
    ),
    Failure("dial_failed", "The far end refused the call.", 500),
    Failure("cancelled", "Stopped ringing: the caller left, or another phone answered.", 487),
)

CATALOGUE: dict[str, Failure] = {failure.cause: failure for failure in _ALL}


def failure(cause: str) -> Failure:
    """The catalogue's entry. Raises KeyError for a name that is not in it: add it there first."""
    return CATALOGUE[cause]


def outcome_of(sip_status: int) -> DialOutcome:
    """What a final response to our INVITE means (RFC 3261 §21)."""
    if sip_status in (486, 600):
        return DialOutcome.BUSY
    if sip_status in (403, 603):
        return DialOutcome.DECLINED
    if sip_status in (480, 487):
        return DialOutcome.NO_ANSWER
    if sip_status in (404, 408, 410, 502, 503, 504, 604):
        return DialOutcome.UNREACHABLE
    return DialOutcome.FAILED


_LEG_CAUSES = {
    DialOutcome.ANSWERED: "answered",
    DialOutcome.BUSY: "busy",
    DialOutcome.DECLINED: "declined",
    DialOutcome.NO_ANSWER: "no_answer",
    DialOutcome.UNREACHABLE: "unreachable",
    DialOutcome.FAILED: "dial_failed",
}


def cause_of(outcome: DialOutcome) -> str:
    """The leg's cause for a dial outcome."""
    return _LEG_CAUSES[outcome]
