"""The website's visitors: what each page view means, which numbers are shown, and who it is that calls.

A **visitor** is a browser that consented to be recognised. A **visit** (session) is over when nothing
was seen of the visitor for ``tracking.session``. An **arrival** begins a visit, or comes within one from
somewhere else: by a campaign's URL or another site's link. Every page view is a touch and kept; only an
arrival has a source. A view that our own pages or a payment page led to is never an arrival of a visitor
who is known, however late it comes.

Everything needed for an answer is in memory, so a page view costs no query; each change goes to the
store as an event. Memory is bounded: ``MOST_SESSIONS`` visits, ``MOST_PHONES`` callers' numbers, and
what :mod:`~pbx.attribution.leases` remembers. Other channels (forms, chats, texts) add to the same
visitor with :meth:`Visitors.contact`. Used from the event loop alone.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from pbx.attribution.events import ContactMade, HabitsLearned, IdsSeen, LeaseSeen, PageViewed, VisitorEvent
from pbx.attribution.leases import Lease, Leases
from pbx.attribution.likelihood import Chance, Habits, Learned, Tie, chances
from pbx.attribution.pageview import PageView
from pbx.attribution.sources import UNKNOWN, Arrival, Sources
from pbx.config.fields import seconds
from pbx.config.site import Site
from pbx.store.encoding import to_ms

MOST_SESSIONS = 50_000
MOST_PHONES = 50_000
STORED_EVERY_MS = 20_000
"""How much of a lease's sign of life a crash may forget."""
SURE = 0.9
"""From this probability on a call is said to be a visitor's; below, it is ambiguous."""
LIKELY = 0.5
"""From here on a call ties its caller's number to the visitor."""


@dataclass(slots=True)
class Session:
    """A visit, and where it came from."""

    started_ms: int
    seen_ms: int
    arrival: Arrival


@dataclass(frozen=True, slots=True)
class Shown:
    """The answer to a page view. ``swaps`` holds only targets that another number replaces."""

    visitor: str | None
    source: str
    swaps: dict[str, str]
    until_ms: int | None  # of the leases; None without one
    began_ms: int | None = None  # the newest lease; None without one


@dataclass(frozen=True, slots=True)
class Candidate:
    """A visitor who may be the caller, for the record."""

    visitor: str
    probability: float
    arrival: Arrival | None  # None: known only by the caller's number
    pool: str
    started_ms: int | None
    seen_ms: int | None
    tied: bool


@dataclass(frozen=True, slots=True)
class Callers:
    """Everybody who may have called, likeliest first; ``stray``: how likely it was none of them."""

    candidates: tuple[Candidate, ...]
    stray: float

    @property
    def likeliest(self) -> Candidate | None:
        """None if it was nobody known, more likely than any one of them."""
        first = self.candidates[0] if self.candidates else None
        return first if first is not None and first.probability > self.stray else None


class Visitors:
    """One site's visitors."""

    def __init__(self, site: Site, record: Callable[[VisitorEvent], None], new_id: Callable[[], str]) -> None:
        self._record = record
        self._new_id = new_id
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._phones: OrderedDict[str, Tie] = OrderedDict()
        self._phone_of: dict[str, str] = {}  # by visitor: the last number that they called from or left
        self._ids: OrderedDict[str, Mapping[str, str]] = OrderedDict()
        self.habits = Habits()
        self.leases = Leases(self._forget)
        self.reconfigure(site)

    def reconfigure(self, site: Site) -> None:
        """Take up the config; visits and leases go on."""
        self.config = site.config
        self.sources = Sources(site.config)
        self._lending = frozenset(number for pool in site.config.pools.values() for number in pool.numbers)
        self._static: dict[str, str] = {}
        for number, entry in site.config.numbers.items():
            self._static.setdefault(entry.source, number)
        self.leases.configure({name: pool.numbers for name, pool in site.config.pools.items()})

    def restore(
        self,
        leases: Iterable[Lease],
        phones: Iterable[tuple[str, Tie]],
        learned: Learned | None,
        now: datetime,
    ) -> None:
        """What an earlier run knew, oldest first."""
        known = list(leases)
        self.habits = Habits(learned)
        for lease in known:
            self.leases.restore([lease])
            self._keep_session(lease.visitor, Session(lease.started_ms, lease.seen_ms, lease.arrival))
            if learned is None:
                self.habits.lent(lease.started_ms / 1000)
                self.habits.stayed((lease.seen_ms - lease.started_ms) / 1000)
            else:
                self.habits.lent(lease.started_ms / 1000, counted_to_s=now.timestamp())
        self.leases.configure({name: pool.numbers for name, pool in self.config.pools.items()})
        for phone, tie in phones:
            self._tie(phone, tie)

    def _forget(self, lease: Lease, now_ms: int) -> None:
        self.habits.forgotten(lease.started_ms / 1000, now_ms / 1000)

    # Page views

    def viewed(
        self, visitor: str | None, view: PageView, targets: Sequence[str], now: datetime, device: str = ""
    ) -> Shown:
        """A page view of a visitor who may be recognised; without an id a new visitor gets one."""
        now_ms = to_ms(now)
        visitor = visitor or self._new_id()
        seen, dropped = self.sources.seen(view)
        session = self._sessions.get(visitor)
        arrives = session is None or self._arrives(session, seen, bool(dropped), now_ms)
        if session is None or arrives:
            fresh = session is None or now_ms - session.seen_ms > self._session_ms
            started_ms = now_ms if session is None or fresh else session.started_ms
            session = Session(started_ms, now_ms, self.sources.arrival(seen))
        session.seen_ms = now_ms
        self._keep_session(visitor, session)
        shown, pool = self._show(visitor, session.arrival, targets, now, renewed=arrives)
        self._record(
            PageViewed(
                at=now,
                visitor=visitor,
                session_ms=session.started_ms,
                page=view.page,
                referrer=view.referrer,
                arrival=session.arrival if arrives else None,
                params=view.kept_params(self.sources.params),
                pool=pool,
                shown=next(iter(shown.swaps.values()), ""),
                device=device,
            )
        )
        return shown

    def identified(self, visitor: str, ids: Mapping[str, str], now: datetime) -> None:
        """What ad platforms call a visitor; noted when it is new."""
        if ids and self._ids.get(visitor) != ids:
            self._record(IdsSeen(at=now, visitor=visitor, ids=ids))
            self._ids[visitor] = ids
            while len(self._ids) > MOST_SESSIONS:
                self._ids.popitem(last=False)

    def source_of(self, visitor: str) -> str:
        """Where the visitor's present visit came from, "" if nothing is known of them."""
        session = self._sessions.get(visitor)
        return session.arrival.source if session is not None else ""

    def alive(self, visitor: str, view: PageView, targets: Sequence[str], now: datetime) -> Shown:
        """A sign of life between page views: leases go on, nothing else is noted."""
        session = self._sessions.get(visitor)
        if session is None:  # after a restart, or very long ago
            return self.viewed(visitor, view, targets, now)
        now_ms = to_ms(now)
        session.seen_ms = now_ms
        self._sessions.move_to_end(visitor)
        return self._show(visitor, session.arrival, targets, now)[0]

    def anonymous(self, view: PageView, targets: Sequence[str]) -> Shown:
        """A page view without consent: no id, no lease, nothing kept; the source's own numbers.

        Where our own page led here, nothing says where the visitor came from, and the numbers stay.
        """
        seen, dropped = self.sources.seen(view)
        source = UNKNOWN if dropped and not seen.campaigned else self.sources.source_of(seen)
        own = self._static.get(source)
        swaps = {t: own for t in targets if own is not None and own != t and self._is_target(t)}
        return Shown(None, source, swaps, None)

    def _arrives(self, session: Session, view: PageView, dropped: bool, now_ms: int) -> bool:
        last = session.arrival
        if view.campaigned or view.referrer_host:
            again = self.sources.arrival(view)
            return again != last or now_ms - session.seen_ms > self._session_ms
        return not dropped and now_ms - session.seen_ms > self._session_ms

    @property
    def _session_ms(self) -> int:
        return round(seconds(self.config.tracking.session) * 1000)

    def _keep_session(self, visitor: str, session: Session) -> None:
        self._sessions[visitor] = session
        self._sessions.move_to_end(visitor)
        while len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)

    # Numbers

    def _show(
        self, visitor: str, arrival: Arrival, targets: Sequence[str], now: datetime, *, renewed: bool = False
    ) -> tuple[Shown, str]:
        """The numbers for these targets, and the pool that lent one: a lease, else the source's own number,
        else the target."""
        swaps: dict[str, str] = {}
        leases: list[Lease] = []
        lent_by = ""
        for target in targets:
            pool = self._pool_for(target, arrival.source)
            lease = self._lend(pool, visitor, arrival, now, renewed) if pool else None
            if lease is not None:
                swaps[target] = lease.number
                leases.append(lease)
                lent_by = lent_by or lease.pool
            elif self._is_target(target) and (own := self._static.get(arrival.source)) not in (None, target):
                swaps[target] = str(own)
        until_ms = min((lease.until_ms for lease in leases), default=None)
        began_ms = max((lease.started_ms for lease in leases), default=None)
        return Shown(visitor, arrival.source, swaps, until_ms, began_ms), lent_by

    def _pool_for(self, target: str, source: str) -> str | None:
        """The first pool that swaps this target for this source's visitors."""
        for name, pool in self.config.pools.items():
            if target in pool.targets and (not pool.sources or source in pool.sources):
                return name
        return None

    def _is_target(self, number: str) -> bool:
        return any(number in pool.targets for pool in self.config.pools.values())

    def _lend(self, pool: str, visitor: str, arrival: Arrival, now: datetime, renewed: bool) -> Lease | None:
        now_ms = to_ms(now)
        hold_ms = round(seconds(self.config.pools[pool].hold) * 1000)
        lease = self.leases.take(pool, visitor, arrival, hold_ms, now_ms)
        if lease is None:
            return None
        if not lease.stored_ms:
            self.habits.lent(now_ms / 1000)
        elif now_ms - lease.stored_ms < STORED_EVERY_MS and not renewed:
            return lease
        else:
            self.habits.stayed((now_ms - lease.stored_ms) / 1000)
        lease.stored_ms = now_ms
        self._record(
            LeaseSeen(
                at=now,
                visitor=visitor,
                number=lease.number,
                pool=pool,
                started_ms=lease.started_ms,
                seen_ms=lease.seen_ms,
                until_ms=lease.until_ms,
                arrival=arrival,
            )
        )
        return lease

    # Callers

    def callers(self, number: str, phone: str, now: datetime) -> Callers:
        """Who may be calling this pool's number from ``phone`` ("" if it is withheld)."""
        history = {lease.visitor: lease for lease in self.leases.history(number, to_ms(now))}
        delays = self._delays(number, now)
        elsewhere = self._elsewhere(delays, phone)
        found, stray = chances(delays, self.habits, now.timestamp(), self.tie(phone), elsewhere)
        return Callers(tuple(_candidate(chance, history.get(chance.visitor)) for chance in found), stray)

    def _delays(self, number: str, now: datetime) -> list[tuple[str, float]]:
        """By visitor, the seconds since the last sign of life with this number."""
        now_ms = to_ms(now)
        return [
            (lease.visitor, (now_ms - lease.seen_ms) / 1000) for lease in self.leases.history(number, now_ms)
        ]

    def _elsewhere(self, delays: Sequence[tuple[str, float]], phone: str) -> dict[str, float]:
        """How sure it is of each of these visitors that they call from another number than this caller's."""
        others = {visitor: self._phone_of.get(visitor, phone) for visitor, _ in delays} if phone else {}
        return {visitor: self._phones[own].probability for visitor, own in others.items() if own != phone}

    def tie(self, phone: str) -> Tie | None:
        """The visitor who called, or left this number, before."""
        return self._phones.get(phone) if phone else None

    def knows(self, visitor: str, phone: str = "") -> bool:
        """Whether this visitor was here lately, or is the one who left this number."""
        tie = self.tie(phone)
        return visitor in self._sessions or (tie is not None and tie.visitor == visitor)

    def took(
        self, call_id: str, number: str, phone: str, visitor: str, probability: float, now: datetime
    ) -> None:
        """A call was attributed: the visitor's contact; it tells how long after a visit people call."""
        if number in self._lending:
            now_s = now.timestamp()
            self.habits.watched(len(self._lending), now_s)
            delays = self._delays(number, now)
            if self.habits.called(delays, now_s, self.tie(phone), self._elsewhere(delays, phone)):
                self._record(HabitsLearned(at=now, visitor="", **asdict(self.habits.learned(now_s))))
        if visitor and probability >= LIKELY:
            self.contact(visitor, "call", call_id, now, phone, probability)

    def contact(
        self, visitor: str, channel: str, ref: str, now: datetime, phone: str = "", probability: float = 1.0
    ) -> None:
        """The visitor got in touch: a call, a form, a chat, a text. ``phone`` (E.164) ties later calls."""
        self._record(
            ContactMade(
                at=now, visitor=visitor, channel=channel, ref=ref, phone=phone, probability=probability
            )
        )
        if phone and probability >= LIKELY:
            self._tie(phone, Tie(visitor, probability))

    def _tie(self, phone: str, tie: Tie) -> None:
        before = self._phones.get(phone)
        if before is not None and self._phone_of.get(before.visitor) == phone:
            del self._phone_of[before.visitor]
        self._phones[phone] = tie
        self._phones.move_to_end(phone)
        self._phone_of[tie.visitor] = phone
        while len(self._phones) > MOST_PHONES:
            gone, its = self._phones.popitem(last=False)
            if self._phone_of.get(its.visitor) == gone:
                del self._phone_of[its.visitor]


def _candidate(chance: Chance, lease: Lease | None) -> Candidate:
    return Candidate(
        visitor=chance.visitor,
        probability=chance.probability,
        arrival=lease.arrival if lease else None,
        pool=lease.pool if lease else "",
        started_ms=lease.started_ms if lease else None,
        seen_ms=lease.seen_ms if lease else None,
        tied=chance.tied,
    )
