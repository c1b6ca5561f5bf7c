"""The table of the last results, beside Asterisk's published figures."""

import json
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).resolve().parent / "results"
NOTHING = "–"
TITLES = {"s1": "s1 tracked call", "s2": "s2 bridged, recorded", "s3": "s3 signalling only"}

# Asterisk 22.10.1 on 2 vCPUs of an AMD EPYC, 200 calls started at 15 a second (s1, s2), 300 calls/s (s3).
PUBLISHED = {"s1": "5.13", "s2": "4.75", "s3": "1.16 per call"}


def load() -> dict[str, dict]:
    """Scenario → its last result."""
    file = RESULTS / "latest.json"
    return json.loads(file.read_text()) if file.exists() else {}


def keep(results: dict[str, dict]) -> None:
    """Replace the last results of the scenarios that ran; the others stay."""
    merged = load() | results
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "latest.json").write_text(json.dumps(dict(sorted(merged.items())), indent=2) + "\n")
    lines = [
        "# The last results",
        "",
        "Written by `python bench/run.py`; what each row means: ../README.md.",
        "",
    ]
    lines += ["| | " + " | ".join(TITLES[name] for name in sorted(merged)) + " |"]
    lines += ["| --- " * (len(merged) + 1) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows(merged)]
    (RESULTS / "latest.md").write_text("\n".join(lines) + "\n")


def show(results: dict[str, dict]) -> None:
    table = Table(title="Load on loopback")
    table.add_column("")
    for name in sorted(results):
        table.add_column(TITLES[name], justify="right")
    for row in rows(results):
        table.add_row(*row)
    console = Console()
    if console.is_terminal:
        console.print(table)
    else:  # a file or a pipe has no width: never cut a figure
        plain = Console(file=StringIO(), width=120)
        plain.print(table)
        print(plain.file.getvalue(), end="")


def rows(results: dict[str, dict]) -> list[list[str]]:
    names = sorted(results)
    described = {name: cells(results[name]) for name in names}
    labels = list(dict.fromkeys(label for name in names for label in described[name]))
    return [[label, *(described[name].get(label, NOTHING) for name in names)] for label in labels]


def cells(result: dict) -> dict[str, str]:
    """One scenario's column: label → figure."""
    return shared_cells(result) | (media_cells(result) if "media" in result else {}) | conditions(result)


def shared_cells(result: dict) -> dict[str, str]:
    if "media" in result:
        offered = f"{result['calls']} at {result['rate']}/s, {result['hold_s']} s bridged"
        cost = f"{result['cpu_ms_per_call_second']:.2f}"
        ratio = f"{result['reference_packets_per_call_second']:.0f}"
    else:
        offered = f"{result['calls']} at {result['rate']}/s"
        cost = f"{result['cpu_ms_per_call']:.2f} per call"
        ratio = NOTHING
    return {
        "calls": offered,
        "failed": str(result["failed"]),
        "SIP retransmissions": str(result["retransmissions"]),
        "CPU, ms per call-second": cost,
        "the same, in reference packets": ratio,
        "Asterisk 22, published": PUBLISHED[result["scenario"]],
        "CPU, s in all": f"{result['server_cpu_s']:.2f}",
        "INVITE to 200, p50 / p99 ms": pair(result["answer_ms_p50"], result["answer_ms_p99"], 0),
        "memory at the end, MB": f"{result['resident_mb']:.0f}",
    }


def media_cells(result: dict) -> dict[str, str]:
    agent, caller = result["media"]["to_agent"], result["media"]["to_caller"]
    return {
        "RTP lost, % agent / caller": pair(agent["lost_percent"], caller["lost_percent"], 3),
        "bad streams agent / caller": f"{agent['bad']} / {caller['bad']} of {agent['streams']}",
        "to agent, p50 / p99 ms": pair(agent["delay_p50_ms"], agent["delay_p99_ms"]),
        "to caller, p50 / p99 ms": pair(caller["delay_p50_ms"], caller["delay_p99_ms"]),
        "recordings, s in all": f"{result['recordings']}, {result['recorded_s']:.0f}",
        "generator late, worst ms": f"{result['media']['latest_send_ms']:.0f}",
    }


def conditions(result: dict) -> dict[str, str]:
    return {
        "reference, us a packet": f"{result['reference_us']:.2f}",
        "other programs' CPU, s": f"{result['foreign_cpu_s']:.1f}",
        "measured": result["measured_at"],
        "commit": result["commit"],
        "machine": result["machine"],
    }


def pair(left: float | None, right: float | None, digits: int = 1) -> str:
    return " / ".join(NOTHING if figure is None else f"{figure:.{digits}f}" for figure in (left, right))
