"""geo by number, by code typed in, and by the nearest office: where it leads, and the reason kept."""

from collections.abc import Sequence
from datetime import date

import pytest
from pydantic import ValidationError

from pbx.flows.steps.geo import Geo
from tests.pbx.flows.test_deciding_steps import Told

OFFICES = """
zip: {collect: Your ZIP code, digits: 5, retries: 0, next: where}
where:
  by: [zip, number]
  geo:
    - {name: around Newark, areas: ["070*", "071*", Hoboken], to: newark}
    - name: nearest office
      offices: {newark: "Newark, NJ", boston: "02108, US"}
      within: 150 miles
  otherwise: elsewhere
newark: {say: Newark}
boston: {say: Boston}
elsewhere: {say: Elsewhere, next: told}
told: {set: {km: "{where.distance}"}}
"""
ANCHORAGE, BOSTON, JERSEY = "+19075550123", "+16175550123", "+19735550123"


def told(press: Sequence[str] = (), caller: str = ANCHORAGE) -> Told:
    return Told(OFFICES, press=press, caller=caller)


@pytest.mark.parametrize(
    ("code", "caller", "step"),
    [
        ("07102", BOSTON, "newark"),
        ("07030", BOSTON, "newark"),  # Hoboken
        ("02139", JERSEY, "boston"),
        ("06510", ANCHORAGE, "newark"),  # New Haven lies nearer to Newark
        ("", BOSTON, "boston"),
        ("", JERSEY, "newark"),
        ("00000", BOSTON, "boston"),  # no ZIP code: the number counts
        ("99501", ANCHORAGE, "elsewhere"),
        ("", "", "elsewhere"),
    ],
)
def test_where_callers_go(code: str, caller: str, step: str):
    assert told([code], caller).path[2] == step


def test_the_reason_has_distance_evidence_and_the_next_office():
    run = told(["06510"])
    assert run.reasons[1] == (
        "nearest office: Newark, NJ is 124 km (77 miles) from New Haven, CT, by the ZIP code 06510 typed in;"
        " the next, 02108, US, is 193 km (120 miles) away"
    )
    assert run.recorded["where"] == "nearest office"
    assert run.recorded["where.distance"] == "124"


def test_a_numbers_area_code_is_weak_evidence_and_says_so():
    assert (
        "by the number; it may be a mobile, which keeps its number when its owner moves"
        in (told(caller=JERSEY).reasons[1])
    )


def test_why_nobody_is_near_is_told_for_each_way():
    assert told(["99501"]).reasons[1] == (
        "the code 99501 typed in is of none of the areas; the caller's number is from none of the areas"
    )
    assert told([], "").reasons[1] == "no code was typed in at zip; the caller withheld the number"


@pytest.mark.parametrize(
    "rule",
    [
        {"name": "x", "areas": ["NJ"]},
        {"name": "x", "to": "a"},
        {"name": "x", "areas": ["NJ"], "to": "a", "offices": {"b": "Newark, NJ"}},
        {"name": "x", "offices": {"b": "Newark, NJ"}, "to": "a"},
        {"name": "x", "areas": ["NJ"], "to": "a", "within": "3 km"},
        {"name": "x", "offices": {"b": "Newark, NJ"}, "within": "far"},
    ],
)
def test_rules_that_say_two_things_or_half_of_one(rule: dict[str, object]):
    with pytest.raises(ValidationError):
        Geo.model_validate({"geo": [rule], "otherwise": "z"})


def test_what_is_wrong_with_a_step_is_told():
    step = Geo.model_validate(
        {
            "geo": [{"name": "x", "offices": {"a": "Newark, NJ", "b": "Atlantis, NJ"}}],
            "otherwise": "z",
            "next": "a",
        }
    )
    assert [(doubt.loc, doubt.message.partition(";")[0]) for doubt in step.doubts(date(2026, 11, 25))] == [
        (("next",), "'next' is never taken"),
        (("geo", 0, "offices", "b"), "'Atlantis, NJ' is no place that is known"),
    ]
