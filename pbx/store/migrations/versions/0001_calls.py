"""Calls with their legs, events, tags and transcripts; users, tokens and sessions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def _ms(name: str, *, nullable: bool = False, default: str | None = None) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=nullable, server_default=default)


def _word(name: str, *, nullable: bool = False, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String, nullable=nullable, primary_key=primary_key)


def upgrade() -> None:
    op.create_table(
        "calls",
        _word("id", primary_key=True),
        _ms("opened_by"),
        _word("direction"),
        _word("from_number"),
        _word("to_number"),
        _word("trunk"),
        _word("sip_call_id"),
        _word("flow"),
        _word("source"),
        _text("reasons"),
        _word("status"),
        _text("cause"),
        _text("reason"),
        _ms("started_ms"),
        _ms("answered_ms", nullable=True),
        _ms("connected_ms", nullable=True),
        _ms("ended_ms", nullable=True),
        _ms("talk_ms", default="0"),
        _word("agent", nullable=True),
        _word("queue", nullable=True),
        _text("path"),
        _ms("voicemail_ms", nullable=True),
        _word("recording", nullable=True),
        _ms("recording_ms", nullable=True),
        _text("recording_problem"),
        _word("transcript_state", nullable=True),
        sa.Column("score", sa.Integer, nullable=True),
        _word("outcome", nullable=True),
        _text("note"),
        sqlite_with_rowid=False,
    )
    op.create_index("calls_by_time", "calls", ["started_ms", "id"])
    op.create_index("calls_by_source", "calls", ["source", "started_ms"])
    op.create_index("calls_by_number", "calls", ["to_number", "started_ms"])
    op.create_index("calls_by_status", "calls", ["status", "started_ms"])
    op.create_table(
        "legs",
        _word("call_id", primary_key=True),
        _word("id", primary_key=True),
        _word("role"),
        _word("target"),
        _word("agent", nullable=True),
        _word("sip_call_id"),
        _ms("started_ms"),
        _ms("answered_ms", nullable=True),
        _ms("connected_ms", nullable=True),
        _ms("ended_ms", nullable=True),
        _ms("talk_ms", default="0"),
        _text("cause"),
        sa.Column("sip_status", sa.Integer, nullable=True),
        _text("stats"),
        sqlite_with_rowid=False,
    )
    op.create_index("legs_by_agent", "legs", ["agent", "started_ms"])
    op.create_table(
        "events",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            primary_key=True,
            autoincrement=False,
        ),
        _word("call_id"),
        _ms("at_ms"),
        _word("kind"),
        _text("data"),
    )
    op.create_index("events_by_call", "events", ["call_id"])
    op.create_table(
        "tags",
        _word("call_id", primary_key=True),
        _word("tag", primary_key=True),
        _text("because"),
        sqlite_with_rowid=False,
    )
    op.create_index("tags_by_tag", "tags", ["tag"])
    op.create_table(
        "transcripts",
        _word("call_id", primary_key=True),
        _word("state"),
        _text("problem"),
        _text("text"),
        sa.Column("words", sa.JSON, nullable=False),
        _ms("made_ms"),
    )
    op.create_table(
        "users",
        _word("name", primary_key=True),
        _word("role"),
        _word("password_hash"),
        _ms("created_ms"),
    )
    op.create_table(
        "tokens",
        _word("name", primary_key=True),
        _word("role"),
        sa.Column("secret_hash", sa.String, nullable=False, unique=True),
        _ms("created_ms"),
    )
    op.create_table(
        "sessions",
        _word("secret_hash", primary_key=True),
        _word("user_name"),
        _ms("created_ms"),
        _ms("expires_ms"),
    )
    op.create_index("ix_sessions_user_name", "sessions", ["user_name"])
