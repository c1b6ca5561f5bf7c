"""What ``pbx simulate`` says of a call is what becomes of it: each case is called for real and simulated.

The caller and the agents are pjsua2 phones on a running server; the simulation walks the same files
at the time of the call, with the same keys pressed and the same behaviour of the agents.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from pbx.config.load import load
from pbx.flows.simulation import Behaviour, Simulation, simulate
from pbx.phone_plan import Plan
from pbx.phonecall import Phone
from tests.support.phones import agent_plan, number, registered
from tests.support.server import Server, server
from tests.support.twins import expected, seen

pytestmark = pytest.mark.peers

MANHATTAN, NEWARK, CHICAGO = "+12125557788", "+19735550123", "+13125550123"
OFFICE = "+19735550150"

MAIN = """
name: Main line
start: welcome
steps:
  welcome: {say: "Thanks for calling.", next: hours}
  hours:
    schedule: {mon-sun: "00:00-24:00"}
    open: menu
    closed: voicemail
  menu:
    menu: "Press 1 for sales, 2 for Alice, 3 for the office nearest you, 4 for another line."
    timeout: 5s
    keys: {"1": sales, "2": alice, "3": nearest, "4": elsewhere}
    otherwise: reception
  sales: {queue: sales, on_timeout: voicemail}
  alice: {dial: alice, timeout: 20s, on_no_answer: voicemail}
  nearest:
    geo:
      - {name: Manhattan, areas: ["+1212", "+1646"], to: reception}
      - {name: Newark, areas: ["+1973", "New Jersey"], to: newark_office}
    otherwise: sorry
  newark_office: {dial: "+19735550150", trunk: carrier, timeout: 25s, on_no_answer: voicemail}
  reception: {dial: [desk, alice], timeout: 20s, on_no_answer: sorry}
  elsewhere: {goto: straight}
  sorry: {say: "Sorry.", next: hangup}
  voicemail: {voicemail: {max: 1s, tag: voicemail}, next: hangup}
"""
STRAIGHT = """
name: Straight to Alice
start: alice
steps:
  alice: {dial: alice, timeout: 20s, on_no_answer: sorry, on_busy: engaged}
  engaged: {say: "Alice is on the phone.", next: hangup}
  sorry: {say: "Sorry, nobody is available right now.", next: hangup}
"""
BRIEF = """
name: Brief
start: menu
steps:
  menu: {menu: "Press 1.", timeout: 300ms, retries: 1, keys: {"1": reception}, otherwise: reception}
  reception: {dial: [desk, alice], timeout: 20s}
"""
PLACES = """
name: Places where calls meet
start: room
steps:
  room: {conference: staff, tries: 1, on_wrong_pin: lot}
  lot: {park: any, timeout: 500ms, on_timeout: fetch}
  fetch: {pickup: "79", on_nobody: warn}
  warn: {whisper: "", next: alice}
  alice: {dial: alice, on_no_answer: sorry}
  sorry: {say: "Sorry.", next: hangup}
"""
DECIDE = """
name: Decides
start: ask
steps:
  ask: {goto: {flow: zip, return: regular}}
  regular:
    condition:
      - {name: nobody waits, when: {queue.sales.waiting: 0, not: {zip: ""}}, to: near}
    otherwise: sorry
  near:
    by: [zip, number]
    geo:
      - {name: office, offices: {keep: "Newark, NJ", sorry: "Chicago, IL"}, within: 500 km}
    otherwise: sorry
  keep: {set: {language: es, where: "{zip}"}, next: mark}
  mark: {tag: [near, "spanish"], next: rate}
  rate: {score: 4, next: tell}
  tell: {say: {en: "Hello.", es: "{where|digits}"}, next: trial}
  trial: {split: {sorry: 30, bye: 70}}
  sorry: {say: {en: "Sorry.", es: "Perdón."}, next: bye}
  bye: {hangup: "decided for {zip}"}
"""
ZIP = """
name: Asks for the ZIP code
start: zip
steps:
  zip: {collect: "Your ZIP?", digits: 5, confirm: "So {entered}?", timeout: 3s, retries: 1, next: thanks}
  thanks: {condition: [{when: {zip: ""}, to: hangup}]}
"""
NAMES = """
name: Finds by name
start: names
steps:
  names:
    directory: "Type a name."
    agents: [alice, desk]
    retries: 1
    on_nobody: sorry
    on_no_answer: sorry
    next: sorry
  sorry: {say: "Sorry.", next: hangup}
"""
FLOWS = {
    "main": MAIN, "straight": STRAIGHT, "brief": BRIEF, "places": PLACES, "decide": DECIDE, "zip": ZIP,
    "names": NAMES,
}  # fmt: skip
MAIN_LINE, STRAIGHT_LINE, BRIEF_LINE, PLACES_LINE, DECIDE_LINE, _, NAMES_LINE = range(len(FLOWS))
TALK_S = 0.5


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server(tmp_path_factory.mktemp("site"), FLOWS) as running:
        yield running


@dataclass(frozen=True)
class Case:
    """One call. Whoever is not in ``agents`` has no phone; ``path`` guards against both being wrong."""

    path: tuple[str, ...]
    status: str
    line: int = MAIN_LINE
    caller: str = CHICAGO
    press: str | tuple[str, ...] = ""  # all at once; each prompt takes one key, or what stands for it
    agents: Mapping[str, Behaviour] = field(default_factory=dict)


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
    "straight to an agent without a phone": Case(("alice", "sorry"), "missed", STRAIGHT_LINE),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_live_call_goes_as_simulated(site: Server, case: Case) -> None:
    before = len(site.calls())
    asyncio.run(call(site, case))
    live = site.ended_call(before + 1)
    simulated = simulation(site, case, datetime.fromisoformat(live["started_at"]))
    assert (simulated.path, simulated.status) == (case.path, case.status)
    assert seen(live) == expected(simulated)
    if case.line == DECIDE_LINE:  # which has no talk whose seconds would differ
        assert [event["because"] for event in live["events"] if event["kind"] == "step.turn"] == [
            turn.because for turn in simulated.turns
        ]
        assert simulated.reason in live["reason"]


def simulation(site: Server, case: Case, at: datetime) -> Simulation:
    loaded = load(site.config, site.environment)
    agents = {target: case.agents.get(target, Behaviour.AWAY) for target in [*loaded.config.agents, OFFICE]}
    return simulate(loaded, number(case.line), case.caller, at, list(case.press), agents)


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
    listening = {"desk": site.desk, OFFICE: site.carrier}
    for who, behaviour in agents.items():
        does = {"reject_with": 486} if behaviour is BUSY else {"answer_after_s": 0.2}
        if who in listening:
            yield Plan(id_uri=f"sip:{who}@127.0.0.1", port=listening[who], **does)
        else:
            yield agent_plan(site, who, **does)
