"""Messages of all channels, and the outbox."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def upgrade() -> None:
    op.create_table(
        "messages",
        sa.Column("id", sa.String, primary_key=True),
        *(sa.Column(name, sa.String, nullable=False) for name in ("channel", "direction", "thread", "via")),
        text("from"),
        text("to"),
        text("text"),
        text("fields"),
        sa.Column("visitor", sa.String),
        *(text(name) for name in ("source", "call_id", "agent")),
        sa.Column("state", sa.String, nullable=False),
        text("problem"),
        text("provider_id"),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("sent_ms", sa.BigInteger),
        sa.Column("handled_ms", sa.BigInteger),
        text("handled_by"),
        sqlite_with_rowid=False,
    )
    op.create_index("messages_by_thread", "messages", ["thread", "created_ms"])
    op.create_index("messages_by_time", "messages", ["created_ms", "id"])
    op.create_index("messages_by_visitor", "messages", ["visitor"])
    op.create_index("messages_by_provider", "messages", ["via", "provider_id"])
    op.create_table(
        "outbox",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True
        ),
        *(sa.Column(name, sa.String, nullable=False) for name in ("lane", "kind", "target")),
        text("body"),
        sa.Column("dedupe", sa.String, unique=True),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        text("problem"),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("created_ms", "due_ms", "expires_ms")),
        sa.Column("ended_ms", sa.BigInteger),
    )
    op.create_index("outbox_by_lane", "outbox", ["state", "lane", "id"])
    op.create_index("outbox_by_due", "outbox", ["state", "due_ms"])
    op.create_index("outbox_by_target", "outbox", ["kind", "target", "id"])
