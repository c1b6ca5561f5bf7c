"""Liveness, readiness, metrics.

``/healthz`` answers as long as the process does. ``/readyz`` asks each part of this server (store,
media, SIP sockets), never a trunk: a carrier's bad day is no reason to take the server out of service.
``/metrics`` is Prometheus text, from counts of this run.
"""

from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pbx.events import CallEnded, CallEvent, CallStarted, CallStatus, EventBus
from pbx.web import queues
from pbx.web.state import Check, WebState, state_of


async def get_health(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def get_readiness(request: Request) -> Response:
    parts = {name: ask(check) or "ok" for name, check in state_of(request).checks.items()}
    ready = all(said == "ok" for said in parts.values())
    return JSONResponse(
        {"status": "ready" if ready else "unready", "parts": parts},
        HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE,
    )


def ask(check: Check) -> str:
    """A check that fails itself is a part that is down."""
    try:
        return check()
    except Exception as error:
        return f"the check failed: {error!r}"


class Tally:
    """Counts what the bus carries."""

    def __init__(self, bus: EventBus) -> None:
        self.events: Counter[str] = Counter()
        self.by_status: Counter[CallStatus] = Counter()
        self._live: set[str] = set()
        bus.subscribe(self._hear)

    @property
    def live(self) -> int:
        return len(self._live)

    def _hear(self, event: CallEvent) -> None:
        self.events[event.kind] += 1
        if isinstance(event, CallStarted):
            self._live.add(event.call_id)
        elif isinstance(event, CallEnded):
            self._live.discard(event.call_id)
            self.by_status[event.status] += 1


class _Figures(Collector):
    def __init__(self, state: WebState, tally: Tally, clients: int) -> None:
        self._state = state
        self._tally = tally
        self._clients = clients

    def collect(self) -> Iterator[Metric]:
        calls = CounterMetricFamily("pbx_calls", "Calls that ended, by status.", labels=["status"])
        for status in CallStatus:
            if status.is_final:
                calls.add_metric([status.value], self._tally.by_status[status])
        yield calls
        events = CounterMetricFamily("pbx_events", "Events of calls, by kind.", labels=["kind"])
        for kind, count in sorted(self._tally.events.items()):
            events.add_metric([kind], count)
        yield events
        yield GaugeMetricFamily("pbx_live_calls", "Calls ringing or in progress.", self._tally.live)
        yield GaugeMetricFamily("pbx_live_clients", "Browsers that follow live events.", self._clients)
        ready = GaugeMetricFamily("pbx_ready", "Whether a part of the server works.", labels=["part"])
        for part, check in self._state.checks.items():
            ready.add_metric([part], 0.0 if ask(check) else 1.0)
        yield ready
        yield from queues.metrics(self._state)
        for name, value in sorted(self._state.figures().items()):
            text = name.replace("_", " ")
            if name.endswith("_total"):
                yield CounterMetricFamily(f"pbx_{name.removesuffix('_total')}", text, value)
            else:
                yield GaugeMetricFamily(f"pbx_{name}", text, value)


async def get_metrics(request: Request) -> Response:
    registry = CollectorRegistry(auto_describe=False)
    state = request.app.state
    registry.register(_Figures(state_of(request), state.tally, state.feed.clients))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
