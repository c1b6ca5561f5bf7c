"""``condition:`` is a list of cases; the first whose ``when`` holds says where to go.

See `Conditions`_ for how one is written, and `Values`_ for what it may ask for.
"""

from collections.abc import Mapping
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from pbx.flows.conditions import Condition as Terms
from pbx.flows.conditions import asked, condition, faults
from pbx.flows.control import CallControl
from pbx.flows.known import NAMES, look_up
from pbx.flows.step import Doubt, Exit, Step, Turn, shown_value

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings

_LIST = {"type": "array", "items": {"type": "object"}}


def _names(schema: dict[str, Any]) -> None:
    """For editors: what may be asked, and what it is."""
    schema["properties"] = {
        "all": {**_LIST, "description": "Conditions that must all hold."},
        "any": {**_LIST, "description": "Conditions of which one must hold."},
        "not": {"type": "object", "description": "A condition that must not hold."},
        **{name: {"description": what} for name, what in NAMES.items()},
    }


class Case(BaseModel):
    """A condition, and where calls go for which it holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str | None = Field(None, min_length=1, description="What the case is called, for the trace.")
    when: dict[str, Any] = Field(
        description="What must hold, such as {source: radio, caller.new: yes}.", json_schema_extra=_names
    )
    to: str = Field(description="Where to go.")


class Condition(Step):
    """Goes by what is known of the call: source, caller, time, queues, and what earlier steps found out."""

    kind: ClassVar[str] = "condition"
    gives: ClassVar[tuple[str, ...]] = ("",)
    example: ClassVar[str] = """
who:
  condition:
    - {name: regulars, when: {caller.calls: ">= 3", caller.days: "< 90"}, to: regulars}
    - {when: {source: "google-*", caller.new: yes}, to: new_customers}
    - when:
        any:
          - {queue.sales.available: 0, queue.sales.longest_wait: "> 2m"}
          - {not: {attestation: [A, B]}}
      to: message
    - {name: Saturday evening, when: {day: sat, time: "18:00-22:00"}, to: message}
  otherwise: menu
"""

    condition: list[Case] = Field(min_length=1, description="Cases, tried in order.")
    otherwise: str | None = Field(None, description="Where to go when no case holds; `next` if not given.")

    @cached_property
    def terms(self) -> tuple[Terms, ...]:
        """Each case's, in order."""
        return tuple(condition(case.when) for case in self.condition)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """What each case is called: its name, else what it says."""
        return tuple(case.name or str(terms) for case, terms in zip(self.condition, self.terms, strict=True))

    @property
    def detail(self) -> str:
        return "; ".join(self.labels)

    def exits(self) -> list[Exit]:
        names = [case.name or f"case {index}" for index, case in enumerate(self.condition, 1)]
        labels = names if self._faults() else self.labels
        ways = [
            Exit(label, case.to, ("condition", index, "to"))
            for index, (label, case) in enumerate(zip(labels, self.condition, strict=True))
        ]
        name = "otherwise" if self.otherwise is not None or self.next is None else "next"
        return [*ways, Exit("otherwise", self.otherwise or self.next, (name,))]

    def asks(self) -> list[tuple[tuple[str | int, ...], str]]:
        return [
            found
            for index, case in enumerate(self.condition)
            for found in asked(case.when, ("condition", index, "when"))
        ]

    def doubts(self, today: date) -> list[Doubt]:
        return self._faults()

    def _faults(self) -> list[Doubt]:
        return [
            fault
            for index, case in enumerate(self.condition)
            for fault in faults(case.when, ("condition", index, "when"))
        ]

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        values = await look_up(
            dict.fromkeys(name for terms in self.terms for name in terms.names()), call, around
        )
        for case, terms, label in zip(self.condition, self.terms, self.labels, strict=True):
            if terms.holds(values):
                because = f"{label}: {_told(terms, values=values)}"
                return Turn(case.to, because, value=label, way=label)
        told = _told(*self.terms, values=values)
        return Turn(self.otherwise or self.next, f"no case holds: {told}", value="", way="otherwise")


def _told(*conditions: Terms, values: Mapping[str, str]) -> str:
    """The values that the verdict rests on."""
    names = dict.fromkeys(name for each in conditions for name in each.names())
    return "; ".join(
        f"{name} is {shown_value(values[name]) or 'empty'}" if name in values else f"{name} has no value yet"
        for name in names
    )
