"""The JSON of the floor: agents with their states, queues with who waits. Durations are seconds."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from pbx.agents import AgentState
from pbx.web.shapes import NO_NUL, Shape

Reason = Annotated[str, StringConstraints(strip_whitespace=True, max_length=60, pattern=NO_NUL)]


class Membership(Shape):
    queue: str
    logged_in: bool = Field(description="Whether the agent takes its calls.")
    calls: int = Field(description="Taken for it today.")
    talk_time: float = Field(description="Talked for it today.")


class Agent(Shape):
    """One agent, now."""

    id: str
    name: str
    extension: str | None
    state: AgentState
    since: float = Field(description="How long the agent has been in this state.")
    reachable: bool = Field(description="Whether a phone is registered, or there is a static contact.")
    paused: bool
    reason: str = Field(description="Of the pause.")
    by: str = Field(description="Who decided that last: a name, phone, or autopause.")
    call: str | None = Field(
        description="The call that they talk in or that rings, if a queue or flow brought it."
    )
    queues: list[Membership]
    may_change: bool = Field(description="Whether who asks may change the state.")


class AgentList(Shape):
    agents: list[Agent]


class AgentChanges(Shape):
    """What is left out stays."""

    model_config = ConfigDict(extra="forbid", strict=True)

    state: Literal["available", "paused"] = "available"
    reason: Reason = ""
    queues: Annotated[dict[str, bool], Field(default_factory=dict, max_length=200)]


class Waiting(Shape):
    """Who waits, the first in line first."""

    call: str
    from_: str = Field(alias="from", description='"" when withheld.')
    source: str
    waited: float
    priority: int
    ringing: bool = Field(description="Whether an agent's phone rings for them now.")
    callback: bool = Field(description="Whether they left and are to be called back.")


class QueueFigures(Shape):
    """Of the stays in a queue that began within a time."""

    offered: int
    answered: int
    in_time: int = Field(description="Answered within service_level.")
    abandoned: int
    timed_out: int
    left_otherwise: int = Field(
        description="By key, overflow, to be called back, or because nobody was there."
    )
    average_wait: float | None = Field(description="Of those answered.")
    longest_wait: float
    service_level_answered: float | None = Field(description="In time, of all answered; 0 to 1.")
    service_level_offered: float | None = Field(description="In time, of all answered or abandoned; 0 to 1.")


class Queue(Shape):
    """One queue, now."""

    name: str
    strategy: str
    service_level: float
    members: list[str]
    on_duty: list[str] = Field(description="Who can be rung and has neither paused nor logged out.")
    waiting: list[Waiting]
    estimated_wait: float | None = Field(description="Of who would join now; null if nobody is on duty.")
    today: QueueFigures = Field(description="Since midnight in the site's zone.")
    period: QueueFigures | None = Field(None, description="Between since and until, where one was asked for.")


class QueueList(Shape):
    queues: list[Queue]
