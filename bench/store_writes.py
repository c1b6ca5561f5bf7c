"""What recording calls costs: CPU a call and the wait before it may be answered.

    .venv/bin/python bench/store_writes.py [--calls 3000] [--rate 300] [--url sqlite:///...]

Publishes the events of s3's short calls (8 each) at a steady rate, waits for each call's row as the
switchboard does, and prints the process's CPU per call and the waits.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from pbx import events
from pbx.clock import SystemClock
from pbx.store.writer import CallWriter


def opening(call_id: str) -> events.CallStarted:
    return events.CallStarted(
        call_id=call_id,
        at=datetime.now(UTC),
        direction=events.Direction.INBOUND,
        from_="+12125550999",
        to="+12125550100",
        trunk="carrier",
        sip_call_id=f"{call_id}@127.0.0.1",
        flow="short",
        source="yellow-pages",
        reasons=("+12125550100 is the number of yellow-pages",),
    )


def the_rest(call_id: str) -> list[events.CallEvent]:
    now = datetime.now(UTC)
    about = {"call_id": call_id, "leg_id": f"{call_id}-0"}
    return [
        events.LegStarted(
            **about,
            at=now,
            role="caller",
            target="+12125550100",
            agent=None,
            sip_call_id=f"{call_id}@carrier",
        ),
        events.StepEntered(call_id=call_id, at=now, step="wait", step_kind="wait"),
        events.CallAnswered(call_id=call_id, at=now),
        events.LegAnswered(**about, at=now),
        events.TurnTaken(call_id=call_id, at=now, step="wait", next=None, because="the time is up"),
        events.LegEnded(
            **about, at=now, cause="caller_hung_up", sip_status=None, stats={"packets_received": 0.0}
        ),
        events.CallEnded(
            call_id=call_id, at=now, status=events.CallStatus.COMPLETED, cause="flow_ended", reason="Over."
        ),
    ]


async def one_call(writer: CallWriter, call_id: str, waits: list[float]) -> None:
    writer.write(opening(call_id))
    before = time.perf_counter()
    await writer.opened(call_id)
    waits.append(time.perf_counter() - before)
    for event in the_rest(call_id):
        writer.write(event)


async def run(calls: int, rate: int, url: str, data_dir: Path) -> None:
    writer = CallWriter(url, data_dir, SystemClock())
    await writer.start()
    waits: list[float] = []
    loop = asyncio.get_running_loop()
    began, cpu = loop.time(), time.process_time()
    tasks = []
    for number in range(calls):
        await asyncio.sleep(max(0.0, began + number / rate - loop.time()))
        tasks.append(asyncio.create_task(one_call(writer, f"bench-{number}", waits)))
    await asyncio.gather(*tasks)
    lasted = loop.time() - began
    await writer.close()
    cpu = time.process_time() - cpu
    waits_ms = sorted(1000 * wait for wait in waits)
    p99 = waits_ms[int(0.99 * len(waits_ms))]
    commits = writer.figures()["store_commits_total"]
    print(
        f"{calls} calls of 8 events in {lasted:.1f} s ({calls / lasted:.0f} a second), {commits:.0f} commits"
    )
    print(f"CPU {1000 * cpu / calls:.3f} ms a call, all of it, with making the events and the tasks")
    median = statistics.median(waits_ms)
    print(f"wait for the row: median {median:.1f} ms, p99 {p99:.1f}, most {waits_ms[-1]:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=3000)
    parser.add_argument("--rate", type=int, default=300)
    parser.add_argument("--url")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = options.url or f"sqlite:///{folder}/pbx.db"
        asyncio.run(run(options.calls, options.rate, url, Path(folder)))


if __name__ == "__main__":
    main()
