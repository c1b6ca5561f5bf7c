from pathlib import Path

import pytest

from media import wire
from media.engine import Codec, Dtmf, Edge, FileSource, RemoteMedia, Tone

MESSAGES = [
    wire.Allocate(1, ipv6=False),
    wire.SetRemote(1, RemoteMedia("192.0.2.1", 4000, Codec.PCMA, 8, 8, 101, 96)),
    wire.SetEdges(1, (Edge(2, 1), Edge(3, 1, 0.5))),
    wire.Play(1, 7, FileSource(Path("prompts/welcome.wav")), False),
    wire.Play(1, 8, Tone.MUSIC, True),
    Dtmf(1, "5"),
    wire.Close(),
]


@pytest.mark.parametrize("piece", [1, 7, 4096])
def test_messages_survive_a_stream_cut_anywhere(piece: int) -> None:
    stream = b"".join(map(wire.pack, MESSAGES)) + wire.pack(*MESSAGES)
    unpacker = wire.Unpacker()
    received = [
        message
        for start in range(0, len(stream), piece)
        for message in unpacker.feed(stream[start : start + piece])
    ]
    assert received == MESSAGES * 2


def test_half_a_message_waits_for_the_rest() -> None:
    unpacker = wire.Unpacker()
    data = wire.pack(wire.Allocate(5, ipv6=True))
    assert list(unpacker.feed(data[:-1])) == []
    assert list(unpacker.feed(data[-1:])) == [wire.Allocate(5, ipv6=True)]
