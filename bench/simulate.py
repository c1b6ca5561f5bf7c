"""How many calls a second one core simulates.

    PYTHONPATH=. .venv/bin/python bench/simulate.py [--calls 3000]

Simulates calls to the numbers of the repository's own site, each caller in turn pressing another key.
In the first mix seven of ten calls find agents who answer; for the others they are busy, let it ring, or
are away, and the caller waits in a queue for minutes. The other mixes are of one kind each, so that the
dearest is seen. Prints calls per second of CPU time, and
the same in *steps of a reference*: an empty loop of Python, timed just before and after. Compare
machines, or one machine's good and bad hours, by that ratio: 1000 calls a second on a core that runs
the reference at 15 million steps a second is 15 000 steps a call.
"""

import argparse
import itertools
import statistics
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from pbx.config.load import Site, load
from pbx.flows.simulation import Behaviour, simulate

REPOSITORY = Path(__file__).resolve().parents[1]
MONDAY = datetime(2026, 12, 7, 10)
REFERENCE_STEPS = 1_000_000
ROUNDS = 10
MIXES = {
    "mixed": (*[Behaviour.ANSWER] * 7, Behaviour.BUSY, Behaviour.NONE, Behaviour.AWAY),
    **{f"all {behaviour}": (behaviour,) for behaviour in Behaviour},
}


def calls(site: Site, agents: Sequence[Behaviour]) -> Iterator[tuple[str, str, Behaviour]]:
    """Number, keys and agents of one call after another, over and over."""
    return itertools.cycle(itertools.product(site.config.numbers, ("1", "2", "3", "", "9"), agents))


def reference() -> float:
    """Steps a second of a loop that does nothing."""
    began = time.process_time()
    for _ in range(REFERENCE_STEPS):
        pass
    return REFERENCE_STEPS / (time.process_time() - began)


def measure(site: Site, mix: Sequence[Behaviour], count: int) -> tuple[list[float], list[float]]:
    """Calls a second of CPU in each round, and reference steps a call."""
    rates, ratios = [], []
    todo = calls(site, mix)
    for _ in range(ROUNDS):
        before = reference()
        began = time.process_time()
        for did, press, agents in itertools.islice(todo, count // ROUNDS):
            simulate(site, did, "+19735551234", MONDAY, list(press), agents)
        rate = count // ROUNDS / (time.process_time() - began)
        rates.append(rate)
        ratios.append((before + reference()) / 2 / rate)
    return rates, ratios


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=3000)
    options = parser.parse_args()
    site = load(REPOSITORY / "config.yaml", {"ALICE_PASSWORD": "alice's own", "BOB_PASSWORD": "bob's own"})
    print(f"{options.calls} calls of each mix, a second of CPU; median, worst and best of {ROUNDS} rounds")
    for name, mix in MIXES.items():
        rates, ratios = measure(site, mix, options.calls)
        print(
            f"{name:12}{statistics.median(rates):6.0f}{min(rates):6.0f}{max(rates):6.0f}"
            f"{statistics.median(ratios):9.0f} reference steps a call"
        )


if __name__ == "__main__":
    main()
