"""Whether the server's memory stays flat: s3's short calls at a steady rate, more than once, on one server.

    python bench/soak.py [--rate 1000] [--seconds 50] [--rounds 2] [--rest 40]

A transaction that is over is kept for 32 s, so each round is followed by a rest, and the memory at the end
of the rests is what has to be alike. Every call must have its row. Keeps results/soak.json.
"""

import argparse
import json
import os
import shutil
import signal
import sqlite3
import sys
import time
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from subprocess import TimeoutExpired

import run
from processes import cpu_seconds, end, resident_mb

RESULT = run.HERE / "results" / "soak.json"
MAX_RATE, MAX_SECONDS, MAX_ROUNDS, MAX_REST_S = 1000, 300, 5, 120


def main() -> None:
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # so that what we started ends too
    run.require("sipp")
    run.WORK.mkdir(exist_ok=True)
    run.require_free(run.SIP_PORT, run.CALLER_PORT)
    with ExitStack() as started:
        server = run.start_server(started)
        before_mb = resident_mb(server.pid)
        rounds = [one_round(server.pid, options) for _ in range(options.rounds)]
        rows = recorded(run.SITE / "data" / "pbx.db")
    result = {
        "rate": options.rate,
        "seconds": options.seconds,
        "resident_before_mb": round(before_mb, 1),
        "rounds": rounds,
        "calls_on_record": rows,
        "load_average": round(os.getloadavg()[0], 1),
        "measured_at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": run.commit(),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    shutil.rmtree(run.SITE, ignore_errors=True)
    print(json.dumps(result, indent=2))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=int, default=1000, help="calls a second")
    parser.add_argument("--seconds", type=int, default=50, help="a round")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--rest", type=int, default=40, help="seconds after each round")
    options = parser.parse_args()
    bounds = {"rate": MAX_RATE, "seconds": MAX_SECONDS, "rounds": MAX_ROUNDS, "rest": MAX_REST_S}
    for option, most in bounds.items():
        if not 1 <= getattr(options, option) <= most:
            parser.error(f"--{option} {getattr(options, option)}: must be from 1 to {most}")
    return options


def one_round(server: int, options: argparse.Namespace) -> dict:
    for old in run.WORK.glob("*.csv"):
        old.unlink()
    calls = options.rate * options.seconds
    load = {"calls": calls, "rate": options.rate, "call_ms": 0, "limit_s": options.seconds + run.GRACE_S}
    cpu_before_s = cpu_seconds(server)
    with ExitStack() as started:
        caller = run.start_callers(started, "s3", load)
        with suppress(TimeoutExpired):
            caller.wait(load["limit_s"])
        end(caller, signal.SIGUSR1)
    at_end_mb = resident_mb(server)
    time.sleep(options.rest)
    figures = run.last_row(run.WORK / "caller.csv")
    return {
        "calls": calls,
        "failed": calls - int(figures.get("SuccessfulCall(C)", 0)),
        "retransmissions": int(figures.get("Retransmissions(C)", 0)),
        "cpu_ms_per_call": round(1000 * (cpu_seconds(server) - cpu_before_s) / calls, 3),
        "resident_at_end_mb": round(at_end_mb, 1),
        "resident_after_rest_mb": round(resident_mb(server), 1),
    }


def recorded(database: Path) -> int:
    """Calls with a closed row."""
    connection = sqlite3.connect(database)
    try:
        return connection.execute("SELECT count(*) FROM calls WHERE ended_ms IS NOT NULL").fetchone()[0]
    finally:
        connection.close()


if __name__ == "__main__":
    main()
