"""Each stay of a caller in a queue."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "queue_visits",
        sa.Column("call_id", sa.String, primary_key=True),
        sa.Column("visit", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("queue", sa.String, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("joined_ms", sa.BigInteger, nullable=False),
        sa.Column("left_ms", sa.BigInteger, nullable=True),
        sa.Column("waited_ms", sa.BigInteger, nullable=True),
        sa.Column("ended_by", sa.Text, nullable=False, server_default=""),
        sa.Column("agent", sa.Text, nullable=False, server_default=""),
        sqlite_with_rowid=False,
    )
    op.create_index("queue_visits_by_queue", "queue_visits", ["queue", "joined_ms"])
