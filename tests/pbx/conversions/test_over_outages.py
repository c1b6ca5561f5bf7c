"""A running server and the platforms: away, back, killed in between; every conversion comes once."""

import json
import signal
import sqlite3
import urllib.request

from tests.support.ad_platforms import ad_platforms
from tests.support.server import eventually, server

FLOW = """
name: Main
start: hello
steps:
  hello: {say: Hello}
"""
CONVERSIONS = """
conversions:
  events:
    enquiry: {{of: [forms], value: 20}}
  ga4: {{measurement_id: G-ABC123, api_secret: secret, send: {{enquiry: generate_lead}}, url: "{url}"}}
  google_ads:
    customer_id: 123-456-7890
    developer_token: developer
    client_id: client
    client_secret: secret
    refresh_token: refresh
    send: {{enquiry: "111"}}
    url: "{url}"
    token_url: "{url}/token"
  meta: {{pixel_id: "1234567", access_token: token, send: {{enquiry: Lead}}, url: "{url}"}}
"""


def ask(made, path, body):
    """As a visitor's browser does."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{made.web}{path}",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "User-Agent": "Mozilla/5.0 Firefox/130"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.loads(response.read())


def enquire(made, *, consent=True, gclid="Cj0KCQ"):
    """A visitor comes by an ad and sends a form."""
    seen = ask(
        made,
        "/api/dni",
        {
            "visitor": None,
            "consent": consent,
            "page": f"https://www.example.com/offer?gclid={gclid}&fbclid=IwAR",
            "referrer": "",
            "cookies": ["_ga=GA1.1.123.1700000000"],
        },
    )
    form = {"page": "https://www.example.com/offer", "fields": {"email": "ann@example.com"}}
    ask(made, "/api/forms", form | ({"visitor": seen["visitor"]} if seen["visitor"] else {}))
    return seen["visitor"]


def test_what_waits_survives_kill_9_and_comes_once(tmp_path) -> None:
    with ad_platforms() as platforms, server(tmp_path, {"main": FLOW}) as made:
        made.stop()
        made.config.write_text(made.config.read_text() + CONVERSIONS.format(url=platforms.url))
        made.start()
        platforms.down()
        enquire(made)
        assert enquire(made, consent=False) is None  # nobody is told of this one
        eventually("three parcels that wait", lambda: "waiting  3" in made.pbx("outbox").stdout)
        made.stop(signal.SIGKILL)
        platforms.up()
        made.start()
        platforms.until(3)
        eventually("an empty outbox", lambda: "done     3" in made.pbx("outbox").stdout)
        made.stop()
        made.start()
        enquire(made, gclid="another")
        platforms.until(6)
        assert sorted(name for name, _ in platforms.accepted) == ["ga4", "ga4", "google_ads", "google_ads", "meta", "meta"]  # fmt: skip
        assert platforms.violations == []
        assert [row["gclid"] for row in platforms.of("google_ads")] == ["Cj0KCQ", "another"]
        assert platforms.of("ga4")[0]["client_id"] == "123.1700000000"
        assert "ann@example.com" not in json.dumps(platforms.accepted)
        order = platforms.of("google_ads")[0]["orderId"]
        preview = made.pbx("conversions", order).stdout
        assert "ga4 enquiry: done" in preview
        assert "meta enquiry: done" in preview


def test_who_refuses_meanwhile_is_told_of_to_nobody(tmp_path) -> None:
    with ad_platforms() as platforms, server(tmp_path, {"main": FLOW}) as made:
        made.stop()
        made.config.write_text(made.config.read_text() + CONVERSIONS.format(url=platforms.url))
        made.start()
        platforms.down()
        visitor = enquire(made)
        enquire(made, gclid="another")
        eventually("six parcels that wait", lambda: "waiting  6" in made.pbx("outbox").stdout)
        page = {"page": "https://www.example.com/privacy", "referrer": ""}
        ask(made, "/api/dni", {"visitor": visitor, "consent": False, **page})
        platforms.up()
        platforms.until(3)
        eventually("a recall", lambda: "recalled 3" in made.pbx("outbox").stdout)
        assert "done     3" in made.pbx("outbox").stdout
        assert [row["gclid"] for row in platforms.of("google_ads")] == ["another"]
        with sqlite3.connect(made.folder / "data" / "pbx.db") as store:
            assert store.execute("SELECT DISTINCT body FROM outbox WHERE state = 'recalled'").fetchall() == [("{}",)]  # fmt: skip
