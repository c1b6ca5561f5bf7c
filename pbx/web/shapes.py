"""The JSON that the API takes and gives. ``/openapi.json`` is made from these models.

Times are RFC 3339 in UTC (``2026-11-24T14:08:39.123Z``), durations seconds.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from pbx.events import CallStatus, Direction

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
NO_NUL = r"^[^\x00]*$"  # PostgreSQL keeps no NUL in a text
Tag = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64, pattern=NO_NUL)]
TranscriptState = Literal["pending", "done", "no_model", "failed"]
OutcomeName = Literal["sale", "no_sale", "lead", "spam"]


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class CandidateShape(Shape):
    """A visitor who may be the caller."""

    visitor: str
    probability: float
    source: str
    shown_at: Time | None = Field(
        description="Since when the number was the visitor's; null without a lease."
    )
    seen_at: Time | None = Field(description="The last sign of life before the call.")
    by_number: bool = Field(description="The caller's number is one that this visitor called from before.")


class Attribution(Shape):
    source: str
    reasons: list[str] = Field(description="Why that source, in words.")
    medium: str = Field(
        description='Of the likeliest visitor\'s last touch, like what follows; "" if unknown.'
    )
    campaign: str
    keyword: str
    landing_page: str
    referrer: str
    pool: str | None = Field(description="That the number belongs to.")
    visitor: str | None = Field(description="The likeliest caller.")
    probability: float | None = Field(description="That it is this visitor; null without one.")
    ambiguous: bool = Field(description="Whether somebody else may well have called.")
    candidates: list[CandidateShape] = Field(description="Everybody who may have called, likeliest first.")


class TouchShape(Shape):
    """An arrival at the website: every field of one page view."""

    at: Time
    source: str
    medium: str
    campaign: str
    keyword: str
    content: str
    click_id: str
    landing_page: str
    referrer: str


class MilestoneShape(Shape):
    """A moment of the visitor, and the touch that was the last one then."""

    name: Literal["first_touch", "lead", "qualified", "sale"]
    at: Time
    ref: str = Field(description='The call or message that it was reached by; "" for a touch.')
    touch: TouchShape | None


class JourneyShape(Shape):
    """The likeliest visitor's way to the call."""

    touches: list[TouchShape] = Field(description="Arrivals before the call, oldest first.")
    first: TouchShape
    last: TouchShape
    lead: TouchShape | None = Field(description="The last touch when the visitor first got in touch.")
    lead_at: Time
    pages: int
    visits: int
    calls_before: int
    milestones: list[MilestoneShape] = Field(description="Of the visitor up to now, also after this call.")
    credit: dict[str, list[float]] = Field(description="By model, each touch's share.")
    story: list[str]


class AttributionDetail(Attribution):
    journey: JourneyShape | None = Field(description="Null where no visitor is known any more.")


class Recording(Shape):
    url: str
    duration: float | None = Field(description="Seconds; null while it runs.")
    problem: str = Field(description='Why it is incomplete; "" if it is whole.')
    voicemail: float | None = Field(description="Seconds of the message left, null if there is none.")


class TranscriptLink(Shape):
    url: str
    state: TranscriptState


class Call(Shape):
    """One call, as listed."""

    id: str
    origin: str = Field(description='Where it was imported from; "" for a call of this server.')
    direction: Direction
    from_: str = Field(alias="from", description='E.164 where it is one; "" when withheld.')
    to: str = Field(description="The tracking number called.")
    trunk: str
    flow: str
    source: str
    status: CallStatus
    cause: str = Field(description="How it ended, as a stable name.")
    reason: str = Field(description="How it ended, in one sentence.")
    started_at: Time
    answered_at: Time | None
    ended_at: Time | None
    duration: float | None = Field(description="Seconds from start to end; null while live.")
    wait: float | None = Field(description="Seconds from start until an agent talked.")
    talk_time: float
    agent: str | None = Field(description="Who talked last: an agent's id, or the number dialled.")
    queue: str | None
    path: list[str] = Field(description="The flow's steps, in order.")
    attribution: Attribution
    tags: list[str]
    score: int | None
    outcome: OutcomeName | None
    value: float | None = Field(description="What it brought in, in reports.currency.")
    caller: Literal["first", "repeat"] | None = Field(
        description="Whether an earlier call came from the same number; null if it is withheld."
    )
    area: str | None = Field(description="Where the caller's number is from: US-NJ, GB; null if not known.")
    exit: str | None = Field(description="The last step entered, as flow/step.")
    note: str
    recording: Recording | None
    transcript: TranscriptLink | None = Field(description="Null when nothing was recorded.")


class LegQuality(Shape):
    loss: float = Field(description="Percent of the packets that should have come.")
    jitter_ms: float
    mos: float = Field(description="Estimated mean opinion score, 1 to 4.5 (ITU-T G.107).")


class Leg(Shape):
    id: str
    role: str = Field(description="caller, agent or number.")
    target: str
    agent: str | None
    started_at: Time
    answered_at: Time | None
    ended_at: Time | None
    talk_time: float
    cause: str
    sip_status: int | None
    stats: dict[str, float] = Field(description="Packets, loss and jitter as the media worker saw them.")
    quality: LegQuality | None = Field(description="How it sounded to us; null where nothing was received.")


class Event(BaseModel):
    """One thing that happened; what else it carries depends on its kind."""

    model_config = ConfigDict(extra="allow")

    kind: str
    at: Time


class CallDetail(Call):
    """One call with its whole history."""

    attribution: AttributionDetail
    legs: list[Leg]
    events: list[Event]


class CallPage(Shape):
    calls: list[Call]
    next: str | None = Field(description="The cursor of the next page, null on the last.")


class CallChanges(Shape):
    """What a person may change; what is left out stays."""

    model_config = ConfigDict(extra="forbid", strict=True)

    score: Annotated[int, Field(ge=1, le=5)] | None = None
    outcome: OutcomeName | None = None
    value: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] | None = Field(
        None, description="What it brought in, in reports.currency."
    )
    tags: Annotated[list[Tag], Field(max_length=50)] = []
    note: Annotated[str, Field(max_length=10_000, pattern=NO_NUL)] = ""


class CallWanted(Shape):
    """A call to be made: the agent's phone rings first."""

    model_config = ConfigDict(extra="forbid", strict=True)

    agent: Annotated[str, Field(max_length=80, pattern=NO_NUL, description="The agent's id.")] = ""
    to: Annotated[str, Field(max_length=80, pattern=NO_NUL, description="What the agent would dial.")] = ""


class RecordingWish(Shape):
    model_config = ConfigDict(extra="forbid", strict=True)

    action: Literal["pause", "resume"] = "pause"


class RecordingState(Shape):
    state: Literal["off", "recording", "paused", "declined"]


class SupervisionWish(Shape):
    """A supervisor who is to hear a call."""

    model_config = ConfigDict(extra="forbid", strict=True)

    agent: Annotated[str, Field(max_length=80, pattern=NO_NUL, description="The supervisor's id.")] = ""
    mode: Literal["listen", "whisper", "barge"] = "listen"


class Supervising(Shape):
    """``id``: the supervisor's own call, where they had to be rung."""

    mode: Literal["listen", "whisper", "barge"]
    id: str = ""


class CallMade(Shape):
    id: str
    url: str


class Word(Shape):
    word: str
    start: float
    end: float
    speaker: Literal["caller", "agent"]
    confidence: float


class Transcript(Shape):
    state: TranscriptState
    problem: str = ""
    words: list[Word]


class Parts(Shape):
    """Readiness; a part's text is "ok" or what is wrong."""

    status: Literal["ready", "unready"]
    parts: dict[str, str]


class Health(Shape):
    status: Literal["ok"]


class ProblemDocument(BaseModel):
    """RFC 9457."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    field: str | None = None
