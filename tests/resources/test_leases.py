"""Leases: one writer for each month, whoever it is; a dead one is taken over, a slow one is kept from publishing."""

import subprocess
import sys
import textwrap
import time
from datetime import UTC, datetime, timedelta
from threading import Event, Thread

import dagster as dg
import pytest
import sqlalchemy as sa

from billing_pipeline.engine.errors import MonthHeldError
from billing_pipeline.engine.period import Period
from billing_pipeline.resources import leases
from billing_pipeline.resources.database import Database, DatabaseResource
from billing_pipeline.resources.database.tables import leases as table
from billing_pipeline.resources.leases import MonthWriter, confirm, holders, lease, month_lease

MONTH = month_lease("billing", Period(2026, 1))


def held_by_another(database: Database, seconds: float) -> None:
    """A lease of a process on another machine."""
    expiry = datetime.now(UTC) + timedelta(seconds=seconds)
    database.run(lambda c: c.execute(table.insert().values(name=MONTH, holder="other:77:abc", expires_at=expiry)))


def names(database: Database) -> list[str]:
    return [name for name, _, _ in database.run(holders)]


def test_a_month_is_held_while_the_block_runs(database: Database) -> None:
    with lease(database, MONTH, seconds=5):
        assert names(database) == ["billing:2026-01"]
    assert names(database) == []


def test_an_error_in_the_block_lets_the_month_go(database: Database) -> None:
    with pytest.raises(RuntimeError), lease(database, MONTH, seconds=5):
        raise RuntimeError
    assert names(database) == []


def test_who_holds_a_month_may_enter_it_again(database: Database) -> None:
    with lease(database, MONTH, seconds=5):
        with lease(database, MONTH, seconds=5):
            pass
        assert names(database) == ["billing:2026-01"]
    assert names(database) == []


def test_another_holder_is_named_at_once(database: Database) -> None:
    held_by_another(database, seconds=30)
    told = pytest.raises(MonthHeldError, match="another run on other, process 77 holds billing:2026-01")
    with told, lease(database, MONTH, seconds=5):
        pytest.fail("two writers")


def test_other_months_are_free(database: Database) -> None:
    held_by_another(database, seconds=30)
    with lease(database, month_lease("billing", Period(2026, 2)), seconds=5):
        assert names(database) == ["billing:2026-01", "billing:2026-02"]


def test_a_run_waits_for_the_holder_to_end(database: Database) -> None:
    held_by_another(database, seconds=30)
    Thread(target=lambda: (time.sleep(0.7), database.run(lambda c: c.execute(table.delete())))).start()
    with lease(database, MONTH, seconds=5, wait=10):
        assert names(database) == ["billing:2026-01"]


def test_a_dead_holder_is_taken_over_when_its_lease_has_expired(database: Database) -> None:
    held_by_another(database, seconds=0.5)
    with lease(database, MONTH, seconds=5, wait=10):
        assert not database.run(holders)[0][1].startswith("other:")


def test_a_process_that_was_killed_is_taken_over(database: Database) -> None:
    url = database.engine.url.render_as_string(hide_password=False)
    program = textwrap.dedent(f"""
        from billing_pipeline.resources.database import open_database
        from billing_pipeline.resources.leases import lease
        import time
        with lease(open_database({url!r}), {MONTH!r}, seconds=2):
            print("held", flush=True)
            time.sleep(60)
    """)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        with pytest.raises(MonthHeldError), lease(database, MONTH, seconds=2):
            pytest.fail("two writers")
        process.kill()
    with lease(database, MONTH, seconds=2, wait=10):
        assert len(names(database)) == 1


def test_the_heartbeat_keeps_a_long_run_its_month(database: Database) -> None:
    with lease(database, MONTH, seconds=0.6):
        time.sleep(1.5)
        assert database.run(holders)[0][2] > datetime.now(UTC)


def test_whoever_was_taken_over_may_not_publish(database: Database) -> None:
    with lease(database, MONTH, seconds=30):
        database.run(lambda c: c.execute(table.update().values(holder="other:77:abc")))
        with pytest.raises(MonthHeldError, match="taken over by another run"):
            database.run(lambda connection: confirm(connection, MONTH, 30))
    assert names(database) == ["billing:2026-01"]  # and the other's lease is not ours to end


def test_of_many_at_once_one_holds_the_month(database: Database) -> None:
    """Each thread plays a process of its own: they take the lease by the same statements."""
    won: list[str] = []
    ready = Event()

    def take(me: str) -> None:
        ready.wait()
        expiry = datetime.now(UTC) + timedelta(seconds=30)

        def work(connection: sa.Connection) -> bool:
            return leases._take(connection, MONTH, me, expiry)

        if database.run(work):
            won.append(me)

    threads = [Thread(target=take, args=(f"h:{n}:x",)) for n in range(8)]
    for thread in threads:
        thread.start()
    ready.set()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert database.run(holders)[0][1] == won[0]


def test_a_run_holds_its_month_from_its_first_step_to_its_last(database: Database) -> None:
    seen: list[list[str]] = []
    partitions = dg.MonthlyPartitionsDefinition(start_date="2026-01", fmt="%Y-%m", end_offset=1)

    @dg.asset(partitions_def=partitions)
    def first(writer: dg.ResourceParam[MonthWriter]) -> None:
        seen.append(names(database))

    @dg.asset(partitions_def=partitions, deps=[first])
    def last() -> None:
        seen.append(names(database))

    url = database.engine.url.render_as_string(hide_password=False)
    resources = {"writer": MonthWriter(database=DatabaseResource(url=url), seconds=5)}
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    defs = dg.Definitions([first, last], jobs=[dg.define_asset_job("job")], resources=resources)
    defs.resolve_job_def("job").execute_in_process(partition_key="2026-01", run_config=quiet)
    assert seen == [["billing:2026-01"], ["billing:2026-01"]]
    assert names(database) == []
