"""``reports``: what was spent on each source, from a file beside the config.

CSV with a header, or YAML with a list of mappings (``.yaml``, ``.yml``); both have the same columns:

    source,campaign,from,until,amount,currency
    google-ads,spring,2026-11-01,2026-11-30,3000,USD

``campaign`` and ``currency`` may be left out. Days are inclusive. Amounts are of one currency: there is no
rate at which others could be added up.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

from pydantic import Field

from pbx.config.document import Document, read
from pbx.config.fields import Model
from pbx.config.problems import Problem, did_you_mean
from pbx.spend import Spent

COLUMNS = ("source", "campaign", "from", "until", "amount", "currency")
NEEDED = ("source", "from", "until", "amount")
MAX_BYTES = 4 << 20
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")


class ReportSettings(Model):
    currency: str = Field(
        "USD", pattern=r"^[A-Z]{3}$", description="Of what calls bring in and advertising costs (ISO 4217)."
    )
    spend: Path | None = Field(
        None, description="CSV or YAML file of what was spent on sources; relative to the file."
    )


class _File:
    """A spend file's problems, each at its place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[Problem] = []

    def error(self, place: tuple[int, int], message: str) -> None:
        self.problems.append(Problem(self.path, *place, message))


Cells = Mapping[str, str]
Places = Mapping[str, tuple[int, int]]
"""Where each cell stands; "" is the line itself."""


def read_spend(path: Path, currency: str, sources: Iterable[str]) -> tuple[tuple[Spent, ...], list[Problem]]:
    """What the file says, and everything that is wrong with it."""
    file, known = _File(path), tuple(sources)
    lines = _yaml(file) if path.suffix.lower() in (".yaml", ".yml") else _csv(file)
    found = [_spent(file, cells, places, currency, known) for cells, places in lines]
    return tuple(each for each in found if each is not None), file.problems


def _spent(
    file: _File, cells: Cells, places: Places, currency: str, sources: tuple[str, ...]
) -> Spent | None:
    before = len(file.problems)
    for column in NEEDED:
        if not cells.get(column):
            file.error(
                places.get(column, places[""]), f"{column!r} is missing; a line needs {', '.join(NEEDED)}"
            )
    source = cells.get("source", "")
    if source and source not in sources:
        file.error(places["source"], f"there is no source {source!r}{did_you_mean(source, sources)}")
    first, last = (_day(file, cells, places, column) for column in ("from", "until"))
    if first and last and last < first:
        file.error(places["until"], f"until {last} is before from {first}; both are days that count")
    amount = cells.get("amount", "")
    if amount and not _AMOUNT.fullmatch(amount):
        fault = f"{amount!r} is no amount; write it like 1234.50, without a currency or commas"
        file.error(places["amount"], fault)
    stated = cells.get("currency", "")
    if stated and stated != currency:
        fault = f"{stated!r} is not reports.currency; convert the amount to {currency}"
        file.error(places["currency"], fault)
    if len(file.problems) > before or first is None or last is None:
        return None
    return Spent(source, cells.get("campaign", ""), first, last, Fraction(amount))


def _day(file: _File, cells: Cells, places: Places, column: str) -> date | None:
    text = cells.get(column, "")
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        file.error(places[column], f"{text!r} is no day; write it like 2026-11-24")
        return None


def _unknown(column: str) -> str:
    return f"there is no column {column!r}{did_you_mean(column, COLUMNS)}"


def _csv(file: _File) -> Iterator[tuple[Cells, Places]]:
    text = _text(file)
    if text is None:
        return
    header: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        cells = _cells(line)
        if not header:
            header = [cell.strip() for cell, _ in cells]
            for name, (_, column) in zip(header, cells, strict=True):
                if name not in COLUMNS:
                    file.error((number, column), _unknown(name))
            for index, (name, (_, column)) in enumerate(zip(header, cells, strict=True)):
                if name in header[:index]:
                    file.error((number, column), f"the column {name!r} stands twice")
            for name in (each for each in NEEDED if each not in header):
                file.error((number, 1), f"the column {name!r} is missing; there are {', '.join(COLUMNS)}")
            if file.problems:
                return
            continue
        if line.count('"') % 2:
            file.error((number, line.rindex('"') + 1), "a quoted cell does not end on this line")
            continue
        if len(cells) > len(header):
            place = (number, cells[len(header)][1])
            file.error(
                place, f"{len(cells)} cells under {len(header)} columns; quote a cell that has a comma"
            )
            continue
        named = list(zip(header, cells, strict=False))
        yield (
            {name: cell.strip() for name, (cell, _) in named},
            {"": (number, 1), **{name: (number, column) for name, (_, column) in named}},
        )
    if not header:
        file.error((1, 1), f"the file is empty; its first line names the columns: {','.join(COLUMNS)}")


def _cells(line: str) -> list[tuple[str, int]]:
    """The cells of a line, and the column in which each begins."""
    found, at = [], 0
    for raw in re.findall(r'((?:"(?:[^"]|"")*"|[^,])*)(?:,|$)', line):
        if at > len(line):
            break
        cell = next(csv.reader([raw]), [""])
        found.append((cell[0] if cell else "", at + 1))
        at += len(raw) + 1
    return found


def _text(file: _File) -> str | None:
    try:
        if file.path.stat().st_size > MAX_BYTES:
            file.error((1, 1), f"the file is larger than {MAX_BYTES >> 20} MB")
            return None
        return file.path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        file.error((1, 1), "the file is not UTF-8")
    except OSError as error:
        file.error((1, 1), f"cannot be read: {error.strerror}")
    return None


def _yaml(file: _File) -> Iterator[tuple[Cells, Places]]:
    document = read(file.path, {})
    file.problems += document.problems
    if document.data is None:
        return
    if not isinstance(document.data, list):
        file.error((1, 1), f"write a list of mappings with {', '.join(COLUMNS)}")
        return
    for index, line in enumerate(document.data):
        if not isinstance(line, dict):
            file.error(_at(document, index), f"write a mapping with {', '.join(COLUMNS)}")
            continue
        for key in line:
            if key not in COLUMNS:
                place = document.key_place((index, key))
                file.error((place.line, place.column), _unknown(key))
        places = {"": _at(document, index), **{key: _at(document, index, key) for key in line}}
        yield {key: _written(value) for key, value in line.items() if key in COLUMNS}, places


def _at(document: Document, *loc: Any) -> tuple[int, int]:
    place = document.value_place(loc)
    return place.line, place.column


def _written(value: Any) -> str:
    return "" if value is None else str(value)
