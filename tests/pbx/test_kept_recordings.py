"""Recordings take the site's form once their calls are over, also those that an earlier run left."""

import asyncio
from pathlib import Path

import numpy as np

from media.convert import samples_of
from media.wav import write_wav
from pbx.clock import SystemClock
from pbx.events import CallEvent, EventBus, RecordingConverted, RecordingEnded
from pbx.kept_recordings import KeptRecordings
from pbx.store.calls import Calls
from pbx.store.database import open_engine
from pbx.store.writer import CallWriter
from tests.support.made_calls import tracked


def recorded(folder: Path, name: str) -> str:
    write_wav(folder / f"{name}.wav", np.full(1600, 1000, np.int16))
    return f"{name}.wav"


def run(
    folder: Path, form: str, left: list[tuple[str, str]], ended: list[str], converted: int
) -> list[CallEvent]:
    async def scene() -> list[CallEvent]:
        bus, told, done = EventBus(), [], asyncio.Event()

        def hear(event: CallEvent) -> None:
            if isinstance(event, RecordingConverted):
                told.append(event)
                if len(told) == converted:
                    done.set()

        bus.subscribe(hear)
        kept = KeptRecordings(folder, bus, SystemClock(), lambda: form)
        kept.start(left)
        for path in ended:
            bus.publish(RecordingEnded(call_id=path[:-4], at=SystemClock().now(), path=path, duration_s=0.2))
        async with asyncio.timeout(60):
            await done.wait()
        await kept.close()
        return told

    return asyncio.run(scene())


def test_what_an_earlier_run_left_is_converted_behind_the_new(tmp_path: Path) -> None:
    left = [(name, recorded(tmp_path, name)) for name in ("old", "older")]
    told = run(tmp_path, "flac", [("gone", "gone.wav"), *left], [recorded(tmp_path, "new")], 3)
    assert [(event.call_id, event.path) for event in told] == [  # type: ignore[attr-defined]
        ("new", "new.flac"), ("old", "old.flac"), ("older", "older.flac"),
    ]  # fmt: skip
    assert not list(tmp_path.glob("*.wav"))
    rate, samples = samples_of(tmp_path / "old.flac")
    assert (rate, len(samples), int(samples[0, 0])) == (8000, 1600, 1000)


def test_the_store_knows_which_are_still_wav(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'pbx.db'}"

    async def scene() -> None:
        writer = CallWriter(url, tmp_path, SystemClock())
        await writer.start()
        for call_id in ("one", "two"):
            for event in tracked(call_id):
                writer.write(event)
        writer.write(RecordingConverted(call_id="two", at=SystemClock().now(), path="recordings/two.flac"))
        await writer.close()

    asyncio.run(scene())
    engine = open_engine(url)
    try:
        assert Calls(engine).kept_as_wav() == [("one", "recordings/one.wav")]
    finally:
        engine.dispose()
