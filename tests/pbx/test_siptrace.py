"""A call's messages: kept, bounded, without secrets; drawn, written as pcap, sent to a HOMER."""

import socket
import struct
import xml.etree.ElementTree as ET
from datetime import UTC, date, datetime, timedelta

import pytest

from pbx.clock import VirtualClock
from pbx.events import CallEnded, CallStarted, CallStatus, Direction, LegStarted
from pbx.siptrace import archive
from pbx.siptrace.archive import Archive, Record
from pbx.siptrace.hep import HepExporter, as_hep
from pbx.siptrace.ladder import as_svg, as_text
from pbx.siptrace.message import Traced, redacted
from pbx.siptrace.pcap import as_pcap
from pbx.siptrace.recorder import MOST_OF_A_CALL, MOST_UNCLAIMED, TraceRecorder
from sip import Address, Flow

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
PEER = Flow("udp", Address("192.0.2.9", 5060))
OTHER = Flow("udp", Address("192.0.2.20", 5062))


def sip(start: str, dialog: str = "a@b", *lines: str, body: str = "") -> bytes:
    return "\r\n".join([start, f"Call-ID: {dialog}", *lines, "", body]).encode()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            sip("REGISTER sip:x SIP/2.0", "c", 'Authorization: Digest username="a",', ' response="77"', "X: y"),
            sip("REGISTER sip:x SIP/2.0", "c", "Authorization: Digest [redacted]", "X: y"),
        ),
        (
            sip("INVITE sip:x SIP/2.0", "c", "Proxy-Authorization: Digest a=b", body="a=crypto:1 AES inline:S3CR3T|2^20\r\n"),
            sip("INVITE sip:x SIP/2.0", "c", "Proxy-Authorization: Digest [redacted]", body="a=crypto:1 AES inline:***********\r\n"),
        ),
        (
            sip("INFO sip:x SIP/2.0", "c", "Content-Type: application/dtmf-relay", body="Signal=5\r\nDuration=160\r\n"),
            sip("INFO sip:x SIP/2.0", "c", "Content-Type: application/dtmf-relay", body="Signal=*\r\nDuration=160\r\n"),
        ),
        (
            sip("INFO sip:x SIP/2.0", "c", "Content-Type: application/dtmf", body="12#"),
            sip("INFO sip:x SIP/2.0", "c", "Content-Type: application/dtmf", body="***"),
        ),
        (sip("BYE sip:x SIP/2.0"), sip("BYE sip:x SIP/2.0")),
    ],
)  # fmt: skip
def test_what_nobody_else_may_read(data, expected) -> None:
    assert redacted(data) == expected


class Site:
    def __init__(self, folder) -> None:
        self.clock = VirtualClock(AT)
        self.folder = folder
        self.later: list = []
        self.archive = Archive(folder, timedelta(days=7))
        self.recorder = TraceRecorder(
            self.clock,
            self.archive,
            lambda flow: Address("192.0.2.1", 5060),
            lambda s, what: self.later.append(what),
        )

    def call(self, call_id: str, *dialogs: str) -> None:
        self.recorder.hear(
            CallStarted(
                call_id=call_id, at=self.clock.now(), direction=Direction.INBOUND, from_="+1", to="+2", trunk="t",
                sip_call_id=dialogs[0], flow="main", source="radio", reasons=(),
            )
        )  # fmt: skip
        for dialog in dialogs:
            self.recorder.hear(
                LegStarted(
                    call_id=call_id, at=self.clock.now(), leg_id=dialog, role="caller", target="", agent=None, sip_call_id=dialog
                )
            )  # fmt: skip

    def ended(self, call_id: str) -> None:
        self.recorder.hear(
            CallEnded(call_id=call_id, at=self.clock.now(), status=CallStatus.ANSWERED, cause="", reason="")
        )


def test_messages_find_their_call_and_outlive_it(tmp_path) -> None:
    site = Site(tmp_path)
    tap = site.recorder.tap
    tap(False, PEER, sip("INVITE sip:+1 SIP/2.0", "in@x"))
    tap(False, PEER, sip("OPTIONS sip:x SIP/2.0", "stranger"))
    site.call("c1", "in@x", "out@x")
    site.clock.advance(1)
    tap(True, OTHER, sip("INVITE sip:alice SIP/2.0", "out@x"))
    tap(True, PEER, sip("SIP/2.0 180 Ringing", "in@x"))
    assert [m.data[:10] for m in site.recorder.of_call("c1")] == [b"INVITE sip", b"INVITE sip", b"SIP/2.0 18"]
    site.ended("c1")
    tap(False, PEER, sip("SIP/2.0 200 OK", "in@x"))
    (finish,) = site.later
    finish()
    site.archive.close()
    assert len(site.recorder) == 0
    kept = archive.read(tmp_path, "c1", AT.date())
    assert [(m.out, m.source, m.target) for m in kept] == [
        (False, "192.0.2.9:5060", "192.0.2.1:5060"),
        (True, "192.0.2.1:5060", "192.0.2.20:5062"),
        (True, "192.0.2.1:5060", "192.0.2.9:5060"),
        (False, "192.0.2.9:5060", "192.0.2.1:5060"),
    ]
    assert archive.read(tmp_path, "c2", AT.date()) == []
    assert archive.read(tmp_path, "c1", date(2026, 1, 1)) == []


def test_nothing_grows_without_bound(tmp_path) -> None:
    site = Site(tmp_path)
    for n in range(3 * MOST_UNCLAIMED):
        site.recorder.tap(False, PEER, sip("OPTIONS sip:x SIP/2.0", f"{n}"))
    assert len(site.recorder._unclaimed) == MOST_UNCLAIMED
    site.call("c1", "long")
    for _ in range(3 * MOST_OF_A_CALL):
        site.recorder.tap(False, PEER, sip("INFO sip:x SIP/2.0", "long"))
    assert len(site.recorder.of_call("c1")) == MOST_OF_A_CALL
    site.recorder.close()
    site.archive.close()
    assert len(site.recorder) == len(site.recorder._by_dialog) == 0


def test_old_days_go_and_a_record_cut_off_hides_no_other(tmp_path) -> None:
    for day in ("2026-05-20", "2026-05-30"):
        (tmp_path / "traces").mkdir(exist_ok=True)
        (tmp_path / "traces" / f"{day}.sip").write_bytes(b"")
    keeper = Archive(tmp_path, timedelta(days=7))
    message = Traced(1.0, True, "udp", "a:1", "b:2", b"BYE")
    for call in ("c1", "c2"):
        keeper.write([Record(call, AT.date(), lambda: [message])])
    keeper.close()
    assert sorted(p.name for p in (tmp_path / "traces").iterdir()) == ["2026-05-30.sip", "2026-06-01.sip"]
    path = tmp_path / "traces" / "2026-06-01.sip"
    path.write_bytes(path.read_bytes()[:-5])
    assert archive.read(tmp_path, "c1", AT.date()) == [message]
    assert archive.read(tmp_path, "c2", AT.date()) == []


MESSAGES = [
    Traced(100.0, False, "udp", "192.0.2.1:5060", "192.0.2.9:5060", sip("INVITE sip:+1 SIP/2.0", "a", "Content-Type: application/sdp")),
    Traced(100.1, True, "udp", "192.0.2.1:5060", "192.0.2.20:5062", sip("INVITE sip:alice SIP/2.0", "b")),
    Traced(100.5, False, "udp", "192.0.2.1:5060", "192.0.2.20:5062", sip("SIP/2.0 486 Busy <Here>", "b")),
]  # fmt: skip


def test_the_ladder_in_a_terminal() -> None:
    lines = as_text(MESSAGES).splitlines()
    assert lines[0] == "began 1970-01-01 00:01:40 UTC"
    assert lines[1].split() == ["192.0.2.9:5060", "this", "server", "192.0.2.20:5062"]
    assert lines[2].startswith("   +0.000")
    assert "INVITE (SDP)" in lines[2]
    assert lines[2].index("|") < lines[2].index(">") < lines[2].rindex("|")
    assert lines[4].index("<") > lines[4].index("|")
    assert "Call-ID: b" in as_text(MESSAGES, bodies=True)
    assert as_text([]) == "no message of this call is kept"


def test_the_ladder_drawn_is_well_formed_whatever_a_peer_says() -> None:
    root = ET.fromstring(as_svg(MESSAGES))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"INVITE (SDP)", "INVITE", "486 Busy <Here>", "192.0.2.20:5062"} <= set(texts)
    assert len([g for g in root.iter("{http://www.w3.org/2000/svg}g") if g.get("class") == "failed"]) == 1
    ET.fromstring(as_svg([]))


@pytest.mark.parametrize(
    ("local", "remote", "head"), [("192.0.2.1:5060", "192.0.2.9:5070", 20), ("[::1]:5060", "[::2]:5070", 40)]
)
def test_a_pcap_holds_each_message_with_right_checksums(local, remote, head) -> None:
    data = as_pcap([Traced(1.5, True, "tls", local, remote, b"BYE sip:x SIP/2.0\r\n\r\n")])
    assert struct.unpack("<I", data[:4]) == (0xA1B2C3D4,)
    assert struct.unpack("<I", data[20:24]) == (101,)
    seconds, micros, length, _ = struct.unpack("<IIII", data[24:40])
    packet = data[40:]
    assert (seconds, micros, length) == (1, 500_000, len(packet))
    assert packet[0] >> 4 == (4 if head == 20 else 6)
    assert struct.unpack("!HH", packet[head : head + 4]) == (5060, 5070)
    assert packet[head + 8 :] == b"BYE sip:x SIP/2.0\r\n\r\n"
    if head == 20:
        assert sum16(packet[:20]) == 0xFFFF
    addresses = packet[12:20] if head == 20 else packet[8:40]
    assert sum16(addresses + struct.pack("!HH", 17, len(packet) - head) + packet[head:]) == 0xFFFF


def sum16(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def chunks(packet: bytes) -> dict[int, bytes]:
    """A HEP3 packet taken apart, as a collector does."""
    assert packet[:4] == b"HEP3"
    assert struct.unpack("!H", packet[4:6]) == (len(packet),)
    found, position = {}, 6
    while position < len(packet):
        vendor, kind, length = struct.unpack("!HHH", packet[position : position + 6])
        assert vendor == 0
        found[kind] = packet[position + 6 : position + length]
        position += length
    return found


def test_a_collector_hears_each_message() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.bind(("127.0.0.1", 0))
        collector.settimeout(10)
        exporter = HepExporter("127.0.0.1", collector.getsockname()[1], 2001, "key")
        exporter.send(MESSAGES[0], "a")
        got = chunks(collector.recv(65535))
        exporter.close()
    assert got[1] == b"\x02"
    assert got[2] == b"\x11"
    assert (got[3], got[4]) == (socket.inet_aton("192.0.2.9"), socket.inet_aton("192.0.2.1"))
    assert struct.unpack("!HHII", got[7] + got[8] + got[9] + got[10]) == (5060, 5060, 100, 0)
    assert (got[11], got[12], got[14], got[17]) == (b"\x01", struct.pack("!I", 2001), b"key", b"a")
    assert got[15] == MESSAGES[0].data
    six = as_hep(Traced(1.0, True, "tcp", "[::1]:1", "[::2]:2", b"x"), "", 1)
    assert six is not None
    assert {5, 6} < chunks(six).keys()
    assert chunks(six)[2] == b"\x06"
    assert as_hep(Traced(1.0, True, "tcp", "h:1", "[::2]:2", b"x"), "", 1) is None
