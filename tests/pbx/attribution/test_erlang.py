"""Erlang B, held against the formula itself."""

from math import factorial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.attribution.erlang import blocking, numbers_for


@given(st.integers(0, 60), st.floats(0.01, 80))
def test_the_recursion_is_the_formula(numbers, erlangs):
    terms = [erlangs**n / factorial(n) for n in range(numbers + 1)]
    assert blocking(numbers, erlangs) == pytest.approx(terms[-1] / sum(terms))


@pytest.mark.parametrize(
    ("erlangs", "share", "numbers"), [(0, 0.01, 1), (1, 0.01, 5), (10, 0.01, 18), (100, 0.01, 117)]
)
def test_the_table_that_everybody_prints(erlangs, share, numbers):
    assert numbers_for(erlangs, share) == numbers


@given(st.floats(0.01, 200), st.floats(0.001, 0.5))
def test_the_fewest_that_are_enough(erlangs, share):
    numbers = numbers_for(erlangs, share)
    assert blocking(numbers, erlangs) <= share
    assert numbers == 0 or blocking(numbers - 1, erlangs) > share


def test_thousands_of_numbers_neither_overflow_nor_lose_digits():
    assert 0 < blocking(5000, 4900) < 0.01
