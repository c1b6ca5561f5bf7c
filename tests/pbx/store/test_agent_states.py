"""Agents' availability as a history."""

import asyncio
from datetime import timedelta

from pbx.agents import Presence
from pbx.clock import VirtualClock
from pbx.events import AgentPresenceChanged, AgentStateChanged
from pbx.store.agent_states import AgentStates
from pbx.store.writer import CallWriter
from tests.support.made_calls import NOON


def presence(agent, minute, *, reachable=True, paused=False, reason="", logged_out=()):
    return AgentPresenceChanged(
        call_id="",
        at=NOON + timedelta(minutes=minute),
        agent=agent,
        reachable=reachable,
        paused=paused,
        reason=reason,
        logged_out=logged_out,
        by="phone",
    )


def record(url, folder, *happened):
    async def main():
        writer = CallWriter(url, folder, VirtualClock())
        await writer.start()
        for event in happened:
            writer.write(event)
        await writer.close()

    asyncio.run(main())


def test_the_last_word_of_each_agent_outlives_a_restart(url, engine, tmp_path):
    record(
        url,
        tmp_path,
        presence("alice", 0),
        presence("bob", 0, reachable=False),
        presence("alice", 5, paused=True, reason="lunch", logged_out=("sales", "support")),
        AgentStateChanged(call_id="", at=NOON, agent="bob", state="ringing"),  # only for the live stream
    )
    assert AgentStates(engine).presences() == {
        "alice": Presence(True, "lunch", frozenset({"sales", "support"}), "phone"),
        "bob": Presence(by="phone"),
    }


def test_a_span_of_time_begins_with_what_everybody_was(url, engine, tmp_path):
    record(
        url,
        tmp_path,
        presence("alice", 0),
        presence("bob", 1),
        presence("bob", 2, reachable=False),
        presence("alice", 10, paused=True),
        presence("alice", 20),
        presence("bob", 30),
    )
    since, until = NOON + timedelta(minutes=10), NOON + timedelta(minutes=30)
    rows = AgentStates(engine).between(since, until)
    assert [(row.agent, row.state) for row in rows] == [
        ("alice", "available"),
        ("bob", "offline"),
        ("alice", "paused"),
        ("alice", "available"),
    ]
