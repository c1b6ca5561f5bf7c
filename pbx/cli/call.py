"""``pbx call``: a real softphone dials the running server and reports what happened."""

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from pbx.config.load import load
from pbx.numbering import normalise
from pbx.phone_plan import Plan
from pbx.phonecall import Phone, PhoneUnavailable

Keys = Annotated[
    str, typer.Option(help="Keys to press once the call is answered: digits, * and #; a comma waits 1 s.")
]


def call(
    number: Annotated[str, typer.Argument(help="The tracking number to dial.")],
    press: Keys = "",
    press_after: Annotated[float, typer.Option(help="Seconds after the answer before the first key.")] = 2.0,
    play: Annotated[Path | None, typer.Option(help="A WAV file to say.", exists=True)] = None,
    record: Annotated[Path | None, typer.Option(help="Keep what was heard as a WAV file.")] = None,
    caller: Annotated[str, typer.Option("--from", help="The caller's number.")] = "+12125550999",
    hang_up_after: Annotated[float, typer.Option(help="Seconds of call after the answer.")] = 15.0,
    server: Annotated[str | None, typer.Option(help="address:port; default: config's first UDP one.")] = None,
    config: Annotated[Path, typer.Option(help="The server's config.")] = Path("config.yaml"),
) -> None:
    """Dial NUMBER with an independent softphone; exit 0 if it was answered and something was heard."""
    where, country = server, "US"
    if where is None:
        site = load(config)
        country = site.config.server.country
        where = next(
            (url.removeprefix("udp://") for url in site.config.sip.listen if url.startswith("udp://")), None
        )
    if where is None:
        raise typer.BadParameter("the config listens on no udp:// address; name one with --server")
    did = normalise(number, country)
    if did is None:
        raise typer.BadParameter(f"{number} is no telephone number")
    with tempfile.TemporaryDirectory() as folder:
        plan = Plan(
            id_uri=f"sip:{caller}@127.0.0.1",
            call=f"sip:{did}@{where}",
            press=press,
            press_after_s=press_after,
            play=str(play.resolve()) if play else "",
            record=str((record or Path(folder, "heard.wav")).resolve()),
            hang_up_after_s=hang_up_after,
        )
        try:
            happened = asyncio.run(_dial(plan))
        except PhoneUnavailable as problem:
            typer.echo(f"pbx call: {problem}", err=True)
            raise typer.Exit(2) from None
    raise typer.Exit(0 if succeeded(happened) else 1)


def succeeded(happened: list[dict[str, Any]]) -> bool:
    """Answered, every key went out, and speech was heard."""
    names = {event["event"] for event in happened}
    heard = next((event for event in happened if event["event"] == "heard"), {"speech": False})
    return "answered" in names and "key_failed" not in names and bool(heard["speech"])


async def _dial(plan: Plan) -> list[dict[str, Any]]:
    console = Console()
    async with Phone(plan) as phone:
        async for event in phone.follow():
            if line := _in_words(event):
                console.print(line, highlight=False)
        return phone.events


def _in_words(event: dict[str, Any]) -> str:
    match event["event"]:
        case "ringing":
            return f"ringing after {event['ms']} ms"
        case "answered":
            return f"answered after {event['ms']} ms"
        case "pressed":
            return f"pressed {event['digit']}"
        case "key_failed":
            return f"could not press {event['digit']}: {event['reason']}"
        case "ended":
            return f"ended: {event['status']} {event['reason']}"
        case "heard":
            what = "speech" if event["speech"] else "no speech"
            return f"heard {what}: {event['audible_s']:.1f} s of sound in {event['seconds']:.1f} s"
        case "failed":
            return f"failed: {event['reason']}"
        case _:
            return ""
