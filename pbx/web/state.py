"""What the web application stands on; made by the server, read by every handler."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from starlette.requests import HTTPConnection

from pbx.agents import AgentBoard, AgentWatch
from pbx.attribution.visitors import Visitors
from pbx.bans import BanList
from pbx.channels.chats import Chats
from pbx.channels.inbox import Inbox
from pbx.channels.replies import Replies
from pbx.channels.texts import Texts
from pbx.clock import Clock
from pbx.config.models import Config
from pbx.events import EventBus
from pbx.flows.flow import Flow
from pbx.queues import Queues
from pbx.siptrace.recorder import TraceRecorder
from pbx.spend import Spent
from pbx.store.calls import Calls
from pbx.store.people import People, Principal
from pbx.store.reports import Reports
from pbx.store.traffic import FlowTraffic
from pbx.supervision import LiveCalls
from sip import TrunkStatus

Check = Callable[[], str]
"""Answers at once: "" when the part works, else what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Floor:
    """The agents and the queues as they are now. To be touched on the event loop only."""

    board: AgentBoard
    watch: AgentWatch
    queues: Queues


@dataclass(frozen=True, slots=True)
class ChannelDesk:
    """Everything that is no call: what comes in, texts out, chats that are open."""

    inbox: Inbox
    texts: Texts
    chats: Chats
    replies: Replies


@dataclass(slots=True)
class WebState:
    """``config`` is replaced when an admin reloads it; everything else stays."""

    config: Config
    data_dir: Path
    clock: Clock
    bus: EventBus
    calls: Calls
    reports: Reports
    people: People
    floor: Floor
    visitors: Visitors | None = None
    """What is known of the website's visitors; None where nobody serves any."""
    safe: Callable[[], Awaitable[bool]] | None = None
    """Waits until what happened up to now outlives a crash; False if that takes too long."""
    channels: ChannelDesk | None = None
    checks: Mapping[str, Check] = field(default_factory=dict)
    """By part (store, media, sip): what /readyz asks."""
    figures: Callable[[], Mapping[str, float]] = dict
    """Counters and gauges for /metrics, by name without the ``pbx_`` prefix; ``…_total`` only grows."""
    start_call: Callable[[str, str], Awaitable[str]] | None = None
    """Ring an agent, then what they would dial; returns the call's id, or raises CannotCall."""
    call_back: Callable[[str, str, str, str], Awaitable[str]] | None = None
    """Ring an agent, then a number that asked for it: why (in words), and the call's source."""
    live: LiveCalls = field(default_factory=LiveCalls)
    """The calls that are up. To be touched on the event loop only."""
    supervise: Callable[[str, str], Awaitable[str]] | None = None
    """Ring a supervisor into a call; returns their own call's id, or raises CannotCall."""
    trunks: Callable[[], Sequence[TrunkStatus]] = list
    flows: Mapping[str, Flow] = field(default_factory=dict)
    """Replaced with ``config``."""
    traffic: FlowTraffic | None = None
    """What went through the flows; None where nobody keeps it."""
    spend: Sequence[Spent] = ()
    """What was spent on sources; replaced with ``config``."""
    bans: BanList | None = None
    trace: TraceRecorder | None = None


def state_of(connection: HTTPConnection) -> WebState:
    state = connection.app.state.web
    assert isinstance(state, WebState)
    return state


def principal_of(connection: HTTPConnection) -> Principal:
    """Who asks; the guard lets nobody unknown through to a handler that calls this."""
    principal = connection.scope["principal"]
    assert isinstance(principal, Principal)
    return principal
