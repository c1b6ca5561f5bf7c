"""What a trunk is doing: where it is reached just now, whether it answers, whether we are registered.

Theory of operation. A :class:`TrunkLine` keeps the hops of its trunk's host (:mod:`sip.locate`), found
anew when the DNS answer has aged. Each hop has a :class:`Health`: OPTIONS at regular times, and calls
that meet no answer, move it. One lost packet does not take a hop down and one lucky answer does not
bring it back: it takes two in a row either way. Any answer shows that somebody is there, but 503 and
408, which say that nobody is (RFC 3261 §21.5.4, §21.4.9).

Calls out try the hops that are up, in order, then the others: a wrong verdict of ours must not make a
trunk useless. :class:`TrunkLines` is all of them; a reload changes only those whose trunk changed.
"""

import logging
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from sip.endpoint import Endpoint
from sip.flow import Flow
from sip.locate import Hop
from sip.message import Response
from sip.registration import Registration, RegistrationState
from sip.timers import Deadlines
from sip.trunk import Trunk
from sip.uac import Series

log = logging.getLogger(__name__)

FALL, RISE = 2, 2
LOCATE_AGAIN_S = 30.0  # when nothing was found


class Health:
    """Up or down, with hysteresis."""

    __slots__ = ("_run", "up")

    def __init__(self) -> None:
        self.up = True
        self._run = 0  # results in a row that speak against ``up``

    def heard(self, well: bool) -> bool:
        """Take one result; whether it changed the verdict."""
        if well is self.up:
            self._run = 0
            return False
        self._run += 1
        if self._run < (RISE if well else FALL):
            return False
        self.up, self._run = well, 0
        return True


@dataclass(frozen=True, slots=True)
class TrunkStatus:
    """For an admin: ``hops`` are addresses with whether each is up."""

    name: str
    up: bool
    registration: RegistrationState | None
    problem: str
    hops: tuple[tuple[str, bool], ...]


class _Due(Enum):
    LOCATE = "find the hops again"
    PROBE = "send OPTIONS"


class TrunkLine:
    def __init__(
        self, endpoint: Endpoint, trunk: Trunk, instance: str, on_change: Callable[[], None]
    ) -> None:
        self.trunk = trunk
        self.hops: list[Hop] = []
        self._health: dict[Hop, Health] = {}
        self._endpoint = endpoint
        self._on_change = on_change
        self._timers = Deadlines(endpoint.queue, self._due)
        self._series = Series(endpoint)
        self._probing: set[Hop] = set()
        self._open = True
        self.registration: Registration | None = None
        if trunk.register:
            self.registration = Registration(
                endpoint, trunk, instance=instance, flows=self.flows, draw=random.random, on_change=on_change
            )
        self._locate()

    @property
    def up(self) -> bool:
        """Whether a call would probably get through."""
        registered = self.registration is None or self.registration.state is RegistrationState.REGISTERED
        return registered and any(self._health[hop].up for hop in self.hops)

    def flows(self) -> list[Flow]:
        """Ways to the trunk, best first."""
        flows = [_flow(hop) for hop in sorted(self.hops, key=lambda hop: not self._health[hop].up)]
        registered_by = self.registration.flow if self.registration is not None else None
        if registered_by in flows:  # where the carrier knows us
            flows.remove(registered_by)
            flows.insert(0, registered_by)
        return flows

    def is_at(self, host: str) -> bool:
        return any(hop.address.host == host for hop in self.hops)

    def status(self) -> TrunkStatus:
        registration = self.registration
        return TrunkStatus(
            name=self.trunk.name,
            up=self.up,
            registration=registration.state if registration is not None else None,
            problem=registration.problem if registration is not None else "",
            hops=tuple((f"{hop.transport}:{hop.address}", self._health[hop].up) for hop in self.hops),
        )

    def failed(self, flow: Flow) -> None:
        """A request of ours met no answer, or 503, on ``flow``."""
        if self.trunk.probe_s:  # without probes nothing would ever bring it up again
            for hop in self.hops:
                if _flow(hop) == flow:
                    self._judge(hop, well=False)

    def connection_lost(self, flow: Flow) -> None:
        if self.registration is not None:
            self.registration.connection_lost(flow)

    def stop(self) -> None:
        self._open = False
        self._timers.close()
        if self.registration is not None:
            self.registration.stop()

    # --- the inside

    def _locate(self) -> None:
        place = self.trunk.place
        if place is not None:
            self._endpoint.wire.locate(place, self._located)

    def _located(self, hops: Sequence[Hop], holds_s: float) -> None:
        if not self._open:
            return
        first = not self.hops
        if hops:
            self.hops = list(hops)
            self._health = {hop: self._health.get(hop) or Health() for hop in hops}
        else:
            log.warning("trunk %s: no address of %s can be found", self.trunk.name, self.trunk.host)
            holds_s = LOCATE_AGAIN_S
        self._timers.start(_Due.LOCATE, self._endpoint.wire.now() + holds_s)
        if first and hops:
            if self.trunk.probe_s:
                self._probe()
            if self.registration is not None:
                self.registration.start()
        self._on_change()

    def _due(self, timer: _Due, now: float) -> None:
        if timer is _Due.LOCATE:
            self._locate()
        else:
            self._probe()

    def _probe(self) -> None:
        for hop in self.hops:
            if hop not in self._probing:
                self._probing.add(hop)
                self._ask(hop)
        self._timers.start(_Due.PROBE, self._endpoint.wire.now() + self.trunk.probe_s)

    def _ask(self, hop: Hop) -> None:
        def end(response: Response | None) -> None:
            self._probing.discard(hop)
            if self._open and hop in self._health:
                self._judge(hop, well=response is not None and response.status not in (408, 503))

        flow = _flow(hop)
        aor = self.trunk.address_of_record
        headers = [("Contact", self._endpoint.contact(flow, "")), ("Accept", "application/sdp")]
        self._series.ask(
            "OPTIONS", self.trunk.uri, flow, from_=aor, to=self.trunk.uri, headers=headers, end=end
        )

    def _judge(self, hop: Hop, *, well: bool) -> None:
        if self._health[hop].heard(well):
            log.warning("trunk %s: %s is %s", self.trunk.name, hop.address, "up again" if well else "down")
            self._on_change()


class TrunkLines:
    """Every trunk's line. ``on_change`` is called when any of them changes."""

    def __init__(self, endpoint: Endpoint, instance: str) -> None:
        self.on_change: Callable[[], None] = lambda: None
        self._endpoint = endpoint
        self._instance = instance
        self._lines: dict[str, TrunkLine] = {}

    def update(self, trunks: Iterable[Trunk]) -> None:
        """From now on these. A line whose trunk is as it was goes on undisturbed."""
        wanted = {trunk.name: trunk for trunk in trunks if trunk.host is not None}
        for name, line in list(self._lines.items()):
            if wanted.get(name) != line.trunk:
                line.stop()
                del self._lines[name]
        for name, trunk in wanted.items():
            if name not in self._lines:
                self._lines[name] = TrunkLine(self._endpoint, trunk, self._instance, self._changed)
        self._lines = {name: self._lines[name] for name in wanted}

    def in_order(self) -> list[TrunkLine]:
        """Those that are up before the others, then by priority, then as the admin lists them."""
        return sorted(self._lines.values(), key=lambda line: (not line.up, line.trunk.priority))

    def get(self, name: str) -> TrunkLine | None:
        return self._lines.get(name)

    def registering_at(self, host: str) -> str | None:
        """The trunk with which we are registered, or want to be, at ``host``: its calls come from there."""
        for name, line in self._lines.items():
            if line.registration is not None and line.is_at(host):
                return name
        return None

    def status(self) -> list[TrunkStatus]:
        return [line.status() for line in self._lines.values()]

    def failed(self, flow: Flow) -> None:
        for line in self._lines.values():
            line.failed(flow)

    def connection_lost(self, flow: Flow) -> None:
        for line in self._lines.values():
            line.connection_lost(flow)

    def stop(self) -> None:
        for line in self._lines.values():
            line.stop()
        self._lines.clear()

    def _changed(self) -> None:
        self.on_change()


def _flow(hop: Hop) -> Flow:
    return Flow(hop.transport, hop.address, server_name=hop.name)
