"""Where managed-services clients, their devices, contacts, backups and time come from: vendors' APIs, or a folder.

Each listing has one source: the API whose address is set, else the folder. What belongs here: choosing it. What does
not: how a source is asked (`directory`, `tickets`, `backups`, `client_folder`), what becomes of its answer (engine).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import dagster as dg
import polars as pl

from billing_pipeline.engine.managed_services import pulled
from billing_pipeline.resources.backups import DattoRmm
from billing_pipeline.resources.client_folder import ClientFolder
from billing_pipeline.resources.directory import Directory
from billing_pipeline.resources.tickets import Freshservice
from billing_pipeline.resources.upstream import Options

ASKED = {
    pulled.COMPANIES: ("directory",),
    pulled.CONTACTS: ("directory",),
    pulled.DEVICES: ("backups", "directory"),
    pulled.VOLUMES: ("backups", "directory"),
    pulled.ENTRIES: ("tickets",),
}
"""Which fields of ClientSources a listing is pulled from: the first that is set, else the folder."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """A listing as its source gave it, whole. tickets: of time entries, which tickets were read; None: all of them.

    gone: tickets that the source says were deleted, or are spam, whether they were read or not.
    """

    texts: pl.DataFrame
    tickets: frozenset[str] | None = None
    gone: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ClientSources:
    """The plain object behind the resource. What is not set is read from the folder."""

    folder: ClientFolder
    directory: Directory | None
    tickets: Freshservice | None
    backups: DattoRmm | None

    def pull(self, name: str, since: datetime | None) -> Pulled:
        """A listing (one of pulled.LISTINGS), complete; time entries of tickets that changed since then.

        UpstreamError: the source did not give all of it. InputError: a file of the folder cannot be used.
        """
        if name == pulled.ENTRIES and self.tickets:
            found = self.tickets.entries(since)
            return Pulled(found.entries, found.tickets, found.gone)
        return Pulled(self._listing(name)())

    def named(self, name: str) -> str:
        """What the source of a listing is called."""
        return "folder" if (source := self._source(name)) is self.folder else type(source).__name__

    def _source(self, name: str) -> ClientFolder | Directory | Freshservice | DattoRmm:
        apis = {"directory": self.directory, "tickets": self.tickets, "backups": self.backups}
        return next((found for field in ASKED[name] if (found := apis[field])), self.folder)

    def _listing(self, name: str) -> Callable[[], pl.DataFrame]:
        source = self._source(name)
        if isinstance(source, ClientFolder):
            return lambda: source.listing(name)
        method = {pulled.VOLUMES: "volumes"}.get(name, name)
        listing: Callable[[], pl.DataFrame] = getattr(source, method)
        return listing


class ClientSourcesResource(dg.ConfigurableResource[ClientSources]):
    """Addresses and keys of the sources; keys as EnvVar only. An empty address means the folder.

    Faults: UpstreamError; transient ones were tried again with back-off, permanent ones (a wrong key, an unknown path,
    a page instead of data) never. Nothing on hand is changed by either.
    """

    folder: str
    directory_url: str = ""
    identity_url: str = ""
    freshservice_url: str = ""
    freshservice_api_key: str = ""
    datto_url: str = ""
    datto_api_key: str = ""
    datto_api_secret: str = ""
    datto_backup_field: int = 6
    timeout_seconds: float = 30

    def create_resource(self, context: dg.InitResourceContext) -> ClientSources:  # noqa: ARG002
        options = Options(timeout=self.timeout_seconds)
        return ClientSources(
            ClientFolder(Path(self.folder)),
            Directory(self.directory_url, self.identity_url, options=options) if self.directory_url else None,
            Freshservice(self.freshservice_url, self.freshservice_api_key, options=options)
            if self.freshservice_url
            else None,
            DattoRmm(
                self.datto_url,
                self.datto_api_key,
                self.datto_api_secret,
                backup_field=self.datto_backup_field,
                options=options,
            )
            if self.datto_url
            else None,
        )
