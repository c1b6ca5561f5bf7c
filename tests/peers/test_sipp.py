"""sipp as the trunk: the ways in which a caller comes and goes, over UDP and TCP."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.phones import number, sipp, sipp_calls
from tests.support.server import Server, eventually, free_port, server

pytestmark = pytest.mark.peers

FLOWS = {
    "wait": "name: Wait\nstart: wait\nsteps:\n  wait: {wait: 60s}\n",
    "say": 'name: Say\nstart: say\nsteps:\n  say: {say: "Thank you for calling this number today.", next: say2}\n'
    '  say2: {say: "Thank you for calling again."}\n',
    "menu": 'name: Menu\nstart: menu\nsteps:\n  menu: {menu: "Press 1.", keys: {"1": hangup}, otherwise: hangup}\n',
    "queue": "name: Queue\nstart: line\nsteps:\n  line: {queue: sales}\n",
    "desk": "name: Desk\nstart: desk\nsteps:\n  desk: {dial: desk, timeout: 20s}\n",
    "mail": "name: Mail\nstart: mail\nsteps:\n  mail: {voicemail: {max: 20s}}\n",
}

NEVER_ACKS, HANGS_UP, GIVES_UP, REFUSED = (f"+1212555770{n}" for n in range(1, 5))  # From, by scenario


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory):
    with server(tmp_path_factory.mktemp("site"), FLOWS) as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
def unacknowledged(site: Server):
    """A call whose ACK never comes: the RFC gives it 32 seconds, in which the other tests run."""
    with sipp("never_acks", "-m", "1", *ports(), "-s", number(0), "-timeout", "60", to(site)) as caller:
        yield caller


def ports() -> tuple[str, ...]:
    return "-p", str(free_port()), "-mp", str(free_port())


def to(site: Server) -> str:
    return f"127.0.0.1:{site.sip}"


def calls_from(site: Server, caller: str) -> list[dict[str, Any]]:
    return [call for call in site.calls() if call["from"] == caller]


def ended_call(site: Server, caller: str, at_least: int) -> dict[str, Any]:
    """The caller's newest call once all ``at_least`` have ended."""

    def probe() -> Any:
        calls = calls_from(site, caller)
        over = len(calls) >= at_least and all(c["status"] not in ("ringing", "in_progress") for c in calls)
        return calls[0] if over else None

    found: dict[str, Any] = eventually(f"the end of the call from {caller}", probe)
    return found


def test_a_number_that_is_nobodys_is_refused_and_kept(site: Server) -> None:
    sipp_calls(site, "is_refused", 0, service="+12125559999")
    ended = ended_call(site, REFUSED, 1)
    assert (ended["status"], ended["cause"]) == ("rejected", "unknown_number")


@pytest.mark.parametrize("index", [n for n, name in enumerate(FLOWS) if name != "desk"])
def test_a_caller_hangs_up_in_each_step(site: Server, index: int) -> None:
    before = len(calls_from(site, HANGS_UP))
    sipp_calls(site, "hangs_up", index, "-d", "1200")
    ended = ended_call(site, HANGS_UP, before + 1)
    assert ended["status"] in (("voicemail", "abandoned") if list(FLOWS)[index] == "mail" else ("abandoned",))
    assert ended["cause"] == "caller_hung_up"


def test_a_caller_hangs_up_while_it_rings(site: Server) -> None:
    with sipp("rings_for_ever", "-p", str(site.desk)):
        sipp_calls(site, "gives_up_ringing", list(FLOWS).index("desk"))
    ended = ended_call(site, GIVES_UP, 1)
    assert (ended["status"], ended["cause"]) == ("abandoned", "caller_hung_up")


def test_over_tcp(site: Server) -> None:
    before = len(calls_from(site, HANGS_UP))
    sipp_calls(site, "hangs_up", 0, "-d", "500", "-t", "t1")
    assert ended_call(site, HANGS_UP, before + 1)["status"] == "abandoned"


def test_a_caller_who_sends_no_rtp(tmp_path: Path) -> None:
    with (
        server(tmp_path / "site", FLOWS, rtp_timeout="2s") as site,
        sipp("hangs_up", "-m", "1", *ports(), "-s", number(0), "-d", "20000", "-timeout", "30", to(site)),
    ):
        ended = site.ended_call()
        assert (ended["status"], ended["cause"]) == ("failed", "no_rtp")


def test_a_caller_who_never_acknowledges_is_given_up(
    site: Server, unacknowledged: subprocess.Popen[str]
) -> None:
    ended = ended_call(site, NEVER_ACKS, 1)
    assert (ended["status"], ended["cause"]) == ("failed", "no_ack")
    assert unacknowledged.wait(10) == 0, "no BYE came after the 200 was given up"


def test_the_signalling_of_a_call_can_be_seen(site: Server, tmp_path: Path) -> None:
    """While it lasts it is in memory, afterwards on disk: either way the ladder is whole."""
    sipp_calls(site, "is_refused", 0, service="+12125559999")
    call = ended_call(site, REFUSED, 1)["id"]
    ladder = site.pbx("trace", call).stdout
    for said in ("INVITE", "404 Not Found", "ACK"):
        assert said in ladder
    assert site.get(f"/api/calls/{call}/trace")["messages"][0]["label"] == "INVITE"
    assert site.read(f"/api/calls/{call}/trace.svg").startswith(b"<svg ")
    file = tmp_path / "call.pcap"
    site.pbx("trace", call, "--pcap", str(file))
    assert file.read_bytes() == site.read(f"/api/calls/{call}/trace.pcap")
    eventually(
        "the trace on disk", lambda: list((site.folder / "data" / "traces").glob("*.sip")), within_s=30
    )
    eventually("the same ladder from disk", lambda: site.pbx("trace", call).stdout == ladder)
