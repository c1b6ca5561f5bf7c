"""Other people's phones, driven for tests: pjsua2 (in its own process), sipp, baresip, pyVoIP."""

import asyncio
import io
import subprocess
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from media.tts import Speech, Voice
from pbx.phone_plan import Plan
from pbx.phonecall import Phone
from tests.support.server import PASSWORDS, Server, free_port, need

SCENARIOS = Path(__file__).resolve().parents[1] / "peers" / "scenarios"
CALLER = "+12125557788"


def number(index: int) -> str:
    """The number that runs the site's flow of that index."""
    return f"+1212555{100 + index:04}"


def agent_plan(server: Server, agent: str, **more: object) -> Plan:
    return Plan(
        id_uri=f"sip:{agent}@127.0.0.1:{server.sip}",
        registrar=f"sip:127.0.0.1:{server.sip}",
        username=agent,
        password=PASSWORDS[f"{agent.upper()}_PASSWORD"],
        **more,  # type: ignore[arg-type]
    )


def caller_plan(server: Server, index: int = 0, **more: object) -> Plan:
    return Plan(
        id_uri=f"sip:{CALLER}@127.0.0.1",
        call=f"sip:{number(index)}@127.0.0.1:{server.sip}",
        **more,  # type: ignore[arg-type]
    )


@contextmanager
def spoken(folder: Path, text: str, voice: str = "en-us+m3", lead_s: float = 0.0) -> Iterator[Path]:
    """A WAV of the text after ``lead_s`` of silence."""
    need("espeak-ng")
    made = Speech(folder, voice=Voice(voice)).speak_now(text)
    path = made.with_name(f"{made.stem}-lead.wav")
    with wave.open(str(made)) as source, wave.open(str(path), "wb") as led:
        led.setparams(source.getparams())
        led.writeframes(bytes(int(lead_s * source.getframerate()) * source.getsampwidth()))
        led.writeframes(source.readframes(source.getnframes()))
    yield path


async def registered(phone: Phone) -> None:
    async with asyncio.timeout(20):
        await phone.until("registered")


@contextmanager
def sipp(scenario: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    """sipp with a scenario of ours; ended when the block is left."""
    program = need("sipp")
    process = subprocess.Popen(
        [program, "-sf", str(SCENARIOS / f"{scenario}.xml"), "-i", "127.0.0.1", "-nostdin", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=20)


def recording(site: Server, call_id: str) -> np.ndarray:
    """The call's recording: a row a sample, the caller on the left, the agent on the right."""
    with wave.open(io.BytesIO(site.read(f"/api/calls/{call_id}/recording"))) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (2, 8000, 2)
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2)


def sipp_calls(site: Server, scenario: str, index: int, *words: str, service: str = "") -> None:
    """One whole call by sipp from the trunk's address; fails the test if the scenario does."""
    result = subprocess.run(
        [
            need("sipp"), "-sf", str(SCENARIOS / f"{scenario}.xml"), "-i", "127.0.0.1", "-nostdin", "-m", "1",
            "-p", str(free_port()), "-mp", str(free_port()), "-s", service or number(index), "-timeout", "60",
            *words, f"127.0.0.1:{site.sip}",
        ],
        capture_output=True, text=True, errors="replace", check=False, timeout=90,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-1500:] + result.stderr[-1500:]
