"""Each platform over real HTTP, against a stand-in that enforces what its documentation says."""

import hashlib
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.conversions.cookies import read_cookies
from pbx.conversions.privacy import google_email, google_phone, meta_email, meta_phone, personal
from pbx.outbox import Again, Delivered, Hopeless
from tests.pbx.conversions.conftest import (
    HOUR_MS,
    NOW,
    NOW_MS,
    call,
    came_in,
    carry,
    click,
    ended,
    form,
    ids,
    of,
    read,
    settings,
)

DAY = timedelta(days=1)


def many(parcel, count):
    """The same conversion, of so many calls."""

    def one(number):
        item = parcel.body["item"]
        order = f"call-{number}"
        renamed = {
            **item,
            **({"order_id": order} if "order_id" in item else {}),
            **({"event_id": order} if "event_id" in item else {}),
        }
        if "params" in item:
            renamed["params"] = item["params"] | {"transaction_id": order}
        return replace(parcel, body=parcel.body | {"order": order, "item": renamed})

    return [one(number) for number in range(count)]


# Google Analytics 4


def test_ga4_hears_of_a_call(engine, services) -> None:
    ids(engine, ga="1234567890.1700000000")
    call(engine)
    config = settings(services.url)
    assert carry(config, of(read(engine, config, ended("call-1")), "ga4")) == [Delivered()]
    assert services.violations == []
    (event,) = services.of("ga4")
    assert (event["client_id"], event["name"]) == ("1234567890.1700000000", "generate_lead")
    assert event["timestamp_micros"] == (NOW_MS - HOUR_MS + 120_000) * 1000
    assert event["params"] == {
        "transaction_id": "call-1",
        "engagement_time_msec": 1,
        "contact": "calls",
        "call_source": "google-ads",
        "call_medium": "cpc",
        "call_campaign": "spring",
        "call_keyword": "plumber",
        "call_landing_page": "https://www.example.com/offer",
        "value": 40,
        "currency": "USD",
    }


def test_ga4_is_told_no_personal_data_and_nothing_too_long(engine, services) -> None:
    call(
        engine,
        campaign="call +1 (212) 555-0199",
        keyword="ann@example.com",
        landing_page="https://www.example.com/" + "x" * 300,
        from_number="+12125550999",
    )
    config = settings(services.url)
    carry(config, of(read(engine, config, ended("call-1")), "ga4"))
    assert services.violations == []
    (event,) = services.of("ga4")
    assert "call_campaign" not in event["params"]
    assert "call_keyword" not in event["params"]
    assert len(event["params"]["call_landing_page"]) == 100
    assert "5550999" not in json.dumps(event)


def test_ga4_gets_25_events_of_one_browser_at_a_time(engine, services) -> None:
    call(engine)
    config = settings(services.url)
    (parcel,) = of(read(engine, config, ended("call-1")), "ga4")
    other = replace(parcel, body=parcel.body | {"item": parcel.body["item"] | {"client": "9.1700000000"}})
    assert carry(config, [*many(parcel, 60), other]) == [Delivered()] * 61
    assert services.sizes == [("ga4", 25), ("ga4", 25), ("ga4", 10), ("ga4", 1)]
    assert services.violations == []
    assert len(services.accepted) == 61


def test_a_body_too_long_for_ga4_goes_in_halves(engine, services) -> None:
    call(engine)
    config = settings(services.url)
    (parcel,) = of(read(engine, config, ended("call-1")), "ga4")
    services.largest_body = 3000
    assert carry(config, many(parcel, 20)) == [Delivered()] * 20
    assert len(services.accepted) == 20
    services.largest_body = 100
    (hopeless,) = carry(config, [parcel])
    assert hopeless == Hopeless("status 413")


def test_what_is_older_than_72_hours_is_not_sent_to_ga4(engine, services) -> None:
    call(engine)
    config = settings(services.url)
    (parcel,) = of(read(engine, config, ended("call-1")), "ga4")
    late = NOW + timedelta(hours=71, minutes=2)  # the call ended 58 minutes ago
    assert carry(config, [parcel], now=late) == [Hopeless("GA4 takes nothing older than 72 hours")]
    assert services.accepted == []
    assert carry(config, [parcel], now=late - timedelta(minutes=5)) == [Delivered()]


# Google Ads


def test_google_ads_hears_of_a_click(engine, services) -> None:
    ids(engine, consent="given")
    call(engine)
    config = settings(services.url)
    assert carry(config, of(read(engine, config, ended("call-1")), "google_ads")) == [Delivered()]
    assert services.of("google_ads") == [
        {
            "conversionAction": "customers/1234567890/conversionActions/111",
            "conversionDateTime": "2026-11-24 06:02:00-05:00",
            "orderId": "call-1",
            "gclid": "Cj0KCQ",
            "conversionValue": 40,
            "currencyCode": "USD",
            "consent": {"adUserData": "GRANTED"},
        }
    ]


def test_of_two_click_ids_one_is_sent_and_of_two_clicks_the_last(engine, services) -> None:
    click(engine, NOW_MS - HOUR_MS - 60_000, wbraid="W", gbraid="B")
    call(engine)
    config = settings(services.url)
    assert carry(config, of(read(engine, config, ended("call-1")), "google_ads")) == [Delivered()]
    (row,) = services.of("google_ads")
    assert (row.get("gclid"), row.get("gbraid"), row.get("wbraid")) == (None, "B", None)
    assert "consent" not in row  # nobody asked the visitor


def test_google_ads_takes_2000_rows_at_a_time(engine, services) -> None:
    call(engine)
    config = settings(services.url)
    (parcel,) = of(read(engine, config, ended("call-1")), "google_ads")
    results = carry(config, many(parcel, 2001))
    assert results == [Delivered()] * 2001
    assert services.sizes == [("google_ads", 2000), ("google_ads", 1)]


def test_each_row_has_its_own_answer(engine, services) -> None:
    call(engine)
    config = settings(services.url)
    (parcel,) = of(read(engine, config, ended("call-1")), "google_ads")
    good, early, expired, again = many(parcel, 4)
    for other, click_id in ((early, "early"), (expired, "expired")):
        other.body["item"]["gclid"] = click_id
    again.body["item"]["order_id"] = "call-0"
    services.clicks = {"early": 0, "expired": (NOW - 91 * DAY).timestamp()}
    services.clicks["early"] = NOW.timestamp() + 10
    results = carry(config, [good, expired, again, early])
    assert results == [
        Delivered(),
        Hopeless("EXPIRED_EVENT: No."),
        Delivered(),  # of one order id the first counts: it was sent before
        Hopeless("CONVERSION_PRECEDES_EVENT: No."),
    ]
    assert len(services.accepted) == 1


def test_a_click_that_google_does_not_know_yet_waits_by_itself(engine, services) -> None:
    call(engine)
    config = settings(services.url)
    (parcel,) = of(read(engine, config, ended("call-1")), "google_ads")
    services.instead = lambda path, count: (
        None
        if path == "/token"
        else (
            200,
            {
                "partialFailureError": {
                    "details": [
                        {
                            "errors": [
                                {
                                    "errorCode": {"conversionUploadError": "TOO_RECENT_EVENT"},
                                    "message": "Wait.",
                                    "location": {
                                        "fieldPathElements": [{"fieldName": "conversions", "index": 1}]
                                    },
                                }
                            ]
                        }
                    ]
                }
            },
            {},
        )
    )
    first, second = carry(config, many(parcel, 2))
    assert first == Delivered()
    assert second == Again("TOO_RECENT_EVENT: Wait.", 6 * 3600, alone=True)


def test_a_click_older_than_90_days_is_not_sent(engine, services) -> None:
    call(engine)
    config = settings(services.url)
    parcels = of(read(engine, config, ended("call-1")), "google_ads")
    assert carry(config, parcels, now=NOW + 90 * DAY) == [
        Hopeless("Google Ads takes no click older than 90 days")
    ]


def test_personal_data_only_hashed_and_only_where_it_is_allowed(engine, services) -> None:
    form(engine)
    enquiry = {"enquiry": "333"}
    plain = settings(services.url, google_ads={"send": enquiry})
    shared = settings(services.url, google_ads={"send": enquiry, "share": ["phone", "email"]})
    (row,) = of(read(engine, plain, came_in("form-1")), "google_ads")
    assert "persons" not in row.body["item"]
    assert carry(shared, of(read(engine, shared, came_in("form-1")), "google_ads")) == [Delivered()]
    (sent,) = services.of("google_ads")
    assert sent["userIdentifiers"] == [
        {"hashedPhoneNumber": hashlib.sha256(b"+12125550999").hexdigest()},
        {"hashedEmail": hashlib.sha256(b"ann.lee@example.com").hexdigest()},
    ]


def test_a_token_is_fetched_once_and_again_when_it_is_refused(engine, services) -> None:
    call(engine)
    config = settings(services.url)
    parcels = of(read(engine, config, ended("call-1")), "google_ads")
    asked: list[str] = []

    def note(path, count):
        asked.append("token" if path == "/token" else "upload")
        return (401, {"error": {"message": "expired"}}, {}) if len(asked) == 2 else None

    services.instead = note
    assert carry(config, parcels, times=3)[0] == Delivered()
    assert asked == ["token", "upload", "token", "upload", "upload"]


def test_credentials_that_are_refused_are_tried_hourly(engine, services) -> None:
    call(engine)
    config = settings(services.url, google_ads={"refresh_token": "stolen"})
    (result,) = carry(config, of(read(engine, config, ended("call-1")), "google_ads"))
    assert result == Again("no access token: status 400 invalid_grant", 3600)
    meta = settings(services.url, meta={"access_token": "old"})
    ids(engine, fbp="fb.1.1700000000000.123")
    (result,) = carry(meta, of(read(engine, meta, ended("call-1")), "meta"))
    assert result == Again("our credentials are refused: 190: expired", 3600)


# Meta


def test_meta_hears_of_a_call_and_of_a_form(engine, services) -> None:
    click(engine, NOW_MS - HOUR_MS - 60_000, fbclid="IwAR123")
    ids(engine, fbp="fb.1.1700000000000.123", agent="Mozilla/5.0 …")
    call(engine)
    form(engine)
    config = settings(services.url)
    parcels = of(read(engine, config, ended("call-1"), came_in("form-1")), "meta")
    assert carry(config, parcels) == [Delivered(), Delivered()]
    told, filled = services.of("meta")
    assert told == {
        "event_name": "Lead",
        "event_time": (NOW_MS - HOUR_MS + 120_000) // 1000,
        "event_id": "call-1",
        "action_source": "phone_call",
        "user_data": {
            "fbc": f"fb.1.{NOW_MS - HOUR_MS - 60_000}.IwAR123",
            "fbp": "fb.1.1700000000000.123",
        },
        "custom_data": {"value": 40, "currency": "USD"},
    }
    assert filled["action_source"] == "website"
    assert filled["event_source_url"] == "https://www.example.com/offer"
    assert filled["user_data"]["client_user_agent"] == "Mozilla/5.0 …"


def test_meta_takes_1000_events_at_a_time_and_none_twice(engine, services) -> None:
    ids(engine, fbp="fb.1.1700000000000.123")
    call(engine)
    config = settings(services.url)
    (parcel,) = of(read(engine, config, ended("call-1")), "meta")
    assert carry(config, many(parcel, 1001), times=2) == [Delivered()] * 1001
    assert services.sizes[:2] == [("meta", 1000), ("meta", 1)]
    assert len(services.accepted) == 1001


def test_one_wrong_event_keeps_no_other_out(engine, services) -> None:
    ids(engine, fbp="fb.1.1700000000000.123")
    call(engine)
    config = settings(services.url)
    (parcel,) = of(read(engine, config, ended("call-1")), "meta")
    parcels = many(parcel, 9)
    parcels[4].body["item"]["user_data"] = {}
    results = carry(config, parcels)
    assert results[4] == Hopeless("status 400: 100: nothing in user_data")
    assert results[:4] + results[5:] == [Delivered()] * 8
    assert len(services.accepted) == 8


def test_what_is_older_than_7_days_is_not_sent_to_meta(engine, services) -> None:
    ids(engine, fbp="fb.1.1700000000000.123")
    call(engine)
    config = settings(services.url)
    parcels = of(read(engine, config, ended("call-1")), "meta")
    assert carry(config, parcels, now=NOW + 7 * DAY) == [Hopeless("Meta takes nothing older than 7 days")]


# All of them


@pytest.mark.parametrize("name", ["ga4", "google_ads", "meta"])
def test_what_may_pass_is_tried_again(name, engine, services) -> None:
    ids(engine, fbp="fb.1.1700000000000.123")
    call(engine)
    config = settings(services.url)
    parcels = of(read(engine, config, ended("call-1")), name)
    limited = (429, {}, {"Retry-After": "120"})
    for instead, expected in (
        (limited, Again("status 429", 120)),
        ((503, None, {}), Again("status 503")),
    ):
        services.instead = lambda path, count, answer=instead: None if path == "/token" else answer
        assert carry(config, parcels) == [expected]
    services.instead = lambda path, count: None
    services.down()
    (result,) = carry(config, parcels)
    assert isinstance(result, Again)
    services.up()
    assert carry(config, parcels) == [Delivered()]


@pytest.mark.parametrize("name", ["ga4", "google_ads", "meta"])
def test_what_the_config_sends_no_more_is_a_dead_letter(name, engine, services) -> None:
    ids(engine, fbp="fb.1.1700000000000.123")
    call(engine)
    parcels = of(read(engine, settings(services.url), ended("call-1")), name)
    gone = carry(settings(services.url, **{name: None}), parcels)
    assert gone == [Hopeless(f"conversions.{name} is no longer in the config")]


def test_hashes_are_of_the_normalised_text() -> None:
    sha = lambda text: hashlib.sha256(text.encode()).hexdigest()  # noqa: E731
    assert google_phone("+12125550999") == sha("+12125550999")
    assert meta_phone("+12125550999") == sha("12125550999")
    assert google_email(" Ann.Lee@GMail.com ") == sha("annlee@gmail.com")
    assert google_email("Ann.Lee@Example.com") == sha("ann.lee@example.com")
    assert meta_email(" Ann.Lee@GMail.com ") == sha("ann.lee@gmail.com")


@pytest.mark.parametrize(
    ("text", "is_personal"),
    [
        ("spring sale 2026", False),
        ("https://www.example.com/offer", False),
        ("plumber 10001", False),
        ("(212) 555-0199", True),
        ("+442079460000", True),
        ("call 212.555.0199 now", True),
        ("ann@example.com", True),
        ("ann%40example.com", True),
    ],
)
def test_personal_data_is_recognised(text, is_personal) -> None:
    assert personal(text) is is_personal


@given(st.integers(10**9, 10**14), st.sampled_from(["", " ", "-", ".", ") "]), st.text("abc xyz", max_size=9))
def test_no_number_gets_past(number, gap, around) -> None:
    digits = str(number)
    written = gap.join((digits[:3], digits[3:6], digits[6:]))
    assert personal(f"{around} {written} {around}")


def test_only_cookies_of_the_right_form_are_believed() -> None:
    assert read_cookies(
        ["_ga=GA1.1.123.1700000000", "_fbp=fb.1.1700000000000.42", "_fbc=fb.1.1700000000000.IwAR"]
    ) == {
        "ga": "123.1700000000",
        "fbp": "fb.1.1700000000000.42",
        "fbc": "fb.1.1700000000000.IwAR",
    }
    assert read_cookies(["_ga=+12125550999", "_fbp=x", "session=1", "_ga", ""]) == {}
