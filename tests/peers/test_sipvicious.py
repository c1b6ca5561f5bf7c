"""sipvicious, the scanner that knocks on every SIP port of the world: it finds nothing."""

import asyncio
import sys
from pathlib import Path

import pytest

from sip import Account, Address, Limits, Rules, Stack, StackConfig

pytestmark = pytest.mark.peers


class Nobody:
    def invite_received(self, session) -> None:
        raise AssertionError("a scanner's call came through")


async def scan(tool: str, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name(f"sipvicious_{tool}")), *arguments,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    return output.decode()


def run(main, **settings) -> None:
    async def bounded() -> None:
        config = StackConfig(
            listen=("udp://127.0.0.1:0",),
            realm="example",
            nonce_secret=b"secret of these tests, 32 bytes.",
            accounts={"101": Account("alice", "wonderland")},
            **settings,
        )
        stack = Stack(config, Nobody())
        await stack.start()
        try:
            async with asyncio.timeout(120):
                await main(stack, Address("127.0.0.1", int(stack.listening[0].rpartition(":")[2])))
        finally:
            await stack.close()

    asyncio.run(bounded())


def test_the_scanner_finds_no_server() -> None:
    async def main(stack: Stack, at: Address) -> None:
        said = await scan("svmap", "-p", str(at.port), at.host)
        assert "127.0.0.1" not in said.replace("127.0.0.1:5060", ""), said
        assert stack.counters.dropped_scanners > 0
        assert stack.counters.responses_sent == 0

    run(main)


def test_the_scanner_learns_nothing_of_extensions() -> None:
    async def main(stack: Stack, at: Address) -> None:
        arguments = ("-e", "100-103", "-p", str(at.port), "--force", "--maximumtime=3")
        said = await scan("svwar", *arguments, "-m", "INVITE", at.host)
        assert "reqauth" not in said, said
        assert stack.counters.sessions_started == 0

    run(main, bans=Rules(strikes=10**6), limits=Limits(refusals_burst=10**6))
