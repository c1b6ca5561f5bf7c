"""Reports over a million calls: how long each takes, on SQLite.

    python bench/reports.py [--calls 1000000] [--folder /tmp]

Writes a database of that many made-up calls over two years, as a business of 12 sources, 300 campaigns,
2,000 keywords, 400 landing pages, 60 numbers, 40 agents and 6 queues would have them, more on weekday
mornings than on Sunday nights. Then sums up the days and months as the server does, scores 300 of the newest
calls, and times every report with the same calls that the API makes, the answer's JSON included: over
everything, over the last 90 days up to now, and compared with the 90 days before. Each is the worst of five.
The reference is what SQLite takes to read all the calls once (``SELECT SUM(talk_ms) FROM calls``), in the
same run. Needs 1.5 GB of disk in the folder, and removes it.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sqlalchemy import Engine, text

from pbx.areas import area_of
from pbx.config.models import Agent, Config, Queue, Server
from pbx.store import export
from pbx.store.calls import Filter
from pbx.store.database import open_engine
from pbx.store.dimensions import Basis
from pbx.store.encoding import to_ms
from pbx.store.migrations import migrate
from pbx.store.period import other_period
from pbx.store.reports import NAMES, Reports

RESULT = Path(__file__).parent / "results" / "reports.json"
NOW = datetime(2026, 11, 24, 15, 40, tzinfo=UTC)
DAYS = 730
BATCH = 20_000
TRIES = 5
SOURCES = [f"source-{n}" for n in range(12)]
CAMPAIGNS = [f"campaign-{n}" for n in range(300)]
KEYWORDS = [f"keyword number {n}" for n in range(2000)]
PAGES = [f"https://www.acme.example/page/{n}" for n in range(400)]
NUMBERS = [f"+1212555{n:04}" for n in range(60)]
AGENTS = [f"agent-{n}" for n in range(40)]
QUEUES = [f"queue-{n}" for n in range(6)]
AREA_CODES = [
    "201",
    "212",
    "213",
    "214",
    "215",
    "267",
    "303",
    "305",
    "312",
    "404",
    "415",
    "503",
    "512",
    "602",
    "617",
    "702",
    "713",
    "718",
    "816",
    "917",
    "973",
    "416",
    "604",
]
STEPS = ["welcome", "menu", "sales", "support", "hours", "mail", "bye"]
CONFIG = Config(
    server=Server(timezone="America/New_York"),
    agents={name: Agent(name=name) for name in AGENTS},
    queues={name: Queue(members=AGENTS) for name in QUEUES},
)
CALL = [
    "id",
    "opened_by",
    "direction",
    "from_number",
    "to_number",
    "trunk",
    "sip_call_id",
    "flow",
    "source",
    "reasons",
    "status",
    "started_ms",
    "connected_ms",
    "ended_ms",
    "talk_ms",
    "agent",
    "queue",
    "queue_end",
    "queue_wait_ms",
    "path",
    "left_at",
    "score",
    "outcome",
    "value_cents",
    "area",
    "medium",
    "campaign",
    "keyword",
    "landing_page",
    "pool",
]
SCORED = "UPDATE calls SET score = 5 WHERE id IN (SELECT id FROM calls ORDER BY started_ms DESC LIMIT 300)"
LEG = [
    "call_id",
    "id",
    "role",
    "target",
    "agent",
    "sip_call_id",
    "started_ms",
    "connected_ms",
    "ended_ms",
    "talk_ms",
]
HOURLY = [1, 1, 1, 1, 1, 2, 5, 20, 60, 90, 95, 80, 70, 80, 85, 80, 60, 40, 25, 15, 10, 6, 3, 2]
DAILY = [100, 95, 92, 90, 85, 40, 20]


def calls(count: int, chance: random.Random) -> Iterator[tuple[tuple, tuple | None]]:
    """Oldest first: each call's row, and the leg of the agent who talked."""
    first = (NOW - timedelta(days=DAYS)).date()
    days = [first + timedelta(days=n) for n in range(DAYS + 1)]
    weights = [DAILY[day.weekday()] for day in days]
    share = count / sum(weights)
    zone, number = ZoneInfo("America/New_York"), 0
    for day, weight in zip(days, weights, strict=True):
        wanted = round(weight * share)
        hours = chance.choices(range(24), HOURLY, k=wanted)
        midnight = datetime.combine(day, datetime.min.time(), zone)
        moments = sorted(
            to_ms(midnight + timedelta(hours=hour, milliseconds=chance.randrange(3_600_000)))
            for hour in hours
        )
        for at in moments:
            if at < to_ms(NOW):
                yield call(f"{number:08x}", at, chance)
                number += 1


def some(values: list[str], chance: random.Random) -> str:
    """A few of them often, most of them seldom."""
    return values[int(len(values) * chance.random() ** 2.5)]


def call(call_id: str, at: int, chance: random.Random) -> tuple[tuple, tuple | None]:
    caller = f"+1{chance.choice(AREA_CODES)}{2_000_000 + int(600_000 * chance.random() ** 1.5):07}"
    online = chance.random() < 0.6
    talked, queued = chance.random() < 0.7, chance.random() < 0.55
    wait, talk = chance.randrange(3000, 90_000), int(chance.expovariate(1 / 180_000)) + 3000
    agent = chance.choice(AGENTS) if talked else None
    connected = at + wait if talked else None
    status = "answered" if talked else chance.choice(["missed", "abandoned", "voicemail", "completed"])
    outcome = chance.choice(["lead", "sale", "no_sale", "spam"]) if chance.random() < 0.3 else None
    step = chance.choice(STEPS)
    row = (
        call_id, 0, "inbound", caller, some(NUMBERS, chance), "carrier", f"{call_id}@carrier", "main",
        some(SOURCES, chance), "[]", status, at, connected, at + wait + (talk if talked else 0),
        talk if talked else 0, agent, some(QUEUES, chance) if queued else None,
        ("answered" if talked else "abandoned") if queued else "", wait - 2000 if queued else None,
        f"welcome\nmenu\n{step}", f"main/{step}", chance.randint(1, 5) if chance.random() < 0.2 else None,
        outcome, chance.randrange(5000, 90_000) if outcome == "sale" else None, area_of(caller),
        "cpc" if online else "", some(CAMPAIGNS, chance) if online else "",
        some(KEYWORDS, chance) if online else "", some(PAGES, chance) if online else "",
        "website" if online else "",
    )  # fmt: skip
    leg = (call_id, "l1", "agent", agent, agent, f"{call_id}@us", at, connected, row[13], talk)
    return row, leg if talked else None


def fill(engine: Engine, count: int) -> int:
    """Write them; returns how many."""
    chance = random.Random(1)
    insert_call = f"INSERT INTO calls ({', '.join(CALL)}) VALUES ({', '.join('?' * len(CALL))})"
    insert_leg = f"INSERT INTO legs ({', '.join(LEG)}) VALUES ({', '.join('?' * len(LEG))})"
    raw = engine.raw_connection()
    raw.execute("PRAGMA synchronous=OFF")
    raw.execute("PRAGMA cache_size=-200000")
    rows: list[tuple] = []
    legs: list[tuple] = []
    written = 0
    for row, leg in calls(count, chance):
        rows.append(row)
        if leg:
            legs.append(leg)
        if len(rows) == BATCH:
            written += _write(raw, insert_call, rows, insert_leg, legs)
    written += _write(raw, insert_call, rows, insert_leg, legs)
    raw.close()
    return written


def _write(raw, insert_call: str, rows: list[tuple], insert_leg: str, legs: list[tuple]) -> int:
    raw.executemany(insert_call, rows)
    raw.executemany(insert_leg, legs)
    raw.commit()
    written = len(rows)
    rows.clear()
    legs.clear()
    return written


def timed(run: Callable[[], object]) -> float:
    """Milliseconds; the worst of some tries."""
    worst = 0.0
    for _ in range(TRIES):
        begin = time.perf_counter()
        run()
        worst = max(worst, time.perf_counter() - begin)
    return worst * 1000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        engine = open_engine(f"sqlite:///{folder}/pbx.db")
        migrate(engine)
        begin = time.perf_counter()
        count = fill(engine, arguments.calls)
        print(f"{count} calls written in {time.perf_counter() - begin:.0f} s", flush=True)
        reports, basis = Reports(engine), Basis.of(CONFIG)
        begin = time.perf_counter()
        spans = reports.rollups.catch_up(basis, NOW)
        summed_s = time.perf_counter() - begin
        with engine.begin() as connection:
            connection.execute(text(SCORED))
        print(f"{spans} days and months summed up in {summed_s:.0f} s", flush=True)

        def scan() -> None:
            with engine.connect() as connection:
                connection.execute(text("SELECT SUM(talk_ms) FROM calls")).scalar()

        reference = timed(scan)
        zone = CONFIG.server.zone
        recent = Filter(since=NOW - timedelta(days=90))
        since, until = other_period("previous", recent.since, None, NOW, zone)
        before = Filter(since=since, until=until)

        def asked(name: str, filter: Filter, other: Filter | None = None) -> Callable[[], object]:
            def told(each: Filter) -> export.Told:
                return export.Told.of(reports.run(name, each, basis), each, CONFIG, ())

            return lambda: json.dumps(export.document(told(filter), CONFIG, told(other) if other else None))

        times = {
            name: {
                "everything_ms": timed(asked(name, Filter())),
                "90_days_ms": timed(asked(name, recent)),
                "90_days_compared_ms": timed(asked(name, recent, before)),
            }
            for name in NAMES
        }
        engine.dispose()
    worst = max(ms for each in times.values() for ms in each.values())
    result = {
        "date": date.today().isoformat(),
        "calls": count,
        "summed_up_s": round(summed_s, 1),
        "reference_ms": round(reference, 1),
        "load_average": round(os.getloadavg()[0], 1),
        "worst_ms": round(worst, 1),
        "reports": {
            name: {
                what: {"ms": round(ms, 1), "of_reference": round(ms / reference, 3)}
                for what, ms in each.items()
            }
            for name, each in times.items()
        },
    }
    for name, each in times.items():
        print(f"{name:14}", *(f"{what} {ms:7.1f}" for what, ms in each.items()))
    print(f"reference {reference:.0f} ms; worst {worst:.0f} ms, {worst / reference:.2f} of it")
    if arguments.calls >= 1_000_000:
        RESULT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
