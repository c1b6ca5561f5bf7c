"""Strangers who send whatever they like, on real sockets: nothing of them is kept but what is bounded."""

import asyncio
import contextlib
import socket
from random import Random

from sip import Limits, Rules
from tests.sip.test_stack import run
from tests.sip.test_transports import Phone, started
from tests.sip.test_transports import authority as authority
from tests.sip.test_transports import files as files
from tests.sip.wire import OFFER

METHODS = ("INVITE", "REGISTER", "OPTIONS", "BYE", "CANCEL", "ACK", "SUBSCRIBE", "MESSAGE", "PRACK")
STRANGERS, MESSAGES_OF_EACH, CONNECTIONS_OF_EACH = 60, 50, 6
MOST = 40


def message(random: Random, n: int, host: str, transport: str) -> bytes:
    method = random.choice(METHODS)
    lines = (
        f"{method} sip:{random.choice(('alice', 'nobody', str(n)))}@example SIP/2.0",
        f"Via: SIP/2.0/{transport} {host}:5060;branch=z9hG4bK{n};rport",
        f"From: <sip:{n}@example>;tag={n}",
        "To: <sip:alice@example>" + random.choice(("", f";tag={n}")),
        f"Call-ID: {n}@{host}",
        f"CSeq: 1 {method}",
        f"Contact: <sip:{n}@{host}>",
        "Max-Forwards: 70",
        *random.choice(
            ((), ('Authorization: Digest username="alice", realm="example", nonce="x", response="y"',))
        ),
        f"Content-Length: {len(OFFER)}",
    )
    whole = "\r\n".join(lines).encode() + b"\r\n\r\n" + OFFER
    match random.randrange(4):
        case 0:
            return random.randbytes(random.randrange(1, 900))
        case 1:
            return whole[: random.randrange(1, len(whole))]
        case _:
            return whole


def test_a_flood_of_everything_leaves_nothing_behind(files) -> None:
    async def main() -> None:
        limits = Limits(
            max_strangers=MOST, max_connections_per_stranger=2, max_connections=MOST, stranger_idle_s=2.0
        )
        guarded = Phone(
            "udp://127.0.0.1:0", "tcp://127.0.0.1:0", "tls://127.0.0.1:0",
            trunks=(), limits=limits, bans=Rules(most=MOST), tls=files("127.0.0.1"),
        )  # fmt: skip
        random, most_connections = Random(5), 0
        writers: list[asyncio.StreamWriter] = []
        async with started(guarded):
            stack = guarded.stack
            for each in range(STRANGERS):
                host = f"127.0.1.{each + 1}"
                udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                udp.bind((host, 0))
                for n in range(MESSAGES_OF_EACH):
                    udp.sendto(message(random, each * 1000 + n, host, "UDP"), guarded.address("udp"))
                udp.close()
                opened = []
                for n in range(CONNECTIONS_OF_EACH):
                    to = guarded.address("tcp" if n % 2 else "tls")
                    with contextlib.suppress(OSError):
                        _, writer = await asyncio.open_connection(*to, local_addr=(host, 0))
                        writer.write(
                            message(random, each * 1000 + n, host, "TCP")
                        )  # to TLS it is no greeting
                        opened.append(writer)
                writers += opened
                await asyncio.sleep(0)
                most_connections = max(most_connections, len(stack._connections))
                if each % 2:
                    for writer in opened:
                        writer.close()  # the others are left open, half a message said
            async with asyncio.timeout(30):
                while len(stack._connections):
                    await asyncio.sleep(0.05)
            for writer in writers:
                writer.close()
            assert most_connections <= MOST
            assert (stack.sessions, stack.dialogs, stack.transactions) == (0, 0, 0)
            assert guarded.sessions.empty()
            assert len(stack.core._allowance) <= MOST
            assert len(stack.bans) <= 2 * MOST
            assert len(stack.registrar) == 0
            assert len(stack.core.endpoint.queue) == 0
            assert not stack.core.endpoint.incoming
            assert len(stack._lookups) == len(stack._names) == 0

    run(main)
