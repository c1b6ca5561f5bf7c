"""Encrypted far ends, over a real worker; and what becomes of packets that were not made with the key."""

import asyncio
import logging
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media import Codec, RemoteMedia, SrtpKeys, SrtpSuite
from media.coding import encode_frames
from media.g711 import decode, encode
from media.rtcp import parse
from media.srtp import Protection, SrtpError
from tests.media.phone import FRAME, Packet, Phone, studio
from tests.media.test_engine import bridged, frame, run

OURS, THEIRS = bytes(range(30)), bytes(range(30, 60))


def keys(suite: SrtpSuite = SrtpSuite.SHA1_80, *, ours: bytes = OURS, theirs: bytes = THEIRS) -> SrtpKeys:
    return SrtpKeys(suite, ours, theirs)


def crossed(keys: SrtpKeys) -> SrtpKeys:
    return SrtpKeys(keys.suite, keys.receive, keys.send)


class SecurePhone(Phone):
    def __init__(self, ours: SrtpKeys, **settings: object) -> None:
        super().__init__(**settings)  # type: ignore[arg-type]
        self.keys = ours
        self.protection = Protection(crossed(ours))

    def remote(self, **changes: object):  # type: ignore[no-untyped-def]
        return super().remote(**({"srtp": self.keys} | changes))

    def send(self, payload_type: int, payload: bytes, timestamp: int, marker: bool = False) -> None:
        header = struct.pack(
            "!BBHII", 0x80, payload_type | (0x80 if marker else 0), self.sequence, timestamp, self.ssrc
        )
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.rtp.sendto(self.protection.protect(header + payload), self.to)

    async def hear(self) -> Packet:
        data = await asyncio.get_running_loop().sock_recv(self.rtp, 2048)
        data = self.protection.unprotect(data)
        _, second, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", data)
        return Packet(second > 127, second & 127, sequence, timestamp, ssrc, data[12:])


@pytest.mark.parametrize("suite", SrtpSuite)
def test_two_encrypted_far_ends_with_keys_of_their_own_hear_each_other(suite: SrtpSuite) -> None:
    async def test() -> None:
        async with studio() as media:
            caller = SecurePhone(keys(suite))
            agent = SecurePhone(keys(suite, ours=bytes(30), theirs=b"z" * 30))
            await bridged(media, caller, agent)
            caller.speak(frame(1), frame(2))  # across the wrap of the sequence number, too
            await agent.hear_until(frame(2))
            agent.speak(*[frame(number) for number in range(3, 12)])
            await caller.hear_until(frame(11))

    run(test())


def test_an_encrypted_far_end_and_one_in_the_clear_with_another_codec() -> None:
    async def test() -> None:
        async with studio() as media:
            caller, agent = SecurePhone(keys(), codec=Codec.PCMA), Phone(codec=Codec.PCMU)
            await bridged(media, caller, agent)
            loud = encode_frames(Codec.PCMA, np.full(5 * FRAME, 8000, np.int16))
            caller.speak(*loud)
            await agent.hear_until(encode(Codec.PCMU, decode(Codec.PCMA, loud[0])).tobytes())

    run(test())


def test_packets_that_were_not_made_with_the_key_are_dropped_and_counted() -> None:
    async def test() -> None:
        async with studio() as media:
            caller, agent = SecurePhone(keys()), Phone()
            a, _ = await bridged(media, caller, agent)
            caller.speak(frame(1))
            await agent.hear_until(frame(1))
            for number in range(4):
                header = struct.pack("!BBHII", 0x80, 0, caller.sequence + number, 0, caller.ssrc)
                caller.rtp.sendto(header + frame(7), caller.to)  # in the clear
            replayed = caller.protection.protect(
                struct.pack("!BBHII", 0x80, 0, caller.sequence, caller.timestamp, caller.ssrc) + frame(2)
            )
            caller.rtp.sendto(replayed, caller.to)
            caller.rtp.sendto(replayed, caller.to)
            heard = await agent.hear_until(frame(2))
            assert frame(7) not in {packet.payload for packet in heard}
            stats = await media.engine.release(a)
            assert stats.drops["not made with the SRTP key, or played back"] == 5

    run(test())


def test_a_reinvite_with_the_same_keys_goes_on_and_with_others_begins_anew() -> None:
    async def test() -> None:
        async with studio() as media:
            caller, agent = SecurePhone(keys()), Phone()
            a, _ = await bridged(media, caller, agent)
            caller.speak(*[frame(number) for number in range(1, 10)])  # the sequence number wraps
            await agent.hear_until(frame(9))
            media.engine.set_remote(a, caller.remote())
            await media.settle()
            caller.speak(frame(10))
            await agent.hear_until(frame(10))
            caller.keys = keys(ours=b"n" * 30, theirs=b"m" * 30)
            caller.protection = Protection(crossed(caller.keys))
            media.engine.set_remote(a, caller.remote())
            await media.settle()
            caller.speak(frame(11))
            await agent.hear_until(frame(11))

    run(test())


def test_reports_are_encrypted_too() -> None:
    async def test() -> None:
        async with studio() as media:
            caller = SecurePhone(keys())
            a = (await media.connect(caller)).id
            caller.speak(frame(1))
            await caller.hear()
            await media.engine.release(a)
            packet = await caller.hear_report()
            reports = parse(caller.protection.unprotect_rtcp(packet))
            assert any(report.goodbye for report in reports)

    run(test())


@given(st.binary(max_size=200))
def test_no_octets_break_it(packet: bytes) -> None:
    protection = Protection(keys())
    with pytest.raises(SrtpError):
        protection.unprotect(packet)
    with pytest.raises(SrtpError):
        protection.unprotect_rtcp(packet)


def test_keys_are_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    secret = keys()
    logging.getLogger().warning("%r %s", secret, RemoteMedia("", 0, Codec.PCMU, 0, 0, srtp=secret))
    assert repr(OURS) not in caplog.text
    assert repr(THEIRS) not in caplog.text
