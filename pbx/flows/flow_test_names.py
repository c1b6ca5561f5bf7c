"""What a flow test names under ``expect``, ``history`` and ``webhooks`` must be there.

``pbx check`` tells it at its place, with the name that was probably meant. ``pbx test`` runs such a test
all the same: it fails, and shows what the call did instead.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from pbx.config.document import Document, Loc
from pbx.config.problems import did_you_mean
from pbx.config.site import Site
from pbx.flows.flow import Flow
from pbx.numbering import normalise

if TYPE_CHECKING:
    from pbx.flows.flow_tests import FlowTest

UNKNOWN_SOURCE = "unknown"
"""The source of calls of which none is known."""


def check_names(test: "FlowTest", base: Loc, document: Document, site: Site) -> None:
    """Report every name of the test at ``base`` that nothing has."""
    names = _Names(document, site)
    names.source((*base, "expect", "source"), test.expect.source)
    for key, rung in (("rings", test.expect.rings), ("called_back", test.expect.called_back)):
        names.people((*base, "expect", key), rung or ())
    if test.call.history is not None:
        names.source((*base, "call", "history", "source"), test.call.history.source)
        names.agent((*base, "call", "history", "agent"), test.call.history.agent)
    flow = _first_flow(test, site)
    if flow is not None:
        steps = list(_steps(flow, site.flows))
        for place, step in enumerate(test.expect.path or ()):
            names.step((*base, "expect", "path", place), step, steps, flow)
        for step in test.webhooks:
            names.step((*base, "webhooks", step), step, steps, flow, at_key=True)


class _Names:
    def __init__(self, document: Document, site: Site) -> None:
        self._document = document
        self._site = site

    def _unknown(self, loc: Loc, what: str, name: str, known: Iterable[str], *, at_key: bool = False) -> None:
        message = f"{what} {name!r}{did_you_mean(name, known)}"
        self._document.error(loc, message, at_key=at_key, code="unknown-name")

    def source(self, loc: Loc, name: str | None) -> None:
        if name and name not in (*self._site.config.sources, UNKNOWN_SOURCE):
            self._unknown(loc, "there is no source", name, self._site.config.sources)

    def agent(self, loc: Loc, name: str) -> None:
        if name and name not in self._site.config.agents:
            self._unknown(loc, "there is no agent", name, self._site.config.agents)

    def people(self, loc: Loc, names: Sequence[str]) -> None:
        """Agents and numbers; a number is expected as the call dials it, with its +."""
        for place, name in enumerate(names):
            if name in self._site.config.agents:
                continue
            e164 = normalise(name, self._site.config.server.country)
            if e164 is None:
                self._unknown((*loc, place), "there is no agent", name, self._site.config.agents)
            elif e164 != name:
                self._document.error((*loc, place), f"{name!r} rings as {e164!r}; write it so")

    def step(self, loc: Loc, name: str, steps: Sequence[str], flow: Flow, *, at_key: bool = False) -> None:
        if name not in steps:
            self._unknown(loc, f"a call to the flow {flow.id} comes to no step", name, steps, at_key=at_key)


def _first_flow(test: "FlowTest", site: Site) -> Flow | None:
    did = normalise(test.call.to, site.config.server.country) or ""
    entry = site.number(did) or site.pool(did)
    return site.flows.get(entry.flow) if entry is not None else None


def _steps(first: Flow, flows: Mapping[str, Flow]) -> Iterable[str]:
    """The steps as a call's path writes them: those of other flows behind the flow's name."""
    yield from first.steps
    for flow in flows.values():
        if flow is not first:
            yield from (f"{flow.id}/{step}" for step in flow.steps)
