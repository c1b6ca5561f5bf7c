"""The pages of flows in a browser: the list, the picture, what a tap on a step tells."""

from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from tests.e2e import history
from tests.e2e.conftest import Visitor
from tests.e2e.looks import FAINT_TEXTS, FITS, NAMELESS_CONTROLS
from tests.e2e.server import Server

WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


@pytest.mark.browser
@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (PHONE, "dark")])
def test_a_flow_and_its_traffic(server: Server, visitor: Visitor, size: dict[str, int], scheme: str):
    server.tell(*history.fortnight(120, datetime.now(UTC), "recordings/example.wav"))
    page = visitor.signed_in(viewport=size, color_scheme=scheme)
    page.get_by_role("link", name="Flows").click()
    page.get_by_role("link", name="Main line").click()
    page.wait_for_url("/flows/main")
    page.get_by_label("Calls of").select_option("30d")
    sum_ = page.locator("#flow-sum")
    expect(sum_).to_contain_text("hung up before they reached anybody")
    picture = page.locator("#picture")
    expect(picture.locator(".step")).to_have_count(10)
    expect(picture.locator(".way.busy").first).to_be_attached()
    picture.locator(".step[data-step=menu]").click()
    panel = page.locator("#step")
    expect(panel.get_by_role("heading")).to_have_text("menu")
    expect(panel).to_contain_text("→ sales")
    assert page.evaluate(FITS), "the page itself scrolls sideways"
    assert page.evaluate(FAINT_TEXTS) == []
    assert page.evaluate(NAMELESS_CONTROLS) == []


@pytest.mark.browser
def test_a_flow_without_calls(server: Server, visitor: Visitor):
    page = visitor.signed_in()
    page.goto("/flows/emergency")
    expect(page.locator("#flow-sum")).to_have_text("No calls in this time.")
    expect(page.locator("#picture .way.busy")).to_have_count(0)
    page.locator("#picture .step").first.focus()
    expect(page.locator("#step")).to_contain_text("Hung up here")


@pytest.mark.browser
def test_the_whole_picture_at_once_and_back_to_reading_size(server: Server, visitor: Visitor):
    page = visitor.signed_in(viewport=PHONE)
    page.goto("/flows/main")
    picture, whole = page.locator("#picture"), page.get_by_role("button", name="Whole picture")
    expect(picture.locator(".step")).to_have_count(10)
    scrolls = "picture => picture.scrollWidth > picture.clientWidth"
    assert picture.evaluate(scrolls)
    whole.click()
    expect(whole).to_have_attribute("aria-pressed", "true")
    assert not picture.evaluate(scrolls)
    assert page.evaluate(FAINT_TEXTS) == []
    whole.click()
    assert picture.evaluate(scrolls)
