"""The application's database: opened by one URL, brought up to the newest migration, used in whole transactions.

SQLite by default (one file, write-ahead log, writers wait for each other), PostgreSQL by `BILLING_DATABASE_URL`.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import dagster as dg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from tenacity import Retrying, before_sleep_log, retry_if_exception, stop_after_delay, wait_exponential_jitter

from billing_pipeline.engine.errors import BillingError

T = TypeVar("T")

_MIGRATIONS = Path(__file__).with_name("migrations")
_PATIENCE = 60.0  # seconds a transaction is tried again while the database is away: a restart takes less
_BUSY = 60.0  # seconds a writer waits for another one of SQLite
_log = logging.getLogger(__name__)
_migrating = Lock()  # Alembic keeps the migration at hand in module state


class Database:
    """Transactions on the application's database. A fault of the connection is waited out, then raised."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """One transaction: all of it or nothing."""
        with self.engine.begin() as connection:
            yield connection

    def run(self, work: Callable[[sa.Connection], T]) -> T:
        """The result of `work` in one transaction, done again from its start when the connection is lost.

        A connection may be lost after the commit and before its answer: work that must not be doubled needs a key.
        """
        attempts = Retrying(
            retry=retry_if_exception(_is_away),
            wait=wait_exponential_jitter(multiplier=0.1, max=5),
            stop=stop_after_delay(_PATIENCE),
            before_sleep=before_sleep_log(_log, logging.WARNING),
            reraise=True,
        )
        result: T = attempts(self._once, work)
        return result

    def _once(self, work: Callable[[sa.Connection], T]) -> T:
        with self.engine.begin() as connection:
            return work(connection)


class DatabaseResource(dg.ConfigurableResource[Database]):
    """The application's database. `url` holds a password when it is PostgreSQL's: give it as an EnvVar.

    Faults: a database that is away is waited for up to a minute, then sqlalchemy's OperationalError.
    """

    url: str

    def create_resource(self, context: dg.InitResourceContext) -> Database:  # noqa: ARG002
        return open_database(self.url)

    def opened(self) -> Database:
        """The database outside of a run, where Dagster has not read the environment."""
        url = self.url
        return open_database(str(url.get_value()) if isinstance(url, dg.EnvVar) else url)


@lru_cache(maxsize=64)
def open_database(url: str) -> Database:
    """The database at `url`, at the newest migration; made when it does not exist. One pool per process and URL."""
    database = Database(_engine(url))
    migrate(database)
    return database


def sqlite_url(folder: Path) -> str:
    """The URL of the database file of a state folder."""
    return f"sqlite:///{folder / 'billing.db'}"


def migrate(database: Database, revision: str = "head") -> None:
    """Bring the tables to a migration, upwards or back. Two processes at once: one of them does it."""

    def work(connection: sa.Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(620240101)"))
        config, here = _config(connection), current_revision(connection)
        script = ScriptDirectory.from_config(config)
        wanted = script.get_current_head() if revision == "head" else revision
        if here == wanted:
            return
        known = [found.revision for found in script.walk_revisions()]
        if here is not None and here not in known:
            raise BillingError(f"the database is at migration {here}, which this version does not know; upgrade first")
        back = wanted == "base" or (here in known and wanted in known and known.index(wanted) > known.index(here))
        (command.downgrade if back else command.upgrade)(config, revision)

    with _migrating:
        database.run(work)


def current_revision(connection: sa.Connection) -> str | None:
    """The migration a database is at; None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def _config(connection: sa.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _engine(url: str) -> sa.Engine:
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return sa.create_engine(parsed, pool_pre_ping=True, pool_size=5)
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(parsed, connect_args={"timeout": _BUSY})
    sa.event.listen(engine, "connect", _on_connect)
    sa.event.listen(engine, "begin", _on_begin)
    return engine


def _on_connect(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # the driver opens no transactions of its own
    connection.execute("PRAGMA journal_mode=WAL")  # readers and one writer at a time do not stop each other
    connection.execute("PRAGMA synchronous=FULL")  # a commit survives a loss of power


def _on_begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")  # a reader that turns writer would fail instead of waiting


def _is_away(error: BaseException) -> bool:
    """Whether a fault of the database passes by itself: connection lost, server going down or starting, file busy."""
    if not isinstance(error, sa.exc.DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    if not isinstance(error, sa.exc.OperationalError):
        return False
    code = getattr(error.orig, "pgcode", "")
    if code == "":  # SQLite
        return "locked" in str(error.orig)
    return code is None or code[:3] in ("57P", "08")  # PostgreSQL: none at all, operator intervention, connection
