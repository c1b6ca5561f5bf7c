"""More calls than the site wants: a trunk's next one gets 503 with Retry-After, and the one that is up goes on."""

import socket
from pathlib import Path

import pytest

from sip.message import parse
from tests.support.phones import number, sipp
from tests.support.server import eventually, free_port, server

pytestmark = pytest.mark.peers

FLOW = "start: hold\nsteps:\n  hold: {wait: 6s, next: bye}\n  bye: {hangup: done}\n"


def test_a_trunks_call_too_many(tmp_path: Path) -> None:
    def edit(config: str) -> str:
        return config + "defence: {max_calls: 1}\n"

    with server(tmp_path / "site", {"main": FLOW}, model="", edit=edit) as site:
        words = ("-m", "1", "-p", str(free_port()), "-mp", str(free_port()), "-s", number(0))
        with (
            sipp("stays", *words, f"127.0.0.1:{site.sip}") as caller,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trunk,
        ):
            eventually("the first call", lambda: site.metric("pbx_calls_live") == 1)
            trunk.bind(("127.0.0.1", 0))
            trunk.settimeout(20)
            here = f"127.0.0.1:{trunk.getsockname()[1]}"
            lines = (
                f"INVITE sip:{number(0)}@127.0.0.1 SIP/2.0",
                f"Via: SIP/2.0/UDP {here};branch=z9hG4bKtoomany",
                "From: <sip:+12125557799@example>;tag=1",
                f"To: <sip:{number(0)}@127.0.0.1>",
                "Call-ID: too-many",
                "CSeq: 1 INVITE",
                f"Contact: <sip:{here}>",
                "Max-Forwards: 70",
                "Content-Length: 0",
            )
            trunk.sendto("\r\n".join(lines).encode() + b"\r\n\r\n", ("127.0.0.1", site.sip))
            answer = parse(trunk.recv(4096))
            assert answer.status == 503  # type: ignore[union-attr]
            assert int(answer.headers.get("Retry-After") or "") > 0
            assert caller.wait(60) == 0, "the call in progress did not come to its end"
        assert [call["status"] for call in site.calls()] == ["completed"]
