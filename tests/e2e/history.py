"""Calls as the events that a live server publishes for them: one of each fate, or a busy fortnight.

The calls go the ways of the example flow. Everything is drawn from one seeded generator, so a
picture of the dashboard taken twice shows the same calls.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pbx import events
from pbx.events import CallEvent, CallStatus, Direction

SOURCES = {
    "yellow-pages": ("+12125550100", "the number dialled, +12125550100, is Yellow Pages ad's own"),
    "google-ads": ("+12125550101", "the number dialled, +12125550101, is Google Ads' own"),
    "direct": ("+12125550102", "the number dialled, +12125550102, is Direct's own"),
    "organic-google": ("+12125550110", "the number was lent to a visitor who came from google.com"),
    "unknown": ("+12125550111", "no visitor held +12125550111 at that time, so no rule matches"),
}
CALLERS = ("+1646555", "+1917555", "+1201555", "+1718555", "+1973555", "+44207946", "+4930123")


@dataclass(slots=True)
class Story:
    """The events of one call, written as they come to mind."""

    call_id: str
    started: datetime
    told: list[CallEvent] = field(default_factory=list)
    at: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.at = self.started

    def after(self, seconds: float) -> "Story":
        self.at += timedelta(seconds=seconds)
        return self

    def tell(self, kind: type[CallEvent], **what: object) -> "Story":
        self.told.append(kind(call_id=self.call_id, at=self.at, **what))
        return self

    def begin(self, caller: str, source: str) -> "Story":
        did, reason = SOURCES[source]
        flow = "straight-to-alice" if source == "direct" else "main"
        self.tell(
            events.CallStarted,
            direction=Direction.INBOUND,
            from_=caller,
            to=did,
            trunk="carrier",
            sip_call_id=f"{self.call_id}@trunk",
            flow=flow,
            source=source,
            reasons=(reason,),
        )
        return self.ring("caller", "caller", None)

    def ring(self, role: str, target: str, agent: str | None) -> "Story":
        return self.tell(
            events.LegStarted,
            leg_id=f"{self.call_id}-{target}",
            role=role,
            target=target,
            agent=agent,
            sip_call_id=f"{self.call_id}-{target}@here",
        )

    def step(self, name: str, kind: str, next_step: str | None, because: str, lasting: float) -> "Story":
        self.tell(events.StepEntered, step=name, step_kind=kind)
        return self.after(lasting).tell(events.TurnTaken, step=name, next=next_step, because=because)

    def greet(self, key: str, next_step: str) -> "Story":
        self.tell(events.CallAnswered)
        self.tell(events.LegAnswered, leg_id=f"{self.call_id}-caller")
        self.step("welcome", "say", "hours", "the prompt was spoken", 4.2)
        self.step("hours", "schedule", "menu", "open: it is Tuesday 10:12, within mon-fri 08:00-18:00", 0)
        return self.step("menu", "menu", next_step, f"the caller pressed {key}", 3.1)

    def end_leg(self, target: str, cause: str = "", status: int | None = None) -> "Story":
        stats = {"packets_received": 5120.0, "packets_lost": 2.0, "jitter_ms": 1.2} if not status else {}
        leg_id = f"{self.call_id}-{target}"
        return self.tell(events.LegEnded, leg_id=leg_id, cause=cause, sip_status=status, stats=stats)

    def talk(self, agent: str, seconds: float, recording: str) -> "Story":
        leg_id = f"{self.call_id}-{agent}"
        self.tell(events.LegAnswered, leg_id=leg_id)
        self.tell(events.AgentConnected, leg_id=leg_id, agent=agent)
        self.tell(events.RecordingStarted, path=recording)
        self.after(seconds)
        self.tell(events.AgentDisconnected, leg_id=leg_id, agent=agent, talk_s=seconds)
        return self.tell(events.RecordingEnded, path=recording, duration_s=seconds)

    def end(self, status: CallStatus, reason: str, cause: str = "") -> "Story":
        self.end_leg("caller")
        return self.tell(events.CallEnded, status=status, cause=cause, reason=reason)


def answered(
    call_id: str, started: datetime, caller: str, source: str, talk_s: float, recording: str
) -> Story:
    """A caller who presses 1, waits a little in the sales queue and talks with Alice."""
    story = Story(call_id, started).begin(caller, source).after(0.3).greet("1", "sales")
    story.tell(events.StepEntered, step="sales", step_kind="queue")
    story.tell(events.QueueJoined, queue="sales", position=1)
    story.ring("agent", "alice", "alice").ring("agent", "bob", "bob").after(6.4)
    story.end_leg("bob", "answered_elsewhere", 487)
    story.tell(events.QueueLeft, queue="sales", waited_s=6.4, because="alice answered")
    story.talk("alice", talk_s, recording)
    story.tell(events.TurnTaken, step="sales", next=None, because="alice answered and the call ended")
    story.end_leg("alice")
    return story.end(CallStatus.ANSWERED, "The caller hung up after talking with an agent.")


def reception(
    call_id: str, started: datetime, caller: str, source: str, talk_s: float, recording: str
) -> Story:
    story = Story(call_id, started).begin(caller, source).after(0.3).greet("9", "reception")
    story.tell(events.StepEntered, step="reception", step_kind="dial")
    story.ring("agent", "desk", None).after(8)
    story.talk("desk", talk_s, recording)
    story.tell(events.TurnTaken, step="reception", next=None, because="desk answered and the call ended")
    story.end_leg("desk")
    return story.end(CallStatus.ANSWERED, "The agent hung up.")


def missed(call_id: str, started: datetime, caller: str, source: str) -> Story:
    story = Story(call_id, started).begin(caller, source)
    story.tell(events.StepEntered, step="alice", step_kind="dial").ring("agent", "alice", "alice").after(20)
    story.end_leg("alice", "no_answer", 487)
    story.tell(events.TurnTaken, step="alice", next="sorry", because="nobody answered within 20 s")
    story.step("sorry", "say", None, "the prompt was spoken", 3)
    return story.end(CallStatus.MISSED, "It rang, and nobody answered.", "no_answer")


def voicemail(call_id: str, started: datetime, caller: str, source: str, recording: str) -> Story:
    story = Story(call_id, started).begin(caller, source).tell(events.CallAnswered)
    story.step("welcome", "say", "hours", "the prompt was spoken", 4.2)
    story.step("hours", "schedule", "after_hours", "closed: it is Sunday, which has no hours", 0)
    story.step("after_hours", "say", "voicemail", "the prompt was spoken", 4)
    story.tell(events.StepEntered, step="voicemail", step_kind="voicemail")
    story.tell(events.RecordingStarted, path=recording).after(18)
    story.tell(events.VoicemailLeft, duration_s=18).tell(events.RecordingEnded, path=recording, duration_s=18)
    return story.end(CallStatus.VOICEMAIL, "The caller left a message.")


def abandoned(call_id: str, started: datetime, caller: str, source: str) -> Story:
    story = Story(call_id, started).begin(caller, source).greet("2", "support")
    story.tell(events.StepEntered, step="support", step_kind="queue")
    story.tell(events.QueueJoined, queue="support", position=3).after(41)
    story.tell(events.QueueLeft, queue="support", waited_s=41, because="the caller hung up")
    return story.end(CallStatus.ABANDONED, "The caller hung up before an agent answered.", "caller_gone")


def failed(call_id: str, started: datetime, caller: str, source: str) -> Story:
    story = Story(call_id, started).begin(caller, source).greet("3", "nearest").after(1)
    return story.end(CallStatus.FAILED, "The media worker ended, and the audio with it.", "media_lost")


def fortnight(count: int, now: datetime, recording: str) -> Iterator[Story]:
    """``count`` calls up to ``now``, oldest first, busier at noon than at night."""
    draw = random.Random(2026)
    moments = sorted(_moment(draw, now) for _ in range(count))
    for number, moment in enumerate(moments):
        call_id = f"call-{number:05d}"
        caller = "" if draw.random() < 0.03 else f"{draw.choice(CALLERS)}{draw.randrange(10_000):04d}"
        source = draw.choices(list(SOURCES), (22, 34, 9, 24, 11))[0]
        fate = draw.random()
        talk_s = draw.lognormvariate(4.6, 0.8)
        if source == "direct" and fate < 0.5:
            yield missed(call_id, moment, caller, source)
        elif fate < 0.5:
            story = answered(call_id, moment, caller, source, talk_s, recording)
            yield _tagged(story, draw)
        elif fate < 0.68:
            yield reception(call_id, moment, caller, source, talk_s, recording)
        elif fate < 0.8:
            yield voicemail(call_id, moment, caller, source, recording)
        elif fate < 0.9:
            yield missed(call_id, moment, caller, "direct")
        elif fate < 0.985:
            yield abandoned(call_id, moment, caller, source)
        else:
            yield failed(call_id, moment, caller, source)


def _moment(draw: random.Random, now: datetime) -> datetime:
    if draw.random() < 0.12:  # today, so far
        return now - timedelta(seconds=draw.uniform(900, 6 * 3600))
    day = (now - timedelta(days=draw.randrange(1, 14))).replace(hour=0, minute=0, second=0, microsecond=0)
    return day + timedelta(hours=draw.triangular(13, 23, 17))


def praised(story: Story) -> Story:
    """With the tags that the example's keyword rules give."""
    story.tell(events.Tagged, tag="booked", because='"appointment" and "today" were said')
    return story.tell(events.Tagged, tag="emergency", because='the caller said "burst pipe"')


def _tagged(story: Story, draw: random.Random) -> Story:
    return praised(story) if draw.random() < 0.2 else story
