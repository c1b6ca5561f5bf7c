"""The page of agents and queues, and an agent's own."""

import asyncio
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect

from pbx.agents import AgentState
from pbx.clock import SystemClock
from pbx.flows.control import CallFacts
from pbx.flows.simulated import ANSWERS, Script, SimulatedCall
from pbx.store.people import Role
from tests.e2e.conftest import Visitor, sign_in
from tests.e2e.looks import FAINT_TEXTS, FITS, NAMELESS_CONTROLS
from tests.e2e.server import Server


class Callers:
    """Callers of the queue ``support`` who wait until told."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.calls: list[SimulatedCall] = []
        self.tasks: list[asyncio.Task[object]] = []

    def join(self, number: str, source: str = "google-ads", queue: str = "support") -> None:
        async def join() -> None:
            facts = CallFacts(
                call_id=f"call-{number[-2:]}",
                did="+12125550101",
                caller=number,
                source=source,
                flow="main",
                trunk="carrier",
                whisper="",
                zone=ZoneInfo("America/New_York"),
                country="US",
            )
            script = Script(reacts=lambda target: ANSWERS, talk_s=None)
            call = SimulatedCall(facts, SystemClock(), self.server.bus.publish, script)
            self.calls.append(call)
            self.tasks.append(asyncio.ensure_future(self.server.floor.queues.wait(queue, call)))
            await asyncio.sleep(0)

        self.server.on_the_loop(join)

    def leave(self) -> None:
        async def leave() -> None:
            for call in self.calls:
                call.hang_up()
            await asyncio.gather(*self.tasks, return_exceptions=True)

        self.server.on_the_loop(leave)


@pytest.fixture
def callers(server: Server):
    made = Callers(server)
    yield made
    made.leave()


def pause(server: Server, agent: str, reason: str = "") -> None:
    async def pause() -> None:
        server.floor.board.pause(agent, reason, "maria")

    server.on_the_loop(pause)


def floor(visitor: Visitor, **context: object) -> Page:
    page = visitor.signed_in(**context)
    page.goto("/agents")
    page.wait_for_selector("#floor:not([aria-busy])")
    page.wait_for_selector("#link-state[data-state=open]")
    return page


def row(page: Page, name: str):
    return page.locator(".agent", has_text=name)


def test_who_waits_and_who_talks_appears_as_it_happens(visitor: Visitor, server: Server, callers: Callers):
    page = floor(visitor)
    support = page.locator(".queue-card", has_text="support")
    expect(support).to_contain_text("Nobody waits.")
    expect(row(page, "Front desk")).to_contain_text("Available")
    expect(row(page, "Bob Okafor")).to_contain_text("Offline")
    callers.join("+12125550131")  # ring-all: the first who answers, alice, talks
    expect(row(page, "Alice Moreno")).to_contain_text("Talking")
    expect(row(page, "Alice Moreno").get_by_role("link", name="the call")).to_have_attribute(
        "href", "/calls/call-31"
    )
    callers.join("+12125550132")
    expect(row(page, "Front desk")).to_contain_text("Talking")
    callers.join("+12125550133")
    expect(support.locator(".waiting li")).to_have_count(1)
    expect(support.locator(".waiting")).to_contain_text("(212) 555-0133")
    expect(support).to_contain_text("2 of 3")
    callers.leave()
    expect(support).to_contain_text("Nobody waits.")
    expect(row(page, "Alice Moreno")).to_contain_text("Available")


def test_a_manager_pauses_and_resumes_and_logs_out(visitor: Visitor, server: Server):
    page = floor(visitor)
    row(page, "Alice Moreno").get_by_label("Pause Alice Moreno").select_option("Lunch")
    expect(row(page, "Alice Moreno")).to_contain_text("PausedLunch")
    assert server.floor.board.presence("alice").by == "maria"
    row(page, "Alice Moreno").get_by_role("button", name="Resume").click()
    expect(row(page, "Alice Moreno")).to_contain_text("Available")
    row(page, "Alice Moreno").get_by_role("button", name="sales").click()
    expect(row(page, "Alice Moreno").get_by_role("button", name="sales")).to_have_attribute(
        "aria-pressed", "false"
    )
    assert server.floor.board.presence("alice").logged_out == {"sales"}


def test_an_agent_changes_only_their_own_state(visitor: Visitor, server: Server):
    password = server.user("alice", Role.AGENT)
    page = visitor.page(viewport={"width": 1440, "height": 900})
    sign_in(page, "alice", password)
    page.get_by_role("link", name="My state").click()
    page.get_by_role("button", name="Training").click()
    expect(page.locator(".agent-now")).to_contain_text("PausedTraining")
    page.get_by_role("button", name="Take calls").click()
    expect(page.locator(".agent-now")).to_contain_text("Available")
    page.get_by_role("row", name="sales").get_by_role("button", name="Log out").click()
    expect(page.get_by_role("row", name="sales")).to_contain_text("logged out")
    page.get_by_role("link", name="Agents and queues").click()
    expect(row(page, "Alice Moreno").get_by_label("Pause Alice Moreno")).to_be_visible()
    expect(row(page, "Front desk").locator("select")).to_have_count(0)
    assert server.floor.board.state("alice") is AgentState.AVAILABLE


def test_a_page_of_nobody_is_not_there(visitor: Visitor):
    page = floor(visitor)
    assert page.goto("/agents/nobody").status == 404


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_it_can_be_read_and_fits(visitor: Visitor, server: Server, callers: Callers, scheme: str, width: int):
    pause(server, "alice", "Lunch")
    for number in range(31, 36):
        callers.join(f"+121255501{number}")
    page = floor(visitor, color_scheme=scheme, viewport={"width": width, "height": 800})
    page.wait_for_selector(".waiting li")
    for address in ("/agents", "/agents/alice"):
        page.goto(address)
        page.wait_for_selector(".agent-state")
        assert page.evaluate(FAINT_TEXTS) == []
        assert page.evaluate(NAMELESS_CONTROLS) == []
        assert page.evaluate(FITS)
        pages = page.locator("nav.pages")
        assert pages.evaluate("nav => nav.scrollWidth <= nav.clientWidth"), "a page's link is out of sight"
