"""Other people's phones, driven for tests: pjsua2 (in its own process), sipp, baresip, pyVoIP."""

import asyncio
import subprocess
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from media.tts import Speech, Voice
from pbx.phone_plan import Plan
from pbx.phonecall import Phone
from tests.support.server import PASSWORDS, Server, need

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
