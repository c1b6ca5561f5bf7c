"""sipp as the trunk: the ways in which a caller comes and goes, over UDP and TCP."""

import subprocess
from pathlib import Path

import pytest

from tests.support.phones import SCENARIOS, number, sipp
from tests.support.server import Server, eventually, free_port, need, server

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


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory):
    with server(tmp_path_factory.mktemp("site"), FLOWS) as running:
        yield running
        for gauge in ("pbx_calls_live", "pbx_media_endpoints"):
            eventually(f"{gauge} back at 0", lambda gauge=gauge: running.metric(gauge) == 0)


def call(site: Server, scenario: str, index: int, *words: str, service: str = "") -> None:
    result = subprocess.run(
        [
            need("sipp"), "-sf", str(SCENARIOS / f"{scenario}.xml"), "-i", "127.0.0.1", "-nostdin", "-m", "1",
            "-p", str(free_port()), "-mp", str(free_port()), "-s", service or number(index), "-timeout", "60",
            *words, f"127.0.0.1:{site.sip}",
        ],
        capture_output=True, text=True, check=False, timeout=90,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-1500:] + result.stderr[-1500:]


@pytest.mark.parametrize("index", range(len(FLOWS)), ids=list(FLOWS))
def test_a_caller_hangs_up_in_each_step(site: Server, index: int) -> None:
    before = len(site.calls())
    if list(FLOWS)[index] == "desk":
        with sipp("rings_for_ever", "-p", str(site.desk)):
            call(site, "gives_up_ringing", index)
    else:
        call(site, "hangs_up", index, "-d", "1200")
    ended = site.ended_call(before + 1)
    assert ended["status"] in (("voicemail", "abandoned") if list(FLOWS)[index] == "mail" else ("abandoned",))
    assert ended["cause"] == "caller_hung_up"


def test_over_tcp(site: Server) -> None:
    before = len(site.calls())
    call(site, "hangs_up", 0, "-d", "500", "-t", "t1")
    assert site.ended_call(before + 1)["status"] == "abandoned"


def test_a_number_that_is_nobodys_is_refused_and_kept(site: Server) -> None:
    before = len(site.calls())
    call(site, "is_refused", 0, service="+12125559999")
    ended = site.ended_call(before + 1)
    assert (ended["status"], ended["cause"]) == ("rejected", "unknown_number")


def test_a_caller_who_never_acknowledges_is_given_up(site: Server) -> None:
    before = len(site.calls())
    call(site, "never_acks", 0)
    ended = site.ended_call(before + 1)
    assert (ended["status"], ended["cause"]) == ("failed", "no_ack")


def test_a_caller_who_sends_no_rtp(tmp_path: Path) -> None:
    with server(tmp_path / "site", FLOWS, rtp_timeout="2s") as site:
        result = subprocess.Popen(
            [
                need("sipp"), "-sf", str(SCENARIOS / "hangs_up.xml"), "-i", "127.0.0.1", "-nostdin", "-m", "1",
                "-p", str(free_port()), "-mp", str(free_port()), "-s", number(0), "-d", "20000", "-timeout", "30",
                f"127.0.0.1:{site.sip}",
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            ended = site.ended_call()
        finally:
            result.terminate()
            result.wait(20)
        assert (ended["status"], ended["cause"]) == ("failed", "no_rtp")
