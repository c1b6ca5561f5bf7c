"""Real recognition by the test model: word for word, on the right channel, at the right time."""

import csv
import shutil

import numpy as np
import pytest

from media.engine import Codec
from media.g711 import decode, encode
from media.tts import Speech, Voice
from media.wav import NotAWav, read_wav
from pbx.intelligence.recogniser import ModelBroken, Recogniser, model_rate_hz
from tests.pbx.intelligence.conftest import MODEL

WORD_FOR_WORD = (1, 4, 5, 6)  # as the model's README says of its samples
SAYS = {
    int(name.removeprefix("sample").removesuffix(".wav")): text
    for name, text in csv.reader(
        (MODEL / "samples" / "transcripts.tsv").read_text().splitlines(), delimiter="\t"
    )
}


@pytest.fixture(scope="module")
def recogniser():
    return Recogniser(MODEL)


def text(words, speaker=None):
    return " ".join(word["word"] for word in words if speaker in (None, word["speaker"]))


@pytest.mark.parametrize("number", WORD_FOR_WORD)
def test_a_sample_is_recognised_word_for_word(recogniser, sample, recording, number):
    words = recogniser.transcribe(recording(sample(number)), ["caller"])
    assert text(words) == SAYS[number]
    assert all(0 < word["confidence"] <= 1 and word["start"] < word["end"] for word in words)


def test_each_word_has_the_speaker_whose_channel_it_is_on(recogniser, sample, recording):
    wav = recording(sample(6), sample(4))
    words = recogniser.transcribe(wav, ["caller", "agent"])
    assert text(words, "caller") == SAYS[6]
    assert text(words, "agent") == SAYS[4]
    assert [word["start"] for word in words] == sorted(word["start"] for word in words)


def test_times_hold_across_the_silence_that_is_left_out(recogniser, sample, recording):
    silence_s = 95.3
    alone = recogniser.transcribe(recording(sample(1)), ["caller"])
    pause = np.zeros(round(silence_s * 8000), np.int16)
    words = recogniser.transcribe(recording(np.concatenate((pause, sample(1), pause, sample(1)))), ["caller"])
    assert text(words) == f"{SAYS[1]} {SAYS[1]}"
    second = silence_s * 2 + len(sample(1)) / 8000
    starts = [word["start"] for word in words]
    expected = [word["start"] + shift for shift in (silence_s, second) for word in alone]
    assert starts == pytest.approx(expected, abs=0.15)


def test_a_silent_recording_has_no_words(recogniser, recording):
    silence = np.zeros(600 * 8000, np.int16)
    assert recogniser.transcribe(recording(silence, silence), ["caller", "agent"]) == []


def test_a_tail_cut_off_in_mid_sample_is_tolerated(recogniser, sample, recording):
    wav = recording(sample(6), sample(6))
    wav.write_bytes(wav.read_bytes()[:-3])
    assert text(recogniser.transcribe(wav, ["caller", "agent"]), "agent") == SAYS[6]


def test_a_model_for_16_khz_is_fed_16_khz(recogniser, sample, recording, tmp_path):
    wide = tmp_path / "wide"
    shutil.copytree(MODEL, wide)
    conf = wide / "conf" / "mfcc.conf"
    conf.write_text(conf.read_text().replace("--sample-frequency=8000", "--sample-frequency=16000"))
    assert (model_rate_hz(MODEL), model_rate_hz(wide)) == (8000, 16000)
    words = Recogniser(wide).transcribe(recording(sample(6)), ["caller"])
    assert text(words) == SAYS[6]
    assert words[-1]["end"] <= len(sample(6)) / 8000


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "no WAV file"), (b"OggS and so on", "no WAV file"), (b"RIFF\0\0\0\0WAVE", "it says no format")],
)
def test_what_is_no_recording_is_said(recogniser, tmp_path, content, says):
    (tmp_path / "x.wav").write_bytes(content)
    with pytest.raises(NotAWav, match=says):
        recogniser.transcribe(tmp_path / "x.wav", ["caller", "agent"])


def test_a_folder_without_a_model_is_broken(tmp_path):
    with pytest.raises(ModelBroken, match="cannot be loaded as a Vosk model"):
        Recogniser(tmp_path)


SENTENCES = (
    "i would like to book an appointment for monday",
    "can you repair my boiler today",
    "thank you for calling how can i help you",
    "the number is two one two five five five",
)
VOICES = ("en-us", "en-us+f4", "en-us+m3", "en-us+anika")


@pytest.mark.parametrize("codec", [Codec.PCMU, Codec.PCMA])
def test_espeak_through_a_telephone(recogniser, recording, tmp_path, codec):
    """Sentences spoken now, by voices that the model's training never heard: nine words in ten are right."""
    said, missed = [], []
    for sentence, voice in zip(SENTENCES, VOICES, strict=True):
        spoken = read_wav(Speech(tmp_path, voice=Voice(voice)).speak_now(sentence))
        line = decode(codec, encode(codec, spoken))
        heard = text(recogniser.transcribe(recording(np.pad(line, 4000)), ["caller"])).split()
        said += sentence.split()
        missed += [word for word in sentence.split() if word not in heard]
    assert len(missed) <= 0.1 * len(said), missed
