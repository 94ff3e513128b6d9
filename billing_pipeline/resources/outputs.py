"""Where a run's files are drafted, kept for ever and published: drafts, run sets, named files.

A run's complete set stands under `runs/<period>/<run>/` in the storage; its manifest makes it a committed one: on a
folder it appears with the set, by one rename, in an object store after everything else. The named files outside are a
copy of the latest committed set and can be made again from it at any time. Drafts and copies are on this machine, in
the state folder. Source: decision 10.
"""

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from billing_pipeline.engine.errors import BillingError
from billing_pipeline.engine.period import Period
from billing_pipeline.resources.files import write_whole
from billing_pipeline.resources.frames import frame_name, frame_storage, stored_frame
from billing_pipeline.resources.run_sets import MANIFEST, RunSets
from billing_pipeline.resources.storage import Storage, open_storage, safe_name
from billing_pipeline.run_tags import BILLING


@dataclass(frozen=True, slots=True)
class DraftFile:
    """A file waiting to be published: its place in the storage and where its bytes are now.

    A file with `named` false belongs to the run's set only (the priced rows, for example); one with `lasting` true
    stays outside when a later run replaces the month (rules snapshots).
    """

    name: str
    path: Path
    named: bool = True
    lasting: bool = False


@dataclass(frozen=True, slots=True)
class OutputFiles(RunSets):
    """The plain object behind the resource: the run sets of one capability, read and written, and the named files."""

    state_dir: Path

    def of(self, capability: str) -> "OutputFiles":
        """The same storage for what another capability makes of the months."""
        return replace(self, capability=capability)

    def draft_folder(self, period: Period, run: str) -> Path:
        """An empty-or-own folder for the drafts of one run."""
        folder = self.drafts / period.key / run
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def unfinished_drafts(self) -> list[Path]:
        """Draft folders of runs that were refused or died, oldest first."""
        return sorted(self.drafts.glob("*/*"))

    @property
    def drafts(self) -> Path:
        """Where the capability's drafts are, by month and run."""
        return self.state_dir / "drafts" / self.capability

    def has_frame(self, asset: str, period: Period) -> bool:
        """Whether the frame of an asset and month is stored."""
        return bool(self._frames.existing([frame_name(asset, period.key)]))

    def last_frame_month(self, asset: str, period: Period) -> Period | None:
        """The month, or the last one before it, of which the frame of an asset is stored."""
        return max((month for month in self.frame_months(asset) if month <= period), default=None)

    def frame_months(self, asset: str) -> list[Period]:
        """The months of which the frame of an asset is stored, in order."""
        try:
            stored = self._frames.below(asset).listing()
        except FileNotFoundError:
            return []
        return [Period.parse(file.name.removesuffix(".parquet")) for file in stored if file.name.endswith(".parquet")]

    def frame_marks(self, asset: str) -> list[str]:
        """What changes with the stored frames of an asset, without reading them."""
        try:
            return [f"{stored.name} {stored.version}" for stored in self._frames.below(asset).listing()]
        except FileNotFoundError:
            return []

    def frame_path(self, asset: str, period: Period) -> Path:
        """A path on this machine to read the stored frame of an asset and month at; FileNotFoundError without one."""
        return stored_frame(self._frames, frame_name(asset, period.key))

    def address(self, name: str) -> str:
        """The path or URL of a named file, for people."""
        return self.storage.address(name)

    def named_exists(self, name: str) -> bool:
        """Whether a named file is there."""
        return bool(self.storage.existing([name]))

    def write_named(self, name: str, content: bytes) -> str:
        """Write one file into the storage, whole; its address."""
        self.storage.write(name, content)
        return self.storage.address(name)

    def read_named(self, name: str) -> bytes:
        """One small file of the storage; FileNotFoundError when it is not there."""
        found = self.storage.read_all([name])
        if name not in found:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.storage.address(name))
        return found[name]

    def publish(
        self,
        period: Period,
        run: str,
        files: list[DraftFile],
        manifest: dict[str, Any],
        committed: Callable[[], None] = lambda: None,
    ) -> str:
        """Commit the files as the run's set and bring the named files up to it; the address of the named manifest.

        What can fail for want of space or rights happens before the commit where the storage can do so. `committed`
        is called between the commit and the named files; `place` finishes what a crash left after it.
        """
        _refuse_clashes(files)
        earlier = self.manifests(period)
        described = self.draft_folder(period, run) / MANIFEST
        write_whole(described, json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False).encode())
        contents = {str(safe_name(file.name)): file.path for file in files}
        named = {file.name: file.path for file in files if file.named}
        staged = self.storage.stage(named | {manifest["manifest_name"]: described}, f"{self._area(period)}/{run}")
        try:
            self.storage.commit(self.set_folder(period, run), contents | {MANIFEST: described}, MANIFEST)
        except BaseException:
            staged.discard()
            raise
        committed()
        staged.place()
        self._drop_stale(earlier, set(contents))
        return self.storage.address(manifest["manifest_name"])

    def place(self, manifest: dict[str, Any]) -> None:
        """Bring the named files up to a committed set, whatever a crash left of them; again does no harm."""
        period = Period.parse(manifest["billing_period"])
        described = self._in_set(manifest, [MANIFEST])[MANIFEST]
        stale = self._in_set(manifest, self.stale_files(manifest))
        area = f"{self._area(period)}/{manifest['run_id']}"
        self.storage.stage(stale | {manifest["manifest_name"]: described}, area).place()
        self._drop_stale(self.manifests(period), {entry["name"] for entry in manifest["files"] if entry["named"]})

    def withdraw(self, manifest: dict[str, Any]) -> None:
        """Take the named files of a run away, so that nobody imports or sends them; its set and its rules stay."""
        entries = (entry for entry in manifest["files"] if entry["named"] and entry["kind"] != "rules")
        self.storage.remove(sorted(entry["name"] for entry in entries))

    def clear(self, period: Period) -> None:
        """Remove what runs of the month that died left half written; only who holds the month may do so."""
        self.storage.clear(self._area(period), f"{self._root}/{period.key}", MANIFEST)

    def discard_drafts(self, period: Period) -> None:
        """Remove the month's drafts once a set is committed: those of runs that died or were refused as well."""
        shutil.rmtree(self.drafts / period.key, ignore_errors=True)

    def _area(self, period: Period) -> str:
        """Where what waits to be placed stands: each writer of a month has a place of its own."""
        return f"{self.capability}/{period.key}"

    @property
    def _frames(self) -> Storage:
        return frame_storage(self.storage, self.state_dir)

    def _drop_stale(self, earlier: list[dict[str, Any]], current: set[str]) -> None:
        """Take away named files of the month's earlier runs that this one no longer has; they stay in their sets."""
        entries = (entry for manifest in earlier for entry in manifest["files"])
        named = {entry["name"] for entry in entries if entry["named"] and not entry["lasting"]}
        self.storage.remove(sorted(named - current))


class Outputs(dg.ConfigurableResource[OutputFiles]):
    """Storage and state folder of one installation: `storage_url` when it is set, else the folder `outputs_dir`.

    Faults: OSError when the disk is full or read-only, or the object store is out of reach.
    """

    outputs_dir: str
    state_dir: str
    storage_url: str = ""

    def create_resource(self, context: dg.InitResourceContext) -> OutputFiles:  # noqa: ARG002
        return output_files(self.storage_url or self.outputs_dir, Path(self.state_dir))


def output_files(place: str | Path, state_dir: Path) -> OutputFiles:
    """What is published at a folder or URL, with the state of this machine."""
    return OutputFiles(open_storage(str(place), state_dir / "copies"), BILLING, state_dir)


def run_name(run_id: str, started: float) -> str:
    """Our id of a Dagster run: start time in UTC and the first eight characters of its id."""
    return f"{datetime.fromtimestamp(started, UTC):%Y%m%dT%H%M%SZ}-{run_id[:8]}"


def run_of(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> str:
    """run_name of the run a step belongs to: the same in every step of it."""
    record = context.instance.get_run_record_by_id(context.run.run_id)
    started = record.create_timestamp.timestamp() if record else datetime.now(UTC).timestamp()
    return run_name(context.run.run_id, started)


def _refuse_clashes(files: Iterable[DraftFile]) -> None:
    names = [file.name.casefold() for file in files]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise BillingError(f"two files would be published under one name: {', '.join(twice)}")
