"""TLS, WebSockets, keep-alives and large requests over real loopback sockets."""

import asyncio
import contextlib
import ssl
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_network

import pytest
import websockets
from websockets.asyncio.client import connect

from sip import (
    Account,
    Address,
    Answered,
    Ended,
    Flow,
    InviteTarget,
    KeyPair,
    Limits,
    ListenError,
    Rejected,
    Stack,
    StackConfig,
    Timers,
    Tls,
    Trunk,
)
from sip.stun import MAGIC_COOKIE
from tests.sip.password import authorize
from tests.sip.test_stack import options, run
from tests.sip.wire import ANSWER, OFFER
from tests.support.certificates import Authority

LOOPBACK = Trunk(name="carrier", allow_from=(ip_network("127.0.0.0/8"), ip_network("::1/128")))


class Phone:
    def __init__(self, *listen: str, trunks=(LOOPBACK,), **settings) -> None:
        self.sessions: asyncio.Queue = asyncio.Queue()
        self.config = StackConfig(
            listen=listen,
            realm="example",
            nonce_secret=b"secret of these tests, 32 bytes.",
            accounts={"alice": Account("alice", "wonderland")},
            trunks=trunks,
            timers=Timers(t1_s=0.1),
            **settings,
        )
        self.stack = Stack(self.config, self)

    def invite_received(self, session) -> None:
        session.heard = asyncio.Queue()
        session.on_event = session.heard.put_nowait
        self.sessions.put_nowait(session)

    def address(self, transport: str) -> Address:
        url = next(url for url in self.stack.listening if url.startswith(f"{transport}://"))
        host, _, port = url.removeprefix(f"{transport}://").rpartition(":")
        return Address(host.strip("[]"), int(port))

    def call(self, flow: Flow, offer: bytes = OFFER):
        events: asyncio.Queue = asyncio.Queue()
        target = InviteTarget(uri=f"sip:100@{flow.remote};transport={flow.transport}", flow=flow)
        session = self.stack.invite(
            target, offer=offer, from_="<sip:200@example>", to="<sip:100@example>", on_event=events.put_nowait
        )
        return session, events


@asynccontextmanager
async def started(*phones: Phone):
    try:
        for phone in phones:
            await phone.stack.start()
        yield
    finally:
        for phone in phones:
            await phone.stack.close()


@pytest.fixture(scope="module")
def authority():
    return Authority("authority")


@pytest.fixture
def files(tmp_path, authority):
    """Makes a Tls whose certificate is for these names."""
    (tmp_path / "ca.pem").write_bytes(authority.pem)

    def make(*names: str, **settings) -> Tls:
        pair = pair_for(tmp_path, authority, *names)
        return Tls(own=pair, authorities=tmp_path / "ca.pem", **settings)

    return make


def pair_for(folder, authority, *names: str) -> KeyPair:
    pair = KeyPair(folder / f"{names[0]}.pem", folder / f"{names[0]}.key")
    authority.issue(*names).write(pair.certificate, pair.key)
    return pair


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_a_call_over_tls(files, host) -> None:
    async def main() -> None:
        tls = files("localhost", "127.0.0.1", "::1")
        a, b = (Phone(f"tls://{host}:0", tls=tls) for _ in range(2))
        async with started(a, b):
            _, heard = a.call(Flow("tls", b.address("tls")))
            called = await b.sessions.get()
            assert called.request.via.transport == "TLS"
            assert ";transport=tls>" in called.request.headers.get("Contact")
            called.answer(ANSWER)
            assert await heard.get() == Answered(ANSWER)
            called.bye()  # by the connection that stands
            assert isinstance(await heard.get(), Ended)
            assert len(b.stack._connections) == 1

    run(main)


def test_a_carrier_that_is_somebody_else_gets_no_call(files) -> None:
    async def main() -> None:
        a, b = (Phone("tls://127.0.0.1:0", tls=files("sip.carrier.example")) for _ in range(2))
        async with started(a, b):
            right = Flow("tls", b.address("tls"), server_name="sip.carrier.example")
            wrong = replace(right, server_name="sip.other.example")
            _, heard = a.call(wrong)
            assert await heard.get() == Rejected(503, "Service Unavailable")
            _, heard = a.call(right)
            (await b.sessions.get()).answer(ANSWER)
            assert await heard.get() == Answered(ANSWER)

    run(main)


async def shown_to(address: Address, name: str, tls: Tls) -> bytes:
    """The certificate that a client sees who asks for ``name``."""
    context = ssl.create_default_context(cafile=tls.authorities)
    context.check_hostname = False
    _, writer = await asyncio.open_connection(*address, ssl=context, server_hostname=name)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await writer.wait_closed()
    return shown


def test_a_renewed_certificate_is_shown_and_names_choose(files, tmp_path, authority) -> None:
    async def main() -> None:
        other = pair_for(tmp_path, authority, "other.example")
        tls = files("localhost", names={"other.example": other})
        phone = Phone("tls://127.0.0.1:0", tls=tls)
        async with started(phone):
            address = phone.address("tls")
            first, second = (
                await shown_to(address, "localhost", tls),
                await shown_to(address, "other.example", tls),
            )
            assert first != second
            pair_for(tmp_path, authority, "localhost")
            assert await shown_to(address, "localhost", tls) == first, "only when told"
            phone.stack.reconfigure(phone.config)
            assert await shown_to(address, "localhost", tls) not in (first, second)
            tls.own.key.write_text("broken")
            phone.stack.reconfigure(phone.config)
            assert await shown_to(address, "other.example", tls) == second, "a bad file changes nothing"

    run(main)


def test_clients_without_a_certificate_are_not_heard_where_that_is_asked(files) -> None:
    async def main() -> None:
        tls = files("127.0.0.1", verify_clients=True)
        b = Phone("tls://127.0.0.1:0", tls=tls)
        known = Phone("tls://127.0.0.1:0", tls=tls)
        stranger = Phone("udp://127.0.0.1:0", tls=None)
        async with started(b, known, stranger):
            _, heard = known.call(Flow("tls", b.address("tls")))
            (await b.sessions.get()).answer(ANSWER)
            assert await heard.get() == Answered(ANSWER)
            context = ssl.create_default_context(cafile=tls.authorities)

            async def ask() -> None:
                reader, writer = await asyncio.open_connection(*b.address("tls"), ssl=context)
                try:
                    writer.write(options(writer.get_extra_info("sockname")))
                    await reader.readexactly(1)
                finally:
                    writer.transport.abort()

            with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
                await ask()

    run(main)


def test_files_that_are_no_certificate_are_named(files, tmp_path) -> None:
    async def main() -> None:
        tls = files("localhost")
        tls.own.key.write_text("no key")
        with pytest.raises(ListenError, match=r"localhost\.pem and .*localhost\.key are no certificate"):
            await Phone("tls://127.0.0.1:0", tls=tls).stack.start()
        tls.own.key.unlink()
        with pytest.raises(ListenError, match=r"there is no file .*localhost\.key"):
            await Phone("tls://127.0.0.1:0", tls=tls).stack.start()
        with pytest.raises(ListenError, match="without a certificate"):
            await Phone("wss://127.0.0.1:0").stack.start()

    run(main)


def browser_request(method: str, cseq: int, *extra: str) -> str:
    lines = [
        f"{method} sip:example SIP/2.0",
        f"Via: SIP/2.0/WSS a1b2c3.invalid;branch=z9hG4bKws{cseq}",
        "From: <sip:alice@example>;tag=1",
        "To: <sip:alice@example>",
        "Call-ID: browser",
        f"CSeq: {cseq} {method}",
        "Max-Forwards: 70",
        'Contact: <sip:alice@a1b2c3.invalid;transport=ws>;reg-id=1;+sip.instance="<urn:uuid:1>"',
        "Supported: path, outbound",
        *extra,
        "Content-Length: 0",
    ]
    return "\r\n".join(lines) + "\r\n\r\n"


@pytest.mark.parametrize("transport", ["ws", "wss"])
def test_a_browser_registers_by_websocket_and_is_called_on_it(files, transport) -> None:
    async def main() -> None:
        tls = files("127.0.0.1")
        phone = Phone(f"{transport}://127.0.0.1:0", tls=tls, trunks=())
        async with started(phone):
            context = ssl.create_default_context(cafile=tls.authorities) if transport == "wss" else None
            url = f"{transport}://{phone.address(transport)}"
            async with connect(url, subprotocols=["sip"], ssl=context) as browser:
                assert browser.subprotocol == "sip"
                await browser.send(browser_request("REGISTER", 1))
                refusal = await browser.recv()
                assert isinstance(refusal, str)
                challenges = [h.split(": ", 1)[1] for h in refusal.split("\r\n") if h.startswith("WWW-Auth")]
                proof = authorize(
                    challenges, method="REGISTER", uri="sip:example", username="alice", password="wonderland"
                )
                await browser.send(browser_request("REGISTER", 2, f"Authorization: {proof}").encode())
                answer = await browser.recv()
                assert isinstance(answer, bytes), "as it was spoken to"
                assert b"Require: outbound\r\nFlow-Timer: 120" in answer
                (binding,) = phone.stack.registrar.targets("alice")
                assert binding.reg_id == "1"
                phone.stack.invite(
                    InviteTarget(uri=binding.contact_uri, flow=binding.flow, owner="alice"),
                    offer=OFFER, from_="<sip:200@example>", to="<sip:alice@example>", on_event=lambda event: None,
                )  # fmt: skip
                invite = (await browser.recv()).decode()
                assert f"Via: SIP/2.0/{transport.upper()} 127.0.0.1:" in invite
                gone = asyncio.Event()
                phone.stack.registrar.on_change = lambda owner: gone.set()
            await gone.wait()
            assert phone.stack.registrar.targets("alice") == []

    run(main)


def test_a_websocket_that_speaks_no_sip_is_not_opened() -> None:
    async def main() -> None:
        phone = Phone("ws://127.0.0.1:0")
        async with started(phone):
            url = f"ws://{phone.address('ws')}"
            with pytest.raises(websockets.InvalidHandshake):
                async with connect(url, subprotocols=["chat"]):
                    pass
            reader, writer = await asyncio.open_connection(*phone.address("ws"))
            writer.write(b"no http at all\r\n\r\n")
            await reader.read()
            writer.close()

    run(main)


def test_stun_is_answered_on_the_sip_socket() -> None:
    class Asker(asyncio.DatagramProtocol):
        def __init__(self) -> None:
            self.answer = asyncio.get_running_loop().create_future()

        def datagram_received(self, data, addr) -> None:
            self.answer.set_result(data)

    async def main() -> None:
        phone = Phone("udp://127.0.0.1:0")
        async with started(phone):
            transport, asker = await asyncio.get_running_loop().create_datagram_endpoint(
                Asker, remote_addr=tuple(phone.address("udp"))
            )
            transport.sendto(bytes.fromhex("00010000") + MAGIC_COOKIE.to_bytes(4) + b"123456789012")
            answer = await asker.answer
            assert answer[:2] == b"\x01\x01"
            port = int.from_bytes(answer[26:28]) ^ (MAGIC_COOKIE >> 16)
            assert port == transport.get_extra_info("sockname")[1]
            transport.close()

    run(main)


LARGE = OFFER + b"a=x-long:" + b"x" * 1400 + b"\r\n"


def test_a_request_too_large_for_a_datagram_goes_by_tcp() -> None:
    async def main() -> None:
        a = Phone("udp://127.0.0.1:0", "tcp://127.0.0.1:0")
        b = Phone("udp://127.0.0.1:0")
        async with started(b):
            c = Phone("udp://127.0.0.1:0", f"tcp://127.0.0.1:{b.address('udp').port}")
            async with started(a, c):
                target = Flow("udp", b.address("udp"))  # where c listens by TCP
                _, heard = a.call(target, LARGE)
                called = await c.sessions.get()
                assert called.request.via.transport == "TCP"
                called.answer(ANSWER)
                assert await heard.get() == Answered(ANSWER)

    run(main)


def test_where_tcp_is_refused_it_goes_by_udp_after_all() -> None:
    async def main() -> None:
        a, b = Phone("udp://127.0.0.1:0", "tcp://127.0.0.1:0"), Phone("udp://127.0.0.1:0")
        async with started(a, b):
            session, heard = a.call(Flow("udp", b.address("udp")), LARGE)
            called = await b.sessions.get()
            assert called.request.via.transport == "UDP"
            called.answer(ANSWER)
            assert await heard.get() == Answered(ANSWER)
            session.bye()
            assert isinstance(await called.heard.get(), object)

    run(main)


def test_strangers_who_say_nothing_are_cut_off_and_others_are_not() -> None:
    async def main() -> None:
        limits = Limits(stranger_idle_s=0.2)
        guarded = Phone("tcp://127.0.0.1:0", trunks=(), limits=limits)
        open_house = Phone("tcp://127.0.0.1:0", limits=limits)
        async with started(guarded, open_house):
            silent, writer = await asyncio.open_connection(*guarded.address("tcp"))
            writer.write(b"OPTIONS sip:x SIP/2.0\r\nVia: half a message")
            kept, kept_writer = await asyncio.open_connection(*open_house.address("tcp"))
            assert await silent.read() == b""
            kept_writer.write(b"\r\n\r\n")
            assert await kept.readexactly(2) == b"\r\n", "the trunk's connection stands"
            assert len(guarded.stack._connections) == 0
            writer.close()
            kept_writer.close()

    run(main)


@pytest.mark.parametrize("transport", ["tcp", "tls", "ws", "wss"])
def test_a_stranger_has_so_many_connections_and_no_more_half_open_ones_included(files, transport) -> None:
    async def main() -> None:
        limits = Limits(max_connections_per_stranger=3)
        guarded = Phone(f"{transport}://127.0.0.1:0", trunks=(), limits=limits, tls=files("127.0.0.1"))
        async with started(guarded):
            opened = [await asyncio.open_connection(*guarded.address(transport)) for _ in range(8)]
            closed = [asyncio.create_task(reader.read()) for reader, _ in opened]
            async with asyncio.timeout(20):
                for _, ended in zip(range(5), asyncio.as_completed(closed), strict=False):
                    with contextlib.suppress(ConnectionError):
                        assert await ended == b""
            assert len(guarded.stack._connections) == 3
            for _, writer in opened:
                writer.close()
            await asyncio.gather(*closed, return_exceptions=True)
            async with asyncio.timeout(20):
                while len(guarded.stack._connections):
                    await asyncio.sleep(0)

    run(main)


def test_a_trunk_may_have_its_calls_on_the_connection_that_it_opened() -> None:
    async def main() -> None:
        phone = Phone("tcp://127.0.0.1:0")
        async with started(phone):
            reader, writer = await asyncio.open_connection(*phone.address("tcp"))
            text = options(("127.0.0.1", 5999)).replace(b"/UDP", b"/TCP").replace(b";rport", b";alias")
            writer.write(text)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"SIP/2.0 200")
            phone.call(Flow("tcp", Address("127.0.0.1", 5999)))
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"INVITE sip:100@127.0.0.1:5999")
            writer.close()

    run(main)


def test_local_networks_are_told_from_the_world() -> None:
    async def main() -> None:
        behind = Phone("udp://127.0.0.1:0", external_address="203.0.113.7")
        listed = Phone(
            "udp://127.0.0.1:0",
            external_address="203.0.113.7",
            local_networks=(ip_network("198.51.100.0/24"),),
        )
        async with started(behind, listed):

            def seen(phone: Phone, host: str) -> str:
                return phone.stack.local(Flow("udp", Address(host, 5060))).host

            assert (seen(behind, "10.1.2.3"), seen(behind, "8.8.8.8")) == ("127.0.0.1", "203.0.113.7")
            assert (seen(listed, "10.1.2.3"), seen(listed, "198.51.100.9")) == ("203.0.113.7", "127.0.0.1")

    run(main)
