"""Registering with a carrier (RFC 3261 §10.2), and staying registered.

The machine, and what moves it::

    IDLE ── start ──> TRYING ── 200 ──> REGISTERED ── refresh due, connection lost ──> TRYING
                        │  ^
          refused, or   v  │ back-off over
          no hop left  FAILED
    any ── stop ──> IDLE (with a last REGISTER that takes the binding back)

* A refresh is due well before the binding ends: ten minutes of a long one, half of a short one.
* 423 says what the carrier's shortest interval is (§10.2.8): asked for at once.
* 503, silence or a broken connection: the next hop (RFC 3263 §4.3). When there is none left, or the
  carrier refuses: a pause that doubles each time, drawn between half and all of it, so that a thousand
  customers do not come back in the same second (RFC 5626 §4.5). ``Retry-After`` makes it longer.
* Over UDP an empty line goes out between times, so that a NAT on the way keeps the door open.
* Over a connection the Contact carries ``reg-id`` and ``+sip.instance`` (RFC 5626 §4.2): a new
  connection's binding takes the old one's place.
"""

import logging
from collections.abc import Callable, Sequence
from enum import StrEnum

from sip.endpoint import Endpoint
from sip.errors import SipError
from sip.flow import Flow
from sip.headers import NameAddr, parse_delta_seconds
from sip.message import Response
from sip.timers import Deadlines
from sip.trunk import Trunk
from sip.uac import Series

log = logging.getLogger(__name__)

BACK_OFF_S, LONGEST_BACK_OFF_S = 30.0, 1800.0
KEEP_ALIVE_S, PING = 25.0, b"\r\n\r\n"
LONG_S, MARGIN_S = 1200.0, 600.0


class RegistrationState(StrEnum):
    IDLE = "idle"
    TRYING = "trying"
    REGISTERED = "registered"
    FAILED = "failed"


class _Due(StrEnum):
    REGISTER = "register again"
    KEEP_ALIVE = "keep a NAT's door open"


class Registration:
    """One trunk's. ``flows()`` are the hops of the moment, best first; ``draw`` gives 0 to 1."""

    def __init__(
        self,
        endpoint: Endpoint,
        trunk: Trunk,
        *,
        instance: str,
        flows: Callable[[], Sequence[Flow]],
        draw: Callable[[], float],
        on_change: Callable[[], None],
    ) -> None:
        self.state = RegistrationState.IDLE
        self.problem = ""  # why it failed, in words for an admin
        self.flow: Flow | None = None  # by which we are registered
        self.expires_at = 0.0
        self._endpoint = endpoint
        self._trunk = trunk
        self._instance = instance
        self._flows = flows
        self._draw = draw
        self._on_change = on_change
        self._expires_s = trunk.expires_s
        self._failures = 0
        self._hops_left: list[Flow] = []
        self._timers = Deadlines(endpoint.queue, self._due)
        credentials = (trunk.username, trunk.password or "") if trunk.username else None
        self._series = Series(endpoint, credentials)

    def start(self) -> None:
        """Register now, by the best hop."""
        if self.state is not RegistrationState.TRYING:
            self._hops_left = list(self._flows())
            self._next_hop("the trunk's host has no address")

    def stop(self) -> None:
        """Take the binding back, as far as that needs no answer."""
        self._timers.close()
        if self.flow is not None:
            self._send(self.flow, 0, lambda response: None)
        self.flow = None
        self.state = RegistrationState.IDLE

    def connection_lost(self, flow: Flow) -> None:
        """What came by ``flow`` comes no longer: no calls either (RFC 5626 §4.2)."""
        mine = self.flow
        if mine is not None and (mine.transport, mine.remote) == (flow.transport, flow.remote):
            self.flow = None
            if self.state is RegistrationState.REGISTERED:
                self._wait("the connection broke")

    # --- the inside

    def _due(self, timer: object, now: float) -> None:
        if timer is _Due.KEEP_ALIVE:
            self._keep_alive(now)
            return
        self._hops_left = list(self._flows())
        if self.flow in self._hops_left:  # stay where we are as long as that works
            self._hops_left.remove(self.flow)
            self._hops_left.insert(0, self.flow)
        self._next_hop("the trunk's host has no address")

    def _next_hop(self, problem: str) -> None:
        if not self._hops_left:
            self._wait(problem)
            return
        flow = self._hops_left.pop(0)
        self._change(RegistrationState.TRYING, problem="")
        self._send(flow, self._expires_s, lambda response: self._answered(flow, response))

    def _send(self, flow: Flow, expires_s: int, end: Callable[[Response | None], None]) -> None:
        contact = self._endpoint.contact(flow, self._trunk.username or "")
        headers = [("Supported", "path")]
        if flow.reliable:
            contact += f';reg-id=1;+sip.instance="<{self._instance}>"'
            headers = [("Supported", "path, outbound")]
        aor = self._trunk.address_of_record
        self._series.ask(
            "REGISTER",
            self._trunk.uri,
            flow,
            from_=aor,
            to=aor,
            headers=[("Contact", contact), ("Expires", str(expires_s)), *headers],
            end=end,
        )

    def _answered(self, flow: Flow, response: Response | None) -> None:
        if self.state is not RegistrationState.TRYING:
            return  # stopped meanwhile
        if response is None or response.status == 503:
            self._next_hop("no answer" if response is None else f"503 {response.reason}")
        elif response.status < 300:
            self._registered(flow, response)
        elif response.status == 423 and (shortest := _seconds(response, "Min-Expires")) > self._expires_s:
            self._expires_s = shortest
            self._hops_left.insert(0, flow)
            self._next_hop("")
        else:
            self._wait(f"{response.status} {response.reason}", _seconds(response, "Retry-After"))

    def _registered(self, flow: Flow, response: Response) -> None:
        granted_s = self._granted_s(flow, response)
        now = self._endpoint.wire.now()
        self.flow, self.expires_at, self._failures = flow, now + granted_s, 0
        margin_s = MARGIN_S if granted_s > LONG_S else granted_s / 2
        self._timers.start(_Due.REGISTER, now + granted_s - margin_s)
        if not flow.reliable:
            self._timers.start(_Due.KEEP_ALIVE, now + KEEP_ALIVE_S)
        self._change(RegistrationState.REGISTERED, problem="")

    def _keep_alive(self, now: float) -> None:
        if self.flow is not None:
            self._endpoint.wire.send(self.flow, PING)
            self._timers.start(_Due.KEEP_ALIVE, now + KEEP_ALIVE_S)

    def _granted_s(self, flow: Flow, response: Response) -> int:
        """What stands at our Contact, else in Expires, else what we asked for (§10.2.4)."""
        ours = NameAddr.parse(self._endpoint.contact(flow, self._trunk.username or "")).uri
        for text in response.headers.all("Contact"):
            try:
                contact = NameAddr.parse(text)
            except SipError:
                continue
            expires = contact.params.get("expires")
            if contact.uri == ours and expires is not None and expires.isdecimal():
                return max(1, min(int(expires[:10]), self._expires_s))
        return _seconds(response, "Expires") or self._expires_s

    def _wait(self, problem: str, at_least_s: float = 0.0) -> None:
        longest_s = min(LONGEST_BACK_OFF_S, BACK_OFF_S * 2 ** min(self._failures, 16))
        self._failures += 1
        pause_s = max(at_least_s, longest_s * (0.5 + 0.5 * self._draw()))
        self.flow = None
        self._timers.start(_Due.REGISTER, self._endpoint.wire.now() + pause_s)
        self._change(RegistrationState.FAILED, problem)

    def _change(self, state: RegistrationState, problem: str) -> None:
        before = self.state
        self.state = state
        self.problem = problem
        if state is RegistrationState.FAILED:
            log.warning("trunk %s is not registered: %s", self._trunk.name, problem)
        elif state is RegistrationState.REGISTERED and before is not state:
            log.info("trunk %s is registered", self._trunk.name)
        self._on_change()


def _seconds(response: Response, header: str) -> int:
    value = response.headers.get(header)
    if value is None:
        return 0
    try:
        return parse_delta_seconds(value, header)
    except SipError:
        return 0
