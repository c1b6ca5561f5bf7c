"""The four transaction machines of RFC 3261 §17, with the corrections of RFC 6026.

A :class:`Transaction` is fed messages, answers of its user, timers and transport errors, and
returns what is to be done; the driver (:mod:`sip.matching`) does it and decides nothing. Each
machine is a table laid beside the RFC's figure: state, input, and the step to take::

    State.CALLING: {Event.PROVISIONAL: To(State.PROCEEDING, stop_a, stop_b, pass_up), …

An input that a state does not list is absorbed, which is what the RFC asks for late retransmissions.
Timers that a reliable transport does not have are simply missing from its :class:`~sip.timers.Timers`,
so starting them does nothing.

What RFC 6026 changes: a 2xx no longer destroys the INVITE transactions. Both wait in *Accepted*
(Timers L and M): the server absorbs retransmitted INVITEs there, while its user goes on sending
2xx through it; the client passes up every further 2xx, of the same or another fork.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import NamedTuple

from sip.message import Headers, Request, Response, response_to
from sip.timers import Timer, Timers


class State(Enum):
    __hash__ = object.__hash__  # Enum's own is written in Python, and every step of every machine needs it

    CALLING = "calling"
    TRYING = "trying"
    PROCEEDING = "proceeding"
    ACCEPTED = "accepted"
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"


class Event(Enum):
    """What a machine is fed, besides its timers."""

    __hash__ = object.__hash__

    START = "the request is to be sent"  # client
    PROVISIONAL = "1xx"
    SUCCESS = "2xx"
    FAILURE = "300-699"
    REQUEST = "the request came again"  # server
    ACK = "ACK"
    TRANSPORT_ERROR = "transport error"
    ABANDON = "the user gives up"  # e.g. no final response after CANCEL, RFC 3261 §9.1


class Cause(Enum):
    """Why a transaction failed."""

    TIMEOUT = "timeout"
    TRANSPORT = "transport error"


class Transmit(NamedTuple):
    data: bytes
    again: bool = False  # a retransmission


class Deliver(NamedTuple):
    """Pass a message to the transaction's user."""

    message: Response


class Arm(NamedTuple):
    timer: Timer
    at: float


class Fail(NamedTuple):
    cause: Cause


class Finish(NamedTuple):
    """The transaction is over and to be forgotten."""


Action = Transmit | Deliver | Arm | Fail | Finish
Input = Event | Timer


class Transaction:
    """One transaction: a table, a state, the deadlines of its timers, and what it sent last."""

    __slots__ = ("_interval_s", "_sent", "_table", "deadlines", "request", "state", "timers")

    def __init__(self, table: "Table", state: State, request: Request, timers: Timers) -> None:
        self._table = table
        self._sent = b""
        self._interval_s = 0.0
        self.state = state
        self.request = request
        self.timers = timers
        self.deadlines: dict[Timer, float] = {}

    def feed(self, event: Input, now: float, response: Response | None = None) -> list[Action]:
        """Take one input. ``response`` is what came (client) or what the user answers (server)."""
        transition = self._table[self.state].get(event)
        if transition is None:
            return []
        actions: list[Action] = []
        self.state = transition.state
        for step in transition.steps:
            step(self, response, now, actions)
        if transition.state is State.TERMINATED:
            self.deadlines.clear()
            actions.append(Finish())
        return actions

    def fire(self, timer: Timer, at: float, now: float) -> list[Action]:
        """A timer set for ``at`` fell due; nothing happens if it was stopped or set anew since."""
        if self.deadlines.get(timer) != at:
            return []
        del self.deadlines[timer]
        return self.feed(timer, now)

    def _start(self, timer: Timer, duration_s: float, now: float, actions: list[Action]) -> None:
        at = now + duration_s
        self.deadlines[timer] = at
        actions.append(Arm(timer, at))


Step = Callable[[Transaction, Response | None, float, list[Action]], None]


class Transition(NamedTuple):
    state: State
    steps: tuple[Step, ...]


Table = Mapping[State, Mapping[Input, Transition]]


def To(state: State, *steps: Step) -> Transition:  # noqa: N802 - reads as in the figures
    return Transition(state, steps)


# --- the steps ---------------------------------------------------------------------------------


def start(timer: Timer) -> Step:
    def step(txn: Transaction, _: Response | None, now: float, actions: list[Action]) -> None:
        duration_s = txn.timers.durations_s.get(timer)
        if duration_s is not None:
            txn._start(timer, duration_s, now, actions)

    return step


def stop(*timers: Timer) -> Step:
    def step(txn: Transaction, _: Response | None, now: float, actions: list[Action]) -> None:
        for timer in timers:
            txn.deadlines.pop(timer, None)

    return step


def backoff(timer: Timer, *, capped: bool) -> Step:
    """Start ``timer`` again with twice its last interval, with T2 as the cap of all but Timer A."""

    def step(txn: Transaction, _: Response | None, now: float, actions: list[Action]) -> None:
        doubled = 2 * (txn._interval_s or txn.timers.durations_s[timer])
        txn._interval_s = min(doubled, txn.timers.t2_s) if capped else doubled
        txn._start(timer, txn._interval_s, now, actions)

    return step


def slow_e(txn: Transaction, _: Response | None, now: float, actions: list[Action]) -> None:
    """In Proceeding, Timer E always lasts T2 (§17.1.2.2)."""
    txn._start(Timer.E, txn.timers.t2_s, now, actions)


def send_request(txn: Transaction, _: Response | None, now: float, actions: list[Action]) -> None:
    txn._sent = txn.request.encode()
    actions.append(Transmit(txn._sent))


def send_response(txn: Transaction, response: Response | None, now: float, actions: list[Action]) -> None:
    assert response is not None
    txn._sent = response.encode()
    actions.append(Transmit(txn._sent))


def send_again(txn: Transaction, _: Response | None, now: float, actions: list[Action]) -> None:
    if txn._sent:
        actions.append(Transmit(txn._sent, again=True))


def send_trying(txn: Transaction, _: Response | None, now: float, actions: list[Action]) -> None:
    txn._sent = response_to(txn.request, 100).encode()  # without a tag: §8.2.6.1
    actions.append(Transmit(txn._sent))


def send_ack(txn: Transaction, response: Response | None, now: float, actions: list[Action]) -> None:
    assert response is not None
    txn._sent = ack_for_failure(txn.request, response).encode()
    actions.append(Transmit(txn._sent))


def pass_up(txn: Transaction, response: Response | None, now: float, actions: list[Action]) -> None:
    assert response is not None
    actions.append(Deliver(response))


def timed_out(txn: Transaction, _: Response | None, now: float, actions: list[Action]) -> None:
    actions.append(Fail(Cause.TIMEOUT))


def transport_failed(txn: Transaction, _: Response | None, now: float, actions: list[Action]) -> None:
    actions.append(Fail(Cause.TRANSPORT))


def ack_for_failure(invite: Request, response: Response) -> Request:
    """The ACK to a final response other than 2xx: part of the INVITE's transaction (§17.1.1.3)."""
    headers = Headers()
    headers.add("Via", invite.headers.get("Via") or "")
    for route in invite.headers.all("Route"):
        headers.add("Route", route)
    headers.add("Max-Forwards", "70")
    headers.add("From", invite.headers.get("From") or "")
    headers.add("To", response.headers.get("To") or "")
    headers.add("Call-ID", invite.call_id)
    headers.add("CSeq", f"{invite.cseq.number} ACK")
    return Request("ACK", invite.uri, headers)


stop_a_b = stop(Timer.A, Timer.B)
stop_e_f = stop(Timer.E, Timer.F)
stop_g_h = stop(Timer.G, Timer.H)
stop_trying = stop(Timer.TRYING)
double_a = backoff(Timer.A, capped=False)
double_e = backoff(Timer.E, capped=True)
double_g = backoff(Timer.G, capped=True)

# --- the machines --------------------------------------------------------------------------------

INVITE_CLIENT: Table = {  # RFC 3261 figure 5, RFC 6026 §7.2
    State.CALLING: {
        Event.START: To(State.CALLING, send_request, start(Timer.A), start(Timer.B)),
        Event.PROVISIONAL: To(State.PROCEEDING, stop_a_b, pass_up),
        Event.SUCCESS: To(State.ACCEPTED, stop_a_b, pass_up, start(Timer.M)),
        Event.FAILURE: To(State.COMPLETED, stop_a_b, send_ack, pass_up, start(Timer.D)),
        Timer.A: To(State.CALLING, send_again, double_a),
        Timer.B: To(State.TERMINATED, timed_out),
        Event.TRANSPORT_ERROR: To(State.TERMINATED, transport_failed),
    },
    State.PROCEEDING: {
        Event.PROVISIONAL: To(State.PROCEEDING, pass_up),
        Event.SUCCESS: To(State.ACCEPTED, pass_up, start(Timer.M)),
        Event.FAILURE: To(State.COMPLETED, send_ack, pass_up, start(Timer.D)),
        Event.ABANDON: To(State.TERMINATED),
    },
    State.ACCEPTED: {
        Event.SUCCESS: To(State.ACCEPTED, pass_up),
        Timer.M: To(State.TERMINATED),
    },
    State.COMPLETED: {
        Event.FAILURE: To(State.COMPLETED, send_again),
        Timer.D: To(State.TERMINATED),
        Event.TRANSPORT_ERROR: To(State.TERMINATED, transport_failed),
    },
    State.TERMINATED: {},
}

CLIENT: Table = {  # RFC 3261 figure 6
    State.TRYING: {
        Event.START: To(State.TRYING, send_request, start(Timer.E), start(Timer.F)),
        Event.PROVISIONAL: To(State.PROCEEDING, pass_up),
        Event.SUCCESS: To(State.COMPLETED, stop_e_f, pass_up, start(Timer.K)),
        Event.FAILURE: To(State.COMPLETED, stop_e_f, pass_up, start(Timer.K)),
        Timer.E: To(State.TRYING, send_again, double_e),
        Timer.F: To(State.TERMINATED, timed_out),
        Event.TRANSPORT_ERROR: To(State.TERMINATED, transport_failed),
    },
    State.PROCEEDING: {
        Event.PROVISIONAL: To(State.PROCEEDING, pass_up),
        Event.SUCCESS: To(State.COMPLETED, stop_e_f, pass_up, start(Timer.K)),
        Event.FAILURE: To(State.COMPLETED, stop_e_f, pass_up, start(Timer.K)),
        Timer.E: To(State.PROCEEDING, send_again, slow_e),
        Timer.F: To(State.TERMINATED, timed_out),
        Event.TRANSPORT_ERROR: To(State.TERMINATED, transport_failed),
    },
    State.COMPLETED: {
        Timer.K: To(State.TERMINATED),
    },
    State.TERMINATED: {},
}

INVITE_SERVER: Table = {  # RFC 3261 figure 7, RFC 6026 §7.1
    State.PROCEEDING: {
        Event.START: To(State.PROCEEDING, start(Timer.TRYING)),
        Timer.TRYING: To(State.PROCEEDING, send_trying),
        Event.REQUEST: To(State.PROCEEDING, send_again),
        Event.PROVISIONAL: To(State.PROCEEDING, stop_trying, send_response),
        Event.SUCCESS: To(State.ACCEPTED, stop_trying, send_response, start(Timer.L)),
        Event.FAILURE: To(State.COMPLETED, stop_trying, send_response, start(Timer.G), start(Timer.H)),
        Event.TRANSPORT_ERROR: To(State.PROCEEDING, transport_failed),
    },
    State.ACCEPTED: {
        Event.SUCCESS: To(State.ACCEPTED, send_response),
        Event.TRANSPORT_ERROR: To(State.ACCEPTED, transport_failed),
        Timer.L: To(State.TERMINATED),
    },
    State.COMPLETED: {
        Event.REQUEST: To(State.COMPLETED, send_again),
        Event.ACK: To(State.CONFIRMED, stop_g_h, start(Timer.I)),
        Timer.G: To(State.COMPLETED, send_again, double_g),
        Timer.H: To(State.TERMINATED, timed_out),
        Event.TRANSPORT_ERROR: To(State.COMPLETED, transport_failed),
    },
    State.CONFIRMED: {
        Timer.I: To(State.TERMINATED),
    },
    State.TERMINATED: {},
}

SERVER: Table = {  # RFC 3261 figure 8
    State.TRYING: {
        Event.PROVISIONAL: To(State.PROCEEDING, send_response),
        Event.SUCCESS: To(State.COMPLETED, send_response, start(Timer.J)),
        Event.FAILURE: To(State.COMPLETED, send_response, start(Timer.J)),
    },
    State.PROCEEDING: {
        Event.REQUEST: To(State.PROCEEDING, send_again),
        Event.PROVISIONAL: To(State.PROCEEDING, send_response),
        Event.SUCCESS: To(State.COMPLETED, send_response, start(Timer.J)),
        Event.FAILURE: To(State.COMPLETED, send_response, start(Timer.J)),
        Event.TRANSPORT_ERROR: To(State.TERMINATED, transport_failed),
    },
    State.COMPLETED: {
        Event.REQUEST: To(State.COMPLETED, send_again),
        Event.TRANSPORT_ERROR: To(State.TERMINATED, transport_failed),
        Timer.J: To(State.TERMINATED),
    },
    State.TERMINATED: {},
}


def response_event(status: int) -> Event:
    if status < 200:
        return Event.PROVISIONAL
    return Event.SUCCESS if status < 300 else Event.FAILURE


def client_transaction(request: Request, timers: Timers) -> Transaction:
    if request.method == "INVITE":
        return Transaction(INVITE_CLIENT, State.CALLING, request, timers)
    return Transaction(CLIENT, State.TRYING, request, timers)


def server_transaction(request: Request, timers: Timers) -> Transaction:
    if request.method == "INVITE":
        return Transaction(INVITE_SERVER, State.PROCEEDING, request, timers)
    return Transaction(SERVER, State.TRYING, request, timers)
