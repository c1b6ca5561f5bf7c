"""A conversation as a two-channel WAV, and its words with the times at which they are spoken.

Each word is a short hum with a syllable's rise and fall, so that what the waveform shows, and when
the transcript's words light up, is known exactly and needs no speech engine.
"""

import wave
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from pbx.store.calls import Word

RATE_HZ = 8000
PITCH_HZ = {"caller": 190.0, "agent": 120.0}

PLUMBING = (
    ("agent", "acme plumbing this is alice how can i help"),
    ("caller", "hi i have a burst pipe under the kitchen sink and the floor is flooding"),
    ("agent", "oh dear can you reach the main valve it is usually near the meter"),
    ("caller", "i turned it off but there is still some water coming"),
    ("agent", "that is what is left in the line it will stop in a few minutes"),
    ("agent", "we can have somebody with you today between two and four would that work"),
    ("caller", "yes today is perfect thank you"),
    ("agent", "may i have your address please"),
    ("caller", "fourteen mercer street second floor"),
    ("agent", "got it you have an appointment for today and the plumber will call ahead"),
    ("caller", "great thank you so much bye"),
    ("agent", "you are welcome bye bye"),
)


def spoken(lines: Iterable[tuple[str, str]]) -> list[Word]:
    """Lines one after the other, half a second apart; a word lasts as long as it is."""
    words = []
    at = 0.4
    for speaker, line in lines:
        for number, text in enumerate(line.split()):
            end = at + 0.12 + 0.045 * len(text)
            confidence = 0.41 if text == "meter" else 0.97 - 0.02 * (number % 5)
            words.append(Word(text, round(at, 3), round(end, 3), speaker, round(confidence, 2)))
            at = end + 0.06
        at += 0.5
    return words


def write(path: Path, words: list[Word], tail_s: float = 0.6) -> float:
    """The WAV: caller left, agent right, 16 bits at 8 kHz. Returns its seconds."""
    frames = round((words[-1].end + tail_s) * RATE_HZ)
    sound = np.zeros((frames, 2))
    random = np.random.default_rng(7)
    for word in words:
        first, last = round(word.start * RATE_HZ), round(word.end * RATE_HZ)
        time_s = np.arange(last - first) / RATE_HZ
        envelope = np.sin(np.pi * np.linspace(0, 1, last - first)) ** 0.6
        pitch = PITCH_HZ[word.speaker] * random.uniform(0.9, 1.15)
        hum = sum(np.sin(2 * np.pi * pitch * k * time_s) / k for k in (1, 2, 3, 5))
        loudness = random.uniform(0.12, 0.42)
        sound[first:last, 0 if word.speaker == "caller" else 1] += loudness * envelope * hum
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((np.clip(sound, -1, 1) * 32000).astype("<i2").tobytes())
    return frames / RATE_HZ
