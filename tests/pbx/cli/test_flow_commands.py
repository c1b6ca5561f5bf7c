"""``pbx simulate``, ``pbx test`` and ``pbx graph`` as an admin uses them."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner, Result

from pbx.cli import application

REPOSITORY = Path(__file__).resolve().parents[3]
ENV = {"ALICE_PASSWORD": "a long password", "BOB_PASSWORD": "another one", "COLUMNS": "200", "NO_COLOR": "1"}
CALL = ("+12125550100", "--from", "+12125557788", "--at", "2026-12-05 10:00")


def pbx(*arguments: str) -> Result:
    return CliRunner(env=ENV).invoke(
        application(("simulate", "test", "graph")), [*arguments, "--config", str(REPOSITORY / "config.yaml")]
    )


def test_simulate_says_which_way_why_and_who_rings():
    result = pbx("simulate", *CALL, "--press", "91")
    assert result.exit_code == 0
    assert "Path    welcome → hours → menu → menu → sales" in result.output
    assert "Rings   alice, bob" in result.output
    assert "the caller pressed 9, which is none of 1, 2, 3; asking again (1 of 2)" in result.output


def test_simulate_speaks_json():
    story = json.loads(pbx("simulate", *CALL, "--press", "1", "--agents", "none", "--json").output)
    assert story["path"] == ["welcome", "hours", "menu", "sales", "voicemail"]
    assert story["status"] == "voicemail"
    assert story["turns"][0] == {
        "step": "welcome",
        "kind": "say",
        "next": "hours",
        "because": "the text was spoken",
        "way": "",
    }
    assert story["turns"][2]["way"] == "key 1"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("+12125550199",), 1, "+12125550199 is neither in numbers nor in a pool"),
        (("+12125550100", "--at", "noon"), 2, "'noon' is no time; write it like 2026-12-05 10:00"),
        (("+12125550100", "--agents", "asleep"), 2, "asleep"),
    ],
)
def test_simulate_says_what_is_wrong(arguments: tuple[str, ...], code: int, message: str):
    result = pbx("simulate", *arguments)
    assert result.exit_code == code
    assert message in result.output


def test_the_repositorys_flow_tests_pass():
    result = pbx("test")
    assert result.exit_code == 0, result.output
    assert "✓ Saturday morning, sales" in result.output
    assert "0 failed" in result.output


def test_a_failing_test_shows_the_difference_and_the_way_taken(tmp_path: Path):
    file = tmp_path / "wrong.test.yaml"
    file.write_text(
        '- name: wrong\n  call: {to: "+12125550100", from: "+12125557788", at: 2026-12-05 10:00}\n'
        "  press: [1]\n  expect: {path: [welcome, hours, menu, support]}\n"
    )
    result = pbx("test", str(file))
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        f"✗ wrong  {file}:1",
        "    path",
        "        expected  taken    because",
        "        welcome   welcome  the text was spoken",
        "        hours     hours    open: Sat 10:00 is within sat 09:00-13:00",
        "        menu      menu     the caller pressed 1",
        "      ≠ support   sales    alice answered after 0 s; the caller hung up",
        "      they part after menu: the caller pressed 1",
        "1 flow tests, 1 failed",
    ]


def test_coverage_names_what_no_test_came_through():
    result = pbx("test", "--coverage")
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    assert "main 9 of 10 9 of 16 56 %" in lines
    assert "step support" in lines
    assert "exit menu: key 2 → support" in lines


def test_results_for_ci_servers(tmp_path: Path):
    file = tmp_path / "junit.xml"
    result = pbx("test", "--json", "--coverage", "--junit", str(file))
    said = json.loads(result.output)
    assert (said["passed"], said["failed"]) == (8, 0)
    assert said["tests"][0]["differences"] == []
    assert {flow["flow"] for flow in said["coverage"]} == {"main", "emergency", "straight-to-alice"}
    suites = ElementTree.parse(file).getroot()
    assert sum(int(suite.attrib["tests"]) for suite in suites) == 8
    assert {suite.attrib["failures"] for suite in suites} == {"0"}


def test_a_file_that_cannot_be_read_fails_with_its_places(tmp_path: Path):
    file = tmp_path / "wrong.test.yaml"
    file.write_text("- {nam: x}\n")
    result = pbx("test", str(file))
    assert result.exit_code == 1
    assert f"{file}:1:4: unknown key 'nam'; did you mean 'name'?" in result.output


def test_no_tests_at_all_is_a_failure(tmp_path: Path):
    result = pbx("test", str(tmp_path))
    assert result.exit_code == 1
    assert f"no flow tests in {tmp_path}" in result.output


def test_graph_in_both_formats():
    assert pbx("graph", "main").output.startswith("flowchart TD\n")
    assert pbx("graph", "main", "--format", "svg").output.startswith("<svg ")


def test_graph_of_an_unknown_flow_suggests_one():
    result = pbx("graph", "mian")
    assert result.exit_code == 1
    assert "there is no flow 'mian'; did you mean 'main'?" in result.output


def test_a_part_that_was_not_heard_stands_below_what_was(tmp_path: Path):
    test = tmp_path / "heard.test.yaml"
    call = 'call: {to: "+12125550100", from: "+12125557788", at: "2026-12-05 13:00"}'
    test.write_text(f"- {{name: t, {call}, expect: {{heard: [Thanks, Good evening]}}}}")
    lines = [line.strip() for line in pbx("test", str(test)).output.splitlines()]
    first = lines.index("heard")
    assert lines[first + 1].startswith("✓ Thanks for calling")
    assert lines[first + 2].startswith("We are closed.")
    assert "≠ not heard after that: Good evening" in lines
