"""Flow tests: what ``pbx test`` reads from ``flow_tests/*.yaml`` and runs through the simulator.

A file is a list of tests. Each names a call, what the caller presses and what the agents do, and
what is expected; only what is expected is compared. A file that cannot be understood is reported with
the place of every mistake, like config.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from pbx.clock import Clock, SystemClock
from pbx.config.document import Document, read
from pbx.config.models import Duration, Model, seconds
from pbx.config.problems import ConfigErrors, Problem, did_you_mean, in_order
from pbx.config.shape import build
from pbx.config.site import Site
from pbx.events import CallStatus
from pbx.flows import keypad
from pbx.flows.control import CallerHistory
from pbx.flows.flow_test_names import check_names
from pbx.flows.simulated import SentText
from pbx.flows.simulation import Agents, Behaviour, Simulation, simulate
from pbx.httpcalls import TIMEOUT, WebAnswer
from pbx.numbering import normalise


class Earlier(Model):
    """The caller's earlier calls, as the store would know them."""

    calls: int = Field(1, ge=1, description="How many there were.")
    days: int = Field(1, ge=0, description="How many days ago the last one was.")
    source: str = Field("", description="Its source.")
    agent: str = Field("", description="Who talked to the caller last.")

    def before(self, moment: datetime) -> CallerHistory:
        return CallerHistory(self.calls, moment - timedelta(days=self.days), self.source, self.agent)


class TestCall(Model):
    """Who calls which number, and when."""

    __test__ = False  # the name is the file's, not a pytest class

    to: str = Field(description="The tracking number.")
    from_: str = Field("", alias="from", description="The caller's number; nothing if it is withheld.")
    at: datetime | None = Field(None, description="When, in the server's zone; now if not given.")
    history: Earlier | None = Field(None, description="Earlier calls from this number; none if not given.")
    attestation: Literal["A", "B", "C", "failed", ""] = Field(
        "", description="How far the carrier vouches for the caller's number."
    )

    @field_validator("at", mode="before")
    @classmethod
    def _moment(cls, value: Any) -> Any:
        return moment(value) if isinstance(value, str | date) else value


class ExpectedText(Model):
    """A text that is sent: to whom, and a part of what it says."""

    to: str | None = None
    text: str = ""


class Expected(Model):
    """What is compared, where it is given."""

    source: str | None = None
    path: list[str] | None = Field(None, description="Every step, in order.")
    rings: list[str] | None = Field(None, description="Who rings, in the order in which they first do.")
    heard: list[str] | None = Field(
        None, description="Parts of what the caller hears, in that order; the rest may be left out."
    )
    messages: list[ExpectedText] | None = Field(
        None, description="Every text that is sent, in order: a part of it, or {to, text}."
    )
    tags: list[str] | None = Field(None, description="The call's tags, in any order.")
    status: CallStatus | None = None
    called_back: list[str] | None = Field(
        None, description="Who rings for the callback that was promised, agent and customer, each time."
    )

    @field_validator("messages", mode="before")
    @classmethod
    def _bare_texts(cls, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return [{"text": each} if isinstance(each, str) else each for each in value]


class ScriptedAnswer(Model):
    """What a webhook is answered: a status and a body, or nothing in time."""

    status: int = Field(200, ge=100, le=599)
    body: Any = Field(None, description="JSON, as YAML.")
    timeout: bool = Field(False, description="No answer comes in time.")

    def answer(self) -> WebAnswer:
        if self.timeout:
            return WebAnswer(problem=TIMEOUT)
        return WebAnswer(self.status, json.dumps(self.body, default=str).encode())


class QueueState(Model):
    """How a queue is when the call comes."""

    waiting: int = Field(0, ge=0, le=100, description="So many wait in front; then its agents are busy.")


class FlowTest(Model):
    """One test."""

    name: str = Field(min_length=1)
    call: TestCall
    press: list[str] | str = Field(
        default_factory=list,
        description='What the caller presses at each prompt, "" lets one pass; a text is keys in a row.',
    )
    agents: Behaviour | dict[str, Behaviour] = Field(
        Behaviour.ANSWER,
        description="What agents and numbers do: answer, busy, none, away, paused.",
    )
    queues: dict[str, QueueState] = Field(
        default_factory=dict, description="How queues are when the call comes, such as {sales: {waiting: 3}}."
    )
    webhooks: dict[str, list[ScriptedAnswer]] = Field(
        default_factory=dict,
        description="What each webhook step is answered; of a list, try by try. Without: 200.",
    )
    hang_up: Duration | None = Field(None, description="The caller hangs up so long after the call began.")
    expect: Expected

    @field_validator("webhooks", mode="before")
    @classmethod
    def _one_answer(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {step: answers if isinstance(answers, list) else [answers] for step, answers in value.items()}

    @field_validator("press", mode="before")
    @classmethod
    def _keys(cls, value: Any) -> Any:
        if isinstance(value, list):
            return [str(key) if isinstance(key, int) else key for key in value]
        return keypad.written(str(value))


def moment(value: str | date) -> datetime:
    """``2026-12-05 10:00`` (or a date, for its midnight). Raises ValueError that says how it is written."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time())
    try:
        return datetime.fromisoformat(value.strip())
    except ValueError:
        raise ValueError(f"{value!r} is no time; write it like 2026-12-05 10:00") from None


@dataclass(frozen=True, slots=True)
class Difference:
    """One expectation that was not met."""

    what: str
    expected: object
    actual: object


@dataclass(frozen=True, slots=True)
class TestResult:
    """A test that ran; it passed if nothing differs."""

    __test__ = False

    file: Path
    line: int
    name: str
    simulation: Simulation
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        return not self.differences


def test_files(paths: Iterable[Path]) -> list[Path]:
    """Files as they are, and the YAML files of folders. Raises FileNotFoundError."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(each for each in path.rglob("*") if each.suffix in (".yaml", ".yml"))
        elif path.is_file():
            found.append(path)
        else:
            raise FileNotFoundError(f"{path}: no such file or folder")
    return found


test_files.__test__ = False  # type: ignore[attr-defined]


def run_file(
    site: Site, path: Path, *, clock: Clock | None = None, env: Mapping[str, str] = os.environ
) -> list[TestResult]:
    """Run the tests of a file. Raises ConfigErrors with everything that is wrong with it."""
    document = read(path, env)
    tests = _read(document, site)
    faults = [problem for problem in document.problems if problem.is_error]
    if faults:
        raise ConfigErrors(in_order(document.problems))
    now = (clock or SystemClock()).now()
    return [_run(site, document, index, test, now) for index, test in tests]


def check_file(site: Site, path: Path, *, env: Mapping[str, str] = os.environ) -> list[Problem]:
    """All that is wrong with a file of tests: what hinders running them, and expected names of nothing."""
    document = read(path, env)
    for index, test in _read(document, site):
        check_names(test, (index,), document, site)
    return in_order(document.problems)


def _read(document: Document, site: Site) -> list[tuple[int, FlowTest]]:
    """The tests that can be understood, each with its place in the list."""
    data = document.data
    if not isinstance(data, list):
        if not document.problems:
            document.error((), "a file of flow tests is a list: - name: …, call: …, expect: …")
        return []
    tests = []
    for index in range(len(data)):
        test = build(FlowTest, document, (index,))
        if test is not None:
            _check(test, index, document, site)
            tests.append((index, test))
    return tests


def _check(test: FlowTest, index: int, document: Document, site: Site) -> None:
    """What the test names must be there."""
    country = site.config.server.country
    did = normalise(test.call.to, country)
    if did is None or not (site.number(did) or site.pool(did)):
        document.error((index, "call", "to"), f"{test.call.to} is neither in numbers nor in a pool")
    _check_queues(test, index, document, site)
    if isinstance(test.agents, dict):
        for name in test.agents:
            if name not in site.config.agents and normalise(name, country) is None:
                hint = did_you_mean(name, site.config.agents)
                document.error(
                    (index, "agents", name),
                    f"there is no agent {name!r}{hint}",
                    at_key=True,
                    code="unknown-name",
                )


def _check_queues(test: FlowTest, index: int, document: Document, site: Site) -> None:
    for name in test.queues:
        if name not in site.config.queues:
            hint = did_you_mean(name, site.config.queues)
            document.error(
                (index, "queues", name), f"there is no queue {name!r}{hint}", at_key=True, code="unknown-name"
            )


def _run(site: Site, document: Document, index: int, test: FlowTest, now: datetime) -> TestResult:
    agents: Agents = test.agents
    answers = {step: [each.answer() for each in script] for step, script in test.webhooks.items()}
    at = test.call.at or now
    at = at if at.tzinfo else at.replace(tzinfo=site.config.server.zone)
    simulation = simulate(
        site,
        test.call.to,
        test.call.from_,
        at,
        test.press,
        agents,
        hang_up_after_s=seconds(test.hang_up) if test.hang_up is not None else None,
        webhooks=answers,
        waiting={name: state.waiting for name, state in test.queues.items()},
        history=test.call.history.before(at) if test.call.history else None,
        attestation=test.call.attestation,
    )
    place = document.value_place((index,))
    differences = tuple(compare(test.expect, simulation))
    return TestResult(document.path, place.line, test.name, simulation, differences)


def compare(expected: Expected, actual: Simulation) -> Iterable[Difference]:
    """Every expectation that the simulation does not meet."""
    pairs: list[tuple[str, object, object]] = [
        ("source", expected.source, actual.source),
        ("path", expected.path, list(actual.path)),
        ("rings", expected.rings, list(actual.rings)),
        ("tags", _sorted(expected.tags), sorted(actual.tags)),
        ("status", expected.status, actual.status),
        ("called_back", expected.called_back, list(actual.called_back)),
    ]
    for what, wanted, got in pairs:
        if wanted is not None and wanted != got:
            yield Difference(what, wanted, got)
    if expected.messages is not None and not _as_sent(expected.messages, actual.texts):
        wanted_texts = [text.model_dump(exclude_none=True) for text in expected.messages]
        yield Difference("messages", wanted_texts, [{"to": t.to, "text": t.text} for t in actual.texts])
    if expected.heard is not None and not _in_order(expected.heard, actual.heard):
        yield Difference("heard", expected.heard, list(actual.heard))


def _sorted(tags: Sequence[str] | None) -> list[str] | None:
    return None if tags is None else sorted(tags)


def _as_sent(expected: Sequence[ExpectedText], sent: Sequence[SentText]) -> bool:
    return len(expected) == len(sent) and all(
        wanted.text in text.text and wanted.to in (None, text.to)
        for wanted, text in zip(expected, sent, strict=True)
    )


def _in_order(parts: Sequence[str], heard: Sequence[str]) -> bool:
    """Whether each part is in something that was heard, each after the one before."""
    remaining = iter(heard)
    return all(any(part in prompt for prompt in remaining) for part in parts)
