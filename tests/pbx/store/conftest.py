"""A database of its own for each test, and calls to fill it with."""

import pytest
from sqlalchemy import Engine

from pbx.store.database import open_engine
from pbx.store.migrations import migrate


@pytest.fixture
def url(tmp_path) -> str:
    return f"sqlite:///{tmp_path}/pbx.db"


@pytest.fixture
def engine(url):
    engine: Engine = open_engine(url)
    migrate(engine)
    yield engine
    engine.dispose()
