"""Who hears whom: turns edges, playbacks and keys into one :class:`~media.session.Mode` per far end.

A far end that hears exactly one other at full volume, in its own codec, with nothing played over it,
is *relayed* to: its packets leave as the other's arrive, whatever the codec. Any other audio of other
far ends is *mixed* in the tick; a playback alone, keys, or silence are made by us in the tick.
Silence is sent, also to whom hears only somebody who sends nothing, as carriers' timeouts and NAT
bindings expect a stream that never pauses.

Tick work is spread over :data:`SLICES` slices of a tick, so that no packet on its way through has to
wait for all of it.
"""

from collections.abc import Iterable

from media.engine import EndpointId
from media.mixer import Part, mix
from media.playout import Rings, Timeline, timeline_of
from media.session import Mode, Session

SLICES = 4


class Switchboard:
    def __init__(self, rings: Rings) -> None:
        self.sessions: dict[EndpointId, Session] = {}
        self._rings = rings
        self._ticking: list[dict[EndpointId, Session]] = [{} for _ in range(SLICES)]

    def add(self, session: Session) -> None:
        self.sessions[session.id] = session

    def remove(self, session: Session) -> None:
        """Nobody hears it any more, and it hears nobody."""
        del self.sessions[session.id]
        for listener in tuple(session.listeners):
            self.set_edges(listener, [edge for edge in listener.edges if edge[0] is not session])
        self.set_edges(session, ())
        self._ticking[session.id % SLICES].pop(session.id, None)

    def set_edges(self, session: Session, edges: Iterable[tuple[Session, float]]) -> None:
        before = {source for source, _gain in session.edges}
        session.edges = tuple(edges)
        after = {source for source, _gain in session.edges}
        for source in before - after:
            source.listeners.discard(session)
        for source in after:
            source.listeners.add(session)
        self._plan(session, was=before)

    def changed(self, session: Session) -> None:
        """Its far end, playback or keys are others than before: plan what it hears, and who hears it."""
        if session.id not in self.sessions:
            return
        self._plan(session)
        for listener in tuple(session.listeners):
            self._plan(listener)

    def set_recorded(self, session: Session, change: int) -> None:
        """One recording more or less takes what this far end says."""
        session.recorded += change
        self._place(session)

    def _plan(self, session: Session, was: Iterable[Session] = ()) -> None:
        mode = _mode(session)
        relayed = session.edges[0][0] if mode is Mode.RELAY else None
        rejoins = mode is not session.mode or (relayed is not None and session not in relayed.relayed_to)
        session.mode = mode
        if rejoins:
            session.out.rejoin(self._rings.head)
        ticking = self._ticking[session.id % SLICES]
        if mode is Mode.OWN or mode is Mode.MIX:
            ticking[session.id] = session
        else:
            ticking.pop(session.id, None)
        for source in {source for source, _gain in session.edges} | set(was):
            source.relayed_to = tuple(
                listener
                for listener in source.listeners
                if listener.mode is Mode.RELAY and listener.edges[0][0] is source
            )
            self._place(source)
        self._place(session)

    def _place(self, session: Session) -> None:
        """Give a session jitter slots if somebody reads them, and take them back if nobody does."""
        needed = session.remote is not None and (
            session.recorded > 0
            or session.hears_keys
            or any(listener.mode is Mode.MIX for listener in session.listeners)
        )
        timeline = session.timeline
        if timeline is not None and (not needed or timeline.codec is not session.codec):
            timeline.close()
            session.timeline = None
        if needed and session.timeline is None:
            session.timeline = timeline_of(self._rings, session.codec)
            session.timeline.noise_level = session.noise_level

    def tick(self, index: int) -> None:
        """Send what is due in one slice of the present tick."""
        position = self._rings.head
        mixed: list[Session] = []
        parts: list[Part] = []
        for session in tuple(self._ticking[index].values()):
            if session.mode is Mode.MIX:
                part = _part(session)
                if part is not None:
                    mixed.append(session)
                    parts.append(part)
                    continue
            session.tick(position)
        if not parts:
            return
        for session, frame in zip(mixed, mix(self._rings, parts), strict=True):
            session.out.frame(frame, position)
            session.end_playback_if_done()


def _mode(session: Session) -> Mode:
    if session.is_sending_keys:
        return Mode.OWN
    if session.out.send is None:
        # A playback goes on unheard, so that whoever waits for its end is not left waiting.
        return Mode.OWN if session.playback is not None else Mode.IDLE
    audible = [edge for edge in session.edges if not edge[0].quiet]
    if not audible:
        return Mode.OWN
    source, gain = audible[0]
    alone = len(session.edges) == 1 and gain == 1.0 and session.playback is None
    is_alike = source.codec is session.codec and (source.noise_level is None or session.takes_noise)
    return Mode.RELAY if alone and is_alike else Mode.MIX


def _part(session: Session) -> Part | None:
    sources: list[tuple[Timeline, float]] = [
        (source.timeline, gain) for source, gain in session.edges if source.timeline is not None
    ]
    if not sources:
        return None
    playback = session.playback
    samples = playback.samples() if playback is not None else None
    return Part(session.codec, sources, samples, session.encoder)
