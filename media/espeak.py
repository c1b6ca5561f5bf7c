"""One text spoken by the espeak-ng library, for machines that have no ``espeak-ng`` command.

The wheel ``espeakng-loader`` carries the library and its voices, but no program. This module is that
program: ``python -m media.espeak VOICE WORDS_A_MINUTE OUT.wav`` reads the text from standard input.
It runs in a process of its own, since the library keeps global state and is C.
"""

import ctypes
import sys
import wave
from pathlib import Path

import espeakng_loader

_SYNCHRONOUS = 2  # espeak_AUDIO_OUTPUT: hand samples to the callback, return when all are made
_RATE = 1  # espeak_PARAMETER
_POS_CHARACTER = 1
_UTF8 = 1
_OK = 0

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class EspeakError(Exception):
    """The library refused; the message says what it was asked."""


def synthesise(text: str, voice: str, words_a_minute: int) -> tuple[int, bytes]:
    """Sample rate and 16-bit mono samples of ``text``. Once a process."""
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate_hz = library.espeak_Initialize(_SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), 0)
    if rate_hz <= 0:
        raise EspeakError(f"espeak_Initialize answered {rate_hz}")
    pieces: list[bytes] = []

    def collect(samples: "ctypes._Pointer[ctypes.c_short]", count: int, _events: object) -> int:
        if count > 0:
            pieces.append(ctypes.string_at(samples, count * 2))
        return 0

    callback = _Callback(collect)  # held until the library is done with it
    library.espeak_SetSynthCallback(callback)
    if library.espeak_SetVoiceByName(voice.encode()) != _OK:
        raise EspeakError(f"there is no voice {voice!r}")
    library.espeak_SetParameter(_RATE, words_a_minute, 0)
    encoded = text.encode() + b"\0"
    if library.espeak_Synth(encoded, len(encoded), 0, _POS_CHARACTER, 0, _UTF8, None, None) != _OK:
        raise EspeakError(f"espeak_Synth refused a text of {len(text)} characters")
    library.espeak_Synchronize()
    return rate_hz, b"".join(pieces)


def main(voice: str, words_a_minute: str, out: str) -> None:
    rate_hz, samples = synthesise(sys.stdin.buffer.read().decode(), voice, int(words_a_minute))
    with wave.open(str(Path(out)), "wb") as file:
        file.setparams((1, 2, rate_hz, 0, "NONE", ""))
        file.writeframes(samples)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except EspeakError as error:
        sys.exit(str(error))
