"""A recorded call as a replay needs it: who called when, and what the people in it did.

Read off the call's events, which are the same for a live call and a simulated one. What callers
pressed is what the turns of its steps say: a menu's key by its exit, typed digits by the step's value.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pbx.events import CallStatus
from pbx.flows.control import CallerHistory, DialOutcome
from pbx.flows.step import HIDDEN
from pbx.httpcalls import WebAnswer

_MENU_KEYS = re.compile(r"the caller (?:pressed|entered) ([0-9*#]+)")
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
_LISTENING = ("queue", "conference")
"""Kinds of step in which a key is pressed at any time, not at a prompt."""


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


@dataclass(frozen=True, slots=True)
class Press:
    """Keys pressed so long after the step began; "" let the prompt pass."""

    keys: str
    after_s: float


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
    keys_in_line: tuple[Press, ...]  # since the step began in which they were pressed
    rings: tuple[Ring, ...]
    talks: tuple[Talk, ...]
    steps_s: Mapping[str, tuple[float, ...]]  # how long each step took, visit by visit
    talk_s: float | None
    agent_hung_up: bool
    message_s: float | None
    left_waiting_s: float | None  # unserved, so long after the caller began to wait for somebody
    left_after_s: float | None  # unserved, so long after the call began
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
        self._value: str | None = None
        self._because = ""
        self._presses: list[Press] = []
        self._in_line: list[Press] = []
        self._steps: dict[str, list[float]] = {}
        self._legs: dict[str, tuple[Happened, float | None]] = {}
        self._rings: dict[str, Ring] = {}
        self._waiting_since: datetime | None = None
        self._talks: list[Talk] = []
        self._talked_at: datetime | None = None
        self._message_s: float | None = None
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
                self._step, self._value = event, None
            case "call.value" if self._step is not None and data["name"] == _bare(self._step.data["step"]):
                self._value = data["value"]
            case "call.identified":
                self._attestation = data["attestation"]
            case "call.webhook":
                body = json.dumps(data["fields"]).encode() if data["fields"] else b""
                answer = WebAnswer(data["status"], body, problem=data["problem"], took_s=data["took_s"])
                self._answers.setdefault(data["step"], []).append(answer)
            case "call.transferred":
                self._beyond = "transferred by an agent"
            case "step.turn":
                self._turn(event)
            case "queue.joined":
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

    def _turn(self, event: Happened) -> None:
        entered, self._step = self._step, None
        self._because = event.data["because"]
        if entered is None:
            return
        took_s = (event.at - entered.at).total_seconds()
        self._steps.setdefault(entered.data["step"], []).append(took_s)
        keys = self._keys(event)
        if keys is not None:
            pressed = Press(keys, took_s)
            (self._in_line if entered.data["step_kind"] in _LISTENING else self._presses).append(pressed)

    def _keys(self, turn: Happened) -> str | None:
        """What was pressed in the step, "" for nothing at a prompt; None if it asked for no key."""
        way, because = turn.data.get("way") or "", turn.data["because"]
        if way.startswith("key "):
            return str(way[4:])
        if way == "digits" and self._value == HIDDEN:
            self._beyond = "with digits that were kept hidden"
        if way == "digits" and self._value:
            return self._value
        if found := _MENU_KEYS.search(because):
            return found[1]
        return "" if "no key within" in because or "nothing was entered" in because else None

    def call(self, call_id: str) -> RecordedCall | None:
        started, ended = self._started, self._ended
        if started is None or ended is None:
            return None
        served = bool(self._talks) or self._message_s is not None
        left = ended.data["cause"] == "caller_hung_up" and not served
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
            rings=tuple(ring for leg in self._legs if (ring := self._rings.get(leg)) is not None),
            talks=tuple(self._talks),
            steps_s={step: tuple(times) for step, times in self._steps.items()},
            talk_s=sum((talk.until - talk.since).total_seconds() for talk in self._talks)
            if self._talks
            else None,
            agent_hung_up=bool(self._talks) and ended.data["cause"] != "caller_hung_up",
            message_s=self._message_s,
            left_waiting_s=(ended.at - waiting).total_seconds() if left and waiting else None,
            left_after_s=(ended.at - started.at).total_seconds() if left else None,
            attestation=self._attestation,
            answers={step: tuple(answers) for step, answers in self._answers.items()},
            beyond=self._beyond,
        )


def _bare(shown: str) -> str:
    """A step's own name: those of other flows are shown as ``flow/step``."""
    return shown.rpartition("/")[2]
