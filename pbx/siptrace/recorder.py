"""Which call each SIP message belongs to: heard at the stack, sorted by the events of calls.

A message names its dialog by Call-ID, and a call tells its dialogs by :class:`~pbx.events.LegStarted`. The
first messages come before that, so those of dialogs that nobody has claimed wait, a bounded number of
them, the oldest making room: what strangers send never becomes a call and is forgotten. Of one call a
bounded number of messages is kept, the latest. Some seconds after its end, when the last answers have
come, a call goes to the :class:`~pbx.siptrace.archive.Archive`, with others that ended at about that time.

Every message of the server passes here, and few are ever looked at: so they are kept as they came, and
become :class:`~pbx.siptrace.message.Traced`, without their secrets, when somebody wants them or in the
archive's thread.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import NamedTuple

from pbx.clock import Clock
from pbx.events import CallEnded, CallEvent, CallStarted, LegStarted
from pbx.siptrace.archive import Archive, Record
from pbx.siptrace.message import Traced, redacted, sip_call_id
from sip import Address, Flow

MOST_OF_A_CALL = 300
MOST_UNCLAIMED, MOST_OF_UNCLAIMED = 2000, 12
AFTERWARDS_S = 5.0
TOGETHER_S = 0.5  # calls that ended within this time are archived together


class _Heard(NamedTuple):
    """A message as it came."""

    at: datetime
    out: bool
    flow: Flow
    local: Address
    data: bytes

    def traced(self) -> Traced:
        return Traced(
            at=self.at.timestamp(),
            out=self.out,
            transport=self.flow.transport,
            local=str(self.local),
            remote=str(self.flow.remote),
            data=redacted(self.data),
        )


def _in_order(messages: Iterable[_Heard]) -> list[Traced]:
    return sorted((message.traced() for message in messages), key=lambda message: message.at)


@dataclass(slots=True)
class _Call:
    started: datetime
    messages: deque[_Heard] = field(default_factory=lambda: deque(maxlen=MOST_OF_A_CALL))
    dialogs: list[str] = field(default_factory=list)


class TraceRecorder:
    """``later(seconds, what)`` calls what then; ``local`` is our address on a flow."""

    def __init__(
        self,
        clock: Clock,
        archive: Archive,
        local: Callable[[Flow], Address],
        later: Callable[[float, Callable[[], None]], object],
    ) -> None:
        self.on_message: Callable[[Traced, str], None] | None = None
        self._clock = clock
        self._archive = archive
        self._local = local
        self._later = later
        self._unclaimed: OrderedDict[str, deque[_Heard]] = OrderedDict()
        self._by_dialog: dict[str, _Call] = {}
        self._calls: dict[str, _Call] = {}
        self._ended: list[str] = []  # those that will be archived with whatever ends next
        self._ended_since = 0.0

    def __len__(self) -> int:
        return len(self._calls)

    def tap(self, out: bool, flow: Flow, data: bytes) -> None:
        """A message was sent or received."""
        dialog = sip_call_id(data)
        if not dialog:
            return
        message = _Heard(self._clock.now(), out, flow, self._local(flow), data)
        if self.on_message is not None:
            self.on_message(message.traced(), dialog)
        call = self._by_dialog.get(dialog)
        if call is not None:
            call.messages.append(message)
            return
        waiting = self._unclaimed.get(dialog)
        if waiting is None:
            waiting = self._unclaimed[dialog] = deque(maxlen=MOST_OF_UNCLAIMED)
            if len(self._unclaimed) > MOST_UNCLAIMED:
                self._unclaimed.popitem(last=False)
        waiting.append(message)

    def hear(self, event: CallEvent) -> None:
        """An event of a call, from the bus."""
        if isinstance(event, CallStarted):
            self._calls[event.call_id] = _Call(event.at)
        elif isinstance(event, LegStarted):
            self._claim(event.call_id, event.sip_call_id)
        elif isinstance(event, CallEnded) and event.call_id in self._calls:
            self._finish_later(event.call_id)

    def of_call(self, call_id: str) -> list[Traced]:
        """The messages so far of a call that is up, or ended just now."""
        call = self._calls.get(call_id)
        return _in_order(call.messages) if call is not None else []

    def close(self) -> None:
        """Keep what there is of every call."""
        self._finish(tuple(self._calls))

    def _claim(self, call_id: str, dialog: str) -> None:
        call = self._calls.get(call_id)
        if call is None or not dialog or dialog in self._by_dialog:
            return
        self._by_dialog[dialog] = call
        call.dialogs.append(dialog)
        call.messages.extend(self._unclaimed.pop(dialog, ()))

    def _finish_later(self, call_id: str) -> None:
        now = self._clock.monotonic()
        if not self._ended or now - self._ended_since > TOGETHER_S:
            self._ended, self._ended_since = [], now
            self._later(AFTERWARDS_S + TOGETHER_S, partial(self._finish, self._ended))
        self._ended.append(call_id)

    def _finish(self, call_ids: Iterable[str]) -> None:
        if call_ids is self._ended:
            self._ended = []
        records = []
        for call_id in call_ids:
            call = self._calls.pop(call_id, None)
            if call is None:
                continue
            for dialog in call.dialogs:
                self._by_dialog.pop(dialog, None)
            if call.messages:
                records.append(Record(call_id, call.started.date(), partial(_in_order, call.messages)))
        if records:
            self._archive.write(records)
