"""The dashboard in Chromium, against the real server and store."""

import contextlib
import re
import wave
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as NotInTime

from pbx import events
from pbx.events import CallStatus
from pbx.store.database import open_engine
from pbx.store.imported import ImportedCalls, NewCall
from pbx.store.people import Role
from tests.e2e import history, voices
from tests.e2e.conftest import Visitor, sign_in
from tests.e2e.history import Story
from tests.e2e.looks import FAINT_TEXTS, FITS, INKED, NAMELESS_CONTROLS
from tests.e2e.server import Server

pytestmark = pytest.mark.browser

RECORDING = "recordings/one.wav"
WORDS = voices.spoken(voices.PLUMBING)


def rows(page: Page) -> list[str]:
    """The ids of the calls shown, from the top."""
    return page.eval_on_selector_all("#ledger tr[data-id]", "rows => rows.map(row => row.dataset.id)")


def row(page: Page, call_id: str):
    return page.locator(f"#ledger tr[data-id='{call_id}']")


def one_of_each(server: Server, at: datetime) -> None:
    server.tell(
        history.failed("failed", at - timedelta(minutes=50), "+19175550004", "google-ads"),
        history.abandoned("abandoned", at - timedelta(minutes=40), "+19175550003", "unknown"),
        history.voicemail(
            "voicemail", at - timedelta(minutes=30), "+442079460002", "yellow-pages", RECORDING
        ),
        history.missed("missed", at - timedelta(minutes=20), "", "direct"),
        history.answered("answered", at - timedelta(minutes=10), "+16465550142", "google-ads", 48, RECORDING),
    )


def recorded(server: Server, at: datetime, call_id: str = "answered") -> None:
    """An answered call with sound, and its transcript."""
    seconds = voices.write(server.folder / RECORDING, WORDS)
    server.tell(history.answered(call_id, at, "+16465550142", "google-ads", seconds, RECORDING))
    server.transcribe(call_id, WORDS)


def test_an_imported_call_says_so(server: Server, visitor: Visitor) -> None:
    at_ms = round(datetime.now().timestamp() * 1000) - 60_000
    call = {"id": "callrail-1", "origin": "callrail", "opened_by": 0, "direction": "inbound"}
    call |= {"from_number": "+16465550142", "to_number": "+12125550100", "source": "google-ads"}
    call |= {"status": "answered", "started_ms": at_ms, "answered_ms": at_ms, "ended_ms": at_ms + 9000}
    call |= {"trunk": "", "sip_call_id": "", "flow": "", "reasons": "[]"}
    engine = open_engine(f"sqlite:///{server.folder / 'pbx.db'}")
    assert ImportedCalls(engine).add([NewCall(call, ("vip",))]) == 1
    engine.dispose()
    page = visitor.signed_in()
    expect(row(page, "callrail-1").locator(".c-path")).to_contain_text("Imported from callrail")


# Signing in


def test_without_a_login_every_page_leads_to_it_and_back(server: Server, visitor: Visitor) -> None:
    page = visitor.page()
    page.goto("/calls/some-call")
    expect(page).to_have_url(re.compile("/login"))
    expect(page.locator(".hint")).to_contain_text("pbx user add")
    sign_in(page, "maria", "guess")
    expect(page.get_by_role("alert")).to_have_text("That name and password do not belong together.")
    sign_in(page, "maria", server.user("maria"))
    expect(page).to_have_url(re.compile("/calls/some-call$"))
    expect(page.get_by_text("There is no such call")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile("/login"))
    page.goto("/")
    expect(page).to_have_url(re.compile("/login"))


# The list


def test_an_empty_list_says_how_to_place_the_first_call(visitor: Visitor) -> None:
    page = visitor.signed_in()
    nothing = page.locator("#no-calls")
    expect(nothing).to_contain_text("make demo")
    expect(nothing).to_contain_text("pbx call +12125550100")
    expect(nothing).to_contain_text("sip:+12125550100@127.0.0.1:5060")
    expect(page.locator("#ledger")).to_be_hidden()


def test_calls_are_listed_newest_first_with_who_what_and_how_long(
    server: Server, visitor: Visitor, now: datetime
) -> None:
    one_of_each(server, now)
    page = visitor.signed_in()
    assert rows(page) == ["answered", "missed", "voicemail", "abandoned", "failed"]
    top = row(page, "answered")
    expect(top.locator(".c-caller")).to_contain_text("(646) 555-0142")
    expect(top.locator(".c-caller")).to_contain_text("to (212) 555-0101")
    expect(top.locator(".c-source")).to_have_text("Google Ads")
    expect(top.locator(".steps li")).to_have_text(["welcome", "hours", "menu", "sales"])
    expect(top.locator(".c-agent")).to_have_text("Alice Moreno")
    expect(top.locator(".c-status")).to_have_text("Answered")
    expect(top.locator(".c-status use")).to_have_attribute("href", "/static/icons.svg#answered")
    expect(top.locator(".c-length")).to_have_text("1:02")
    expect(top.locator(".c-when")).to_contain_text("10 min ago")
    expect(top.locator("time")).to_have_attribute("title", re.compile(r"20\d\d, .* E[SD]T$"))
    expect(row(page, "missed").locator(".c-caller")).to_contain_text("Number withheld")
    expect(row(page, "voicemail").locator(".c-caller")).to_contain_text("+44 207")
    expect(row(page, "abandoned").locator(".c-source")).to_have_text("Unknown")


def test_the_figures_of_today_come_from_the_report(
    server: Server, visitor: Visitor, recent: datetime
) -> None:
    server.tell(
        history.answered("one", recent, "+16465550142", "google-ads", 5, RECORDING),
        history.abandoned("two", recent, "+16465550142", "google-ads"),
        history.missed("three", recent, "+16465550142", "direct"),
    )
    page = visitor.signed_in()
    expect(page.locator(".figures dd")).to_have_text(["3", "133 %", "267 %"])
    expect(page.locator(".bars a")).to_have_text(["Google Ads", "Direct"])
    expect(page.locator(".bars b")).to_have_text(["2", "1"])


def test_filters_live_in_the_address(server: Server, visitor: Visitor, now: datetime) -> None:
    one_of_each(server, now)
    server.publish([events.Tagged(call_id="voicemail", at=now, tag="urgent", because="said so")])
    page = visitor.signed_in()
    page.get_by_label("Source", exact=True).select_option("google-ads")
    expect(page.locator("#ledger tr[data-id]")).to_have_count(2)
    expect(page).to_have_url(re.compile(r"\?source=google-ads$"))
    page.get_by_label("Status", exact=True).select_option("answered")
    expect(page.locator("#ledger tr[data-id]")).to_have_count(1)
    page.reload()
    expect(page.locator("#ledger tr[data-id]")).to_have_count(1)
    expect(page.get_by_label("Source", exact=True)).to_have_value("google-ads")
    page.go_back()
    expect(page.locator("#ledger tr[data-id]")).to_have_count(2)
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#ledger tr[data-id]")).to_have_count(5)
    page.get_by_role("searchbox").fill("207946")
    expect(page.locator("#ledger tr[data-id]")).to_have_count(1)
    page.get_by_role("searchbox").fill("")
    page.get_by_role("button", name="More filters").click()
    page.get_by_label("Tag", exact=True).fill("urgent")
    expect(page.locator("#ledger tr[data-id]")).to_have_count(1)
    assert rows(page) == ["voicemail"]
    page.goto("/?agent=bob")
    expect(page.get_by_text("No call matches")).to_be_visible()


def test_a_day_is_a_day_of_the_servers_zone(server: Server, visitor: Visitor) -> None:
    # 04:30 UTC is half past midnight in New York: in summer of the same day, and 03:30 of the day before.
    for call_id, at in (("before", "2026-07-01T03:30:00+00:00"), ("after", "2026-07-01T04:30:00+00:00")):
        server.tell(history.missed(call_id, datetime.fromisoformat(at), "+16465550142", "direct"))
    page = visitor.signed_in()
    page.goto("/?since=2026-07-01&until=2026-07-01")
    expect(page.locator("#ledger tr[data-id]")).to_have_count(1)
    assert rows(page) == ["after"]
    page.goto("/?since=2026-06-30&until=2026-06-30")
    expect(row(page, "before")).to_be_visible()
    assert rows(page) == ["before"]


def test_scrolling_loads_more_until_there_is_no_more(server: Server, visitor: Visitor, now: datetime) -> None:
    stories = list(history.fortnight(120, now, RECORDING))
    server.tell(*stories)
    page = visitor.signed_in()
    while page.locator("#more").is_visible():
        shown = page.locator("#ledger tr[data-id]").count()
        page.locator("#more").scroll_into_view_if_needed()
        page.wait_for_function(
            "count => document.querySelectorAll('#ledger tr[data-id]').length > count", arg=shown
        )
    newest_first = sorted(stories, key=lambda story: story.started, reverse=True)
    assert rows(page) == [story.call_id for story in newest_first]


# Live


def test_a_call_appears_changes_and_ends_without_a_reload(
    server: Server, visitor: Visitor, recent: datetime
) -> None:
    page = visitor.signed_in()
    page.evaluate("window.loadedOnce = true")
    told = history.answered("live", recent, "+19175550123", "google-ads", 30, RECORDING).told
    server.publish(told[:1])
    live = row(page, "live")
    expect(live.locator(".c-status")).to_have_text("Ringing")
    expect(page.locator("#announcer")).to_have_text("New call from (917) 555-0123, Google Ads")
    expect(page.locator("#announcer")).to_have_attribute("aria-live", "polite")
    before = live.locator(".c-length").inner_text()
    expect(live.locator(".c-length")).not_to_have_text(before)  # it ticks
    connected = next(n for n, event in enumerate(told) if isinstance(event, events.AgentConnected))
    server.publish(told[1 : connected + 1])
    expect(live.locator(".c-status")).to_have_text("In progress")
    expect(live.locator(".steps li")).to_have_text(["welcome", "hours", "menu", "sales"])
    expect(live.locator(".c-agent")).to_have_text("Alice Moreno")
    expect(page.locator(".figures dd").first).to_have_text("11 live")
    server.publish(told[connected + 1 :])
    expect(live.locator(".c-status")).to_have_text("Answered")
    expect(live.get_by_role("button", name="Play the call from (917) 555-0123")).to_be_visible()
    expect(page.locator("#announcer")).to_contain_text("Answered")
    expect(page.locator(".figures dd").first).to_have_text("1")
    assert page.evaluate("window.loadedOnce")


def test_a_live_call_that_a_filter_leaves_out_stays_out(
    server: Server, visitor: Visitor, recent: datetime
) -> None:
    page = visitor.signed_in()
    page.goto("/?source=google-ads")
    page.wait_for_selector("#calls:not([aria-busy])")
    page.wait_for_selector("#link-state[data-state=open]")
    server.publish(history.missed("other", recent, "+19175550123", "direct").told[:1])
    server.publish(history.missed("wanted", recent, "+19175550124", "google-ads").told[:1])
    expect(row(page, "wanted")).to_be_visible()
    assert rows(page) == ["wanted"]


def test_an_open_call_follows_what_happens(server: Server, visitor: Visitor, recent: datetime) -> None:
    page = visitor.signed_in()
    seconds = voices.write(server.folder / RECORDING, WORDS)
    told = history.answered("live", recent, "+19175550123", "google-ads", seconds, RECORDING).told
    server.publish(told[:8])
    row(page, "live").locator("a").click()
    panel = page.locator("#panel")
    expect(panel).to_contain_text("Recording starts when an agent answers.")
    server.publish(told[8:])
    expect(panel.locator(".wave")).to_be_visible()
    expect(panel).to_contain_text("Being transcribed")
    server.transcribe("live", WORDS)
    expect(panel.locator(".turn").first).to_contain_text("acme plumbing this is alice")


def test_a_lost_connection_is_shown_and_made_good(visitor: Visitor, server: Server, recent: datetime) -> None:
    page = visitor.signed_in()
    server.stop()
    expect(page.locator("#link-state")).to_have_text("Reconnecting…")
    expect(page.get_by_text("The live connection is lost")).to_be_visible()
    visitor.complaints.clear()
    with Server(server.folder, server.port) as restarted:
        restarted.tell(history.missed("meanwhile", recent, "+19175550123", "direct"))
        again = page.get_by_role("button", name="Try now")
        with contextlib.suppress(NotInTime):  # it may have come back by itself just before
            again.click(timeout=3000)
        expect(page.locator("#link-state")).to_have_text("Live")
        expect(page.get_by_text("The live connection is lost")).to_be_hidden()
        expect(row(page, "meanwhile")).to_be_visible()
        page.close()


# One call


def test_a_call_tells_its_source_path_and_legs(server: Server, visitor: Visitor, now: datetime) -> None:
    one_of_each(server, now)
    page = visitor.signed_in()
    row(page, "answered").locator("a").click()
    panel = page.locator("#panel")
    expect(panel.locator(".why li")).to_have_text(["the number dialled, +12125550101, is Google Ads' own"])
    expect(panel.locator(".timeline")).to_contain_text("the caller pressed 1")
    expect(panel.locator(".timeline")).to_contain_text("open: it is Tuesday 10:12, within mon-fri")
    expect(panel.locator(".timeline")).to_contain_text("Talks with Alice Moreno")
    expect(panel.locator("table.legs tbody th")).to_contain_text(["Caller", "Alice Moreno", "Bob Okafor"])
    expect(panel.locator("table.legs")).to_contain_text("0.04 % lost")
    expect(page).to_have_url(re.compile(r"\?call=answered$"))
    page.reload()
    expect(page.locator("#panel h2").first).to_have_text("(646) 555-0142")


def test_the_keyboard_is_enough(server: Server, visitor: Visitor, now: datetime) -> None:
    one_of_each(server, now)
    page = visitor.signed_in()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    row(page, "answered").locator("a").focus()
    page.keyboard.press("ArrowDown")
    expect(row(page, "missed").locator("a")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#panel")).to_contain_text("It rang, and nobody answered.")
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_be_hidden()
    expect(row(page, "missed").locator("a")).to_be_focused()


def test_the_waveform_draws_the_caller_above_and_the_agent_below(
    server: Server, visitor: Visitor, recent: datetime
) -> None:
    recorded(server, recent)
    page = visitor.signed_in()
    page.goto("/calls/answered")
    page.wait_for_selector(".wave[data-state=read]")
    total = WORDS[-1].end + 0.6
    for speaker, expected in (("caller", [True, False]), ("agent", [False, True])):
        turn = [word for word in WORDS if word.speaker == speaker]
        middle = turn[5]
        assert page.evaluate(INKED, (middle.start + middle.end) / 2 / total) == expected, speaker


def test_playing_lights_the_words_and_a_click_on_a_word_seeks(
    server: Server, visitor: Visitor, recent: datetime
) -> None:
    recorded(server, recent)
    page = visitor.signed_in()
    page.goto("/calls/answered")
    position = "document.querySelector('audio').currentTime"
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function(f"() => {position} > 0.6")
    expect(page.locator(".turn [data-now]")).to_have_count(1)
    page.get_by_role("button", name="Pause", exact=True).click()
    word = next(word for word in WORDS if word.word == "flooding")
    page.get_by_text("flooding", exact=True).click()
    assert page.evaluate(position) == pytest.approx(word.start, abs=0.01)
    expect(page.locator(".turn [data-now]")).to_have_text("flooding")
    expect(page.locator(".turn[data-speaker=caller] [data-now]")).to_have_count(1)
    wave_box = page.locator(".wave canvas").bounding_box()
    page.mouse.click(wave_box["x"] + wave_box["width"] / 2, wave_box["y"] + 20)
    duration = page.evaluate("document.querySelector('audio').duration")
    assert page.evaluate(position) == pytest.approx(duration / 2, abs=0.2)
    page.locator(".wave").focus()
    page.keyboard.press("Home")
    assert page.evaluate(position) == 0
    expect(page.locator(".wave")).to_have_attribute("aria-valuetext", re.compile("^0 s of 49 s$"))


def test_play_in_the_list_opens_and_plays(server: Server, visitor: Visitor, recent: datetime) -> None:
    recorded(server, recent)
    page = visitor.signed_in()
    page.get_by_role("button", name="Play the call from (646) 555-0142").click()
    page.wait_for_function("() => document.querySelector('#panel audio')?.currentTime > 0.2")


def test_an_hour_is_read_in_pieces(server: Server, visitor: Visitor, recent: datetime) -> None:
    path = server.folder / RECORDING
    hour_of_silence(path, speech_at_s=1800)
    server.tell(history.answered("long", recent, "+16465550142", "google-ads", 3600, RECORDING))
    server.transcribe("long")
    page = visitor.signed_in()
    ranges: list[str] = []
    page.on("request", lambda request: ranges.append(request.headers.get("range", "")))
    page.goto("/calls/long")
    page.wait_for_selector(".wave[data-state=read]", timeout=60_000)
    expect(page.locator(".play-time")).to_have_text("0:00 / 1:00:00")
    sizes = [int(last) - int(first) + 1 for first, last in re.findall(r"bytes=(\d+)-(\d+)", " ".join(ranges))]
    assert max(sizes) <= 1 << 20
    assert sum(sizes) >= path.stat().st_size - 44


def hour_of_silence(path: Path, speech_at_s: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(voices.RATE_HZ)
        second = bytes(4 * voices.RATE_HZ)
        for at_s in range(3600):
            file.writeframesraw(b"\x00\x40" * (2 * voices.RATE_HZ) if at_s == speech_at_s else second)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("pending", "Being transcribed"),
        ("no_model", "pbx transcribe"),
        ("failed", "the worker was killed"),
        ("done", "No words were recognised"),
    ],
)
def test_a_transcript_that_is_not_there_says_why(
    server: Server, visitor: Visitor, recent: datetime, state: str, said: str
) -> None:
    recorded(server, recent)
    server.transcribe("answered", state=state, problem="the worker was killed" if state == "failed" else "")
    page = visitor.signed_in()
    page.goto("/calls/answered")
    expect(page.locator(".explain")).to_contain_text(said)


# Review


def test_a_review_is_saved_at_once_and_shown_in_the_list(
    server: Server, visitor: Visitor, recent: datetime
) -> None:
    recorded(server, recent)
    page = visitor.signed_in()
    row(page, "answered").locator("a").click()
    review = page.locator(".review")
    saved = review.get_by_role("status")
    review.get_by_title("4 of 5").click()
    expect(saved).to_have_text("Saved")
    review.get_by_label("Outcome").select_option("sale")
    expect(page.locator("#panel .facts")).to_contain_text("Sale")
    review.get_by_placeholder("Add a tag").fill("kitchen")
    page.keyboard.press("Enter")
    expect(review.locator(".tags")).to_contain_text("kitchen")
    review.get_by_label("Note").fill("Call back on Monday.")
    review.get_by_label("Note").blur()
    expect(row(page, "answered").locator(".score")).to_have_text("4/5")
    expect(page.locator(".timeline")).to_contain_text("Edited by maria")
    page.reload()
    expect(page.locator(".review textarea")).to_have_value("Call back on Monday.")
    expect(page.locator(".review input:checked")).to_have_value("4")
    expect(page.locator(".review select")).to_have_value("sale")
    expect(page.locator(".review .tags")).to_contain_text("kitchen")
    page.get_by_role("button", name="Remove the tag kitchen").click()
    expect(page.locator(".review .tags li")).to_have_count(0)


def test_a_review_that_is_refused_says_so_and_takes_the_tag_back(
    server: Server, visitor: Visitor, recent: datetime
) -> None:
    recorded(server, recent)  # Alice's call, so Bob may not change it
    page = visitor.page()
    sign_in(page, "bob", server.user("bob", Role.AGENT))
    page.wait_for_selector("#ledger")
    page.goto("/calls/answered")
    page.get_by_placeholder("Add a tag").fill("mine")
    page.keyboard.press("Enter")
    expect(page.locator(".save-state")).to_contain_text("Not saved:")
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    expect(page.locator(".review .tags li")).to_have_count(0)


# Safety and access


def test_what_callers_send_is_text_and_never_code(server: Server, visitor: Visitor, recent: datetime) -> None:
    attack = '<img src=x onerror="document.title=1">'
    story = Story("attack", recent)
    story.tell(
        events.CallStarted,
        direction=events.Direction.INBOUND,
        from_=attack,
        to="+12125550100",
        trunk="carrier",
        sip_call_id="x",
        flow="main",
        source=attack,
        reasons=(attack,),
    )
    story.end(CallStatus.FAILED, attack)
    page = visitor.signed_in()
    server.tell(story)
    row(page, "attack").locator("a").click()
    expect(page.locator("#panel h2").first).to_have_text(attack)
    expect(page.locator(".why li")).to_have_text(attack)
    assert page.locator("main img").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 768, 1440])
def test_pages_fit_their_window_and_text_can_be_read(
    server: Server, visitor: Visitor, now: datetime, scheme: str, width: int
) -> None:
    one_of_each(server, now)
    recorded(server, now - timedelta(minutes=1), "featured")
    page = visitor.signed_in(viewport={"width": width, "height": 844}, color_scheme=scheme)
    for address, ready in (("/", "#ledger tr[data-id]"), ("/calls/featured", ".turn")):
        page.goto(address)
        page.wait_for_selector(ready)
        assert page.evaluate(FITS), address
        assert page.evaluate(FAINT_TEXTS) == [], address
        assert page.evaluate(NAMELESS_CONTROLS) == [], address
