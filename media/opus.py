"""Opus (RFC 6716) for one party, at 8 kHz: libopus, called by ctypes.

PyAV's wheel brings libopus, but PyAV itself offers neither concealment nor forward error correction,
and only 48 kHz; the library's own interface, unchanged since its first release, has all three. Opus is
fullband on the wire whatever either side makes of it: a decoder may be opened at 8 kHz, and so may
an encoder, which then sends narrowband that every receiver plays (RFC 7587 §4.1).

Two who both speak Opus are relayed and never come here, so that they keep their full band; only what is
mixed, recorded or told to a codec of the telephone network does, and that is 8 kHz at its other end.
Measured on real speech: a frame at 16 kHz costs 70 % more to encode and half as much again to decode.
"""

import ctypes
import ctypes.util
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np

from media.g711 import SAMPLE_RATE_HZ, Samples

FRAME = SAMPLE_RATE_HZ // 50
MAX_FRAME = SAMPLE_RATE_HZ * 120 // 1000  # the longest packet (RFC 6716 §3.2.5)
MAX_PACKET = 1275
BITRATE = 24_000
COMPLEXITY = 3  # of 10; half the work of 9 for a difference that narrowband speech hardly shows
EXPECTED_LOSS = 10  # percent: makes the encoder add forward error correction

_VOIP = 2048
_SET_BITRATE, _SET_COMPLEXITY, _SET_FEC, _SET_LOSS = 4002, 4010, 4012, 4014


class OpusError(ValueError):
    """A payload that is no Opus, or a library that is not there."""


@cache
def _library() -> ctypes.CDLL:
    bundled = sorted((Path(av.__file__).parent.parent / "av.libs").glob("libopus-*.so*"))
    name = str(bundled[0]) if bundled else ctypes.util.find_library("opus")
    if name is None:
        raise OpusError("libopus is not there: install PyAV from its wheel, or Debian's libopus0")
    library = ctypes.CDLL(name)
    pointer, integer = ctypes.c_void_p, ctypes.c_int
    for function, result, arguments in (
        ("opus_encoder_create", pointer, (ctypes.c_int32, integer, integer, pointer)),
        ("opus_decoder_create", pointer, (ctypes.c_int32, integer, pointer)),
        ("opus_encoder_destroy", None, (pointer,)),
        ("opus_decoder_destroy", None, (pointer,)),
        ("opus_encode", ctypes.c_int32, (pointer, pointer, integer, ctypes.c_char_p, ctypes.c_int32)),
        ("opus_decode", integer, (pointer, ctypes.c_char_p, ctypes.c_int32, pointer, integer, integer)),
        ("opus_packet_get_nb_samples", integer, (ctypes.c_char_p, ctypes.c_int32, ctypes.c_int32)),
    ):
        getattr(library, function).restype = result
        getattr(library, function).argtypes = arguments
    return library


def _opened(state: Any) -> ctypes.c_void_p:
    if not state:
        raise OpusError("libopus has no memory left")
    return ctypes.c_void_p(state)


class OpusEncoder:
    def __init__(self) -> None:
        self._library = _library()
        self._state = _opened(self._library.opus_encoder_create(SAMPLE_RATE_HZ, 1, _VOIP, None))
        self._packet = ctypes.create_string_buffer(MAX_PACKET)
        for request, value in (
            (_SET_BITRATE, BITRATE),
            (_SET_COMPLEXITY, COMPLEXITY),
            (_SET_FEC, 1),
            (_SET_LOSS, EXPECTED_LOSS),
        ):
            self._library.opus_encoder_ctl(self._state, request, ctypes.c_int32(value))

    def __del__(self) -> None:
        if hasattr(self, "_state"):
            self._library.opus_encoder_destroy(self._state)

    def encode(self, samples: Samples) -> bytes:
        """One frame of 20 ms, as one packet."""
        frame = np.ascontiguousarray(samples, np.int16)
        size = self._library.opus_encode(self._state, frame.ctypes.data, FRAME, self._packet, MAX_PACKET)
        if size < 0:
            raise OpusError(f"libopus cannot encode {len(frame)} samples: error {size}")
        return self._packet.raw[:size]


class OpusDecoder:
    def __init__(self) -> None:
        self._library = _library()
        self._state = _opened(self._library.opus_decoder_create(SAMPLE_RATE_HZ, 1, None))

    def __del__(self) -> None:
        if hasattr(self, "_state"):
            self._library.opus_decoder_destroy(self._state)

    def decode(self, payload: bytes) -> Samples:
        """What a packet says, however long. Raises OpusError."""
        return self._decode(payload, MAX_FRAME, 0)

    def recover(self, payload: bytes, samples: int) -> Samples:
        """What ``payload`` still knows of the ``samples`` before it, which never came; else a guess."""
        return self._decode(payload, samples, 1)

    def conceal(self, samples: int) -> Samples:
        """A guess at what never came."""
        return self._decode(None, samples, 0)

    def _decode(self, payload: bytes | None, room: int, recover: int) -> Samples:
        samples = np.empty(room, np.int16)
        size = len(payload) if payload else 0
        count = self._library.opus_decode(self._state, payload, size, samples.ctypes.data, room, recover)
        if count < 0:
            raise OpusError(f"{size} octets are no Opus packet: error {count}")
        return samples[:count]
