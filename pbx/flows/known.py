"""What a flow may ask about a call by name: in a spoken ``{name}``, in a condition, in a webhook.

Some names every call has (:data:`NAMES`); ``queue.NAME.…`` tell of a queue as it is now; the rest are
the call's own values: what earlier steps found out, and what ``set`` set. Everything is text, as it
would be written in YAML; how it is spoken is :mod:`pbx.flows.spoken_values`'s.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from pbx.flows.control import CallControl, CallerHistory
from pbx.flows.hours import DAYS

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings

LANGUAGE = "language"
"""The value that says in which language the caller is spoken to."""

NAMES: Mapping[str, str] = {
    "caller": "the caller's number; empty when it is withheld",
    "did": "the tracking number that was called",
    "source": "the source that the call is attributed to",
    "flow": "the flow that it began with",
    "call_id": "its id in the record",
    "trunk": "the trunk that it came in by",
    "attestation": "how far the carrier vouches for the caller's number: A, B, C, failed, or empty",
    "language": "the language that the caller is spoken to in",
    "tag": "the call's tags so far",
    "day": "today's day of the week: mon to sun",
    "date": "today's date, such as 2026-12-24",
    "time": "the time of day, such as 14:30",
    "caller.new": "yes if this number never called before, else no",
    "caller.calls": "how often this number called before",
    "caller.days": "how many days ago it last called; empty for a new caller",
    "caller.last_source": "the source of its last call",
    "caller.last_agent": "who talked to it last",
}
"""What every call has, and what it tells."""

QUEUE_NAMES: Mapping[str, str] = {
    "waiting": "how many callers are in line",
    "position": "the place in line that this caller would get, or has",
    "available": "how many of its agents are free now",
    "on_duty": "how many of its agents can be rung at all, busy or not",
    "longest_wait": "for how many seconds the first in line has been waiting",
    "estimate": "for how many seconds this caller will probably wait; empty if nobody can say",
}
"""What ``queue.NAME.…`` tells."""

HISTORY = "caller."
QUEUE = "queue."


def language_of(call: CallControl) -> str:
    """The language that the caller is spoken to in: what the flow set, or the number's."""
    return call.values.get(LANGUAGE) or call.facts.language


async def look_up(names: Iterable[str], call: CallControl, around: "Surroundings") -> dict[str, str]:
    """Every value that there is of those names; one that there is not yet is left out."""
    found: dict[str, str] = {}
    wanted = list(names)
    if any(name.startswith(HISTORY) for name in wanted):
        found |= _of_history(await call.caller_history(), call)
    if any(name not in found and name not in call.values for name in wanted):
        found |= _of_call(call)
    for name in wanted:
        if name.startswith(QUEUE) and (value := _of_queue(name, around)) is not None:
            found[name] = value
        elif name in call.values and name not in NAMES:
            found[name] = call.values[name]
    return {name: found[name] for name in wanted if name in found}


def _of_call(call: CallControl) -> dict[str, str]:
    facts, local = call.facts, call.local_time()
    return {
        "caller": facts.caller,
        "did": facts.did,
        "flow": facts.flow,
        "call_id": facts.call_id,
        "source": facts.source,
        "trunk": facts.trunk,
        "attestation": facts.attestation,
        "language": language_of(call),
        "tag": ", ".join(call.tags),
        "day": DAYS[local.weekday()],
        "date": local.date().isoformat(),
        "time": f"{local:%H:%M}",
    }


def _of_history(history: CallerHistory, call: CallControl) -> dict[str, str]:
    last = history.last_at.astimezone(call.facts.zone) if history.last_at else None
    days = str((call.local_time().date() - last.date()).days) if last else ""
    return {
        "caller.new": "no" if history.calls else "yes",
        "caller.calls": str(history.calls),
        "caller.days": days,
        "caller.last_source": history.last_source,
        "caller.last_agent": history.last_agent,
    }


def _of_queue(name: str, around: "Surroundings") -> str | None:
    queue, _, figure = name.removeprefix(QUEUE).rpartition(".")
    if not around.queues.exists(queue):
        return None
    match figure:
        case "waiting":
            return str(around.queues.waiting(queue))
        case "position":
            return str(around.queues.waiting(queue) + 1)
        case "available":
            return str(around.queues.free(queue))
        case "on_duty":
            return str(len(around.queues.on_duty(queue)))
        case "estimate":
            estimate_s = around.queues.estimate_s(queue)
            return f"{estimate_s:.0f}" if estimate_s is not None else ""
        case "longest_wait":
            return f"{around.queues.longest_wait_s(queue):.0f}"
        case _:
            return None
