"""``pbx demo``: the server on its own config, with simulated callers and agents on real phones.

Everything goes over SIP and RTP on loopback: the callers and agents are softphones in processes of
their own (:mod:`pbx.phone`), speaking with espeak-ng voices that the test model recognises.
"""

import asyncio
import contextlib
import itertools
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import wave
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from media.tts import Speech, SpeechUnavailable, Voice
from pbx.config.load import load
from pbx.phone_plan import Plan
from pbx.phonecall import Phone, PhoneUnavailable

TEST_MODEL = Path(__file__).resolve().parents[2] / "tests" / "data" / "vosk" / "model-tiny-en"
READY_WITHIN_S = 60.0
BETWEEN_CALLS_S = 4.0

console = Console(highlight=False)


@dataclass(frozen=True, slots=True)
class Scene:
    """One simulated call: who dials which number, presses what, and says what."""

    title: str
    number: str
    caller: str
    press: str
    says: str
    seconds: float = 16.0


SCENES = (
    Scene(
        "a burst pipe, at any hour",
        "+12125550103",
        "+12125557788",
        "1",
        "hello this is an emergency the water is leaking in the kitchen please send a plumber",
    ),
    Scene(
        "the website's number, for Alice",
        "+12125550102",
        "+16465552233",
        "",
        "hello i found your company on google and i want a quote for the bathroom",
    ),
    Scene(
        "no heating",
        "+12125550103",
        "+19735551234",
        "2",
        "hi the heating is not working and the house is very cold can somebody come tomorrow morning",
    ),
    Scene(
        "the main line, for sales",
        "+12125550100",
        "+12125554411",
        ",,,,,,,,1",
        "good morning i would like to make an appointment for monday",
        28,
    ),
    Scene(
        "the office nearest to New Jersey",
        "+12125550101",
        "+19735556060",
        ",,,,,,,,3",
        "hello how much does a new boiler cost",
        28,
    ),
    Scene(
        "somebody who presses nothing",
        "+12125550100",
        "+17185550177",
        "",
        "yes hello i need help with my invoice please",
        50,
    ),
)

AGENT_SAYS = (
    "thank you for calling how can i help you",
    "yes we can send somebody tomorrow what is your address please",
)


class DemoFailed(Exception):  # noqa: N818 - the user's word
    """The demo cannot go on; the message says why and what to do."""


def demo(
    config: Annotated[Path, typer.Option(help="The config to run.", exists=True)] = Path("config.yaml"),
    calls: Annotated[int, typer.Option(help="Stop after so many calls; 0: until Ctrl-C.")] = 0,
) -> None:
    """Start the server and let simulated callers fill the dashboard. Ctrl-C stops everything."""
    try:
        asyncio.run(_demo(config.resolve(), calls))
    except (DemoFailed, PhoneUnavailable, SpeechUnavailable) as problem:
        typer.echo(f"pbx demo: {problem}", err=True)
        raise typer.Exit(1) from None


async def _demo(config: Path, calls: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    environment = demo_environment()
    os.environ.update(environment)
    site = load(config)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dialtrace-demo-")))
        console.print("[1/4] making the callers' and agents' voices")
        voices = [_voice(folder, "en-us+m3", scene.says, lead_s=6.0) for scene in SCENES]
        agent_voice = _voice(folder, "en-us+f4", " ... ".join(AGENT_SAYS), lead_s=1.0)
        console.print("[2/4] starting the server")
        server = await stack.enter_async_context(_server(config, stop))
        url = f"http://{site.config.web.listen}"
        await _ready(url, server, stop)
        password = _demo_user(config)
        console.print("[3/4] starting the agents' phones")
        sip = next(u for u in site.config.sip.listen if u.startswith("udp://")).removeprefix("udp://")
        for plan in _agents(site.config, sip, agent_voice):
            phone = await stack.enter_async_context(Phone(plan))
            await asyncio.wait_for(phone.until("registered" if plan.registrar else "listening"), 15)
        console.print(
            f"[4/4] calling. [bold]The dashboard: {url}[/]  user [bold]demo[/], password [bold]{password}[/]"
        )
        console.print("Ctrl-C stops everything.")
        await _place_calls(sip, voices, calls, server, stop)
    console.print("stopped")


def demo_environment() -> dict[str, str]:
    """The demo's own passwords, and the test model, which knows its callers' voices."""
    defaults = {name: secrets.token_urlsafe(12) for name in ("ALICE_PASSWORD", "BOB_PASSWORD")}
    defaults["VOSK_MODEL"] = str(TEST_MODEL)
    return {name: os.environ.get(name, value) for name, value in defaults.items()}


def _voice(folder: Path, voice: str, text: str, *, lead_s: float) -> Path:
    """A WAV of the text, after ``lead_s`` of silence (the server's prompt comes first)."""
    spoken = Speech(folder, voice=Voice(voice)).speak_now(text)
    path = spoken.with_name(f"{spoken.stem}-led.wav")
    with wave.open(str(spoken)) as source, wave.open(str(path), "wb") as led:
        led.setparams(source.getparams())
        silence = bytes(int(lead_s * source.getframerate()) * source.getsampwidth())
        led.writeframes(silence + source.readframes(source.getnframes()))
    return path


@asynccontextmanager
async def _server(config: Path, stop: asyncio.Event) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pbx", "serve", "--config", str(config), start_new_session=True
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        await process.wait()


async def _ready(url: str, server: asyncio.subprocess.Process, stop: asyncio.Event) -> None:
    deadline = asyncio.get_running_loop().time() + READY_WITHIN_S
    while not stop.is_set():
        if server.returncode is not None:
            raise DemoFailed("the server did not start; its message stands above")
        if await asyncio.to_thread(_answers, f"{url}/healthz"):
            return
        if asyncio.get_running_loop().time() > deadline:
            raise DemoFailed(f"the server was not ready within {READY_WITHIN_S:g} s: see its messages above")
        await _pause(stop, 0.2)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _demo_user(config: Path) -> str:
    """The dashboard's login, with a new password each time, so that it is known."""
    said = ""
    for words in (["add", "demo", "--role", "admin"], ["reset", "demo"]):
        made = subprocess.run(
            [sys.executable, "-m", "pbx", "user", *words, "--config", str(config)],
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode == 0:
            return made.stdout.strip()
        said = made.stderr.strip()
    raise DemoFailed(f"the dashboard's user could not be made: {said}")


def _agents(config: object, sip: str, voice: Path) -> list[Plan]:
    def registered(agent: str) -> Plan:
        return Plan(
            id_uri=f"sip:{agent}@{sip}",
            registrar=f"sip:{sip}",
            username=agent,
            password=os.environ[f"{agent.upper()}_PASSWORD"],
            play=str(voice),
            answer_after_s=1.5,
        )

    return [
        registered("alice"),
        registered("bob"),
        Plan(port=5080, id_uri="sip:desk@127.0.0.1", play=str(voice), answer_after_s=1.0),
        Plan(port=5070, id_uri="sip:carrier@127.0.0.1", play=str(voice), answer_after_s=1.0),
    ]


async def _place_calls(
    sip: str, voices: Sequence[Path], calls: int, server: asyncio.subprocess.Process, stop: asyncio.Event
) -> None:
    for count, (scene, voice) in enumerate(itertools.cycle(zip(SCENES, voices, strict=True)), 1):
        if stop.is_set() or (calls and count > calls):
            return
        if server.returncode is not None:
            raise DemoFailed("the server ended; its message stands above")
        plan = Plan(
            id_uri=f"sip:{scene.caller}@127.0.0.1",
            call=f"sip:{scene.number}@{sip}",
            press=scene.press,
            press_after_s=3.0,
            play=str(voice),
            hang_up_after_s=scene.seconds,
        )
        async with Phone(plan) as phone:
            console.print(f"call {count}: {scene.title}: {scene.caller} dials {scene.number}")
            finishing = asyncio.ensure_future(phone.finish())
            stopping = asyncio.ensure_future(stop.wait())
            await asyncio.wait((finishing, stopping), return_when=asyncio.FIRST_COMPLETED)
            for task in (finishing, stopping):
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await finishing
        await _pause(stop, BETWEEN_CALLS_S)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
