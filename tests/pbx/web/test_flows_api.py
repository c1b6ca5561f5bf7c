"""Flows over HTTP: what there is, what went through it, and its picture."""

from xml.etree import ElementTree


def test_every_flow_with_its_steps(shared):
    (flow,) = shared.get("/api/flows").json()["flows"]
    assert (flow["id"], flow["name"], flow["start"]) == ("main", "main", "welcome")
    assert [(step["name"], step["kind"], step["family"]) for step in flow["steps"]] == [
        ("welcome", "say", "plain"),
        ("sales", "queue", "serves"),
        ("mail", "voicemail", "serves"),
    ]


def test_traffic_is_counted_by_step_and_way(shared):
    answer = shared.get("/api/flows/main/traffic", params={"since": "1d"}).json()
    steps = {step["step"]: step["calls"] for step in answer["steps"]}
    assert steps["welcome"] == steps["sales"] == 6
    assert steps["mail"] == 0
    assert answer["ways"][0]["calls"] == 6
    assert {"step": "welcome", "exit": "", "target": "sales", "calls": 6} in answer["ways"]


def test_yesterday_is_meant_when_nothing_is_said(shared):
    answer = shared.get("/api/flows/main/traffic").json()
    assert (answer["since"], answer["until"]) == ("2026-11-23T05:00:00.000Z", "2026-11-24T05:00:00.000Z")
    assert {step["calls"] for step in answer["steps"]} == {0}


def test_the_picture_is_svg_with_the_counts(shared):
    answer = shared.get("/api/flows/main/picture", params={"since": "1d"})
    assert answer.headers["content-type"] == "image/svg+xml"
    ElementTree.fromstring(answer.text)
    assert "welcome → sales (next): 6 calls" in answer.text


def test_what_is_wrong_is_said(shared):
    assert shared.get("/api/flows/mian/traffic").status_code == 404
    assert shared.get("/api/flows/main/traffic", params={"since": "noon"}).status_code == 400
    assert shared.get("/api/flows/main/picture", params={"size": "1"}).status_code == 400


def test_the_pages(shared):
    assert "Flows" in shared.get("/flows", headers={"accept": "text/html"}).text
    assert 'data-flow="main"' in shared.get("/flows/main").text
    assert shared.get("/flows/mian").status_code == 404
