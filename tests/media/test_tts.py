"""Prompts by espeak-ng: by its command, by its library, made once, and what happens without either."""

import asyncio
import importlib.util
import os
import shutil
import sys

import numpy as np
import pytest

from media.tts import PEAK, Speech, SpeechUnavailable, Voice
from media.wav import read_wav

WAYS = [
    pytest.param(
        "command",
        marks=pytest.mark.skipif(not shutil.which("espeak-ng"), reason="needs apt install espeak-ng"),
    ),
    pytest.param(
        "library",
        marks=pytest.mark.skipif(
            not importlib.util.find_spec("espeakng_loader"), reason="needs the wheel espeakng-loader"
        ),
    ),
]


@pytest.fixture(params=WAYS)
def way(request, monkeypatch):
    if request.param == "library":
        monkeypatch.setenv("PATH", "")
    return request.param


@pytest.fixture
def recorder(tmp_path):
    """A program in espeak-ng's place that notes each call and speaks a rectangle wave with silent ends."""
    script = tmp_path / "recorder.py"
    script.write_text(
        "import sys, time, wave\n"
        "text = sys.stdin.read()\n"
        f"open({str(tmp_path / 'calls')!r}, 'a').write(text + '\\n')\n"
        "if text == 'fail': sys.exit('no such voice')\n"
        "with wave.open(sys.argv[-1], 'wb') as out:\n"
        "    out.setparams((1, 2, 8000, 0, 'NONE', ''))\n"
        "    out.writeframes(bytes(16000) + b'\\x00\\x10\\x00\\xf0' * 4000 + bytes(16000))\n"
    )
    return [sys.executable, str(script)]


def calls(tmp_path):
    return (tmp_path / "calls").read_text().splitlines()


class TestWithEspeak:
    def test_a_text_becomes_a_telephone_prompt(self, way, tmp_path):
        spoken = read_wav(Speech(tmp_path).speak_now("Thank you for calling Acme Plumbing."))
        assert 1.0 < len(spoken) / 8000 < 4.0
        assert np.abs(spoken).max() == pytest.approx(PEAK * 32767, abs=1)

    def test_a_longer_text_is_longer_speech_and_a_faster_voice_shorter(self, way, tmp_path):
        text = "Press one for sales, two for support."
        usual = read_wav(Speech(tmp_path).speak_now(text))
        twice = read_wav(Speech(tmp_path).speak_now(f"{text} {text}"))
        fast = read_wav(Speech(tmp_path, voice=Voice(words_a_minute=300)).speak_now(text))
        assert len(fast) < len(usual) < len(twice)

    def test_a_text_is_never_an_option(self, way, tmp_path):
        assert len(read_wav(Speech(tmp_path).speak_now("--help $(touch x) `touch x` ; touch x"))) > 8000

    def test_a_text_without_words_is_silence(self, way, tmp_path):
        assert not read_wav(Speech(tmp_path).speak_now(" ")).any()

    def test_an_unknown_voice_is_said(self, way, tmp_path):
        with pytest.raises(SpeechUnavailable, match=r"ended with \d+ and said: .*voice"):
            Speech(tmp_path, voice=Voice("xx-none")).speak_now("hello")


class TestCache:
    def test_silent_ends_are_cut(self, recorder, tmp_path):
        spoken = read_wav(Speech(tmp_path / "cache", command=recorder).speak_now("hello"))
        assert len(spoken) == 8000 + 2 * 400

    def test_a_text_is_made_once(self, recorder, tmp_path):
        speech = Speech(tmp_path / "cache", command=recorder)
        assert speech.speak_now("hello") == speech.speak_now("hello") == asyncio.run(speech.speak("hello"))
        assert Speech(tmp_path / "cache", command=recorder).speak_now("hello") == speech.path_for("hello")
        assert calls(tmp_path) == ["hello"]

    def test_voice_and_speed_make_another_file(self, tmp_path):
        voices = [Voice(), Voice("en-gb"), Voice(words_a_minute=100)]
        assert len({Speech(tmp_path, voice=voice).path_for("hello") for voice in voices}) == 3

    def test_requests_at_once_for_one_text_run_once(self, recorder, tmp_path):
        speech = Speech(tmp_path / "cache", command=recorder)

        async def ask():
            return await asyncio.gather(*(speech.speak(text) for text in ["a", "b", "a", "a", "b"]))

        paths = asyncio.run(ask())
        assert len(set(paths)) == 2
        assert sorted(calls(tmp_path)) == ["a", "b"]

    def test_one_who_gives_up_does_not_stop_the_others(self, recorder, tmp_path):
        speech = Speech(tmp_path / "cache", command=recorder)

        async def ask():
            impatient, patient = (asyncio.create_task(speech.speak("a")) for _ in range(2))
            await asyncio.sleep(0)
            impatient.cancel()
            return await patient

        assert asyncio.run(ask()).exists()
        assert calls(tmp_path) == ["a"]

    def test_a_failure_leaves_nothing_and_is_tried_again(self, recorder, tmp_path):
        speech = Speech(tmp_path / "cache", command=recorder)
        for _ in range(2):
            with pytest.raises(SpeechUnavailable, match="ended with 1 and said: no such voice"):
                asyncio.run(speech.speak("fail"))
        assert list((tmp_path / "cache").iterdir()) == []
        assert calls(tmp_path) == ["fail", "fail"]


class TestBadDays:
    def test_without_espeak_the_remedy_is_named(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PATH", "")
        monkeypatch.setitem(sys.modules, "espeakng_loader", None)
        with pytest.raises(SpeechUnavailable, match=r"no espeak-ng on this machine: .*apt install"):
            Speech(tmp_path).speak_now("hello")

    def test_but_what_was_made_before_is_still_there(self, recorder, tmp_path):
        made = Speech(tmp_path, command=recorder).speak_now("hello")
        assert Speech(tmp_path, command=["/nonexistent/espeak"]).speak_now("hello") == made

    def test_a_command_that_does_not_run(self, tmp_path):
        with pytest.raises(SpeechUnavailable, match=r"/nonexistent/espeak does not run \(No such file"):
            Speech(tmp_path, command=["/nonexistent/espeak"]).speak_now("hello")

    def test_a_folder_that_cannot_be_written(self, recorder, tmp_path):
        (tmp_path / "cache").write_text("a file")
        with pytest.raises(SpeechUnavailable, match=r"cannot keep prompts in .*cache: File exists"):
            Speech(tmp_path / "cache", command=recorder).speak_now("hello")

    def test_a_text_without_end(self, recorder, tmp_path):
        with pytest.raises(SpeechUnavailable, match="5001 characters, at most 5000"):
            Speech(tmp_path, command=recorder).speak_now("a" * 5001)


def test_what_is_not_to_be_kept_is_made_anew_and_is_its_askers(recorder, tmp_path):
    speech = Speech(tmp_path / "cache", command=recorder)

    async def main():
        one = await speech.speak("You entered 4 0 7", keep=False)
        two = await speech.speak("You entered 4 0 7", keep=False)
        return one, two

    one, two = asyncio.run(main())
    assert one != two
    assert one.exists()
    speech.clear()
    assert not one.exists()
    assert not two.exists()


def test_who_gives_up_on_a_text_that_is_not_kept_leaves_no_file(recorder, tmp_path):
    speech = Speech(tmp_path / "cache", command=recorder)

    async def main():
        asking = asyncio.ensure_future(speech.speak("You entered 4 0 7", keep=False))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait((asking,))

    asyncio.run(main())  # ends with its threads
    assert list((speech.path_for("x").parent / "passing").glob("*.wav")) == []


def test_only_the_texts_that_were_asked_for_last_are_kept(recorder, tmp_path, monkeypatch):
    speech = Speech(tmp_path / "cache", command=recorder)
    monkeypatch.setattr("media.tts.MOST_KEPT", 2)
    one, two, three = (speech.path_for(text) for text in ("one", "two", "three"))

    async def main():
        for text, at in (("one", 100), ("two", 200)):
            os.utime(await speech.speak(text), (at, at))
        await speech.speak("one")  # again
        await speech.speak("three")

    asyncio.run(main())
    assert [path.exists() for path in (one, two, three)] == [True, False, True]
