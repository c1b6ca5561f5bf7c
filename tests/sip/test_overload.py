"""More than can be served, on real sockets: new calls get 503, trunks' too, and those in progress go on."""

import asyncio
import itertools
import socket
import threading

from sip import Answered, Ended, Flow, Limits
from sip.message import parse
from tests.sip.test_stack import run
from tests.sip.test_transports import Phone, started
from tests.sip.wire import ANSWER


class Flood(threading.Thread):
    """A carrier whose calls never stop coming: INVITEs as fast as a socket takes them."""

    def __init__(self, to: tuple[str, int]) -> None:
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.to = to
        self.over = threading.Event()

    def run(self) -> None:
        host, port = self.socket.getsockname()
        for n in itertools.count():
            if self.over.is_set():
                return
            lines = (
                f"INVITE sip:100@{self.to[0]} SIP/2.0",
                f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bKflood{n}",
                f"From: <sip:200@example>;tag={n}",
                f"To: <sip:100@{self.to[0]}>",
                f"Call-ID: flood-{n}",
                "CSeq: 1 INVITE",
                f"Contact: <sip:200@{host}:{port}>",
                "Max-Forwards: 70",
                "Content-Length: 0",
            )
            self.socket.sendto("\r\n".join(lines).encode() + b"\r\n\r\n", self.to)


def test_overload_answers_503_with_retry_after_and_calls_in_progress_go_on() -> None:
    async def main() -> None:
        server = Phone("udp://127.0.0.1:0", limits=Limits(max_sessions=1_000_000, retry_after_s=7))
        caller = Phone("udp://127.0.0.1:0")
        async with started(server, caller):
            address = server.address("udp")
            session, heard = caller.call(Flow("udp", address))
            called = await server.sessions.get()
            called.answer(ANSWER)
            while not isinstance(await heard.get(), Answered):
                pass
            flood = Flood((address.host, address.port))
            flood.socket.setblocking(True)
            flood.start()
            try:
                refusal = await refused(flood)
            finally:
                flood.over.set()
            await asyncio.to_thread(flood.join)
            assert refusal.headers.get("Retry-After") == "7"
            assert "Overloaded" in refusal.reason
            assert server.stack.counters.refused_overload > 0
            async with asyncio.timeout(30):
                while server.stack.core.load.overloaded:
                    await asyncio.sleep(0)
                session.bye()
                while not isinstance(ended := await called.heard.get(), Ended):
                    pass
            assert ended.by.name == "REMOTE"
            flood.socket.close()

    run(main)


async def refused(flood: Flood):
    """The first 503 that the flood is answered with."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(60):
        while True:
            response = parse(await loop.run_in_executor(None, flood.socket.recv, 4096))
            if response.status == 503:
                return response
