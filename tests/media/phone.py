"""A telephone of the tests: RTP and RTCP sockets on loopback, and a media engine to talk to."""

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from media import Codec, Endpoint, MediaEvent, RemoteMedia, WorkerEngine

HOST = "127.0.0.1"
PATIENCE_S = 20.0  # how long a test waits for what must come; never how long it takes
FRAME = 160
E = TypeVar("E", bound=MediaEvent)


def port_range() -> tuple[int, int]:
    """A range of this process's own, so that runs side by side do not meet."""
    first = 43000 + os.getpid() % 100 * 100
    return first, first + 99


@dataclass(frozen=True)
class Packet:
    marker: bool
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


class Phone:
    def __init__(self, *, codec: Codec = Codec.PCMU, telephone_event: int | None = 101) -> None:
        self.codec = codec
        self.telephone_event = telephone_event
        self.ssrc = id(self) & 0xFFFFFFFF
        self.sequence = 65530
        self.timestamp = 0xFFFFFF00
        self.rtp, self.rtcp = _pair()
        self.to: tuple[str, int] = (HOST, 9)

    def close(self) -> None:
        self.rtp.close()
        self.rtcp.close()

    def remote(self, **changes: Any) -> RemoteMedia:
        values = {
            "address": HOST,
            "port": self.rtp.getsockname()[1],
            "codec": self.codec,
            "payload_type": self.codec.value,
            "receive_payload_type": self.codec.value,
            "telephone_event": self.telephone_event,
            "receive_telephone_event": self.telephone_event,
        }
        return RemoteMedia(**(values | changes))

    def speak(self, *payloads: bytes) -> None:
        """Send frames, one after the other, at once."""
        for payload in payloads:
            self.send(self.codec.value, payload, self.timestamp)
            self.timestamp = (self.timestamp + self.codec.clock_rate_hz // 50) & 0xFFFFFFFF

    def press(self, key_code: int, *, repeats: int = 3) -> None:
        assert self.telephone_event is not None
        for packet in range(repeats):
            end = 0x80 if packet else 0
            self.send(
                self.telephone_event, struct.pack("!BBH", key_code, end | 10, 800), self.timestamp, not packet
            )
        self.timestamp = (self.timestamp + 800) & 0xFFFFFFFF

    def send(self, payload_type: int, payload: bytes, timestamp: int, marker: bool = False) -> None:
        second = payload_type | (0x80 if marker else 0)
        header = struct.pack("!BBHII", 0x80, second, self.sequence, timestamp, self.ssrc)
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.rtp.sendto(header + payload, self.to)

    async def hear(self) -> Packet:
        data = await _receive(self.rtp)
        first, second, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", data)
        assert first == 0x80
        return Packet(second > 127, second & 127, sequence, timestamp, ssrc, data[12:])

    async def hear_until(self, payload: bytes) -> list[Packet]:
        """Everything up to the first packet with this payload, that one included."""
        packets = [await self.hear()]
        while packets[-1].payload != payload:
            packets.append(await self.hear())
        return packets

    async def hear_report(self) -> bytes:
        return await _receive(self.rtcp)


async def _receive(sock: socket.socket) -> bytes:
    async with asyncio.timeout(PATIENCE_S):
        return await asyncio.get_running_loop().sock_recv(sock, 2048)


def _pair() -> tuple[socket.socket, socket.socket]:
    """Two sockets on neighbouring ports."""
    while True:
        rtp, rtcp = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) for _ in "ab")
        rtp.bind((HOST, 0))
        try:
            rtcp.bind((HOST, rtp.getsockname()[1] + 1))
        except (OSError, OverflowError):
            rtp.close()
            rtcp.close()
        else:
            return rtp, rtcp


class Studio:
    """An engine, its events, and phones that are connected to it."""

    def __init__(self, **settings: Any) -> None:
        self.engine = WorkerEngine(address=HOST, **({"port_range": port_range()} | settings))
        self.engine.on_event = self._on_event
        self.events: list[MediaEvent] = []
        self._arrived = asyncio.Event()
        self._phones: list[Phone] = []

    def _on_event(self, event: MediaEvent) -> None:
        self.events.append(event)
        self._arrived.set()

    async def event(self, kind: type[E]) -> E:
        """The first event of this kind, taken out of ``events``; waits for it."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for event in self.events:
                    if isinstance(event, kind):
                        self.events.remove(event)
                        return event
                self._arrived.clear()
                await self._arrived.wait()

    async def connect(self, phone: Phone, **changes: Any) -> Endpoint:
        """An endpoint that speaks to ``phone``."""
        self._phones.append(phone)
        endpoint = await self.engine.allocate()
        phone.to = (HOST, endpoint.port)
        self.engine.set_remote(endpoint.id, phone.remote(**changes))
        await self.settle()
        return endpoint

    async def settle(self) -> None:
        """Return when every command before has been carried out."""
        await self.engine.release((await self.engine.allocate()).id)

    async def close(self) -> None:
        await self.engine.close()
        for phone in self._phones:
            phone.close()


@asynccontextmanager
async def studio(**settings: Any) -> AsyncIterator[Studio]:
    one = Studio(**settings)
    await one.engine.start()
    try:
        yield one
    finally:
        await one.close()
