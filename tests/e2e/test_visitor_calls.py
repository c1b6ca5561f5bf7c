"""From a page view to an attributed call, over real HTTP and real SIP, and over a restart."""

import signal

import pytest

from pbx.attribution.journey import MODELS
from tests.support.phones import sipp_calls
from tests.support.server import Server, eventually, server

pytestmark = pytest.mark.peers

FLOWS = {"wait": "name: Wait\nstart: wait\nsteps:\n  wait: {wait: 60s}\n"}
POOL = """
pools:
  website:
    numbers: ["+12125550110", "+12125550111"]
    targets: ["+1 (212) 555-0199"]
    flow: wait
"""
TARGET = "+12125550199"
PAGE = "https://www.acme.example/offer"
SEARCHED = f"{PAGE}?gclid=abc&utm_campaign=Spring&utm_term=burst+pipe"
HANGS_UP = "+12125557702"  # From, in the scenario


@pytest.fixture
def site(tmp_path):
    with server(tmp_path, FLOWS) as running:
        text = running.config.read_text()
        ads = "sources:\n  google-ads: {name: Google Ads, match: {click_id: google}}\n"
        running.config.write_text(text.replace("sources:\n", ads) + POOL)
        running.pbx("reload")
        eventually("the reload", lambda: TARGET[2:] in running.read("/t.js").decode())
        yield running


def view(site: Server, url: str, visitor: str | None = None, referrer: str = "") -> dict:
    report = {"visitor": visitor, "consent": True, "page": url, "referrer": referrer, "targets": [TARGET]}
    return site.post("/api/dni", report)


def test_a_visitor_calls(site):
    shown = view(site, SEARCHED, referrer="https://www.google.com/search?q=plumber")
    assert shown["source"] == "google-ads"
    lent = shown["swaps"][TARGET]
    view(site, f"{PAGE}/prices", shown["visitor"], PAGE)

    sipp_calls(site, "hangs_up", 0, service=lent)
    call = site.ended_call()
    assert (call["from"], call["to"], call["source"]) == (HANGS_UP, lent, "google-ads")
    why = call["attribution"]
    assert (why["visitor"], why["pool"], why["ambiguous"]) == (shown["visitor"], "website", False)
    assert why["probability"] > 0.9
    assert (why["medium"], why["campaign"], why["keyword"]) == ("cpc", "Spring", "burst pipe")
    assert (why["landing_page"], why["referrer"]) == (PAGE, "https://www.google.com/search")
    assert [each["visitor"] for each in why["candidates"]] == [shown["visitor"]]
    assert why["reasons"][0].endswith("belongs to the pool website")

    way = why["journey"]
    assert (way["pages"], way["visits"], way["calls_before"]) == (2, 1, 0)
    assert way["first"] == way["last"] == way["lead"] == way["touches"][0]
    assert way["credit"] == {model: [1.0] for model in MODELS}

    assert [each["name"] for each in way["milestones"]] == ["first_touch", "lead"]
    site.patch(f"/api/calls/{call['id']}", {"outcome": "lead"})
    site.patch(f"/api/calls/{call['id']}", {"outcome": "sale"})
    reached = site.get(f"/api/calls/{call['id']}")["attribution"]["journey"]["milestones"]
    assert [each["name"] for each in reached] == ["first_touch", "lead", "qualified", "sale"]
    assert [each["touch"] for each in reached] == [way["first"]] * 4
    assert [each["ref"] for each in reached] == ["", *[call["id"]] * 3]
    assert reached[2]["at"] < reached[3]["at"]

    timeline = site.get(f"/api/visitors/{shown['visitor']}")["timeline"]
    assert [entry["kind"] for entry in timeline] == ["page", "page", "contact"]
    assert timeline[-1]["ref"] == call["id"]

    told = site.pbx("why", call["id"]).stdout
    assert "Google Ads, campaign Spring, keyword burst pipe" in told
    assert "% sure: visitor" in told


def test_a_number_that_was_answered_is_the_visitors_even_if_the_server_dies_at_once(site):
    shown = view(site, SEARCHED)
    site.stop(signal.SIGKILL)
    site.start()
    again = view(site, f"{PAGE}/prices", shown["visitor"], PAGE)
    assert (again["source"], again["swaps"]) == ("google-ads", shown["swaps"])


def test_leases_and_callers_outlive_a_killed_server(site):
    shown = view(site, SEARCHED)
    lent = shown["swaps"][TARGET]
    sipp_calls(site, "hangs_up", 0, service=lent)
    site.ended_call()
    site.stop(signal.SIGKILL)
    site.start()

    another = view(site, PAGE)
    assert another["swaps"][TARGET] != lent
    again = view(site, f"{PAGE}/prices", shown["visitor"], PAGE)
    assert (again["source"], again["swaps"]) == ("google-ads", shown["swaps"])

    sipp_calls(site, "hangs_up", 0)  # the radio's own number, from the phone that called before
    call = site.ended_call(2)
    assert (call["source"], call["attribution"]["visitor"]) == ("radio", shown["visitor"])
    assert call["attribution"]["journey"]["calls_before"] == 1
