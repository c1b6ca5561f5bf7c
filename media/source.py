"""What can be played, as samples: files are read once and kept, tones are made once.

The cache holds whole prompts as 8 kHz int16 arrays and forgets the least recently played ones when
they outgrow its bound. A file that was changed on disk is another entry, so an admin's new
recording is heard with the next call.
"""

from collections import OrderedDict
from pathlib import Path
from threading import Lock

from media.engine import FileSource, Source
from media.g711 import Samples
from media.tones import tone
from media.wav import read_wav

DEFAULT_CACHE_BYTES = 64 << 20  # an hour and some

_Key = tuple[Path, int, int]


class SourceCache:
    """Loads sources; safe to call from several threads (reading a file is not for the tick's)."""

    def __init__(self, max_bytes: int = DEFAULT_CACHE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[_Key, Samples] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def load(self, source: Source) -> Samples:
        """The source's samples, read-only. Raises :class:`media.wav.NotAWav` or OSError."""
        return self._file(source.path) if isinstance(source, FileSource) else tone(source)

    def _file(self, path: Path) -> Samples:
        status = path.stat()
        key = (path, status.st_mtime_ns, status.st_size)
        with self._lock:
            if (kept := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return kept
        samples = read_wav(path)
        samples.setflags(write=False)
        with self._lock:
            self._keep(key, samples)
        return samples

    def _keep(self, key: _Key, samples: Samples) -> None:
        if samples.nbytes > self._max_bytes or key in self._kept:
            return
        self._kept[key] = samples
        self._bytes += samples.nbytes
        while self._bytes > self._max_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= oldest.nbytes
