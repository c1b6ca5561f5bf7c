"""A CSV that other people's software wrote: commas, semicolons or tabs, headers in any spelling.

It is read as UTF-8 with or without a mark, as UTF-16 by its mark (Excel's "Unicode text"), or as what the
admin says: bytes do not tell Windows-1252 from its relatives, and a guess would spoil names in silence.

Columns are known by what their headers say, not how: ``Duration (seconds)``, ``duration_seconds`` and
``DURATION SECONDS`` are one. A cell that cannot be read is a :class:`BadCell` with its line and column; the
row is kept as it came, so that nothing is lost.
"""

import codecs
import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

csv.field_size_limit(10_000_000)
DELIMITERS = (",", ";", "\t")


class NotReadable(ValueError):  # noqa: N818 - says what is wrong
    """The file as a whole is no such list."""


class BadCell(ValueError):  # noqa: N818 - says what is wrong
    """What a cell says is not what it should be; ``name`` is the column as we call it."""

    def __init__(self, name: str, fault: str) -> None:
        super().__init__(fault)
        self.name = name


def bare(header: str) -> str:
    """``" Duration (seconds)"`` → ``"duration seconds"``"""
    return " ".join(re.findall(r"[a-z0-9]+", header.casefold()))


@dataclass(frozen=True, slots=True)
class Row:
    """``cells`` by our names, without those that are empty; ``raw`` as they stand in the file."""

    line: int
    cells: Mapping[str, str]
    raw: Sequence[str]

    def get(self, name: str) -> str:
        return self.cells.get(name, "")

    def need(self, name: str) -> str:
        """Raises BadCell for one that is empty."""
        if value := self.cells.get(name):
            return value
        raise BadCell(name, "is empty")


@dataclass(slots=True)
class Sheet:
    """``columns``: where each of our names stands; ``ignored``: headers that mean nothing to us."""

    path: Path
    header: list[str]
    columns: Mapping[str, int]
    ignored: list[str] = field(default_factory=list)
    encoding: str = "utf-8-sig"
    delimiter: str = ","

    def rows(self) -> Iterator[Row]:
        """Every row that is not empty. Raises NotReadable where the file breaks off."""
        with self.path.open(encoding=self.encoding, newline="") as file:
            reader = csv.reader(file, delimiter=self.delimiter)
            line = 1
            try:
                next(reader, None)
                while True:
                    line = reader.line_num + 1
                    raw = next(reader, None)
                    if raw is None:
                        return
                    if any(cell.strip() for cell in raw):
                        yield Row(line, self._cells(raw), raw)
            except (csv.Error, UnicodeError) as error:
                raise NotReadable(f"{self.path.name}:{line}: {_in_words(error)}") from None

    def _cells(self, raw: Sequence[str]) -> dict[str, str]:
        return {
            name: text
            for name, place in self.columns.items()
            if place < len(raw) and (text := raw[place].replace("\0", "").strip().removeprefix("'"))
        }

    def fault(self, row: Row, bad: BadCell) -> str:
        """``calls.csv:14:5: Duration (seconds) 'abc' …``"""
        place = self.columns.get(bad.name)
        if place is None:
            return f"{self.path.name}:{row.line}: {bad.name} {bad}"
        return f"{self.path.name}:{row.line}:{place + 1}: {self.header[place].strip()} {bad}"


def open_sheet(
    path: Path, names: Mapping[str, Sequence[str]], needed: Sequence[str], encoding: str | None = None
) -> Sheet:
    """``names``: ours, each with the headers that mean it, the best first. Raises NotReadable, OSError."""
    encoding = encoding or _marked(path)
    known = {bare(title) for titles in names.values() for title in titles}
    delimiter, header = max(
        ((each, _header(path, encoding, each)) for each in DELIMITERS),
        key=lambda found: sum(bare(title) in known for title in found[1]),
    )
    if not header:
        raise NotReadable(f"{path.name}: the file is empty")
    places: dict[str, int] = {}
    for place, title in enumerate(header):
        places.setdefault(bare(title), place)
    columns = {
        name: place
        for name, titles in names.items()
        for place in [places[bare(title)] for title in titles if bare(title) in places][:1]
    }
    missing = [names[name][0] for name in needed if name not in columns]
    if missing:
        raise NotReadable(f"{path.name}:1: there is no column {' and no column '.join(missing)}")
    used = set(columns.values())
    ignored = [title.strip() for place, title in enumerate(header) if place not in used and title.strip()]
    return Sheet(path, header, columns, ignored, encoding, delimiter)


def _marked(path: Path) -> str:
    with path.open("rb") as file:
        mark = file.read(2)
    return "utf-16" if mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"


def _header(path: Path, encoding: str, delimiter: str) -> list[str]:
    with path.open(encoding=encoding, newline="") as file:
        try:
            return next(csv.reader(file, delimiter=delimiter), [])
        except (csv.Error, UnicodeError) as error:
            raise NotReadable(f"{path.name}:1: {_in_words(error)}") from None


def _in_words(error: Exception) -> str:
    if isinstance(error, UnicodeError):
        return "is not in the encoding that it is read in; name its own, as in --encoding windows-1252"
    return str(error)
