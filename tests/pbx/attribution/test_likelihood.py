"""Who calls, and how sure: held against simulated traffic, whose truth is known."""

import random
from bisect import insort
from dataclasses import dataclass

import pytest

from pbx.attribution.leases import Leases
from pbx.attribution.likelihood import NEVER, Chance, Habits, Tie, chances
from pbx.attribution.sources import Arrival

ARRIVAL = Arrival("ads", "cpc", "", "", "", "", "https://acme.example/", "")
HOLD_MS = 30 * 60_000


def sure_of(visitor, found):
    return next((chance.probability for chance in found if chance.visitor == visitor), 0.0)


def test_who_is_on_the_page_is_likelier_than_who_left():
    found, stray = chances([("here", 20), ("gone", 3600)], Habits(), 0)
    assert [chance.visitor for chance in found] == ["here", "gone"]
    assert sure_of("here", found) > 0.9
    assert sum(chance.probability for chance in found) + stray == pytest.approx(1)


def test_two_who_are_there_at_once_share_the_doubt():
    found, _ = chances([("ann", 30), ("bob", 40)], Habits(), 0)
    assert sure_of("ann", found) == pytest.approx(sure_of("bob", found))
    assert 0.4 < sure_of("ann", found) < 0.5


def test_long_ago_it_may_have_been_anybody():
    _, soon = chances([("ann", 60)], Habits(), 0)
    _, late = chances([("ann", 20 * 86400)], Habits(), 0)
    _, never = chances([("ann", 31 * 86400)], Habits(), 0)
    assert soon < 0.01 < late < never


def test_the_callers_own_number_says_more_than_the_clock():
    tie = Tie("gone", 0.97)
    found, _ = chances([("here", 20), ("gone", 7200)], Habits(), 0, tie)
    without, _ = chances([("here", 20), ("gone", 7200)], Habits(), 0)
    assert sure_of("gone", without) < 0.05
    assert sure_of("gone", found) > 10 * sure_of("gone", without)
    assert found[-1 if found[0].visitor == "here" else 0].tied


def test_who_calls_from_another_number_is_less_likely():
    both = [("ann", 30), ("bob", 40)]
    found, _ = chances(both, Habits(), 0, elsewhere={"bob": 0.95})
    assert sure_of("ann", found) > 5 * sure_of("bob", found)


def test_a_caller_known_by_number_alone_is_a_candidate():
    found, stray = chances([], Habits(), 0, Tie("ann", 0.95))
    assert found == [Chance("ann", found[0].probability, NEVER, True)]
    assert found[0].probability > 0.9
    assert stray < 0.1


@dataclass
class Made:
    """A call of simulated traffic: how sure the likeliest was, and whether it was the one."""

    probability: float
    right: bool


def traffic(seed, days, *, numbers, an_hour, stray_a_day, repeat=0.0):
    """Visitors browse, and some call: at once, after a while, or days later from a slip of paper.

    Nothing here has the shape that the model assumes: stays and delays are lognormal, the day has hours.
    """
    chance = random.Random(seed)
    habits = Habits()
    leases = Leases(lambda lease, now_ms: habits.forgotten(lease.started_ms / 1000, now_ms / 1000))
    pool = [f"+{n}" for n in range(numbers)]
    leases.configure({"web": pool})
    actions = []
    at, visitor = 0.0, 0
    while at < days * 86400:
        at += chance.expovariate(an_hour / 3600 * (0.4 if (at // 3600) % 24 < 8 else 1.3))
        visitor += 1
        stay = min(chance.lognormvariate(4.6, 1.0), 3600)
        beats = [at + 60 * n for n in range(int(stay // 60) + 1)]
        actions += [(beat, "beat", visitor) for beat in beats]
        draw = chance.random()
        if draw < 0.05:
            actions.append((at + stay * chance.random(), "call", visitor))
        elif draw < 0.08:
            actions.append((beats[-1] + chance.lognormvariate(6.2, 1.3), "call", visitor))
        elif draw < 0.10:
            actions.append((beats[-1] + chance.lognormvariate(11.0, 1.2), "call", visitor))
    at = 0.0
    while at < days * 86400:
        at += chance.expovariate(stray_a_day * numbers / 86400)
        actions.append((at, "stray", 0))
    seen_number: dict[int, str] = {}
    phones: dict[str, Tie] = {}
    called_from: dict[str, float] = {}
    made = []
    actions.sort()
    for at, what, who in actions:
        now_ms = round(at * 1000) + 1
        if what == "beat":
            lease = leases.take("web", f"v{who}", ARRIVAL, HOLD_MS, now_ms)
            if lease is None:
                continue
            seen_number[who] = lease.number
            if lease.started_ms == now_ms:
                habits.lent(at)
            else:
                habits.stayed(60)
            continue
        if what == "call" and who not in seen_number:
            continue
        number = seen_number[who] if what == "call" else chance.choice(pool)
        delays = [(each.visitor, (now_ms - each.seen_ms) / 1000) for each in leases.history(number, now_ms)]
        phone = f"phone of {who}" if what == "call" else f"stranger {at}"
        tie, elsewhere = phones.get(phone), {} if phone in phones else called_from
        found, stray = chances(delays, habits, at, tie, elsewhere)
        habits.watched(numbers, at)
        habits.called(delays, at, tie, elsewhere)
        if found and found[0].probability > stray:
            made.append(Made(found[0].probability, found[0].visitor == f"v{who}"))
            if found[0].probability >= 0.5:
                phones[phone] = Tie(found[0].visitor, found[0].probability)
                called_from[found[0].visitor] = found[0].probability
        if what == "call" and chance.random() < repeat:
            later = at + chance.expovariate(1 / (10 * 86400))
            insort(actions, (later, "call", who))
    return made


def deciles(made):
    rows = []
    for low in range(0, 100, 10):
        inside = [call for call in made if low / 100 <= call.probability < (low + 10) / 100 + (low == 90)]
        if inside:
            said = sum(call.probability for call in inside) / len(inside)
            right = sum(call.right for call in inside) / len(inside)
            rows.append((f"{low}-{low + 10} %", len(inside), said, right))
    return rows


@pytest.fixture(scope="module")
def made():
    calls = traffic(7, 90, numbers=12, an_hour=20, stray_a_day=0.05, repeat=0.3)
    return calls[len(calls) // 4 :]  # the first are what it learns from


def test_of_the_calls_said_to_be_90_percent_sure_90_are_right(made):
    inside = [call for call in made if call.probability >= 0.9]
    said = sum(call.probability for call in inside) / len(inside)
    right = sum(call.right for call in inside) / len(inside)
    assert len(inside) > 1000
    assert abs(said - right) < 0.02, deciles(made)


def test_what_is_said_to_be_likely_is_about_that_likely(made):
    """Every tenth: within 3 in 100, besides what chance allows for so few calls (two standard errors)."""
    for name, count, said, right in deciles(made):
        chance = 2 * (said * (1 - said) / count) ** 0.5
        assert abs(said - right) < 0.03 + chance, (name, deciles(made))


def test_what_was_learned_outlives_a_restart(made):
    before = Habits()
    for n in range(200):
        before.lent(n * 600.0)
        before.called([(f"v{n}", 30.0 if n % 4 else 4000.0)], n * 600.0)
    now = 200 * 600.0
    after = Habits(before.learned(now))
    for delay in (10, 300, 4000, 90_000):
        assert after.rate(delay, now) == pytest.approx(before.rate(delay, now), rel=0.05)
    assert after.stray_rate == pytest.approx(before.stray_rate)


def report():
    """Every tenth, for three sizes of pool: ``python -m tests.pbx.attribution.test_likelihood``."""
    for size in (6, 12, 25):
        made = traffic(7, 120, numbers=size, an_hour=20, stray_a_day=0.05, repeat=0.3)
        print(f"{size} numbers")
        for row in deciles(made[len(made) // 4 :]):
            print("   {:<9} {:6d} calls  said {:.3f}  right {:.3f}".format(*row))


if __name__ == "__main__":
    report()
