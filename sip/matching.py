"""The transaction layer: matches messages to transactions and performs what their machines ask.

Responses match a client transaction by the branch of our Via and the method in CSeq (RFC 3261
§17.1.3); one that matches nothing is dropped (RFC 6026 §8.9). Requests match a server transaction
by branch, sent-by and method, ACK counting as INVITE (§17.2.3). A branch without the magic cookie
comes from an RFC 2543 element: there the key is made of everything that stays the same in a
retransmission.

Refusals to strangers never come here: they are answered without a transaction (§8.2.7), so that
nobody can make us remember anything by sending us rubbish.
"""

from collections.abc import Callable, Hashable
from dataclasses import replace

from sip.counters import Counters
from sip.flow import Address, Flow
from sip.message import Headers, Request, Response
from sip.timers import Timer, TimerQueue, Timers
from sip.transaction import (
    Action,
    Arm,
    Cause,
    Deliver,
    Event,
    Fail,
    State,
    Transaction,
    Transmit,
    client_transaction,
    response_event,
    server_transaction,
)
from sip.wire import Wire

DEFAULT_PORT = 5060

_KEY = "server transaction"  # beside a request's typed headers; stamping its Via leaves the key as it is

ANSWERED = Request("", "", Headers())  # stands in for a request that nobody needs any more


class ClientTransaction:
    """A request of ours on its way to an answer."""

    __slots__ = ("_layer", "flow", "instead", "key", "machine", "on_failure", "on_response")

    def __init__(
        self,
        layer: "TransactionLayer",
        machine: Transaction,
        flow: Flow,
        on_response: Callable[[Response], None],
        on_failure: Callable[[Cause], None],
    ) -> None:
        self._layer = layer
        self.machine = machine
        self.flow = flow
        self.key = (machine.request.branch, machine.request.method)
        self.instead: tuple[Request, Flow] | None = None  # to be sent where ``flow`` cannot be opened
        self.on_response = on_response
        self.on_failure = on_failure

    @property
    def request(self) -> Request:
        return self.machine.request

    @property
    def provisional_received(self) -> bool:
        """Whether the peer has shown that it has the request, so that it can be cancelled."""
        return self.machine.state is State.PROCEEDING

    def fire(self, timer: Timer, at: float, now: float) -> None:
        self._layer.perform_client(self, self.machine.fire(timer, at, now))

    def abandon(self) -> None:
        """Forget it without waiting for an answer any longer."""
        self._layer.feed_client(self, Event.ABANDON)


class ServerTransaction:
    """A request from a peer, to be answered by :meth:`respond`."""

    __slots__ = ("_layer", "flow", "key", "machine", "on_cancel", "on_failure")

    def __init__(self, layer: "TransactionLayer", machine: Transaction, flow: Flow, key: Hashable) -> None:
        self._layer = layer
        self.machine = machine
        self.flow = flow
        self.key = key
        self.on_cancel: Callable[[], None] | None = None
        self.on_failure: Callable[[Cause], None] | None = None

    @property
    def request(self) -> Request:
        """What was asked; after the final response, :data:`ANSWERED`."""
        return self.machine.request

    @property
    def answered(self) -> bool:
        """Whether a final response has been sent."""
        return self.machine.state not in (State.TRYING, State.PROCEEDING)

    def fire(self, timer: Timer, at: float, now: float) -> None:
        self._layer.perform_server(self, self.machine.fire(timer, at, now))

    def let_go(self) -> None:
        """Answered: what is left is to repeat the answer for 32 s, so that is all that is kept."""
        self.machine.request = ANSWERED
        self.on_cancel = self.on_failure = None

    def respond(self, response: Response) -> None:
        self._layer.feed_server(self, response_event(response.status), response)


class TransactionLayer:
    """All transactions of one stack."""

    def __init__(self, wire: Wire, queue: TimerQueue, timers: Timers, counters: Counters) -> None:
        self._wire = wire
        self._queue = queue
        self._unreliable = timers
        self._reliable = replace(timers, reliable=True)
        self._counters = counters
        self._clients: dict[Hashable, ClientTransaction] = {}
        self._servers: dict[Hashable, ServerTransaction] = {}
        self._by_flow: dict[Flow, set[ClientTransaction]] = {}

    def __len__(self) -> int:
        return len(self._clients) + len(self._servers)

    def expects(self, flow: Flow) -> bool:
        """Whether an answer may still come on ``flow``."""
        return flow in self._by_flow

    # --- client side

    def request(
        self,
        request: Request,
        flow: Flow,
        on_response: Callable[[Response], None],
        on_failure: Callable[[Cause], None],
        instead: tuple[Request, Flow] | None = None,
    ) -> ClientTransaction:
        """Send a request, Via included, and hear of its responses. ``instead`` is sent where the flow
        cannot be opened."""
        machine = client_transaction(request, self._timers(flow))
        client = ClientTransaction(self, machine, flow, on_response, on_failure)
        client.instead = instead
        self._begin(client)
        return client

    def _begin(self, client: ClientTransaction) -> None:
        self._clients[client.key] = client
        self._by_flow.setdefault(client.flow, set()).add(client)
        self._counters.requests_sent += 1
        self.feed_client(client, Event.START)

    def _begin_instead(self, client: ClientTransaction) -> bool:
        """The other way (RFC 3261 §18.1.1), if there is one and nobody has answered yet."""
        if client.instead is None or client.machine.state not in (State.CALLING, State.TRYING):
            return False
        self._forget_client(client)
        request, client.flow = client.instead
        client.instead = None
        client.machine = client_transaction(request, self._timers(client.flow))
        client.key = (request.branch, request.method)
        self._begin(client)
        return True

    def response(self, response: Response) -> None:
        """A response came in."""
        client = self._clients.get((response.branch, response.cseq.method))
        if client is None:
            self._counters.unmatched_responses += 1
            return
        self.feed_client(client, response_event(response.status), response)

    def flow_failed(self, flow: Flow) -> None:
        """The transport could not deliver on ``flow`` (refused, unreachable, closed)."""
        if flow.reliable:  # a refused datagram is no proof that a caller has gone; a lost connection is
            for server in [server for server in self._servers.values() if server.flow == flow]:
                self.feed_server(server, Event.TRANSPORT_ERROR)
        for client in tuple(self._by_flow.get(flow, ())):
            if not self._begin_instead(client):
                self.feed_client(client, Event.TRANSPORT_ERROR)

    def feed_client(self, client: ClientTransaction, event: Event, response: Response | None = None) -> None:
        self.perform_client(client, client.machine.feed(event, self._wire.now(), response))

    def perform_client(self, client: ClientTransaction, actions: list[Action]) -> None:
        for action in actions:
            kind = type(action)
            if kind is Arm:
                self._queue.set(action.at, client, action.timer)  # type: ignore[union-attr]
            elif kind is Transmit:
                self._counters.retransmissions_sent += action.again  # type: ignore[union-attr]
                self._wire.send(client.flow, action.data)  # type: ignore[union-attr]
            elif kind is Deliver:
                client.on_response(action.message)  # type: ignore[union-attr]
            elif kind is Fail:
                client.on_failure(action.cause)  # type: ignore[union-attr]
            else:
                self._forget_client(client)

    def _forget_client(self, client: ClientTransaction) -> None:
        self._clients.pop(client.key, None)
        same_flow = self._by_flow.get(client.flow)
        if same_flow is not None:
            same_flow.discard(client)
            if not same_flow:
                del self._by_flow[client.flow]

    # --- server side

    def match(self, key: Hashable) -> ServerTransaction | None:
        """The transaction of this :func:`server_key`: then the request is a retransmission or an ACK."""
        return self._servers.get(key)

    def matching_invite(self, cancel: Request) -> ServerTransaction | None:
        """The INVITE that a CANCEL is about (§9.2)."""
        return self._servers.get(server_key(cancel, method="INVITE"))

    def again(self, server: ServerTransaction, request: Request) -> None:
        """``request`` matched ``server``: a retransmission, or the ACK to a failure."""
        if request.method == "ACK":
            self.feed_server(server, Event.ACK)
        else:
            self._counters.retransmissions_received += 1
            self.feed_server(server, Event.REQUEST)

    def accept(self, request: Request, flow: Flow) -> ServerTransaction:
        """Begin the transaction of a new request, whose Via has been stamped with its source."""
        key = server_key(request)  # the stamp is no part of it
        machine = server_transaction(request, self._timers(flow))
        server = ServerTransaction(self, machine, reply_flow(request, flow), key)
        self._servers[key] = server
        self.feed_server(server, Event.START)
        return server

    def feed_server(self, server: ServerTransaction, event: Event, response: Response | None = None) -> None:
        self.perform_server(server, server.machine.feed(event, self._wire.now(), response))
        if response is not None:
            self._counters.responses_sent += 1
            if response.status >= 200:
                server.let_go()

    def perform_server(self, server: ServerTransaction, actions: list[Action]) -> None:
        for action in actions:
            kind = type(action)
            if kind is Arm:
                self._queue.set(action.at, server, action.timer)  # type: ignore[union-attr]
            elif kind is Transmit:
                self._counters.retransmissions_sent += action.again  # type: ignore[union-attr]
                self._wire.send(server.flow, action.data)  # type: ignore[union-attr]
            elif kind is Fail:
                if server.on_failure is not None:
                    server.on_failure(action.cause)  # type: ignore[union-attr]
            else:
                self._servers.pop(server.key, None)

    def _timers(self, flow: Flow) -> Timers:
        return self._reliable if flow.reliable else self._unreliable


def server_key(request: Request, method: str | None = None) -> Hashable:
    """What all copies of one request have in common, and an INVITE with its ACK."""
    if method is not None:
        return _server_key(request, method)
    known: Hashable | None = request.headers.typed.get(_KEY)
    if known is None:
        method = "INVITE" if request.method == "ACK" else request.method
        known = request.headers.typed[_KEY] = _server_key(request, method)
    return known


def _server_key(request: Request, method: str) -> Hashable:
    via = request.via
    if via.branch is not None:
        return via.branch, via.sent_by, method
    written = via.params.get("branch")
    return method, request.uri, request.call_id, request.from_tag, request.cseq.number, via.sent_by, written


def stamp_source(request: Request, flow: Flow) -> None:
    """Write into the top Via where the request really came from (§18.2.1, RFC 3581 §4)."""
    via = request.via
    if "rport" in via.params:
        stamped = via.with_params(received=flow.remote.host, rport=str(flow.remote.port))
    elif via.host != flow.remote.host:
        stamped = via.with_params(received=flow.remote.host)
    else:
        return
    request.headers.replace_first("Via", str(stamped))


def reply_flow(request: Request, flow: Flow) -> Flow:
    """Where responses go: back over the connection, or by UDP to the source address and, unless
    the peer asked for ``rport``, the port that its Via names (§18.2.2, RFC 3581 §4).

    ``maddr`` is not honoured: it would let anybody aim our responses at a third party.
    """
    if flow.reliable or "rport" in request.via.params:
        return flow
    port = request.via.port or DEFAULT_PORT
    if port == flow.remote.port:
        return flow
    return replace(flow, remote=Address(flow.remote.host, port))
