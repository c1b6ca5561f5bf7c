"""`pbx diff` says in words what a reload would change."""

import json

import pytest
import typer
from typer.testing import CliRunner

from pbx.cli.diff import diff
from pbx.config.difference import changes
from pbx.config.snapshot import NAME, NoSnapshot, save, saved, snapshot

STEPS = """\
start: ring
steps:
  ring: {dial: alice, on_no_answer: line}
  line: {queue: sales, on_timeout: message}
  message: {voicemail: }
"""


def said(disk, config: tuple[str, str] | None = None, flow: tuple[str, str] | None = None) -> list[str]:
    """The changes when ``config`` or the flow gets another text in one place."""
    before, _ = disk.examine()
    for name, change in (("config.yaml", config), ("ivr_flows/main.yaml", flow)):
        if change:
            text = (disk.folder / name).read_text()
            assert change[0] in text
            disk.write(name, text.replace(*change))
    after, problems = disk.examine()
    assert after is not None, problems
    return [str(change) for change in changes(snapshot(before, "salt"), snapshot(after, "salt"))]


def test_nothing_changed(disk):
    assert said(disk) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            'numbers:\n',
            'numbers:\n  "+12125550101": {source: radio, flow: main}\n',
            ["number +12125550101: new: source radio, flow main"],
        ),
        ("flow: main}", "flow: main, whisper: Radio}", ["number +12125550100: whisper Radio, not set before"]),
        ("members: [alice, desk]", "members: [desk]", ["queue sales: members without alice"]),
        ("members: [alice, desk]", "members: [desk, alice]", ["queue sales: members in the order desk, alice"]),
        (
            "members: [alice, desk]",
            "members: [alice, desk], max_wait: 90s",
            ["queue sales: max_wait 90s instead of 5m"],
        ),
        ("name: Alice", "name: Alice Moreno", ["agent alice: name “Alice Moreno” instead of Alice"]),
        ("a long password", "a new password", ["agent alice: password is another"]),
        ("host: 192.0.2.1", "host: 192.0.2.7", ["trunk carrier: host 192.0.2.7 instead of 192.0.2.1"]),
        ("name: Acme", "name: Acme Ltd", ["server: name “Acme Ltd” instead of Acme (after a restart)"]),
        (
            "numbers:\n", "sip: {external_address: 203.0.113.9}\nnumbers:\n",
            ["sip: external_address 203.0.113.9, not set before"],
        ),
        (
            "numbers:\n", "sip: {listen: [\"udp://127.0.0.1:5070\"]}\nnumbers:\n",
            ["sip: listen with udp://127.0.0.1:5070 and without udp://127.0.0.1:5060, tcp://127.0.0.1:5060 (after a restart)"],
        ),
        ("numbers:\n", "defence: {strikes: 3}\nnumbers:\n", ["defence: strikes 3 instead of 10"]),
    ],
)  # fmt: skip
def test_config(disk, old, new, told):
    assert said(disk, (old, new)) == told


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("dial: alice,", "dial: [desk, alice],", ["flow main: step ring: dial with desk"]),
        ("dial: alice,", "dial: alice, timeout: 30s,", ["flow main: step ring: timeout 30s instead of 20s"]),
        (
            "  message: {voicemail: }",
            "  message: {say: Bye, next: bye}\n  bye: {hangup: done}",
            [
                "flow main: step message: say instead of voicemail, goes on at bye",
                "flow main: step bye is new: hangup",
            ],
        ),
        ("start: ring", "name: Front\nstart: ring", ["flow main: called Front instead of main"]),
        (
            "start: ring\nsteps:\n",
            "start: hello\nsteps:\n  hello: {say: Hi, next: ring}\n",
            [
                "flow main: starts at hello instead of ring",
                "flow main: step hello is new: say, goes on at ring",
            ],
        ),
    ],
)
def test_flows_step_by_step(disk, old, new, told):
    assert said(disk, None, (old, new)) == told


def test_a_new_flow_and_one_that_is_gone(disk):
    before, _ = disk.examine()
    disk.write("ivr_flows/spare.yaml", "start: a\nsteps: {a: {dial: alice}}\n")
    after, _ = disk.examine()
    one, other = snapshot(before, "s"), snapshot(after, "s")
    assert [str(change) for change in changes(one, other)] == ["flow spare: new, of 1 step"]
    assert [str(change) for change in changes(other, one)] == [
        "flow spare: gone; calls that are in it finish on it"
    ]


def test_the_snapshot_keeps_no_secret_and_is_the_server_s_alone(disk):
    site, _ = disk.examine()
    site.data_dir.mkdir(parents=True)
    save(site)
    path = site.data_dir / NAME
    assert "a long password" not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0
    assert changes(saved(site.data_dir), snapshot(site, saved(site.data_dir)["salt"])) == []


def test_without_a_snapshot_nothing_is_known(tmp_path):
    with pytest.raises(NoSnapshot, match="no server has said yet"):
        saved(tmp_path)


def run(disk, *arguments: str):
    app = typer.Typer()
    app.command()(diff)
    return CliRunner().invoke(app, ["--config", str(disk.config), *arguments])


def test_the_command_s_exit_code_tells(disk):
    assert run(disk).exit_code == 2
    site, _ = disk.examine()
    site.data_dir.mkdir(parents=True)
    save(site)
    alike = run(disk)
    assert (alike.exit_code, alike.stdout) == (0, "")
    disk.write("config.yaml", disk.config.read_text().replace("Front desk", "Desk"))
    differs = run(disk)
    assert (differs.exit_code, differs.stdout) == (1, "agent desk: name Desk instead of “Front desk”\n")
    assert "no server runs on" in differs.stderr
    assert json.loads(run(disk, "--json").stdout)["changes"] == [
        {"part": "agent desk", "what": "name Desk instead of “Front desk”", "needs_restart": False}
    ]
    disk.write("config.yaml", "a: b: c\n")
    assert run(disk).exit_code == 2
