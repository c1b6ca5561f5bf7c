"""Ten million inputs: ``python -m tests.fuzz --inputs 10000000`` (shared out among the parsers).

Ends with 1 and the input in hexadecimal at the first crash, at an input that takes over a second, and
where memory has grown by more than a few megabytes after the first tenth. ``--target`` names one parser,
``--seed`` repeats a run. With ``--atheris`` (``pip install -e '.[fuzz]'``) coverage guides the inputs instead,
from the same samples, each parser in a process of its own (libFuzzer ends its process); what follows ``--``
goes to libFuzzer: ``--atheris --target sdp -- -max_len=8192``. ``results/`` holds the last long runs.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from types import FunctionType
from typing import NoReturn

from tests.fuzz.mutate import inputs
from tests.fuzz.targets import TARGETS, Target

SLOWEST_S = 1.0
GROWTH_KB = 32 * 1024
GUIDED_MB = 1024


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--target", choices=sorted(TARGETS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--atheris", action="store_true")
    asked, further = parser.parse_known_args()
    chosen = [TARGETS[asked.target]] if asked.target else list(TARGETS.values())
    further = [each for each in further if each != "--"]
    if asked.atheris and asked.target:
        guided(chosen[0], asked.inputs, asked.seed, further)
    failed = 0
    for target in chosen:
        began = time.perf_counter()
        count = asked.inputs // len(chosen)
        if asked.atheris:
            problem = alone(target, count, asked.seed, further)
        else:
            problem = run(target, count, asked.seed)
        print(
            f"{target.name:16} {count:10} inputs {time.perf_counter() - began:8.1f} s  {problem or 'well'}",
            flush=True,
        )
        failed |= bool(problem)
    return failed


def run(target: Target, count: int, seed: int) -> str:
    """What went wrong, "" for nothing."""
    source = inputs(target.seeds, Random(f"{seed} {target.name}"))
    settled_kb = 0
    for n in range(count):
        data = next(source)
        began = time.process_time()
        try:
            target.feed(data)
        except Exception as error:
            return f"input {n} raised {error!r}: {data.hex()}"
        if time.process_time() - began > SLOWEST_S:
            return f"input {n} took {time.process_time() - began:.1f} s: {data.hex()}"
        if n == count // 10:
            settled_kb = peak_kb()
    grown_kb = peak_kb() - settled_kb
    return f"memory grew by {grown_kb} kB" if settled_kb and grown_kb > GROWTH_KB else ""


def peak_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def alone(target: Target, count: int, seed: int, further: list[str]) -> str:
    """A guided run in a process of its own; what went wrong, "" for nothing."""
    words = ["--atheris", "--target", target.name, "--inputs", str(count), "--seed", str(seed)]
    command = [sys.executable, "-m", "tests.fuzz", *words, "--", *further]
    ended = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    return "" if ended.returncode == 0 else ended.stderr[-2000:]


def guided(target: Target, count: int, seed: int, further: list[str]) -> NoReturn:
    import atheris

    for function in _ours():
        atheris.instrument_func(function)
    with tempfile.TemporaryDirectory() as corpus:
        for n, sample in enumerate(target.seeds):
            Path(corpus, str(n)).write_bytes(sample)
        limits = [f"-timeout={SLOWEST_S:.0f}", f"-rss_limit_mb={GUIDED_MB}"]
        atheris.Setup(
            [sys.argv[0], corpus, f"-runs={count}", f"-seed={seed}", *limits, *further], target.feed
        )
        atheris.Fuzz()  # ends the process
    raise AssertionError("libFuzzer came back")


def _ours() -> Iterator[FunctionType]:
    """The functions of what is fuzzed; to instrument all that is loaded takes a minute."""
    for name, module in tuple(sys.modules.items()):
        if name.partition(".")[0] in ("sip", "media"):
            for value in vars(module).values():
                members = vars(value).values() if isinstance(value, type) else (value,)
                yield from (
                    each for each in members if isinstance(each, FunctionType) and each.__module__ == name
                )


if __name__ == "__main__":
    sys.exit(main())
