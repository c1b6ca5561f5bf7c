"""Processes on Linux: what a tree of them has used, and ending exactly those we started.

CPU is user+sys of every process in the tree and of the children that it has already waited for
(``/proc/PID/stat``, proc_pid_stat(5)), so work in a worker that has ended still counts.
"""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PARENT, UTIME, CSTIME = 1, 11, 14  # fields of stat, counted from the state, which follows the name
END_TIMEOUT_S = 15.0


def stats() -> Iterator[tuple[int, list[str]]]:
    """Every process's id and its stat fields from the state on."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with suppress(OSError):  # ended while we read
                yield int(entry), Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()


def cpu_seconds(root: int) -> tuple[float, float]:
    """CPU seconds used so far: by the tree under ``root``, and by everything outside our own tree."""
    table = dict(stats())
    inside, ours = tree(root, table), tree(os.getpid(), table)
    used = sum(sum(map(int, table[pid][UTIME : CSTIME + 1])) for pid in inside)
    foreign = sum(
        sum(map(int, fields[UTIME : UTIME + 2])) for pid, fields in table.items() if pid not in ours | inside
    )
    return used / TICKS_PER_S, foreign / TICKS_PER_S


def tree(root: int, table: dict[int, list[str]]) -> set[int]:
    children: dict[int, list[int]] = {}
    for pid, fields in table.items():
        children.setdefault(int(fields[PARENT]), []).append(pid)
    found: set[int] = set()
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        if pid in table and pid not in found:
            found.add(pid)
            waiting += children.get(pid, [])
    return found


def resident_mb(root: int) -> float:
    """Memory of the tree, pages shared inside it counted once for each process."""
    page_mb = os.sysconf("SC_PAGE_SIZE") / 2**20
    table = dict(stats())
    return sum(int(table[pid][21]) for pid in tree(root, table)) * page_mb


def end(process: subprocess.Popen, how: signal.Signals = signal.SIGTERM) -> None:
    """Ask a process that we started to end; insist when it does not."""
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
