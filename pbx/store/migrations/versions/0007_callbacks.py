"""Callers who were promised a callback."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "callbacks",
        sa.Column("call_id", sa.String, primary_key=True),
        sa.Column("queue", sa.String, nullable=False),
        sa.Column("number", sa.String, nullable=False),
        sa.Column("trunk", sa.String, nullable=True),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("promised_ms", sa.BigInteger, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("by_call", sa.Text, nullable=False, server_default=""),
        sa.Column("ended_ms", sa.BigInteger, nullable=True),
        sqlite_with_rowid=False,
    )
    op.create_index("callbacks_by_state", "callbacks", ["state"])
