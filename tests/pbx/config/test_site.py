"""What a good config becomes: E.164 numbers, absolute paths, and the files shipped with the project."""

import struct
from pathlib import Path

import pytest

from pbx.config.load import examine, load
from pbx.config.site import database_url

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "config.yaml"


def test_numbers_become_e164(disk):
    text = disk.config.read_text().replace('"+12125550100"', '"(212) 555-0100"')
    disk.write(
        "config.yaml",
        text + 'pools: {web: {flow: main, numbers: ["212 555 0110"], targets: ["+1 (212) 555-0199"]}}\n',
    )
    site, _ = disk.examine()
    assert list(site.config.numbers) == ["+12125550100"]
    assert site.number("+12125550100").source == "radio"
    assert site.number("+12125550110") is None
    assert site.pool("+12125550110").targets == ["+12125550199"]
    assert site.pool_of == {"+12125550110": "web"}
    assert site.pool("+12125550100") is None


def test_paths_are_relative_to_the_file(disk):
    site, _ = disk.examine()
    assert site.path == disk.config
    assert site.folder == disk.folder
    assert site.data_dir == disk.folder / "data"
    assert site.database_url == f"sqlite:///{disk.folder}/data/pbx.db"


def test_a_relative_config_path_gives_absolute_ones(disk, monkeypatch):
    monkeypatch.chdir(disk.folder)
    site, _ = examine(Path("config.yaml"), {})
    assert site.path == disk.config
    assert site.database_url == f"sqlite:///{disk.folder}/data/pbx.db"


@pytest.mark.parametrize(
    ("url", "absolute"),
    [
        ("sqlite:///a.db", "sqlite:////site/a.db"),
        ("sqlite:///a.db?timeout=5", "sqlite:////site/a.db?timeout=5"),
        ("sqlite:////var/a.db", "sqlite:////var/a.db"),
        ("sqlite://", "sqlite://"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("postgresql+psycopg://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
    ],
)
def test_database_urls(url, absolute):
    assert database_url(url, Path("/site")) == absolute


def test_the_shipped_config_is_fine():
    site, problems = examine(SHIPPED, {"ALICE_PASSWORD": "one of hers", "BOB_PASSWORD": "one of his"})
    assert [p for p in problems if p.is_error] == []
    assert site.config.transcription.model == "vosk-model-small-en-us-0.15"
    assert site.config.agents["alice"].extension == "101"
    assert set(site.flows) == {"main", "emergency", "straight-to-alice"}


def test_the_shipped_config_has_no_default_passwords():
    _, problems = examine(SHIPPED, {})
    assert [p.message for p in problems if p.is_error] == [
        f"the environment variable {name} is not set; set it, or write ${{{name}:-default}}"
        for name in ("ALICE_PASSWORD", "BOB_PASSWORD")
    ]


def test_a_file_of_the_load_scenarios_kind(disk):
    """A menu whose prompt is a file, a step that turns recording off, a bare wait."""
    disk.write(
        "ivr_flows/main.yaml",
        """\
name: Tracked call
start: menu
steps:
  menu:
    menu: {play: prompt.wav}
    timeout: 5s
    keys: {"1": off}
    otherwise: hold
  off: {record: off, next: hold}
  hold: {wait: 60s}
""",
    )
    assert disk.said() == [
        "ivr_flows/main.yaml:5:18: no audio file 'prompt.wav', neither beside the flow nor in prompts/"
    ]
    disk.write("ivr_flows/prompt.wav", b"RIFF" + struct.pack("<I", 4) + b"WAVE")
    assert load(disk.config, {}).flows["main"].steps["off"].record == "off"
