"""Where published artefacts are kept: files under one root, on a local folder or in an object store.

What belongs here: the interface that both kinds share, and the local folder, where files appear by renames. What does
not: the object store (`object_store`), what a run's set is made of (`run_sets`, `outputs`).
"""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from billing_pipeline.engine.errors import BillingError
from billing_pipeline.resources.files import link_or_copy, read_whole, sha256_of, write_through

_STAGED = ".staged"  # below the root: complete copies on the disk of their targets


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored file: name below the root, bytes, last change (nanoseconds since 1970), and a text that changes with
    the content."""

    name: str
    size: int
    modified: int
    version: str


class Staged(Protocol):
    """Files that wait to appear under their names."""

    def place(self) -> None:
        """Let them appear, each whole, in place of what stood there; again does no harm."""

    def discard(self) -> None:
        """Leave nothing of them."""


class Storage(Protocol):
    """Files under one root by posix names. A name that would leave the root is a BillingError.

    Faults: OSError when the disk is full or not writable, or the object store is out of reach or refuses access.
    """

    def address(self, name: str = "") -> str:
        """The path or URL of a file or folder, for people."""

    def below(self, folder: str) -> "Storage":
        """The storage that has a folder of this one as its root."""

    def listing(self) -> list[Stored]:
        """Every file below the root, by name; FileNotFoundError when the root's folder or bucket is not there."""

    def folders(self, folder: str) -> list[str]:
        """The names of the folders directly in a folder, in order."""

    def existing(self, names: Iterable[str]) -> list[str]:
        """Those of the files that are there."""

    def read_all(self, names: Iterable[str]) -> dict[str, bytes]:
        """The bytes of small files by name; missing ones are left out."""

    def hashes(self, names: Iterable[str]) -> dict[str, str]:
        """SHA-256 of the bytes that are stored now, by name; missing ones are left out."""

    def local_path(self, name: str) -> Path | None:
        """A path on this machine to read the file at, good for the step that asks; None when it is missing.

        InputError when the file changes while it is fetched.
        """

    def write(self, name: str, content: bytes) -> None:
        """Write a small file so that it appears whole or not at all."""

    def writing(self, name: str) -> AbstractContextManager[Path]:
        """A path to write a file at; it appears whole under its name when the block ends well, or not at all."""

    def stage(self, files: Mapping[str, Path], area: str) -> Staged:
        """Get files ready for their names; what can fail for want of space does so here when it can be known here.

        `area`: whose they are. One writer at a time has an area, and clears what a dead one left in it.
        """

    def commit(self, folder: str, files: Mapping[str, Path], last: str) -> None:
        """Keep files as one new set in a folder; the one named `last` makes it visible. OSError when there is one."""

    def remove(self, names: Iterable[str]) -> None:
        """Take files away; missing ones do not matter."""

    def clear(self, area: str, folder: str, last: str) -> None:
        """Remove what a writer that died left staged in its area, and in a folder of sets those without `last`."""


@dataclass(frozen=True, slots=True)
class LocalStorage:
    """A folder on a disk: files and sets appear by renames; sets are read-only, and hard links where it allows."""

    root: Path

    def address(self, name: str = "") -> str:
        return str(self._path(name))

    def below(self, folder: str) -> "LocalStorage":
        return LocalStorage(self._path(folder))

    def listing(self) -> list[Stored]:
        return sorted(_stored_below(self.root, ""), key=lambda stored: stored.name)

    def folders(self, folder: str) -> list[str]:
        path = self._path(folder)
        return sorted(entry.name for entry in path.iterdir() if entry.is_dir()) if path.is_dir() else []

    def existing(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if self._path(name).is_file()]

    def read_all(self, names: Iterable[str]) -> dict[str, bytes]:
        return {name: read_whole(self._path(name)) for name in self.existing(names)}

    def hashes(self, names: Iterable[str]) -> dict[str, str]:
        return {name: sha256_of(self._path(name)) for name in self.existing(names)}

    def local_path(self, name: str) -> Path | None:
        path = self._path(name)
        return path if path.is_file() else None

    def write(self, name: str, content: bytes) -> None:
        with self.writing(name) as temporary:
            write_through(temporary, content)

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        target = self._path(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.part")  # one writer: what a dead one left is written over
        try:
            yield temporary
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)

    def stage(self, files: Mapping[str, Path], area: str) -> Staged:
        folder = self._path(f"{_STAGED}/{area}")
        folder.mkdir(parents=True, exist_ok=True)
        staged = _Copies(folder, [])
        try:
            targets = [self._path(name) for name in files]
            for parent in {target.parent for target in targets}:
                parent.mkdir(parents=True, exist_ok=True)
            for number, (source, target) in enumerate(zip(files.values(), targets, strict=True)):
                temporary = folder / f"{number}.part"
                shutil.copyfile(source, temporary)
                staged.pairs.append((temporary, target))
        except BaseException:
            staged.discard()
            raise
        return staged

    def commit(self, folder: str, files: Mapping[str, Path], last: str) -> None:
        whole = self._path(folder)
        building = whole.with_name(f".{whole.name}.part")
        try:
            shutil.rmtree(building, ignore_errors=True)
            for name in (*(name for name in files if name != last), last):
                target = building / safe_name(name)
                link_or_copy(files[name], target)
                target.chmod(0o444)
            building.rename(whole)
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise

    def remove(self, names: Iterable[str]) -> None:
        for name in names:
            path = self._path(name)
            path.unlink(missing_ok=True)
            for parent in path.parents:
                if parent == self.root or not parent.is_dir() or any(parent.iterdir()):
                    break
                parent.rmdir()

    def clear(self, area: str, folder: str, last: str) -> None:  # noqa: ARG002  # a set here is never without it
        shutil.rmtree(self._path(f"{_STAGED}/{area}"), ignore_errors=True)
        for building in self._path(folder).glob(".*.part"):
            shutil.rmtree(building, ignore_errors=True)

    def _path(self, name: str) -> Path:
        return self.root / safe_name(name)


@dataclass(frozen=True, slots=True)
class _Copies:
    """Staged files of a local folder: complete copies on the same disk, and the names they wait for."""

    folder: Path
    pairs: list[tuple[Path, Path]]

    def place(self) -> None:
        for temporary, target in self.pairs:
            temporary.replace(target)
        self.pairs.clear()
        self.discard()

    def discard(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):  # others' are still there
            self.folder.parent.rmdir()
            self.folder.parent.parent.rmdir()


def open_storage(place: str, copies: Path) -> Storage:
    """The storage at a folder or URL; `copies` is the local folder for what is fetched from an object store.

    InputError: a URL of another kind than s3://bucket/prefix, gs:// or az://, or one whose package is not installed.
    """
    if not is_url(place):
        return LocalStorage(Path(place))
    from billing_pipeline.resources.object_store import object_storage  # noqa: PLC0415  # fsspec: only who needs it

    return object_storage(place, copies)


def is_url(place: str) -> bool:
    """Whether a place is named by a URL, not by a path."""
    return "://" in place


def safe_name(name: str) -> PurePosixPath:
    """A name below the root; anything that would leave it is our own mistake."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise BillingError(f"a file may not be published as {name!r}")
    return path


def _stored_below(folder: Path, prefix: str) -> Iterator[Stored]:
    with os.scandir(folder) as entries:
        for entry in entries:
            name = f"{prefix}{entry.name}"
            try:
                if entry.is_dir(follow_symlinks=False):
                    yield from _stored_below(Path(entry.path), f"{name}/")
                elif entry.is_file():
                    stat = entry.stat()
                    yield Stored(name, stat.st_size, stat.st_mtime_ns, str(stat.st_mtime_ns))
            except FileNotFoundError:  # gone since the folder was read
                continue
