"""``pbx check``."""

import json

import pytest
import typer
from typer.testing import CliRunner

from pbx.cli.check import check


@pytest.fixture
def run(disk):
    app = typer.Typer()
    app.command()(check)
    return lambda: CliRunner().invoke(app, ["--config", str(disk.config)])


def test_a_good_site(run):
    result = run()
    assert result.exit_code == 0
    assert result.stdout == ""
    assert result.stderr.endswith("config.yaml is fine: 1 flow, 1 number, 2 agents, 0 warnings\n")


def test_a_bad_site(run, disk):
    disk.write("config.yaml", disk.config.read_text().replace("flow: main", "flow: mian"))
    result = run()
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"{disk.config}:12:41: no flow 'mian'; did you mean 'main'?",
        f"{disk.folder}/ivr_flows/main.yaml:1:1: warning: no number, pool or goto leads to the flow 'main'",
    ]
    assert result.stderr == "1 error, 1 warning\n"


def test_no_config_at_all(run, disk):
    disk.config.unlink()
    result = run()
    assert result.exit_code == 1
    assert "config.yaml:1:1: cannot be read: No such file or directory" in result.stdout


def test_json_for_editors(disk):
    app = typer.Typer()
    app.command()(check)
    disk.write("config.yaml", disk.config.read_text().replace("flow: main", "flow: mian"))
    result = CliRunner().invoke(app, ["--config", str(disk.config), "--json"])
    assert result.exit_code == 1
    said = json.loads(result.stdout)
    assert (said["errors"], said["warnings"]) == (1, 1)
    assert said["problems"][0] == {
        "file": str(disk.config),
        "line": 12,
        "column": 41,
        "end": {"line": 12, "column": 45},
        "severity": "error",
        "code": "unknown-name",
        "message": "no flow 'mian'; did you mean 'main'?",
        "suggestion": "did you mean 'main'?",
    }


def test_json_of_a_good_site(disk):
    app = typer.Typer()
    app.command()(check)
    result = CliRunner().invoke(app, ["--config", str(disk.config), "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"errors": 0, "warnings": 0, "problems": []}


def test_flow_tests_are_read_too(run, disk):
    tests = disk.folder / "flow_tests"
    tests.mkdir()
    call = 'call: {to: "+12125550100", from: "+12125557788"}'
    (tests / "a.test.yaml").write_text(f"- {{name: t, {call}, expect: {{path: [nowhere]}}}}\n")
    result = run()
    assert result.exit_code == 1
    assert f"{tests}/a.test.yaml:1:" in result.stdout
    assert "comes to no step 'nowhere'" in result.stdout
    assert result.stderr == "1 error, 0 warnings\n"
