"""Alembic's entry: runs the scripts on the connection that ``migrate`` hands over."""

from alembic import context
from sqlmodel import SQLModel

import pbx.store.rollup_tables
import pbx.store.tables  # - fills SQLModel.metadata
import pbx.store.visitor_tables  # noqa: F401

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
