"""``/api/queues``: who waits where, who is there to serve them, and how the day goes."""

import asyncio
from collections.abc import Iterator
from datetime import date

from prometheus_client.core import GaugeMetricFamily, Metric
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pbx.agents import AgentState
from pbx.queues.figures import Figures
from pbx.queues.line import Ticket
from pbx.web.query import read_filter, refuse_unknown
from pbx.web.state import WebState, state_of

PERIOD = ("since", "until")


async def list_queues(request: Request) -> Response:
    refuse_unknown(request, PERIOD)
    state = state_of(request)
    shown = [present(state, name) for name in state.config.queues]
    if any(request.query_params.get(name) for name in PERIOD):
        asked = read_filter(request)
        found = await asyncio.to_thread(state.reports.queues, state.config.queues, asked.since, asked.until)
        for queue, figures in zip(shown, found.values(), strict=True):
            queue["period"] = _figures(figures)
    return JSONResponse({"queues": shown})


def present(state: WebState, name: str) -> dict[str, object]:
    queue, queues = state.config.queues[name], state.floor.queues
    return {
        "name": name,
        "strategy": queue.strategy.value,
        "service_level": queue.service_level.total_seconds(),
        "members": queue.members,
        "on_duty": queues.on_duty(name),
        "waiting": [_waiting(ticket) for ticket in queues.line.tickets(name)],
        "estimated_wait": queues.estimate_s(name),
        "today": _figures(queues.figures(name, today(state))),
    }


def today(state: WebState) -> date:
    return state.clock.now().astimezone(state.config.server.zone).date()


def _waiting(ticket: Ticket) -> dict[str, object]:
    return {
        "call": ticket.call_id,
        "from": ticket.caller,
        "source": ticket.source,
        "waited": ticket.waited_s,
        "priority": ticket.priority,
        "ringing": ticket.turn is None or ticket.turn.done(),
        "callback": ticket.called_back,
    }


def _figures(figures: Figures) -> dict[str, object]:
    return {
        "offered": figures.offered,
        "answered": figures.answered,
        "in_time": figures.in_time,
        "abandoned": figures.abandoned,
        "timed_out": figures.timed_out,
        "left_otherwise": figures.left_otherwise,
        "average_wait": figures.average_wait_s,
        "longest_wait": figures.longest_wait_s,
        "service_level_answered": figures.level_of_answered,
        "service_level_offered": figures.level_of_offered,
    }


_GAUGES = (
    ("offered", "Callers who joined the queue today."),
    ("answered", "Callers of the queue whom an agent answered today."),
    ("in_time", "Of those, within service_level."),
    ("abandoned", "Callers who hung up while they waited today."),
    ("timed_out", "Callers who left after max_wait today."),
    ("service_level_answered", "Answered in time, of all answered today."),
    ("service_level_offered", "Answered in time, of all answered or abandoned today."),
)


def metrics(state: WebState) -> Iterator[Metric]:
    """For /metrics: agents by state, and each queue."""
    agents = GaugeMetricFamily("pbx_agents", "Agents by state.", labels=["state"])
    states = [state.floor.board.state(agent) for agent in state.config.agents]
    for each in AgentState:
        agents.add_metric([each.value], states.count(each))
    yield agents
    shown = {name: present(state, name) for name in state.config.queues}
    waiting = GaugeMetricFamily("pbx_queue_waiting", "Callers in line.", labels=["queue"])
    longest = GaugeMetricFamily("pbx_queue_longest_wait_seconds", "Of those in line.", labels=["queue"])
    on_duty = GaugeMetricFamily("pbx_queue_on_duty", "Agents who take its calls.", labels=["queue"])
    for name in shown:
        waiting.add_metric([name], state.floor.queues.waiting(name))
        longest.add_metric([name], state.floor.queues.longest_wait_s(name))
        on_duty.add_metric([name], len(state.floor.queues.on_duty(name)))
    yield from (waiting, longest, on_duty)
    for key, text in _GAUGES:
        gauge = GaugeMetricFamily(f"pbx_queue_{key}", text, labels=["queue"])
        for name, queue in shown.items():
            value = queue["today"][key]  # type: ignore[index]
            if value is not None:  # a share of nothing is no figure
                gauge.add_metric([name], value)
        yield gauge
