"""What somebody at an agent's phone dialled: a feature code, a colleague, a queue, a number.

Pure: the text and the site in, a destination or None out. The same reading serves calls that agents
start, the target of a transfer and ``POST /api/calls``. In this order, the first that fits:

1. ``*…``: a feature code, with what was dialled behind it (:mod:`pbx.feature_codes`).
2. An agent's extension or id; a queue's extension or name; a flow's name.
3. A number, read as one of ``server.country``: one of our own runs its flow, any other goes out.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pbx.config.site import Site
from pbx.flows.control import AgentTarget, NumberTarget
from pbx.numbering import normalise


@dataclass(frozen=True, slots=True)
class FeatureTarget:
    """A feature code by its name in :mod:`pbx.feature_codes`, and the digits dialled behind it."""

    name: str
    argument: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.argument}".strip()


@dataclass(frozen=True, slots=True)
class QueueTarget:
    queue: str

    def __str__(self) -> str:
        return self.queue


@dataclass(frozen=True, slots=True)
class FlowTarget:
    """``did`` is the number of ours that leads there, "" where the flow was named itself."""

    flow: str
    did: str = ""

    def __str__(self) -> str:
        return self.did or self.flow


Destination = FeatureTarget | AgentTarget | QueueTarget | FlowTarget | NumberTarget


def understand(dialled: str, site: Site, codes: Mapping[str, str]) -> Destination | None:
    """``codes``: feature codes by what is dialled. None: nothing that this site knows."""
    config = site.config
    if dialled.startswith("*"):
        return _feature(dialled, codes)
    for name, agent in config.agents.items():
        if dialled in (name, agent.extension):
            return AgentTarget(name)
    for name, queue in config.queues.items():
        if dialled in (name, queue.extension):
            return QueueTarget(name)
    if dialled in site.flows:
        return FlowTarget(dialled)
    number = normalise(dialled, config.server.country)
    if number is None:
        return None
    if (static := site.number(number)) is not None:
        return FlowTarget(static.flow, number)
    if (pool := site.pool(number)) is not None:
        return FlowTarget(pool.flow, number)
    return NumberTarget(number, None)


def _feature(dialled: str, codes: Mapping[str, str]) -> FeatureTarget | None:
    """The longest code that ``dialled`` begins with."""
    for length in range(len(dialled), 1, -1):
        name = codes.get(dialled[:length])
        if name is not None:
            return FeatureTarget(name, dialled[length:])
    return None
