"""The tables of sums made in advance: see :mod:`pbx.store.rollups`."""

from sqlalchemy import BigInteger, Column, String, Table, Text
from sqlmodel import SQLModel

from pbx.store.figures import NAMES

rolled_spans = Table(
    "rolled_spans",
    SQLModel.metadata,
    Column("grain", String, primary_key=True),  # day or month
    Column("begin_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("end_ms", BigInteger, nullable=False),
    Column("basis", Text, nullable=False),
    Column("state", String, nullable=False),  # made, or a mark of who is making it
    sqlite_with_rowid=False,
)
"""The days and months that are summed up: the database removes one as soon as a call in it changes."""

rollups = Table(
    "rollups",
    SQLModel.metadata,
    Column("dimension", String, primary_key=True),
    Column("grain", String, primary_key=True),
    Column("begin_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("key", Text, primary_key=True),
    *(Column(name, BigInteger, nullable=False) for name in NAMES),
    sqlite_with_rowid=False,
)
"""Their figures; those of a span that is not in ``rolled_spans`` are out of date."""
