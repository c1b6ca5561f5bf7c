"""The user agent core: what becomes of each message (RFC 3261 §8, §9, §10), still without a socket.

One message in, by :meth:`Core.receive`, and everything else follows from it: the wire sends, the
handler hears of a new call, a session of an event. Time comes from the wire, and :meth:`Core.tick`
fires what is due.

The way of a request: a retransmission goes to its transaction; CANCEL to the INVITE it names; ACK and
anything with a To tag to its dialog; REGISTER to the registrar, after its challenge; anything else
is first asked who sent it (:mod:`sip.trunk`). Whoever is not known gets 401, the same whatever was
asked and whoever was named, and nothing is remembered of it.
"""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Protocol

from sip import digest
from sip.bans import Bans, Rules, is_scanner
from sip.body import SDP
from sip.client_session import Attempt, ClientSession, InviteTarget
from sip.endpoint import ALLOW, SUPPORTED, Endpoint
from sip.flow import Address, Flow
from sip.guard import Allowance, Limits, Load
from sip.headers import Challenge, Replaces
from sip.invite import FromAgent, FromTrunk, Identity, SessionEvent
from sip.locate import default_port
from sip.matching import reply_flow, server_key, stamp_source
from sip.message import Request, Response, SipError, parse
from sip.pager import PLAIN, OnText, TextReceived, is_plain
from sip.registrar import Binding, Registrar, is_outbound
from sip.server_session import ServerSession, replaces
from sip.session import Session
from sip.session_timer import MIN_INTERVAL_S, too_short
from sip.stun import binding_response, is_stun
from sip.timers import Timers
from sip.tls import Tls
from sip.transaction import State
from sip.trunk import Account, Directory, Trunk
from sip.trunk_line import TrunkLines
from sip.uac import OnEnd, Series
from sip.validate import validate, validate_response
from sip.wire import Wire

log = logging.getLogger(__name__)

_PROOFS = ("Authorization", "Proxy-Authorization")
FLOW_TIMER_S = 120  # a phone that is quiet for so long is asked to send a keep-alive (RFC 5626 §4.4)


@dataclass(frozen=True, slots=True, kw_only=True)
class StackConfig:
    """What a stack is told. ``accounts`` maps every digest user name (an agent's id, and their
    extension) to its account. ``nonce_secret`` signs challenges; take a new one at each start."""

    listen: tuple[str, ...]
    realm: str
    nonce_secret: bytes = field(repr=False)
    user_agent: str = "Dialtrace"
    accounts: Mapping[str, Account] = field(default_factory=dict)
    trunks: tuple[Trunk, ...] = ()
    external_address: str | None = None
    local_networks: tuple[IPv4Network | IPv6Network, ...] = ()  # reached without NAT; (): private addresses
    tls: Tls | None = None
    instance: str = "urn:uuid:00000000-0000-0000-0000-000000000000"  # ours, for carriers (RFC 5626 §4.1)
    # Which digests are asked for. SHA-256 is understood, but asking for it, even as one of two (RFC
    # 8760), makes phones with an older libre (baresip 1.0) give up instead of taking the other.
    algorithms: tuple[str, ...] = ("MD5",)
    max_expires_s: int = 3600
    min_expires_s: int = 60
    limits: Limits = field(default_factory=Limits)
    bans: Rules = field(default_factory=Rules)
    timers: Timers = field(default_factory=Timers)


class Handler(Protocol):
    def invite_received(self, session: ServerSession) -> None:
        """A call came in from a trunk or an agent; it must be answered or rejected in the end."""
        ...


class Core:
    """A SIP user agent server and client, and a registrar."""

    def __init__(self, config: StackConfig, handler: Handler, wire: Wire) -> None:
        self.endpoint = Endpoint(wire, config.timers, config.user_agent)
        self.counters = self.endpoint.counters
        self.registrar = Registrar(self.endpoint.queue, wire.now)
        self.load = Load(config.limits)
        self.lines = TrunkLines(self.endpoint, config.instance)
        self.endpoint.on_unreachable = self.lines.failed
        self.on_text: OnText | None = None  # None: MESSAGE is not taken
        self.endpoint.may_move = lambda flow: self.registrar.owner_at(flow) is None
        self._wire = wire
        self._handler = handler
        self._allowance = Allowance(config.limits)
        self.bans = Bans(config.bans)
        self._nonces = digest.Server(config.realm, config.nonce_secret)
        self._config = config
        self._directory = Directory(config.accounts, config.trunks)

    def start(self) -> None:
        """The wire carries: find the trunks, and register where that is wanted."""
        self.lines.update(self._config.trunks)

    def reconfigure(self, config: StackConfig) -> None:
        """Other accounts and trunks from now on; calls in progress are not touched."""
        self._config = config
        self.bans.rules = config.bans
        self.load.limits = config.limits
        self._allowance.update(config.limits)
        self.lines.update(config.trunks)
        self._directory = Directory(config.accounts, config.trunks)
        self.registrar.retain(self._directory.owners)

    # --- time and transport

    def tick(self) -> None:
        self.endpoint.queue.run(self._wire.now())

    def flow_failed(self, flow: Flow) -> None:
        """Nothing can be delivered on ``flow``."""
        self.endpoint.transactions.flow_failed(flow)

    def flow_closed(self, flow: Flow) -> None:
        """The connection of ``flow`` is gone."""
        self.registrar.flow_closed(flow)
        self.lines.connection_lost(flow)
        self.endpoint.transactions.flow_failed(flow)

    def admits(self, host: str, connections: int, all_connections: int) -> bool:
        """Whether ``host``, which has so many of all connections, may open one more."""
        if self._trunk_at(host) is not None or self.registrar.knows_host(host):
            return True
        if self.bans.holds(host, self._wire.now()):
            return False
        limits = self._config.limits
        return connections < limits.max_connections_per_stranger and all_connections < limits.max_connections

    # --- calls out

    def invite(
        self,
        target: InviteTarget,
        *,
        offer: bytes,
        from_: str,
        to: str,
        headers: Sequence[tuple[str, str]] = (),
        credentials: tuple[str, str] | None = None,
        fallbacks: Sequence[Attempt] = (),
        on_event: Callable[[SessionEvent], None],
    ) -> ClientSession:
        """Call somebody. ``from_`` and ``to`` are name-addrs without a tag. ``fallbacks`` are tried in
        turn where there is no answer, or 503 (RFC 3263 §4.3)."""
        return ClientSession(
            self.endpoint,
            target,
            offer=offer,
            from_=from_,
            to=to,
            headers=headers,
            credentials=credentials,
            fallbacks=fallbacks,
            on_event=on_event,
        )

    def session_of(self, replaces: Replaces) -> Session | None:
        """The session whose dialog that is (RFC 3891 §3: the tags as they are on our side)."""
        return self.endpoint.dialogs.get((replaces.call_id, replaces.to_tag, replaces.from_tag))

    def challenge(self, session: ServerSession) -> None:
        """Refuse a call with 407: its sender is known by address, and this one wants a password.

        The same call comes again with credentials, and then from an agent who is ``authenticated``.
        """
        session.reject(407, headers=self._challenges("Proxy-Authenticate"))

    def message(
        self,
        uri: str,
        flow: Flow,
        *,
        from_: str,
        text: str,
        headers: Sequence[tuple[str, str]] = (),
        credentials: tuple[str, str] | None = None,
        end: OnEnd,
    ) -> None:
        """Send a text (RFC 3428). ``from_`` is a URI; ``end`` hears the final response, None for none."""
        typed = [*headers, ("Content-Type", f"{PLAIN};charset=utf-8")]
        Series(self.endpoint, credentials).ask(
            "MESSAGE", uri, flow, from_=from_, to=uri, headers=typed, body=text.encode(), end=end
        )

    # --- messages in

    def receive(self, data: bytes, flow: Flow) -> None:
        """One datagram, or one message cut from a stream."""
        known = self._is_known(flow)
        if not known and self._drops(flow.remote.host):
            return
        if is_stun(data):
            self._answer_stun(data, flow)
            return
        if not data.strip(b"\r\n\0"):  # a keep-alive (RFC 5626 §3.5.1, and what phones send in its place)
            return
        try:
            message = parse(data)
            if isinstance(message, Response):
                self.counters.responses_received += 1
                _raise(validate_response(message))
                self.endpoint.transactions.response(message)
            else:
                self.counters.requests_received += 1
                if not known and is_scanner(message.headers.get("User-Agent") or ""):
                    self.counters.dropped_scanners += 1
                    self._strike(flow, "calls itself by a scanner's name")
                else:
                    self._request(message, flow)
        except SipError as error:
            self._unreadable(error, flow)

    def _drops(self, host: str) -> bool:
        """Whether a stranger's message is not even read."""
        now = self._wire.now()
        if self.bans.holds(host, now):
            self.counters.dropped_banned += 1
            return True
        if self._allowance.spent(host, now):
            self.counters.dropped_floods += 1
            self._strike_host(host, "floods")
            return True
        return False

    def _strike(self, flow: Flow, because: str) -> None:
        """An offence of whoever is at ``flow``, unless that is a trunk's or a registered phone's address."""
        if not self._is_known(flow):
            self._strike_host(flow.remote.host, because)

    def _strike_host(self, host: str, because: str) -> None:
        if self.bans.strike(host, because, self._wire.now()):
            log.warning("%s is banned: it %s", host, because)

    def _answer_stun(self, data: bytes, flow: Flow) -> None:
        answer = binding_response(data, flow.remote)
        if answer is not None and self._may_refuse(flow):
            self._wire.send(flow, answer)

    def _unreadable(self, error: SipError, flow: Flow) -> None:
        """A message that cannot be understood, answered where that is possible."""
        self.counters.parse_errors += 1
        request = error.request
        if request is None or request.method == "ACK" or not self._may_refuse(flow):
            return
        try:
            stamp_source(request, flow)
            self._refuse(request, flow, error.status, error.reason, headers=error.headers)
        except SipError:
            log.debug("a message from %s is beyond an answer: %s", flow, error)

    def _request(self, request: Request, flow: Flow) -> None:
        try:
            self._checked_request(request, flow)
        except SipError as error:
            error.request = error.request or request
            raise

    def _checked_request(self, request: Request, flow: Flow) -> None:
        transactions = self.endpoint.transactions
        method = request.method
        known = transactions.match(server_key(request))
        if known is not None and not (method == "ACK" and known.machine.state is State.ACCEPTED):
            transactions.again(known, request)
            return
        _raise(validate(request, supported=SUPPORTED))
        if method == "ACK":
            self._ack(request)
            return
        self._note_alias(request, flow)
        stamp_source(request, flow)
        if method == "CANCEL":
            self._cancel(request, flow)
        elif method == "REGISTER":
            self._register(request, flow)
        elif request.to_tag is not None:
            self._in_dialog(request, flow)
        else:
            self._out_of_dialog(request, flow)

    def _note_alias(self, request: Request, flow: Flow) -> None:
        """A trunk that opened a connection and asks for it is called back on it (RFC 5923 §5). Only under
        the very address that it came from: nobody can have another's calls sent here."""
        via = request.via
        if flow.reliable and "alias" in via.params and self._trunk_at(flow.remote.host) is not None:
            port = via.port or default_port(flow.transport)
            self._wire.alias(flow, Address(flow.remote.host, port))

    def _ack(self, ack: Request) -> None:
        session = self.endpoint.dialogs.get((ack.call_id, ack.to_tag or "", ack.from_tag or ""))
        if session is not None:
            session.ack_received(ack)

    def _cancel(self, cancel: Request, flow: Flow) -> None:
        """§9.2: 200 to the CANCEL itself; what it cancels answers for itself."""
        invite = self.endpoint.transactions.matching_invite(cancel)
        if invite is None:
            self._refuse_unless_stranger(cancel, flow, 481)
            return
        transaction = self.endpoint.transactions.accept(cancel, flow)
        transaction.respond(self.endpoint.reply(cancel, 200, to_tag=self._tag_for(cancel)))
        if not invite.answered and invite.on_cancel is not None:
            invite.on_cancel()

    def _in_dialog(self, request: Request, flow: Flow) -> None:
        session = self.endpoint.dialogs.get((request.call_id, request.to_tag or "", request.from_tag or ""))
        if session is None:
            self._refuse_unless_stranger(request, flow, 481)
            return
        session.request_received(self.endpoint.transactions.accept(request, flow), flow)

    def _out_of_dialog(self, request: Request, flow: Flow) -> None:
        identity = self._identify(request, flow)
        if identity is None:
            return
        if request.method == "INVITE":
            self._invite(request, flow, identity)
        elif request.method == "OPTIONS":
            headers = [("Allow", ALLOW), ("Accept", SDP)]
            self._refuse(request, flow, 200, headers=headers)
        elif request.method == "MESSAGE" and self.on_text is not None:
            self._text(request, flow, identity, self.on_text)
        elif request.method in ("BYE", "INFO", "UPDATE", "REFER", "NOTIFY", "PRACK"):
            self._refuse(request, flow, 481)
        else:
            self._refuse(request, flow, 405, headers=[("Allow", ALLOW)])

    def _invite(self, request: Request, flow: Flow, identity: Identity) -> None:
        why_not = self.load.refuses(len(self.endpoint.sessions))
        if why_not is not None:
            self.counters.refused_overload += 1
            retry = [("Retry-After", str(self._config.limits.retry_after_s))]
            self._refuse(request, flow, 503, f"Service Unavailable: {why_not}", headers=retry)
            return
        if (request.call_id, request.from_tag or "", request.cseq.number) in self.endpoint.incoming:
            self._refuse(request, flow, 482)  # the same INVITE by another way (§8.2.2.2)
            return
        if too_short(request):
            self._refuse(request, flow, 422, headers=[("Min-SE", str(MIN_INTERVAL_S))])
            return
        replaces(request)  # one that cannot be read is refused before anything is remembered
        transaction = self.endpoint.transactions.accept(request, flow)
        credentials = self._directory.credentials_of(identity)
        session = ServerSession(self.endpoint, transaction, flow, identity, credentials)
        try:
            self._handler.invite_received(session)
        except Exception:
            log.exception("the handler failed on a new call from %s", flow)
            session.reject(500)

    def _text(self, request: Request, flow: Flow, identity: Identity, on_text: OnText) -> None:
        if not is_plain(request):
            self._refuse(request, flow, 415, headers=[("Accept", PLAIN)])
            return
        transaction = self.endpoint.transactions.accept(request, flow)
        text = TextReceived(self.endpoint, transaction, identity, self._tag_for(request))
        try:
            on_text(text)
        except Exception:
            log.exception("the handler failed on a text from %s", flow)
            text.respond(500)

    # --- who

    def _identify(self, request: Request, flow: Flow) -> Identity | None:
        """Who sent it; None for a stranger, who then has been answered."""
        if any(field in request.headers for field in _PROOFS):
            account = self._authenticate(request, flow)
            return FromAgent(account.owner, authenticated=True) if account is not None else None
        owner = self.registrar.owner_at(flow)
        if owner is not None:
            return FromAgent(owner)
        trunk = self._trunk_at(flow.remote.host)
        if trunk is not None:
            return FromTrunk(trunk)
        self._challenge(request, flow)
        return None

    def _authenticate(self, request: Request, flow: Flow) -> Account | None:
        """The account that the request's credentials prove; None if none, and it has been answered."""
        accounts = self._directory.accounts
        result = self._nonces.verify(
            [value for field in _PROOFS for value in request.headers.all(field)],
            method=request.method,
            uri=request.uri,
            password_of=lambda name: accounts[name].password if name in accounts else None,
            now=self._wire.now(),
        )
        if result.verdict is digest.Verdict.ACCEPTED:
            return accounts[result.username or ""]
        if result.verdict is digest.Verdict.WRONG:
            self.counters.failed_credentials += 1
            self._strike(flow, "guesses passwords")
        self._challenge(request, flow, stale=result.verdict is digest.Verdict.STALE)
        return None

    def _challenge(self, request: Request, flow: Flow, *, stale: bool = False) -> None:
        """401, the same for everybody and without a transaction; 407 to who answered a 407 wrongly."""
        if not self._may_refuse(flow):
            return
        self.counters.refused_strangers += 1
        if "Proxy-Authorization" in request.headers:
            self._refuse(request, flow, 407, headers=self._challenges("Proxy-Authenticate", stale=stale))
        else:
            self._refuse(request, flow, 401, headers=self._challenges("WWW-Authenticate", stale=stale))

    def _challenges(self, field: str, *, stale: bool = False) -> list[tuple[str, str]]:
        return [
            (field, challenge)
            for challenge in self._nonces.challenges(self._wire.now(), stale=stale)
            if Challenge.parse(challenge).params.get("algorithm") in self._config.algorithms
        ]

    def _refuse_unless_stranger(self, request: Request, flow: Flow, status: int) -> None:
        if self._identify(request, flow) is not None:
            self._refuse(request, flow, status)

    def _may_refuse(self, flow: Flow) -> bool:
        """Whether an unknown address still has an answer coming to it."""
        if self._is_known(flow) or self._allowance.spend(flow.remote.host, self._wire.now()):
            return True
        self.counters.dropped_floods += 1
        return False

    def _trunk_at(self, host: str) -> str | None:
        """The trunk whose calls come from there: it is listed, or it is where we register."""
        return self._directory.trunk_at(host) or self.lines.registering_at(host)

    def keeps(self, flow: Flow) -> bool:
        """Whether a connection that says nothing is still wanted."""
        return self._is_known(flow) or any(
            session.dialog is not None and session.dialog.flow == flow for session in self.endpoint.sessions
        )

    def _is_known(self, flow: Flow) -> bool:
        host = flow.remote.host
        return (
            self._trunk_at(host) is not None
            or self.registrar.knows_host(host)
            or self.endpoint.transactions.expects(flow)
        )

    # --- REGISTER

    def _register(self, request: Request, flow: Flow) -> None:
        """§10.3; always challenged, wherever it comes from."""
        account = self._authenticate(request, flow)
        if account is None:
            return
        transaction = self.endpoint.transactions.accept(request, flow)
        named = self._directory.accounts.get(request.to.uri.user or "")
        if named is None or named.owner != account.owner:
            transaction.respond(self._reply(request, 403))
            return
        try:
            bindings = self.registrar.register(
                request,
                account.owner,
                reply_flow(request, flow),
                max_expires_s=self._config.max_expires_s,
                min_expires_s=self._config.min_expires_s,
            )
        except SipError as error:
            transaction.respond(self._reply(request, error.status, error.reason, error.headers))
            return
        now = self._wire.now()
        contacts = [("Contact", _listed(binding, now)) for binding in bindings]
        if is_outbound(request):
            contacts += [("Require", "outbound"), ("Flow-Timer", str(FLOW_TIMER_S))]
        transaction.respond(self._reply(request, 200, headers=contacts))

    # --- answers

    def _reply(
        self,
        request: Request,
        status: int,
        reason: str | None = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Response:
        return self.endpoint.reply(request, status, reason, to_tag=self._tag_for(request), headers=headers)

    def _refuse(
        self,
        request: Request,
        flow: Flow,
        status: int,
        reason: str | None = None,
        *,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Answer without a transaction (§8.2.7)."""
        self.counters.responses_sent += 1
        self._wire.send(reply_flow(request, flow), self._reply(request, status, reason, headers).encode())

    def _tag_for(self, request: Request) -> str:
        """The same tag for every copy of a request, though nothing is remembered (§8.2.7)."""
        seed = f"{request.headers.get('Via')}|{request.headers.get('Call-ID')}".encode()
        return hashlib.blake2s(seed, key=self._config.nonce_secret[:32], digest_size=8).hexdigest()


def _listed(binding: Binding, now: float) -> str:
    return f"<{binding.contact_uri}>;expires={max(0, round(binding.expires_at - now))}"


def _raise(problem: SipError | None) -> None:
    if problem is not None:
        raise problem
