"""Events as JSON objects: one shape for the database, the spool and the live stream.

``{"kind": "call.started", "call_id": …, "at": "2026-11-24T14:08:39.123Z", …}``; a field whose name
is a Python word loses its underscore.
"""

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from types import NoneType
from typing import TYPE_CHECKING, Any

from pbx.events import CallEvent

if TYPE_CHECKING:
    from pbx.attribution.events import VisitorEvent

Record = dict[str, Any]


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970 in UTC."""
    return round(moment.timestamp() * 1000)


def from_ms(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def iso(ms: int) -> str:
    """RFC 3339, in UTC, to the millisecond."""
    return from_ms(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_fields_of: dict[str, tuple[tuple[str, str], ...]] = {}


def _fields(event: "CallEvent | VisitorEvent") -> tuple[tuple[str, str], ...]:
    """The event's own fields, as (attribute, public name)."""
    found = _fields_of.get(event.kind)
    if found is None:
        names = (field.name for field in dataclasses.fields(event) if field.name not in ("call_id", "at"))
        found = _fields_of[event.kind] = tuple((name, name.removesuffix("_")) for name in names)
    return found


def details(event: "CallEvent | VisitorEvent") -> Record:
    """What the event says beside its kind, call and time."""
    found = {public: getattr(event, name) for name, public in _fields(event)}
    for name, value in found.items():
        if type(value) not in _PLAIN:  # nearly all are: the writer spends more on asking than on writing
            found[name] = _plain(value)
    return found


_PLAIN = frozenset({str, int, float, bool, NoneType, tuple, list, dict})


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return value


def to_json(event: CallEvent) -> Record:
    """The whole event, as streamed."""
    return {
        "kind": event.kind,
        "call_id": event.call_id,
        "at": iso(to_ms(event.at)),
        **details(event),
    }
