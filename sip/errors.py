"""The one way in which a peer's message is refused: an exception that already is the response.

Whatever a peer gets wrong is raised where it is found as a :class:`SipError`, with the status
to answer (RFC 3261 §21) and a reason that holds both values, so that the stack only has to send it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sip.message import Request


class SipError(Exception):
    """A peer's mistake, or something asked of us that we cannot do; ``status`` is the answer to give.

    ``headers`` belong in that answer (``Unsupported`` in a 420, ``Accept`` in a 415). ``request`` is
    what could be read of a request too broken to parse, set when it has a Via and so can be answered;
    its typed properties may raise again.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        request: Request | None = None,
    ) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason
        self.headers = tuple(headers)
        self.request = request
