"""A CSV that other people's software wrote: UTF-8 with or without a mark, headers in any spelling.

Columns are known by what their headers say, not how: ``Duration (seconds)``, ``duration_seconds`` and
``DURATION SECONDS`` are one. A cell that cannot be read is a :class:`BadCell` with its line and column; the
row is kept as it came, so that nothing is lost.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

csv.field_size_limit(10_000_000)


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

    def rows(self) -> Iterator[Row]:
        """Every row that is not empty. Raises NotReadable where the file breaks off."""
        with self.path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
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
            except (csv.Error, UnicodeDecodeError) as error:
                raise NotReadable(f"{self.path.name}:{line}: {error}") from None

    def _cells(self, raw: Sequence[str]) -> dict[str, str]:
        return {
            name: text
            for name, place in self.columns.items()
            if place < len(raw) and (text := raw[place].strip().removeprefix("'"))
        }

    def fault(self, row: Row, bad: BadCell) -> str:
        """``calls.csv:14:5: Duration (seconds) 'abc' …``"""
        place = self.columns.get(bad.name)
        if place is None:
            return f"{self.path.name}:{row.line}: {bad.name} {bad}"
        return f"{self.path.name}:{row.line}:{place + 1}: {self.header[place].strip()} {bad}"


def open_sheet(path: Path, names: Mapping[str, Sequence[str]], needed: Sequence[str]) -> Sheet:
    """``names``: ours, each with the headers that mean it, the best first. Raises NotReadable, OSError."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            header = next(csv.reader(file), [])
        except (csv.Error, UnicodeDecodeError) as error:
            raise NotReadable(f"{path.name}:1: {error}") from None
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
    return Sheet(path, header, columns, ignored)
