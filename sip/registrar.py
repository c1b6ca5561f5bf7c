"""The registrar (RFC 3261 §10.3): where each agent's phones are reached, and until when.

Pure: the request has been authenticated already, the time comes in. A binding remembers the flow
that its REGISTER came by, and that flow, not the address in Contact, is where the phone is called:
it works through NAT (RFC 3581) and over a connection that only the phone can open (RFC 5626).

Order is kept by Call-ID and CSeq (§10.3 step 7), several phones of one agent each keep a binding,
and a phone that sends ``+sip.instance`` replaces its own older binding when its address changed; with
``reg-id`` it keeps one binding for each flow (RFC 5626 §6), of which a call rings the newest alone. A
REGISTER is taken whole or not at all.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum

from sip.flow import Flow
from sip.headers import NameAddr
from sip.message import Request, SipError
from sip.timers import TimerQueue

MAX_BINDINGS = 10  # of one agent; the one that ends first makes room


@dataclass(frozen=True, slots=True)
class Binding:
    owner: str
    contact_uri: str
    flow: Flow
    expires_at: float
    sip_call_id: str
    cseq: int
    user_agent: str = ""
    instance: str | None = None
    reg_id: str | None = None


class _RegistrarTimer(Enum):
    EXPIRY = "a binding expires"


class Registrar:
    """All bindings. ``on_change(owner)`` is called whenever an agent's bindings come, move or go."""

    def __init__(self, queue: TimerQueue, now: Callable[[], float]) -> None:
        self.on_change: Callable[[str], None] = lambda owner: None
        self._queue = queue
        self._now = now
        self._bindings: dict[str, dict[str, Binding]] = {}
        self._owners: dict[tuple[str, str, int], dict[str, int]] = {}  # source -> owner -> bindings
        self._hosts: dict[str, int] = {}

    def bindings(self, owner: str, now: float | None = None) -> list[Binding]:
        """Where ``owner`` is reached, latest registration first."""
        now = self._now() if now is None else now
        mine = [b for b in self._bindings.get(owner, {}).values() if b.expires_at > now]
        return sorted(mine, key=lambda binding: binding.expires_at, reverse=True)

    def targets(self, owner: str) -> list[Binding]:
        """Where to ring ``owner``: of several flows to one phone, the newest (RFC 5626 §5.3)."""
        phones: dict[str, Binding] = {}
        for binding in self.bindings(owner):
            phones.setdefault(binding.instance or binding.contact_uri, binding)
        return list(phones.values())

    def owner_at(self, flow: Flow) -> str | None:
        """The agent who is registered from exactly this address and port, if just one is."""
        owners = self._owners.get(_source(flow))
        return next(iter(owners)) if owners and len(owners) == 1 else None

    def knows_host(self, host: str) -> bool:
        """Whether any phone is registered from this address."""
        return host in self._hosts

    def __len__(self) -> int:
        return sum(len(mine) for mine in self._bindings.values())

    def register(
        self, request: Request, owner: str, flow: Flow, *, max_expires_s: int, min_expires_s: int
    ) -> list[Binding]:
        """Take an authenticated REGISTER; returns the bindings for the 200. Raises SipError."""
        now = self._now()
        mine = dict(self._bindings.get(owner, {}))
        contacts = request.headers.all("Contact")
        if contacts == ["*"]:
            self._remove_all(request, mine)
        else:
            for contact in contacts:
                self._bind(
                    request, owner, flow, NameAddr.parse(contact), mine, (min_expires_s, max_expires_s)
                )
        while len(mine) > MAX_BINDINGS:
            del mine[min(mine, key=lambda uri: mine[uri].expires_at)]
        self._store(owner, mine)
        return self.bindings(owner, now)

    def flow_closed(self, flow: Flow) -> None:
        """A connection is gone, and with it the only way to the phones behind it (RFC 5626 §4.2.2)."""
        for owner in list(self._owners.get(_source(flow), ())):
            mine = {uri: b for uri, b in self._bindings[owner].items() if b.flow != flow}
            self._store(owner, mine)

    def retain(self, owners: Collection[str]) -> None:
        """Drop the bindings of everybody else: agents that the configuration no longer has."""
        for owner in [owner for owner in self._bindings if owner not in owners]:
            self._store(owner, {})

    def fire(self, timer: object, at: float, now: float) -> None:
        """Some binding may have expired."""
        for owner in list(self._bindings):
            mine = {uri: b for uri, b in self._bindings[owner].items() if b.expires_at > now}
            if len(mine) < len(self._bindings[owner]):
                self._store(owner, mine)

    def _bind(
        self,
        request: Request,
        owner: str,
        flow: Flow,
        contact: NameAddr,
        mine: dict[str, Binding],
        limits_s: tuple[int, int],
    ) -> None:
        uri = str(contact.uri)
        cseq = request.cseq.number
        old = mine.get(uri)
        if old is not None and old.sip_call_id == request.call_id and cseq <= old.cseq:
            raise SipError(500, f"CSeq {cseq} after {old.cseq}")
        expires_s = _expires_s(request, contact, limits_s)
        if expires_s == 0:
            mine.pop(uri, None)
            return
        instance, reg_id = contact.params.get("+sip.instance"), contact.params.get("reg-id")
        if instance is not None:
            same = [u for u, b in mine.items() if (b.instance, b.reg_id) == (instance, reg_id) and u != uri]
            for other in same:
                del mine[other]
        mine[uri] = Binding(
            owner=owner,
            contact_uri=uri,
            flow=flow,
            expires_at=self._now() + expires_s,
            sip_call_id=request.call_id,
            cseq=cseq,
            user_agent=request.headers.get("User-Agent") or "",
            instance=instance,
            reg_id=reg_id,
        )

    def _remove_all(self, request: Request, mine: dict[str, Binding]) -> None:
        """``Contact: *`` removes every binding, and only with ``Expires: 0`` (§10.3 step 6)."""
        if request.headers.get("Expires") != "0":
            raise SipError(400, f"Contact * with Expires {request.headers.get('Expires')}, not 0")
        cseq = request.cseq.number
        for old in mine.values():
            if old.sip_call_id == request.call_id and cseq <= old.cseq:
                raise SipError(500, f"CSeq {cseq} after {old.cseq}")
        mine.clear()

    def _store(self, owner: str, mine: dict[str, Binding]) -> None:
        before = self._bindings.get(owner, {})
        for binding in before.values():
            self._count(binding, -1)
        for binding in mine.values():
            self._count(binding, +1)
            if before.get(binding.contact_uri) is not binding:
                self._queue.set(binding.expires_at, self, _RegistrarTimer.EXPIRY)
        if mine:
            self._bindings[owner] = mine
        else:
            self._bindings.pop(owner, None)
        if mine != before:
            self.on_change(owner)

    def _count(self, binding: Binding, change: int) -> None:
        owners = self._owners.setdefault(_source(binding.flow), {})
        _add(owners, binding.owner, change)
        if not owners:
            del self._owners[_source(binding.flow)]
        _add(self._hosts, binding.flow.remote.host, change)


def is_outbound(request: Request) -> bool:
    """Whether a REGISTER asks for RFC 5626: it supports it, and names its instance and flow."""
    if "outbound" not in [option.lower() for option in request.headers.all("Supported")]:
        return False
    return any(
        "reg-id" in contact and "+sip.instance" in contact for contact in request.headers.all("Contact")
    )


def _add(counts: dict[str, int], key: str, change: int) -> None:
    counts[key] = counts.get(key, 0) + change
    if not counts[key]:
        del counts[key]


def _source(flow: Flow) -> tuple[str, str, int]:
    return flow.transport, flow.remote.host, flow.remote.port


def _expires_s(request: Request, contact: NameAddr, limits_s: tuple[int, int]) -> int:
    """The Contact's own expires, else the Expires header, else our maximum (§10.2.1.1)."""
    shortest_s, longest_s = limits_s
    asked = contact.params.get("expires") or request.headers.get("Expires")
    if asked is None or not asked.isdecimal():
        return longest_s
    asked_s = min(int(asked[:10]), longest_s)
    if 0 < asked_s < shortest_s:
        headers = [("Min-Expires", str(shortest_s))]
        raise SipError(423, "Interval Too Brief", headers=headers)
    return asked_s
