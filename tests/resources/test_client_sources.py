"""Which system a client listing is pulled from, when some are set and others are not."""

from pathlib import Path

from billing_pipeline.engine.managed_services.pulled import LISTINGS
from billing_pipeline.resources.backups import DattoRmm
from billing_pipeline.resources.client_folder import ClientFolder
from billing_pipeline.resources.client_sources import ClientSources
from billing_pipeline.resources.directory import Directory
from billing_pipeline.resources.tickets import Freshservice

HERE = "http://127.0.0.1:1"  # nothing is asked


def sources(*, directory: bool = False, tickets: bool = False, backups: bool = False) -> dict[str, str]:
    """What the source of each listing is called."""
    chosen = ClientSources(
        ClientFolder(Path("none")),
        Directory(HERE, HERE) if directory else None,
        Freshservice(HERE, "key") if tickets else None,
        DattoRmm(HERE, "key", "secret") if backups else None,
    )
    return {name: chosen.named(name) for name in LISTINGS}


def test_without_a_system_everything_is_in_the_folder() -> None:
    assert sources() == dict.fromkeys(LISTINGS, "folder")


def test_the_directory_has_everything_but_time() -> None:
    assert sources(directory=True) == dict.fromkeys(LISTINGS, "Directory") | {"time_entries": "folder"}


def test_devices_and_volumes_are_those_of_the_system_that_watches_them() -> None:
    watched = {"devices": "DattoRmm", "backup_volumes": "DattoRmm"}
    assert sources(backups=True) == dict.fromkeys(LISTINGS, "folder") | watched
    assert sources(directory=True, tickets=True, backups=True) == {
        "companies": "Directory", "contacts": "Directory", **watched, "time_entries": "Freshservice",
    }  # fmt: skip
