"""What a reload would change, in words: two snapshots compared part by part.

A part is a number, flow, agent, queue, trunk and so on. New and gone parts are told whole, changed ones
key by key, flows step by step.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pbx.config.models import Config

NEEDS_RESTART = ("server", "media", "web", "trace", "transcription")
"""Sections that a reload does not take up."""
SIP_NEEDS_RESTART = ("listen", "tls.listen", "tls.verify_clients")
"""Of the section ``sip``, what is settled when the sockets are opened; the rest counts from the reload on."""

_SINGULAR = {
    "numbers": "number",
    "sources": "source",
    "pools": "pool",
    "agents": "agent",
    "queues": "queue",
    "trunks": "trunk",
    "conferences": "conference",
}
_LONGEST = 60
_NOTHING: tuple[object, ...] = (None, "", [], {})


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that a reload would change. ``part``: what it belongs to, such as "flow main"."""

    part: str
    what: str
    needs_restart: bool = False

    def __str__(self) -> str:
        later = " (after a restart)" if self.needs_restart else ""
        return f"{self.part}: {self.what}{later}"


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """From one snapshot to another; empty if a reload would change nothing."""
    return [*_config(old["config"], new["config"]), *_flows(old["flows"], new["flows"])]


def _config(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for section in dict.fromkeys((*new, *old)):
        before, after = old.get(section), new.get(section)
        if section in _SINGULAR:
            yield from _parts(_SINGULAR[section], before or {}, after or {})
        else:
            for what in _differences(before, after, ""):
                yield Change(section, what, needs_restart=_waits(section, what))


def _waits(section: str, what: str) -> bool:
    if section == "sip":
        return what.partition(" ")[0] in (*SIP_NEEDS_RESTART, "tls")
    return section in NEEDS_RESTART


def needs_restart(old: Config, new: Config) -> list[str]:
    """What differs and is not taken up by a reload: sections, and keys of ``sip``."""
    names = [name for name in NEEDS_RESTART if getattr(old, name) != getattr(new, name)]
    keys = [f"sip.{key}" for key in SIP_NEEDS_RESTART if _at(old.sip, key) != _at(new.sip, key)]
    return [*names, *keys]


def _at(section: object, key: str) -> object:
    for name in key.split("."):
        section = getattr(section, name, None)
    return section


def _parts(kind: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for name in dict.fromkeys((*new, *old)):
        part = f"{kind} {name}"
        if name not in old:
            yield Change(part, f"new{_about(new[name])}")
        elif name not in new:
            yield Change(part, "gone")
        else:
            for what in _differences(old[name], new[name], ""):
                yield Change(part, what)


def _flows(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for name in dict.fromkeys((*new, *old)):
        part = f"flow {name}"
        if name not in old:
            count = len(new[name]["steps"])
            yield Change(part, f"new, of {count} step{'s' * (count != 1)}")
        elif name not in new:
            yield Change(part, "gone; calls that are in it finish on it")
        else:
            for what in _flow(old[name], new[name]):
                yield Change(part, what)


def _flow(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    if old["name"] != new["name"]:
        yield f"called {_shown(new['name'])} instead of {_shown(old['name'])}"
    if old["start"] != new["start"]:
        yield f"starts at {new['start']} instead of {old['start']}"
    for step in dict.fromkeys((*new["steps"], *old["steps"])):
        before, after = old["steps"].get(step), new["steps"].get(step)
        if before is None:
            yield f"step {step} is new: {after['kind']}{_way_on(after)}"
        elif after is None:
            yield f"step {step} is gone ({before['kind']})"
        elif before["kind"] != after["kind"]:
            yield f"step {step}: {after['kind']} instead of {before['kind']}{_way_on(after)}"
        else:
            for what in _differences(before, after, ""):
                yield f"step {step}: {what}"


def _way_on(step: Mapping[str, Any]) -> str:
    return f", goes on at {step['next']}" if step.get("next") else ""


def _about(part: object) -> str:
    """The keys of a new part that say something."""
    if not isinstance(part, Mapping):
        return f": {_shown(part)}"
    said = ", ".join(f"{key} {_shown(value)}" for key, value in part.items() if value not in _NOTHING)
    return f": {said}" if said else ""


def _differences(old: Any, new: Any, key: str) -> Iterator[str]:
    if old == new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in dict.fromkeys((*new, *old)):
            yield from _differences(old.get(name), new.get(name), f"{key}.{name}" if key else str(name))
    elif isinstance(old, list) and isinstance(new, list) and _are_names(old) and _are_names(new):
        added, gone = [each for each in new if each not in old], [each for each in old if each not in new]
        parts = [f"with {', '.join(added)}"] * bool(added) + [f"without {', '.join(gone)}"] * bool(gone)
        yield f"{key} {' and '.join(parts)}" if parts else f"{key} in the order {', '.join(new)}"
    elif isinstance(new, str) and new.startswith("secret "):
        yield f"{key} is another" if old is not None else f"{key} is new"
    elif old in _NOTHING:
        yield f"{key} {_shown(new)}, not set before"
    elif new in _NOTHING:
        yield f"{key} no longer set (was {_hidden(old)})"
    else:
        yield f"{key} {_shown(new)} instead of {_shown(old)}"


def _are_names(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _hidden(value: object) -> str:
    return "a secret" if isinstance(value, str) and value.startswith("secret ") else _shown(value)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Mapping):
        text = ", ".join(f"{key} {_shown(inner)}" for key, inner in value.items() if inner is not None)
    elif isinstance(value, list):
        text = ", ".join(map(_shown, value))
    elif isinstance(value, str) and value.startswith("secret "):
        text = "(hidden)"
    else:
        text = f"“{value}”" if isinstance(value, str) and " " in value else str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1].rstrip() + "…"
