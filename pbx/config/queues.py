"""Agents and the lines in front of them: the sections ``agents`` and ``queues``."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import ConfigDict, Field, field_validator, model_validator

from pbx.config.fields import Duration, Extension, KeyWay, Model, SipUri, SrtpWish
from pbx.flows.languages import Words

Level = Annotated[int, Field(ge=1, le=10)]


class Agent(Model):
    name: str = Field(description="What people call them.")
    extension: Extension | None = Field(None, description="The number on the agent's phone; also a login.")
    password: str | None = Field(
        None, description="Digest password; an agent with neither password nor contact cannot be rung."
    )
    contact: SipUri | None = Field(None, description="A static SIP URI: rung without a registration.")
    number: str | None = Field(
        None, description="Shown by this agent's calls out, where no tracking number is."
    )
    listed: bool = Field(True, description="Whether callers find them in a directory of names.")
    name_file: str | None = Field(
        None, description="Their name as they say it: a WAV file in prompts/; else it is spoken."
    )
    skills: list[str] | dict[str, Level] = Field(
        default_factory=list,
        description="What they can do: a list, or each skill with a level from 1 to 10.",
    )

    supervisor: bool = Field(False, description="May listen, whisper and speak into colleagues' calls.")
    srtp: SrtpWish = Field(
        "optional", description="Encrypted media: off, optional (taken if offered) or required."
    )
    dtmf: KeyWay = Field(
        "inband",
        description="How a phone without telephone-event is sent keys: inband tones, or SIP info.",
    )

    @property
    def levels(self) -> dict[str, int]:
        """Each skill with its level; one that was only listed has 1."""
        return dict(self.skills) if isinstance(self.skills, dict) else dict.fromkeys(self.skills, 1)


class Strategy(StrEnum):
    RING_ALL = "ring-all"
    LONGEST_IDLE = "longest-idle"
    ROUND_ROBIN = "round-robin"
    TOP_DOWN = "top-down"
    FEWEST_CALLS = "fewest-calls"
    LEAST_TALK_TIME = "least-talk-time"
    WEIGHTED_RANDOM = "weighted-random"
    SKILLS = "skills"


class Empty(StrEnum):
    OFFLINE = "offline"
    PAUSED = "paused"


def _or_bare_text(schema: dict[str, Any]) -> None:
    mapping = dict(schema)
    schema.clear()
    by_language = {"type": "object", "additionalProperties": {"type": "string"}}
    schema["anyOf"] = [{"type": "string"}, mapping, by_language]


class Announcement(Model):
    """A text, one per language, or {play: file} of an audio file in ``prompts/``."""

    model_config = ConfigDict(json_schema_extra=_or_bare_text)

    say: Words | None = Field(None, description="Spoken: a text, or one per language.")
    play: str | None = Field(None, min_length=1, description="An audio file in prompts/.")

    @model_validator(mode="before")
    @classmethod
    def _bare_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"say": value}
        languages = isinstance(value, dict) and value and value.keys().isdisjoint(cls.model_fields)
        return {"say": value} if languages else value

    @model_validator(mode="after")
    def _one_of_them(self) -> "Announcement":
        if (self.say is None) == (self.play is None):
            raise ValueError("write a text, {say: text} or {play: file}")
        return self


class Queue(Model):
    strategy: Strategy = Field(
        Strategy.RING_ALL, description="Who is rung of those who are free; see Strategies."
    )
    members: list[str] = Field(min_length=1, description="The agents who take its calls.")
    extension: Extension | None = Field(
        None,
        description="What agents dial to reach it, and behind the codes to log in and out.",
    )
    weights: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict, description="weighted-random: an agent's share of the calls; 1 if not given."
    )
    ring_timeout: Duration = Field(timedelta(seconds=20), description="How long an agent is rung at a time.")
    max_wait: Duration = Field(timedelta(minutes=5), description="Then the flow's on_timeout.")
    max_length: int | None = Field(
        None, ge=1, description="With so many waiting, the next one goes to the flow's on_full."
    )
    wrap_up: Duration = Field(timedelta(0), description="An agent's rest after a call.")
    autopause: int | None = Field(
        None, ge=1, description="An agent who misses so many calls in a row is paused; never if not given."
    )
    sticky: Duration | None = Field(
        None,
        description="How long a caller is kept for the agent they talked to last; not at all if not given.",
    )
    source_priority: dict[str, int] = Field(
        default_factory=dict, description="By source: callers of a higher priority go first; 0 if not given."
    )
    empty_when: Empty = Field(
        Empty.OFFLINE, description="Empty is a queue with every member offline, or offline or paused."
    )
    leave_when_empty: bool = Field(
        True, description="With on_empty: those who wait leave, too, when it becomes empty."
    )
    overflow_after: Duration | None = Field(None, description="Who has waited so long overflows.")
    overflow_length: int | None = Field(
        None, ge=0, description="Who finds more than so many waiting overflows."
    )
    overflow_to: str | None = Field(
        None, description="The queue to overflow to, keeping the place; else the flow's on_overflow."
    )
    announce_position: Duration | None = Field(
        None, description="How often callers hear their place in the line; never if not given."
    )
    announce_wait: bool = Field(False, description="Say the estimated wait with the place.")
    say_position: Words | None = Field(
        None, description="The place in other words: a text, or one per language, with {place} in it."
    )
    say_wait: Words | None = Field(
        None, description="The estimated wait in other words, with {minutes} in it."
    )
    announcements: list[Announcement] = Field(
        default_factory=list, description="Texts, or {play: file}, heard one after the other while waiting."
    )
    announce_every: Duration = Field(timedelta(minutes=1), description="How often one of them is heard.")
    service_level: Duration = Field(
        timedelta(seconds=20), description="The wait within which calls are to be answered."
    )
    callback_tries: int = Field(
        3, ge=1, le=20, description="How often a customer is called back who does not answer."
    )
    callback_every: Duration = Field(timedelta(minutes=5), description="How long between two tries.")
    callback_keep: Duration = Field(timedelta(hours=8), description="After so long a callback is given up.")

    @field_validator("announce_position", "announce_every")
    @classmethod
    def _not_without_end(cls, value: timedelta | None) -> timedelta | None:
        if value is not None and value < timedelta(seconds=1):
            raise ValueError("announcements come at most once a second; write 1s or more")
        return value
