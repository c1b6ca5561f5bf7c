"""A leg's seat in a room: its edges in the media engine, music while alone, the news of the others."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from media.engine import Edge, EndpointId, FileSource, MediaEngine, Source, Tone
from pbx.legs import Leg
from pbx.rooms import SILENT, TONE, News, RoomSounds, Seat

log = logging.getLogger(__name__)

TONES = {News.JOINED: Tone.JOINED, News.LEFT: Tone.LEFT}


class LegSeat:
    """Hears the others through edges. ``record`` is told whom it hears whenever that changes."""

    def __init__(
        self,
        leg: Leg,
        engine: MediaEngine,
        speak: Callable[[str], Awaitable[Path]],
        sounds: RoomSounds,
        record: Callable[[Sequence[EndpointId]], None],
    ) -> None:
        self.leg = leg
        self._engine = engine
        self._speak = speak
        self._sounds = sounds
        self._record = record
        self._alone = False
        self._news: asyncio.Task[None] | None = None

    def hears(self, others: Sequence[Seat]) -> None:
        mine = self.leg.endpoint
        if mine is None:  # lost its media: it is about to leave
            return
        heard = [seat.leg.endpoint.id for seat in others if isinstance(seat, LegSeat) and seat.leg.endpoint]
        self._engine.set_edges(mine.id, [Edge(each, mine.id) for each in heard])
        self._record(heard)
        was_alone, self._alone = self._alone, not heard
        if self._sounds.music_alone and self._alone:
            self.leg.loop(Tone.MUSIC)
        elif was_alone:
            self.leg.stop_playing()

    def told(self, news: News) -> None:
        sound = self._sounds.of(news)
        if sound == SILENT or (self._alone and self._sounds.music_alone):
            return  # who is alone again learns it from the music
        if self._news is not None:
            self._news.cancel()
        self._news = asyncio.ensure_future(self._tell(news, sound))

    async def _tell(self, news: News, sound: str) -> None:
        try:
            source: Source = TONES[news] if sound == TONE else FileSource(await self._speak(sound))
            await self.leg.play(source)
        except Exception as problem:
            log.error("a room's news could not be told: %r", problem)

    def released(self) -> None:
        if self._news is not None:
            self._news.cancel()
            self._news = None
        if self.leg.endpoint is not None:
            self._engine.set_edges(self.leg.endpoint.id, [])
            self.leg.stop_playing()
