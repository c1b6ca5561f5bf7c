"""A caller over IPv6 and an agent over IPv4 hear each other, each by the family that they speak."""

import asyncio
from pathlib import Path

import pytest

from pbx.phonecall import Phone
from tests.support.phones import SCENARIOS, agent_plan, number, registered
from tests.support.server import Server, free_port, need, server
from tests.support.sounds import heard_in, hum, longest_s, samples_in

pytestmark = pytest.mark.peers

FLOWS = {"alice": "name: alice\nstart: ring\nsteps:\n  ring: {dial: alice, timeout: 15s}\n"}
AGENT = 1000


def dual(config: str) -> str:
    config = config.replace(
        'sip: {listen: ["udp://127.0.0.1:', 'sip: {listen: ["udp://[::1]:PORT", "udp://127.0.0.1:'
    )
    port = config.partition("udp://127.0.0.1:")[2].partition('"')[0]
    config = config.replace("PORT", port).replace(
        "allow_from: [127.0.0.1/32]", 'allow_from: [127.0.0.1/32, "::1/128"]'
    )
    return config.replace("media: {address: 127.0.0.1,", 'media: {address: 127.0.0.1, address_ipv6: "::1",')


def test_a_caller_over_ipv6_and_an_agent_over_ipv4(tmp_path: Path) -> None:
    async def scene(site: Server) -> None:
        plan = agent_plan(
            site,
            "alice",
            play=hum(tmp_path / "says.wav", AGENT),
            record=str(tmp_path / "hears.wav"),
            hang_up_after_s=5,
        )
        async with Phone(plan) as alice:
            await registered(alice)
            words = (
                *(
                    "-sf",
                    str(SCENARIOS / "stays_over_ipv6.xml"),
                    "-m",
                    "1",
                    "-nostdin",
                    "-rtp_echo",
                    "-s",
                    number(0),
                ),
                *(
                    "-i",
                    "::1",
                    "-p",
                    str(free_port()),
                    "-mi",
                    "::1",
                    "-mp",
                    str(free_port()),
                    f"[::1]:{site.sip}",
                ),
            )
            caller = await asyncio.create_subprocess_exec(
                need("sipp"), *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
            )
            try:
                await alice.until("ended")
            finally:
                said, _ = await caller.communicate()
            assert caller.returncode == 0, said[-1500:]

    with server(tmp_path / "site", FLOWS, edit=dual) as site:
        asyncio.run(asyncio.wait_for(scene(site), 90))
        call = site.ended_call(1)
    assert (call["status"], call["agent"]) == ("answered", "alice")
    assert all(leg["stats"]["packets_received"] > 50 for leg in call["legs"])
    # What alice says comes back from the caller, over both families.
    assert longest_s(heard_in(samples_in(tmp_path / "hears.wav"), (AGENT,)), {AGENT}) > 1
