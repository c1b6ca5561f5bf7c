"""Debian's linphone-cli on a terminal of its own: it registers, is rung, and calls; both sides are recorded."""

import asyncio
import os
import pty
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pbx.phonecall import Phone
from tests.support.phones import agent_plan, caller_plan, recording, registered
from tests.support.server import PASSWORDS, PATIENCE_S, Server, eventually, free_port, need, server
from tests.support.sounds import heard_in, hum, longest_s, samples_in

pytestmark = pytest.mark.peers

LINPHONE, OTHER = 700, 1300
FLOWS = {"alice": "name: alice\nstart: ring\nsteps:\n  ring: {dial: alice, timeout: 20s}\n"}
SETTINGS = """[sip]
sip_port={port}
sip_tcp_port=0
sip_tls_port=0
guess_hostname=1
media_encryption=none

[net]
firewall_policy=0

[sound]
echocancellation=0
"""


class Linphone:
    """``linphonec`` on a pseudo terminal, without which its event loop stands still; :meth:`tell` types a line."""

    def __init__(self, folder: Path) -> None:
        program = need("linphonec")
        folder.mkdir()
        (folder / ".local" / "share" / "linphone").mkdir(parents=True)
        (folder / "rc").write_text(SETTINGS.format(port=free_port()))
        self.said = ""
        self._ours, theirs = pty.openpty()
        self._process = subprocess.Popen(
            [program, "-c", str(folder / "rc"), "-d", "0"],
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            env={**os.environ, "HOME": str(folder), "TERM": "dumb"},
        )  # fmt: skip
        os.close(theirs)
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()
        eventually("linphonec's prompt", lambda: "linphonec>" in self.said)

    def _read(self) -> None:
        while True:
            try:
                self.said += os.read(self._ours, 65536).decode(errors="replace")
            except OSError:
                return

    def tell(self, line: str) -> None:
        os.write(self._ours, f"{line}\n".encode())

    def until(self, words: str) -> None:
        eventually(f"linphonec's {words!r}", lambda: words.lower() in self.said.lower())

    def close(self) -> None:
        self.tell("quit")
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reading.join(5)
        os.close(self._ours)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server(tmp_path_factory.mktemp("site"), FLOWS) as running:
        yield running


@pytest.fixture
def linphone(site: Server, tmp_path: Path) -> Iterator[Linphone]:
    """Registered as alice; it hums, and keeps what it hears in ``linphone.wav``."""
    phone = Linphone(tmp_path / "linphone")
    try:
        phone.tell("soundcard use files")
        phone.tell(
            f"register sip:alice@127.0.0.1:{site.sip} sip:127.0.0.1:{site.sip} {PASSWORDS['ALICE_PASSWORD']}"
        )
        eventually("the registration", lambda: site.metric("pbx_sip_registrations") == 1)
        phone.tell(f"play {hum(tmp_path / 'says.wav', LINPHONE)}")
        phone.tell(f"record {tmp_path / 'linphone.wav'}")
        yield phone
    finally:
        print(phone.said)
        phone.close()


def test_it_is_rung_and_both_are_heard(site: Server, linphone: Linphone, tmp_path: Path) -> None:
    before = len(site.calls())
    linphone.tell("autoanswer enable")

    async def scene() -> None:
        plan = caller_plan(
            site,
            play=hum(tmp_path / "caller.wav", OTHER),
            record=str(tmp_path / "hears.wav"),
            hang_up_after_s=5,
        )
        async with Phone(plan) as caller:
            await caller.finish()

    asyncio.run(asyncio.wait_for(scene(), 60))
    call = site.ended_call(before + 1)
    assert (call["status"], call["agent"]) == ("answered", "alice")
    assert longest_s(heard_in(samples_in(tmp_path / "hears.wav"), (LINPHONE, OTHER)), {LINPHONE}) > 1
    sound = recording(site, call["id"])
    for channel, hz in ((0, OTHER), (1, LINPHONE)):
        assert longest_s(heard_in(sound[:, channel], (LINPHONE, OTHER)), {hz}) > 1


def test_it_calls_a_colleague(site: Server, linphone: Linphone, tmp_path: Path) -> None:
    before = len(site.calls())

    async def scene() -> None:
        plan = agent_plan(
            site, "bob", play=hum(tmp_path / "bob.wav", OTHER), record=str(tmp_path / "hears.wav")
        )
        async with Phone(plan) as bob:
            await registered(bob)
            linphone.tell(f"call sip:102@127.0.0.1:{site.sip}")
            await bob.until("answered")
            await asyncio.sleep(4)  # what is heard meanwhile is what is measured
            linphone.tell("terminate")
            await bob.until("ended")

    asyncio.run(asyncio.wait_for(scene(), 60))
    call = site.ended_call(before + 1)
    assert (call["direction"], call["status"], call["agent"]) == ("internal", "answered", "bob")
    assert longest_s(heard_in(samples_in(tmp_path / "hears.wav"), (LINPHONE, OTHER)), {LINPHONE}) > 1
