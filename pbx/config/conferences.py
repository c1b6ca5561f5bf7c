"""``conferences`` and ``parking`` of config.yaml: the rooms where calls meet, and where they wait."""

import re
from datetime import timedelta
from functools import cache
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema

from pbx.config.fields import Model, SomeTime

_ORBITS = re.compile(r"(\d{1,4})(?:-(\d{1,4}))?")
MOST_ORBITS = 200

Pin = Annotated[
    str,
    Field(coerce_numbers_to_str=True, pattern=r"^[0-9]{3,12}$"),
    WithJsonSchema({"type": ["string", "integer"]}),
]


@cache
def parse_orbits(value: str) -> tuple[str, ...]:
    """``"71-79"`` → 71 to 79. Raises ValueError."""
    match = _ORBITS.fullmatch(value.strip())
    if not match:
        raise ValueError(f"{value!r} is no range of orbits; write the first and the last, such as 71-79")
    first, last = match[1], match[2] or match[1]
    if len(first) != len(last) or int(last) < int(first):
        raise ValueError(
            f"{value!r} is no range of orbits: the last must be as long as the first, and not smaller"
        )
    if int(last) - int(first) >= MOST_ORBITS:
        raise ValueError(f"{value!r} is more than {MOST_ORBITS} orbits")
    return tuple(str(number).zfill(len(first)) for number in range(int(first), int(last) + 1))


def _readable(value: str) -> str:
    parse_orbits(value)
    return value


Orbits = Annotated[
    str,
    Field(coerce_numbers_to_str=True, json_schema_extra={"type": ["string", "integer"]}),
    AfterValidator(_readable),
]


class Conference(Model):
    """A room that callers come to by a flow's ``conference`` step."""

    name: str = Field("", description="What it is called in front of people; else its id.")
    pin: Pin | None = Field(None, description="The digits that let people in; nobody is asked if not given.")
    max_members: int = Field(50, ge=2, le=500, description="How many may be in it.")
    join: str = Field(
        "tone", description="What the others hear when somebody joins: tone, silent, or a text."
    )
    leave: str = Field("tone", description="What they hear when somebody leaves: tone, silent, or a text.")
    music: bool = Field(True, description="Whether who is alone in it hears music.")


class Parking(Model):
    orbits: Orbits = Field("71-79", description="The numbers at which calls are parked, first to last.")

    ring_back: SomeTime = Field(
        timedelta(minutes=1), description="Who parked a call from a talk is rung when nobody took it by then."
    )

    @property
    def numbers(self) -> tuple[str, ...]:
        return parse_orbits(self.orbits)
