"""Keys that are told by SIP INFO, to and from a phone whose SDP names no telephone-event."""

import asyncio
from collections.abc import Iterator

import pytest

from pbx.phonecall import Phone
from tests.support.phones import caller_plan, sipp
from tests.support.server import Server, free_port, server

pytestmark = pytest.mark.peers

DESK = "name: desk\nstart: ring\nsteps:\n  ring: {dial: desk, timeout: 10s}\n"


def by_info(config: str) -> str:
    return config.replace("desk: {name: Front desk,", "desk: {name: Front desk, dtmf: info,")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server(tmp_path_factory.mktemp("site"), {"desk": DESK}, edit=by_info) as running:
        yield running


def test_keys_go_by_info_both_ways(site: Server) -> None:
    """The caller presses 7 by RFC 4733; the desk hears it by INFO, answers with 4 by INFO, and the caller
    hears that by RFC 4733."""
    before = len(site.calls())

    async def scene() -> list[str]:
        async with Phone(caller_plan(site, press="7", press_after_s=1, hang_up_after_s=5)) as caller:
            return [event["digit"] for event in await caller.finish() if event["event"] == "key"]

    words = ("-p", str(site.desk), "-mp", str(free_port()), "-m", "1")
    with sipp("takes_keys_by_info", *words) as desk:
        assert asyncio.run(scene()) == ["4"]
        said, _ = desk.communicate(timeout=30)
        assert desk.returncode == 0, said[-2000:]
    call = site.ended_call(before + 1)
    assert (call["status"], call["agent"]) == ("answered", "desk")
