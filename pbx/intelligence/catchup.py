"""Transcripts made afterwards: what ``pbx transcribe`` does, whether or not a server runs."""

import asyncio
from collections.abc import Callable, Sequence

from pbx.clock import Clock
from pbx.config.site import Site
from pbx.intelligence.model import ModelUnavailable, OnProgress
from pbx.intelligence.service import ModelKeeper, model_spec
from pbx.intelligence.transcriber import Transcriber
from pbx.store.calls import Calls, Transcript, Untranscribed

UNDONE = ("pending", "no_model", "failed")

OnTranscript = Callable[[str, Transcript], None]


class NotTranscribable(ValueError):  # noqa: N818 - says what is wrong
    """A call asked for by its id does not exist, or was not recorded."""


def wanted(calls: Calls, ids: Sequence[str]) -> list[Untranscribed]:
    """The calls named, whatever their transcript's state; without names, all that have none."""
    return [_named(calls, call_id) for call_id in ids] if ids else calls.awaiting_transcript(UNDONE)


def _named(calls: Calls, call_id: str) -> Untranscribed:
    row = calls.row(call_id)
    if row is None:
        raise NotTranscribable(f"there is no call {call_id}")
    if not row.recording:
        raise NotTranscribable(f"call {call_id} was not recorded")
    return Untranscribed(row.id, row.recording, row.transcript_state or "")


async def catch_up(
    site: Site,
    calls: Calls,
    these: Sequence[Untranscribed],
    clock: Clock,
    *,
    on_transcript: OnTranscript = lambda call_id, transcript: None,
    on_progress: OnProgress | None = None,
) -> bool:
    """Transcribe and store ``these``; whether all went well.

    Raises ModelUnavailable when there is no model; nothing has changed then.
    """
    done = 0
    no_model = ""

    async def keep(call_id: str, transcript: Transcript) -> None:
        nonlocal done, no_model
        if transcript.state == "no_model":
            no_model = transcript.problem
            return
        await asyncio.to_thread(calls.save_transcript, call_id, transcript, clock.now())
        done += transcript.state == "done"
        on_transcript(call_id, transcript)

    keeper = ModelKeeper(model_spec(site), on_progress)
    transcriber = Transcriber(keeper.find, keep, workers=site.config.transcription.workers)
    try:
        await keeper.find()
        await transcriber.start()
        for call in these:
            transcriber.submit(call.call_id, site.data_dir / call.recording)
        await transcriber.drained()
    finally:
        await transcriber.close()
        await keeper.close()
    if no_model:
        raise ModelUnavailable(no_model)
    return done == len(these)
