"""docs/steps.md says of every step what the code says, and its examples work."""

from pathlib import Path

import pytest
import yaml

from pbx.config.flowfile import kinds
from pbx.config.load import examine
from pbx.flows.steps import STEPS
from pbx.flows.steps_page import PAGE, page

FLOWS = Path(__file__).parents[2] / "data" / "flows"
ELSEWHERE = {
    "emergency": "start: a\nsteps: {a: {say: Help is coming.}}\n",
    "ask-for-zip": "start: zip\nsteps: {zip: {collect: 'Your ZIP code?', digits: 5}}\n",
    "main": "start: menu\nsteps: {menu: {dial: alice}}\n",
}
"""The other flows that the examples lead to."""


def test_the_page_is_in_step():
    assert PAGE.read_text(encoding="utf-8") == page(), "run: make docs"


def write_site(folder: Path, example: str) -> None:
    """The example as a flow: every step in it is led to, and every step that it names is there."""
    steps = yaml.load(example, yaml.BaseLoader)
    models = [STEPS[kinds(step)[0]].model_validate(step) for step in steps.values()]
    others = {way.target for model in models for way in model.exits()} - {None, "hangup", *steps}
    doors = {str(index): name for index, name in enumerate([*steps, *sorted(others)])}
    lines = [f"  {line}" for line in example.strip().splitlines()]
    lines += [f"  {name}: {{dial: alice}}" for name in sorted(others)]
    keys = ", ".join(f'"{key}": {name}' for key, name in doors.items())
    lines += ["  door:", "    menu: Where to?", f"    keys: {{{keys}}}"]
    (folder / "ivr_flows").mkdir()
    (folder / "prompts").mkdir()
    (folder / "prompts" / "jingle.wav").write_bytes(b"RIFF\0\0\0\0WAVE")
    (folder / "ivr_flows" / "example.yaml").write_text("start: door\nsteps:\n" + "\n".join(lines) + "\n")
    for name, text in ELSEWHERE.items():
        (folder / "ivr_flows" / f"{name}.yaml").write_text(text)
    (folder / "config.yaml").write_text((FLOWS / "site.yaml").read_text().replace("FLOW", "example"))


@pytest.mark.parametrize("kind", STEPS)
def test_every_example_can_be_loaded(tmp_path: Path, kind: str):
    write_site(tmp_path, STEPS[kind].example)
    _, problems = examine(tmp_path / "config.yaml", {})
    assert [str(problem) for problem in problems if problem.is_error] == []


@pytest.mark.parametrize("kind", STEPS)
def test_every_example_shows_the_step_itself(kind: str):
    steps = yaml.load(STEPS[kind].example, yaml.BaseLoader)
    assert any(kind in step for step in steps.values())
