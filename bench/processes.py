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
# Fields of stat, counted from the state, which follows the name.
PARENT, UTIME, STIME, CSTIME, STARTED, RESIDENT = 1, 11, 12, 14, 19, 21
END_TIMEOUT_S = 15.0


def stats() -> Iterator[tuple[int, list[str]]]:
    """Every process's id and its stat fields from the state on."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with suppress(OSError):  # ended while we read
                yield int(entry), Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()


def cpu_seconds(root: int) -> float:
    """CPU seconds that the tree under ``root`` has used so far."""
    table = dict(stats())
    return sum(sum(map(int, table[pid][UTIME : CSTIME + 1])) for pid in tree(root, table)) / TICKS_PER_S


def foreign_cpu_seconds() -> dict[tuple[int, str], float]:
    """CPU seconds of each process that we did not start, by id and start time (ids are used again)."""
    table = dict(stats())
    ours = tree(os.getpid(), table)
    return {
        (pid, fields[STARTED]): sum(map(int, fields[UTIME : STIME + 1])) / TICKS_PER_S
        for pid, fields in table.items()
        if pid not in ours
    }


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
    return sum(int(table[pid][RESIDENT]) for pid in tree(root, table)) * page_mb


def end(process: subprocess.Popen, how: signal.Signals = signal.SIGTERM) -> None:
    """Ask a process that we started to end; insist when it does not."""
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
