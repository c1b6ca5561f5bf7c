"""A recorded call as a replay needs it: who called when, and what the people in it did.

Read off the call's events, which are the same for a live call and a simulated one. What callers
pressed is on record question by question (:class:`~pbx.events.KeysPressed`).
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from pbx.events import CallStatus
from pbx.flows.control import CallerHistory, DialOutcome
from pbx.flows.step import HIDDEN
from pbx.httpcalls import WebAnswer

AT_ONCE_S = 0.5
"""A call that ends so soon after a talk ended with it."""
NEVER_S = 24 * 3600.0
_LEFT_ROOM = re.compile(r"left it with ([0-9*#])")
_OUTCOMES = {
    "no_answer": DialOutcome.NO_ANSWER,
    "busy": DialOutcome.BUSY,
    "declined": DialOutcome.DECLINED,
    "not_registered": DialOutcome.UNREACHABLE,
    "unreachable": DialOutcome.UNREACHABLE,
    "no_trunk": DialOutcome.UNREACHABLE,
}
_BY_COLLEAGUES = ("park", "pickup")
"""Kinds of step in which whoever takes the call does so from elsewhere: no flow has them do it."""


@dataclass(frozen=True, slots=True)
class Ring:
    """How somebody's phone took it when it was rung. ``outcome`` None: it stopped ringing because
    somebody else answered or the caller left, after ``after_s``."""

    target: str
    at: datetime
    outcome: DialOutcome | None
    after_s: float


@dataclass(frozen=True, slots=True)
class Talk:
    """Somebody and the caller heard each other."""

    who: str
    since: datetime
    until: datetime
    agent_ended: bool = True

    @property
    def seconds(self) -> float:
        return (self.until - self.since).total_seconds()


@dataclass(frozen=True, slots=True)
class Left:
    """The caller hung up in the last of their steps, so long after it began."""

    step: str
    visit: int
    after_s: float


@dataclass(frozen=True, slots=True)
class Press:
    """Keys pressed so long after the question (or the stay in a queue or room) began; "" let it pass."""

    step: str
    keys: str
    after_s: float
    visit: int = 1


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """One call. Times are seconds; ``None`` is what the call did not show."""

    id: str
    at: datetime
    did: str
    caller: str
    trunk: str
    source: str
    status: CallStatus
    agent: str
    path: tuple[str, ...]
    because: str  # of the last turn
    wait_s: float | None  # from the start of the call to the talk
    presses: tuple[Press, ...]
    keys_in_line: tuple[Press, ...]  # while they waited in a queue, since it was joined
    keys_in_rooms: tuple[Press, ...]  # that led out of a conference, since it was entered
    rings: tuple[Ring, ...]
    talks: tuple[Talk, ...]
    steps_s: Mapping[str, tuple[float, ...]]  # how long each step took, visit by visit
    message_s: float | None
    left_waiting_s: float | None  # unserved, so long after the caller began to wait for somebody
    left_after_s: float | None  # unserved, so long after the call began
    left_after_all: Left | None = None  # served already, and not in a talk
    attestation: str = ""
    history: CallerHistory = field(default_factory=CallerHistory)
    answers: Mapping[str, tuple[WebAnswer, ...]] = field(default_factory=dict)  # by step, try by try
    beyond: str = ""  # why it cannot be replayed, "" if it can


@dataclass(frozen=True, slots=True)
class Happened:
    """An event as the store keeps it."""

    at: datetime
    kind: str
    data: Mapping[str, Any]


def recorded(call_id: str, happened: Iterable[Happened]) -> RecordedCall | None:
    """The call that these events tell; None if they do not tell one from its beginning to its end."""
    reading = _Reading()
    for event in happened:
        reading.note(event)
    return reading.call(call_id)


class _Reading:
    """What has been read so far of one call's events."""

    def __init__(self) -> None:
        self._started: Happened | None = None
        self._ended: Happened | None = None
        self._path: list[str] = []
        self._step: Happened | None = None
        self._last: Happened | None = None  # the step that was entered last
        self._because = ""
        self._presses: list[Press] = []
        self._in_rooms: list[Press] = []
        self._in_line: list[Press] = []
        self._joined_at: datetime | None = None  # a queue, in this step
        self._steps: dict[str, list[float]] = {}
        self._legs: dict[str, tuple[Happened, float | None]] = {}
        self._rings: dict[str, Ring] = {}
        self._waiting_since: datetime | None = None
        self._talks: list[Talk] = []
        self._talked_at: datetime | None = None
        self._message_s: float | None = None
        self._room_at: datetime | None = None
        self._attestation = ""
        self._answers: dict[str, list[WebAnswer]] = {}
        self._beyond = ""

    def note(self, event: Happened) -> None:
        data = event.data
        match event.kind:
            case "call.started":
                self._started = event
            case "step.entered":
                self._path.append(data["step"])
                self._step = self._last = event
                self._joined_at = None
            case "call.keys" if self._step is not None:
                self._pressed(self._step.data["step"], event)
                if data["keys"] == HIDDEN:
                    self._beyond = "with digits that were kept hidden"
            case "room.entered":
                self._room_at = event.at
            case "call.identified":
                self._attestation = data["attestation"]
            case "call.webhook":
                body = json.dumps(data["fields"]).encode() if data["fields"] else b""
                answer = WebAnswer(data["status"], body, problem=data["problem"], took_s=data["took_s"])
                self._answers.setdefault(data["step"], []).append(answer)
            case "call.transferred":
                self._beyond = "transferred by an agent"
            case "leg.ended" if data["cause"] == "picked_up":
                self._beyond = "picked up by a colleague"
            case "call.redirected":
                self._beyond = "sent on by a phone"
            case "step.turn":
                self._turn(event)
            case "queue.joined":
                self._joined_at = self._joined_at or event.at
                self._waiting_since = self._waiting_since or event.at
            case "call.ringing" if data["role"] != "caller":
                self._waiting_since = self._waiting_since or event.at
                self._legs[data["leg_id"]] = (event, None)
            case "leg.answered" if data["leg_id"] in self._legs:
                rung, _ = self._legs[data["leg_id"]]
                after_s = (event.at - rung.at).total_seconds()
                self._rings[data["leg_id"]] = Ring(
                    rung.data["target"], rung.at, DialOutcome.ANSWERED, after_s
                )
            case "leg.ended" if data["leg_id"] in self._legs and data["leg_id"] not in self._rings:
                rung, _ = self._legs[data["leg_id"]]
                after_s = (event.at - rung.at).total_seconds()
                outcome = _OUTCOMES.get(data["cause"])
                self._rings[data["leg_id"]] = Ring(rung.data["target"], rung.at, outcome, after_s)
            case "call.connected":
                self._talked_at = self._talked_at or event.at
                if self._step is not None and self._step.data["step_kind"] in _BY_COLLEAGUES:
                    self._beyond = "picked up from parking"
            case "call.disconnected":
                since = event.at - timedelta(seconds=data["talk_s"])
                self._talks.append(Talk(data["agent"], since, event.at))
            case "voicemail.left":
                self._message_s = data["duration_s"]
            case "call.ended":
                self._ended = event
            case _:
                pass

    def _pressed(self, step: str, event: Happened) -> None:
        keys, after_s = event.data["keys"], event.data["after_s"]
        if self._joined_at is None:
            self._presses.append(Press(step, keys, after_s))
        elif keys:
            waited_s = (event.at - self._joined_at).total_seconds()
            self._in_line.append(Press(step, keys, waited_s, self._path.count(step)))

    def _turn(self, event: Happened) -> None:
        entered, self._step = self._step, None
        self._because = event.data["because"]
        if entered is None:
            return
        took_s = (event.at - entered.at).total_seconds()
        self._steps.setdefault(entered.data["step"], []).append(took_s)
        if self._room_at is not None and (found := _LEFT_ROOM.search(self._because)):
            stayed_s = (event.at - self._room_at).total_seconds()
            self._in_rooms.append(Press(entered.data["step"], found[1], stayed_s))
        self._room_at = None

    def _answered(self, hung_up: bool) -> Mapping[str, tuple[WebAnswer, ...]]:
        """What webhooks answered; one for which the caller did not stay came too late."""
        if hung_up and self._last is not None and self._last.data["step_kind"] == "webhook":
            self._answers.setdefault(self._last.data["step"], []).append(WebAnswer(200, took_s=NEVER_S))
        return {step: tuple(answers) for step, answers in self._answers.items()}

    def _left_in(self, at: datetime) -> Left | None:
        if self._last is None:
            return None
        step = self._last.data["step"]
        return Left(step, self._path.count(step), (at - self._last.at).total_seconds())

    def call(self, call_id: str) -> RecordedCall | None:
        started, ended = self._started, self._ended
        if started is None or ended is None:
            return None
        served = bool(self._talks) or self._message_s is not None
        hung_up = ended.data["cause"] == "caller_hung_up"
        left = hung_up and not served
        talks = [
            replace(talk, agent_ended=not hung_up or (ended.at - talk.until).total_seconds() > AT_ONCE_S)
            for talk in self._talks
        ]
        ended_a_talk = any(not talk.agent_ended for talk in talks)
        waiting = self._waiting_since
        return RecordedCall(
            id=call_id,
            at=started.at,
            did=started.data["to"],
            caller=started.data["from"],
            trunk=started.data["trunk"],
            source=started.data["source"],
            status=CallStatus(ended.data["status"]),
            agent=self._talks[0].who if self._talks else "",
            path=tuple(self._path),
            because=self._because,
            wait_s=(self._talked_at - started.at).total_seconds() if self._talked_at else None,
            presses=tuple(self._presses),
            keys_in_line=tuple(self._in_line),
            keys_in_rooms=tuple(self._in_rooms),
            rings=tuple(ring for leg in self._legs if (ring := self._rings.get(leg)) is not None),
            talks=tuple(talks),
            steps_s={step: tuple(times) for step, times in self._steps.items()},
            message_s=self._message_s,
            left_waiting_s=(ended.at - waiting).total_seconds() if left and waiting else None,
            left_after_s=(ended.at - started.at).total_seconds() if left else None,
            left_after_all=self._left_in(ended.at) if hung_up and served and not ended_a_talk else None,
            attestation=self._attestation,
            answers=self._answered(hung_up),
            beyond=self._beyond,
        )
