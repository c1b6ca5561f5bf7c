"""What relaying and recording calls costs the media worker, without any signalling.

    python bench/media_relay.py [--calls 200] [--seconds 20] [--no-record] [--mix]

Joins pairs of endpoints as a bridged call does, sends 20 ms PCMU packets both ways through all of
them from one generator process, and prints one line of JSON: CPU milliseconds per call-second of the
worker and of this process (the engine's client), packets lost, and the one-way delay from the
generator's clock to the kernel's time stamp at the receiving socket. Loopback only; bounded.
"""

import argparse
import asyncio
import contextlib
import json
import multiprocessing as mp
import os
import socket
import struct
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from media import Codec, Edge, Endpoint, RemoteMedia, WorkerEngine

HOST = "127.0.0.1"
PACKET = struct.Struct("!BBHIId")
PACKETS_PER_S = 50
SO_TIMESTAMPNS = 35
MAX_CALLS = 1000
MAX_SECONDS = 120


def generate(pipe: Connection, phones: int, seconds: float) -> None:
    """The generator: ``phones`` sockets, each sending to the port it is told and counting what comes."""
    with contextlib.suppress(OSError):  # so that figures on a busy machine are the worker's, if we may
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    sockets = []
    for _ in range(phones):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        sock.bind((HOST, 0))
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        sockets.append(sock)
    pipe.send([sock.getsockname()[1] for sock in sockets])
    for sock, port in zip(sockets, pipe.recv(), strict=True):
        sock.connect((HOST, port))
    buffer = bytearray(172)
    received = 0
    sent = 0
    delays: list[float] = []
    last: dict[int, float] = {}
    gap = 0.0
    late = 0.0
    begin = time.monotonic()
    for millisecond in range(int(seconds * 1000) + 200):
        wait = begin + millisecond / 1000 - time.monotonic()
        late = max(late, -wait)
        if wait > 0:
            time.sleep(wait)
        frame = millisecond // 20
        if millisecond < seconds * 1000:
            for index in range(millisecond % 20, phones, 20):
                PACKET.pack_into(
                    buffer, 0, 0x80, 0, frame & 0xFFFF, frame * 160, index + 1, time.clock_gettime(0)
                )
                sockets[index].send(buffer)
                sent += 1
        # Half a period later the same phones hear what their partners sent.
        for index in range((millisecond + 15) % 20, phones, 20):
            while True:
                try:
                    packet, ancillary, _flags, _source = sockets[index].recvmsg(512, 64)
                except OSError:
                    break
                # Silence of the worker's own has no time in it, nor has what was mixed.
                stamp = PACKET.unpack_from(packet)[-1]
                if not abs(time.clock_gettime(0) - stamp) <= 5:
                    continue
                received += 1
                seconds_, nanoseconds = struct.unpack("qq", ancillary[0][2])
                at = seconds_ + nanoseconds / 1e9
                gap = max(gap, at - last.get(index, at))
                last[index] = at
                delays.append(at - stamp)
    delays.sort()
    pipe.send(
        {
            "sent": sent,
            "received": received,
            "loss_percent": round(100 * (sent - received) / sent, 3) if delays else None,
            "delay_ms": {
                name: round(delays[int((len(delays) - 1) * share)] * 1000, 2)
                for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0))
                if delays
            },
            "longest_gap_ms": round(gap * 1000, 1),
            "generator_late_ms": round(late * 1000, 1),
        }
    )


def cpu_s(pid: int) -> float:
    """Exact run time of all threads of a process."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        total += int(Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0])
    return total / 1e9


def remote(port: int) -> RemoteMedia:
    return RemoteMedia(HOST, port, Codec.PCMU, 0, 0, telephone_event=101, receive_telephone_event=101)


async def run(calls: int, seconds: float, *, record: bool, mixed: bool, folder: Path) -> dict[str, object]:
    pipe, theirs = mp.Pipe()
    generator = mp.Process(target=generate, args=(theirs, 2 * calls, seconds), daemon=True)
    generator.start()
    engine = WorkerEngine(address=HOST, port_range=(40000, 40000 + 4 * calls + 100))
    await engine.start()
    ports = await asyncio.to_thread(pipe.recv)
    begin = time.perf_counter()
    endpoints: list[Endpoint] = [await engine.allocate() for _ in range(2 * calls)]
    allocate_s = (time.perf_counter() - begin) / len(endpoints)
    recordings = []
    for call in range(calls):
        caller, agent = endpoints[2 * call : 2 * call + 2]
        gain = 0.999 if mixed else 1.0
        for endpoint, other, port in ((caller, agent, ports[2 * call]), (agent, caller, ports[2 * call + 1])):
            engine.set_remote(endpoint.id, remote(port))
            engine.set_edges(endpoint.id, [Edge(other.id, endpoint.id, gain)])
        if record:
            path = folder / f"{call}.wav"
            recordings.append(engine.start_recording(path, left=caller.id, right=agent.id))
    await engine.release((await engine.allocate()).id)  # all before it has been carried out
    pipe.send([endpoint.port for endpoint in endpoints])
    pid = engine.pid
    assert pid is not None
    await asyncio.sleep(1)
    before, ours, start = cpu_s(pid), time.process_time(), time.perf_counter()
    await asyncio.sleep(seconds - 2)
    elapsed = time.perf_counter() - start
    worker_s, client_s = cpu_s(pid) - before, time.process_time() - ours
    figures: dict[str, object] = await asyncio.to_thread(pipe.recv)
    results = [await engine.stop_recording(recording) for recording in recordings]
    stats = [await engine.release(endpoint.id) for endpoint in endpoints]
    await engine.close()
    generator.join()
    call_seconds = calls * elapsed
    return {
        "calls": calls,
        "worker_cpu_ms_per_call_second": round(worker_s * 1000 / call_seconds, 3),
        "client_cpu_ms_per_call_second": round(client_s * 1000 / call_seconds, 3),
        "worker_cores": round(worker_s / elapsed, 3),
        "allocate_us": round(allocate_s * 1e6),
        **figures,
        "dropped": sum(one.packets_dropped for one in stats),
        "recorded_s": [round(f(one.duration_s for one in results), 1) for f in (min, max)] if results else [],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--no-record", action="store_true")
    parser.add_argument("--mix", action="store_true", help="through the mixer, as where codecs differ")
    given = parser.parse_args()
    if not (0 < given.calls <= MAX_CALLS and 4 <= given.seconds <= MAX_SECONDS):
        parser.error(f"1 to {MAX_CALLS} calls, 4 to {MAX_SECONDS} seconds")
    with tempfile.TemporaryDirectory() as folder:
        record = not given.no_record
        print(
            json.dumps(
                asyncio.run(
                    run(given.calls, given.seconds, record=record, mixed=given.mix, folder=Path(folder))
                )
            )
        )


if __name__ == "__main__":
    main()
