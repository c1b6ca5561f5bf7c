"""From a call's end to its stored transcript, in a server and by ``pbx transcribe``."""

import asyncio
import sqlite3
from datetime import UTC, datetime

import pytest
from sqlmodel import Session
from typer.testing import CliRunner

from pbx.cli import application
from pbx.clock import SystemClock
from pbx.config.load import load
from pbx.events import CallEnded, CallStatus, EventBus, RecordingStarted, TranscriptChanged
from pbx.intelligence import model as models
from pbx.intelligence import service as services
from pbx.intelligence.service import TranscriptionService
from pbx.store.calls import Calls, Transcript
from pbx.store.database import open_engine
from pbx.store.migrations import migrate
from pbx.store.tables import CallRow

AT = datetime(2026, 1, 2, tzinfo=UTC)
SAYS = "could you transfer me to billing"
WITHIN_S = 60


class Office:
    """A site with its database; :meth:`call` puts a recorded call in it."""

    def __init__(self, folder, model, wav):
        (folder / "config.yaml").write_text(f"transcription: {{model: {model}}}\n")
        self.config = folder / "config.yaml"
        self.site = load(self.config)
        self.wav = wav
        self.site.data_dir.mkdir(parents=True, exist_ok=True)
        self.database = open_engine(self.site.database_url)
        migrate(self.database)
        self.calls = Calls(self.database)
        self.bus = EventBus()
        self.heard = []
        self.bus.subscribe(self.heard.append)

    def call(self, call_id, state="pending", *, recorded=True):
        path = f"recordings/{call_id}.wav"
        (self.site.data_dir / "recordings").mkdir(exist_ok=True)
        if recorded:
            (self.site.data_dir / path).write_bytes(self.wav.read_bytes())
        with Session(self.database) as session:
            session.add(
                CallRow(
                    id=call_id,
                    direction="inbound",
                    from_number="+12125550999",
                    to_number="+12125550100",
                    trunk="carrier",
                    sip_call_id=call_id,
                    flow="main",
                    source="direct",
                    status="answered",
                    ended_ms=1,
                    recording=path if recorded else None,
                    recording_ms=1000 if recorded else None,
                    transcript_state=state if recorded else None,
                )
            )
            session.commit()
        return path

    def text(self, call_id):
        transcript = self.calls.transcript(call_id)
        return transcript.state, " ".join(word.word for word in transcript.words)

    def serve(self, story):
        """Run ``story(service, changes)`` beside the service; ``changes`` are its events, as a queue."""

        async def main():
            changes = asyncio.Queue()
            self.bus.subscribe(
                lambda event: changes.put_nowait(event) if isinstance(event, TranscriptChanged) else None
            )
            service = TranscriptionService(self.site, self.bus, SystemClock())
            try:
                async with asyncio.timeout(WITHIN_S):
                    await service.start()
                    return await story(service, changes)
            finally:
                await service.close()

        return asyncio.run(main())


@pytest.fixture
def office(tmp_path, model, sample, recording, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(models, "PUBLISHED_AT", "http://127.0.0.1:9/models")
    made = []

    def make(the_model=model):
        made.append(Office(tmp_path, the_model, recording(sample(6), sample(6)[:0])))
        return made[-1]

    yield make
    for each in made:
        each.database.dispose()


def end(office, call_id, path):
    office.bus.publish(RecordingStarted(call_id=call_id, at=AT, path=path))
    office.bus.publish(
        CallEnded(call_id=call_id, at=AT, status=CallStatus.ANSWERED, cause="", reason="the caller hung up")
    )


class TestServer:
    def test_a_call_that_ends_is_transcribed_stored_and_told(self, office):
        here = office()

        async def story(service, changes):
            path = here.call("a")
            end(here, "a", path)
            return await changes.get()

        changed = here.serve(story)
        assert (changed.call_id, changed.state, changed.words, changed.problem) == ("a", "done", 6, "")
        assert here.text("a") == ("done", SAYS)
        assert {word.speaker for word in here.calls.transcript("a").words} == {"caller"}

    def test_calls_left_by_an_earlier_run_are_found(self, office):
        here = office()
        here.call("a")
        here.call("b")
        here.call("c", "failed")
        here.call("d", recorded=False)

        async def story(service, changes):
            return {(await changes.get()).call_id for _ in range(2)}

        assert here.serve(story) == {"a", "b"}
        assert here.calls.transcript("c").state == "failed"

    def test_without_internet_calls_have_no_model_and_the_log_says_what_to_do(self, office, caplog):
        here = office("vosk-model-of-nobody")

        async def story(service, changes):
            end(here, "a", here.call("a"))
            return await changes.get()

        changed = here.serve(story)
        assert changed.state == "no_model"
        assert "vosk-model-of-nobody.zip cannot be reached" in changed.problem
        assert here.calls.transcript("a").problem == changed.problem
        assert "calls get no transcripts" in caplog.text
        assert "download http://127.0.0.1:9/models/vosk-model-of-nobody.zip where there is" in caplog.text

    def test_a_model_put_in_place_is_used_without_a_restart(self, office, model):
        here = office("vosk-model-by-hand")

        async def story(service, changes):
            end(here, "a", here.call("a"))
            states = [(await changes.get()).state]
            (here.site.data_dir / "models").mkdir(exist_ok=True)
            (here.site.data_dir / "models" / "vosk-model-by-hand").symlink_to(model)
            end(here, "b", here.call("b"))
            return [*states, (await changes.get()).state]

        assert here.serve(story) == ["no_model", "done"]

    def test_a_database_that_is_locked_gets_the_transcript_later(self, office, monkeypatch):
        here = office()
        path = here.call("a", "failed")
        monkeypatch.setattr("pbx.store.database.READER_BUSY_S", 0.01)
        monkeypatch.setattr(services, "KEEP_AGAIN_AFTER_S", (0.05,) * 100)
        lock = sqlite3.connect(here.site.data_dir / "pbx.db", isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")

        def unlock(record):
            lock.rollback()
            return True

        async def story(service, changes):
            services.log.addFilter(unlock)
            try:
                end(here, "a", path)
                return await changes.get()
            finally:
                services.log.removeFilter(unlock)
                lock.close()

        assert here.serve(story).state == "done"
        assert here.text("a") == ("done", SAYS)


class TestCommand:
    def run(self, office, *arguments):
        result = CliRunner().invoke(
            application(("transcribe",)), ["transcribe", *arguments, "--config", str(office.config)]
        )
        return result.exit_code, result.output

    def test_it_catches_up(self, office):
        here = office()
        for call_id, state in (("a", "no_model"), ("b", "pending"), ("c", "done")):
            here.call(call_id, state)
        here.calls.save_transcript("c", Transcript("done"), AT)
        code, said = self.run(here)
        assert (code, sorted(said.split("\n"))) == (0, ["", "a: 6 words", "b: 6 words"])
        assert [here.text(call_id) for call_id in "abc"] == [("done", SAYS), ("done", SAYS), ("done", "")]

    def test_nothing_to_do(self, office):
        assert self.run(office()) == (0, "every recorded call has its transcript\n")

    def test_calls_named_are_done_again_and_a_failure_is_exit_1(self, office):
        here = office()
        here.call("a", "done")
        (here.site.data_dir / here.call("b", "done")).unlink()
        code, said = self.run(here, "a", "b")
        assert code == 1
        assert "a: 6 words\n" in said
        assert "b: failed: the recording cannot be read: No such file or directory" in said

    def test_calls_that_cannot_be_transcribed_are_named(self, office):
        here = office()
        here.call("mute", recorded=False)
        assert self.run(here, "nobody") == (1, "pbx transcribe: there is no call nobody\n")
        assert self.run(here, "mute") == (1, "pbx transcribe: call mute was not recorded\n")

    def test_without_a_model_nothing_changes_and_it_says_what_to_do(self, office):
        here = office("vosk-model-of-nobody")
        here.call("a", "failed")
        code, said = self.run(here)
        assert code == 1
        assert "pbx transcribe: http://127.0.0.1:9/models/vosk-model-of-nobody.zip cannot be reached" in said
        assert here.calls.transcript("a").state == "failed"
