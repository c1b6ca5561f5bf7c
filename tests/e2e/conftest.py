"""A browser for the tests of this folder; without Debian's Chromium they are skipped and say so."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.e2e.server import CONFIG, Server

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ZONE = ZoneInfo(CONFIG["server"]["timezone"])
ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--autoplay-policy=no-user-gesture-required",
]


PATIENCE_MS = 60_000
"""How long a page may take before a test gives up: no test depends on the machine's speed."""

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Ended with its module: while Playwright runs, no other test of this thread may run an event loop."""
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is missing, and CI must not skip the browser tests")
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path) as server:
        yield server


@dataclass
class Visitor:
    """Somebody at the dashboard, in a browser of their own."""

    browser: Browser
    server: Server
    complaints: list[str] = field(default_factory=list)

    def page(self, **context: object) -> Page:
        page = self.browser.new_context(base_url=self.server.url, **context).new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self._hear(message.type, message.text))
        return page

    def _hear(self, kind: str, text: str) -> None:
        # The browser itself reports answers such as 403 as errors; those are expected where tested.
        if kind == "error" and not text.startswith("Failed to load resource"):
            self.complaints.append(text)

    def signed_in(self, name: str = "maria", **context: object) -> Page:
        """A page of somebody with a new account, on the list of calls."""
        password = self.server.user(name)
        page = self.page(**{"viewport": {"width": 1440, "height": 900}, **context})
        sign_in(page, name, password)
        page.wait_for_url("/")
        page.wait_for_selector("#calls:not([aria-busy])")
        page.wait_for_selector("#link-state[data-state=open]")
        return page


def sign_in(page: Page, name: str, password: str) -> None:
    if not page.url.startswith("http"):
        page.goto("/login")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


@pytest.fixture
def visitor(browser: Browser, server: Server) -> Iterator[Visitor]:
    """The pages it opens must not log an error, nor trip over their own content security policy."""
    visitor = Visitor(browser, server)
    yield visitor
    for context in browser.contexts:
        context.close()
    assert visitor.complaints == []


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def recent(now: datetime) -> datetime:
    """Two minutes ago, but of today in the server's zone."""
    midnight = now.astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    return max(now - timedelta(minutes=2), midnight.astimezone(UTC))
