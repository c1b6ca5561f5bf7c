"""A chat that nobody answers becomes a message, once."""

import asyncio
from datetime import timedelta

import pytest

from pbx import events
from pbx.channels.chats import thread_of
from pbx.channels.inbox import Inbox
from pbx.channels.missed import MissedChats
from pbx.clock import VirtualClock
from pbx.store.database import open_engine
from pbx.store.messages import Channel, Messages
from pbx.store.migrations import migrate

THREAD = thread_of("c" * 32)


async def in_place(work, *args):
    return work(*args)


class Chat:
    """One chat, on the virtual clock."""

    def __init__(self, engine):
        self.clock = VirtualClock()
        self.messages = Messages(engine)
        self.happened = []
        self.missed = self.watch()
        self.inbox = Inbox(self.messages, self.clock, self.publish, lambda number: "", in_place)

    def watch(self):
        return MissedChats(self.messages, self.clock, self.publish, lambda: timedelta(minutes=1), in_place)

    def publish(self, event):
        self.happened.append(event)
        self.missed.heard(event)

    async def line(self, text):
        await self.inbox.take(channel=Channel.CHAT, thread=THREAD, via="chat", from_="", to="/p", text=text)

    def told(self):
        return [each.text for each in self.happened if isinstance(each, events.ChatMissed)]

    def marks(self):
        return [line.problem for line in self.messages.thread(THREAD)]


@pytest.fixture
def chat(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path}/pbx.db")
    migrate(engine)
    yield Chat(engine)
    engine.dispose()


def test_nobody_answers(chat):
    async def scene():
        chat.missed.start()
        await chat.line("Hello?")
        await asyncio.sleep(30)
        await chat.line("Anybody?")
        await asyncio.sleep(29)
        assert chat.told() == []
        await asyncio.sleep(2)
        assert chat.told() == ["Hello?"]
        assert chat.marks() == ["nobody answered within 60 s"] * 2
        await chat.line("Call me on 212 555 0142 then")  # the message that is left
        await asyncio.sleep(120)
        assert chat.told() == ["Hello?"]
        await chat.missed.close()

    chat.clock.run(scene())


def test_an_answer_in_time_and_a_new_question_later(chat):
    async def scene():
        chat.missed.start()
        await chat.line("Hello?")
        await asyncio.sleep(20)
        chat.messages.handle(THREAD, "alice", chat.clock.now())
        await asyncio.sleep(600)
        assert chat.told() == []
        await chat.line("One more thing")
        await asyncio.sleep(61)
        assert chat.told() == ["One more thing"]
        assert chat.marks() == ["", "nobody answered within 60 s"]
        await chat.missed.close()

    chat.clock.run(scene())


def test_lines_of_an_earlier_run_are_taken_up(chat):
    async def scene():
        await chat.line("Hello?")
        chat.missed = chat.watch()  # of the next run
        await asyncio.sleep(300)
        assert chat.told() == []
        chat.missed.start()
        await asyncio.sleep(1)
        assert chat.told() == ["Hello?"]
        await chat.missed.close()

    chat.clock.run(scene())
