"""Pictures of flows show every step and every way, and survive any name."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.flows.flow import Flow
from pbx.flows.graph import mermaid
from pbx.flows.layout import BOX_H, BOX_W, layout
from pbx.flows.picture import family, svg
from pbx.flows.steps.menu import Menu
from pbx.flows.traffic import Traffic
from tests.pbx.flows.worlds import flow

STEPS = """
welcome: {say: "Hello & <welcome>", next: menu}
menu: {menu: "Press 1", keys: {"1": sales, "2": hangup, "9": welcome}, otherwise: other}
sales: {queue: sales, on_timeout: menu}
other: {goto: elsewhere}
lonely: {hangup: "never reached"}
"""
SVG = "{http://www.w3.org/2000/svg}"


def test_mermaid():
    assert mermaid(flow(STEPS)).splitlines() == [
        "flowchart TD",
        '    start(["main"]) --> s0',
        '    s0["welcome<br/>say “Hello &amp; &lt;welcome&gt;”"]',
        '    s0 -->|"next"| s1',
        '    s1["menu<br/>menu “Press 1”"]',
        '    s1 -->|"key 1"| s2',
        '    s1 -->|"key 2"| hangup',
        '    s1 -->|"key 9"| s0',
        '    s1 -->|"otherwise"| s3',
        '    s2["sales<br/>queue sales"]',
        '    s2 -->|"max_wait is over"| s1',
        '    s3["other<br/>goto elsewhere"]',
        '    s3 --> s3f[["flow elsewhere"]]',
        '    s4["lonely<br/>hangup never reached"]',
        "    hangup((( )))",
    ]


def texts(picture: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(picture).iter(f"{SVG}text")]


def test_svg_shows_every_step_every_way_and_where_calls_end():
    picture = svg(flow(STEPS))
    seen = texts(picture)
    for expected in (*flow(STEPS).steps, "key 1", "key 9", "otherwise", "→ flow elsewhere", "■ key 2"):
        assert expected in seen
    paths = [p.get("class") for p in ElementTree.fromstring(picture).iter(f"{SVG}path")]
    paths = [kind for kind in paths if kind and kind.startswith("way")]
    assert sorted(paths) == ["way", "way", "way", "way back", "way back"]


def test_boxes_do_not_overlap():
    boxes = [(node.x, node.y) for node in layout(flow(STEPS)).nodes.values()]
    assert len(boxes) == 5
    for index, (x, y) in enumerate(boxes):
        assert x >= BOX_W / 2
        for other_x, other_y in boxes[index + 1 :]:
            assert abs(x - other_x) >= BOX_W or abs(y - other_y) >= BOX_H


def test_shapes_say_what_steps_are_for():
    steps = flow(
        STEPS
        + 'hours: {schedule: {mon: "08:00-09:00"}, open: ring, closed: mail}\n'
        + "ring: {dial: alice, on_no_answer: mail}\nmail: {voicemail: {}}\n"
    ).steps
    assert {name: family(step) for name, step in steps.items()} == {
        "welcome": "plain",
        "menu": "asks",
        "sales": "serves",
        "other": "plain",
        "lonely": "plain",
        "hours": "decides",
        "ring": "serves",
        "mail": "serves",
    }


def widths(picture: str) -> dict[str, float]:
    """Each way's stroke, by its title."""
    found = {}
    for path in ElementTree.fromstring(picture).iter(f"{SVG}path"):
        title = path.find(f"{SVG}title")
        if title is not None and path.get("stroke-width"):
            found[title.text or ""] = float(path.get("stroke-width", "0"))
    return found


def test_ways_are_as_wide_as_their_share_and_hang_ups_are_marked():
    traffic = Traffic()
    traffic.calls.update({"welcome": 40, "menu": 40, "sales": 10})
    traffic.ways.update({("welcome", "menu"): 40, ("menu", "sales"): 10, ("menu", "welcome"): 5})
    traffic.hung_up["menu"] = 7
    picture = svg(flow(STEPS), traffic)
    wide = widths(picture)
    most, some, back = (
        wide["welcome → menu (next): 40 calls"],
        wide["menu → sales (key 1): 10 calls"],
        wide["menu → welcome (key 9): 5 calls"],
    )
    none = wide["menu → other (otherwise): 0 calls"]
    assert most > some > back > none
    assert (some - none) * 4 == pytest.approx(most - none, abs=0.3)
    assert "✕ 7" in texts(picture)
    assert "key 1 · 10" in texts(picture)
    assert "✕" not in svg(flow(STEPS))


def test_where_no_call_came_no_way_is_fainter_than_another():
    assert '"way unused"' not in svg(flow(STEPS), Traffic())
    some = Traffic()
    some.calls.update({"welcome": 1})
    assert '"way unused"' in svg(flow(STEPS), some)


def test_a_step_that_leads_to_itself_is_drawn():
    assert "way back" in svg(flow("a: {wait: 5s, next: a}"))


names = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=12)


@given(st.lists(names, min_size=1, max_size=12, unique=True), st.data())
def test_any_flow_has_a_picture(steps: list[str], data: st.DataObject):
    targets = st.sampled_from([*steps, "hangup"])
    made = {
        name: Menu.model_validate(
            {"menu": name, "keys": data.draw(st.dictionaries(st.sampled_from("123"), targets, min_size=1))}
        )
        for name in steps
    }
    picture = Flow(steps[0], steps[0], made, Path("x.yaml"))
    assert len(re.findall('class="box', svg(picture))) == len(steps)
    ElementTree.fromstring(svg(picture))
    assert mermaid(picture).count("menu ") >= len(steps)


@pytest.mark.parametrize("length", [1, 200])
def test_long_texts_are_cut(length: int):
    assert max(map(len, texts(svg(flow(f"a: {{say: {'x' * length}}}"))))) <= 40
