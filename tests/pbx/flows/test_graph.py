"""Pictures of flows show every step and every way, and survive any name."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.flows.flow import Flow
from pbx.flows.graph import mermaid, svg
from pbx.flows.steps.menu import Menu
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
    paths = [p.get("class") for p in ElementTree.fromstring(picture).iter(f"{SVG}path") if p.get("class")]
    assert sorted(paths) == ["way", "way", "way", "way back", "way back"]


def test_boxes_do_not_overlap():
    boxes = [
        tuple(float(rect.get(key)) for key in ("x", "y", "width", "height"))
        for rect in ElementTree.fromstring(svg(flow(STEPS))).iter(f"{SVG}rect")
        if rect.get("x")
    ]
    assert len(boxes) == 5
    for index, (x, y, width, height) in enumerate(boxes):
        assert x >= 0
        for other_x, other_y, *_ in boxes[index + 1 :]:
            assert abs(x - other_x) >= width or abs(y - other_y) >= height


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
