"""The JSON of call flows: their steps, and what went through them."""

from typing import Literal

from pydantic import Field

from pbx.web.shapes import Shape


class FlowStep(Shape):
    name: str
    kind: str
    detail: str = Field(description="What it does, in short.")
    family: Literal["serves", "asks", "decides", "plain"] = Field(
        description="Whether callers are served there, asked, or sent on by a rule."
    )


class Flow(Shape):
    id: str = Field(description="The file's name without .yaml.")
    name: str
    start: str
    steps: list[FlowStep]
    numbers: list[str] = Field(description="The tracking numbers that run it.")
    pools: list[str]
    calls_yesterday: int = Field(description="Calls that began with it, from midnight to midnight.")


class FlowList(Shape):
    flows: list[Flow]


class StepTraffic(Shape):
    step: str
    calls: int = Field(description="How often calls came to it.")
    hung_up: int = Field(description="Callers who left in it before they talked or left a message.")


class WayTraffic(Shape):
    step: str
    exit: str = Field(description='The exit taken; "" where the step has one way to there.')
    target: str | None = Field(description="The step there; null where the flow ended or the caller left.")
    calls: int


class FlowTraffic(Shape):
    flow: str
    since: str
    until: str
    steps: list[StepTraffic]
    ways: list[WayTraffic]
