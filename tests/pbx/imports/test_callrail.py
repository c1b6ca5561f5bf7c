"""CallRail's files: headers in any spelling, rows one by one, faults with their place."""

import contextlib
import csv
import io
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from pbx.config.models import Config
from pbx.imports import callrail as files
from pbx.imports.callrail import Bad, moment, seconds
from pbx.imports.proposal import proposal
from pbx.imports.sheet import BadCell, NotReadable, bare
from pbx.imports.sources import SourceNames, slug

ZONE = ZoneInfo("America/New_York")
EXPORT = """\
Call Status,Number Name,Tracking Number,Source,Start Time,Duration (seconds),Name,Phone Number,First-Time Caller,City,Keywords,Landing Page,Campaign,Medium,gclid,Recording URL,Note,Tags,Value,Lead Status,Agent Name
Answered Call,Website pool,(212) 555-0110,Google Ads,2026-11-03 14:05:22,125,Ann Lee,(212) 555-0999,Yes,New York,plumber,https://www.example.com/offer?gclid=x,spring,cpc,Cj0,https://app.callrail.com/r/1,"Wants a quote,
soon","booked, vip",$250.00,Good Lead,Alice
Missed Call,Radio,212-555-0100,Radio,11/03/2026 02:06 PM,,,anonymous,No,,,,,,,,,,,,
Voicemail,Radio,+12125550100,Radio,2026-11-03T19:07:00Z,0:31,,+12125550998,No,,,,,,,,,,,,
"""
API = """\
id,answered,voicemail,customer_phone_number,tracking_phone_number,start_time,duration,direction,source,keywords,landing_page_url,utm_campaign,tags,lead_status,note
CAL1,true,false,+12125550999,+12125550110,2026-11-03T14:05:22.000-05:00,125,inbound,google_ads,,https://www.example.com/offer,spring,"[""vip""]",good_lead,
CAL2,false,false,+12125550998,+12125550110,2026-11-03T14:06:22.000-05:00,9,outbound,google_ads,,,,,,
"""


def read(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "calls.csv"
    path.write_bytes(text.encode(encoding))
    return list(files.calls(files.open_calls(path), "US", ZONE))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_the_export_of_the_dashboard(tmp_path, encoding) -> None:
    ann, radio, mail = read(tmp_path, EXPORT, encoding)
    assert (ann.status, ann.tracking, ann.caller) == ("answered", "+12125550110", "+12125550999")
    assert ann.started == datetime(2026, 11, 3, 19, 5, 22, tzinfo=UTC)
    assert (ann.duration_s, ann.value, ann.outcome, ann.tags) == (125, 250, "lead", ("booked", "vip"))
    assert (ann.landing_page, ann.keyword, ann.medium) == ("https://www.example.com/offer", "plumber", "cpc")
    assert ann.note == "Wants a quote,\nsoon"
    assert "CallRail says: answered by Alice" in ann.remarks
    assert (radio.line, radio.status, radio.caller, radio.duration_s) == (4, "missed", "", 0)
    assert radio.started == datetime(2026, 11, 3, 19, 6, tzinfo=UTC)
    assert (mail.status, mail.duration_s) == ("voicemail", 31)


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters_and_what_excel_calls_unicode_text(tmp_path, delimiter) -> None:
    rows = csv.reader(io.StringIO(EXPORT))
    written = io.StringIO()
    csv.writer(written, delimiter=delimiter).writerows(rows)
    for encoding in ("utf-8-sig", "utf-16"):
        assert [call.id for call in read(tmp_path, written.getvalue(), encoding)] == [
            call.id for call in read(tmp_path, EXPORT)
        ]


def test_an_encoding_that_has_no_mark_is_named_and_not_guessed(tmp_path) -> None:
    text = EXPORT.replace("Ann Lee", "Anna Müller")
    with pytest.raises(NotReadable, match="--encoding windows-1252"):
        read(tmp_path, text, "cp1252")
    sheet = files.open_calls(tmp_path / "calls.csv", "windows-1252")
    ann, *_ = files.calls(sheet, "US", ZONE)
    assert "CallRail says: caller's name Anna Müller" in ann.remarks


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("Start Time", "0001-01-01 00:00:00"),
        ("Start Time", "9999-12-31 23:59:59"),
        ("Duration (seconds)", "9" * 30),
        ("Duration (seconds)", "9" * 5000 + "h"),
        ("Value", "9" * 25),
    ],
)
def test_what_no_call_can_be_is_named_and_breaks_nothing(tmp_path, column, cell) -> None:
    head, first, *_ = csv.reader(io.StringIO(EXPORT))
    first[head.index(column)] = cell
    written = io.StringIO()
    csv.writer(written).writerows([head, first])
    (bad,) = read(tmp_path, written.getvalue())
    assert f": {column} '" in bad.fault


@pytest.mark.parametrize(
    ("written", "value"),
    [("$1,250.00", 1250), ("1.250,50 €", 1250.5), ("12,5", 12.5), ("1,250", 1250), ("-3", -3)],
)
def test_amounts_as_people_write_them(tmp_path, written, value) -> None:
    ann, *_ = read(tmp_path, EXPORT.replace("$250.00", f'"{written}"'))
    assert ann.value == value


def test_a_landing_page_that_is_no_url_breaks_nothing(tmp_path) -> None:
    ann, *_ = read(tmp_path, EXPORT.replace("https://www.example.com/offer?gclid=x", "http://[bad?x=1"))
    assert ann.landing_page == "http://[bad"


def test_the_fields_of_the_api(tmp_path) -> None:
    first, second = read(tmp_path, API)
    assert (first.id, first.answered, first.tags, first.outcome) == ("callrail-CAL1", True, ("vip",), "lead")
    assert (second.status, second.direction) == ("missed", "outbound")


def test_a_call_has_the_same_id_whenever_it_is_read(tmp_path) -> None:
    assert [call.id for call in read(tmp_path, EXPORT)] == [call.id for call in read(tmp_path, EXPORT)]


def test_what_cannot_be_read_is_named_with_its_place_and_kept(tmp_path) -> None:
    text = """\
Call Status,Tracking Number,Start Time,Duration (seconds),Value
Answered Call,12,2026-11-03 14:05:22,5,
Answered Call,212-555-0100,yesterday,5,

Answered Call,212-555-0100,2026-11-03 14:05:22,long,
Lost,212-555-0100,2026-11-03 14:05:22,5,
,212-555-0100,2026-11-03 14:05:22,5,
Answered Call,212-555-0100,2026-11-03 14:05:22,,
Answered Call,212-555-0100,2026-11-03 14:05:22,5,much
Answered Call,212-555-0100
"""
    found = read(tmp_path, text)
    assert all(isinstance(each, Bad) for each in found)
    assert [each.fault.partition(" is")[0] for each in found] == [
        "calls.csv:2:2: Tracking Number '12'",
        "calls.csv:3:3: Start Time 'yesterday'",
        "calls.csv:5:4: Duration (seconds) 'long'",
        "calls.csv:6:1: Call Status 'Lost'",
        "calls.csv:7:1: Call Status",
        "calls.csv:8:4: Duration (seconds)",
        "calls.csv:9:5: Value 'much'",
        "calls.csv:10:3: Start Time",
    ]
    assert found[0].row.raw[1] == "12"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "the file is empty"),
        ("Name,Age\n", "no column Tracking Number and no column Start Time and no column Duration"),
    ],
)
def test_a_file_that_is_something_else(tmp_path, text, fault) -> None:
    with pytest.raises(NotReadable, match=fault):
        read(tmp_path, text)


def test_a_file_that_is_no_text(tmp_path) -> None:
    (tmp_path / "calls.csv").write_bytes(b"\xff\xfe\x00PK")
    with pytest.raises(NotReadable, match=r"calls\.csv:1"):
        files.open_calls(tmp_path / "calls.csv")


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-03 14:05:00",
        "2026-11-03 14:05:00 -0500",
        "2026-11-03T19:05:00Z",
        "2026-11-03 19:05:00 UTC",
        "11/03/2026 02:05 PM",
        "11/03/2026 2:05pm",
        "Nov 03, 2026 2:05 PM",
    ],
)
def test_times_are_read_as_people_write_them(written) -> None:
    assert moment(written, ZONE) == datetime(2026, 11, 3, 19, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "value"), [("125", 125), ("2:05", 125), ("1:02:05", 3725), ("2m 5s", 125), ("125.0", 125)]
)
def test_durations_are_read_as_people_write_them(written, value) -> None:
    assert seconds(written) == value


@given(st.text(max_size=30))
def test_whatever_stands_there_it_is_read_or_refused(text) -> None:
    for reader in (seconds, lambda written: moment(written, ZONE)):
        with contextlib.suppress(BadCell):
            reader(text)


def test_headers_are_known_in_any_spelling() -> None:
    assert bare(" Duration (seconds)") == bare("duration_seconds") == bare("DURATION - Seconds")


TRACKERS = """\
Name,Tracking Number,Type,Source,Swap Target,Whisper Message,Status
Radio spot,(212) 555-0120,Source Tracker,Radio,,Call from the radio,active
Ads,212-555-0121,source_tracker,Google Ads,,,
Website,"212-555-0130, 212-555-0131",Session Tracker,All Visitors,212-555-0199,,active
Old,212-555-0140,Source Tracker,Old,,,disabled
Here,+12125550100,Source Tracker,Yellow,,,
2nd: #1,212-555-0150,Source Tracker,"2nd ""best"": {x}
#1",,,
Bad,12,Source Tracker,x,,,
"""
CONFIG = Config.model_validate(
    {
        "sources": {"yellow-pages": {"name": "Yellow Pages ad"}},
        "numbers": {"+12125550100": {"source": "yellow-pages", "flow": "main"}},
    }
)


def test_trackers_become_a_proposal_that_loads(tmp_path) -> None:
    path = tmp_path / "trackers.csv"
    path.write_text(TRACKERS)
    found = list(files.trackers(files.open_trackers(path), "US"))
    (bad,) = [each for each in found if isinstance(each, Bad)]
    assert bad.fault == "trackers.csv:9:2: Tracking Number '12' is no telephone number"
    text = proposal([each for each in found if not isinstance(each, Bad)], CONFIG, "main", "trackers.csv")
    assert "line 5, Old: is not active there" in text
    assert "line 6, Here: +12125550100 is there already" in text
    proposed = Config.model_validate(YAML(typ="safe", pure=True).load(text))
    assert set(proposed.numbers) == {"+12125550120", "+12125550121", "+12125550150"}
    assert proposed.numbers["+12125550120"].whisper == "Call from the radio"
    assert proposed.sources["google-ads"].match is not None
    assert proposed.sources["radio"].kind == "offline"
    assert proposed.pools["website"].numbers == ["+12125550130", "+12125550131"]
    assert proposed.pools["website"].targets == ["+12125550199"]


def test_a_source_is_ours_by_number_by_name_or_by_id() -> None:
    names = SourceNames(CONFIG)
    assert names.ours("Whatever", "+12125550100") == "yellow-pages"
    assert names.ours("yellow pages AD", "+12125550999") == "yellow-pages"
    assert names.ours("Yellow_Pages", "") == "yellow-pages"
    assert names.ours("Café Größe", "") == "cafe-groe"
    assert slug("–") == "unknown"
