"""Who gets in, and who does not."""

import asyncio
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from pbx.store.people import Role
from pbx.web.auth import COOKIE, Throttle, local_path
from pbx.web.openapi import OPERATIONS


def paths():
    return [each for each in OPERATIONS if not each.public]


@pytest.mark.parametrize("operation", paths(), ids=lambda each: f"{each.method} {each.path}")
def test_nothing_is_told_to_a_stranger(shared, operation):
    path = operation.path.replace("{id}", "c0").replace("{name}", "source")
    answer = shared.ask(operation.method, path, role=None)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    wrong = shared.ask(operation.method, path, role=None, headers={"authorization": "Bearer pbx_wrong"})
    assert wrong.status_code == 401


def test_a_page_leads_a_stranger_to_the_login(shared):
    answer = shared.get("/?status=missed", role=None)
    assert answer.status_code == 303
    target = urlsplit(answer.headers["location"])
    assert target.path == "/login"
    assert parse_qs(target.query) == {"next": ["/?status=missed"]}


@pytest.mark.parametrize("role", list(Role))
def test_every_role_reads(shared, role):
    for path in ("/api/calls", "/api/calls/c0", "/api/reports/source", "/api/calls/c0/recording"):
        assert shared.get(path, role=role).status_code == 200


def test_every_answer_carries_the_security_headers(shared):
    for path in ("/healthz", "/login", "/api/calls", "/nothing"):
        headers = shared.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8080", 200),
        ("localhost:9", 200),
        ("[::1]:8080", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("127.0.0.1@evil.example", 421),
        ("", 421),
    ],
)
def test_on_loopback_only_loopback_names_are_served(shared, host, status):
    assert shared.get("/healthz", role=None, headers={"host": host}).status_code == status


class Browser:
    """Keeps cookies, and says where its requests come from."""

    def __init__(self, site):
        self.site = site
        self.cookies = httpx.Cookies()

    def ask(self, method, path, *, origin="http://127.0.0.1:8080", headers=None, **options):
        given = ({"origin": origin} if origin else {}) | (headers or {})

        async def send():
            transport = httpx.ASGITransport(self.site.app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://127.0.0.1:8080", cookies=self.cookies
            ) as http:
                answer = await http.request(method, path, headers=given, **options)
                self.cookies = http.cookies
                return answer

        return asyncio.run(send())

    def log_in(self, name, password, next="/"):
        return self.ask("POST", "/login", data={"username": name, "password": password, "next": next})


def test_a_login_opens_and_a_logout_closes(site):
    browser = Browser(site)
    answer = browser.log_in("mia", site.password, "/calls/c0?x=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/calls/c0?x=1")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert browser.ask("GET", "/api/calls").status_code == 200
    assert browser.ask("PATCH", "/api/calls/c0", json={"score": 2}).status_code == 200
    kept = browser.cookies[COOKIE]
    assert browser.ask("POST", "/logout").headers["location"] == "/login"
    browser.cookies = httpx.Cookies({COOKIE: kept})
    assert browser.ask("GET", "/api/calls").status_code == 401


def test_a_session_ends_by_itself(site):
    browser = Browser(site)
    browser.log_in("mia", site.password)
    site.clock.advance(15 * 86_400)
    assert browser.ask("GET", "/api/calls").status_code == 401


@pytest.mark.parametrize(
    ("origin", "headers"),
    [
        ("https://evil.example", {}),
        ("http://127.0.0.1:8081", {}),
        ("null", {}),
        (None, {}),
        (None, {"sec-fetch-site": "cross-site"}),
        (None, {"sec-fetch-site": "same-site"}),
        ("http://127.0.0.1:8080", {"sec-fetch-site": "cross-site"}),
    ],
)
def test_a_strangers_page_changes_nothing_with_our_cookie(site, origin, headers):
    browser = Browser(site)
    browser.log_in("mia", site.password)
    answer = browser.ask("PATCH", "/api/calls/c0", origin=origin, headers=headers, json={"score": 2})
    assert answer.status_code == 403
    for path in ("/login", "/logout"):
        assert browser.ask("POST", path, origin=origin, headers=headers).status_code == 403


def test_guessing_is_slowed_alike_for_names_that_exist_and_not(site):
    def tries(name):
        browser = Browser(site)
        return [
            parse_qs(urlsplit(browser.log_in(name, "guess").headers["location"]).query)["problem"][0]
            for _ in range(6)
        ]

    assert tries("mia") == tries("nobody") == ["wrong"] * 5 + ["busy"]
    browser = Browser(site)
    assert "busy" in browser.log_in("mia", site.password).headers["location"], "also with the right password"
    site.clock.advance(2)
    assert browser.log_in("mia", site.password).headers["location"] == "/"


def test_the_throttle_forgets_the_oldest_before_it_grows(site):
    throttle = Throttle(site.clock, free=1, keys=3)
    for key in "abcd":
        throttle.failed(key)
    assert [throttle.wait_s(key) > 0 for key in "abcd"] == [False, True, True, True]


@pytest.mark.parametrize(
    ("target", "led_to"),
    [
        ("/calls/1", "/calls/1"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\tx", "/"),
        ("", "/"),
    ],
)
def test_a_login_leads_nowhere_else(target, led_to):
    assert local_path(target) == led_to


def test_a_form_too_long_is_refused(site):
    assert Browser(site).log_in("mia", "x" * 9000).status_code == 413
