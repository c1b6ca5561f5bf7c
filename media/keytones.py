"""Keys as sound (ITU-T Q.23), for far ends that take no telephone-events."""

import numpy as np

from media.dtmf import KEYS
from media.g711 import SAMPLE_RATE_HZ, Samples

_FREQUENCIES_HZ = {
    key: (row, column)
    for row, keys in ((697, "123A"), (770, "456B"), (852, "789C"), (941, "*0#D"))
    for key, column in zip(keys, (1209, 1336, 1477, 1633), strict=True)
}
_AMPLITUDE = 7000  # about -10 dBm0 a tone, as RFC 4733's usual volume of 10
GAP_MS = 100

assert set(_FREQUENCIES_HZ) == set(KEYS)


def key_tones(keys: str, *, duration_ms: int) -> Samples:
    """Each key of :data:`~media.dtmf.KEYS`, followed by a gap."""
    time_s = np.arange(duration_ms * SAMPLE_RATE_HZ // 1000) / SAMPLE_RATE_HZ
    gap = np.zeros(GAP_MS * SAMPLE_RATE_HZ // 1000, np.int16)
    pieces: list[Samples] = []
    for key in keys.upper():
        phases = 2 * np.pi * np.outer(_FREQUENCIES_HZ[key], time_s)
        pieces += [(np.sin(phases).sum(axis=0) * _AMPLITUDE).astype(np.int16), gap]
    return np.concatenate(pieces) if pieces else gap
