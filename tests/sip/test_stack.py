"""The driver over real loopback sockets: ports of the system's choice, nothing left at the end."""

import asyncio
import socket
from contextlib import asynccontextmanager
from ipaddress import ip_network

import pytest

from sip import (
    Account,
    Acknowledged,
    Address,
    Answered,
    Cancelled,
    Ended,
    Flow,
    FromTrunk,
    InviteTarget,
    ListenError,
    Rejected,
    Stack,
    StackConfig,
    Timers,
    Trunk,
)
from tests.sip.password import authorize
from tests.sip.wire import ANSWER, OFFER

ANYWHERE = Trunk(name="carrier", allow_from=(ip_network("127.0.0.0/8"),))


class Phone:
    """A stack of its own, whose calls and events arrive in queues."""

    def __init__(self, *listen: str, trunks=(ANYWHERE,)) -> None:
        self.sessions: asyncio.Queue = asyncio.Queue()
        self.stack = Stack(
            StackConfig(
                listen=listen or ("udp://127.0.0.1:0", "tcp://127.0.0.1:0"),
                realm="example",
                nonce_secret=b"secret of these tests, 32 bytes.",
                accounts={"alice": Account("alice", "wonderland")},
                trunks=trunks,
                timers=Timers(t1_s=0.05),
            ),
            self,
        )

    def invite_received(self, session) -> None:
        session.heard = asyncio.Queue()
        session.on_event = session.heard.put_nowait
        self.sessions.put_nowait(session)

    def address(self, transport: str) -> Address:
        url = next(url for url in self.stack.listening if url.startswith(transport))
        host, _, port = url.removeprefix(f"{transport}://").rpartition(":")
        return Address(host.strip("[]"), int(port))

    def call(self, transport: str, remote: Address):
        events: asyncio.Queue = asyncio.Queue()
        target = InviteTarget(uri=f"sip:100@{remote};transport={transport}", flow=Flow(transport, remote))
        session = self.stack.invite(
            target, offer=OFFER, from_="<sip:200@example>", to="<sip:100@example>", on_event=events.put_nowait
        )
        return session, events


@asynccontextmanager
async def phones(*listens: tuple[str, ...]):
    made = [Phone(*listen) for listen in listens]
    try:
        for phone in made:
            await phone.stack.start()
        yield made
    finally:
        for phone in made:
            await phone.stack.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}


def run(main) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await main()

    asyncio.run(bounded())


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_call_over(transport) -> None:
    async def main() -> None:
        async with phones((), ()) as (a, b):
            calling, heard = a.call(transport, b.address(transport))
            called = await b.sessions.get()
            assert called.identity == FromTrunk("carrier")
            called.answer(ANSWER)
            assert await heard.get() == Answered(ANSWER)
            assert await called.heard.get() == Acknowledged(None)
            called.bye()
            assert isinstance(await heard.get(), Ended)
            assert a.stack.counters.retransmissions_sent == 0
            assert (a.stack.sessions, a.stack.dialogs) == (0, 0)
            assert calling.sip_call_id == called.sip_call_id

    run(main)


def test_ipv6() -> None:
    async def main() -> None:
        async with phones(("udp://[::1]:0",), ("udp://[::1]:0",)) as (a, b):
            target = b.address("udp")
            assert str(target).startswith("[::1]:")
            a.call("udp", target)
            answer = asyncio.create_task(read_datagram_to("::1", target))
            assert b"SIP/2.0 401" in await answer

    async def read_datagram_to(host: str, remote: Address) -> bytes:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.bind((host, 0))
            await loop.sock_sendto(sock, options(sock.getsockname()), tuple(remote))
            return await loop.sock_recv(sock, 65535)

    run(main)


def options(source) -> bytes:
    host = f"[{source[0]}]" if ":" in source[0] else source[0]
    lines = [
        "OPTIONS sip:x@example SIP/2.0",
        f"Via: SIP/2.0/UDP {host}:{source[1]};branch=z9hG4bKopt;rport",
        "From: <sip:a@b>;tag=1",
        "To: <sip:x@example>",
        "Call-ID: c",
        "CSeq: 1 OPTIONS",
        "Max-Forwards: 70",
        "Content-Length: 0",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def test_a_port_where_nobody_listens_is_503_at_once() -> None:
    async def main() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
            unused.bind(("127.0.0.1", 0))
            nobody = Address(*unused.getsockname())
        async with phones(()) as (a,):
            for transport in ("udp", "tcp"):
                _, heard = a.call(transport, nobody)
                assert await heard.get() == Rejected(503, "Service Unavailable")
            assert a.stack.sessions == 0

    run(main)


def test_a_name_is_looked_up_and_one_that_does_not_exist_is_503() -> None:
    async def main() -> None:
        async with phones((), ()) as (a, b):
            _, heard = a.call("udp", Address("localhost", b.address("udp").port))
            (await b.sessions.get()).answer(ANSWER)
            assert await heard.get() == Answered(ANSWER)
            _, heard = a.call("udp", Address("no-such-host.invalid", 5060))
            assert await heard.get() == Rejected(503, "Service Unavailable")

    run(main)


def test_a_port_that_is_taken_is_named() -> None:
    async def main() -> None:
        for kind, url in ((socket.SOCK_DGRAM, "udp"), (socket.SOCK_STREAM, "tcp")):
            with socket.socket(socket.AF_INET, kind) as taken:
                taken.bind(("127.0.0.1", 0))
                if url == "tcp":
                    taken.listen()
                port = taken.getsockname()[1]
                phone = Phone("udp://127.0.0.1:0", f"{url}://127.0.0.1:{port}")
                with pytest.raises(ListenError, match=rf"{url}://127\.0\.0\.1:{port}: .*in use"):
                    await phone.stack.start()

    run(main)


@pytest.mark.parametrize(
    "url", ["sctp://127.0.0.1:5061", "udp://example.com:5060", "udp://127.0.0.1", "5060"]
)
def test_an_address_that_is_none(url) -> None:
    async def main() -> None:
        with pytest.raises(ListenError, match="write udp://address:port"):
            await Phone(url).stack.start()

    run(main)


def test_tcp_pings_are_answered_and_a_connection_is_used_both_ways() -> None:
    async def main() -> None:
        async with phones(()) as (a,):
            reader, writer = await asyncio.open_connection(*a.address("tcp"))
            source = writer.get_extra_info("sockname")
            writer.write(b"\r\n\r\n")
            assert await reader.readexactly(2) == b"\r\n"
            writer.write(options(source).replace(b"/UDP", b"/TCP")[:30])
            writer.write(options(source).replace(b"/UDP", b"/TCP")[30:])
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"SIP/2.0 200 OK\r\n")
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            assert await reader.read() == b""  # not SIP: closed
            writer.close()

    run(main)


def test_a_phone_that_registered_by_tcp_is_called_on_its_connection_and_gone_with_it() -> None:
    async def main() -> None:
        async with phones(()) as (a,):
            reader, writer = await asyncio.open_connection(*a.address("tcp"))
            source = writer.get_extra_info("sockname")

            def register(cseq: int, *extra: str) -> bytes:
                text = options(source).decode().replace("OPTIONS", "REGISTER").replace("/UDP", "/TCP")
                text = text.replace("1 REGISTER", f"{cseq} REGISTER").replace(
                    "z9hG4bKopt", f"z9hG4bKreg{cseq}"
                )
                text = text.replace("To: <sip:x@", "To: <sip:alice@")
                lines = ["Contact: <sip:alice@192.0.2.200;transport=tcp>", *extra]
                return text.replace("Max-Forwards", "\r\n".join([*lines, "Max-Forwards"])).encode()

            writer.write(register(1))
            refusal = (await reader.readuntil(b"\r\n\r\n")).decode()
            challenges = [
                line.split(": ", 1)[1]
                for line in refusal.split("\r\n")
                if line.startswith("WWW-Authenticate")
            ]
            proof = authorize(
                challenges, method="REGISTER", uri="sip:x@example", username="alice", password="wonderland"
            )
            changed = asyncio.Event()
            a.stack.registrar.on_change = lambda owner: changed.set()
            writer.write(register(2, f"Authorization: {proof}"))
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"SIP/2.0 200")
            (binding,) = a.stack.registrar.bindings("alice")
            target = InviteTarget(uri=binding.contact_uri, flow=binding.flow, owner="alice")
            heard: asyncio.Queue = asyncio.Queue()
            a.stack.invite(
                target,
                offer=OFFER,
                from_="<sip:1@example>",
                to="<sip:alice@example>",
                on_event=heard.put_nowait,
            )
            invite = await reader.readuntil(b"\r\n\r\n")
            assert invite.startswith(b"INVITE sip:alice@192.0.2.200;transport=tcp SIP/2.0\r\n")
            changed.clear()
            writer.close()
            assert await heard.get() == Rejected(503, "Service Unavailable")
            await changed.wait()
            assert a.stack.registrar.bindings("alice") == []

    run(main)


def test_a_caller_whose_connection_breaks_while_it_rings_is_gone() -> None:
    async def main() -> None:
        async with phones((), ()) as (a, b):
            a.call("tcp", b.address("tcp"))
            called = await b.sessions.get()
            called.ring()
            await a.stack.close()
            ended = await called.heard.get()
            assert isinstance(ended, Ended)
            assert ended.by == "transport"
            assert b.stack.sessions == 0

    run(main)


def test_a_message_that_breaks_something_does_not_break_the_next(caplog) -> None:
    class Broken:
        def __init__(self) -> None:
            self.reached = asyncio.Event()

        def receive(self, data: bytes, flow: Flow) -> None:
            self.reached.set()
            raise RuntimeError("a bug of ours")

    async def main() -> None:
        async with phones((), ()) as (a, b):
            core, b.stack.core = b.stack.core, Broken()
            _, heard = a.call("udp", b.address("udp"))
            await b.stack.core.reached.wait()
            b.stack.core = core
            (await b.sessions.get()).reject(486)  # it came again
            assert (await heard.get()).status == 486
            assert "a bug of ours" in caplog.text

    run(main)


def test_cancel_over_the_wire() -> None:
    async def main() -> None:
        async with phones((), ()) as (a, b):
            calling, heard = a.call("udp", b.address("udp"))
            called = await b.sessions.get()
            called.ring()
            await heard.get()
            calling.cancel()
            assert await heard.get() == Cancelled()
            assert await called.heard.get() == Cancelled()

    run(main)
