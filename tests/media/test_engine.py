"""The engine as the application uses it: a real worker, real packets on loopback."""

import asyncio
import dataclasses
import itertools
import wave
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from media import (
    Codec,
    Dtmf,
    Edge,
    FileSource,
    Latched,
    MediaUnavailable,
    PlayEnded,
    RecordingFailed,
    RtpTimeout,
    Tone,
)
from media.dtmf import parse_event
from media.g711 import decode, encode
from media.inband import InbandDetector
from media.keytones import key_tones
from media.rtcp import Report, ReportBlock, build, ntp_time, parse
from media.wav import write_wav
from tests.media.phone import FRAME, Packet, Phone, Studio, studio


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 60))


def frame(value: int) -> bytes:
    return bytes([value]) * FRAME


def assert_one_stream(packets: list[Packet]) -> None:
    steps = [
        ((b.sequence - a.sequence) & 0xFFFF, (b.timestamp - a.timestamp) & 0xFFFFFFFF)
        for a, b in itertools.pairwise(packets)
    ]
    assert len({packet.ssrc for packet in packets}) == 1
    assert all(sequence == 1 and FRAME <= timestamp < 1 << 31 for sequence, timestamp in steps), steps


async def bridged(media: Studio, one: Phone, two: Phone) -> tuple[int, int]:
    a, b = await media.connect(one), await media.connect(two)
    media.engine.set_edges(a.id, [Edge(b.id, a.id)])
    media.engine.set_edges(b.id, [Edge(a.id, b.id)])
    await media.settle()
    return a.id, b.id


def test_a_file_is_played_to_its_end(tmp_path: Path) -> None:
    async def test() -> None:
        levels = [1000, 2000, 3000, 4000, 5000]
        path = tmp_path / "prompt.wav"
        write_wav(path, np.repeat(np.array(levels, np.int16), FRAME))
        async with studio() as media:
            phone = Phone()
            endpoint = await media.connect(phone)
            playback = media.engine.play(endpoint.id, FileSource(path))
            wanted = [encode(Codec.PCMU, np.full(FRAME, level, np.int16)).tobytes() for level in levels]
            packets = await phone.hear_until(wanted[-1])
            assert [packet.payload for packet in packets[-5:]] == wanted
            assert_one_stream(packets)
            assert await media.event(PlayEnded) == PlayEnded(endpoint.id, playback)

    run(test())


def test_a_file_that_is_not_there_ends_with_its_problem(tmp_path: Path) -> None:
    async def test() -> None:
        async with studio() as media:
            endpoint = await media.connect(Phone())
            media.engine.play(endpoint.id, FileSource(tmp_path / "none.wav"))
            ended = await media.event(PlayEnded)
            assert "none.wav" in ended.problem

    run(test())


def test_a_tone_loops_until_it_is_stopped_and_no_end_is_told() -> None:
    async def test() -> None:
        async with studio() as media:
            phone = Phone()
            endpoint = await media.connect(phone)
            silence = (await phone.hear()).payload
            media.engine.play(endpoint.id, Tone.MUSIC, loop=True)
            while (await phone.hear()).payload == silence:
                pass
            media.engine.stop_playing(endpoint.id)
            await phone.hear_until(silence)
            await media.settle()
            assert media.events == []

    run(test())


def test_a_second_playback_replaces_the_first() -> None:
    async def test() -> None:
        async with studio() as media:
            endpoint = await media.connect(Phone())
            media.engine.play(endpoint.id, Tone.MUSIC, loop=True)
            second = media.engine.play(endpoint.id, Tone.BEEP)
            assert (await media.event(PlayEnded)).playback == second
            assert media.events == []

    run(test())


def test_two_who_speak_one_codec_are_relayed_unchanged_in_one_stream_with_the_prompt_before() -> None:
    async def test() -> None:
        async with studio() as media:
            caller, agent = Phone(), Phone()
            a = await media.connect(caller)
            b = await media.connect(agent)
            media.engine.play(a.id, Tone.BEEP)
            await media.event(PlayEnded)
            media.engine.set_edges(a.id, [Edge(b.id, a.id)])
            await media.settle()
            spoken = [frame(value) for value in range(1, 20)]
            agent.speak(*spoken)
            packets = await caller.hear_until(spoken[-1])
            assert [packet.payload for packet in packets[-19:]] == spoken
            assert_one_stream(packets)
            assert packets[-19].marker

    run(test())


def test_a_key_is_told_once_and_relayed_with_the_other_sides_payload_type() -> None:
    async def test() -> None:
        async with studio() as media:
            caller, agent = Phone(telephone_event=96), Phone(telephone_event=101)
            a, _b = await bridged(media, caller, agent)
            caller.speak(frame(1))
            caller.press(5)
            caller.press(11, repeats=1)
            caller.speak(frame(2))
            assert await media.event(Dtmf) == Dtmf(a, "5")
            assert await media.event(Dtmf) == Dtmf(a, "#")
            packets = await agent.hear_until(frame(2))
            events = [packet for packet in packets if packet.payload_type == 101]
            assert [parse_event(packet.payload).key for packet in events] == ["5"] * 3 + ["#"]
            assert len({packet.timestamp for packet in events}) == 2
            assert [p.sequence - events[0].sequence for p in events] in ([0, 1, 2, 3], [0, 1, 2, 3 - 65536])
            await media.settle()
            assert media.events == []

    run(test())


def test_keys_reach_whom_takes_no_events_as_tones_once_and_in_one_stream() -> None:
    async def test() -> None:
        async with studio() as media:
            caller, agent = Phone(), Phone(telephone_event=None)
            await bridged(media, caller, agent)
            caller.speak(frame(1))
            packets = await agent.hear_until(frame(1))
            caller.press(5)
            detector = InbandDetector()
            while not (keys := detector.feed(decode(Codec.PCMU, packets[-1].payload))):
                packets.append(await agent.hear())
            assert keys == "5"
            assert {packet.payload_type for packet in packets} == {0}
            assert_one_stream(packets)

    run(test())


def test_differing_codecs_are_mixed() -> None:
    async def test() -> None:
        async with studio() as media:
            caller, agent = Phone(codec=Codec.PCMU), Phone(codec=Codec.PCMA)
            await bridged(media, caller, agent)
            level = encode(Codec.PCMU, np.full(FRAME, 8000, np.int16)).tobytes()
            caller.speak(*[level] * 5)
            wanted = encode(Codec.PCMA, decode(Codec.PCMU, level)).tobytes()
            packets = await agent.hear_until(wanted)
            assert packets[-1].payload_type == 8
            assert_one_stream(packets)

    run(test())


def test_a_whisper_is_heard_over_the_bridge_by_one_side_only(tmp_path: Path) -> None:
    async def test() -> None:
        write_wav(tmp_path / "whisper.wav", np.full(FRAME * 40, 4000, np.int16))
        async with studio() as media:
            caller, agent = Phone(), Phone()
            _a, b = await bridged(media, caller, agent)
            media.engine.play(b, FileSource(tmp_path / "whisper.wav"))
            voice = encode(Codec.PCMU, np.full(FRAME, 8000, np.int16)).tobytes()
            both = encode(Codec.PCMU, decode(Codec.PCMU, voice) + np.int16(4000)).tobytes()
            caller.speak(voice)
            while (await agent.hear()).payload != both:
                caller.speak(voice)
            await media.event(PlayEnded)
            caller.speak(frame(7))
            await agent.hear_until(frame(7))  # relayed again
            assert (await caller.hear()).payload == frame(0xFF)

    run(test())


def test_a_far_end_behind_nat_is_answered_where_it_sends_from() -> None:
    async def test() -> None:
        async with studio() as media:
            phone, said = Phone(), Phone()
            endpoint = await media.connect(phone, port=said.rtp.getsockname()[1])
            phone.speak(*[frame(1)] * 3)
            assert await media.event(Latched) == Latched(endpoint.id, *phone.rtp.getsockname())
            await phone.hear()
            stats = await media.engine.release(endpoint.id)
            assert (stats.packets_received, stats.drops) == (1, {"wrong source": 2})
            said.close()

    run(test())


def test_a_stranger_is_not_heard_until_a_reinvite_names_him() -> None:
    async def test() -> None:
        async with studio() as media:
            caller, agent, stranger = Phone(), Phone(), Phone()
            a, _b = await bridged(media, caller, agent)
            caller.speak(frame(1))
            await agent.hear_until(frame(1))
            stranger.to = caller.to
            stranger.speak(*[frame(66)] * 10)
            caller.speak(frame(2))
            assert frame(66) not in [packet.payload for packet in await agent.hear_until(frame(2))]
            media.engine.set_remote(a, stranger.remote())
            await media.settle()
            stranger.speak(frame(67), frame(68))
            await agent.hear_until(frame(68))
            stranger.close()

    run(test())


def test_what_is_wrong_with_packets_is_counted_by_reason() -> None:
    async def test() -> None:
        async with studio() as media:
            phone, other = Phone(), Phone()
            endpoint = await media.connect(phone)
            await media.connect(other)
            phone.speak(frame(1))
            phone.rtp.sendto(b"\x80\x00", phone.to)
            phone.rtp.sendto(b"\x40" + bytes(171), phone.to)
            phone.send(3, frame(1), phone.timestamp)
            phone.ssrc += 1
            phone.speak(frame(1))
            phone.speak(frame(2))  # the second in order takes over
            phone.sequence -= 1
            phone.speak(frame(2))
            phone.press(1, repeats=1)
            await media.event(Dtmf)
            stats = await media.engine.release(endpoint.id)
            assert stats.drops == {
                "malformed": 2,
                "wrong payload type": 1,
                "unknown SSRC": 1,
                "duplicate, or far out of sequence": 1,
            }
            assert (stats.packets_dropped, stats.packets_received) == (5, 3)

    run(test())


def test_on_hold_nothing_is_sent_or_heard_and_playbacks_still_end() -> None:
    async def test() -> None:
        async with studio() as media:
            phone = Phone()
            endpoint = await media.connect(phone, send=False, receive=False)
            phone.press(1)
            media.engine.play(endpoint.id, Tone.BEEP)
            await media.event(PlayEnded)
            stats = await media.engine.release(endpoint.id)
            assert (stats.packets_sent, stats.packets_received, media.events) == (0, 0, [])

    run(test())


def test_who_hears_only_somebody_silent_is_sent_silence_until_he_speaks() -> None:
    async def test() -> None:
        async with studio() as media:
            caller, agent = Phone(), Phone()
            await bridged(media, caller, agent)
            silence = frame(0xFF)
            await agent.hear_until(silence)
            caller.speak(frame(1))
            heard = await agent.hear_until(frame(1))
            heard += await agent.hear_until(silence)  # a second or two later
            caller.speak(frame(2))
            heard += await agent.hear_until(frame(2))
            assert_one_stream(heard)

    run(test())


def test_silence_of_the_far_end_is_told_once() -> None:
    async def test() -> None:
        async with studio(rtp_timeout_s=0.2) as media:
            heard, silent = Phone(), Phone()
            endpoint = await media.connect(silent)
            timeout = await media.event(RtpTimeout)
            assert timeout.endpoint == endpoint.id
            assert timeout.silent_s >= 0.2
            await media.connect(heard)
            await media.event(
                RtpTimeout
            )  # of the second, a second later at most: the first is not told again
            assert media.events == []

    run(test())


def test_keys_are_sent_as_events_with_the_audio_giving_way() -> None:
    async def test() -> None:
        async with studio() as media:
            phone = Phone(telephone_event=97)
            endpoint = await media.connect(phone)
            media.engine.send_dtmf(endpoint.id, "4", duration_ms=60)
            media.engine.send_dtmf(endpoint.id, "2", duration_ms=60)
            packets = []
            while sum(parse_event(p.payload).end for p in packets if p.payload_type == 97) < 6:
                packets.append(await phone.hear())
            events = [packet for packet in packets if packet.payload_type == 97]
            assert [parse_event(packet.payload).key for packet in events] == ["4"] * 5 + ["2"] * 5
            assert len({packet.timestamp for packet in events}) == 2
            steps = [(b.sequence - a.sequence) & 0xFFFF for a, b in itertools.pairwise(packets)]
            assert set(steps) == {1}

    run(test())


def test_keys_are_sent_as_sound_where_events_are_not_taken() -> None:
    async def test() -> None:
        async with studio() as media:
            phone = Phone(telephone_event=None)
            endpoint = await media.connect(phone)
            media.engine.send_dtmf(endpoint.id, "47")
            detector, keys = InbandDetector(), ""
            while keys != "47":
                keys += detector.feed(decode(Codec.PCMU, (await phone.hear()).payload))

    run(test())


def test_a_wrong_key_is_refused_before_it_is_sent() -> None:
    async def test() -> None:
        async with studio() as media:
            with pytest.raises(ValueError, match="no DTMF key"):
                media.engine.send_dtmf(1, "1x")
            with pytest.raises(ValueError, match="edges of endpoint 1 end at 3"):
                media.engine.set_edges(1, [Edge(2, 3)])
            with pytest.raises(ValueError, match="recording 9"):
                await media.engine.stop_recording(9)

    run(test())


def test_keys_are_heard_as_sound_from_phones_without_events() -> None:
    async def test() -> None:
        async with studio() as media:
            phone = Phone(telephone_event=None)
            endpoint = await media.connect(phone)
            octets = encode(Codec.PCMU, key_tones("9", duration_ms=100)).tobytes()
            phone.speak(*(octets[at : at + FRAME] for at in range(0, len(octets), FRAME)))
            assert await media.event(Dtmf) == Dtmf(endpoint.id, "9")

    run(test())


def samples_of(path: Path) -> np.ndarray:
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)


def test_a_bridge_is_recorded_with_the_caller_left_and_the_agent_right(tmp_path: Path) -> None:
    async def test() -> None:
        path = tmp_path / "new" / "call.wav"
        async with studio() as media:
            caller, agent = Phone(codec=Codec.PCMU), Phone(codec=Codec.PCMA)
            a, b = await bridged(media, caller, agent)
            recording = media.engine.start_recording(path, left=a, right=None)
            media.engine.set_recording_sides(recording, left=a, right=b)
            await media.settle()
            caller.speak(*[encode(Codec.PCMU, np.full(FRAME, 4000, np.int16)).tobytes()] * 10)
            agent.speak(*[encode(Codec.PCMA, np.full(FRAME, -9000, np.int16)).tobytes()] * 10)
            media.engine.play(a, Tone.BEEP)  # 0.4 s, in which what was said is played out
            await media.event(PlayEnded)
            result = await media.engine.stop_recording(recording)
            samples = samples_of(path)
            assert result.problem == ""
            assert result.duration_s == len(samples) / 8000
            left, right = (samples[:, side][abs(samples[:, side]) > 100] for side in (0, 1))
            # Then nothing more comes, which for 60 ms is taken for loss and made good.
            assert 1600 <= min(len(left), len(right)) <= max(len(left), len(right)) <= 1600 + 480
            np.testing.assert_allclose(left[:1600], 4000, rtol=0.04)
            np.testing.assert_allclose(right[:1600], -9000, rtol=0.04)

    run(test())


def test_what_is_said_while_paused_is_not_kept(tmp_path: Path) -> None:
    async def test() -> None:
        path = tmp_path / "call.wav"
        async with studio() as media:
            phone = Phone()
            endpoint = await media.connect(phone)
            recording = media.engine.start_recording(path, left=endpoint.id, right=None)
            media.engine.pause_recording(recording, True)
            await media.settle()
            phone.speak(*[frame(1)] * 5)
            media.engine.play(endpoint.id, Tone.BEEP)
            await media.event(PlayEnded)
            media.engine.pause_recording(recording, False)
            await media.settle()
            await media.engine.stop_recording(recording)
            assert not samples_of(path).any()

    run(test())


def test_a_recording_outlives_the_endpoints_it_took(tmp_path: Path) -> None:
    async def test() -> None:
        async with studio() as media:
            caller, agent = Phone(), Phone()
            a, b = await bridged(media, caller, agent)
            recording = media.engine.start_recording(tmp_path / "call.wav", left=a, right=b)
            await media.engine.release(a)
            await media.engine.release(b)
            result = await media.engine.stop_recording(recording)
            assert result.problem == ""

    run(test())


def test_a_disk_that_refuses_ends_the_recording_not_the_call(tmp_path: Path) -> None:
    async def test() -> None:
        (tmp_path / "file").write_text("in the way")
        path = tmp_path / "file" / "call.wav"
        async with studio() as media:
            caller, agent = Phone(), Phone()
            a, b = await bridged(media, caller, agent)
            recording = media.engine.start_recording(path, left=a, right=b)
            failed = await media.event(RecordingFailed)
            assert failed.recording == recording
            assert str(path) in failed.problem
            caller.speak(frame(1))
            await agent.hear_until(frame(1))
            result = await media.engine.stop_recording(recording)
            assert (result.duration_s, result.problem) == (0.0, failed.problem)

    run(test())


def test_a_release_says_goodbye_with_the_last_report() -> None:
    async def test() -> None:
        async with studio() as media:
            phone = Phone()
            endpoint = await media.connect(phone)
            phone.speak(frame(1), frame(2))
            phone.sequence += 1
            phone.speak(frame(3))
            packet = await phone.hear()
            await media.settle()
            block = ReportBlock(packet.ssrc, 0, 7, 0, 80, ntp_time(0) >> 16 & 0xFFFFFFFF, 0)
            phone.rtcp.sendto(
                build(Report(phone.ssrc, blocks=(block,)), "phone"), ("127.0.0.1", endpoint.port + 1)
            )
            phone.rtcp.sendto(b"noise", ("127.0.0.1", endpoint.port + 1))
            phone.speak(frame(4))
            phone.press(1, repeats=1)
            await media.event(Dtmf)
            stats = await media.engine.release(endpoint.id)
            assert (stats.packets_received, stats.packets_lost, stats.octets_received) == (
                5,
                1,
                4 * FRAME + 4,
            )
            assert (stats.remote_lost, stats.remote_jitter_ms) == (7, 10.0)
            assert stats.packets_sent >= 1
            report, goodbye = parse(await phone.hear_report())
            assert report.sender is not None
            assert report.sender.packets == stats.packets_sent
            assert (report.blocks[0].ssrc, report.blocks[0].lost) == (phone.ssrc, 1)
            assert goodbye == Report(packet.ssrc, goodbye=True)

    run(test())


def test_ports_run_out_with_a_clear_word_and_come_back() -> None:
    async def test() -> None:
        media = Studio()
        first, _last = media.engine._port_range
        async with studio(port_range=(first, first + 3)) as media:
            one = await media.engine.allocate()
            two = await media.engine.allocate()
            assert {one.port, two.port} == {first, first + 2}
            with pytest.raises(MediaUnavailable, match=f"all RTP ports of {first}-{first + 3} are in use"):
                await media.engine.allocate()
            await media.engine.release(one.id)
            assert (await media.engine.allocate()).port == one.port

    run(test())


def test_a_released_endpoint_is_gone_and_harmless() -> None:
    async def test() -> None:
        async with studio() as media:
            caller, agent = Phone(), Phone()
            a, b = await bridged(media, caller, agent)
            await media.engine.release(a)
            media.engine.set_remote(a, caller.remote())
            media.engine.play(a, Tone.BEEP)
            media.engine.set_edges(b, [Edge(a, b)])
            assert dataclasses.asdict(await media.engine.release(a))["packets_sent"] == 0
            silence = (await agent.hear()).payload
            await media.settle()
            await agent.hear_until(silence)

    run(test())
