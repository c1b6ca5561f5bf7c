"""Load on a server of our own, on loopback: what a call costs, and whether its audio comes through.

    python bench/run.py [s1|s2|s3|all] [--calls 200] [--rate 15] [--hold 30]
                        [--signalling-rate 300] [--seconds 12]

Each scenario starts `pbx serve` afresh on a copy of bench/site/, sends it calls from sipp
(bench/scenarios/) with media from rtp_bank.c, ends both, and measures in between. README.md says what
the figures mean. Needs Linux, sipp and a C compiler.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import time
import wave
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import report
from processes import cpu_seconds, end, foreign_cpu_seconds, resident_mb

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
WORK = HERE / ".work"
SITE = WORK / "site"
BANK = WORK / "rtp_bank"
ORDERS = WORK / "orders"
SIPP_LOG = WORK / "sipp.log"

HOST = "127.0.0.1"
SIP_PORT, CALLER_PORT, AGENT_PORT = 5080, 5071, 5091
CALLER_RTP, AGENT_RTP = 10000, 14000  # the first of each; one even port a call
NUMBERS = {"s1": "+12125550130", "s2": "+12125550131", "s3": "+12125550139"}

PROMPT_S = 4.0
DIGIT_AFTER_S = 4.5
MAX_CALLS, MAX_RATE, MAX_HOLD_S, MAX_SECONDS = 1000, 1000, 120, 60
READY_TIMEOUT_S = 30.0
SETTLE_S = 1.5  # what the server still does after the last BYE is the calls' cost too
GRACE_S = 30  # over the planned length, before a run is given up


def main() -> None:
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # so that what we started ends too
    require("sipp", "cc")
    WORK.mkdir(exist_ok=True)
    compile_bank()
    results = {}
    for name in NUMBERS if options.scenario == "all" else [options.scenario]:
        results[name] = measure(name, options)
        report.keep({name: results[name]})
    report.show(results)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scenario", nargs="?", default="all", choices=[*NUMBERS, "all"])
    parser.add_argument("--calls", type=int, default=200, help="s1, s2: calls, all up together")
    parser.add_argument("--rate", type=int, default=15, help="s1, s2: calls started a second")
    parser.add_argument("--hold", type=int, default=30, help="s1, s2: seconds bridged")
    parser.add_argument("--signalling-rate", type=int, default=300, help="s3: calls a second")
    parser.add_argument("--seconds", type=int, default=12, help="s3: how long")
    options = parser.parse_args()
    bounds = {
        "calls": MAX_CALLS,
        "rate": MAX_RATE,
        "hold": MAX_HOLD_S,
        "signalling_rate": MAX_RATE,
        "seconds": MAX_SECONDS,
    }
    for option, most in bounds.items():
        value = getattr(options, option)
        if not 1 <= value <= most:
            parser.error(f"--{option.replace('_', '-')} {value}: must be from 1 to {most}")
    return options


def require(*programs: str) -> None:
    for program in programs:
        if not shutil.which(program):
            sys.exit(f"{program} is not installed (Debian: apt install sip-tester gcc libc6-dev)")


def require_free(*ports: int) -> None:
    """Another program on one of our ports would be measured in our place."""
    for port in ports:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind((HOST, port))
            except OSError as error:
                sys.exit(f"UDP {HOST}:{port} is needed here and not free: {error.strerror}")


def compile_bank() -> None:
    source = HERE / "rtp_bank.c"
    if not BANK.exists() or BANK.stat().st_mtime < source.stat().st_mtime:
        subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-o", BANK, source], check=True)


def measure(name: str, options: argparse.Namespace) -> dict:
    """Run one scenario against a fresh server."""
    load = plan(name, options)
    require_free(SIP_PORT, CALLER_PORT, AGENT_PORT)
    for old in WORK.glob("*.csv"):
        old.unlink()
    with ExitStack() as started:
        server = start_server(started)
        before_us = reference_us()
        bank = None if name == "s3" else start_bank(started, load)
        agent = None if name == "s3" else start_agent(started)
        cpu_before_s, foreign_before = cpu_seconds(server.pid), foreign_cpu_seconds()
        caller = start_callers(started, name, load)
        with suppress(subprocess.TimeoutExpired):  # what is not done by then has failed, and is counted so
            caller.wait(load["limit_s"])
        end(caller, signal.SIGUSR1)
        time.sleep(SETTLE_S)
        cpu_s = cpu_seconds(server.pid) - cpu_before_s
        foreign_after = foreign_cpu_seconds()
        resident = resident_mb(server.pid)
        if agent:
            end(agent, signal.SIGUSR1)
        media = end_bank(bank) if bank else None
        after_us = reference_us()
    signalling = [last_row(WORK / f"{side}.csv") for side in ("caller", "agent")]
    succeeded = int(signalling[0].get("SuccessfulCall(C)", 0))
    foreign_s = sum(used - foreign_before.get(process, 0) for process, used in foreign_after.items())
    result = {
        "scenario": name,
        "calls": load["calls"],
        "rate": load["rate"],
        "failed": load["calls"] - succeeded,
        "retransmissions": sum(int(row.get("Retransmissions(C)", 0)) for row in signalling),
        "server_cpu_s": round(cpu_s, 2),
        "resident_mb": round(resident, 1),
        **answer_figures(),
        "reference_us": round((before_us + after_us) / 2, 2),
        "foreign_cpu_s": round(foreign_s, 1),
        "measured_at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
        "machine": f"{os.cpu_count()} CPUs, Python {platform.python_version()}",
    }
    if media is None:
        return result | {"cpu_ms_per_call": round(1000 * cpu_s / max(succeeded, 1), 3)}
    return result | {"hold_s": options.hold} | media_figures(media, cpu_s, result["reference_us"])


def plan(name: str, options: argparse.Namespace) -> dict:
    """How many calls, how fast, how long each, and when to give up."""
    if name == "s3":
        calls, rate, call_s = options.signalling_rate * options.seconds, options.signalling_rate, 0.0
    else:
        calls, rate = options.calls, options.rate
        call_s = options.hold + (DIGIT_AFTER_S if name == "s1" else 0)
    return {
        "calls": calls,
        "rate": rate,
        "call_ms": int(1000 * call_s),
        "digit_after_ms": int(1000 * DIGIT_AFTER_S) if name == "s1" else 0,
        "limit_s": int(calls / rate + call_s) + GRACE_S,
    }


def media_figures(media: dict, cpu_s: float, packet_us: float) -> dict:
    for side in (media["to_agent"], media["to_caller"]):
        expected = side["heard"] + side["lost"]
        side["lost_percent"] = round(100 * side["lost"] / expected, 3) if expected else 100.0
    per_call_second = 1000 * cpu_s / max(media["call_seconds"], 1)
    recorded = [recorded_seconds(file) for file in SITE.rglob("data/**/*.wav")]
    return {
        "cpu_ms_per_call_second": round(per_call_second, 3),
        "reference_packets_per_call_second": round(1000 * per_call_second / packet_us, 1),
        "recordings": len(recorded),
        "recorded_s": round(sum(recorded), 1),
        "media": media,
    }


# ---- what runs ----


def start_server(started: ExitStack) -> subprocess.Popen:
    """`pbx serve` on a fresh copy of the site, once it says that it is ready."""
    shutil.rmtree(SITE, ignore_errors=True)
    shutil.copytree(HERE / "site", SITE)
    write_prompt(SITE / "ivr_flows" / "prompt.wav")
    log = started.enter_context((WORK / "server.log").open("w"))
    command = [sys.executable, "-m", "pbx", "serve", "--config", SITE / "config.yaml"]
    server = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    started.callback(end, server)
    give_up = time.monotonic() + READY_TIMEOUT_S
    while " ready: SIP on " not in Path(log.name).read_text():
        if server.poll() is not None or time.monotonic() > give_up:
            sys.exit(f"the server did not become ready; its log, {log.name}:\n{Path(log.name).read_text()}")
        time.sleep(0.1)
    return server


def start_bank(started: ExitStack, load: dict) -> subprocess.Popen:
    ORDERS.unlink(missing_ok=True)
    os.mkfifo(ORDERS)
    command = [str(BANK), str(ORDERS), str(load["limit_s"] + GRACE_S), str(load["digit_after_ms"])]
    bank = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    started.callback(end, bank)
    if bank.stdout.readline() != "ready\n":
        sys.exit("rtp_bank did not start")
    return bank


def end_bank(bank: subprocess.Popen) -> dict:
    bank.terminate()
    said, _ = bank.communicate(timeout=10)
    return json.loads(said)


def start_agent(started: ExitStack) -> subprocess.Popen:
    lines = [f"{AGENT_RTP + 2 * call};" for call in range(MAX_CALLS)]
    agent = start_sipp(started, "agent", "agent", AGENT_PORT, lines)
    bound = f":{AGENT_PORT:04X} 00000000:0000"
    while bound not in Path("/proc/net/udp").read_text():
        if agent.poll() is not None:
            sys.exit(f"the agent's sipp ended with {agent.returncode}: {SIPP_LOG.read_text()}")
        time.sleep(0.05)
    return agent


def start_callers(started: ExitStack, name: str, load: dict) -> subprocess.Popen:
    most = load["calls"] if load["call_ms"] else max(50, 4 * load["rate"])
    lines = [f"+1555{call:07};{CALLER_RTP + 2 * call};" for call in range(MAX_CALLS)]
    return start_sipp(
        started,
        "caller",
        "signalling" if name == "s3" else "caller",
        CALLER_PORT,
        lines,
        *("-s", NUMBERS[name], "-r", load["rate"], "-m", load["calls"], "-l", most),
        *("-d", load["call_ms"], "-trace_rtt", "-rtt_freq", 1, f"{HOST}:{SIP_PORT}"),
    )


def start_sipp(
    started: ExitStack, side: str, scenario: str, port: int, lines: list[str], *more: str | int
) -> subprocess.Popen:
    """A sipp whose calls take one line each, and whose log lines are the bank's orders."""
    injected = WORK / f"{side}.lines"
    injected.write_text("SEQUENTIAL\n" + "\n".join(lines) + "\n")
    shutil.copy(HERE / "scenarios" / f"{scenario}.xml", WORK)  # sipp writes beside its scenario
    command = [
        "sipp",
        "-sf",
        f"{scenario}.xml",
        "-inf",
        injected.name,
        "-i",
        HOST,
        "-p",
        port,
        "-nostdin",
        "-aa",
    ]
    command += ["-trace_stat", "-stf", f"{side}.csv", "-fd", 1, "-trace_err", "-error_file", f"{side}.err"]
    command += [] if scenario == "signalling" else ["-trace_logs", "-log_file", ORDERS]
    log = started.enter_context(SIPP_LOG.open("a"))
    words = [str(word) for word in [*command, *more]]
    sipp = subprocess.Popen(words, cwd=WORK, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)
    started.callback(end, sipp, signal.SIGUSR1)
    with suppress(PermissionError):  # where allowed: a late answer should be the server's doing
        os.setpriority(os.PRIO_PROCESS, sipp.pid, -5)
    return sipp


# ---- what they wrote ----


def reference_us() -> float:
    """What relaying one packet from socket to socket costs here and now."""
    return float(subprocess.run([BANK, "--reference"], check=True, capture_output=True, text=True).stdout)


def last_row(file: Path) -> dict[str, str]:
    """sipp's statistics at its end."""
    if not file.exists():
        return {}
    lines = file.read_text().splitlines()
    return dict(zip(lines[0].split(";"), lines[-1].split(";"), strict=False))


def answer_figures() -> dict[str, float | None]:
    """INVITE to 200 over all calls; sipp's clock ticks about every 4 ms."""
    rows = [line.split(";") for file in WORK.glob("*_rtt.csv") for line in file.read_text().splitlines()[1:]]
    times_ms = [float(row[1]) for row in rows if len(row) > 2 and row[2].strip() == "answer"]
    return {f"answer_ms_p{p}": float(np.percentile(times_ms, p)) if times_ms else None for p in (50, 99)}


def recorded_seconds(file: Path) -> float:
    with wave.open(str(file)) as recording:
        return recording.getnframes() / recording.getframerate()


def write_prompt(file: Path) -> None:
    """Four seconds of tone in syllables: as much work to play as speech."""
    time_s = np.arange(int(8000 * PROMPT_S)) / 8000
    tone = np.sin(2 * np.pi * 220 * time_s) * np.abs(np.sin(2 * np.pi * 2 * time_s))
    with wave.open(str(file), "wb") as prompt:
        prompt.setparams((1, 2, 8000, 0, "NONE", ""))
        prompt.writeframes((8000 * tone).astype("<i2").tobytes())


def commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "no commit"


if __name__ == "__main__":
    main()
