"""What happens in a call, as typed events, and the one bus that carries them.

Everything that wants to know (the store's writer, the live stream to the dashboard, metrics,
webhooks) hears the same events in the same order. Publishing is synchronous and never waits: a
subscriber that has slow work to do keeps a queue of its own.

Times are aware datetimes in UTC. ``kind`` is the name under which an event is stored and streamed.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

log = logging.getLogger(__name__)


class CallStatus(StrEnum):
    """What became of a call."""

    RINGING = "ringing"
    IN_PROGRESS = "in_progress"
    ANSWERED = "answered"  # an agent talked
    VOICEMAIL = "voicemail"
    MISSED = "missed"  # it rang, nobody answered
    ABANDONED = "abandoned"  # the caller hung up before an agent answered
    COMPLETED = "completed"  # the flow ended by itself and rang nobody
    REJECTED = "rejected"
    FAILED = "failed"
    INTERRUPTED = "interrupted"  # the server died in the call

    @property
    def is_final(self) -> bool:
        return self not in (CallStatus.RINGING, CallStatus.IN_PROGRESS)


class Direction(StrEnum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"  # an agent called a number over a trunk
    INTERNAL = "internal"  # an agent called a colleague, a queue, or a feature code


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEvent:
    """Something that happened to one call; ``call_id`` is "" where it is about none."""

    kind: ClassVar[str] = ""
    stored: ClassVar[bool] = True
    """Whether the store keeps it; what others tell as well is only for whoever watches live."""
    call_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStarted(CallEvent):
    """A call came in and was attributed; nothing has been answered yet."""

    kind: ClassVar[str] = "call.started"
    direction: Direction
    from_: str  # E.164 where the caller's number is one, else as received; "" when withheld
    to: str  # the DID, E.164
    trunk: str
    sip_call_id: str
    flow: str
    source: str  # the source's id; "unknown" when no rule matches
    reasons: tuple[str, ...]  # why that source, in words an admin understands
    # Where the likeliest caller came from, all of one touch; "" for what is not known.
    medium: str = ""
    campaign: str = ""
    keyword: str = ""
    landing_page: str = ""
    referrer: str = ""
    visitor: str = ""  # the likeliest caller's id
    pool: str = ""  # that the number belongs to
    probability: float = 1.0  # that it is this visitor; 1 where the number alone decides
    candidates: tuple[Mapping[str, Any], ...] = ()  # everybody who may have called, likeliest first


@dataclass(frozen=True, slots=True, kw_only=True)
class CallIdentified(CallEvent):
    """What the signalling says of the caller beside their number."""

    kind: ClassVar[str] = "call.identified"
    name: str  # the display name, "" if there is none
    asserted: bool  # the carrier vouches for the number (P-Asserted-Identity)
    withheld: bool
    diverted_by: tuple[str, ...]  # who sent the call on, latest first, each with their reason
    attestation: str  # STIR/SHAKEN: "A", "B", "C", "failed"; "" for nothing
    because: str  # why that attestation


@dataclass(frozen=True, slots=True, kw_only=True)
class CallAnswered(CallEvent):
    """The server answered the caller (a prompt, or an agent behind it)."""

    kind: ClassVar[str] = "call.answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEntered(CallEvent):
    """The flow reached a step; each is one element of the call's path."""

    kind: ClassVar[str] = "step.entered"
    step: str
    step_kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnTaken(CallEvent):
    """A step decided where the call goes next, and says why."""

    kind: ClassVar[str] = "step.turn"
    step: str
    next: str | None  # None: the flow ends here
    because: str
    way: str = ""  # the exit's label, where several lead to one step


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueSet(CallEvent):
    """The flow found something out (keys that were asked for, who answered); for the record, not for logs."""

    kind: ClassVar[str] = "call.value"
    name: str  # a step's, "step.detail", or one that the flow chose
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysPressed(CallEvent):
    """What the caller pressed where keys were asked for; for the record, not for logs; of PINs nothing."""

    kind: ClassVar[str] = "call.keys"
    keys: str  # with the one that ended them; "" when the caller let it pass
    after_s: float  # how long after the question began the last of them came


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookAnswered(CallEvent):
    """What a ``webhook`` step was answered, try by try; kept so that a replay is answered the same."""

    kind: ClassVar[str] = "call.webhook"
    step: str
    status: int  # 0: no answer
    problem: str  # why there was none, "" if there was one
    fields: Mapping[
        str, str
    ]  # of a JSON answer: place → value, so many as a flow may use, secrets blotted out
    took_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LegStarted(CallEvent):
    """An INVITE went out (or, for the caller's own leg, came in)."""

    kind: ClassVar[str] = "call.ringing"
    leg_id: str
    role: str  # "caller", "agent" or "number"
    target: str  # agent id, or the number dialled
    agent: str | None
    sip_call_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegAnswered(CallEvent):
    kind: ClassVar[str] = "leg.answered"
    leg_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegEnded(CallEvent):
    """A leg is over. ``stats`` are the media worker's figures for it (packets, loss, jitter)."""

    kind: ClassVar[str] = "leg.ended"
    leg_id: str
    cause: str  # a name from pbx.failures
    sip_status: int | None
    stats: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirected(CallEvent):
    """Whom we rang sent the call on (a 3xx). ``cause``: why nobody is rung there, by pbx.failures; or ""."""

    kind: ClassVar[str] = "call.redirected"
    leg_id: str
    by: str  # agent id, or the number dialled
    to: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConnected(CallEvent):
    """Caller and agent (or forwarding number) hear each other from here on.

    When an agent calls another, both are told of: the one called, and with ``beside`` the one who called.
    """

    kind: ClassVar[str] = "call.connected"
    leg_id: str
    agent: str  # agent id, or the number dialled
    beside: bool = False  # the same talk, from its other end: it counts for the leg, not for the call again


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentDisconnected(CallEvent):
    kind: ClassVar[str] = "call.disconnected"
    leg_id: str
    agent: str
    talk_s: float
    beside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Transferred(CallEvent):
    """An agent gave the call to somebody else, who talks from here on."""

    kind: ClassVar[str] = "call.transferred"
    by: str
    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferFailed(CallEvent):
    """Nobody answered where an agent wanted the call; it is theirs again."""

    kind: ClassVar[str] = "call.transfer_failed"
    by: str
    to: str
    cause: str  # a name from pbx.failures


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueJoined(CallEvent):
    kind: ClassVar[str] = "queue.joined"
    queue: str
    position: int
    visit: int = 0  # tells this stay in a queue from others of the same call


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLeft(CallEvent):
    kind: ClassVar[str] = "queue.left"
    queue: str
    waited_s: float
    because: str
    visit: int = 0
    end: str = ""  # answered, abandoned, or how else: timeout, overflow, full, empty, key, callback
    agent: str = ""  # who answered


@dataclass(frozen=True, slots=True, kw_only=True)
class CallParked(CallEvent):
    """The caller waits at an orbit until somebody picks the call up there."""

    kind: ClassVar[str] = "call.parked"
    orbit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallUnparked(CallEvent):
    kind: ClassVar[str] = "call.unparked"
    orbit: str
    waited_s: float
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomEntered(CallEvent):
    """The caller hears, and is heard by, whoever is in the room."""

    kind: ClassVar[str] = "room.entered"
    members: int  # with this caller


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomLeft(CallEvent):
    kind: ClassVar[str] = "room.left"
    stayed_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingStarted(CallEvent):
    kind: ClassVar[str] = "recording.started"
    path: str  # relative to the data directory


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingEnded(CallEvent):
    kind: ClassVar[str] = "recording.ended"
    path: str
    duration_s: float
    problem: str = ""  # why it is incomplete, "" if it is whole


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingConverted(CallEvent):
    kind: ClassVar[str] = "recording.converted"
    path: str  # where it is kept from here on


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingPaused(CallEvent):
    kind: ClassVar[str] = "recording.paused"
    by: str  # whose wish it was


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingResumed(CallEvent):
    kind: ClassVar[str] = "recording.resumed"
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingConsent(CallEvent):
    """The caller was told that the call is recorded, and declined it or not."""

    kind: ClassVar[str] = "recording.consent"
    given: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervised(CallEvent):
    """A supervisor listens, whispers or barges in; ``mode`` "left" ends it."""

    kind: ClassVar[str] = "call.supervised"
    agent: str  # the supervisor
    mode: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VoicemailLeft(CallEvent):
    kind: ClassVar[str] = "voicemail.left"
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagged(CallEvent):
    kind: ClassVar[str] = "call.tagged"
    tag: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundRefused(CallEvent):
    """An alert: an agent's phone tried a call out that the rules forbid. Perhaps its password is stolen."""

    kind: ClassVar[str] = "alert.outbound"
    agent: str
    number: str  # masked
    cause: str  # a name from pbx.failures
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReceived(CallEvent):
    """A text, a chat's line, a form, a social message or a lead came in."""

    kind: ClassVar[str] = "message.received"
    message_id: str
    channel: str
    via: str
    from_: str
    to: str
    text: str
    source: str = ""
    visitor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatMissed(CallEvent):
    """Nobody answered a website visitor's chat; it waits in the inbox as a message."""

    kind: ClassVar[str] = "chat.missed"
    message_id: str  # the first line that nobody answered
    thread: str
    page: str
    text: str
    source: str = ""
    visitor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSent(CallEvent):
    """The provider, the carrier or the website took it."""

    kind: ClassVar[str] = "message.sent"
    message_id: str
    channel: str
    via: str
    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFailed(CallEvent):
    """It could not be sent and will not be tried again."""

    kind: ClassVar[str] = "message.failed"
    message_id: str
    channel: str
    via: str
    to: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored(CallEvent):
    """The flow rated the call; what a person says later replaces it."""

    kind: ClassVar[str] = "call.scored"
    score: int  # 1 to 5
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded(CallEvent):
    """The last event of the way of a call; what comes later (transcripts, scores) refers to it."""

    kind: ClassVar[str] = "call.ended"
    status: CallStatus
    cause: str  # a name from pbx.failures; "" when nothing went wrong
    reason: str  # one sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptChanged(CallEvent):
    """The transcript's state moved: pending, done, no_model or failed."""

    kind: ClassVar[str] = "transcript.state"
    state: str
    words: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEdited(CallEvent):
    """A person changed score, outcome, tags or note."""

    kind: ClassVar[str] = "call.edited"
    by: str
    changes: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStateChanged(CallEvent):
    """An agent rings, talks, wraps up, is free, paused or offline from now on."""

    kind: ClassVar[str] = "agent.state"
    stored: ClassVar[bool] = False
    agent: str
    state: str  # an AgentState
    reason: str = ""  # of a pause


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPresenceChanged(CallEvent):
    """Whether an agent can be rung and wants to be, as a whole; kept as the history of availability."""

    kind: ClassVar[str] = "agent.presence"
    agent: str
    reachable: bool  # a phone is registered, or there is a static contact
    paused: bool
    reason: str
    logged_out: tuple[str, ...]  # queues
    by: str  # who decided: a user's or token's name, "phone", "autopause"; "" for nobody yet


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackPromised(CallEvent):
    """The caller left, keeps the place in the line, and is called back when it is their turn."""

    kind: ClassVar[str] = "callback.promised"
    queue: str
    number: str  # E.164
    trunk: str | None
    priority: int
    source: str
    place: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackTried(CallEvent):
    """The turn came; ``call_id`` is the call that was promised a callback, ``by_call`` the one made."""

    kind: ClassVar[str] = "callback.tried"
    how: str  # talked, no_agent, no_customer, impossible
    by_call: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackEnded(CallEvent):
    """The promise was kept, or given up."""

    kind: ClassVar[str] = "callback.ended"
    end: str  # talked, failed, expired
    because: str
    by_call: str  # the call in which they talked; "" if none


Subscriber = Callable[[CallEvent], None]


class EventBus:
    """Carries every event to every subscriber that wants its kind, in order."""

    def __init__(self) -> None:
        self._subscribers: list[tuple[Subscriber, tuple[type[CallEvent], ...]]] = []
        self._hearing: dict[type[CallEvent], tuple[Subscriber, ...]] = {}  # who wants a kind, once asked

    def subscribe(self, subscriber: Subscriber, *kinds: type[CallEvent]) -> Callable[[], None]:
        """Call ``subscriber`` for each event of these kinds, or of all if none is named, from now on;
        returns what ends that."""
        subscription = (subscriber, kinds or (CallEvent,))
        self._subscribers.append(subscription)
        self._hearing.clear()

        def unsubscribe() -> None:
            self._subscribers.remove(subscription)
            self._hearing.clear()

        return unsubscribe

    def _hearers(self, kind: type[CallEvent]) -> tuple[Subscriber, ...]:
        hearing = tuple(each for each, kinds in self._subscribers if issubclass(kind, kinds))
        self._hearing[kind] = hearing
        return hearing

    def publish(self, event: CallEvent) -> None:
        kind = type(event)
        for subscriber in self._hearing.get(kind) or self._hearers(kind):
            try:
                subscriber(event)
            except Exception:
                # One deaf listener must not end a call, nor keep the others from hearing.
                log.exception("a subscriber failed on %s of call %s", event.kind, event.call_id)
