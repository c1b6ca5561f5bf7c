"""What ``pbx simulate`` says of a call is what becomes of it: each case is called for real and simulated.

The caller and the agents are pjsua2 phones on a running server; the simulation walks the same files
at the time of the call, with the same keys pressed and the same behaviour of the agents.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from ruamel.yaml import YAML

from pbx.config.load import load
from pbx.flows.simulation import Behaviour, Simulation, simulate
from pbx.flows.steps import STEPS
from pbx.httpcalls import TIMEOUT, WebAnswer
from pbx.phone_plan import Plan
from pbx.phonecall import Phone
from tests.e2e.lines import (
    ASKS_LINE,
    BRIEF_LINE,
    CALL_ME_LINE,
    DECIDE_LINE,
    FLOWS,
    MAIN_LINE,
    NAMES_LINE,
    PLACES_LINE,
    RECORD_LINE,
    STRAIGHT_LINE,
)
from tests.support.phones import agent_plan, number, registered
from tests.support.program import Program, Received, Reply, program_beside
from tests.support.server import Server, eventually, server
from tests.support.sounds import hum
from tests.support.twins import expected, seen

pytestmark = pytest.mark.peers

MANHATTAN, NEWARK, CHICAGO = "+12125557788", "+19735550123", "+13125550123"
OFFICE = "+19735550150"

TEXTS = """
texts:
  sms: {from: "+12125550100", url: "PROGRAM/texts", body: {to: "{to}", text: "{text}"}}
"""
CRM_SAYS = b'{"customer": {"tier": "gold", "since": 2019}}'
ANSWERS = {"/crm": (200, CRM_SAYS), "/down": (503, b""), "/texts": (200, b'{"id": "1"}')}
WEBHOOKS = {
    "known": [WebAnswer(200, CRM_SAYS)],
    "down": [WebAnswer(503)],
    "slow": [WebAnswer(problem=TIMEOUT)],
}
TALK_S = 0.5


@pytest.fixture(scope="module")
def other() -> Iterator[Program]:
    def replies(request: Received) -> Reply | None:
        return ANSWERS.get(request.path)  # to anything else, never

    with program_beside(replies) as running:
        yield running


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, other: Program) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("site")
    (folder / "prompts").mkdir()
    hum(folder / "prompts" / "jingle.wav", 440, 0.5)
    flows = {name: text.replace("PROGRAM", other.url) for name, text in FLOWS.items()}
    with server(folder, flows, edit=lambda config: config + TEXTS.replace("PROGRAM", other.url)) as running:
        yield running


@dataclass(frozen=True)
class Case:
    """One call. Whoever is not in ``agents`` has no phone; ``path`` guards against both being wrong, and so
    does ``called_back``: who rings for the callback that the caller was promised."""

    path: tuple[str, ...]
    status: str
    line: int = MAIN_LINE
    caller: str = CHICAGO
    press: str | tuple[str, ...] = ""  # all at once; each prompt takes one key, or what stands for it
    agents: Mapping[str, Behaviour] = field(default_factory=dict)
    called_back: tuple[str, ...] = ()

    @property
    def steps(self) -> Iterator[tuple[str, str]]:
        """The flow and the name of every step of the path."""
        first = list(FLOWS)[self.line]
        for place in self.path:
            flow, _, step = place.rpartition("/")
            yield flow or first, step


ANSWER, BUSY = Behaviour.ANSWER, Behaviour.BUSY
OPENING = ("welcome", "hours", "menu")
CASES = {
    "a key, and the queue's agent answers": Case(
        (*OPENING, "sales"), "answered", press="1", agents={"alice": ANSWER}
    ),
    "a key, and the agent answers": Case(
        (*OPENING, "alice"), "answered", press="2", agents={"alice": ANSWER}
    ),
    "a key, and the agent is busy": Case(
        (*OPENING, "alice", "voicemail"), "voicemail", press="2", agents={"alice": BUSY}
    ),
    "no key, and the first is busy": Case(
        ("menu", "menu", "reception"), "answered", BRIEF_LINE, agents={"desk": BUSY, "alice": ANSWER}
    ),
    "a geo exit to agents": Case(
        (*OPENING, "nearest", "reception"), "answered", caller=MANHATTAN, press="3", agents={"desk": ANSWER}
    ),
    "a geo exit to an office": Case(
        (*OPENING, "nearest", "newark_office"), "answered", caller=NEWARK, press="3", agents={OFFICE: ANSWER}
    ),
    "a geo exit to a busy office": Case(
        (*OPENING, "nearest", "newark_office", "voicemail"),
        "voicemail",
        caller=NEWARK,
        press="3",
        agents={OFFICE: BUSY},
    ),
    "no geo exit": Case((*OPENING, "nearest", "sorry"), "completed", press="3"),
    "on to another flow, nobody registered": Case(
        (*OPENING, "elsewhere", "straight/alice", "straight/sorry"), "missed", press="4"
    ),
    "straight to an agent who answers": Case(("alice",), "answered", STRAIGHT_LINE, agents={"alice": ANSWER}),
    "straight to an agent who is busy": Case(
        ("alice", "engaged"), "missed", STRAIGHT_LINE, agents={"alice": BUSY}
    ),
    "a wrong PIN, nobody at the orbit, and an agent who answers": Case(
        ("room", "lot", "fetch", "warn", "alice"),
        "answered",
        PLACES_LINE,
        press="9999",
        agents={"alice": ANSWER},
    ),
    "digits that are confirmed decide": Case(
        (
            "ask",
            "zip/zip",
            "zip/thanks",
            "regular",
            "near",
            "keep",
            "mark",
            "rate",
            "tell",
            "trial",
            "sorry",
            "bye",
        ),
        "completed",
        DECIDE_LINE,
        caller=MANHATTAN,
        press=("07302", "1"),
    ),
    "digits that are not confirmed are asked for again": Case(
        ("ask", "zip/zip", "zip/zip", "zip/thanks", "regular", "near", "sorry", "bye"),
        "completed",
        DECIDE_LINE,
        press=("07302", "2", "60601", "1"),
    ),
    "no digits, and the part of the flow hangs up": Case(
        ("ask", "zip/zip", "zip/zip", "zip/thanks"), "completed", DECIDE_LINE
    ),
    "a name by its letters, and the agent answers": Case(
        ("names",), "answered", NAMES_LINE, press="254", agents={"alice": ANSWER}
    ),
    "letters that are nobody's, and then an agent who is busy": Case(
        ("names", "names", "sorry"), "missed", NAMES_LINE, press=("999", "254"), agents={"alice": BUSY}
    ),
    "what other programs answer decides, and a text is sent": Case(
        ("known", "golden", "down", "slow", "confirm", "bye"), "completed", ASKS_LINE
    ),
    "recorded in part": Case(
        ("jingle", "breath", "start", "card", "secret", "on_again", "alice"),
        "answered",
        RECORD_LINE,
        agents={"alice": ANSWER},
    ),
    "recorded no more": Case(
        ("jingle", "breath", "start", "card", "secret", "on_again", "alice", "no_more"),
        "missed",
        RECORD_LINE,
        agents={"alice": BUSY},
    ),
    "a callback that is promised and kept": Case(
        ("offer", "bye"),
        "completed",
        CALL_ME_LINE,
        press="1",
        agents={"alice": ANSWER, CHICAGO: ANSWER},
        called_back=("alice", CHICAGO),
    ),
    "a callback that is declined": Case(("offer", "sorry", "bye"), "completed", CALL_ME_LINE, press="2"),
    "straight to an agent without a phone": Case(("alice", "sorry"), "missed", STRAIGHT_LINE),
}


def test_every_step_has_a_case() -> None:
    """A new step needs one too."""
    made = {name: YAML(typ="safe").load(text)["steps"] for name, text in FLOWS.items()}
    walked = {kind for case in CASES.values() for flow, step in case.steps for kind in made[flow][step]}
    assert set(STEPS) - walked == set()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_live_call_goes_as_simulated(site: Server, other: Program, case: Case) -> None:
    before, texts = len(site.calls()), len(texts_to(other))
    asyncio.run(call(site, case))
    site.ended_call(before + 1 + bool(case.called_back))
    *back, live = (
        site.get(f"/api/calls/{each['id']}") for each in site.calls()[: len(site.calls()) - before]
    )
    simulated = simulation(site, case, datetime.fromisoformat(live["started_at"]))
    assert (simulated.path, simulated.status) == (case.path, case.status)
    assert seen(live) == expected(simulated)
    assert simulated.called_back == case.called_back == rung_back(back)
    sent = [{"to": text.to, "text": text.text} for text in simulated.texts]
    eventually("the texts", lambda: texts_to(other)[texts:] == sent)
    if case.line in (DECIDE_LINE, ASKS_LINE, CALL_ME_LINE):  # which have no talk whose seconds would differ
        assert [event["because"] for event in live["events"] if event["kind"] == "step.turn"] == [
            turn.because for turn in simulated.turns
        ]
        assert simulated.reason in live["reason"]


def texts_to(other: Program) -> list[Any]:
    return [request.json for request in other.received if request.path == "/texts"]


def rung_back(calls: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(leg["target"] for call in calls for leg in call["legs"])


def simulation(site: Server, case: Case, at: datetime) -> Simulation:
    loaded = load(site.config, site.environment)
    away = dict.fromkeys([*loaded.config.agents, OFFICE], Behaviour.AWAY)
    return simulate(
        loaded,
        number(case.line),
        case.caller,
        at,
        list(case.press),
        {**away, **case.agents},
        webhooks=WEBHOOKS,
    )


async def call(site: Server, case: Case) -> None:
    """Call; hang up once the agent, if one answers, has been talked to for a moment."""
    async with AsyncExitStack() as phones:
        people = [await phones.enter_async_context(Phone(plan)) for plan in plans(site, case.agents)]
        for phone in people:
            if phone.plan.registrar:
                await registered(phone)
            else:
                await phone.until("listening")
        plan = Plan(
            id_uri=f"sip:{case.caller}@127.0.0.1",
            call=f"sip:{number(case.line)}@127.0.0.1:{site.sip}",
            press="".join(case.press),
            press_after_s=0.5,
        )
        caller = await phones.enter_async_context(Phone(plan))
        answering = [phone for phone in people if not phone.plan.reject_with]
        if case.called_back:
            async with asyncio.timeout(60):
                for phone in people:
                    await phone.until("ended")
        else:
            await talked_or_over(caller, answering)


async def talked_or_over(caller: Phone, answering: Sequence[Phone]) -> None:
    over = asyncio.ensure_future(caller.finish())
    talks = [asyncio.ensure_future(phone.until("answered")) for phone in answering]
    async with asyncio.timeout(60):
        await asyncio.wait([over, *talks], return_when=asyncio.FIRST_COMPLETED)
        if not over.done():
            await asyncio.sleep(TALK_S)
    for task in [over, *talks]:
        task.cancel()


def plans(site: Server, agents: Mapping[str, Behaviour]) -> Iterator[Plan]:
    """The phones of those who have one."""
    listening = {"desk": site.desk, OFFICE: site.carrier, CHICAGO: site.carrier}
    for who, behaviour in agents.items():
        does = {"reject_with": 486} if behaviour is BUSY else {"answer_after_s": 0.2}
        if who in listening:
            hangs_up = {"hang_up_after_s": 1.0} if who == CHICAGO else {}
            yield Plan(id_uri=f"sip:{who}@127.0.0.1", port=listening[who], **does, **hangs_up)
        else:
            yield agent_plan(site, who, **does)
