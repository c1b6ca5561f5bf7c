"""``pbx transcribe``: transcripts for calls that have none yet."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from pbx.cli.database import USUAL_CONFIG, ConfigOption, opened
from pbx.clock import SystemClock
from pbx.config.site import Site
from pbx.intelligence.catchup import NotTranscribable, catch_up, wanted
from pbx.intelligence.model import ModelUnavailable
from pbx.store.calls import Calls, Transcript


def transcribe(
    call: Annotated[
        list[str] | None,
        typer.Argument(
            help="Ids of calls to transcribe, again if need be. Default: all without a transcript."
        ),
    ] = None,
    config: ConfigOption = USUAL_CONFIG,
) -> None:
    """Transcribe recorded calls that have no transcript: no model was there, or it failed."""
    try:
        with opened(config) as (site, database):
            all_done = _transcribe(site, Calls(database), call or [])
    except (ModelUnavailable, NotTranscribable) as problem:
        typer.echo(f"pbx transcribe: {problem}", err=True)
        raise typer.Exit(1) from None
    raise typer.Exit(0 if all_done else 1)


def _transcribe(site: Site, calls: Calls, ids: list[str]) -> bool:
    console = Console(highlight=False, soft_wrap=True)
    these = wanted(calls, ids)
    if not these:
        console.print("every recorded call has its transcript")
        return True
    with _progress(console) as progress:
        bar = progress.add_task("fetching the speech model", visible=False)
        return asyncio.run(
            catch_up(
                site,
                calls,
                these,
                SystemClock(),
                on_transcript=lambda call_id, transcript: console.print(_line(call_id, transcript)),
                on_progress=lambda done, total: _fetched(progress, bar, done, total),
            )
        )


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )


def _fetched(progress: Progress, bar: TaskID, done: int, total: int | None) -> None:
    progress.update(bar, completed=done, total=total, visible=True)


def _line(call_id: str, transcript: Transcript) -> str:
    if transcript.state == "done":
        return f"{call_id}: {len(transcript.words)} words"
    return f"{call_id}: {transcript.state}: {transcript.problem}"
