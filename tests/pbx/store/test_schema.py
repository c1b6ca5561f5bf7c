"""The migrations and the tables say the same, and both databases can be asked alike."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlmodel import SQLModel

from pbx.store import migrations
from pbx.store.migrations import HEAD, SchemaTooNew, migrate


def test_the_scripts_lead_to_the_tables(engine):
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []


def test_the_newest_script_is_the_one_asked_for():
    folder = migrations.__path__[0]
    assert ScriptDirectory(folder, version_locations=[f"{folder}/versions"]).get_current_head() == HEAD


def test_a_second_time_does_nothing(engine):
    migrate(engine)


def test_a_newer_database_is_left_alone(engine):
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaTooNew, match="9999"):
        migrate(engine)
