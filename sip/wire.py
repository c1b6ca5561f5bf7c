"""What the sans-IO core asks of the world: the time, a way out, and to be woken.

:class:`sip.stack.Stack` implements it with sockets and the event loop; tests implement it with
virtual time and a lossy line.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from sip.flow import Address, Flow
from sip.locate import Hop, Place


class Wire(Protocol):
    def now(self) -> float:
        """Seconds that never go backwards."""
        ...

    def send(self, flow: Flow, data: bytes) -> None:
        """Send one message. Failure is reported later, by the core's ``flow_failed``."""
        ...

    def local(self, flow: Flow) -> Address:
        """Our own address as the peer at the other end of ``flow`` can reach it."""
        ...

    def alias(self, flow: Flow, address: Address) -> None:
        """Requests to ``address`` may go by the connection of ``flow`` (RFC 5923)."""
        ...

    def alive(self, flow: Flow) -> bool:
        """Whether the flow's connection still stands; always so for UDP."""
        ...

    def locate(self, place: Place, then: Callable[[Sequence[Hop], float], None]) -> None:
        """Find the hops of ``place``; ``then`` is told them and for how many seconds they hold."""
        ...

    def wake(self, at: float) -> None:
        """Call the core's ``tick`` at that time at the latest."""
        ...
