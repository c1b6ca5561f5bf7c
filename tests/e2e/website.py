"""A website under test, and the server behind its tracking code, each in a thread of its own.

The website's pages are served from another port than the tracking code, under ``127.0.0.1`` (one site
with the server, so its cookie is first-party) and under names such as ``www.acme.localhost``, which
browsers resolve to loopback by themselves (another site, so it is not).
"""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from secrets import token_hex

import uvicorn

from pbx.attribution.visitors import Visitors
from pbx.clock import SystemClock
from pbx.config.load import load
from pbx.events import EventBus
from pbx.store.calls import Calls
from pbx.store.database import open_engine
from pbx.store.migrations import migrate
from pbx.store.people import People
from pbx.store.reports import Reports
from pbx.web.app import create_public_app
from pbx.web.state import WebState
from tests.support.floor import floor

CONFIG = """
server: {{name: Acme, timezone: UTC, country: US, database: "sqlite:///data/pbx.db"}}
web: {{sites: {sites}}}
sources:
  google-ads: {{name: Google Ads, match: {{param: gclid}}}}
  direct: {{name: Direct, match: {{referrer: none}}}}
numbers:
  "+12125550101": {{source: google-ads, flow: main}}
  "+12125550102": {{source: direct, flow: main}}
pools:
  website:
    numbers: ["+12125550110", "+12125550111", "+12125550112", "+12125550113", "+12125550114", "+12125550115"]
    targets: ["+1 (212) 555-0199"]
    flow: main
  berlin: {{numbers: ["+49 30 98765432"], targets: ["+49 30 1234567"], flow: main}}
tracking: {{images: [{{image: "*/phone.png", target: "+1 212 555 0199"}}]}}
agents: {{alice: {{name: Alice, contact: "sip:alice@127.0.0.1:5080"}}}}
"""


class Pages(BaseHTTPRequestHandler):
    """Serves the pages of the website, by path; every host has the same."""

    pages: dict[str, str]

    def do_GET(self) -> None:
        body = self.pages.get(self.path.partition("?")[0])
        self.send_response(200 if body is not None else 404)
        kind = "text/javascript" if self.path.endswith(".js") else "text/html; charset=utf-8"
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write((body or "").encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@dataclass
class Website:
    """``pages`` may change at any time; ``recorded`` is what the server would have stored."""

    port: int
    server_port: int
    visitors: Visitors
    pages: dict[str, str] = field(default_factory=dict)
    recorded: list[object] = field(default_factory=list)

    def url(self, path: str = "/", host: str = "www.acme.localhost") -> str:
        return f"http://{host}:{self.port}{path}"

    def tag(self, attributes: str = "") -> str:
        return f'<script src="http://127.0.0.1:{self.server_port}/t.js" {attributes}></script>'

    def write(self, body: str, path: str = "/", tag: str = "", head: str = "") -> None:
        """A page with the tracking code in its head."""
        self.pages[path] = (
            f"<!doctype html><meta charset=utf-8><title>Acme</title>{head}{self.tag(tag)}<body>{body}"
        )

    def viewed(self) -> list[object]:
        return [event for event in self.recorded if getattr(event, "kind", "") == "visitor.page"]


@contextlib.contextmanager
def website(folder: Path) -> Iterator[Website]:
    handler = type("Handler", (Pages,), {"pages": {}})
    pages = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hosts = ("127.0.0.1", "www.acme.localhost", "shop.example.localhost")
    sites = ", ".join(f'"http://{host}:{pages.server_port}"' for host in hosts)
    (folder / "ivr_flows").mkdir()
    (folder / "ivr_flows" / "main.yaml").write_text("start: a\nsteps: {a: {dial: alice}}\n")
    (folder / "config.yaml").write_text(CONFIG.format(sites=f"[{sites}]"))
    site = load(folder / "config.yaml", {})
    recorded: list[object] = []
    visitors = Visitors(site, recorded.append, lambda: token_hex(16))
    database = open_engine(f"sqlite:///{folder}/pbx.db")
    migrate(database)
    state = WebState(
        config=site.config,
        data_dir=folder,
        clock=SystemClock(),
        bus=EventBus(),
        calls=Calls(database),
        reports=Reports(database),
        people=People(database),
        floor=floor(site.config, SystemClock(), lambda event: None),
        visitors=visitors,
    )
    app = create_public_app(state)
    config = uvicorn.Config(app, port=0, log_level="warning", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    listener = config.bind_socket()
    threads = [
        threading.Thread(target=pages.serve_forever),
        threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener]))),
    ]
    for thread in threads:
        thread.start()
    try:
        made = Website(pages.server_port, listener.getsockname()[1], visitors, handler.pages, recorded)
        yield made
    finally:
        pages.shutdown()
        pages.server_close()
        server.should_exit = True
        for thread in threads:
            thread.join()
        listener.close()
        database.dispose()
