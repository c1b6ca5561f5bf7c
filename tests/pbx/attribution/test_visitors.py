"""Page views, visits, numbers shown, and the calls that come of them."""

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest

from pbx.attribution.events import ContactMade, LeaseSeen, PageViewed
from pbx.attribution.pageview import page_view
from pbx.attribution.verdict import verdict
from pbx.attribution.visitors import Visitors
from tests.pbx.attribution.conftest import CONFIG, NOON, write_site

TARGET = "+12125550199"
PAGE = "https://www.acme.example/"
ADS = PAGE + "?gclid=1&utm_campaign=Spring&utm_term=pipe"
LATER = timedelta(minutes=45)
CALLER = "+12125557788"


class World:
    """The site's visitors, a clock, and what was recorded."""

    def __init__(self, site):
        self.site = site
        self.now = NOON
        self.recorded = []
        ids = (f"{n:032x}" for n in itertools.count(1))
        self.visitors = Visitors(site, self.recorded.append, lambda: next(ids))

    def view(self, visitor=None, url=PAGE, referrer="", targets=(TARGET,)):
        return self.visitors.viewed(visitor, page_view(url, referrer), targets, self.now)

    def alive(self, visitor):
        return self.visitors.alive(visitor, page_view(PAGE), (TARGET,), self.now)

    def wait(self, **time):
        self.now += timedelta(**time)

    def call(self, number, caller=CALLER, call_id="c1"):
        found = verdict(self.site, number, caller, self.now, self.visitors)
        self.visitors.took(call_id, number, caller, found.visitor, found.probability, self.now)
        return found

    def arrivals(self):
        return [event.arrival for event in self.recorded if isinstance(event, PageViewed) and event.arrival]


@pytest.fixture
def world(site):
    return World(site)


def test_a_new_visitor_gets_an_id_and_a_number(world):
    shown = world.view(url=ADS)
    assert shown.visitor == f"{1:032x}"
    assert shown.source == "google-ads"
    assert shown.swaps == {TARGET: "+12125550110"}
    assert shown.until_ms == (NOON + timedelta(minutes=30)).timestamp() * 1000


def test_the_next_page_is_the_same_visit_with_the_same_number(world):
    first = world.view(url=ADS)
    world.wait(minutes=5)
    second = world.view(first.visitor, PAGE + "contact", PAGE)
    assert (second.source, second.swaps) == (first.source, first.swaps)
    views = [event for event in world.recorded if isinstance(event, PageViewed)]
    assert [bool(view.arrival) for view in views] == [True, False]
    assert views[0].session_ms == views[1].session_ms


@pytest.mark.parametrize(
    ("wait", "url", "referrer", "source"),
    [
        (5, PAGE, "", "google-ads"),  # typed in, or opened again, within the visit
        (5, PAGE, "https://www.google.com/", "organic-google"),  # within the visit, from elsewhere
        (5, ADS, "", "google-ads"),  # loaded again
        (45, PAGE, "", "direct"),  # a new visit
        (45, PAGE + "x", PAGE, "google-ads"),  # read for long, then went on
        (45, PAGE, "https://www.paypal.com/", "google-ads"),  # paid
        (45, PAGE, "https://www.google.com/", "organic-google"),
    ],
)
def test_what_a_further_page_view_is(world, wait, url, referrer, source):
    first = world.view(url=ADS)
    world.wait(minutes=wait)
    assert world.view(first.visitor, url, referrer).source == source


def test_loading_the_landing_page_again_is_no_second_arrival(world):
    first = world.view(url=ADS)
    world.wait(minutes=1)
    world.view(first.visitor, ADS)
    assert len(world.arrivals()) == 1
    world.view(first.visitor, ADS.replace("gclid=1", "gclid=2"))
    assert [arrival.click_id for arrival in world.arrivals()] == ["gclid=1", "gclid=2"]


def test_a_dry_pool_falls_back_to_the_sources_own_number_and_then_to_the_target(world):
    for _ in range(2):
        world.view(url=ADS)
    ads, direct = world.view(url=ADS), world.view()
    assert (ads.swaps, ads.until_ms) == ({TARGET: "+12125550101"}, None)
    assert (direct.source, direct.swaps, direct.until_ms) == ("direct", {}, None)


def test_a_source_that_the_pool_does_not_serve(world):
    assert world.view(url=PAGE + "?ref=alpha").swaps == {}


def test_a_number_that_is_no_target_stays(world):
    assert world.view(targets=("+12125550142", "nonsense")).swaps == {}


def test_signs_of_life_hold_the_number_and_are_not_all_written(world):
    visitor = world.view().visitor
    for _ in range(12):
        world.wait(minutes=20)
        shown = world.alive(visitor)
    assert shown.swaps == {TARGET: "+12125550110"}
    world.recorded.clear()
    for _ in range(10):
        world.wait(seconds=3)
        world.alive(visitor)
    assert len([event for event in world.recorded if isinstance(event, LeaseSeen)]) == 1
    assert not [event for event in world.recorded if isinstance(event, PageViewed)]


def test_without_consent_nothing_is_kept(world):
    shown = world.visitors.anonymous(page_view(ADS), (TARGET,))
    assert (shown.visitor, shown.source, shown.swaps) == (None, "google-ads", {TARGET: "+12125550101"})
    further = world.visitors.anonymous(page_view(PAGE + "contact", PAGE), (TARGET,))
    assert (further.source, further.swaps) == ("unknown", {})
    assert world.recorded == []


# --- calls ----------------------------------------------------------------------------------------


def test_a_call_is_the_visitors_whom_the_number_is_lent_to(world):
    shown = world.view(url=ADS, referrer="https://www.google.com/")
    world.wait(seconds=40)
    found = world.call(shown.swaps[TARGET])
    assert (found.source, found.visitor, found.ambiguous) == ("google-ads", shown.visitor, False)
    assert found.probability > 0.98
    assert found.reasons[0] == "(212) 555-0110 belongs to the pool website"
    assert found.reasons[1].endswith(
        "sure: visitor 00000000 was shown this number from 2026-11-24 12:00 and was last seen 40 s before the call"
    )
    assert found.reasons[2] == (
        "that visitor came by Google Ads to https://www.acme.example/, campaign Spring, from https://www.google.com/"
    )
    assert found.origin() | {"candidates": ()} == {
        "medium": "cpc", "campaign": "Spring", "keyword": "pipe", "landing_page": PAGE,
        "referrer": "https://www.google.com/", "visitor": shown.visitor, "pool": "website",
        "probability": round(found.probability, 4), "candidates": (),
    }  # fmt: skip


def test_competing_visitors_are_named(world):
    first, second = world.view(url=ADS), world.view()
    world.wait(minutes=31)
    third = world.view()
    assert third.swaps == first.swaps
    world.wait(minutes=25)
    found = world.call(first.swaps[TARGET])
    named = {candidate.visitor: candidate.probability for candidate in found.callers.candidates}
    assert set(named) == {first.visitor, third.visitor}
    assert found.visitor == third.visitor
    assert found.ambiguous
    assert any(reason.startswith("ambiguous") for reason in found.reasons)
    assert sum("also possible" in reason for reason in found.reasons) >= 1
    assert second.visitor not in named


def test_who_called_before_is_known_by_the_number(world):
    first = world.view(url=ADS)
    world.wait(seconds=30)
    world.call(first.swaps[TARGET])
    (contact,) = [event for event in world.recorded if isinstance(event, ContactMade)]
    assert (contact.visitor, contact.channel, contact.ref, contact.phone) == (
        first.visitor,
        "call",
        "c1",
        CALLER,
    )
    world.wait(days=2)
    static = world.call("+12125550100", call_id="c2")
    assert (static.source, static.visitor) == ("yellow-pages", first.visitor)
    assert "called from or left before" in static.reasons[1]
    assert static.origin()["medium"] == "print"
    pool = world.call("+12125550111", call_id="c3")
    assert pool.visitor == first.visitor
    assert pool.callers.candidates[0].tied


def test_a_form_ties_a_later_call(world):
    visitor = world.view(url=ADS).visitor
    world.visitors.contact(visitor, "form", "f1", world.now, CALLER)
    world.wait(days=40)
    assert world.call("+12125550110").visitor == visitor


def test_a_number_nobody_has_seen_for_long_is_unknown(world):
    shown = world.view(url=ADS)
    world.wait(days=29)
    found = world.call(shown.swaps[TARGET], caller="")
    assert (found.source, found.visitor) == ("unknown", "")
    assert "most likely" in found.reasons[1]
    assert found.callers.candidates[0].visitor == shown.visitor


def test_everything_outlives_a_restart(world, site):
    shown = world.view(url=ADS)
    world.call(shown.swaps[TARGET])
    after = World(site)
    leases = world.visitors.leases.history("+12125550110", world.now.timestamp() * 1000)
    tie = world.visitors.tie(CALLER)
    after.visitors.restore([replace(lease) for lease in leases], [(CALLER, tie)], None, NOON)
    after.now = NOON + timedelta(minutes=2)
    found = after.call(shown.swaps[TARGET])
    assert (found.visitor, found.source) == (shown.visitor, "google-ads")
    assert after.view(shown.visitor, PAGE + "x", PAGE).swaps == shown.swaps


def test_a_reload_changes_what_is_shown_and_keeps_visits(world, tmp_path):
    shown = world.view(url=ADS)
    changed = CONFIG.replace('"+12125550110", "+12125550111"', '"+12125550111"')
    world.visitors.reconfigure(write_site(tmp_path, changed))
    again = world.view(shown.visitor, PAGE + "x", PAGE)
    assert (again.source, again.swaps) == ("google-ads", {TARGET: "+12125550111"})
