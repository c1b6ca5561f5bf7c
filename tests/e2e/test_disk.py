"""A disk that is full, or has turned read-only: calls go on, what happened is told once there is room."""

import asyncio
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pbx.phonecall import Phone
from tests.support.phones import caller_plan
from tests.support.server import Server, eventually, server

pytestmark = pytest.mark.peers

FLOWS = {"mail": "name: Mail\nstart: mail\nsteps:\n  mail: {voicemail: {max: 3s}}\n"}


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's own: a run that is killed would leave a mount there, over which later ones stumble."""
    with tempfile.TemporaryDirectory(prefix="dialtrace-disk-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture
def disk(folder: Path) -> Iterator[Path]:
    """A small file system of its own, which only root may mount."""
    data = folder / "site" / "data"
    data.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(data)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        if os.environ.get("CI"):
            pytest.fail(f"no file system could be mounted: {mounted.stderr}")
        pytest.skip("mounting a small disk needs root")
    yield data
    subprocess.run(["umount", "-l", str(data)], check=True)


def call(site: Server) -> None:
    async def scene() -> list[dict]:
        async with Phone(caller_plan(site, 0, hang_up_after_s=20)) as caller:
            return await caller.finish()

    happened = asyncio.run(scene())
    assert any(event["event"] == "answered" for event in happened), happened
    assert next(event for event in happened if event["event"] == "ended")["status"] == 200


def after(site: Server) -> None:
    ended = site.ended_call()
    assert ended["status"] == "voicemail"
    assert ended["recording"]["problem"], "a recording that was not written is said to be whole"
    eventually("the spool's being told", lambda: site.metric("pbx_store_spooled_events") == 0)


def test_the_disk_is_full(disk: Path, folder: Path) -> None:
    with server(folder / "site", FLOWS) as site:
        filler = disk / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass
        call(site)
        assert "No space left" in site.log.read_text()
        filler.unlink()
        after(site)


def test_the_disk_turns_read_only(disk: Path, folder: Path) -> None:
    with server(folder / "site", FLOWS) as site:
        eventually("the prompts", lambda: "ready" in site.log.read_text())

        def turn(how: str) -> None:
            subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)

        worked = subprocess.run(["mount", "-o", "remount,ro,size=4m", str(disk)], check=False).returncode == 0
        if not worked:
            # Open files for writing keep a tmpfs from turning; a bind mount over it does what a failing disk does.
            subprocess.run(["mount", "--bind", str(disk), str(disk)], check=True)
            turn("bind,ro")
        call(site)
        if worked:
            turn("rw,size=4m")
        else:
            subprocess.run(["umount", "-l", str(disk)], check=True)
        after(site)
