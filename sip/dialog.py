"""Dialogs (RFC 3261 §12): the peer-to-peer relation that an INVITE creates.

A :class:`Dialog` holds what §12 lists (tags, sequence numbers, route set, remote target), builds the
requests we send inside it and judges the order of those we receive. Where a request goes is the
route set's first element, else the remote target; with two deviations. An agent's phone is reached
on the flow by which it was last heard, because a phone behind NAT writes an address into Contact
that nobody outside can reach. And a dialog that came over TCP stays on that connection while it
stands, because many peers do not listen on the address in their Contact.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sip.flow import Address, Flow
from sip.headers import NameAddr
from sip.locate import default_port
from sip.message import Headers, Request, Response, SipError
from sip.uri import URI

DialogId = tuple[str, str, str]  # Call-ID, local tag, remote tag


@dataclass(slots=True)
class Dialog:
    call_id: str
    local: str  # From of what we send, tag included
    remote: str  # To of what we send, tag included
    local_tag: str
    remote_tag: str
    local_cseq: int
    remote_cseq: int | None
    target: str  # the remote target: what goes into the Request-URI
    routes: tuple[str, ...]
    flow: Flow
    follows_flow: bool  # an agent's: requests go where the peer was last heard

    @property
    def id(self) -> DialogId:
        return self.call_id, self.local_tag, self.remote_tag

    @classmethod
    def of_server(cls, invite: Request, local_tag: str, flow: Flow, *, follows_flow: bool) -> "Dialog":
        """The dialog that our answer to ``invite`` creates (§12.1.1)."""
        return cls(
            call_id=invite.call_id,
            local=f"{invite.headers.get('To')};tag={local_tag}",
            remote=invite.headers.get("From") or "",
            local_tag=local_tag,
            remote_tag=invite.from_tag or "",
            local_cseq=0,
            remote_cseq=invite.cseq.number,
            target=contact_uri(invite) or invite.uri,
            routes=route_set(invite.headers.all("Record-Route")),
            flow=flow,
            follows_flow=follows_flow,
        )

    @classmethod
    def of_client(cls, invite: Request, response: Response, flow: Flow, *, follows_flow: bool) -> "Dialog":
        """The dialog that a response to our ``invite`` creates (§12.1.2)."""
        return cls(
            call_id=invite.call_id,
            local=invite.headers.get("From") or "",
            remote=response.headers.get("To") or "",
            local_tag=invite.from_tag or "",
            remote_tag=response.to_tag or "",
            local_cseq=invite.cseq.number,
            remote_cseq=None,
            target=contact_uri(response) or invite.uri,
            routes=route_set(reversed(response.headers.all("Record-Route"))),
            flow=flow,
            follows_flow=follows_flow,
        )

    def request(
        self,
        method: str,
        *,
        cseq: int | None = None,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> Request:
        """A request in this dialog, still without Via. ``cseq`` is given for an ACK only (§12.2.1.1)."""
        if cseq is None:
            self.local_cseq += 1
            cseq = self.local_cseq
        uri, routes = self.target, self.routes
        if routes and not _is_loose(routes[0]):
            uri, routes = str(NameAddr.parse(routes[0]).uri), (*routes[1:], f"<{self.target}>")
        fields = Headers()
        for route in routes:
            fields.add("Route", route)
        fields.add("Max-Forwards", "70")
        fields.add("From", self.local)
        fields.add("To", self.remote)
        fields.add("Call-ID", self.call_id)
        fields.add("CSeq", f"{cseq} {method}")
        for name, value in headers:
            fields.add(name, value)
        return Request(method, uri, fields, body)

    def next_hop(self, *, flow_alive: bool) -> Flow:
        """Where the next request goes. ``flow_alive`` tells whether our TCP connection still stands."""
        if self.routes:
            return flow_to(str(NameAddr.parse(self.routes[0]).uri), self.flow)
        if flow_alive and (self.follows_flow or self.flow.reliable or _is_outbound(self.target)):
            return self.flow
        return flow_to(self.target, self.flow)

    def accepts(self, request: Request) -> bool:
        """Whether ``request`` is in order: its CSeq must grow (§12.2.2). Remembers it if so."""
        number = request.cseq.number
        if self.remote_cseq is not None and number <= self.remote_cseq:
            return False
        self.remote_cseq = number
        return True

    def refresh(self, message: Request | Response, flow: Flow | None = None) -> None:
        """A target refresh (re-INVITE, UPDATE or a response to one) may move the peer (§12.2)."""
        self.target = contact_uri(message) or self.target
        if flow is not None:
            self.flow = flow


def contact_uri(message: Request | Response) -> str | None:
    """The Contact; None where there is none, or none that can be read: the dialog then does without."""
    try:
        contact = message.contact
    except SipError:
        return None
    return str(contact.uri) if contact is not None else None


def route_set(recorded: Iterable[str]) -> tuple[str, ...]:
    """The route set, or none where it cannot be followed because an element of it cannot be read."""
    routes = tuple(recorded)
    try:
        for route in routes:
            NameAddr.parse(route)
    except SipError:
        return ()
    return routes


def flow_to(uri: str, like: Flow) -> Flow:
    """The flow to the host of ``uri``, over the transport it names, else that of ``like``.

    Something without a host (``tel:``) stays on ``like``.
    """
    try:
        parsed = URI.parse(uri)
    except SipError:
        return like
    if not parsed.host:
        return like
    secure = "tls" if parsed.scheme == "sips" else like.transport
    transport = (parsed.params.get("transport") or secure).lower()
    if parsed.scheme == "sips" and transport == "tcp":
        transport = "tls"
    if transport not in ("udp", "tcp", "tls"):
        transport = like.transport
    remote = Address(parsed.host, parsed.port or default_port(transport))
    if remote == like.remote and transport == like.transport:
        return like
    return replace(like, transport=transport, remote=remote, connection=0, server_name=parsed.host)


def _is_outbound(target: str) -> bool:
    """Whether the peer says that it is reached by the flow alone (``ob``, RFC 5626 §5.4)."""
    if ";ob" not in target:
        return False
    try:
        return "ob" in URI.parse(target).params
    except SipError:
        return False


def _is_loose(route: str) -> bool:
    return "lr" in NameAddr.parse(route).uri.params
