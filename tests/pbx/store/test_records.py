"""Exports: every record once, in pages, with cells that no spreadsheet executes."""

import csv
import io
import json
import tracemalloc
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session

from pbx.store import records
from pbx.store.calls import Filter
from pbx.store.messages import Channel, Message, Messages, State
from pbx.store.tables import CallRow, TagRow
from pbx.store.tabular import cell
from tests.support.made_calls import NOON

ZONE = ZoneInfo("America/New_York")
START_MS = int(NOON.timestamp() * 1000)


def row(number: int, **more) -> CallRow:
    values = {
        "id": f"c{number:06}",
        "direction": "inbound",
        "from_number": "+12125550999",
        "to_number": "+12125550100",
        "trunk": "carrier",
        "sip_call_id": "x",
        "flow": "main",
        "source": "radio",
        "status": "answered",
        "started_ms": START_MS - 1000 * (number // 2),  # two of each moment
        "path": "welcome\nsales",
    }
    return CallRow(**(values | more))


def fill(engine, count: int, prefix: str = "c") -> None:
    with Session(engine) as session:
        session.bulk_save_objects([row(number, id=f"{prefix}{number:06}") for number in range(count)])
        session.commit()


def test_every_call_comes_once_newest_first_over_many_pages(engine) -> None:
    fill(engine, 2500)
    found = [record["id"] for record in records.calls(engine, Filter(), ZONE)]
    assert len(found) == len(set(found)) == 2500
    assert {"c000000", "c000001"} == set(found[:2])


def test_a_call_as_json_and_as_csv_says_the_same(engine) -> None:
    with Session(engine) as session:
        session.add(row(1, note="Möchte „Angebot“, dringend\nbitte", ended_ms=START_MS + 62_000, score=4))
        session.add(TagRow(call_id="c000001", tag="booked", because="x"))
        session.add(TagRow(call_id="c000001", tag="angry", because="x"))
        session.commit()
    (line,) = records.json_lines(records.calls(engine, Filter(), ZONE))
    told = json.loads(line)
    assert told["started_at"] == "2026-11-24T07:00:00.000-05:00"
    assert (told["duration"], told["tags"], told["score"]) == (62.0, ["angry", "booked"], 4)
    assert list(told) == list(records.CALLS)
    (read,) = csv.DictReader(
        io.StringIO("".join(records.csv_lines(records.calls(engine, Filter(), ZONE), records.CALLS)))
    )
    assert read["note"] == "Möchte „Angebot“, dringend\nbitte"
    assert (read["tags"], read["path"], read["agent"]) == ("angry | booked", "welcome | sales", "")
    assert datetime.fromisoformat(read["started_at"]) == NOON


def test_messages_are_filtered_by_channel_period_and_source(engine) -> None:
    messages = Messages(engine)
    for number, channel in enumerate([Channel.FORM, Channel.TEXT, Channel.FORM]):
        messages.add(
            Message(
                channel=channel,
                thread="t",
                via="site",
                from_="+12125550999",
                to="",
                text="=1+1",
                state=State.RECEIVED,
                created=NOON + timedelta(hours=number),
                fields={"name": "Åsa"},
                source="radio",
            )
        )
    forms = list(records.messages(engine, Filter(), ZONE, ("form",)))
    assert [record["created_at"][11:16] for record in forms] == ["09:00", "07:00"]
    assert len(list(records.messages(engine, Filter(since=NOON + timedelta(hours=2)), ZONE))) == 1
    assert list(records.messages(engine, Filter(source=("tv",)), ZONE)) == []
    text = "".join(records.csv_lines(iter(forms), records.MESSAGES))
    assert ",'=1+1," in text
    assert '""name"": ""Åsa""' in text


def peak_of_an_export(engine) -> int:
    lines = records.csv_lines(records.calls(engine, Filter(), ZONE), records.CALLS)
    tracemalloc.start()
    for _ in lines:
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_the_number_of_calls_does_not_decide_the_memory(engine) -> None:
    fill(engine, 2 * records.PAGE, prefix="a")
    peak_of_an_export(engine)  # fills caches
    few = peak_of_an_export(engine)
    fill(engine, 8 * records.PAGE, prefix="b")
    assert peak_of_an_export(engine) < 1.5 * few


@pytest.mark.parametrize(
    "formula", ["=1+1", "+1+1", "-1+1", "@SUM(1)", "\t=1", "\r=1", "\n=1", " =1", "＝1", "=HYPERLINK(1)"]
)
def test_no_cell_is_a_formula(formula: str) -> None:
    assert cell(formula) == f"'{formula}"


@pytest.mark.parametrize("value", ["+12125550100", "-3.5", "plain", "a=b", "", "2026-11-24T07:00:00-05:00"])
def test_what_is_no_formula_stays_as_it_is(value: str) -> None:
    assert cell(value) == value


@given(st.text())
def test_whatever_it_is_csv_gives_it_back(text: str) -> None:
    text = text.replace("\0", "").encode("utf-8", "ignore").decode()
    lines = "".join(records.csv_lines(iter([{"a": text}]), ["a"]))
    (header, *rest) = csv.reader(io.StringIO(lines, newline=""))
    back = rest[0][0] if rest and rest[0] else ""
    assert header == ["a"]
    assert back.removeprefix("'") == text.removeprefix("'")
