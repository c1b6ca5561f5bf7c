"""Ten million inputs: ``python -m tests.fuzz --inputs 10000000`` (shared out among the parsers).

Ends with 1 and the input in hexadecimal at the first crash, at an input that takes over a second, and
where memory has grown by more than a few megabytes after the first tenth. ``--target`` names one parser,
``--seed`` repeats a run. With ``--atheris`` (``pip install -e '.[fuzz]'``) coverage guides the inputs
instead, without end; what follows goes to libFuzzer: ``--atheris --target sdp -- -max_total_time=600``.
"""

import argparse
import resource
import sys
import time
from random import Random

from tests.fuzz.mutate import inputs
from tests.fuzz.targets import TARGETS, Target

SLOWEST_S = 1.0
GROWTH_KB = 32 * 1024


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--target", choices=sorted(TARGETS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--atheris", action="store_true")
    asked, further = parser.parse_known_args()
    chosen = [TARGETS[asked.target]] if asked.target else list(TARGETS.values())
    if asked.atheris:
        return guided(chosen[0], further)
    failed = 0
    for target in chosen:
        began = time.perf_counter()
        count = asked.inputs // len(chosen)
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


def guided(target: Target, arguments: list[str]) -> int:
    import atheris

    atheris.instrument_all()
    atheris.Setup([sys.argv[0], *(each for each in arguments if each != "--")], target.feed)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
