"""What an agent has decided: to pause, and to leave queues alone. It outlives a restart."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Presence:
    """``paused`` holds for every queue, ``logged_out`` for those named. ``by`` is who said so last:
    a user's or token's name, ``phone``, ``autopause``."""

    paused: bool = False
    reason: str = ""  # of the pause, in the agent's words
    logged_out: frozenset[str] = frozenset()  # queues whose calls they do not take for now
    by: str = ""

    def pausing(self, reason: str, by: str) -> "Presence":
        return replace(self, paused=True, reason=reason, by=by)

    def resuming(self, by: str) -> "Presence":
        return replace(self, paused=False, reason="", by=by)

    def leaving(self, queue: str, by: str) -> "Presence":
        return replace(self, logged_out=self.logged_out | {queue}, by=by)

    def joining(self, queue: str, by: str) -> "Presence":
        return replace(self, logged_out=self.logged_out - {queue}, by=by)


HERE = Presence()
"""Of an agent who has said nothing: takes calls of every queue they are a member of."""
