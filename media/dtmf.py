"""DTMF as RFC 4733 telephone-events: four octets a packet.

::

    0                   1                   2                   3
    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
   |     event     |E|R| volume    |          duration             |
   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

All packets of one press carry the RTP timestamp of its start (§2.2); the duration grows from packet
to packet, the last is sent three times with the E bit (§2.5.1.4), and a press longer than the
duration's 16 bits goes on in a new *segment*, whose timestamp is where the last one ended
(§2.5.1.3). So a timestamp names a press: :class:`EventReceiver` reports it with the first packet
that arrives, be it the start, a middle or an end, and whatever else comes with that timestamp,
late or repeated, is the same press.

Keys heard as sound in the audio are :mod:`media.inband`'s.
"""

import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

KEYS = "0123456789*#ABCD"  # §3.2, table 3: a key's event code is its place
PAYLOAD = struct.Struct("!BBH")
CLOCK_RATE_HZ = 8000  # unless the audio beside it has another (§2.1)
MAX_DURATION = 0xFFFF
END_TRANSMISSIONS = 3

_END = 0x80
_VOLUME = 0x3F
_TIMESTAMPS = 1 << 32
_REMEMBERED = 16  # presses whose late packets are still known


class DtmfError(ValueError):
    """Not a telephone-event payload, or not a key."""


@dataclass(frozen=True, slots=True)
class TelephoneEvent:
    """One packet's payload; ``volume_dbm0`` is the power below 0 dBm0, ``duration`` in timestamp units."""

    event: int
    end: bool
    volume_dbm0: int
    duration: int

    @property
    def key(self) -> str | None:
        """The key pressed; None for an event that is no key (a hook flash, a fax tone)."""
        return KEYS[self.event] if self.event < len(KEYS) else None


def parse_event(payload: bytes) -> TelephoneEvent:
    """Octets past the fourth are ignored, as §2.3 allows extensions to be."""
    if len(payload) < PAYLOAD.size:
        raise DtmfError(f"telephone-event of {len(payload)} octets, {PAYLOAD.size} needed")
    event, flags, duration = PAYLOAD.unpack_from(payload)
    return TelephoneEvent(event, bool(flags & _END), flags & _VOLUME, duration)


def build_event(event: TelephoneEvent) -> bytes:
    if not (0 <= event.event <= 255 and 0 <= event.volume_dbm0 <= _VOLUME):
        raise DtmfError(f"event {event.event} (0 to 255), volume {event.volume_dbm0} (0 to {_VOLUME})")
    flags = (_END if event.end else 0) | event.volume_dbm0
    return PAYLOAD.pack(event.event, flags, min(event.duration, MAX_DURATION))


class EventReceiver:
    """Turns one stream's packets into presses, each reported once."""

    def __init__(self) -> None:
        self._known: deque[int] = deque(maxlen=_REMEMBERED)
        self._latest: tuple[int, TelephoneEvent] | None = None

    def feed(self, timestamp: int, payload: bytes) -> str | None:
        """The key whose press this packet is the first sign of, else None.

        Raises :class:`DtmfError` for a payload that is too short.
        """
        event = parse_event(payload)
        is_new = timestamp not in self._known and not self._continues(timestamp, event)
        if timestamp not in self._known:
            self._known.append(timestamp)
        self._latest = (timestamp, event)
        return event.key if is_new else None

    def _continues(self, timestamp: int, event: TelephoneEvent) -> bool:
        """Whether this starts a new segment of the press we are in."""
        if self._latest is None:
            return False
        started, latest = self._latest
        return (
            event.event == latest.event
            and not latest.end
            and timestamp == (started + MAX_DURATION) % _TIMESTAMPS
        )


@dataclass(frozen=True, slots=True)
class EventPacket:
    """What to send in one tick; it takes the stream's next sequence number, as each packet does."""

    payload: bytes
    timestamp: int
    marker: bool


class EventSender:
    """The packets of some key presses: an iterator with one item a packet time.

    ``timestamp`` is the stream's RTP timestamp at the first item. It goes on by ``ptime_ms`` with
    each, events or not, so that audio sent in the gaps (where an item is None) stays in time.
    """

    def __init__(
        self,
        keys: str,
        *,
        timestamp: int,
        duration_ms: int = 160,
        gap_ms: int = 100,
        ptime_ms: int = 20,
        volume_dbm0: int = 10,
        clock_rate_hz: int = CLOCK_RATE_HZ,
    ) -> None:
        if wrong := sorted(set(keys.upper()) - set(KEYS)):
            raise DtmfError(f"no DTMF key: {' '.join(wrong)}; keys are {KEYS}")
        self._keys = keys.upper()
        self._timestamp = timestamp
        self._ticks_on = max(1, -(-duration_ms // ptime_ms))
        # The end's repetitions fall into the gap, which must still hold some silence.
        self._ticks_off = max(END_TRANSMISSIONS, -(-gap_ms // ptime_ms))
        self._units = ptime_ms * clock_rate_hz // 1000
        self._volume_dbm0 = volume_dbm0
        self._items = self._run()

    def __iter__(self) -> Iterator[EventPacket | None]:
        return self

    def __next__(self) -> EventPacket | None:
        return next(self._items)

    def _run(self) -> Iterator[EventPacket | None]:
        start = self._timestamp
        for key in self._keys:
            yield from self._press(KEYS.index(key), start % _TIMESTAMPS)
            start += (self._ticks_on + self._ticks_off) * self._units

    def _press(self, code: int, start: int) -> Iterator[EventPacket | None]:
        for tick in range(1, self._ticks_on + 1):
            yield self._packet(code, start, tick, marker=tick == 1)
        for tick in range(1, self._ticks_off + 1):
            yield self._packet(code, start, self._ticks_on) if tick < END_TRANSMISSIONS else None

    def _packet(self, code: int, start: int, ticks: int, *, marker: bool = False) -> EventPacket:
        event = TelephoneEvent(code, ticks == self._ticks_on, self._volume_dbm0, ticks * self._units)
        return EventPacket(build_event(event), start, marker)
