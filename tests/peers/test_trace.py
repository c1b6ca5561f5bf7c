"""What is seen of a whole call's signalling: the ladder, the pcap, a HOMER collector, and how each leg sounded."""

import asyncio
import shutil
import socket
import struct
import subprocess
from pathlib import Path

import pytest

from pbx.phonecall import Phone
from tests.support.phones import agent_plan, caller_plan, registered
from tests.support.server import Server, server
from tests.support.sounds import hum

pytestmark = pytest.mark.peers

FLOWS = {"alice": "name: alice\nstart: ring\nsteps:\n  ring: {dial: alice, timeout: 15s}\n"}
RECORD, IP_AND_UDP = 16, 28


def in_pcap(file: bytes) -> list[bytes]:
    """The payload of each packet."""
    at, payloads = 24, []
    while at < len(file):
        length = struct.unpack_from("<I", file, at + 8)[0]
        payloads.append(file[at + RECORD + IP_AND_UDP : at + RECORD + length])
        at += RECORD + length
    return payloads


def in_hep(packet: bytes) -> dict[int, bytes]:
    """The chunks by their number."""
    assert (packet[:4], struct.unpack_from("!H", packet, 4)[0]) == (b"HEP3", len(packet))
    at, chunks = 6, {}
    while at < len(packet):
        _, kind, length = struct.unpack_from("!HHH", packet, at)
        chunks[kind] = packet[at + 6 : at + length]
        at += length
    return chunks


async def talk(site: Server, folder: Path) -> None:
    async with Phone(agent_plan(site, "alice", play=hum(folder / "alice.wav", 1000))) as alice:
        await registered(alice)
        plan = caller_plan(site, play=hum(folder / "caller.wav", 400), hang_up_after_s=7)
        async with Phone(plan) as caller:
            await caller.finish()


def test_a_call_seen_in_every_way(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as homer:
        homer.bind(("127.0.0.1", 0))
        homer.setblocking(False)
        port = homer.getsockname()[1]
        trace = f'trace: {{homer: "127.0.0.1:{port}", homer_id: 7}}\n'
        with server(tmp_path / "site", FLOWS, edit=lambda config: config + trace) as site:
            asyncio.run(asyncio.wait_for(talk(site, tmp_path), 90))
            call = site.ended_call(1)
            shown = site.get(f"/api/calls/{call['id']}/trace")["messages"]
            pcap = in_pcap(site.read(f"/api/calls/{call['id']}/trace.pcap"))
            (tmp_path / "call.pcap").write_bytes(site.read(f"/api/calls/{call['id']}/trace.pcap"))
            drawn = site.read(f"/api/calls/{call['id']}/trace.svg").decode()
            ladder = site.pbx("trace", call["id"]).stdout
        packets = []
        while True:
            try:
                packets.append(in_hep(homer.recv(65536)))
            except BlockingIOError:
                break

    if tshark := shutil.which("tshark"):
        words = [
            tshark,
            "-r",
            str(tmp_path / "call.pcap"),
            "-o",
            "udp.check_checksum:TRUE",
            "-d",
            "udp.port==1-65535,sip",
        ]
        shape = ["-T", "fields", "-e", "sip.Method", "-e", "sip.Status-Code", "-e", "udp.checksum.status"]
        read = subprocess.run([*words, *shape], capture_output=True, text=True, check=True, timeout=60).stdout
        assert len(read.splitlines()) == len(shown)
        assert all(line.endswith("\t1") and line.strip("\t1") for line in read.splitlines()), read

    labels = [message["label"] for message in shown]
    for label in ("INVITE (SDP)", "180 Ringing", "200 OK (SDP)", "ACK", "BYE", "200 OK"):
        assert label in labels
        assert label in ladder
        assert label in drawn
    # Three columns: the caller, this server, the agent; the INVITE goes to the right on both sides.
    assert labels.count("INVITE (SDP)") == 2
    assert len(pcap) == len(shown)
    assert pcap[0].startswith(b"INVITE sip:+12125550100@")
    of_the_call = [packet for packet in packets if packet[15] in pcap]
    assert len(of_the_call) >= len(pcap), "a message did not reach the collector"
    assert {packet[12] for packet in packets} == {struct.pack("!I", 7)}
    assert {len(packet[3]) for packet in packets} == {4}
    for leg in call["legs"]:
        assert leg["stats"]["packets_received"] > 100
        assert leg["quality"]["loss"] < 5
        assert 3 < leg["quality"]["mos"] <= 4.5
