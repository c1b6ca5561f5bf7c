"""A reload while a hundred calls are up, over real sockets: nobody in a call notices, who comes next does."""

from pathlib import Path

import pytest

from tests.support.phones import number, sipp, sipp_calls
from tests.support.server import Server, eventually, free_port, server

pytestmark = pytest.mark.peers

CALLS = 100
MEDIA = 11000
"""Each call is given two ports from here on, below those that servers and the system hand out."""
BEFORE = "start: hold\nsteps:\n  hold: {wait: 25s, next: old}\n  old: {wait: 100ms, next: bye}\n  bye: {hangup: old}\n"
AFTER = "start: new\nsteps:\n  new: {wait: 100ms, next: bye}\n  bye: {hangup: new}\n"
BAD = AFTER.replace("next: bye", "next: by")


def path_of(site: Server, call: dict[str, str]) -> list[str]:
    path: list[str] = site.get(f"/api/calls/{call['id']}")["path"]
    return path


def test_a_reload_under_a_hundred_calls(tmp_path: Path) -> None:
    with server(tmp_path / "site", {"main": BEFORE}, model="", rtp_timeout="120s", rtp_ports=300) as site:
        flow = site.folder / "ivr_flows" / "main.yaml"
        words = (
            "-m",
            str(CALLS),
            "-l",
            str(CALLS),
            "-r",
            "40",
            "-p",
            str(free_port()),
            "-mp",
            str(MEDIA),
        )
        with sipp("stays", *words, "-s", number(0), "-timeout", "150", f"127.0.0.1:{site.sip}") as callers:
            eventually("a hundred calls", lambda: site.metric("pbx_calls_live") == CALLS)

            flow.write_text(AFTER)
            differs = site.pbx("diff", check=False)
            assert differs.returncode == 1
            assert "flow main: starts at new instead of hold" in differs.stdout
            site.pbx("reload")
            eventually("the new config", lambda: site.pbx("diff", check=False).returncode == 0)
            sipp_calls(site, "stays", 0)
            newest = site.calls()[0]
            assert path_of(site, newest) == ["new", "bye"]
            assert site.metric("pbx_calls_live") == CALLS, "a call in progress was lost in the reload"

            flow.write_text(BAD)
            refused = site.pbx("reload", check=False)
            assert refused.returncode == 1
            assert "no step 'by'; did you mean 'bye'?" in refused.stderr
            assert site.process is not None
            site.process.send_signal(1)  # SIGHUP, as somebody who does not check first would
            eventually("a word in the log", lambda: "nothing has changed" in site.log.read_text())
            sipp_calls(site, "stays", 0)
            assert path_of(site, site.calls()[0]) == ["new", "bye"]

            assert callers.wait(120) == 0, "a caller did not see the call to its end"
        calls = eventually("every row closed", lambda: ended(site))
        paths = [tuple(path_of(site, call)) for call in calls]
        assert paths.count(("hold", "old", "bye")) == CALLS
        assert paths.count(("new", "bye")) == 2


def ended(site: Server) -> list[dict[str, str]] | None:
    calls: list[dict[str, str]] = site.get("/api/calls?limit=1000")["calls"]
    over = all(call["status"] not in ("ringing", "in_progress") for call in calls)
    return calls if over and len(calls) == CALLS + 2 else None


def test_the_address_behind_nat_and_the_room_for_calls_change_with_a_reload(tmp_path: Path) -> None:
    with server(tmp_path / "site", {"main": AFTER}, model="") as site:
        sipp_calls(site, "stays", 0)
        assert "203.0.113.9" not in site.pbx("trace", site.calls()[0]["id"], "--messages").stdout
        outside = 'external_address: 203.0.113.9, local_networks: ["192.0.2.0/24"], listen:'
        config = site.config.read_text().replace("sip: {listen:", f"sip: {{{outside}")
        site.config.write_text(config + "defence: {max_calls: 1}\n")
        assert "(after a restart)" not in site.pbx("diff", check=False).stdout
        site.pbx("reload")
        eventually("the new config", lambda: site.pbx("diff", check=False).returncode == 0)
        sipp_calls(site, "stays", 0)
        said = site.pbx("trace", site.calls()[0]["id"], "--messages").stdout
        assert "c=IN IP4 203.0.113.9" in said
        assert "Contact: <sip:203.0.113.9:" in said or "@203.0.113.9:" in said
        assert "after a restart" not in site.log.read_text()


def test_new_texts_are_spoken_before_anybody_hears_them(tmp_path: Path) -> None:
    with server(tmp_path / "site", {"main": BEFORE}, model="") as site:
        spoken = site.folder / "data" / "prompts"
        before = {*spoken.glob("*.wav")}
        (site.folder / "ivr_flows" / "main.yaml").write_text(
            "start: new\nsteps:\n  new: {say: A text that is new, next: bye}\n  bye: {hangup: new}\n"
        )
        site.pbx("reload")
        eventually("the new text as a file", lambda: {*spoken.glob("*.wav")} - before)
        assert site.calls() == []
