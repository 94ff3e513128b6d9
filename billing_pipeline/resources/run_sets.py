"""Committed run sets, read: which months have one, the latest of a month, its rules and priced rows, what went stale.

What belongs here: reading `runs/<period>/<run>/` in the storage (`runs/<capability>/<period>/<run>/` of what is not
billing), without Dagster, so that a command answers at once.
What does not: drafting and publishing (`outputs`).
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from billing_pipeline.engine.errors import InputError, Problem
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.rules import Rules, read_workbook
from billing_pipeline.resources.files import read_whole
from billing_pipeline.resources.storage import Storage, safe_name
from billing_pipeline.run_tags import BILLING, CAPABILITIES

MANIFEST = "manifest.json"
_MONTH = re.compile(r"\d{4}-\d\d")


@dataclass(frozen=True, slots=True)
class RunSets:
    """The run sets of one capability in a storage. A set without its manifest is none; a damaged one an InputError."""

    storage: Storage
    capability: str

    def set_folder(self, period: Period, run: str) -> str:
        """Where the set of a run stands in the storage."""
        return f"{self._root}/{period.key}/{safe_name(run)}"

    @property
    def _root(self) -> str:
        return "runs" if self.capability == BILLING else f"runs/{self.capability}"

    def latest_manifest(self, period: Period) -> dict[str, Any] | None:
        """The manifest of the month's latest committed run, if there is one."""
        return max(self.manifests(period), key=lambda m: (m["finished_at_utc"], m["run_id"]), default=None)

    def manifests(self, period: Period) -> list[dict[str, Any]]:
        """The manifests of the month's committed runs."""
        found = self.storage.read_all(self._manifest_names(period.key))
        return [_document(self.storage.address(name), content) for name, content in found.items()]

    def committed_months(self) -> list[Period]:
        """Months with at least one committed run."""
        months = [month for month in self.months() if _MONTH.fullmatch(month)]
        return [Period.parse(month) for month in months if self.storage.existing(self._manifest_names(month))]

    def months(self) -> list[str]:
        """The folders of months, whatever is in them; other folders that stand there, too."""
        folders = self.storage.folders(self._root)
        return [name for name in folders if name not in CAPABILITIES] if self.capability == BILLING else folders

    def runs(self, month: str) -> list[str]:
        """The folders of a month's runs, half built ones included."""
        return self.storage.folders(f"{self._root}/{month}")

    def is_committed(self, period: Period, run: str) -> bool:
        """Whether the run's set is complete."""
        return bool(self.storage.existing([f"{self.set_folder(period, run)}/{MANIFEST}"]))

    def stale_files(self, manifest: dict[str, Any]) -> list[str]:
        """Named files that no longer are what the committed run wrote: changed or missing."""
        written = {entry["name"]: entry["sha256"] for entry in manifest["files"] if entry["named"]}
        stored = self.storage.hashes(written)
        return [name for name, digest in written.items() if stored.get(name) != digest]

    def rules(self, manifest: dict[str, Any]) -> Rules:
        """The rules that a run priced with, from the snapshot in its own set."""
        path = self.file_of(manifest, "rules")
        rules = read_workbook(read_whole(path), path.name)
        if rules.sha256 != manifest["rules_file"]["sha256"]:
            raise InputError(Problem("is no longer the workbook that the run priced with", file=path.name))
        return rules

    def priced_rows(self, manifest: dict[str, Any]) -> pl.LazyFrame:
        """The fact table of a run: usage columns and tables.PRICED."""
        return pl.scan_parquet(self.file_of(manifest, "priced"))

    def invoice_lines(self, manifest: dict[str, Any]) -> pl.DataFrame:
        """The invoice lines of a run, held ones included: engine.invoicing.invoice_lines."""
        return pl.read_parquet(self.file_of(manifest, "lines"))

    def accrued_totals(self, manifest: dict[str, Any]) -> pl.DataFrame:
        """What an accrual's run booked: engine.accruals.customer_totals."""
        return pl.read_parquet(self.file_of(manifest, "totals_frame"))

    def manifest_of(self, period: Period, run: str) -> dict[str, Any]:
        """The manifest of one committed run; InputError when there is no such run."""
        name = f"{self.set_folder(period, run)}/{MANIFEST}"
        found = self.storage.read_all([name])
        if name not in found:
            raise InputError(Problem("is no committed run", file=self.storage.address(name)))
        return _document(self.storage.address(name), found[name])

    def set_files(self, period: Period, run: str) -> dict[str, Path]:
        """Every file of a run's set by name, its manifest included, on this machine."""
        manifest = self.manifest_of(period, run)
        return self._in_set(manifest, [*(entry["name"] for entry in manifest["files"]), MANIFEST])

    def _manifest_names(self, month: str) -> list[str]:
        """Where manifests may be: a folder that begins with a dot is still being built, or was left by a crash."""
        return [f"{self._root}/{month}/{run}/{MANIFEST}" for run in self.runs(month) if not run.startswith(".")]

    def file_of(self, manifest: dict[str, Any], kind: str) -> Path:
        """The file of a kind in the run's own set, on this machine."""
        name = next(str(entry["name"]) for entry in manifest["files"] if entry["kind"] == kind)
        (path,) = self._in_set(manifest, [name]).values()
        return path

    def _in_set(self, manifest: dict[str, Any], names: Iterable[str]) -> dict[str, Path]:
        """Files of the run's own set by name, on this machine."""
        folder = self.set_folder(Period.parse(manifest["billing_period"]), manifest["run_id"])
        found = {}
        for name in names:
            stored = f"{folder}/{safe_name(name)}"
            path = self.storage.local_path(stored)
            if path is None:
                raise InputError(Problem("is missing from its run's set", file=self.storage.address(stored)))
            found[name] = path
        return found


def _document(place: str, content: bytes) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(content)
    except ValueError:
        raise InputError(Problem("is damaged: not JSON", file=place)) from None
    return document
