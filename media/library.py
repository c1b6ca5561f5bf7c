"""Sounds on their way from disk to a playback, without the loop ever waiting for a file.

One thread reads, resamples and encodes; what it has done lies in :attr:`Library.loaded`. Clips are
shared: a prompt that a hundred callers hear at once is encoded once per codec.
"""

import queue
import threading
import weakref
from dataclasses import dataclass

from media.engine import Codec, EndpointId, PlaybackId, Source
from media.g711 import Samples
from media.mailbox import Mailbox
from media.playback import Clip
from media.source import SourceCache


@dataclass(frozen=True, slots=True)
class Order:
    """Somebody wants to hear ``source``."""

    endpoint: EndpointId
    playback: PlaybackId
    source: Source
    loop: bool
    codec: Codec


@dataclass(frozen=True, slots=True)
class Loaded:
    """``clip`` is None when there was a ``problem``."""

    order: Order
    clip: Clip | None
    problem: str = ""


class Library:
    def __init__(self) -> None:
        self.loaded: Mailbox[Loaded] = Mailbox()
        self._orders: queue.SimpleQueue[Order] = queue.SimpleQueue()
        self._sources = SourceCache()
        self._clips: dict[int, Clip] = {}  # by the id of the samples, for as long as they are cached
        threading.Thread(target=self._run, name="library", daemon=True).start()

    def order(self, order: Order) -> None:
        self._orders.put(order)

    def _run(self) -> None:
        while True:
            order = self._orders.get()
            try:
                clip = self._clip(self._sources.load(order.source))
                clip.encoded(order.codec)
            except (OSError, ValueError) as error:
                self.loaded.post(Loaded(order, None, str(error)))
            else:
                self.loaded.post(Loaded(order, clip))

    def _clip(self, samples: Samples) -> Clip:
        clip = self._clips.get(id(samples))
        if clip is None:
            clip = self._clips[id(samples)] = Clip(samples)
            weakref.finalize(samples, self._clips.pop, id(samples), None)
        return clip
