"""Numbers lent to visitors."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from pbx.attribution.leases import REMEMBERED, REMEMBERED_MS, Leases
from pbx.attribution.sources import Arrival

ARRIVAL = Arrival("google-ads", "cpc", "", "", "", "", "https://acme.example/", "")
HOLD = 30 * 60_000
POOL = {"web": ["+1", "+2", "+3"]}


def made(pools=POOL):
    leases = Leases()
    leases.configure(pools)
    return leases


def take(leases, visitor, now_ms, pool="web"):
    lease = leases.take(pool, visitor, ARRIVAL, HOLD, now_ms)
    return lease and lease.number


def test_a_visitor_keeps_the_number():
    leases = made()
    assert take(leases, "ann", 1) == take(leases, "ann", 60_000) == take(leases, "ann", HOLD)


def test_the_number_released_longest_ago_is_next():
    leases = made()
    first, second, third = (take(leases, visitor, at) for at, visitor in enumerate(("ann", "bob", "cid"), 1))
    assert {first, second, third} == {"+1", "+2", "+3"}
    take(leases, "ann", 10_000)  # a sign of life: ann's number is now released last
    later = 10_000 + HOLD + 1
    assert [take(leases, each, later) for each in ("dan", "eve", "fay")] == [second, third, first]


def test_a_pool_that_is_dry_lends_nothing_and_counts_it():
    leases = made({"web": ["+1"]})
    assert take(leases, "ann", 1) == "+1"
    assert take(leases, "bob", HOLD + 1) is None
    assert leases.dry == {"web": 1}
    assert take(leases, "bob", HOLD + 2) == "+1"


def test_who_comes_back_gets_the_same_number_while_it_is_nobody_elses():
    leases = made()
    mine = take(leases, "ann", 1)
    take(leases, "bob", 2)
    assert take(leases, "ann", 50 * HOLD) == mine


def test_who_comes_back_too_late_gets_another():
    leases = made({"web": ["+1", "+2"]})
    assert take(leases, "ann", 1) == "+1"
    assert take(leases, "bob", 2) == "+2"
    assert take(leases, "cid", HOLD + 2) == "+1"
    assert take(leases, "ann", HOLD + 3) == "+2"


def test_a_visitor_has_a_number_of_each_pool():
    leases = made({"web": ["+1"], "shop": ["+9"]})
    assert (take(leases, "ann", 1), take(leases, "ann", 1, "shop")) == ("+1", "+9")


def test_a_number_taken_out_of_the_config_is_lent_no_more():
    leases = made({"web": ["+1", "+2"]})
    assert take(leases, "ann", 1) == "+1"
    leases.configure({"web": ["+2"]})
    assert take(leases, "ann", 2) == "+2"
    assert [lease.visitor for lease in leases.history("+1", 3)] == ["ann"]


def test_leases_survive_a_restart():
    before = made()
    numbers = {visitor: take(before, visitor, at) for at, visitor in enumerate(("ann", "bob"), 1)}
    after = Leases()
    after.restore(lease for number in POOL["web"] for lease in reversed(before.history(number, 3)))
    after.configure(POOL)
    assert {visitor: take(after, visitor, 4) for visitor in ("ann", "bob")} == numbers
    assert take(after, "cid", 5) not in numbers.values()


def test_the_history_is_newest_first_and_bounded():
    leases = made({"web": ["+1"]})
    for round in range(60):
        take(leases, f"v{round}", 1 + round * (HOLD + 1))
    now = 60 * (HOLD + 1)
    assert [lease.visitor for lease in leases.history("+1", now)] == [
        f"v{n}" for n in range(59, 59 - REMEMBERED, -1)
    ]
    assert leases.history("+1", now + REMEMBERED_MS) == []


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 3 * HOLD)), max_size=60), st.integers(1, 5))
def test_no_number_is_two_visitors_at_once(steps, size):
    """Held against the plainest model there is: a list of numbers in the order of their release."""
    leases = made({"web": [f"+{n}" for n in range(size)]})
    released = deque((0, f"+{n}") for n in range(size))
    owner, now = {}, 0
    for visitor, passed in steps:
        now += passed
        held = next((n for _, n in released if owner.get(n) == visitor), None)
        free = min((at, n) for at, n in released)
        expected = held or (free[1] if free[0] < now else None)
        assert take(leases, visitor, now) == expected
        if expected is not None:
            owner[expected] = visitor
            released = deque((at, n) for at, n in released if n != expected)
            released.append((now + HOLD, expected))
    assert leases.lent(now) == sum(at >= now for at, number in released if number in owner)
