"""Which source a page view falls into."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.attribution.match import explain, holds
from pbx.attribution.pageview import NoPage, page_view
from pbx.attribution.referrers import host_matches
from pbx.attribution.sources import Sources, host_of
from pbx.config.sources import Match

PAGE = "https://www.acme.example/"


def source_of(site, url, referrer=""):
    sources = Sources(site.config)
    return sources.source_of(sources.seen(page_view(url, referrer))[0])


@pytest.mark.parametrize(
    ("host", "pattern", "matches"),
    [
        ("google.com", "google.*", True),
        ("www.google.com", "google.*", True),
        ("m.google.de", "google.*", True),
        ("www.google.co.uk", "google.*", True),
        ("google.com.br", "google.*", True),
        ("mail.google.com", "google.*", False),
        ("google.example.com", "google.*", False),
        ("notgoogle.com", "google.*", False),
        ("google.com", "google.com", True),
        ("www.bing.com", "bing.com", True),
        ("bing.com.evil.example", "bing.com", False),
        ("news.example.com", "*.example.com", True),
        ("example.com", "*.example.com", False),
        ("a.b.example.com", "*.example.com", True),
        ("pages.google.com", "*google*", True),
        ("m.example", "m.example", True),
        ("GOOGLE.com".lower(), "Google.*", True),
    ],
)
def test_hosts(host, pattern, matches):
    assert host_matches(host, pattern) is matches


@pytest.mark.parametrize(
    ("query", "referrer", "source"),
    [
        ("?gclid=abc", "", "google-ads"),
        ("?GCLID=abc", "https://www.google.com/", "google-ads"),
        ("?gclid=", "https://www.google.com/", "organic-google"),
        ("?utm_source=google&utm_medium=cpc", "", "google-ads"),
        ("?utm_source=Google&utm_medium=CPC", "", "google-ads"),
        ("?utm_source=google-display&utm_medium=cpc", "https://elsewhere.example/", "unknown"),
        ("?utm_source=google", "https://elsewhere.example/", "unknown"),
        ("", "https://www.google.com/search?q=plumber", "organic-google"),
        ("", "", "direct"),
        ("", "https://www.acme.example/about", "direct"),
        ("", "https://shop.acme.example/cart", "direct"),
        ("", "https://checkout.stripe.com/pay", "direct"),
        ("", "https://elsewhere.example/", "unknown"),
        ("?ref=Beta", "https://elsewhere.example/", "partners"),
        ("?ref=gamma", "https://elsewhere.example/", "unknown"),
        ("offer/spring", "https://elsewhere.example/", "offer"),
        ("offer/spring", "https://l.facebook.com/", "social"),
        ("", "not a URL", "direct"),
        ("", "android-app://com.google.android.googlequicksearchbox/", "unknown"),
    ],
)
def test_the_first_source_that_matches_is_the_visitors(site, query, referrer, source):
    assert source_of(site, PAGE + query, referrer) == source


def test_everything_of_an_arrival_comes_from_one_page_view(site):
    sources = Sources(site.config)
    view = page_view(
        PAGE
        + "offer/x?utm_source=google&utm_medium=cpc&utm_campaign=Spring&utm_term=pipe&gclid=77&email=a@b.c#top",
        "https://www.google.com/search?q=secret",
    )
    arrival = sources.arrival(sources.seen(view)[0])
    assert arrival.source == "google-ads"
    assert (arrival.medium, arrival.campaign, arrival.keyword) == ("cpc", "Spring", "pipe")
    assert arrival.click_id == "gclid=77"
    assert arrival.landing_page == "https://www.acme.example/offer/x"
    assert arrival.referrer == "https://www.google.com/search"
    assert view.kept_params({"ref"}) == {
        "utm_source": "google", "utm_medium": "cpc", "utm_campaign": "Spring", "utm_term": "pipe", "gclid": "77"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "referrer", "medium"),
    [
        ("?gclid=1", "", "cpc"),
        ("?fbclid=1", "https://www.facebook.com/", "social"),
        ("", "https://www.bing.com/", "organic"),
        ("", "https://x.com/", "social"),
        ("", "https://chatgpt.com/", "assistant"),
        ("", "https://elsewhere.example/", "referral"),
        ("", "", "none"),
        ("?utm_medium=newsletter", "https://x.com/", "newsletter"),
    ],
)
def test_the_medium_when_the_url_does_not_name_it(site, query, referrer, medium):
    assert Sources(site.config).arrival(page_view(PAGE + query, referrer)).medium == medium


@pytest.mark.parametrize(
    ("match", "said"),
    [
        ({"click_id": "google"}, ["no click id google"]),
        ({"all": [{"referrer": "none"}, {"not": {"param": "x"}}]},
         ["all of 2", "referrer none, wanted none", "not", "no parameter x"]),
        ({"utm_source": ["a", "b"]}, ["utm_source is absent, wanted a or b"]),
    ],
)  # fmt: skip
def test_each_rule_says_what_it_found(match, said):
    found = explain(Match.model_validate(match), page_view(PAGE))
    assert [finding.said for finding in found] == said


@pytest.mark.parametrize(
    ("written", "matches"),
    [
        ("google", True),
        ("Google", True),
        ("google-display", False),
        ("mygoogle", False),
        ("google.com", False),
    ],
)
def test_utm_source_is_matched_whole(written, matches):
    """As a part of it, google would take every visitor of google-display, too."""
    assert holds(Match(utm_source="google"), page_view(PAGE + f"?utm_source={written}")) is matches


RULES = st.recursive(
    st.sampled_from(
        [
            {"referrer": "none"},
            {"referrer": ["google.*", "bing.com"]},
            {"param": "gclid"},
            {"param": {"ref": "x"}},
            {"click_id": "any"},
            {"utm_source": "google"},
            {"landing_page": "/a*"},
            {"referrer_group": "search"},
        ]
    ),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"all": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=6,
)
VIEWS = st.builds(
    page_view,
    st.sampled_from(
        [PAGE, PAGE + "abc", PAGE + "?gclid=1", PAGE + "?utm_source=google&ref=x", PAGE + "a?ref=y"]
    ),
    st.sampled_from(["", "https://www.google.com/", "https://bing.com/", "https://other.example/"]),
)


@given(RULES, VIEWS)
def test_not_any_and_all_are_what_logic_says(rule, view):
    def true(each):
        return holds(Match.model_validate(each), view)

    assert true({"not": rule}) is not true(rule)
    assert true({"any": [rule, {"not": rule}]}) is True
    assert true({"all": [rule, {"not": rule}]}) is False
    assert true({"any": [rule]}) is true({"all": [rule]}) is true(rule)


@given(st.text(max_size=200), st.text(max_size=200))
def test_whatever_a_browser_sends_is_a_page_view_or_none(page, referrer):
    try:
        view = page_view("https://" + page, referrer)
    except NoPage:
        return
    assert view.host
    assert view.page.isprintable()


@pytest.mark.parametrize(
    "page", ["", "about:blank", "/relative", "ftp://a.example/", "https://", "http://[::1"]
)
def test_what_is_no_page(page):
    with pytest.raises(NoPage):
        page_view(page)


def test_a_password_in_a_url_is_not_kept():
    assert page_view("https://me:secret@acme.example/x").page == "https://acme.example/x"


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://www.a.example", "www.a.example"),
        ("http://a.example:81", "a.example"),
        ("http://[::1]:8", "::1"),
    ],
)
def test_the_host_of_an_origin(origin, host):
    assert host_of(origin) == host
