"""Texts with values in them: ``You are number {queue.sales.position} in line``.

``{name}`` stands for a value, ``{name|filter}`` says how it is spoken; ``{{`` and ``}}`` are plain
braces. A value that there is not (yet) is spoken as nothing. Names that cannot be, and filters that
are none, are found by ``pbx check``.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from pbx.config.problems import did_you_mean
from pbx.flows.spoken_values import FILTERS, Tongue, spoken

_PIECE = re.compile(r"\{\{|\}\}|\{(?P<inside>[^{}]*)\}|[{}]")


class TemplateFault(ValueError):  # noqa: N818 - says what is wrong
    """The text is not well formed; the message says how it is written."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for a value. ``filter`` is "" where the value's own way of being spoken will do."""

    name: str
    filter: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    """A text, cut at its slots."""

    parts: tuple[str | Slot, ...]

    @property
    def names(self) -> list[str]:
        """The values that it needs, each once."""
        return list(dict.fromkeys(part.name for part in self.parts if isinstance(part, Slot)))

    def fill(self, values: Mapping[str, str], tongue: Tongue) -> str:
        """As it is spoken."""
        return self._joined(lambda slot: spoken(slot.name, values.get(slot.name, ""), slot.filter, tongue))

    def put(self, values: Mapping[str, str], quote: Callable[[str], str] = str) -> str:
        """With the values as they are: for programs, not for ears. Filters are left aside."""
        return self._joined(lambda slot: quote(values.get(slot.name, "")))

    def _joined(self, fill: Callable[[Slot], str]) -> str:
        return "".join(part if isinstance(part, str) else fill(part) for part in self.parts)


@lru_cache(4096)
def template(text: str) -> Template:
    """Raises TemplateFault."""
    parts: list[str | Slot] = []
    plain, end = "", 0
    for piece in _PIECE.finditer(text):
        plain += text[end : piece.start()]
        end = piece.end()
        if piece[0] in ("{{", "}}"):
            plain += piece[0][0]
        elif piece["inside"] is None:
            raise TemplateFault(f"a {piece[0]!r} alone; a value is {{name}}, a plain brace is written twice")
        else:
            parts += [plain, _slot(piece["inside"])] if plain else [_slot(piece["inside"])]
            plain = ""
    plain += text[end:]
    return Template((*parts, plain) if plain else tuple(parts))


def _slot(inside: str) -> Slot:
    name, bar, filter = (part.strip() for part in inside.partition("|"))
    if not name:
        raise TemplateFault(f"{{{inside}}} names no value; a plain brace is written twice")
    if bar and filter not in FILTERS:
        raise TemplateFault(f"no filter {filter!r}{did_you_mean(filter, FILTERS)}")
    return Slot(name, filter)
