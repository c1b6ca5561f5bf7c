"""The application on a database that the writer filled, and clients of each role."""

import asyncio
import wave
from datetime import timedelta

import httpx
import pytest

from pbx.channels.chats import Chats
from pbx.channels.inbox import Inbox
from pbx.channels.replies import Replies
from pbx.channels.texts import Texts
from pbx.clock import VirtualClock
from pbx.config.channels import Channels, Service
from pbx.config.inbound import Receive, Signature
from pbx.config.models import Agent, Config, Queue, Server, Source
from pbx.config.texts import Sending
from pbx.config.texts import Texts as Texts_
from pbx.events import CallStatus, EventBus, MessageSent
from pbx.httpcalls import WebAnswer
from pbx.outbox import Outbox
from pbx.store.calls import Calls, Transcript, Word
from pbx.store.database import open_engine
from pbx.store.messages import Messages
from pbx.store.outbox import OutboxRows
from pbx.store.people import People, Role
from pbx.store.reports import Reports
from pbx.store.traffic import FlowTraffic
from pbx.store.writer import CallWriter
from pbx.web.app import create_app
from pbx.web.state import ChannelDesk, WebState
from tests.pbx.flows.worlds import flow
from tests.support.floor import floor
from tests.support.made_calls import NOON, ended, started, tracked

SIGNED = Signature(secret="shared", scheme="hmac-sha256", header="X-Signature", prefix="sha256=")
SMS = Texts_(
    from_="+12125550100",
    url="https://sms.test/",
    form={"To": "{to}"},
    receive=Receive(
        signature=SIGNED,
        fields={"from": "From", "to": "To", "text": "Body", "id": "Sid", "status": "Status"},
    ),
)
CHANNELS = Channels(
    chat=True,
    callback=["bob", "alice"],
    services={
        "leads": Service(
            channel="lead",
            source="google-ads",
            receive=Receive(
                signature=Signature(secret="word", scheme="token", header="X-Token"),
                items="leads.fields",
                fields={"name": "name", "phone": "tel", "id": "id"},
                verify_token="really",
            ),
        ),
        "social": Service(
            channel="social",
            receive=Receive(
                signature=SIGNED, fields={"from": "who", "to": "page", "text": "says", "phone": "tel"}
            ),
            reply=Sending(url="https://social.test/send", body={"to": "{to}", "text": "{text}"}, secret="s"),
        ),
    },
)
CONFIG = Config(
    server=Server(name="Acme", timezone="America/New_York"),
    sources={"yellow-pages": Source(name="Yellow Pages ad"), "google-ads": Source(name="Google Ads")},
    agents={"alice": Agent(name="Alice Moreno"), "bob": Agent(name="Bob Okafor")},
    texts={"sms": SMS},
    channels=CHANNELS,
    queues={"sales": Queue(members=["alice", "bob"]), "support": Queue(members=["bob"])},
)
MAIN = """
welcome: {say: Thank you for calling, next: sales}
sales: {queue: sales, on_timeout: mail}
mail: {voicemail: {}}
"""
WORDS = (
    Word("burst", 1.0, 1.4, "caller", 0.9),
    Word("pipe", 1.4, 1.8, "caller", 0.8),
    Word("coming", 2.0, 2.5, "agent", 0.7),
)


class FarEnd:
    """Another service, which takes whatever it is sent."""

    def __init__(self, sent):
        self.sent = sent

    async def send(self, request):
        self.sent.append(request)
        return WebAnswer(200, b'{"id": "R1"}')


class Site:
    """The application and what a test needs around it."""

    def __init__(self, folder):
        self.clock = VirtualClock(NOON + timedelta(hours=1))
        self.bus = EventBus()
        self.engine = open_engine(f"sqlite:///{folder}/pbx.db")
        self.data_dir = folder
        asyncio.run(self._fill(folder))
        self.state = WebState(
            config=CONFIG,
            data_dir=folder,
            clock=self.clock,
            bus=self.bus,
            calls=Calls(self.engine),
            reports=Reports(self.engine),
            people=People(self.engine),
            floor=floor(CONFIG, self.clock, self.bus.publish, lambda agent: agent != "bob"),
            flows={"main": flow(MAIN)},
            traffic=FlowTraffic(self.engine),
            channels=self._channels(),
            checks={"store": lambda: "", "media": lambda: "", "sip": lambda: ""},
            figures=lambda: {"sip_requests_total": 3.0, "store_spooled_events": 0.0},
        )
        self.state.calls.save_transcript("c0", Transcript("done", WORDS), NOON)
        self.app = create_app(self.state)
        now = self.clock.now()
        people = self.state.people
        self.tokens = {role: people.create_token(role, role, now) for role in Role}
        self.tokens["alice"] = people.create_token("alice", Role.AGENT, now)
        self.password = people.add_user("mia", Role.MANAGER, now)

    def _channels(self):
        messages = Messages(self.engine)
        publish = self.bus.publish
        self.outbox = Outbox(OutboxRows(self.engine), self.clock, {})
        self.sent = []
        texts = Texts(CONFIG.texts, messages, self.outbox, self.clock, publish)
        return ChannelDesk(
            Inbox(
                messages,
                self.clock,
                publish,
                lambda number: "yellow-pages",
                visitors=lambda: self.state.visitors,
            ),
            texts,
            Chats(),
            Replies(CHANNELS.services, messages, self.outbox, FarEnd(self.sent), self.clock, publish),
        )

    def deliver(self):
        """Whatever waits in the outbox goes out."""

        async def scene():
            sent = asyncio.Event()
            self.bus.subscribe(lambda event: sent.set() if isinstance(event, MessageSent) else None)
            self.outbox.carriers["reply"] = self.state.channels.replies
            self.outbox.start()
            await asyncio.wait_for(sent.wait(), 60)
            await self.outbox.close()

        asyncio.run(scene())

    async def _fill(self, folder):
        writer = CallWriter(f"sqlite:///{folder}/pbx.db", folder, self.clock)
        await writer.start()
        for number in range(6):
            at = NOON - timedelta(minutes=10 * number)
            source = "google-ads" if number % 2 else "yellow-pages"
            for event in tracked(
                f"c{number}", at, agent="bob" if number == 3 else "alice", source=source, talk_s=10 + number
            ):
                writer.write(event)
        writer.write(started("gone", NOON - timedelta(hours=3), to="+12125550101", source="unknown"))
        writer.write(ended("gone", NOON - timedelta(hours=3) + timedelta(seconds=5), CallStatus.ABANDONED))
        writer.write(started("live", NOON + timedelta(minutes=59)))
        await writer.close()
        path = folder / "recordings" / "c0.wav"
        path.parent.mkdir()
        with wave.open(str(path), "wb") as wav:
            wav.setnchannels(2)
            wav.setsampwidth(2)
            wav.setframerate(8000)
            wav.writeframes(bytes(range(256)) * 125)

    def ask(self, method, path, *, role="admin", headers=None, client=None, **options):
        """One request, as a program with that role's token (None: as nobody)."""
        given = {} if role is None else {"authorization": f"Bearer {self.tokens[role]}"}

        async def send():
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as http:
                return await http.request(method, path, headers=given | (headers or {}), **options)

        return asyncio.run(send())

    def get(self, path, **options):
        return self.ask("GET", path, **options)


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    yield made
    made.engine.dispose()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """For tests that change nothing."""
    made = Site(tmp_path_factory.mktemp("site"))
    yield made
    made.engine.dispose()
