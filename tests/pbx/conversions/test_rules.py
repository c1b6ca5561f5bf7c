"""Which contacts convert, for whom, and why not."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from pbx.config.conversions import ConversionEvent, Conversions, Ga4
from pbx.conversions.facts import Contact, Known
from pbx.conversions.ga4 import GoogleAnalytics
from pbx.conversions.reader import consider
from pbx.conversions.rules import value_of, why_not
from tests.pbx.conversions.conftest import (
    NOW_MS,
    VISITOR,
    call,
    came_in,
    click,
    ended,
    form,
    ids,
    of,
    read,
    settings,
)

ANSWERED = Contact(
    of="calls", id="c", at_ms=0, visitor=VISITOR, status="answered", talk_s=90, score=4, tags=frozenset({"hot"}),
    outcome="lead", source="radio", milestones=frozenset({"lead"}),
)  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ({"status": ["answered", "voicemail"], "min_talk": "90s", "min_score": 4, "tag": ["hot", "vip"]}, ""),
        ({"outcome": ["lead"], "source": ["radio"], "milestone": "lead"}, ""),
        ({"milestone": "sale"}, "the visitor did not reach the milestone sale by it"),
        ({"of": ["forms"]}, "only forms are"),
        ({"status": ["missed"]}, "its status is answered"),
        ({"outcome": ["sale"]}, "its outcome is lead"),
        ({"tag": ["vip"]}, "it does not bear the tag vip"),
        ({"source": ["tv"]}, "its source is radio"),
        ({"min_score": 5}, "its score is 4"),
        ({"min_talk": "2m"}, "they talked for 90 s"),
    ],
)
def test_all_that_is_given_must_hold(rule, reason) -> None:
    assert why_not(ConversionEvent.model_validate(rule), ANSWERED) == reason


def test_only_calls_have_what_only_calls_have() -> None:
    with pytest.raises(ValidationError, match="outcome is something that only calls have, not forms"):
        ConversionEvent.model_validate({"of": ["calls", "forms"], "outcome": ["sale"]})


def test_a_value_is_one_for_all_or_by_outcome() -> None:
    assert value_of(ConversionEvent(value=12.5), ANSWERED) == 12.5
    assert value_of(ConversionEvent(value={"lead": 40, "sale": 250}), ANSWERED) == 40
    assert value_of(ConversionEvent(value={"sale": 250}), ANSWERED) is None
    assert value_of(ConversionEvent(value=12.5), replace(ANSWERED, value=99.9)) == 99.9


@pytest.mark.parametrize(
    ("contact", "known", "reason"),
    [
        ({"visitor": ""}, Known(VISITOR, 0), "no visitor of the website is known to be behind it"),
        ({}, None, "the visitor is forgotten"),
        ({}, Known(VISITOR, 0, ids={"consent": "refused"}), "the visitor has refused"),
        ({"probability": 0.6}, Known(VISITOR, 0), "it is only 60% sure that it was this visitor"),
    ],
)
def test_only_visitors_who_are_known_sure_and_did_not_refuse(contact, known, reason) -> None:
    config = settings(google_ads=None, meta=None)
    assert config.ga4 is not None
    who = Contact(**({"of": "calls", "id": "c", "at_ms": 0, "visitor": VISITOR, "status": "answered", "talk_s": 90} | contact))  # fmt: skip
    said = {
        each.event: each for each in consider(config, "EUR", [GoogleAnalytics(config.ga4)], who, known, 0)
    }
    assert (said["lead"].item, said["lead"].why_not) == (None, reason)
    assert said["sale"].why_not == "it is no sale: its outcome is not set"


def test_nothing_is_sent_unless_it_is_written() -> None:
    assert not Conversions().wanted


@pytest.mark.parametrize("name", ["session_start", "1st", "ga_lead", "a" * 41, "purchase now", "_x"])
def test_names_that_ga4_would_drop_are_refused(name) -> None:
    with pytest.raises(ValidationError, match="no name of a GA4 event"):
        Ga4(measurement_id="G-ABC123", api_secret="x", send={"lead": name})


def test_a_call_is_told_of_when_it_becomes_what_it_is(engine) -> None:
    call(engine, outcome=None)
    config = settings()
    assert {(each.target, each.body["event"]) for each in read(engine, config, ended("call-1"))} == {
        ("ga4", "lead"),
        ("google_ads", "lead"),
        # Meta knows nothing of the visitor: a Google click, no cookie.
    }
    call(engine, "call-2", outcome="sale", talk_ms=1000)
    edited = read(engine, config, ended("call-2", "call.edited", NOW_MS))
    assert [(each.target, each.body["event"], each.dedupe) for each in edited] == [
        ("ga4", "sale", "conversion/ga4/sale/call-2"),
        ("google_ads", "sale", "conversion/google_ads/sale/call-2"),
    ]
    assert edited[0].body["item"]["params"]["value"] == 250
    assert edited[0].body["item"]["at_ms"] == NOW_MS  # when it became a sale


def test_other_events_and_other_calls_are_not(engine) -> None:
    call(engine, "live", status="in_progress", ended_ms=None)
    call(engine, "out", direction="outbound")
    call(engine, "unsure", probability=0.5)
    config = settings()
    events = [ended("call-1"), ended("live"), ended("out"), ended("unsure"), ended("unsure", "step.entered")]
    assert read(engine, config, *events) == []


def test_a_form_and_its_milestone(engine) -> None:
    click(engine, NOW_MS - 3 * 3_600_000 // 2, fbclid="IwAR")
    ids(engine, agent="Firefox")
    form(engine)
    first = settings(events={"enquiry": {"of": ["forms"], "milestone": "lead", "value": 5}})
    (parcel,) = of(read(engine, first, came_in("form-1")), "meta")
    assert parcel.body["item"]["action_source"] == "website"
    call(engine)  # before it, of the same visitor
    form(engine, "form-2", created_ms=NOW_MS)
    assert read(engine, first, came_in("form-2")) == []


def test_a_visitor_who_is_forgotten_is_not_told_of(engine) -> None:
    call(engine, visitor="f" * 32)
    assert read(engine, settings(), ended("call-1")) == []


def test_of_two_sales_of_a_visitor_the_first_is_the_milestone(engine) -> None:
    first = settings(
        events={"sale": {"outcome": ["sale"], "milestone": "sale"}},
        google_ads=None,
        meta=None,
        ga4={"send": {"sale": "purchase"}},
    )
    call(engine, "call-1", outcome="sale")
    call(engine, "call-2", outcome="sale", started_ms=NOW_MS - 1000)
    sold = read(engine, first, ended("call-1"), ended("call-2"))
    assert [parcel.body["order"] for parcel in sold] == ["call-1"]


def test_a_value_that_somebody_set_is_what_is_told(engine) -> None:
    call(engine, outcome="sale", value_cents=123_45)
    parcels = of(read(engine, settings(), ended("call-1", "call.edited")), "google_ads")
    told = {parcel.body["event"]: parcel.body["item"] for parcel in parcels}
    assert (told["sale"]["value"], told["sale"]["currency"]) == (123.45, "USD")
