"""Committed run sets, read: which months have one, the latest of a month, its rules and priced rows, what went stale.

What belongs here: reading `runs/<period>/<run>/` under an outputs folder, without Dagster, so that a command answers
at once. What does not: drafting and publishing (`outputs`).
"""

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import polars as pl

from billing_pipeline.engine.errors import BillingError, InputError, Problem
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.rules import Rules, read_workbook
from billing_pipeline.resources.files import read_whole, sha256_of

MANIFEST = "manifest.json"
_COMMITTED = f"[!.]*/{MANIFEST}"  # a folder that begins with a dot is still being built, or was left by a crash


@dataclass(frozen=True, slots=True)
class RunSets:
    """The run sets of one outputs folder. A set that was damaged after its commit is an InputError."""

    outputs_dir: Path

    def latest_manifest(self, period: Period) -> dict[str, Any] | None:
        """The manifest of the month's latest committed run, if there is one."""
        return max(self.manifests(period), key=lambda m: (m["finished_at_utc"], m["run_id"]), default=None)

    def manifests(self, period: Period) -> list[dict[str, Any]]:
        """The manifests of the month's committed runs."""
        return [_load(path) for path in sorted((self.outputs_dir / "runs" / period.key).glob(_COMMITTED))]

    def committed_months(self) -> list[Period]:
        """Months with at least one committed run."""
        return sorted(
            {Period.parse(path.parent.parent.name) for path in self.outputs_dir.glob(f"runs/[0-9]*/{_COMMITTED}")}
        )

    def stale_files(self, manifest: dict[str, Any]) -> list[str]:
        """Named files that no longer are what the committed run wrote: changed or missing."""
        return [
            entry["name"]
            for entry in manifest["files"]
            if entry["named"]
            and not ((path := self._inside(entry["name"])).is_file() and sha256_of(path) == entry["sha256"])
        ]

    def rules(self, manifest: dict[str, Any]) -> Rules:
        """The rules that a run priced with, from the snapshot in its own set."""
        path = self._of_kind(manifest, "rules")
        rules = read_workbook(read_whole(path), path.name)
        if rules.sha256 != manifest["rules_file"]["sha256"]:
            raise InputError(Problem("is no longer the workbook that the run priced with", file=path.name))
        return rules

    def priced_rows(self, manifest: dict[str, Any]) -> pl.LazyFrame:
        """The fact table of a run: usage columns and tables.PRICED."""
        path = self._of_kind(manifest, "priced")
        if not path.is_file():
            raise InputError(Problem("is missing from its run's set", file=str(path)))
        return pl.scan_parquet(path)

    def _of_kind(self, manifest: dict[str, Any], kind: str) -> Path:
        """The file of a kind in the run's own set."""
        name = next(str(entry["name"]) for entry in manifest["files"] if entry["kind"] == kind)
        period = Period.parse(manifest["billing_period"])
        return self.outputs_dir / "runs" / period.key / safe_name(manifest["run_id"]) / safe_name(name)

    def _inside(self, name: str) -> Path:
        return self.outputs_dir / safe_name(name)


def safe_name(name: str) -> PurePosixPath:
    """A name below the outputs folder; anything that would leave it is our own mistake."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        raise BillingError(f"a file may not be published as {name!r}")
    return path


def _load(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(read_whole(path))
    except ValueError:
        raise InputError(Problem("is damaged: not JSON", file=str(path))) from None
    return document
