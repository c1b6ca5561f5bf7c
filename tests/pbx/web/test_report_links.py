"""Each figure of a report leads to exactly its calls, by the links that the API itself gives."""

import asyncio

import httpx
import pytest
from sqlalchemy import text

from pbx.store.dimensions import Basis
from pbx.store.reports import NAMES
from tests.pbx.store.test_rollups import NOW, add
from tests.pbx.web.conftest import CONFIG, Site

PERIOD = "since=2026-03-01&until=2026-03-20T13:00"
COUNTED = {
    *("calls", "answered", "missed", "abandoned", "voicemail", "completed", "rejected", "failed"),
    *("interrupted", "live", "first_time", "repeat", "ended", "talked", "took_part", "queued"),
    *("queue_answered", "queue_abandoned", "queue_left", "in_time", "scored", "leads", "sales"),
    *("no_sales", "spam", "valued", "weak_area"),
}
AWKWARD = "https://acme.example/" + "é" * 4000


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("links"))
    add(site.engine, 7, 50)
    with site.engine.begin() as connection:
        awkward = (
            "UPDATE calls SET landing_page = :page, campaign = '(none)', keyword = :keyword WHERE id = :id"
        )
        page = {"page": AWKWARD, "keyword": "a&b=c+d #%,\"'", "id": "7-3"}
        connection.execute(text(awkward), page)
        connection.execute(text("UPDATE calls SET keyword = ' (None) ' WHERE id = '7-5'"))
    site.state.reports.rollups.catch_up(Basis.of(CONFIG), NOW)
    yield site
    site.engine.dispose()


class Reader:
    """Follows links, each once."""

    def __init__(self, site, http):
        self.http = http
        self.headers = {"authorization": f"Bearer {site.tokens['admin']}"}
        self.read = {}

    async def get(self, link):
        if link not in self.read:
            answer = await self.http.get(link, headers=self.headers)
            assert answer.status_code == 200, (link[:200], answer.text)
            self.read[link] = answer.json()
        return self.read[link]

    async def calls(self, link):
        page = await self.get(link)
        assert page["next"] is None
        return page["calls"]

    async def leads_to_its_calls(self, link, figures, filters, names):
        for name in names:
            found = await self.calls(f"{link}&{filters[name]}")
            if name in COUNTED:
                assert len(found) == figures[name], (link, name)
            elif name == "value":
                assert sum(call["value"] for call in found) == pytest.approx(figures[name])
            elif name == "score_sum":
                assert sum(call["score"] for call in found) == figures[name]
            else:
                assert found or not figures[name], (link, name)


def follow(site, scene):
    async def run():
        transport = httpx.ASGITransport(site.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as http:
            await scene(Reader(site, http))

    asyncio.run(run())


@pytest.mark.parametrize("name", NAMES)
def test_each_figure_leads_to_exactly_its_calls(filled, name):
    async def scene(reader):
        report = await reader.get(f"/api/reports/{name}?{PERIOD}&compare=previous")
        filters = report["figures"]
        assert set(filters) >= COUNTED
        rows = [row for row in report["rows"] if row["calls"] or row["before"]["calls"]]
        assert rows
        fullest = max(rows, key=lambda row: row["calls"])
        for row in rows:
            which = filters if row is fullest else ["calls"]
            await reader.leads_to_its_calls(row["link"], row, filters, which)
            await reader.leads_to_its_calls(row["link_before"], row["before"], filters, ["calls", "value"])

    follow(filled, scene)


def test_so_do_the_figures_of_the_whole(filled):
    async def scene(reader):
        for query in (
            PERIOD,
            "",
            "agent=agent-1&status=answered,missed",
            "queue=(none)&area=US-NJ&since=2026-01-01",
        ):
            report = await reader.get(f"/api/reports/agent?{query}")
            assert report["total"]["calls"]
            filters = report["figures"]
            await reader.leads_to_its_calls(report["total"]["link"], report["total"], filters, filters)
            for row in report["rows"]:
                await reader.leads_to_its_calls(
                    row["link"], row, filters, ["calls", "took_part", "talk_time"]
                )

    follow(filled, scene)


def test_the_awkward_keys_are_among_them(filled):
    keys = {
        row["key"]
        for name in ("landing_page", "keyword", "campaign")
        for row in filled.get(f"/api/reports/{name}").json()["rows"]
    }
    assert {AWKWARD, "a&b=c+d #%,\"'", " (None) ", "(none)", ""} <= keys
