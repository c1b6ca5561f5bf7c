"""What a caller needs of an agent: skills, fewer of them the longer the caller waits.

A skill is written ``sales``, or ``sales:3`` for at least level 3. ``relax`` says after which wait what
is still needed; ``[]`` is nothing, and anybody will do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Skills = Mapping[str, int]
"""Skill → level: what an agent has, or what a caller needs at least."""


def parse_skill(written: str) -> tuple[str, int]:
    """``"sales:3"`` → ("sales", 3). Raises ValueError."""
    name, colon, level = written.strip().partition(":")
    if not name or (colon and not (level.isascii() and level.isdigit() and 1 <= int(level) <= 10)):
        raise ValueError(f"{written!r} is no skill; write its name, or name:level with a level from 1 to 10")
    return name, int(level) if colon else 1


def parse_skills(written: Sequence[str]) -> dict[str, int]:
    return dict(parse_skill(each) for each in written if each)


@dataclass(frozen=True, slots=True)
class Needs:
    """``steps`` are (from this wait on, what is needed), in order; the first begins at 0."""

    steps: tuple[tuple[float, Skills], ...] = ((0.0, {}),)

    def after(self, waited_s: float) -> Skills:
        """What is needed by somebody who has waited so long."""
        return [needed for since_s, needed in self.steps if since_s <= waited_s][-1]

    @property
    def changes_s(self) -> tuple[float, ...]:
        """The waits at which less is needed than before."""
        return tuple(since_s for since_s, _ in self.steps[1:])


NOTHING = Needs()


def meets(has: Skills, needed: Skills) -> bool:
    return all(has.get(skill, 0) >= level for skill, level in needed.items())
