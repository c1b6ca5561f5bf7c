"""The documentation says everything there is, and nothing that is not."""

import re
from collections.abc import Iterator
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import get_args

import pytest
import typer.main
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from ruamel.yaml import YAML

from pbx.cli import application
from pbx.config.codes import CODES
from pbx.config.models import Config, parse_duration
from pbx.failures import CATALOGUE
from pbx.feature_codes import FEATURES, IN_CALL, Feature, InCallCode
from pbx.flows.flow_tests import FlowTest
from pbx.store import records

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
ADMIN = (ROOT / "docs" / "admin.md").read_text()
LINK = re.compile(r"\]\(([^)#\s]*)(#[^)\s]*)?\)")
WRITTEN = re.compile(r"```yaml\n(.*?)```", re.DOTALL)


def config_keys() -> Iterator[tuple[str, FieldInfo]]:
    """``server.name``, ``trunks.NAME.host``, …"""
    for section, field in Config.model_fields.items():
        models = [field.annotation, *get_args(field.annotation)]
        model = next((m for m in models if isinstance(m, type) and issubclass(m, BaseModel)), None)
        if model is None:
            yield section, field
            continue
        named = {"numbers": ".NUMBER"}.get(section, ".NAME") if get_args(field.annotation) else ""
        for key, inner in model.model_fields.items():
            yield f"{section}{named}.{inner.alias or key}", inner


KEYS = dict(config_keys())


def section(title: str, level: int = 3) -> str:
    """What stands under a heading of the admin's page."""
    marks = "#" * level
    found = re.search(
        rf"^{marks} {re.escape(title)}\n(.*?)(?=^#{{1,{level}}} |\Z)", ADMIN, re.DOTALL | re.MULTILINE
    )
    assert found, f"docs/admin.md has no heading {title!r}"
    return found[1]


def examples(text: str) -> list[object]:
    return [YAML(typ="safe", pure=True).load(block) for block in WRITTEN.findall(text)]


def commands() -> dict[str, object]:
    """Every command by its words, such as ``token create``."""
    found: dict[str, object] = {}
    for name, command in typer.main.get_command(application()).commands.items():
        inner = getattr(command, "commands", None)
        found |= {f"{name} {each}": sub for each, sub in inner.items()} if inner else {name: command}
    return found


COMMANDS = commands()


@pytest.mark.parametrize("key", KEYS)
def test_every_key_of_the_config_has_its_row_with_its_default(key: str) -> None:
    row = re.search(rf"^\| `{re.escape(key)}` \| (.*?) \| (.+) \|$", ADMIN, re.MULTILINE)
    assert row, f"docs/admin.md has no row for {key}"
    field = KEYS[key]
    assert row[2] == field.description
    said = row[1].strip("`")
    if field.is_required():
        assert said == "needed"
        return
    default = field.get_default(call_default_factory=True)
    if isinstance(default, timedelta):
        assert parse_duration(said) == default
    elif isinstance(default, bool):
        assert said == str(default).lower()
    elif isinstance(default, list) and default:
        assert said == f"[{', '.join(str(getattr(each, 'value', each)) for each in default)}]"
    else:
        expected = default.value if isinstance(default, Enum) else default
        assert said == (str(expected) if expected or expected == 0 else "–")


def test_no_key_is_documented_that_does_not_exist() -> None:
    rows = re.findall(r"^\| `([a-z_.A-Z0-9]+)` \|", section("Every key", 2), re.MULTILINE)
    assert rows == list(KEYS)


TITLES = (
    "Trunks",
    "Numbers and sources",
    "Website visitors",
    "Agents",
    "Queues",
    "Calls out, and toll fraud",
    "Conversions",
)


@pytest.mark.parametrize("title", TITLES)
def test_examples_of_the_config_are_well_formed(title: str) -> None:
    for example in examples(section(title, 2)):
        assert Config.model_validate(example)


def test_the_example_of_a_flow_test_is_well_formed() -> None:
    ((example,),) = examples(section("Flow tests", 2))
    assert FlowTest.model_validate(example)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_its_row_with_every_option(command: str) -> None:
    row = re.search(rf"^\| `pbx {command}( .*)?` \| .+$", ADMIN, re.MULTILINE)
    assert row, f"docs/admin.md has no row for pbx {command}"
    options = {
        option for parameter in COMMANDS[command].params for option in parameter.opts if option[:2] == "--"
    }
    assert {option for option in options - {"--help"} if f"`{option}`" not in row[0]} == set()


def test_every_code_of_a_problem_has_its_row() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", section("Checking", 2), re.MULTILINE)
    assert dict(rows) == CODES


@pytest.mark.parametrize("cause", CATALOGUE)
def test_every_cause_has_its_row_as_the_catalogue_says(cause: str) -> None:
    known = CATALOGUE[cause]
    row = re.search(rf"^\| `{cause}` \| (.+?) \| (\d+) \| (\S+) \| (.+) \|$", ADMIN, re.MULTILINE)
    assert row, f"docs/admin.md has no row for {cause}"
    assert row.groups() == (known.text, str(known.sip_status), known.call_status or "–", known.remedy or "–")


@pytest.mark.parametrize(("title", "columns"), [("calls", records.CALLS), ("messages", records.MESSAGES)])
def test_every_column_of_an_export_has_its_row(title: str, columns: records.Columns) -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", section(f"Columns of {title}"), re.MULTILINE)
    assert dict(rows) == columns


@pytest.mark.parametrize("feature", [*FEATURES, *IN_CALL], ids=lambda feature: feature.name)
def test_every_feature_code_has_its_row(feature: Feature | InCallCode) -> None:
    assert f"| `{feature.code}` | `{feature.name}` | {feature.does} |" in section("What agents dial", 2)


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", ROOT / "CHANGELOG.md", *PAGES], ids=lambda page: page.name
)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text()):
        if target.startswith(("http:", "https:")):
            continue
        file = page.parent / target if target else page
        assert file.exists(), f"{page.name} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in headings}
            assert anchor[1:] in anchors, f"{page.name} links to {target}{anchor}"


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.name)
def test_commands_and_targets_that_are_named_exist(page: Path) -> None:
    text = page.read_text()
    words = {command.partition(" ")[0] for command in COMMANDS}
    assert set(re.findall(r"(?:^|`|bin/)pbx ([a-z]+)", text, re.MULTILINE)) <= words
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE)) <= targets


def test_every_file_of_interoperability_tests_is_in_the_matrix() -> None:
    matrix = (ROOT / "docs" / "developer.md").read_text().partition("## Interoperability")[2]
    files = {file.name for file in (ROOT / "tests" / "peers").glob("test_*.py")}
    assert set(re.findall(r"`(test_\w+\.py)`", matrix)) == files
