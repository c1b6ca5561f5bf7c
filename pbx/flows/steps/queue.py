"""``queue: name`` waits in line, with music, for an agent.

``priority`` puts the caller before those of a lower one; without it the queue's ``source_priority`` says.
``skills`` are what the agent must have: a skill, one with its least level (``spanish:3``), or a
``{value}`` of the call (an empty one asks for nothing). ``relax`` says what is still needed after which
wait; ``[]`` is nothing, and any member will do.

The step's value is how the caller left: ``talked``, ``timeout``, ``empty``, ``full``, ``overflow`` or
``key``.
"""

import re
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import AfterValidator, Field

from pbx.config.fields import parse_duration, seconds
from pbx.config.queues import Announcement
from pbx.flows.control import CallControl, Prompt
from pbx.flows.filling import filled
from pbx.flows.known import language_of
from pbx.flows.prompts import prompt_of
from pbx.flows.step import Exit, Reference, ReferenceKind, Step, Turn
from pbx.queues import Asking, Needs, QueueEnd, parse_skill, parse_skills

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings

_VALUE = re.compile(r"\{([^{}]+)\}")


def _readable_skill(written: str) -> str:
    if not _VALUE.fullmatch(written):
        parse_skill(written)
    return written


def _readable_wait(written: str) -> str:
    parse_duration(written)
    return written


def _one_key(key: str) -> str:
    if len(key) != 1 or key not in "0123456789*#":
        raise ValueError(f"{key!r} is no single key of a telephone; the keys are 0 to 9, * and #")
    return key


def _readable_priority(written: int | str) -> int | str:
    if isinstance(written, str) and not (_VALUE.fullmatch(written) or re.fullmatch(r"-?\d+", written)):
        raise ValueError(f"{written!r} is no priority; write a number, or a {{value}} of the call")
    return written


_WAYS = {
    QueueEnd.TIMEOUT: "max_wait is over",
    QueueEnd.EMPTY: "nobody reachable",
    QueueEnd.FULL: "full",
    QueueEnd.OVERFLOW: "overflows",
    QueueEnd.TALKED: "after the talk",
}

Skill = Annotated[str, AfterValidator(_readable_skill)]


class Queue(Step):
    """Music, announcements, and the first agent who is free; goes on when the agent hangs up first."""

    kind: ClassVar[str] = "queue"
    takes_input: ClassVar[bool] = True
    gives: ClassVar[tuple[str, ...]] = ("", "agent", "waited")
    example: ClassVar[str] = """
sales:
  queue: sales
  priority: 5
  skills: ["sales:3"]
  relax: {30s: [sales], 90s: []}
  keys: {"1": message}
  on_timeout: message
  on_empty: message
  on_full: message
  on_overflow: message
  next: hangup
"""

    queue: str = Field(min_length=1, description="A queue of config.yaml.")
    priority: Annotated[int | str, AfterValidator(_readable_priority)] | None = Field(
        None, description="Higher goes first: a number or a {value}; the source's if not given."
    )
    skills: list[Skill] = Field(
        default_factory=list, description="What the agent must be able to do: skill, skill:level or {value}."
    )
    relax: dict[Annotated[str, AfterValidator(_readable_wait)], list[Skill]] = Field(
        default_factory=dict,
        description="What is still needed after which wait, such as {30s: [sales], 60s: []}.",
    )
    keys: dict[Annotated[str, AfterValidator(_one_key)], str] = Field(
        default_factory=dict, description='Keys that lead out of the queue, such as {"1": voicemail}.'
    )
    on_timeout: str | None = Field(
        None, description="Where to go after the queue's max_wait; without it the call ends."
    )
    on_empty: str | None = Field(
        None, description="Where to go when no member can be reached; without it the caller waits."
    )
    on_full: str | None = Field(
        None, description="Where to go when max_length wait already; on_timeout if not given."
    )
    on_overflow: str | None = Field(
        None,
        description="Where to go when the queue overflows and names no other queue; else the caller waits.",
    )
    next: str | None = Field(None, description="Where to go when the agent hangs up first.")

    @property
    def detail(self) -> str:
        return self.queue

    def exits(self) -> list[Exit]:
        ways = [Exit(_WAYS[QueueEnd.TIMEOUT], self.on_timeout, ("on_timeout",))]
        ways += [Exit(f"key {key}", target, ("keys", key)) for key, target in self.keys.items()]
        others = (
            (QueueEnd.EMPTY, "on_empty"),
            (QueueEnd.FULL, "on_full"),
            (QueueEnd.OVERFLOW, "on_overflow"),
            (QueueEnd.TALKED, "next"),
        )
        for end, name in others:
            if (target := getattr(self, name)) is not None:
                ways.append(Exit(_WAYS[end], target, (name,), served=end is QueueEnd.TALKED))
        return ways

    def references(self) -> list[Reference]:
        return [Reference(ReferenceKind.QUEUE, self.queue, ("queue",))]

    def templates(self) -> list[tuple[tuple[str | int, ...], str]]:
        found: list[tuple[tuple[str | int, ...], str]] = [
            (("skills", index), skill) for index, skill in enumerate(self.skills)
        ]
        found += [
            (("relax", after, index), skill)
            for after, skills in self.relax.items()
            for index, skill in enumerate(skills)
        ]
        return [*found, (("priority",), self.priority)] if isinstance(self.priority, str) else found

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        async def spoken(announcement: Announcement) -> Prompt:
            if announcement.play is not None:
                return around.prompt_file(announcement.play, language_of(call))
            return await prompt_of(announcement.say or "", call, around)

        asking = Asking(
            priority=await self._priority(call, around),
            needs=await self._needs(call, around),
            keys=frozenset(self.keys),
            leave_if_empty=self.on_empty is not None,
            may_overflow=self.on_overflow is not None,
            spoken=spoken,
        )
        result = await around.queues.wait(self.queue, call, asking)
        targets = {
            QueueEnd.TALKED: self.next,
            QueueEnd.TIMEOUT: self.on_timeout,
            QueueEnd.EMPTY: self.on_empty,
            QueueEnd.FULL: self.on_full or self.on_timeout,
            QueueEnd.OVERFLOW: self.on_overflow,
            QueueEnd.KEY: self.keys.get(result.key),
        }
        return Turn(
            targets[result.end],
            result.because,
            value=result.end,
            details={"agent": result.agent, "waited": f"{result.waited_s:.0f}"},
            way=_WAYS.get(result.end) or f"key {result.key}",
        )

    async def _priority(self, call: CallControl, around: "Surroundings") -> int | None:
        """A value that is no number gives no priority of its own."""
        if self.priority is None or isinstance(self.priority, int):
            return self.priority
        written = await filled(self.priority, call, around)
        return int(written) if re.fullmatch(r"-?\d{1,6}", written) else None

    async def _needs(self, call: CallControl, around: "Surroundings") -> Needs:
        steps = [
            (0.0, self.skills),
            *((seconds(parse_duration(at)), rest) for at, rest in self.relax.items()),
        ]
        read = [
            (after_s, parse_skills([await filled(skill, call, around) for skill in skills]))
            for after_s, skills in steps
        ]
        return Needs(tuple(sorted(read, key=lambda step: step[0])))
