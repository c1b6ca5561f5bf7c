"""``pbx transcribe``: transcripts for calls that have none yet."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from sqlalchemy.exc import SQLAlchemyError

from pbx.clock import SystemClock
from pbx.config.load import load
from pbx.config.problems import ConfigErrors
from pbx.config.site import Site
from pbx.intelligence.catchup import NotTranscribable, catch_up, wanted
from pbx.intelligence.model import ModelUnavailable
from pbx.store.calls import Calls, Transcript
from pbx.store.database import open_engine


def transcribe(
    call: Annotated[
        list[str] | None,
        typer.Argument(
            help="Ids of calls to transcribe, again if need be. Default: all without a transcript."
        ),
    ] = None,
    config: Annotated[Path, typer.Option(help="The server's config.")] = Path("config.yaml"),
) -> None:
    """Transcribe recorded calls that have no transcript: no model was there, or it failed."""
    try:
        all_done = _transcribe(load(config), call or [])
    except ConfigErrors as errors:
        typer.echo(str(errors), err=True)
        raise typer.Exit(1) from None
    except (ModelUnavailable, NotTranscribable) as problem:
        typer.echo(f"pbx transcribe: {problem}", err=True)
        raise typer.Exit(1) from None
    except SQLAlchemyError as error:
        typer.echo(f"pbx transcribe: the database cannot be used: {error}", err=True)
        raise typer.Exit(1) from None
    raise typer.Exit(0 if all_done else 1)


def _transcribe(site: Site, ids: list[str]) -> bool:
    database = open_engine(site.database_url)
    console = Console(highlight=False)
    try:
        calls = Calls(database)
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
    finally:
        database.dispose()


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=console,
    )


def _fetched(progress: Progress, bar: TaskID, done: int, total: int | None) -> None:
    progress.update(bar, completed=done, total=total, visible=True)


def _line(call_id: str, transcript: Transcript) -> str:
    if transcript.state == "done":
        return f"{call_id}: {len(transcript.words)} words"
    return f"{call_id}: {transcript.state}: {transcript.problem}"
