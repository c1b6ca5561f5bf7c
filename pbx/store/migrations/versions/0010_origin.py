"""Where a call was imported from."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("calls", sa.Column("origin", sa.Text, nullable=False, server_default=""))
