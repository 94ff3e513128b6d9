"""An empty database of the application, on SQLite and on a real PostgreSQL: a test that asks for one runs on both."""

from pathlib import Path

import pytest

from billing_pipeline.resources.database import Database, open_database, sqlite_url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """A database at the newest migration."""
    return open_database(
        sqlite_url(tmp_path) if request.param == "sqlite" else request.getfixturevalue("postgres_url")()
    )
