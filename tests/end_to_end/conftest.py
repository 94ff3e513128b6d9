"""Fixtures of tests that start the real thing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.installation import Installation
from tests.postgres import postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Installation:
    """An empty installation, on SQLite or with both databases on a PostgreSQL server."""
    if request.param == "sqlite":
        return Installation(tmp_path)
    return on_postgresql(tmp_path, request.getfixturevalue("postgres_url"))


def on_postgresql(folder: Path, url: Callable[[], str]) -> Installation:
    """An empty installation with both databases on a PostgreSQL server."""
    return Installation(folder, database_url=url(), dagster_postgres_url=url())
