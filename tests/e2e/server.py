"""The real web server over a real store, in a thread: what the browser tests talk to.

Calls come in the way they do in a live server: as events on the bus, which the store's writer
records and the live stream carries.
"""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import uvicorn

from pbx.clock import SystemClock
from pbx.config.load import load
from pbx.config.models import Config
from pbx.events import CallEvent, EventBus, TranscriptChanged
from pbx.store.calls import Calls, Transcript, Word
from pbx.store.database import open_engine
from pbx.store.people import People, Role
from pbx.store.reports import Reports
from pbx.store.traffic import FlowTraffic
from pbx.store.writer import CallWriter
from pbx.web.app import create_app
from pbx.web.state import WebState
from tests.e2e.history import Story
from tests.support.floor import floor
from tests.support.server import PASSWORDS, REPOSITORY

START_PATIENCE_S = 15
CONFIG = {
    "server": {"name": "Acme Plumbing", "timezone": "America/New_York", "country": "US"},
    "web": {"listen": "127.0.0.1:0"},
    "sources": {
        "yellow-pages": {"name": "Yellow Pages ad", "kind": "offline"},
        "google-ads": {"name": "Google Ads"},
        "organic-google": {"name": "Google organic"},
        "direct": {"name": "Direct"},
    },
    "numbers": {
        "+12125550100": {"source": "yellow-pages", "flow": "main"},
        "+12125550101": {"source": "google-ads", "flow": "main"},
        "+12125550102": {"source": "direct", "flow": "straight-to-alice"},
    },
    "pools": {"website": {"numbers": ["+12125550110", "+12125550111"], "flow": "main"}},
    "agents": {
        "alice": {"name": "Alice Moreno", "extension": "101"},
        "bob": {"name": "Bob Okafor", "extension": "102"},
        "desk": {"name": "Front desk", "contact": "sip:desk@127.0.0.1:5080"},
    },
    "queues": {
        "sales": {"members": ["alice", "bob"], "strategy": "longest-idle", "extension": "601"},
        "support": {"members": ["alice", "desk"], "max_wait": "1h"},
    },
}


class Server:
    """Start it with ``with``; a second one on the same folder and port is the same server, restarted."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.folder = folder
        self.bus = EventBus()
        self.socket = socket.create_server(("127.0.0.1", port))
        self.port = self.socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._database = f"sqlite:///{folder / 'pbx.db'}"
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="web-under-test")

    def __enter__(self) -> "Server":
        self._thread.start()
        assert self._started.wait(START_PATIENCE_S), "the server did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._app.state.feed.close)
            self._uvicorn.should_exit = True
            self._thread.join()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._writer = CallWriter(self._database, self.folder, SystemClock())
        await self._writer.start()
        self.bus.subscribe(self._writer.write)
        engine = open_engine(self._database)
        self.calls, self.people = Calls(engine), People(engine)
        config = Config.model_validate(CONFIG)
        # A contact stands still; of the others' phones, bob's is not registered.
        self.floor = floor(config, SystemClock(), self.bus.publish, lambda agent: agent != "bob")
        state = WebState(
            config=config,
            data_dir=self.folder,
            clock=SystemClock(),
            bus=self.bus,
            calls=self.calls,
            reports=Reports(engine),
            people=self.people,
            floor=self.floor,
            flows=load(REPOSITORY / "config.yaml", PASSWORDS).flows,
            traffic=FlowTraffic(engine),
        )
        self._app = create_app(state)
        self._uvicorn = uvicorn.Server(
            uvicorn.Config(self._app, log_level="warning", timeout_graceful_shutdown=1)
        )
        self._loop.call_soon(self._started.set)
        try:
            await self._uvicorn.serve(sockets=[self.socket])
        finally:
            await self._writer.close()
            engine.dispose()

    def publish(self, events: Iterable[CallEvent]) -> None:
        """As the call path does it; returns once the store has them."""

        async def publish() -> None:
            last = ""
            for event in events:
                self.bus.publish(event)
                last = event.call_id
            for _ in range(20):  # a busy machine may take longer than a call would wait
                if await self._writer.opened(last):
                    return
            raise AssertionError("the store does not keep up")

        asyncio.run_coroutine_threadsafe(publish(), self._loop).result()

    def on_the_loop(self, action: Callable[[], Awaitable[object]]) -> None:
        """Do something where the board lives."""
        asyncio.run_coroutine_threadsafe(action(), self._loop).result()

    def tell(self, *stories: Story) -> None:
        for story in stories:
            self.publish(story.told)

    def user(self, name: str, role: Role = Role.MANAGER) -> str:
        """A new user's password."""
        return self.people.add_user(name, role, SystemClock().now())

    def transcribe(
        self, call_id: str, words: Iterable[Word] = (), state: str = "done", problem: str = ""
    ) -> None:
        """What the transcriber does when it has ended."""
        now = SystemClock().now()
        transcript = Transcript(state, tuple(words), problem)
        self.calls.save_transcript(call_id, transcript, now)
        self.publish(
            [
                TranscriptChanged(
                    call_id=call_id, at=now, state=state, words=len(transcript.words), problem=problem
                )
            ]
        )
