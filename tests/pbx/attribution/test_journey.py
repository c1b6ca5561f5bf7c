"""Touches, milestones and models."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.attribution.journey import HALF_LIFE_MS, MODELS, Journey, Touch, credits
from pbx.attribution.story import told

DAY = 24 * 3600 * 1000


def touch(day, source="ads", **changes):
    values = dict.fromkeys(("medium", "campaign", "keyword", "content", "click_id", "referrer"), "")
    values["landing_page"] = f"https://acme.example/{day}"
    return Touch(at_ms=day * DAY, source=source, **(values | changes))


@pytest.mark.parametrize(
    ("model", "shares"),
    [
        ("first", [1, 0, 0, 0]),
        ("last", [0, 0, 0, 1]),
        ("linear", [0.25, 0.25, 0.25, 0.25]),
        ("position", [0.4, 0.1, 0.1, 0.4]),
        ("time_decay", [1 / 15, 2 / 15, 4 / 15, 8 / 15]),
    ],
)
def test_what_each_model_credits(model, shares):
    assert credits(model, [n * HALF_LIFE_MS for n in range(4)], 4 * HALF_LIFE_MS) == pytest.approx(shares)


@given(st.sampled_from(MODELS), st.lists(st.integers(0, 400 * DAY), max_size=40))
def test_credit_adds_up_to_the_call(model, times):
    shares = credits(model, sorted(times), 401 * DAY)
    assert len(shares) == len(times)
    assert sum(shares) == pytest.approx(1 if times else 0)
    assert all(share >= 0 for share in shares)


def test_a_model_that_does_not_exist():
    with pytest.raises(ValueError, match="there are first, last"):
        credits("best", [1], 2)


def test_milestones_are_whole_touches():
    touches = (touch(1, "ads", campaign="A"), touch(3, "organic", keyword="k"), touch(9, "direct"))
    journey = Journey(touches, call_ms=10 * DAY, lead_ms=4 * DAY)
    assert (journey.first, journey.lead, journey.last) == touches
    assert Journey((), 1, 1).first is Journey((), 1, 1).lead is None


def test_the_story_in_words():
    touches = (
        touch(1, "ads", campaign="Spring", referrer="https://google.com/"),
        touch(3, "organic"),
        touch(9, "direct"),
    )
    journey = Journey(touches, call_ms=10 * DAY, lead_ms=4 * DAY, pages=7, visits=3, calls_before=1)
    assert told(journey, "abcdef0123456789", ZoneInfo("UTC"), str.title) == [
        "Visitor abcdef01 first came on 1970-01-02 00:00 by Ads, campaign Spring to https://acme.example/1"
        " from https://google.com/.",
        "Came again on 1970-01-04 00:00 by Organic to https://acme.example/3.",
        "Last came on 1970-01-10 00:00 by Direct to https://acme.example/9.",
        "Saw 7 pages in 3 visits before this call.",
        "First got in touch on 1970-01-05 00:00, having come by Organic to https://acme.example/3.",
        "Had called 1 time before.",
    ]
