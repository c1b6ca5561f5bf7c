"""The worker processes: what they give back, and what happens when they die, hang or find no model."""

import asyncio
import os
import select
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from pbx.intelligence.model import ModelUnavailable
from pbx.intelligence.transcriber import Transcriber

ROOT = Path(__file__).parents[3]
WITHIN_S = 60


class Heard:
    """Where transcripts arrive."""

    def __init__(self):
        self.transcripts = {}

    async def __call__(self, call_id, transcript):
        assert call_id not in self.transcripts
        self.transcripts[call_id] = transcript


@asynccontextmanager
async def transcriber(model, heard, **options):
    async def find():
        if isinstance(model, Exception):
            raise model
        return model

    running = Transcriber(find, heard, **options)
    await running.start()
    try:
        async with asyncio.timeout(WITHIN_S):
            yield running
    finally:
        await running.close()


def run(story):
    heard = Heard()
    asyncio.run(story(heard))
    return heard.transcripts


async def pids_of(running, count):
    while len(running.pids) < count:
        await asyncio.sleep(0.005)
    return running.pids


def wait_for_the_end_of(pid):
    """A process descriptor becomes readable when its process has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], 10)[0])
    finally:
        os.close(descriptor)


@pytest.fixture
def long_call(sample, recording):
    """Recognising it takes far longer than anything the tests do meanwhile."""
    return recording(np.tile(sample(4), 60), name="long.wav")


def test_words_with_times_speakers_and_confidence(model, sample, recording):
    wav = recording(sample(6), np.concatenate((np.zeros(16000, np.int16), sample(6))))

    async def story(heard):
        async with transcriber(model, heard) as running:
            running.submit("a", wav)
            await running.drained()
            assert running.waiting == 0

    transcript = run(story)["a"]
    assert (transcript.state, transcript.problem) == ("done", "")
    for speaker in ("caller", "agent"):
        said = " ".join(word.word for word in transcript.words if word.speaker == speaker)
        assert said == "could you transfer me to billing"


def test_one_process_serves_many_recordings_and_none_runs_before_the_first(model, sample, recording):
    pids = set()

    async def story(heard):
        async with transcriber(model, heard) as running:
            assert running.pids == []
            for call_id in "abc":
                running.submit(call_id, recording(sample(6)))
                await running.drained()
                pids.update(running.pids)

    assert {t.state for t in run(story).values()} == {"done"}
    assert len(pids) == 1
    assert wait_for_the_end_of(pids.pop())


def test_a_call_that_waits_is_not_queued_twice(model, sample, recording):
    wav = recording(sample(6))

    async def story(heard):
        async with transcriber(model, heard) as running:
            for _ in range(3):
                running.submit("a", wav)
            assert running.waiting == 1
            await running.drained()

    assert list(run(story)) == ["a"]  # Heard refuses a second one


def test_the_worker_is_nice_and_has_one_thread(model, long_call, sample, recording):
    async def story(heard):
        async with transcriber(model, heard) as running:
            running.submit("a", recording(sample(6)))
            await running.drained()
            (pid,) = running.pids
            assert os.getpriority(os.PRIO_PROCESS, pid) == 19
            running.submit("b", long_call)
            assert len(os.listdir(f"/proc/{pid}/task")) == 1

    run(story)


def test_a_worker_killed_in_its_work_is_replaced(model, sample, recording):
    async def story(heard):
        async with transcriber(model, heard) as running:
            running.submit("a", recording(np.tile(sample(6), 4)))
            os.kill((await pids_of(running, 1))[0], 9)
            await running.drained()

    transcript = run(story)["a"]
    assert transcript.state == "done"
    assert len(transcript.words) == 24


def test_a_worker_killed_while_idle_is_replaced(model, sample, recording):
    async def story(heard):
        async with transcriber(model, heard) as running:
            for call_id in "ab":
                running.submit(call_id, recording(sample(6)))
                await running.drained()
                os.kill(running.pids[0], 9)

    assert {t.state for t in run(story).values()} == {"done"}


def test_a_recording_that_takes_for_ever_fails_and_its_worker_is_ended(model, long_call):
    async def story(heard):
        async with transcriber(model, heard, recognition_limit_s=0.02) as running:
            running.submit("long", long_call)
            await running.drained()
            assert running.pids == []

    transcript = run(story)["long"]
    assert transcript.state == "failed"
    assert transcript.problem == "the recogniser took more than 0.02 s, 2 times"


@pytest.mark.parametrize(
    ("content", "problem"),
    [(None, "the recording cannot be read: No such file or directory"), (b"nothing", "no WAV file")],
)
def test_a_recording_that_cannot_be_read_fails_at_once(model, tmp_path, content, problem):
    wav = tmp_path / "x.wav"
    if content is not None:
        wav.write_bytes(content)

    async def story(heard):
        async with transcriber(model, heard) as running:
            running.submit("a", wav)
            await running.drained()
            assert len(running.pids) == 1

    transcript = run(story)["a"]
    assert transcript.state == "failed"
    assert problem in transcript.problem


def test_without_a_model_the_transcript_says_so(sample, recording):
    async def story(heard):
        async with transcriber(ModelUnavailable("there is none; put it there"), heard) as running:
            running.submit("a", recording(sample(6)))
            await running.drained()
            assert running.pids == []

    transcript = run(story)["a"]
    assert (transcript.state, transcript.problem) == ("no_model", "there is none; put it there")


@pytest.mark.parametrize("spoil", ["am/final.mdl", "graph/HCLr.fst"])
def test_a_broken_model_is_no_model(model, sample, recording, tmp_path, spoil):
    broken = tmp_path / "broken"
    for file in model.rglob("*"):
        target = broken / file.relative_to(model)
        if file.is_file() and "samples" not in file.parts:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(b"junk" if spoil == str(file.relative_to(model)) else file.read_bytes())

    async def story(heard):
        async with transcriber(broken, heard) as running:
            running.submit("a", recording(sample(6)))
            await running.drained()

    transcript = run(story)["a"]
    assert transcript.state == "no_model"
    assert str(broken) in transcript.problem


def test_a_result_that_cannot_be_kept_does_not_stop_the_others(model, sample, recording, caplog):
    kept = []

    async def keep(call_id, transcript):
        if call_id == "a":
            raise OSError("the disk is full")
        kept.append(call_id)

    async def story():
        async with transcriber(model, keep) as running:
            running.submit("a", recording(sample(6)))
            running.submit("b", recording(sample(6)))
            await running.drained()

    asyncio.run(story())
    assert kept == ["b"]
    assert "the transcript of call a was not kept" in caplog.text


def test_closing_in_mid_work_leaves_no_process(model, long_call):
    pids = []

    async def story(heard):
        async with transcriber(model, heard, workers=2) as running:
            running.submit("a", long_call)
            running.submit("b", long_call)
            pids.extend(await pids_of(running, 2))

    assert run(story) == {}
    assert all(wait_for_the_end_of(pid) for pid in pids)


PARENT = """
import asyncio, sys
from pathlib import Path
from pbx.intelligence.transcriber import Transcriber

async def main():
    async def find(): return Path(sys.argv[1])
    async def keep(*_): pass
    running = Transcriber(find, keep)
    await running.start()
    running.submit("a", Path(sys.argv[2]))
    while not running.pids:
        await asyncio.sleep(0.005)
    print(running.pids[0], flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def test_workers_die_with_a_parent_that_is_killed(model, long_call):
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(model), str(long_call)], stdout=subprocess.PIPE, cwd=ROOT
    ) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        parent.kill()
    assert wait_for_the_end_of(worker)
