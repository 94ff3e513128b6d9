"""What `doctor` looks at of managed services: where each listing comes from, its last pull, last month's bills.

What belongs here: looking, without changing anything and without asking the systems that are pulled from. What does
not: whether disk, object store and database can be used at all (`health`, `state`).
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, time, timedelta
from typing import Any

import polars as pl

from billing_pipeline.cli.findings import ATTENTION, FINE, NOTE, Finding, listed
from billing_pipeline.cli.state import ago, asked
from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.managed_services import pulled
from billing_pipeline.engine.period import Period
from billing_pipeline.resources.client_archive import current_invoices
from billing_pipeline.resources.client_folder import ClientFolder
from billing_pipeline.resources.client_sources import ASKED
from billing_pipeline.resources.outputs import OutputFiles
from billing_pipeline.run_tags import CLIENTS
from billing_pipeline.settings import SOURCE_SETTINGS, Settings, variable

_SYSTEMS = {  # fields of ClientSources: what each is called, and the setting with its address
    "directory": ("the company directory", "directory_url"),
    "tickets": ("Freshservice", "freshservice_url"),
    "backups": ("Datto RMM", "datto_url"),
}
_STALE = timedelta(days=2)  # tickets are pulled every six hours, everything else daily
_ORDER = (FINE, NOTE, ATTENTION)


def client_findings(settings: Settings, outputs: OutputFiles, now: datetime) -> Iterator[Finding]:
    """Everything about managed services, in the order in which it is set up; nothing where they are not in use."""
    yield from _unused_keys(settings)
    if not _in_use(settings):
        return
    folder = ClientFolder(settings.clients_folder)
    current = Period.of(now.astimezone(settings.zone).date())
    pulls = _pulls(outputs, (current, current.previous))
    yield from _folder(settings, folder)
    for name in pulled.LISTINGS:
        source = _source(settings, folder, name)
        if source and pulls is not None:
            source = _both(source, _pull(settings, name, pulls[name], current, now))
        if source:
            yield source
    yield from _bills(settings, outputs.of(CLIENTS), current.previous)


def _in_use(settings: Settings) -> bool:
    """Whether there is anything to pull clients from, or is meant to be."""
    named = [settings.clients_dir, *(getattr(settings, url) for url in SOURCE_SETTINGS)]
    return any(named) or settings.clients_folder.exists()


def _unused_keys(settings: Settings) -> Iterator[Finding]:
    for url, others in SOURCE_SETTINGS.items():
        given = [variable(name) for name in others if getattr(settings, name)]
        if given and not getattr(settings, url):
            found = f"is not set: nothing uses {' and '.join(given)}"
            yield Finding(variable(url), NOTE, found, "set it, too; without it the folder of clients is read")


def _system(settings: Settings, name: str) -> str:
    """The system that the listing is pulled from, with its address; "" of one from the folder."""
    systems = (_SYSTEMS[field] for field in ASKED[name])
    return next((f"{called} at {getattr(settings, url)}" for called, url in systems if getattr(settings, url)), "")


def _folder(settings: Settings, folder: ClientFolder) -> Iterator[Finding]:
    """What is wrong with the folder as a whole, where anything is pulled from it."""
    wanted = [name.replace("_", " ") for name in pulled.LISTINGS if not _system(settings, name)]
    if wanted and not folder.path.is_dir():
        advice = "name it with BILLING_CLIENTS_DIR, or set the address of a system"
        found = f"{folder.path} is no folder: {', '.join(wanted)} cannot be pulled"
        yield Finding("clients folder", ATTENTION, found, advice)
    elif others := folder.others():
        advice = f"listings are called {', '.join(pulled.LISTINGS)}, each .csv or .parquet"
        yield Finding("clients folder", NOTE, f"not read: {listed(others)}", advice)


def _source(settings: Settings, folder: ClientFolder, name: str) -> Finding | None:
    """Where the listing is pulled from, and what is wrong there; None when the whole folder is missing."""
    subject = name.replace("_", " ")
    if system := _system(settings, name):
        return Finding(subject, FINE, f"from {system}")
    if not folder.path.is_dir():
        return None
    try:
        file = folder.looked_at(name)
    except (InputError, OSError) as error:
        return Finding(subject, ATTENTION, f"cannot be pulled: {error}", "until it can, what is on hand stays as it is")
    if file is None:
        return Finding(subject, NOTE, f"none: {folder.path} has no {name}.csv", "leave it so if there are none to bill")
    if file.ignored:
        found = f"from {folder.path / file.name}, of which these columns are ignored: {listed([*file.ignored])}"
        return Finding(subject, NOTE, found, f"it may have the columns {', '.join(pulled.LISTINGS[name])}")
    return Finding(subject, FINE, f"from {folder.path / file.name}")


def _pulls(outputs: OutputFiles, months: tuple[Period, ...]) -> Mapping[str, list[tuple[datetime, Period]]] | None:
    """When each listing was pulled for which of the months; None when nobody can say."""
    found: dict[str, list[tuple[datetime, Period]]] = {name: [] for name in pulled.LISTINGS}
    try:
        for name, month in ((name, month) for name in found for month in months if outputs.has_frame(name, month)):
            at = pulled.pulled_at(pl.read_parquet(outputs.frame_path(name, month), columns=["pulled_at"]))
            found[name] += [] if at is None else [(at, month)]
    except Exception:  # noqa: BLE001  # each vendor's driver has errors of its own; said of the object store already
        return None
    return found


def _pull(
    settings: Settings, name: str, pulls: list[tuple[datetime, Period]], current: Period, now: datetime
) -> Finding:
    """When the listing was last pulled for this month or the last one."""
    by_hand = "billing-pipeline clients sync pulls now"
    if not pulls:
        return Finding(name, NOTE, f"not pulled for {current} or {current.previous}", by_hand)
    at, month = max(pulls)
    found = f"last pulled {ago(at, now)}, for {month}"
    schedule = "tickets_every_6_hours" if name == pulled.ENTRIES else "backups_daily"
    if now - at > _STALE and settings.status_of(schedule) == "RUNNING":
        advice = f"is the product up, and the schedule `{schedule}` on? {by_hand}"
        return Finding(name, ATTENTION, found, advice)
    return Finding(name, FINE, found)


def _both(source: Finding, pull: Finding) -> Finding:
    state = max(source.state, pull.state, key=_ORDER.index)
    advice = next((one.advice for one in (source, pull) if one.state == state and one.advice), "")
    return Finding(source.subject, state, f"{source.found}; {pull.found}", advice)


def _bills(settings: Settings, sets: OutputFiles, month: Period) -> Iterator[Finding]:
    """Whether last month was billed when it was over, who could not be billed, and what waits to be accepted."""
    subject, again = f"clients of {month}", f"billing-pipeline clients bill --month {month}"
    try:
        made = sets.latest_manifest(month)
        if made is None:
            state = ATTENTION if sets.committed_months() else NOTE
            yield Finding(subject, state, "not billed yet", again)
        elif datetime.fromisoformat(made["finished_at_utc"]) < _end(month, settings):
            yield Finding(subject, ATTENTION, "billed before it was over, and cannot be accepted like this", again)
        else:
            yield _billed(subject, made, _waiting(settings, sets, made, month), sets, month)
    except InputError as error:
        yield Finding(subject, ATTENTION, str(error))
    except Exception:  # noqa: BLE001  # likewise
        return


def _end(month: Period, settings: Settings) -> datetime:
    return datetime.combine(month.next.first, time(), settings.zone)


def _billed(subject: str, made: Mapping[str, Any], waiting: int, sets: OutputFiles, month: Period) -> Finding:
    said, advice = [f"{made['billed']} bills, {made['total']} in all"], []
    if made["exceptions"]:
        said.append(f"{made['exceptions']} clients cannot be billed")
        workbook = sets.address(f"clients/{month.key}/client_bills_{month.key}.xlsx")
        advice.append(f"the sheet Not billed of {workbook} says why")
    if waiting:
        said.append(f"{waiting} wait to be accepted")
        advice.append(f"look at them, then: billing-pipeline clients accept --month {month}")
    return Finding(subject, ATTENTION if advice else FINE, ", ".join(said), "; ".join(advice))


def _waiting(settings: Settings, sets: OutputFiles, made: dict[str, Any], month: Period) -> int:
    """How many of the month's bills are not accepted; 0 when the database cannot say, which is said of it already."""
    accepted = asked(settings, lambda connection: frozenset(current_invoices(connection, month)), frozenset[str]())
    if accepted is None:
        return 0
    accounts = pl.read_parquet(sets.file_of(made, "bills"), columns=["account"])["account"]
    return sum(account not in accepted for account in accounts)
