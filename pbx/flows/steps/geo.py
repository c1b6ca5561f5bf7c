"""``geo:`` sends callers on by where they are: by their number, or by a postal code that they typed in.

Rules are tried in order; the first that holds the caller wins. A rule has ``areas`` and ``to``, or
``offices``, of which the nearest is taken. An area is the beginning of a number (``+1212``), a state or
province, a town, a country, or, of a code typed in, its beginning (``07*``).

``otherwise`` is needed: somebody always calls who is from nowhere, or withholds the number.

``by`` says what places the caller: the ``number``, or the name of an earlier step that collected a postal
code; of several, the first that places them. Distances are between the middles of towns, ZIP codes and
area codes, from data that come with the server: ZIP codes of the United States, towns of 15,000 people
and more elsewhere. Outside the United States a postal code typed in is known by its beginning alone
(``SW1*``), and ``pbx check`` refuses distances by it.

A number says where it was given out. Mobiles keep theirs when their owner moves, and other numbers may have
been ported: the reason says when that may be so.
"""

import re
from collections.abc import Iterator
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from pbx import geo, places
from pbx.config.fields import OneOrMore
from pbx.flows.control import CallControl
from pbx.flows.step import Doubt, Exit, Step, Turn, fault
from pbx.geo import Match, Whereabouts
from pbx.places import MILE_KM, Spot

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings

NUMBER = "number"
_DISTANCE = re.compile(r"(\d+(?:\.\d+)?)\s*(km|miles?)")


def kilometres(written: str) -> float:
    """``300 km``, ``50 miles``. Raises ValueError."""
    found = _DISTANCE.fullmatch(written.strip())
    if not found:
        raise ValueError(f"{written!r} is no distance; write it like 300 km or 50 miles")
    return float(found[1]) * (1 if found[2] == "km" else MILE_KM)


class Area(BaseModel):
    """One rule: its areas, and where callers from there go; or its offices."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, description="What the rule is called, for the trace.")
    areas: list[str] = Field(
        default_factory=list,
        min_length=1,
        description='Beginnings of numbers ("+1212") or codes ("07*"), states, towns or countries.',
    )
    to: str | None = Field(None, description="Where callers from there go.")
    offices: dict[str, str] = Field(
        default_factory=dict,
        min_length=1,
        description="Steps and places of offices: `Newark, NJ`, `London, GB`, `07102, US`, `40.74, -74.17`.",
    )
    within: str | None = Field(None, description="The farthest that the nearest office may be: `300 km`.")

    @field_validator("within")
    @classmethod
    def _readable(cls, value: str | None) -> str | None:
        if value is not None:
            kilometres(value)
        return value

    @model_validator(mode="after")
    def _one_of_them(self) -> "Area":
        if bool(self.areas) == bool(self.offices):
            raise ValueError("a rule has areas and to, or offices")
        if bool(self.areas) != (self.to is not None):
            raise ValueError("'to' goes with areas; each of the offices is a step itself")
        if self.within is not None and not self.offices:
            raise ValueError("'within' goes with offices")
        return self


def _holds(earlier: str, place: str) -> bool:
    """Whether everybody from ``place`` is from ``earlier``, as far as that is plain to see."""
    return place.casefold() == earlier or (earlier[:1] == "+" and place.startswith(earlier))


class Geo(Step):
    """Its value is the rule's name; of a nearest office, ``step.distance`` tells the kilometres."""

    kind: ClassVar[str] = "geo"
    gives: ClassVar[tuple[str, ...]] = ("", "distance")
    example: ClassVar[str] = """
by_number:
  geo:
    - {name: Manhattan, areas: ["+1212", "+1646"], to: reception}
    - {name: New Jersey, areas: ["NJ", "Newark, NJ"], to: newark}
    - {name: Britain, areas: [GB], to: london}
  otherwise: reception
zip: {collect: "Please enter your five digit ZIP code.", digits: 5, next: nearest}
nearest:
  by: [zip, number]
  geo:
    - {name: around Newark, areas: ["070*", "071*"], to: newark}
    - name: nearest office
      offices: {newark: "Newark, NJ", boston: "02108, US", philadelphia: "39.95, -75.17"}
      within: 200 miles
  otherwise: reception
"""

    geo: list[Area] = Field(min_length=1, description="Rules, tried in order.")
    by: list[str] = Field(
        default_factory=lambda: [NUMBER],
        min_length=1,
        description="`number`, or the step that collected a postal code; or a list of them.",
    )
    otherwise: str = Field(
        min_length=1, description="Where callers go who are from elsewhere, or cannot be placed."
    )

    @field_validator("by", mode="before", json_schema_input_type=OneOrMore)
    @classmethod
    def _one(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @property
    def detail(self) -> str:
        return ", ".join(rule.name for rule in self.geo)

    @cached_property
    def _codes(self) -> bool:
        return any(name != NUMBER for name in self.by)

    def exits(self) -> list[Exit]:
        ways = [way for index, rule in enumerate(self.geo) for way in self._ways(index, rule)]
        return [*ways, Exit("otherwise", self.otherwise, ("otherwise",))]

    def _ways(self, index: int, rule: Area) -> Iterator[Exit]:
        if rule.to is not None:
            yield Exit(rule.name, rule.to, ("geo", index, "to"))
        for step, place in rule.offices.items():
            yield Exit(_office(rule, place), step, ("geo", index, "offices", step))

    def asks(self) -> list[tuple[tuple[str | int, ...], str]]:
        return [(("by", index), name) for index, name in enumerate(self.by) if name != NUMBER]

    def doubts(self, today: date) -> list[Doubt]:
        """Areas that nobody knows, and rules that an earlier one leaves nothing for."""
        if self._codes or any(rule.offices for rule in self.geo):
            geo.load()  # now, rather than while a caller waits
        found: list[Doubt] = []
        if self.next is not None:
            found.append(
                Doubt("never", ("next",), "'next' is never taken; callers from elsewhere go 'otherwise'")
            )
        earlier: dict[str, str] = {}
        for rule, area in enumerate(self.geo):
            for index, place in enumerate(area.areas):
                loc = ("geo", rule, "areas", index)
                if wrong := geo.fault(place, codes=self._codes):
                    found.append(fault(loc, wrong))
                elif taken := next((own for begin, own in earlier.items() if _holds(begin, place)), None):
                    found.append(
                        Doubt("never", loc, f"callers from {place!r} go to {taken!r} already; put it before")
                    )
            earlier |= {place.casefold(): area.name for place in area.areas}
            for step, place in area.offices.items():
                if wrong := places.fault(place):
                    found.append(fault(("geo", rule, "offices", step), wrong))
        return found

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        reasons = []
        for by in self.by:
            turn, reason = self._by(by, call)
            if turn is not None:
                return turn
            reasons.append(reason)
        because = "; ".join(dict.fromkeys(reasons))
        return Turn(self.otherwise, because, value="", way="otherwise")

    def _by(self, by: str, call: CallControl) -> tuple[Turn | None, str]:
        """Where a number or a code leads, or why it leads nowhere."""
        country, caller = call.facts.country, call.facts.caller
        code = call.values.get(by, "")
        if by == NUMBER and not caller:
            return None, "the caller withheld the number"
        if by != NUMBER and not code:
            return None, f"no code was typed in at {by}"
        for rule in self.geo:
            if rule.offices:
                where = (
                    geo.whereabouts_by_number(caller)
                    if by == NUMBER
                    else (geo.whereabouts_by_code(code, country))
                )
                turn = _nearest(rule, where) if where else None
            else:
                found = (
                    geo.match(rule.areas, caller)
                    if by == NUMBER
                    else (geo.by_code(rule.areas, code, country))
                )
                turn = _matched(rule, found) if found else None
            if turn is not None:
                return turn, ""
        if by == NUMBER:
            return None, "the caller's number is from none of the areas"
        return None, f"the code {code} typed in is of none of the areas"


def _office(rule: Area, place: str) -> str:
    return f"{rule.name}: {place}"


def _matched(rule: Area, found: Match) -> Turn:
    return Turn(rule.to, f"{rule.name}: {found}", value=rule.name, way=rule.name)


def _nearest(rule: Area, where: Whereabouts) -> Turn | None:
    """To the nearest office, unless it is too far; with the distance of the next one for comparison."""
    at: dict[str, Spot] = {
        step: found for step, place in rule.offices.items() if (found := places.spot(place))
    }
    order = sorted(at, key=lambda step: where.spot.km_to(at[step]))
    km = [where.spot.km_to(at[step]) for step in order]
    if not order or (rule.within is not None and km[0] > kilometres(rule.within)):
        return None
    first = order[0]
    because = (
        f"{rule.name}: {rule.offices[first]} is {places.in_words(km[0])} from {where.spot.name},"
        f" by {where.evidence}{where.doubt}"
    )
    if len(order) > 1:
        because += f"; the next, {rule.offices[order[1]]}, is {places.in_words(km[1])} away"
    return Turn(
        first,
        because,
        value=rule.name,
        details={"distance": f"{km[0]:.0f}"},
        way=_office(rule, rule.offices[first]),
    )
