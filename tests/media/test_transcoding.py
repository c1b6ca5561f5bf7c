"""Two far ends with different codecs hear each other: a real worker, real packets on loopback."""

import asyncio
import dataclasses
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from media import Codec, Dtmf, Edge, FileSource, KeyToSignal
from media.coding import DECODERS, encode_frames
from media.dtmf import KEYS, parse_event
from media.g711 import LAWS, Samples, decode
from media.inband import InbandDetector
from media.keytones import key_tones
from media.wav import map_channels, write_wav
from tests.media.phone import FRAME, Phone, Studio, studio
from tests.media.test_engine import bridged, run

FRAMES = 40


def tone(hz: float, frames: int = FRAMES) -> Samples:
    return (9000 * np.sin(2 * np.pi * hz * np.arange(frames * FRAME) / 8000)).astype(np.int16)


class Ear:
    """What a phone hears, decoded."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        self._decoder = None if phone.codec in LAWS else DECODERS[phone.codec]()

    async def hear(self) -> Samples:
        while (packet := await self.phone.hear()).payload_type != self.phone.codec.value:
            pass
        if self._decoder is None:
            return decode(self.phone.codec, packet.payload)
        return self._decoder.decode(packet.payload)

    async def until_heard(self, hz: float) -> None:
        """Until nearly all that is heard is of this frequency."""
        heard = np.zeros(4 * FRAME)
        while not loudest(heard)[1] > 0.9 or abs(loudest(heard)[0] - hz) > 15:
            heard = np.concatenate((heard[-3 * FRAME :], await self.hear()))


def loudest(samples: Samples) -> tuple[float, float]:
    """The frequency that has most of the power, and how much of it."""
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    if power.sum() < 1e6:
        return 0.0, 0.0
    at = int(power.argmax())
    return at * 8000 / len(samples), float(power[max(0, at - 2) : at + 3].sum() / power.sum())


async def speak(phone: Phone, frames: list[bytes]) -> None:
    """As a phone does: a packet every 20 ms."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    for number, frame in enumerate(frames):
        await asyncio.sleep(begin + number * 0.02 - loop.time())
        phone.speak(frame)


PAIRS = [pair for pair in itertools.combinations(Codec, 2) if pair != (Codec.PCMU, Codec.PCMA)]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_each_hears_the_other_in_its_own_codec_and_both_are_recorded(one, other, tmp_path: Path) -> None:
    async def test() -> None:
        async with studio() as media:
            caller, agent = Phone(codec=one), Phone(codec=other)
            a, b = await bridged(media, caller, agent)
            recording = media.engine.start_recording(tmp_path / "call.wav", left=a, right=b)
            talk = asyncio.gather(
                speak(caller, encode_frames(one, tone(440))), speak(agent, encode_frames(other, tone(1000)))
            )
            await asyncio.gather(Ear(caller).until_heard(1000), Ear(agent).until_heard(440), talk)
            await media.engine.stop_recording(recording)
            _, samples = map_channels(tmp_path / "call.wav")
            for side, hz in ((0, 440), (1, 1000)):
                voice = samples[:, side][np.flatnonzero(np.abs(samples[:, side]) > 3000)[0] :][: 20 * FRAME]
                assert loudest(voice)[0] == pytest.approx(hz, abs=15)

    run(test())


@pytest.mark.parametrize("codec", [Codec.G722, Codec.OPUS])
def test_two_who_speak_the_same_are_relayed_unchanged_and_recorded(codec: Codec, tmp_path: Path) -> None:
    async def test() -> None:
        async with studio() as media:
            caller, agent = Phone(codec=codec), Phone(codec=codec)
            a, b = await bridged(media, caller, agent)
            recording = media.engine.start_recording(tmp_path / "call.wav", left=a, right=b)
            frames = encode_frames(codec, tone(700))
            talking = asyncio.ensure_future(speak(caller, frames))
            packets = await agent.hear_until(frames[-1])
            relayed = [packet for packet in packets if packet.payload in frames]
            assert [packet.payload for packet in relayed[-20:]] == frames[-20:]
            steps = {
                (after.timestamp - before.timestamp) & 0xFFFFFFFF
                for before, after in itertools.pairwise(relayed[-20:])
            }
            assert steps == {codec.clock_rate_hz // 50}
            await talking
            await Ear(caller).hear()
            await media.engine.stop_recording(recording)
            _, samples = map_channels(tmp_path / "call.wav")
            voice = samples[:, 0][np.flatnonzero(np.abs(samples[:, 0]) > 3000)[0] :][: 20 * FRAME]
            assert loudest(voice)[0] == pytest.approx(700, abs=15)

    run(test())


@pytest.mark.parametrize("codec", [Codec.G722, Codec.OPUS])
def test_a_file_is_played_in_the_far_ends_codec(codec: Codec, tmp_path: Path) -> None:
    async def test() -> None:
        write_wav(tmp_path / "prompt.wav", tone(600, 60))
        async with studio() as media:
            phone = Phone(codec=codec)
            endpoint = await media.connect(phone)
            media.engine.play(endpoint.id, FileSource(tmp_path / "prompt.wav"))
            await Ear(phone).until_heard(600)

    run(test())


def test_a_codec_may_change_in_mid_call_and_the_recording_goes_on(tmp_path: Path) -> None:
    async def test() -> None:
        async with studio() as media:
            caller, agent = Phone(codec=Codec.PCMU), Phone(codec=Codec.PCMU)
            a, b = await bridged(media, caller, agent)
            recording = media.engine.start_recording(tmp_path / "call.wav", left=a, right=b)
            await asyncio.gather(
                speak(caller, encode_frames(Codec.PCMU, tone(440, 20))), Ear(agent).until_heard(440)
            )
            caller.codec = Codec.OPUS
            media.engine.set_remote(a, caller.remote())
            await media.settle()
            await asyncio.gather(
                speak(caller, encode_frames(Codec.OPUS, tone(900))),
                speak(agent, encode_frames(Codec.PCMU, tone(1200))),
                Ear(agent).until_heard(900),
                Ear(caller).until_heard(1200),
            )
            await media.engine.stop_recording(recording)
            _, samples = map_channels(tmp_path / "call.wav")
            frames = samples[: len(samples) // 800 * 800, 0].reshape(-1, 800)
            heard = {round(loudest(frame)[0], -1) for frame in frames if loudest(frame)[1] > 0.9}
            assert {440.0, 900.0} <= heard

    run(test())


@pytest.mark.parametrize("ptime_ms", [10, 30, 40, 60])
def test_packets_are_as_long_as_the_far_end_wants_them(ptime_ms: int) -> None:
    async def test() -> None:
        async with studio() as media:
            phone = Phone()
            await media.connect(phone, ptime_ms=ptime_ms)
            packets = [await phone.hear() for _ in range(6)]
            assert {len(packet.payload) for packet in packets} == {ptime_ms * 8}
            for before, after in itertools.pairwise(packets):
                assert (after.sequence - before.sequence) & 0xFFFF == 1
                assert (after.timestamp - before.timestamp) & 0xFFFFFFFF == ptime_ms * 8

    run(test())


@pytest.mark.parametrize("ptime_ms", [10, 30, 40, 60])
def test_packets_of_any_length_are_taken(ptime_ms: int) -> None:
    async def test() -> None:
        async with studio() as media:
            caller, agent = Phone(codec=Codec.PCMU), Phone(codec=Codec.PCMA)
            await bridged(media, caller, agent)
            octets = b"".join(encode_frames(Codec.PCMU, tone(440, 60)))
            size = ptime_ms * 8

            async def talk() -> None:
                loop = asyncio.get_running_loop()
                begin = loop.time()
                for number in range(len(octets) // size):
                    await asyncio.sleep(begin + number * ptime_ms / 1000 - loop.time())
                    caller.send(0, octets[number * size : (number + 1) * size], number * size)

            await asyncio.gather(talk(), Ear(agent).until_heard(440))

    run(test())


async def pressed(media: Studio, phone: Phone, key: str) -> None:
    """The phone presses a key in the way it knows: events, or tones."""
    if phone.telephone_event is None:
        tones = key_tones(key, duration_ms=200)
        tones = np.concatenate((tones, np.zeros(-len(tones) % FRAME, np.int16)))
        await speak(phone, encode_frames(phone.codec, tones))
    else:
        phone.press(KEYS.index(key))
    assert (await media.event(Dtmf)).digit == key


async def heard_key(phone: Phone) -> str:
    detector, ear = InbandDetector(), Ear(phone)
    while True:
        if phone.telephone_event is None:
            if keys := detector.feed(await ear.hear()):
                return keys
        else:
            packet = await phone.hear()
            if packet.payload_type == phone.telephone_event:
                return parse_event(packet.payload).key or ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((Codec.PCMU, 101), (Codec.PCMU, 96)),
        ((Codec.PCMU, 101), (Codec.PCMU, None)),
        ((Codec.PCMU, None), (Codec.PCMU, 101)),
        ((Codec.PCMU, 101), (Codec.PCMA, 101)),
        ((Codec.PCMU, 101), (Codec.OPUS, 96)),
        ((Codec.OPUS, 96), (Codec.PCMA, None)),
        ((Codec.G722, None), (Codec.OPUS, 96)),
        ((Codec.PCMA, None), (Codec.PCMU, None)),
    ],
)
def test_keys_reach_the_other_side_whatever_either_takes(one: Any, other: Any) -> None:
    async def test() -> None:
        async with studio() as media:
            phones = [Phone(codec=codec, telephone_event=event) for codec, event in (one, other)]
            await bridged(media, *phones)
            for speaker, listener in (phones, phones[::-1]):
                quiet = encode_frames(speaker.codec, np.zeros(5 * FRAME, np.int16))
                await speak(speaker, quiet)  # they are latched to, and in their place
                for key in "5#":
                    key_heard, _ = await asyncio.gather(heard_key(listener), pressed(media, speaker, key))
                    assert key_heard == key
                    await until_released(listener)

    run(test())


@pytest.mark.parametrize("listener_takes", [101, None, "signalling"])
@pytest.mark.parametrize("codec", [Codec.PCMU, Codec.PCMA])
def test_a_key_that_was_signalled_reaches_the_other_side_in_its_own_way(
    codec: Codec, listener_takes: Any
) -> None:
    async def test() -> None:
        async with studio() as media:
            by_signalling = listener_takes == "signalling"
            speaker = Phone(telephone_event=None)
            listener = Phone(codec=codec, telephone_event=None if by_signalling else listener_takes)
            endpoints = [
                await media.connect(phone, keys_by_signalling=by_signalling) for phone in (speaker, listener)
            ]
            one, two = (endpoint.id for endpoint in endpoints)
            media.engine.set_edges(one, [Edge(two, one)])
            media.engine.set_edges(two, [Edge(one, two)])
            await media.settle()
            for phone in (speaker, listener):
                await speak(phone, encode_frames(phone.codec, np.zeros(5 * FRAME, np.int16)))
            media.engine.key_signalled(one, "7")
            assert await media.event(Dtmf) == Dtmf(one, "7")
            if by_signalling:
                assert (await media.event(KeyToSignal)) == KeyToSignal(two, "7", 160)
            else:
                assert await heard_key(listener) == "7"

    run(test())


@pytest.mark.parametrize("event", [101, None])
def test_a_key_in_the_audio_is_signalled_to_whom_takes_keys_so(event: int | None) -> None:
    async def test() -> None:
        async with studio() as media:
            speaker, listener = Phone(telephone_event=event), Phone(telephone_event=None)
            one, two = (
                (await media.connect(speaker)).id,
                (await media.connect(listener, keys_by_signalling=True)).id,
            )
            media.engine.set_edges(two, [Edge(one, two)])
            await media.settle()
            await speak(speaker, encode_frames(speaker.codec, np.zeros(5 * FRAME, np.int16)))
            await pressed(media, speaker, "9")
            assert await media.event(KeyToSignal) == KeyToSignal(two, "9", 160)

    run(test())


async def until_released(phone: Phone) -> None:
    """Until ten packets in a row are no event and no tone."""
    quiet = 0
    detector = InbandDetector()
    while quiet < 10:
        packet = await phone.hear()
        is_audio = packet.payload_type == phone.codec.value
        sound = (
            decode(phone.codec, packet.payload) if is_audio and phone.codec in LAWS else np.zeros(1, np.int16)
        )
        detector.feed(sound)
        quiet = quiet + 1 if is_audio and np.abs(sound).max() < 2000 else 0


def test_comfort_noise_is_passed_on_or_made_and_sent_where_it_was_agreed() -> None:
    async def test() -> None:
        async with studio() as media:
            caller, agent, other = (Phone() for _ in range(3))
            a = (await media.connect(caller, comfort_noise=True)).id
            b = (await media.connect(agent)).id
            c = (await media.connect(other, comfort_noise=True)).id
            assert {(await caller.hear()).payload_type for _ in range(3)} == {13}  # nobody speaks to it
            for dst in (b, c):
                media.engine.set_edges(dst, [Edge(a, dst)])
            await media.settle()
            caller.speak(*encode_frames(Codec.PCMU, tone(440, 5)))
            caller.send(13, bytes([30]), caller.timestamp)
            while (packet := await other.hear()).payload_type != 13 or packet.payload != bytes([30]):
                pass  # as it came
            levels: list[float] = []
            while len(levels) < 30 or not abs(20 * np.log10(32768 / np.mean(levels[-8:])) - 30) < 2:
                levels.append(float(decode(Codec.PCMU, (await agent.hear()).payload).astype(float).std()) + 1)
            caller.timestamp += 100 * FRAME
            mark = encode_frames(Codec.PCMU, tone(700, 1))[0]
            caller.speak(mark)  # speaks again: is relayed again
            await agent.hear_until(mark)

    run(test())


def test_what_is_no_opus_is_silence_and_not_the_end_of_the_call() -> None:
    async def test() -> None:
        async with studio() as media:
            caller, agent = Phone(codec=Codec.OPUS), Phone(codec=Codec.PCMU)
            await bridged(media, caller, agent)
            frames = encode_frames(Codec.OPUS, tone(440, 60))
            frames[5:10] = [b"\xff", b"\x03", b"", bytes(1400), b"\x7f\xff"]
            await asyncio.gather(speak(caller, frames), Ear(agent).until_heard(440))

    run(test())


def test_a_far_end_that_changes_nothing_keeps_its_decoder() -> None:
    """A re-INVITE that only refreshes must not click."""

    async def test() -> None:
        async with studio() as media:
            caller, agent = Phone(codec=Codec.OPUS), Phone(codec=Codec.PCMU)
            a, _ = await bridged(media, caller, agent)
            talking = asyncio.ensure_future(speak(caller, encode_frames(Codec.OPUS, tone(440, 60))))
            ear = Ear(agent)
            await ear.until_heard(440)
            media.engine.set_remote(a, dataclasses.replace(caller.remote()))
            await ear.until_heard(440)
            await talking

    run(test())
