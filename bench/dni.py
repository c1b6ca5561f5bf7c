"""``POST /api/dni`` under load: latency at a steady rate, beside calls that are up.

    python bench/dni.py [--rate 500] [--seconds 20] [--calls 50]

Starts ``pbx serve`` on a site of its own with a pool of 2,000 numbers, pinned to one core with its media
worker, lets sipp keep ``--calls`` calls up, and asks from a process of its own over 32 kept-alive
connections; both of these have the other cores. Requests leave on time, whether or not earlier ones have
been answered, and a latency counts from when its request was due: a server that falls behind cannot hide
it. Each request has a browser's headers. Four of five are by visitors already known, as on a website; the
fifth is lent a number, and waits until the store has it.
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.phones import SCENARIOS
from tests.support.server import Server, eventually, free_port, need, server

CONNECTIONS = 32
PAGES = [f"page-{n}" for n in range(300)]
BROWSER = (
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0"
    b" Safari/537.36\r\nContent-Type: text/plain;charset=UTF-8\r\nAccept: */*\r\n"
    b"Accept-Language: en-US,en;q=0.9\r\nAccept-Encoding: gzip, deflate, br\r\n"
    b"Referer: https://www.acme.example/\r\nSec-Fetch-Dest: empty\r\nSec-Fetch-Mode: cors\r\n"
    b"Sec-Fetch-Site: same-site\r\n"
)
KNOWN = 0.8
RESULT = Path(__file__).parent / "results" / "dni.json"
FLOWS = {"wait": "name: Wait\nstart: wait\nsteps:\n  wait: {wait: 600s}\n"}
POOL = f"""
pools:
  website:
    numbers: [{", ".join(f'"+1313555{n:04}"' for n in range(2000))}]
    targets: ["+12125550199"]
    flow: wait
"""


@dataclass
class Result:
    """Milliseconds; ``cpu`` is the share of one core that the server's main process took, calls and all."""

    date: str
    requests: int
    rate: float
    calls: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    worst_ms: float
    errors: int
    cpu: float
    load_average: float


async def _ask(port: int, rate: float, seconds: float) -> tuple[list[float], int]:
    links = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS)]
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for link in links:
        free.put_nowait(link)
    latencies: list[float] = []
    visitors: list[str] = []
    errors = 0

    async def one(due: float) -> None:
        nonlocal errors
        reader, writer = await free.get()
        known = visitors and random.random() < KNOWN
        body = json.dumps(
            {
                "visitor": random.choice(visitors) if known else None,
                "consent": True,
                "page": f"https://www.acme.example/{random.choice(PAGES)}?gclid=1&utm_campaign=Spring",
                "referrer": "https://www.google.com/",
                "targets": ["+12125550199"],
            }
        ).encode()
        writer.write(
            b"POST /api/dni HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: https://www.acme.example\r\n"
            + BROWSER
            + b"Content-Length: %d\r\n\r\n" % len(body)
            + body
        )
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        answer = json.loads(await reader.readexactly(length))
        latencies.append(time.perf_counter() - due)
        errors += b" 200 " not in head.partition(b"\r\n")[0]
        if not known:
            visitors.append(answer["visitor"])
        free.put_nowait((reader, writer))

    start, tasks = time.perf_counter(), []
    for n in range(int(rate * seconds)):
        due = start + n / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(due)))
    await asyncio.gather(*tasks)
    for _, writer in links:
        writer.close()
    return latencies, errors


def ask(port: int, rate: float, seconds: float) -> tuple[list[float], int]:
    return asyncio.run(_ask(port, rate, seconds))


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(site: Server, rate: float, seconds: float, calls: int) -> Result:
    assert site.process is not None
    pid = site.process.pid
    with ProcessPoolExecutor(1) as asker:
        asker.submit(ask, site.web, rate, 2).result()  # caches filled, connections warm
        before, began = cpu_s(pid), time.perf_counter()
        latencies, errors = asker.submit(ask, site.web, rate, seconds).result()
        cpu = (cpu_s(pid) - before) / (time.perf_counter() - began)
    ordered = sorted(latencies)

    def quantile(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 2)

    return Result(
        date.today().isoformat(), len(ordered), rate, calls, quantile(0.5), quantile(0.95), quantile(0.99),
        quantile(1), errors, round(cpu, 2), round(os.getloadavg()[0], 1),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=500)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--calls", type=int, default=50)
    options = parser.parse_args()
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})  # the server's; what it starts has it, too
    with tempfile.TemporaryDirectory() as folder, server(Path(folder), FLOWS) as site:
        os.sched_setaffinity(0, cores - {min(cores)} or cores)
        site.config.write_text(site.config.read_text() + POOL)
        site.pbx("reload")
        eventually("the reload", lambda: "2125550199" in site.read("/t.js").decode())
        words = ["-m", str(options.calls), "-l", str(options.calls), "-r", "10", "-s", "+12125550100"]
        words += ["-p", str(free_port()), "-mp", str(free_port()), "-i", "127.0.0.1", "-nostdin"]
        caller = subprocess.Popen(
            [need("sipp"), "-sf", str(SCENARIOS / "stays.xml"), *words, f"127.0.0.1:{site.sip}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            eventually("the calls", lambda: site.metric("pbx_calls_live") >= options.calls)
            result = measure(site, options.rate, options.seconds, options.calls)
        finally:
            caller.terminate()
            caller.wait()
    print(json.dumps(asdict(result), indent=2))
    RESULT.write_text(json.dumps(asdict(result), indent=2) + "\n")


if __name__ == "__main__":
    main()
