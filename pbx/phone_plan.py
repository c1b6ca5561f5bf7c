"""What the softphone is to do, and how what it heard is measured; needs no pjsua2."""

import json
import wave
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

FRAME_S = 0.02
AUDIBLE_RMS = 300.0
"""Of 32767: below this a frame is line noise, not speech."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the phone is to do.

    ``call`` is a SIP URI to dial, after registering if there is a ``registrar``; without it the phone
    registers (or just listens on ``port``) and answers what rings after ``answer_after_s``, or rejects it.
    A key of ``press`` is a digit, ``*``, ``#`` or a comma (one second's pause). ``codec`` is the only one
    spoken, if given; ``srtp`` insists on SDES. Times in seconds; a limit of 0 means none. ``transfer_to`` is
    a SIP URI to which the call is transferred; with ``consult``, that is called first, and the two are
    joined: as soon as it rings with ``transfer_ringing``, by the second call's dialog with
    ``transfer_by_second``. ``replaces`` is the Replaces of the call that is made (RFC 3891).
    """

    address: str = "127.0.0.1"
    port: int = 0
    transport: str = "udp"
    id_uri: str = "sip:phone@127.0.0.1"
    call: str = ""
    proxy: str = ""
    registrar: str = ""
    username: str = ""
    password: str = ""
    press: str = ""
    press_after_s: float = 2.0
    play: str = ""
    record: str = ""
    codec: str = ""
    srtp: bool = False
    answer_after_s: float = 0.5
    reject_with: int = 0
    hang_up_after_s: float = 0.0
    give_up_after_s: float = 60.0
    run_for_s: float = 0.0
    hold_after_s: float = 0.0
    hold_for_s: float = 2.0
    transfer_to: str = ""
    consult: bool = False
    transfer_ringing: bool = False
    transfer_by_second: bool = False
    transfer_after_s: float = 1.5
    replaces: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Heard:
    """What a recording holds: its length, and how much of it is louder than line noise."""

    seconds: float
    audible_s: float

    @property
    def speech(self) -> bool:
        """At least half a second of sound that comes and goes: a tone alone does not count."""
        return self.audible_s >= 0.5


def listen_to(path: Path) -> Heard:
    """Measure a 16-bit WAV file."""
    with wave.open(str(path)) as file:
        rate = file.getframerate()
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")[:: file.getnchannels()]
    frame = int(rate * FRAME_S)
    whole = samples[: len(samples) // frame * frame].reshape(-1, frame).astype(np.float64)
    loud = np.sqrt((whole**2).mean(axis=1)) > AUDIBLE_RMS if len(whole) else np.zeros(0, dtype=bool)
    return Heard(len(samples) / rate, float(loud.sum() * FRAME_S))
