"""Something being played to one far end, a frame at a time."""

import numpy as np

from media.coding import encode_frames
from media.engine import Codec, PlaybackId
from media.g711 import Samples
from media.rtp import FRAME_SAMPLES


class Clip:
    """A sound in memory, encoded at most once per codec and shared by all that play it."""

    def __init__(self, samples: Samples) -> None:
        frames = max(1, -(-len(samples) // FRAME_SAMPLES))
        self.samples: Samples = np.zeros(frames * FRAME_SAMPLES, np.int16)
        self.samples[: len(samples)] = samples
        self._encoded: dict[Codec, list[bytes]] = {}

    def encoded(self, codec: Codec) -> list[bytes]:
        """The frames as they go on the wire."""
        frames = self._encoded.get(codec)
        if frames is None:
            frames = self._encoded[codec] = encode_frames(codec, self.samples)
        return frames


class Playback:
    """One playing of a clip."""

    __slots__ = ("_at", "_clip", "_loop", "id")

    def __init__(self, playback: PlaybackId, clip: Clip, *, loop: bool) -> None:
        self.id = playback
        self._clip = clip
        self._loop = loop
        self._at = 0

    @property
    def ended(self) -> bool:
        return self._at >= len(self._clip.samples)

    def octets(self, codec: Codec) -> bytes:
        """The next frame as it goes on the wire."""
        at = self._step()
        return self._clip.encoded(codec)[at // FRAME_SAMPLES]

    def samples(self) -> Samples:
        """The next frame, to be mixed."""
        at = self._step()
        return self._clip.samples[at : at + FRAME_SAMPLES]

    def _step(self) -> int:
        at = self._at
        self._at = at + FRAME_SAMPLES
        if self._loop and self.ended:
            self._at = 0
        return at
