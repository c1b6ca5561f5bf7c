"""What went through a flow, read from the store."""

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path

from pbx.clock import SystemClock
from pbx.config.load import load
from pbx.store.traffic import FlowTraffic
from pbx.store.writer import CallWriter
from tests.pbx.replay.past import MONDAY, Past, Person

CONFIG = """
sources: {radio: {name: Radio, kind: offline}}
numbers: {"+12125550100": {source: radio, flow: main}}
agents: {alice: {name: Alice, contact: "sip:alice@127.0.0.1"}}
"""
MAIN = """
start: ask
steps:
  ask: {menu: Press 1 or 2, keys: {"1": alice, "2": alice, "3": other}, retries: 0, otherwise: mail}
  alice: {dial: alice, on_no_answer: mail}
  mail: {voicemail: {}}
  other: {goto: other}
"""
OTHER = "start: bye\nsteps:\n  bye: {wait: 60s, next: hangup}\n"
PEOPLE = [
    Person(0, ["1"]),
    Person(200, ["2"]),
    Person(400, ["3"]),
    Person(600, ["3"], patience_s=20),
    Person(800, [], patience_s=1),
]


def test_calls_are_counted_by_step_way_and_flow(engine, url, tmp_path: Path):
    (tmp_path / "ivr_flows").mkdir()
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "ivr_flows" / "main.yaml").write_text(MAIN)
    (tmp_path / "ivr_flows" / "other.yaml").write_text(OTHER)
    past = Past(load(tmp_path / "config.yaml", {}), PEOPLE, {"alice": 2.0})

    async def write() -> None:
        writer = CallWriter(url, tmp_path, SystemClock())
        await writer.start()
        for event in past.happened:
            writer.write(event)
        await writer.close()

    asyncio.run(write())
    store, day = FlowTraffic(engine), (MONDAY, MONDAY + timedelta(days=1))
    main = store.of("main", *day)
    assert main.calls == {"ask": 5, "alice": 2, "other": 2}
    assert main.labels["ask", "key 1", "alice"] == main.labels["ask", "key 2", "alice"] == 1
    assert main.ways["ask", "alice"] == 2
    assert main.hung_up == {"ask": 1}
    other = store.of("other", *day)
    assert (other.calls, other.hung_up) == ({"bye": 2}, {"bye": 1})
    assert other.ways == Counter({("bye", "hangup"): 1, ("bye", None): 1})
    assert store.calls(*day) == {"main": 5}
    assert store.of("main", MONDAY - timedelta(days=2), MONDAY).calls == {}
