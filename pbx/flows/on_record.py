"""What live and simulated calls have in common: the facts, the values, the verbs that only record, and how
keys are gathered.

There is one of each, so that a simulation cannot say or decide anything else than the live call would.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import datetime

from pbx import events
from pbx.clock import Clock
from pbx.flows.control import CallFacts, Prompt, never_enough
from pbx.flows.step import Hidden, shown_value
from pbx.httpcalls import WebAnswer

IsEnd = Callable[[str], bool]


class OnRecord(ABC):
    """The part of :class:`~pbx.flows.control.CallControl` that is the same with legs and with a script."""

    def __init__(self, facts: CallFacts, clock: Clock, publish: Callable[[events.CallEvent], None]) -> None:
        self.values: dict[str, str] = {}
        self.tags: list[str] = []
        self._facts = facts
        self._clock = clock
        self._publish_event = publish

    @property
    def facts(self) -> CallFacts:
        return self._facts

    @property
    def clock(self) -> Clock:
        return self._clock

    def local_time(self) -> datetime:
        return self._clock.now().astimezone(self._facts.zone)

    # Keys

    @abstractmethod
    async def answer(self) -> None: ...

    @abstractmethod
    async def _ask(self, prompt: Prompt | None, most: int, timeout_s: float, is_end: IsEnd) -> None:
        """Play the prompt until a key is pressed. ``most`` and ``is_end``: which keys would be too many."""

    @abstractmethod
    async def _next_key(self, timeout_s: float) -> str | None:
        """The next key; None when none comes in time. Raises CallerGone."""

    async def collect(
        self,
        prompt: Prompt | None,
        *,
        max_digits: int,
        timeout_s: float,
        terminators: str = "#",
        enough: IsEnd = never_enough,
        hidden: bool = False,
    ) -> str:
        digits = pressed = ""
        began_s = last_s = self._clock.monotonic()
        try:
            await self.answer()
            await self._ask(
                prompt, max_digits, timeout_s, lambda keys: keys[-1:] in terminators or enough(keys)
            )
            while len(digits) < max_digits and not enough(digits):
                key = await self._next_key(timeout_s)
                if key is None:
                    break
                pressed, last_s = pressed + key, self._clock.monotonic()
                if key in terminators:
                    break
                digits += key
        finally:
            shown = shown_value(Hidden(pressed)) if hidden and pressed else pressed
            self.publish(events.KeysPressed, keys=shown, after_s=last_s - began_s)
        return digits

    # The record

    def tag(self, tag: str, because: str) -> None:
        if tag not in self.tags:
            self.tags.append(tag)
        self.publish(events.Tagged, tag=tag, because=because)

    def score(self, score: int, because: str) -> None:
        self.publish(events.Scored, score=score, because=because)

    def callback_promised(
        self, queue: str, number: str, *, trunk: str | None, priority: int, place: int
    ) -> None:
        self.publish(
            events.CallbackPromised,
            queue=queue,
            number=number,
            trunk=trunk,
            priority=priority,
            source=self._facts.source,
            place=place,
        )

    def queue_joined(self, queue: str, position: int, *, visit: int) -> None:
        self.publish(events.QueueJoined, queue=queue, position=position, visit=visit)

    def queue_left(
        self, queue: str, waited_s: float, because: str, *, visit: int, end: str, agent: str = ""
    ) -> None:
        self.publish(
            events.QueueLeft,
            queue=queue,
            waited_s=waited_s,
            because=because,
            visit=visit,
            end=end,
            agent=agent,
        )

    def parked(self, orbit: str) -> None:
        self.publish(events.CallParked, orbit=orbit)

    def unparked(self, orbit: str, waited_s: float, because: str) -> None:
        self.publish(events.CallUnparked, orbit=orbit, waited_s=waited_s, because=because)

    def webhook_answered(
        self, step: str, answer: WebAnswer, fields: Mapping[str, str], took_s: float
    ) -> None:
        self.publish(
            events.WebhookAnswered,
            step=step,
            status=answer.status,
            problem=answer.problem,
            fields=fields,
            took_s=took_s,
        )

    def publish(self, event: type[events.CallEvent], **values: object) -> None:
        self._publish_event(event(call_id=self._facts.call_id, at=self._clock.now(), **values))
