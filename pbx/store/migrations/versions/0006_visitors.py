"""Visitors of the website with their touches, leases and contacts; where a call's visitor came from."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _word(name: str, **kwargs: Any) -> sa.Column[str]:
    return sa.Column(name, sa.String, nullable=False, **kwargs)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _ms(name: str, **kwargs: Any) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, **kwargs)


def upgrade() -> None:
    for name in ("medium", "campaign", "keyword", "visitor", "pool"):
        op.add_column("calls", _word(name, server_default=""))
    for name in ("landing_page", "referrer", "candidates"):
        op.add_column("calls", sa.Column(name, sa.Text, nullable=False, server_default=""))
    op.add_column("calls", sa.Column("probability", sa.Float, nullable=False, server_default="1"))
    op.create_index("calls_by_visitor", "calls", ["visitor", "started_ms"])
    op.create_table(
        "visitors",
        _word("id", primary_key=True),
        _ms("first_ms"),
        _ms("last_ms"),
        sa.Column("device", sa.Text, nullable=False, server_default=""),
        sqlite_with_rowid=False,
    )
    op.create_index("visitors_by_time", "visitors", ["last_ms"])
    op.create_table(
        "touches",
        sa.Column("id", _ID, primary_key=True, autoincrement=False),
        _word("visitor_id"),
        _ms("at_ms"),
        _ms("session_ms"),
        sa.Column("arrival", sa.Integer, nullable=False),
        *(_word(name) for name in ("source", "medium", "campaign", "keyword", "content", "click_id")),
        *(_text(name) for name in ("page", "referrer", "params")),
        _word("pool"),
        _word("shown"),
    )
    op.create_index("touches_by_visitor", "touches", ["visitor_id", "at_ms"])
    op.create_index("touches_by_time", "touches", ["at_ms"])
    op.create_table(
        "leases",
        _word("number", primary_key=True),
        _ms("started_ms", primary_key=True, autoincrement=False),
        _word("visitor_id"),
        _word("pool"),
        _ms("seen_ms"),
        _ms("until_ms"),
        _text("arrival"),
        sqlite_with_rowid=False,
    )
    op.create_index("leases_by_time", "leases", ["seen_ms"])
    op.create_index("leases_by_visitor", "leases", ["visitor_id"])
    op.create_table(
        "contacts",
        sa.Column("id", _ID, primary_key=True, autoincrement=False),
        _word("visitor_id"),
        _ms("at_ms"),
        _word("channel"),
        _word("ref"),
        _word("phone"),
        sa.Column("probability", sa.Float, nullable=False),
    )
    op.create_index("contacts_by_visitor", "contacts", ["visitor_id", "at_ms"])
    op.create_index("contacts_by_ref", "contacts", ["channel", "ref"])
    op.create_index("contacts_by_time", "contacts", ["at_ms"])
    op.create_table(
        "visitor_habits",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        _ms("at_ms"),
        _text("data"),
    )
