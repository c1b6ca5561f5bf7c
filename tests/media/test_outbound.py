import struct
from dataclasses import dataclass

from media.outbound import Outbound
from media.rtp import FRAME_SAMPLES


@dataclass(frozen=True)
class Sent:
    marker: bool
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


class Line:
    """What an Outbound sends, parsed."""

    def __init__(self) -> None:
        self.out = Outbound()
        self.sent: list[Sent] = []
        self.out.send = self._take
        self.out.rejoin(0)

    def _take(self, packet: bytes | bytearray | memoryview) -> None:
        first, second, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", packet)
        assert first == 0x80
        payload = bytes(packet[12:])
        self.sent.append(Sent(second > 127, second & 127, sequence, timestamp, ssrc, payload))

    def relay(self, sequence: int, timestamp: int, position: int, payload: bytes = b"x" * 160) -> None:
        packet = bytearray(12) + payload
        self.out.relay(packet, memoryview(packet), 0, sequence, timestamp, position)

    def steps(self) -> list[tuple[int, int]]:
        """From packet to packet: sequence numbers, timestamps."""
        pairs = zip(self.sent, self.sent[1:], strict=False)
        return [
            ((b.sequence - a.sequence) & 0xFFFF, (b.timestamp - a.timestamp) & 0xFFFFFFFF) for a, b in pairs
        ]


def test_prompt_then_bridge_then_prompt_is_one_stream() -> None:
    line = Line()
    for tick in range(5):
        line.out.frame(b"p" * 160, tick * FRAME_SAMPLES)
    line.out.rejoin(5 * FRAME_SAMPLES)
    for packet in range(5):
        line.relay(60000 + packet, 0xFFFFFF00 + packet * 160, (5 + packet) * FRAME_SAMPLES)
    line.out.rejoin(10 * FRAME_SAMPLES)
    for tick in range(10, 15):
        line.out.frame(b"q" * 160, tick * FRAME_SAMPLES)
    assert line.steps() == [(1, 160)] * 14
    assert len({sent.ssrc for sent in line.sent}) == 1
    assert [index for index, sent in enumerate(line.sent) if sent.marker] == [0, 5, 10]
    assert [sent.payload[:1] for sent in line.sent] == [b"p"] * 5 + [b"x"] * 5 + [b"q"] * 5


def test_a_relayed_payload_is_unchanged_and_loss_stays_loss() -> None:
    line = Line()
    for sequence in (65534, 65535, 2, 3):  # 0 and 1 are lost
        line.relay(sequence, sequence * 160 & 0xFFFFFFFF, 0, bytes([sequence & 255]) * 160)
    assert [step for step, _ in line.steps()] == [1, 3, 1]
    assert [sent.payload[0] for sent in line.sent] == [254, 255, 2, 3]


def test_a_packet_that_is_not_sent_on_leaves_no_gap() -> None:
    line = Line()
    line.relay(10, 0, 0)
    line.out.skip()
    line.relay(12, 320, 0)
    assert line.steps() == [(1, 320)]


def test_time_never_goes_back_after_a_sender_with_a_fast_clock() -> None:
    line = Line()
    for packet in range(50):
        line.relay(packet, packet * 200, packet * 160)  # a quarter too fast
    line.out.rejoin(50 * 160)
    line.out.frame(bytes(160), 50 * 160)
    line.out.frame(bytes(160), 51 * 160)
    assert line.steps()[-2:] == [(1, 160), (1, 160)]


def test_a_packet_out_of_order_does_not_set_the_stream_back() -> None:
    line = Line()
    for sequence in (1, 3, 2):
        line.relay(sequence, sequence * 160, 0)
    line.out.rejoin(3 * 160)
    line.out.frame(bytes(160), 3 * 160)
    assert (line.sent[3].sequence - line.sent[1].sequence) & 0xFFFF == 1


def test_a_closed_port_at_the_far_end_costs_no_packet() -> None:
    line = Line()
    refusals = [ConnectionRefusedError()]

    def send(packet: bytes | bytearray | memoryview) -> None:
        if refusals:
            raise refusals.pop()
        line._take(packet)

    line.out.send = send
    line.out.frame(bytes(160), 0)
    assert len(line.sent) == line.out.packets == 1


def test_what_the_kernel_refuses_is_counted_apart() -> None:
    line = Line()

    def send(packet: bytes | bytearray | memoryview) -> None:
        raise BlockingIOError

    line.out.send = send
    line.out.frame(bytes(160), 0)
    assert (line.out.packets, line.out.refused) == (0, 1)


def test_without_a_destination_nothing_is_counted() -> None:
    out = Outbound()
    out.frame(bytes(160), 0)
    assert out.packets == 0
