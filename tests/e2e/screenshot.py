"""Takes the README's picture of the dashboard: ``python -m tests.e2e.screenshot``.

Without arguments the picture shows a made-up fortnight, the same every time but for the date. With
``--url`` it shows what a running server holds; the login is ``--user`` and the environment's
``PBX_PASSWORD``.
"""

import argparse
import os
import shutil
import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.e2e import history, voices
from tests.e2e.server import Server

SIZES = {"wide": (1440, 900), "narrow": (390, 844)}
RECORDING = "recordings/example.wav"
ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]


def made_up(server: Server, calls: int) -> None:
    """``calls`` calls of the last fortnight, one that is worth listening to, and one going on."""
    if not calls:
        return
    now = datetime.now(UTC)
    words = voices.spoken(voices.PLUMBING)
    seconds = voices.write(server.folder / RECORDING, words)
    server.tell(*history.fortnight(calls, now, RECORDING))
    shown = history.answered(
        "featured", now - timedelta(minutes=4), "+16465550142", "google-ads", seconds, RECORDING
    )
    server.tell(history.praised(shown))
    server.transcribe("featured", words)
    server.calls.edit("featured", {"score": 5, "outcome": "sale"})
    going_on = history.answered(
        "live", now - timedelta(seconds=40), "+19175550123", "organic-google", 60, RECORDING
    )
    server.publish(event for event in going_on.told if event.at < now)


def open_dashboard(page: Page, url: str, user: str, password: str, path: str | None) -> None:
    page.goto(url + "/login")
    page.get_by_label("Name").fill(user)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_selector("#calls:not([aria-busy])")
    page.goto(url + (path or newest_recording(page)))
    page.wait_for_selector("#link-state[data-state=open]")
    page.wait_for_function("() => !document.querySelector('[aria-busy]')")
    page.wait_for_function("() => document.fonts.status === 'loaded'")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.wave')].every((wave) => wave.dataset.state)"
    )


def newest_recording(page: Page) -> str:
    """The list with the newest call that can be played open beside it."""
    playable = page.locator("#ledger tr[data-id]", has=page.locator(".c-play button"))
    return f"/?call={playable.first.get_attribute('data-id')}" if playable.count() else "/"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="a running server, such as http://127.0.0.1:8080")
    parser.add_argument("--user", help="who signs in there; the password is in PBX_PASSWORD")
    parser.add_argument("--path", help="the page to show; default: the list, with the newest recording open")
    parser.add_argument("--calls", type=int, default=500, help="how many made-up calls")
    parser.add_argument("--scheme", choices=("light", "dark"), default="light")
    parser.add_argument("--size", choices=tuple(SIZES), default="wide")
    parser.add_argument("--out", type=Path, default=Path("docs/dashboard.png"))
    asked = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("Chromium is not installed: apt-get install chromium")
    with ExitStack() as stack:
        if asked.url:
            url, user, password = asked.url, asked.user, os.environ.get("PBX_PASSWORD", "")
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            server = stack.enter_context(Server(folder))
            made_up(server, asked.calls)
            url, user = server.url, "maria"
            password = server.user(user)
        width, height = SIZES[asked.size]
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=asked.scheme)
        open_dashboard(page, url, user, password, asked.path)
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=asked.out, animations="disabled")
        browser.close()
    print(asked.out)


if __name__ == "__main__":
    main()
