"""The short run that every test run makes; ``python -m tests.fuzz`` makes the long one."""

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.__main__ import run
from tests.fuzz.mutate import inputs
from tests.fuzz.targets import TARGETS, Target

SHORT = 3000


@pytest.mark.parametrize("name", TARGETS)
def test_mutated_samples(name) -> None:
    assert run(TARGETS[name], SHORT, seed=1) == ""


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_bytes(name, data) -> None:
    target = TARGETS[name]
    target.feed(data.draw(st.binary(max_size=400)))
    seed = data.draw(st.sampled_from(target.seeds))
    at = data.draw(st.integers(0, len(seed)))
    target.feed(seed[:at] + data.draw(st.binary(max_size=20)) + seed[at:])


def test_a_crash_is_told_with_its_input() -> None:
    def breaks(data: bytes) -> None:
        raise KeyError("x")

    assert run(Target("broken", breaks, (b"a",)), 5, seed=1).startswith("input 0 raised KeyError('x'): ")


def test_a_run_can_be_repeated() -> None:
    first, second = (inputs((b"abc", b"def"), Random(7)) for _ in range(2))
    assert [next(first) for _ in range(50)] == [next(second) for _ in range(50)]
