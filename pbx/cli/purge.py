"""``pbx purge``: what has been kept for as long as the config says is removed."""

import contextlib
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from pbx.cli.database import USUAL_CONFIG, ConfigOption, opened
from pbx.clock import SystemClock
from pbx.store import retention
from pbx.store.calls import Calls
from pbx.store.outbox import OutboxRows
from pbx.store.visitors import VisitorStore

OUTBOX_KEEP = timedelta(days=30)
"""How long the outbox remembers what it delivered or gave up."""


def purge(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    config: ConfigOption = USUAL_CONFIG,
) -> None:
    """Remove recordings older than recording.keep, with their transcripts, agents' availability and stays in
    queues; and visitors not seen for tracking.keep. The calls' rows stay."""
    with opened(config) as (site, engine):
        calls = Calls(engine)
        before = SystemClock().now() - site.config.recording.keep
        removed = failed = freed = 0
        for call_id, recording in calls.recorded_before(before):
            path = site.data_dir / recording
            size = path.stat().st_size if path.is_file() else 0
            if not dry_run:
                try:
                    path.unlink(missing_ok=True)
                except OSError as error:
                    failed += 1
                    typer.echo(f"pbx purge: {recording} of call {call_id} stays: {error}", err=True)
                    continue
                calls.forget_recording(call_id)
                _remove_empty(path.parent, site.data_dir)
            removed += 1
            freed += size
        states, visits = retention.kept_too_long(engine, before)
        if not dry_run:
            retention.remove(engine, before)
        visitors = VisitorStore(engine)
        unseen = SystemClock().now() - site.config.tracking.keep
        forgotten = visitors.old(unseen)
        if not dry_run:
            visitors.forget(unseen)
            OutboxRows(engine).forget(SystemClock().now() - OUTBOX_KEEP)
    verb = "would be removed" if dry_run else "removed"
    typer.echo(f"{removed} recordings from before {before:%Y-%m-%d %H:%M} UTC {verb}, {freed / 1e6:.1f} MB")
    typer.echo(
        f"{states} changes of agents' availability and {visits} stays in queues from before then {verb}"
    )
    typer.echo(f"{forgotten} visitors not seen since {unseen:%Y-%m-%d %H:%M} UTC {verb}")
    raise typer.Exit(1 if failed else 0)


def _remove_empty(folder: Path, top: Path) -> None:
    """The day's folder, its month's and its year's, if nothing is left in them."""
    while folder != top and folder.is_relative_to(top):
        with contextlib.suppress(OSError):
            folder.rmdir()
            folder = folder.parent
            continue
        return
