"""How many visitors wanted a number of a pool, and how long they kept it: what ``pbx pool plan`` counts."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, case
from sqlmodel import Session, col, func, select

from pbx.store.encoding import to_ms
from pbx.store.visitor_tables import LeaseRow, TouchRow

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class PoolTraffic:
    """``kept_s``: how long a visitor keeps a number, from the first sign of life to the release."""

    leases: int
    turned_away: int
    busiest_hour: int  # visits in it that wanted a number
    visits: int
    kept_s: float


def pool_traffic(
    engine: Engine, pool: str, sources: list[str], since: datetime, until: datetime
) -> PoolTraffic:
    """Visits (by their first page view) of the pool's sources, and the pool's leases, in that time."""
    first, last = to_ms(since), to_ms(until)
    visits = (
        select(TouchRow.session_ms, func.max(case((col(TouchRow.pool) == pool, 1), else_=0)))
        .where(col(TouchRow.session_ms) >= first, col(TouchRow.at_ms) >= first, col(TouchRow.at_ms) < last)
        .group_by(TouchRow.visitor_id, col(TouchRow.session_ms))
    )
    if sources:
        visits = visits.having(func.max(TouchRow.source).in_(sources))
    by_hour: dict[int, int] = {}
    turned_away = 0
    leases = select(func.count(), func.avg(LeaseRow.until_ms - LeaseRow.started_ms)).where(
        col(LeaseRow.pool) == pool, col(LeaseRow.started_ms) >= first, col(LeaseRow.started_ms) < last
    )
    with Session(engine) as session:
        for started_ms, served in session.exec(visits):
            by_hour[started_ms // HOUR_MS] = by_hour.get(started_ms // HOUR_MS, 0) + 1
            turned_away += not served
        count, kept_ms = session.exec(leases).one()
    return PoolTraffic(
        leases=count,
        turned_away=turned_away,
        busiest_hour=max(by_hour.values(), default=0),
        visits=sum(by_hour.values()),
        kept_s=float(kept_ms or 0) / 1000,
    )
