"""What an editor would underline: files that `pbx check` is content with fit the schemas, and mistakes do not."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pbx.config import schema
from pbx.flows.steps import STEPS

jsonschema = pytest.importorskip("jsonschema", reason="the package jsonschema is not installed")

REPOSITORY = Path(__file__).parents[3]
CONFIG = jsonschema.Draft202012Validator(schema.config_schema())
FLOW = jsonschema.Draft202012Validator(schema.flow_schema())
FLOWS = sorted([*REPOSITORY.glob("ivr_flows/*.yaml"), *REPOSITORY.glob("tests/data/flows/good/*.yaml")])


def as_json(text: str) -> Any:
    """The YAML 1.2 text as an editor's language server sees it."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {str(key): plain(each) for key, each in value.items()}
        if isinstance(value, list):
            return [plain(each) for each in value]
        return value.isoformat() if isinstance(value, date) else value

    return plain(YAML(typ="safe").load(text))


def underlined(validator: Any, text: str) -> list[str]:
    return [f"{list(error.path)}: {error.message[:200]}" for error in validator.iter_errors(as_json(text))]


def test_the_site_of_the_repository():
    assert underlined(CONFIG, (REPOSITORY / "config.yaml").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", FLOWS, ids=[path.name for path in FLOWS])
def test_flows(path):
    assert underlined(FLOW, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_the_example_of_each_step(step):
    steps = "".join(f"  {line}\n" for line in step.example.strip().splitlines())
    assert underlined(FLOW, f"start: a\nsteps:\n{steps}") == []


@pytest.mark.parametrize(
    "text",
    [
        "start: a\nsteps: {a: {sayy: Hi}}",
        "start: a\nsteps: {a: {say: Hi, nxt: b}}",
        "steps: {a: {say: Hi}}",
        "start: a\nsteps: {a: {wait: two seconds}}",
        "start: a\nsteps: {a: {dial: alice, ring: altogether}}",
    ],
)
def test_mistakes_in_flows_are_underlined(text):
    assert underlined(FLOW, text)


def test_mistakes_in_config_are_underlined():
    assert underlined(CONFIG, "server: {name: Acme, contry: US}\nnumbers: {}")


def test_the_files_name_their_schema():
    """The first line by which VS Code completes and explains."""
    for path in (REPOSITORY / "config.yaml", *REPOSITORY.glob("ivr_flows/*.yaml")):
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        name = first.partition("$schema=")[2]
        assert (path.parent / name).resolve().is_file(), path


def test_what_may_be_written_in_two_ways_is_underlined_in_neither():
    queue = "members: [alice], announcements: [Please hold., {play: ad.wav}]"
    config = f"server: {{name: Acme}}\nqueues: {{sales: {{{queue}}}}}\nrecording: {{enabled: yes}}"
    assert [line for line in underlined(CONFIG, config) if "required" not in line] == []


@pytest.mark.parametrize(
    "step",
    [
        "{voicemail: }",
        "{voicemail: {}}",
        "{dial: alice}",
        "{dial: [alice, bob]}",
        "{tag: x}",
        "{tag: [x, y]}",
        "{goto: other}",
        "{goto: {step: a}}",
        "{pickup: 72}",
        '{pickup: "{orbit}"}',
        "{record: off}",
        "{collect: ZIP, digits: 5, confirm: yes, hidden: no}",
        "{collect: ZIP, digits: 5-6}",
        "{geo: [{name: x, areas: [NJ], to: a}], by: zip, otherwise: a}",
        "{hangup: }",
        "{hangup: why}",
        '{schedule: {mon: "08:00-12:00"}, holidays: [2026-12-25]}',
        "{menu: {play: a.wav}, keys: {1: a}}",
        "{say: {en: Hi, es: Hola}}",
        "{set: {n: 1}}",
        "{conference: room}",
        "{queue: sales, priority: 5}",
        '{queue: sales, priority: "{n}"}',
        "{split: {a: 50, b: 50}}",
        "{park: any}",
        "{park: 71}",
    ],
)
def test_steps_that_may_be_written_in_two_ways(step):
    assert underlined(FLOW, f"start: a\nsteps: {{a: {step}}}") == []
