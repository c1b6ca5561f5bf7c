"""G.722 (ITU-T G.722, 64 kbit/s) for one party: FFmpeg's coder by PyAV, resampled to and from 8 kHz.

Its audio has 16 kHz, its RTP clock 8 kHz (RFC 3551 §4.5.2), and an octet carries two samples: so a frame
has as many octets as timestamp units, as G.711's has, and only its contents differ.
"""

import av
import numpy as np

from media.g711 import Samples
from media.resample import Doubler, Halver

SAMPLE_RATE_HZ = 16000


class G722Error(ValueError):
    """A payload that FFmpeg does not take."""


class G722Encoder:
    def __init__(self) -> None:
        self._coder = av.AudioCodecContext.create("g722", "w")
        self._coder.sample_rate = SAMPLE_RATE_HZ
        self._coder.layout = "mono"
        self._coder.format = "s16"
        self._doubler = Doubler()

    def encode(self, samples: Samples) -> bytes:
        """As many octets as 8 kHz ``samples``."""
        frame = av.AudioFrame.from_ndarray(self._doubler.feed(samples)[None], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE_HZ
        return b"".join(bytes(packet) for packet in self._coder.encode(frame))


class G722Decoder:
    def __init__(self) -> None:
        self._coder = av.AudioCodecContext.create("g722", "r")
        self._coder.sample_rate = SAMPLE_RATE_HZ
        self._coder.layout = "mono"
        self._halver = Halver()

    def decode(self, payload: bytes) -> Samples:
        """As many 8 kHz samples as octets."""
        try:
            frames = self._coder.decode(av.Packet(payload))
        except av.FFmpegError as error:
            raise G722Error(f"{len(payload)} octets are no G.722: {error}") from None
        if not frames:
            return np.empty(0, np.int16)
        return self._halver.feed(np.concatenate([frame.to_ndarray()[0] for frame in frames]))
