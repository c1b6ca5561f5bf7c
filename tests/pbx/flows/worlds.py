"""Calls for tests: facts, a site's surroundings, and flows written as YAML."""

from collections.abc import Callable, Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml

from pbx.agents import AgentBoard
from pbx.clock import Clock
from pbx.config.conferences import Conference
from pbx.config.flowfile import kinds
from pbx.config.models import Agent, Queue
from pbx.flows.control import AgentTarget, CallFacts, Target
from pbx.flows.flow import Flow
from pbx.flows.interpreter import Surroundings
from pbx.flows.simulated import ANSWERS, Reaction
from pbx.flows.steps import STEPS
from pbx.parking import ParkingLot
from pbx.queues import Queues


def facts(
    call_id: str = "call",
    caller: str = "+12125557788",
    whisper: str = "",
    language: str = "en",
    attestation: str = "",
) -> CallFacts:
    return CallFacts(
        call_id=call_id,
        did="+12125550100",
        caller=caller,
        source="yellow-pages",
        flow="main",
        trunk="carrier",
        whisper=whisper,
        zone=ZoneInfo("America/New_York"),
        country="US",
        language=language,
        attestation=attestation,
    )


def flow(text: str, name: str = "main") -> Flow:
    """A flow from the YAML of its steps; the first one is the start."""
    data = yaml.load(text, yaml.BaseLoader)  # every scalar a word: PyYAML takes `no` for false
    steps = {step: STEPS[kinds(keys)[0]].model_validate(keys) for step, keys in data.items()}
    return Flow(name, next(iter(steps)), steps, Path(f"{name}.yaml"))


def surroundings(
    clock: Clock,
    *flows: Flow,
    agents: tuple[str, ...] = ("alice", "bob"),
    queues: Mapping[str, Queue] | None = None,
    reachable: Callable[[str], bool] = lambda agent: True,
    conferences: Mapping[str, Conference] | None = None,
) -> Surroundings:
    board = AgentBoard(agents, clock, reachable)
    return Surroundings(
        flows={each.id: each for each in flows},
        agents={agent: Agent(name=agent.title(), contact=f"sip:{agent}@127.0.0.1") for agent in agents},
        queues=Queues(queues or {}, board),
        board=board,
        conferences=conferences or {},
        parking=ParkingLot(("71", "72")),
        find_audio=lambda flow, name: Path("prompts", name) if _recorded(name) else None,
    )


def reacting(**reactions: Reaction) -> Callable[[Target], Reaction]:
    """Agents react as named; everybody else answers at once."""
    return lambda target: reactions.get(target.agent, ANSWERS) if isinstance(target, AgentTarget) else ANSWERS


def _recorded(name: str) -> bool:
    """Everything but missing.wav in English, and hello.wav in Spanish."""
    return name == "es/hello.wav" or ("/" not in name and name != "missing.wav")
