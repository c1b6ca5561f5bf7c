"""Earlier calls of a caller are found by their number."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_index("calls_by_caller", "calls", ["from_number", "started_ms"])
