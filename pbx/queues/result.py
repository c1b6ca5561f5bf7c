"""What a caller asks of a queue, and how they leave it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum

from pbx.config.queues import Announcement
from pbx.flows.control import Prompt
from pbx.flows.own_words import own
from pbx.queues.needs import NOTHING, Needs


class QueueEnd(StrEnum):
    TALKED = "talked"
    TIMEOUT = "timeout"
    EMPTY = "empty"  # no member is there
    FULL = "full"
    OVERFLOW = "overflow"
    KEY = "key"  # the caller pressed one that leads out


async def _only_texts(announcement: Announcement) -> Prompt:
    if announcement.say is None:
        raise ValueError(f"nobody said where the audio file {announcement.play} is")
    return own(announcement.say, "")


@dataclass(frozen=True, slots=True)
class Asking:
    """``priority`` None takes that of the caller's source. ``keys`` lead out of the queue."""

    priority: int | None = None
    needs: Needs = NOTHING
    keys: frozenset[str] = frozenset()
    leave_if_empty: bool = False
    may_overflow: bool = False  # out of the queue; into another one it always may
    spoken: Callable[[Announcement], Awaitable[Prompt]] = field(default=_only_texts)


@dataclass(frozen=True, slots=True)
class QueueResult:
    """How a caller left the queue (one who hangs up raises CallerGone instead)."""

    end: QueueEnd
    waited_s: float
    because: str
    agent: str = ""
    talk_s: float = 0.0
    key: str = ""
