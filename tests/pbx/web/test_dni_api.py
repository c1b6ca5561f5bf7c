"""POST /api/dni and GET /t.js, as browsers and strangers use them."""

import asyncio
import gzip
import itertools

import httpx
import pytest

from pbx.attribution.events import IdsSeen
from pbx.attribution.visitors import Visitors
from pbx.clock import VirtualClock
from pbx.events import EventBus
from pbx.store.calls import Calls
from pbx.store.database import open_engine
from pbx.store.migrations import migrate
from pbx.store.people import People
from pbx.store.reports import Reports
from pbx.web.allowances import Allowances
from pbx.web.app import create_app, create_public_app
from pbx.web.dni import device
from pbx.web.script import script_for
from pbx.web.state import WebState
from tests.pbx.attribution.conftest import CONFIG, NOON, write_site
from tests.support.floor import floor

TARGET = "+1 (212) 555-0199"
SITE = "https://www.acme.example"
VIEW = {"visitor": None, "consent": True, "page": f"{SITE}/?gclid=1", "referrer": "", "targets": [TARGET]}
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"


class Web:
    def __init__(self, folder, config=CONFIG):
        self.site = write_site(folder, config)
        self.clock = VirtualClock(NOON)
        self.recorded = []
        self.database = open_engine(f"sqlite:///{folder}/pbx.db")
        migrate(self.database)
        ids = (f"{n:032x}" for n in itertools.count(1))
        self.state = WebState(
            config=self.site.config,
            data_dir=folder,
            clock=self.clock,
            bus=EventBus(),
            calls=Calls(self.database),
            reports=Reports(self.database),
            people=People(self.database),
            floor=floor(self.site.config, self.clock, lambda event: None, lambda agent: True),
            visitors=Visitors(self.site, self.recorded.append, lambda: next(ids)),
        )
        self.apps = {"all": create_app(self.state), "public": create_public_app(self.state)}

    def ask(self, method, path, *, listener="public", client="203.0.113.5", **options):
        async def send():
            transport = httpx.ASGITransport(self.apps[listener], client=(client, 1234))
            base = "https://calls.acme.example" if listener == "public" else "http://127.0.0.1:8080"
            async with httpx.AsyncClient(transport=transport, base_url=base) as http:
                return await http.request(method, path, **options)

        return asyncio.run(send())

    def view(self, headers=None, **changes):
        options = {name: changes.pop(name) for name in ("listener", "client") if name in changes}
        return self.ask(
            "POST",
            "/api/dni",
            json=VIEW | changes,
            headers={"user-agent": CHROME, **(headers or {})},
            **options,
        )


@pytest.fixture
def web(tmp_path):
    made = Web(tmp_path)
    yield made
    made.database.dispose()


def test_a_page_view_in_the_numbers_out(web):
    response = web.view()
    assert response.status_code == 200
    assert response.json() == {
        "visitor": f"{1:032x}",
        "source": "google-ads",
        "swaps": {TARGET: "+12125550110"},
        "lease": {"until": "2026-11-24T12:30:00.000Z", "heartbeat": 60},
    }
    assert response.headers["cache-control"] == "no-store"


def test_a_number_is_shown_only_when_it_is_safe_whose_it_is(web):
    safe = []

    async def unsafe():
        safe.append([event.kind for event in web.recorded])
        return False

    web.state.safe = unsafe
    answer = web.view().json()
    assert (answer["swaps"], answer["lease"]) == ({}, None)
    assert "visitor.lease" in safe[0], "asked after the lease was handed to the store"
    web.clock.advance(2)
    assert web.view(visitor=answer["visitor"]).json()["swaps"] == {TARGET: "+12125550110"}
    assert len(safe) == 1, "only a number lent just now is waited for"


def test_the_same_visitor_keeps_the_number(web):
    first = web.view().json()
    web.clock.advance(60)
    again = web.view(visitor=first["visitor"], page=f"{SITE}/contact", referrer=f"{SITE}/").json()
    assert (again["visitor"], again["source"], again["swaps"]) == (
        first["visitor"],
        "google-ads",
        first["swaps"],
    )
    assert again["lease"]["until"] == "2026-11-24T12:31:00.000Z"


def test_a_sign_of_life_is_no_page_view(web):
    visitor = web.view().json()["visitor"]
    views = len([event for event in web.recorded if event.kind == "visitor.page"])
    web.clock.advance(60)
    assert web.view(visitor=visitor, alive=True).json()["swaps"] == {TARGET: "+12125550110"}
    assert len([event for event in web.recorded if event.kind == "visitor.page"]) == views


@pytest.mark.parametrize(
    ("changes", "headers"),
    [
        ({"consent": False}, {}),
        ({}, {"DNT": "1"}),
        ({}, {"Sec-GPC": "1"}),
        ({}, {"user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}),
    ],
)
def test_without_consent_the_sources_own_number_and_no_id(web, changes, headers):
    response = web.view(headers, **changes)
    assert response.json() == {
        "visitor": None, "source": "google-ads", "swaps": {TARGET: "+12125550101"}, "lease": None
    }  # fmt: skip
    assert "set-cookie" not in response.headers
    assert web.recorded == []


@pytest.mark.parametrize(
    ("country", "tracking", "recognised"),
    [
        ("US", "", True),
        ("DE", "", False),
        ("DE", "tracking: {consent: implied}\n", True),
        ("US", "tracking: {consent: required}\n", False),
    ],
)
def test_a_page_that_did_not_ask(tmp_path, country, tracking, recognised):
    config = CONFIG.replace("country: US", f"country: {country}").replace('"+1 (212)', '"+1 (212)') + tracking
    made = Web(tmp_path, config)
    assert (made.view(consent=None).json()["visitor"] is not None) is recognised
    made.database.dispose()


def test_settings_of_the_browser_may_be_left_unhonoured(tmp_path):
    made = Web(tmp_path, CONFIG + "tracking: {honour: [gpc]}\n")
    assert made.view({"DNT": "1"}).json()["visitor"] is not None
    assert made.view({"Sec-GPC": "1"}).json()["visitor"] is None
    made.database.dispose()


@pytest.mark.parametrize("visitor", ["", "x" * 64, "1", "../../etc", "0" * 31, "A" * 32])
def test_an_id_that_is_none_of_ours_is_as_good_as_none(web, visitor):
    assert web.view(visitor=visitor).json()["visitor"] == f"{1:032x}"


def test_the_servers_own_cookie_where_browsers_take_it(web):
    response = web.view({"Sec-Fetch-Site": "same-site"})
    cookie = response.headers["set-cookie"]
    assert cookie.startswith(
        f"pbx_visitor={1:032x}; HttpOnly; Max-Age=34560000; Path=/; SameSite=lax; Secure"
    )
    known = web.view({"Sec-Fetch-Site": "same-site", "Cookie": f"pbx_visitor={1:032x}"})
    assert known.json()["visitor"] == f"{1:032x}"
    assert "set-cookie" not in known.headers
    gone = web.view({"Sec-Fetch-Site": "same-site", "Cookie": f"pbx_visitor={1:032x}"}, consent=False)
    assert 'pbx_visitor=""' in gone.headers["set-cookie"]
    assert "set-cookie" not in web.view({"Sec-Fetch-Site": "cross-site"}).headers


@pytest.mark.parametrize(
    ("origin", "status", "allowed"),
    [
        (SITE, 200, SITE),
        ("https://shop.acme.example", 200, "https://shop.acme.example"),
        ("https://evil.example", 403, None),
        ("null", 403, None),
        (None, 200, None),
    ],
)
def test_only_the_sites_pages_are_answered(web, origin, status, allowed):
    headers = {"Origin": origin} if origin else {}
    response = web.view(headers)
    assert (response.status_code, response.headers.get("access-control-allow-origin")) == (status, allowed)
    preflight = web.ask("OPTIONS", "/api/dni", headers={**headers, "Access-Control-Request-Method": "POST"})
    assert preflight.status_code == (204 if status == 200 else 403)
    if allowed:
        assert response.headers["access-control-allow-credentials"] == "true"
        assert "Content-Type" in preflight.headers["access-control-allow-headers"]


def test_without_sites_every_page_is(tmp_path):
    made = Web(
        tmp_path,
        CONFIG.replace('web: {sites: ["https://www.acme.example", "https://shop.acme.example"]}\n', ""),
    )
    assert made.view({"Origin": "https://any.example"}).status_code == 200
    made.database.dispose()


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"", 400, None),
        (b"[]", 400, None),
        (b'{"page": "about:blank"}', 422, "page"),
        (b"{}", 422, "page"),
        (b'{"page": 5}', 422, "page"),
        (b'{"page": "https://a.example/", "targets": "+1"}', 422, "targets"),
        (b'{"page": "https://a.example/", "consent": "yes"}', 422, "consent"),
        (b'{"page": "https://a.example/", "sourse": "x"}', 422, "sourse"),
        (b'{"page": "https://a.example/", "targets": ["' + b'1","' * 300 + b'"]}', 422, "targets"),
        (b'{"page": "' + b"x" * 20_000 + b'"}', 413, None),
    ],
)
def test_what_is_no_page_view_is_a_problem_document(web, body, status, field):
    response = web.ask("POST", "/api/dni", content=body)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json().get("field") == field


def test_one_address_cannot_empty_a_pool(web):
    ids = [web.view(page=f"{SITE}/?gclid={n}").json()["visitor"] for n in range(62)]
    assert ids.count(None) == 2
    assert web.view(client="203.0.113.6").json()["visitor"] is not None


def test_new_visitors_come_back_with_time():
    clock = VirtualClock()
    newcomers = Allowances(clock, burst=2, every_s=10, addresses=2)
    assert [newcomers.spend("a") for _ in range(3)] == [True, True, False]
    clock.advance(10)
    assert [newcomers.spend("a") for _ in range(2)] == [True, False]
    assert [newcomers.spend(each) for each in ("b", "c", "a")] == [True, True, True]  # a was forgotten


@pytest.mark.parametrize(
    ("path", "status"),
    [("/t.js", 200), ("/healthz", 200), ("/api/calls", 404), ("/", 404), ("/login", 404), ("/metrics", 404),
     ("/openapi.json", 404), ("/static/api.js", 404), ("/readyz", 404)],
)  # fmt: skip
def test_the_public_listener_serves_only_what_is_public(web, path, status):
    assert web.ask("GET", path).status_code == status


def test_tokens_and_logins_do_not_matter_to_visitors(web):
    response = web.view({"Authorization": "Bearer wrong", "Cookie": "pbx_session=x"}, listener="all")
    assert response.status_code == 200


# --- the script -------------------------------------------------------------------------------------


def test_the_script_is_small(web):
    assert len(script_for(web.site.config).zipped) < 5000


def test_the_script_is_small_with_a_dozen_targets(web):
    pool = web.site.config.pools["website"]
    targets = [f"+1212{555 + 37 * n % 400}{7919 * n % 10000:04}" for n in range(12)]
    pools = {"website": pool.model_copy(update={"targets": targets})}
    script = script_for(web.site.config.model_copy(update={"pools": pools}))
    assert len(script.zipped) < 5000
    assert all(target[2:] in script.plain.decode() for target in targets)


def test_a_page_with_many_targets_is_served(web):
    others = [f"+1 (973) 555-{n:04}" for n in range(150)]
    answer = web.view(targets=[*others, TARGET])
    assert list(answer.json()["swaps"]) == [TARGET]


def test_a_page_with_more_of_the_platforms_cookies_than_there_are_is_served(web):
    cookies = [f"_ga=GA1.{n}.1.1" for n in range(6)] + ["_fbc=fb.1.1700000000000." + "x" * 600]
    assert web.view(cookies=cookies).status_code == 200


def test_the_script_is_cached_and_compressed(web):
    plain = web.ask("GET", "/t.js", headers={"Accept-Encoding": "identity"})
    assert plain.headers["content-type"] == "text/javascript; charset=utf-8"
    assert plain.headers["cross-origin-resource-policy"] == "cross-origin"
    assert "stale-while-revalidate" in plain.headers["cache-control"]
    assert gzip.decompress(script_for(web.site.config).zipped).decode() == plain.text
    again = web.ask("GET", "/t.js", headers={"If-None-Match": plain.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_script_tells_only_what_everybody_may_see(web):
    text = web.ask("GET", "/t.js").text
    known = text[text.rindex("})({") + 3 :]
    assert known == (
        '{"targets":[["1","","011","2125550199"]],'
        '"sites":["shop.acme.example","www.acme.example"],"ask":false,"dnt":true,"gpc":true,"days":400});'
    )


@pytest.mark.parametrize(
    ("agent", "word"),
    [
        (CHROME, "desktop Chrome"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Mobile/15E148 Safari/604.1",
            "mobile Safari",
        ),
        ("Mozilla/5.0 (Linux; Android 14) Chrome/140.0 Mobile Safari/537.36", "mobile Chrome"),
        ("Mozilla/5.0 (Linux; Android 14; SM-X700) Chrome/140.0 Safari/537.36", "tablet Chrome"),
        ("Mozilla/5.0 (Windows NT 10.0; rv:130.0) Gecko/20100101 Firefox/130.0", "desktop Firefox"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0", "desktop Edge"),
        ("", ""),
    ],
)
def test_of_the_browser_a_coarse_word_is_kept(agent, word):
    assert device(agent) == word


CONVERSIONS = """
conversions:
  events: {lead: {}}
  meta: {pixel_id: "12345", access_token: x, send: {lead: Lead}}
"""
COOKIES = ["_ga=GA1.1.123.1700000000", "_fbp=fb.1.1700000000000.42", "other=1"]


def ids_of(web):
    return [event.ids for event in web.recorded if isinstance(event, IdsSeen)]


def test_what_platforms_call_a_visitor_is_kept_only_where_they_are_told(tmp_path):
    (tmp_path / "a").mkdir()
    web = Web(tmp_path / "a")
    web.ask("POST", "/api/dni", json=VIEW | {"cookies": COOKIES})
    assert ids_of(web) == []
    assert '"ads"' not in script_for(web.site.config).plain.decode()
    (tmp_path / "b").mkdir()
    web = Web(tmp_path / "b", CONFIG + CONVERSIONS)
    assert '"ads":true' in script_for(web.site.config).plain.decode()
    for _ in range(2):  # nothing new the second time
        visitor = web.ask(
            "POST",
            "/api/dni",
            json=VIEW | {"cookies": COOKIES, "visitor": "a" * 32},
            headers={"user-agent": CHROME},
        ).json()["visitor"]
    ids = {"ga": "123.1700000000", "fbp": "fb.1.1700000000000.42", "consent": "given", "agent": CHROME}
    assert ids_of(web) == [ids]
    web.ask("POST", "/api/dni", json=VIEW | {"cookies": COOKIES, "visitor": visitor, "consent": False})
    assert ids_of(web)[1:] == [{"consent": "refused"}]


def test_of_who_does_not_consent_nothing_is_kept_for_platforms(tmp_path):
    web = Web(tmp_path, CONFIG + CONVERSIONS)
    web.ask("POST", "/api/dni", json=VIEW | {"cookies": COOKIES, "consent": False})
    web.ask("POST", "/api/dni", json=VIEW | {"cookies": COOKIES}, headers={"sec-gpc": "1"})
    assert web.recorded == []


def test_a_setting_of_the_browser_refuses_later_too(tmp_path):
    web = Web(tmp_path, CONFIG + CONVERSIONS)
    seen = web.ask("POST", "/api/dni", json=VIEW | {"cookies": COOKIES}, headers={"user-agent": CHROME})
    again = VIEW | {"visitor": seen.json()["visitor"]}
    web.ask("POST", "/api/dni", json=again, headers={"user-agent": CHROME, "sec-gpc": "1"})
    assert ids_of(web)[1:] == [{"consent": "refused"}]
