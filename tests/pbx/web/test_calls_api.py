"""/api/calls: lists, one call, and edits."""

import pytest

from pbx.events import CallEdited
from pbx.web import shapes


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [call["id"] for call in answer.json()["calls"]]


def test_a_list_is_newest_first_and_keeps_its_shape(shared):
    answer = shared.get("/api/calls")
    page = shapes.CallPage.model_validate(answer.json())
    assert [call.id for call in page.calls] == ["live", "c0", "c1", "c2", "c3", "c4", "c5", "gone"]
    assert page.next is None
    assert answer.headers["cache-control"] == "no-store"


def test_a_call_tells_its_whole_history(shared):
    call = shapes.CallDetail.model_validate(shared.get("/api/calls/c0").json())
    assert (call.from_, call.to, call.status, call.agent) == (
        "+12125550999",
        "+12125550100",
        "answered",
        "alice",
    )
    assert (call.duration, call.talk_time, call.wait) == (13, 10, 3)
    assert call.path == ["welcome", "sales"]
    assert call.attribution.reasons == ["+12125550100 is yellow-pages' own number"]
    assert call.recording.duration == 10
    assert call.transcript.state == "done"
    assert call.started_at == "2026-11-24T12:00:00.000Z"
    assert [leg.agent for leg in call.legs] == ["alice"]
    assert call.events[0].kind == "call.started"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("source=google-ads", ["c1", "c3", "c5"]),
        ("source=google-ads&source=unknown", ["c1", "c3", "c5", "gone"]),
        ("number=%2B12125550101", ["gone"]),
        ("number=+12125550101", ["gone"]),
        ("number=(212)+555-0101", ["gone"]),
        ("agent=bob", ["c3"]),
        ("by=agent&key=bob", ["c3"]),
        ("by=agent&key=", ["live", "gone"]),
        ("exit=main/sales&source=google-ads", ["c1", "c3", "c5"]),
        ("exit=(none)", ["live", "gone"]),
        ("area=US-NY&caller=first", ["gone"]),
        ("area=US-NJ", []),
        ("outcome=(none)&figure=abandoned", ["gone"]),
        ("outcome=sale&outcome=(none)&direction=inbound&figure=live", ["live"]),
        ("hour=04&hour=07", ["live", "c0", "gone"]),
        ("week=tue+04", ["gone"]),
        ("week=noday", []),
        ("figure=talked&since=75m", ["c0", "c1"]),
        ("status=abandoned,ringing", ["live", "gone"]),
        ("q=burst", ["c0"]),
        ("q=BURST+PIPE", ["c0"]),
        ("q=100%25", []),
        ("q=555-0101", ["gone"]),
        ("q=5550101", ["gone"]),
        ("since=2026-11-24T12:00:00Z", ["live", "c0"]),
        ("since=2026-11-24T07:00:00", ["live", "c0"]),
        ("since=2026-11-24T13:00:00+01:00", ["live", "c0"]),
        ("until=2026-11-24T11:15:00Z", ["c5", "gone"]),
        ("since=70m&until=50m", ["c0", "c1"]),
        ("since=2026-11-25", []),
        ("agent=alice&source=google-ads&until=2026-11-24T11:15Z", ["c5"]),
    ],
)
def test_filters(shared, query, expected):
    assert ids(shared.get(f"/api/calls?{query}")) == expected


def test_pages_follow_the_cursor(shared):
    seen, query = [], "limit=3"
    for _ in range(3):
        answer = shared.get(f"/api/calls?{query}").json()
        seen += [call["id"] for call in answer["calls"]]
        query = f"limit=3&cursor={answer['next']}"
    assert answer["next"] is None
    assert seen == ["live", "c0", "c1", "c2", "c3", "c4", "c5", "gone"]


@pytest.mark.parametrize(
    ("query", "field", "word"),
    [
        ("limit=0", "limit", "1000"),
        ("limit=1001", "limit", "1001"),
        ("limit=ten", "limit", "ten"),
        ("cursor=nonsense", "cursor", "nonsense"),
        ("status=busy", "status", "abandoned"),
        ("since=yesterday", "since", "yesterday"),
        ("since=99999999999d", "since", "moment"),
        ("sorce=x", "sorce", "did you mean source?"),
        ("q=a%00b", "q", "NUL"),
    ],
)
def test_a_wrong_parameter_is_named(shared, query, field, word):
    answer = shared.get(f"/api/calls?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    problem = shapes.ProblemDocument.model_validate(answer.json())
    assert problem.field == field
    assert word in problem.detail


@pytest.mark.parametrize("path", ["/api/calls/none", "/api/calls/%00", "/api/calls/none/transcript"])
def test_what_does_not_exist_is_404(shared, path):
    answer = shared.get(path)
    assert answer.status_code == 404
    assert answer.json()["title"] == "Not Found"


def test_edits_are_kept_and_heard(site):
    heard = []
    site.bus.subscribe(heard.append)
    changes = {"score": 5, "outcome": "sale", "tags": ["booked", " vip "], "note": "Rang back."}
    answer = site.ask("PATCH", "/api/calls/c0", json=changes, role="manager")
    assert answer.status_code == 200
    call = site.get("/api/calls/c0").json()
    assert (call["score"], call["outcome"], call["note"]) == (5, "sale", "Rang back.")
    assert call["tags"] == ["booked", "vip"]
    assert ids(site.get("/api/calls?tag=vip")) == ["c0"]
    assert ids(site.get("/api/calls?q=rang")) == ["c0"]
    assert isinstance(heard[0], CallEdited)
    assert heard[0].by == "manager"
    site.ask("PATCH", "/api/calls/c0", json={"score": None, "tags": ["vip"]})
    call = site.get("/api/calls/c0").json()
    assert (call["score"], call["outcome"], call["tags"]) == (None, "sale", ["vip"])


def test_a_value_is_kept_to_the_cent_and_counted(site):
    for value, kept in ((0, 0), (1499.99, 1499.99), (0.1 + 0.2, 0.3), (1e9, 1e9)):
        answer = site.ask("PATCH", "/api/calls/c0", json={"value": value}, role="manager")
        assert (answer.status_code, answer.json()["value"]) == (200, kept)
    site.ask("PATCH", "/api/calls/c1", json={"value": 0.01})
    total = site.get("/api/reports/source").json()["total"]
    assert (total["valued"], total["value"]) == (2, 1_000_000_000.01)
    assert ids(site.get("/api/calls?figure=valued")) == ["c0", "c1"]
    site.ask("PATCH", "/api/calls/c0", json={"value": None})
    assert site.get("/api/calls/c0").json()["value"] is None
    assert ids(site.get("/api/calls?figure=valued")) == ["c1"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"score": 6}, "score"),
        ({"score": 0}, "score"),
        ({"score": 4.5}, "score"),
        ({"score": True}, "score"),
        ({"score": "5"}, "score"),
        ({"outcome": "won"}, "outcome"),
        ({"value": -1}, "value"),
        ({"value": 1e10}, "value"),
        ({"value": "12"}, "value"),
        ({"value": True}, "value"),
        ({"tags": "vip"}, "tags"),
        ({"tags": ["", "vip"]}, "tags.0"),
        ({"tags": None}, "tags"),
        ({"note": None}, "note"),
        ({"note": "\0"}, "note"),
        ({"note": "x" * 10_001}, "note"),
        ({"status": "answered"}, "status"),
    ],
)
def test_a_wrong_edit_changes_nothing(shared, changes, field):
    answer = shared.ask("PATCH", "/api/calls/c0", json={"score": 1} | changes)
    assert answer.status_code == 422
    assert answer.json()["field"] == field
    assert shared.get("/api/calls/c0").json()["score"] is None


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"[" * 60_000, "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"note": "\\ud800"}', "application/json", 422),
        (b"score=5", "application/x-www-form-urlencoded", 415),
        (b'{"note": "' + b"x" * 70_000 + b'"}', "application/json", 413),
    ],
)
def test_a_body_that_is_no_edit_is_refused(shared, body, media_type, status):
    answer = shared.ask("PATCH", "/api/calls/c0", content=body, headers={"content-type": media_type})
    assert answer.status_code == status


def test_an_agent_edits_only_calls_it_talked_on(site):
    assert site.ask("PATCH", "/api/calls/c0", json={"score": 3}, role="alice").status_code == 200
    answer = site.ask("PATCH", "/api/calls/c3", json={"score": 3}, role="alice")
    assert answer.status_code == 403
    assert "alice did not" in answer.json()["detail"]


def test_the_transcript_is_always_there(shared):
    found = shared.get("/api/calls/c0/transcript")
    assert found.status_code == 200
    transcript = shapes.Transcript.model_validate(found.json())
    assert transcript.state == "done"
    assert [word.speaker for word in transcript.words] == ["caller", "caller", "agent"]
    for call, state in (("c1", "pending"), ("live", "pending"), ("gone", "done")):
        assert shared.get(f"/api/calls/{call}/transcript").json() == {
            "state": state,
            "problem": "",
            "words": [],
        }


def test_other_methods_are_told_which_there_are(shared):
    answer = shared.ask("DELETE", "/api/calls/c0")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, PATCH"
