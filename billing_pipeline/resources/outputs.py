"""Where a run's files are drafted, kept for ever and published: drafts, run sets, named files.

A run's complete set stands under `runs/<period>/<run>/`; its manifest makes it a committed one, because the folder
appears, with the manifest inside, by one rename. The named files outside are a copy of the latest committed set and can
be made again from it at any time. Source: decision 10.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
from filelock import FileLock, Timeout

from billing_pipeline.engine.errors import BillingError, MonthHeldError
from billing_pipeline.engine.period import Period
from billing_pipeline.resources.files import link_or_copy, staged_copy, write_whole
from billing_pipeline.resources.run_sets import MANIFEST, RunSets, safe_name


@dataclass(frozen=True, slots=True)
class DraftFile:
    """A file waiting to be published: its place under the outputs folder and where its bytes are now.

    A file with `named` false belongs to the run's set only (the priced rows, for example); one with `lasting` true
    stays outside when a later run replaces the month (rules snapshots).
    """

    name: str
    path: Path
    named: bool = True
    lasting: bool = False


@dataclass(frozen=True, slots=True)
class OutputFiles(RunSets):
    """The plain object behind the resource: the run sets, read and written, and the named files."""

    state_dir: Path

    def draft_folder(self, period: Period, run: str) -> Path:
        """An empty-or-own folder for the drafts of one run."""
        folder = self.state_dir / "drafts" / period.key / run
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def unfinished_drafts(self) -> list[Path]:
        """Draft folders of runs that were refused or died, oldest first."""
        return sorted((self.state_dir / "drafts").glob("*/*"))

    def write_named(self, name: str, content: bytes) -> Path:
        """Write one file under the outputs folder, whole."""
        path = self._inside(name)
        write_whole(path, content)
        return path

    @contextmanager
    def writer(self, period: Period) -> Iterator[None]:
        """Hold the month (again, if this process already does); another process is refused at once."""
        folder = self.state_dir / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(folder / f"{period.key}.lock", timeout=0, is_singleton=True):
                yield
        except Timeout:
            raise MonthHeldError(
                f"another run is publishing {period} just now; try again when it has finished"
            ) from None

    def publish(
        self,
        period: Period,
        run: str,
        files: list[DraftFile],
        manifest: dict[str, Any],
        committed: Callable[[], None] = lambda: None,
    ) -> Path:
        """Commit the files as the run's set and bring the named files up to it; the path of the named manifest.

        Everything that can fail for want of space or rights happens before the commit, on temporary names. `committed`
        is called between the commit and the named files; `place` finishes what a crash left after it.
        """
        _refuse_clashes(files)
        folder = self.outputs_dir / "runs" / period.key
        building, whole = folder / f".{run}.part", folder / run
        earlier = self.manifests(period)
        described = self._inside(manifest["manifest_name"])
        staged: list[tuple[Path, Path]] = []
        try:
            shutil.rmtree(building, ignore_errors=True)
            for file in files:
                link_or_copy(file.path, building / safe_name(file.name))
            content = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False).encode()
            write_whole(building / MANIFEST, content)
            for file in (file for file in files if file.named):
                target = self._inside(file.name)
                staged += [(staged_copy(file.path, target), target)]  # one by one: a failure finds what was staged
            staged.append((staged_copy(building / MANIFEST, described), described))
            _read_only(building)
            building.rename(whole)
        except BaseException:
            for temporary, _ in staged:
                temporary.unlink(missing_ok=True)
            shutil.rmtree(building, ignore_errors=True)
            raise
        committed()
        for temporary, target in staged:
            temporary.replace(target)
        self._drop_stale(earlier, {file.name for file in files})
        return described

    def is_committed(self, period: Period, run: str) -> bool:
        """Whether the run's set is complete."""
        return (self.outputs_dir / "runs" / period.key / safe_name(run) / MANIFEST).is_file()

    def place(self, manifest: dict[str, Any]) -> None:
        """Bring the named files up to a committed set, whatever a crash left of them; again does no harm."""
        period = Period.parse(manifest["billing_period"])
        folder = self.outputs_dir / "runs" / period.key / safe_name(manifest["run_id"])
        names = {entry["name"]: folder / safe_name(entry["name"]) for entry in manifest["files"] if entry["named"]}
        for name in self.stale_files(manifest):
            staged_copy(names[name], self._inside(name)).replace(self._inside(name))
        described = self._inside(manifest["manifest_name"])
        staged_copy(folder / MANIFEST, described).replace(described)
        self._drop_stale(self.manifests(period), set(names))

    def discard_draft(self, folder: Path) -> None:
        """Remove a run's drafts once its set is committed."""
        shutil.rmtree(folder, ignore_errors=True)

    def _drop_stale(self, earlier: list[dict[str, Any]], current: set[str]) -> None:
        """Take away named files of the month's earlier runs that this one no longer has; they stay in their sets."""
        entries = (entry for manifest in earlier for entry in manifest["files"])
        named = {entry["name"] for entry in entries if entry["named"] and not entry["lasting"]}
        for name in sorted(named - current):
            path = self._inside(name)
            path.unlink(missing_ok=True)
            if path.parent.is_dir() and not any(path.parent.iterdir()):
                path.parent.rmdir()


class Outputs(dg.ConfigurableResource[OutputFiles]):
    """Outputs folder and state folder of one installation. Faults: OSError when the disk is full or read-only."""

    outputs_dir: str
    state_dir: str

    def create_resource(self, context: dg.InitResourceContext) -> OutputFiles:  # noqa: ARG002
        return OutputFiles(Path(self.outputs_dir), Path(self.state_dir))


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


def _read_only(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(0o444)
