"""Artefacts in an object store: s3://, gs:// or az:// over fsspec, with the credentials the vendor's environment gives.

What belongs here: whole objects under one prefix, and the local copies of what is read. A prefix has no renames, so a
set is committed by its last object, which is only ever created, never replaced. An object appears when its upload is
complete; the vendors' drivers send checksums that the store verifies. What does not: what a set is made of (`outputs`).
"""

import errno
import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar
from uuid import uuid4

import fsspec  # type: ignore[import-untyped]  # ships no types

from billing_pipeline.engine.errors import InputError, Problem, printable
from billing_pipeline.resources.files import sha256_of
from billing_pipeline.resources.storage import Stored, safe_name

T = TypeVar("T")
S = TypeVar("S")

_SCHEMES = ("s3", "gs", "az")
_AT_ONCE = 8  # requests under way: a month is hundreds of small files, and each waits for the network
_KEPT_SECONDS = 3600.0  # a local copy that nobody used for so long is removed when the next one is made
_CROWDED_SECONDS = 300.0  # the same, once all copies together are more than
_CROWDED_BYTES = 4 << 30
_VERSION = ("ETag", "etag", "generation")  # what the three vendors call a content's mark
_MODIFIED = ("LastModified", "last_modified", "mtime")


@dataclass(frozen=True, slots=True)
class ObjectStorage:
    """A prefix of a bucket or container. `copies`: the local folder of what is read, cleaned up by itself."""

    url: str
    copies: Path
    filesystem: Any

    def address(self, name: str = "") -> str:
        return f"{self.url}/{safe_name(name)}" if name else self.url

    def below(self, folder: str) -> "ObjectStorage":
        return ObjectStorage(self.address(folder), self.copies, self.filesystem)

    def listing(self) -> list[Stored]:
        root = self._key("")
        found = self._ask("", self.filesystem.find, root, detail=True)
        names = {key.removeprefix(f"{root}/"): info for key, info in found.items() if info["type"] == "file"}
        return [_stored(name, names[name]) for name in sorted(names) if _is_plain(name)]

    def folders(self, folder: str) -> list[str]:
        try:
            entries = self._ask(folder, self.filesystem.ls, self._key(folder), detail=True)
        except FileNotFoundError:  # there is no empty folder, and no missing one
            return []
        return sorted(entry["name"].rstrip("/").rpartition("/")[2] for entry in entries if entry["type"] == "directory")

    def existing(self, names: Iterable[str]) -> list[str]:
        return [stored.name for stored in _each(self._find, names) if stored]

    def read_all(self, names: Iterable[str]) -> dict[str, bytes]:
        return dict(found for found in _each(self._read, names) if found)

    def hashes(self, names: Iterable[str]) -> dict[str, str]:
        return dict(found for found in _each(self._hash, names) if found)

    def local_path(self, name: str) -> Path | None:
        stored = self._find(name)
        if stored is None:
            return None
        key = hashlib.sha256(f"{self.address(name)}\n{stored.size}\n{stored.version}".encode()).hexdigest()[:24]
        copy = self.copies / key / PurePosixPath(name).name
        used = (time.time_ns(), stored.modified)
        try:
            os.utime(copy, ns=used)
        except FileNotFoundError:
            tidy(self.copies)
            with self._fetched(stored) as fetched:
                copy.parent.mkdir(parents=True, exist_ok=True)
                os.utime(fetched, ns=used)
                fetched.replace(copy)
        return copy

    def write(self, name: str, content: bytes) -> None:
        self._ask(name, self.filesystem.pipe_file, self._key(name), content)

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        safe_name(name)
        with _temporary(self.copies) as path:
            yield path
            self._put(name, path)

    def stage(self, files: Mapping[str, Path], area: str) -> "_Uploads":  # noqa: ARG002  # uploads are whole
        return _Uploads(self, {str(safe_name(name)): path for name, path in files.items()})

    def commit(self, folder: str, files: Mapping[str, Path], last: str) -> None:
        mark, content = f"{folder}/{last}", files[last].read_bytes()
        if self.existing([mark]):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), self.address(mark))
        self.put_all({f"{folder}/{safe_name(name)}": path for name, path in files.items() if name != last})
        try:
            self._ask(mark, self.filesystem.pipe_file, self._key(mark), content, mode="create")
        except FileExistsError:
            if self.read_all([mark]).get(mark) != content:  # else it is ours, and only the answer had been lost
                raise

    def put_all(self, files: Mapping[str, Path]) -> None:
        """Upload files to their names."""
        _each(lambda item: self._put(*item), files.items())

    def remove(self, names: Iterable[str]) -> None:
        _each(self._remove, names)

    def clear(self, area: str, folder: str, last: str) -> None:  # noqa: ARG002  # nothing is staged here
        sets = [f"{folder}/{name}" for name in self.folders(folder)]
        whole = set(self.existing(f"{name}/{last}" for name in sets))
        for name in sets:
            if f"{name}/{last}" not in whole:
                self.remove(f"{name}/{stored.name}" for stored in self.below(name).listing())

    def _key(self, name: str) -> str:
        return str(self.filesystem._strip_protocol(self.address(name)))  # how fsspec names objects

    def _find(self, name: str) -> Stored | None:
        try:
            info = self._ask(name, self.filesystem.info, self._key(name))
        except FileNotFoundError:
            return None
        return _stored(name, info) if info["type"] == "file" else None

    def _read(self, name: str) -> tuple[str, bytes] | None:
        try:
            return name, self._ask(name, self.filesystem.cat_file, self._key(name))
        except FileNotFoundError:
            return None

    def _hash(self, name: str) -> tuple[str, str] | None:
        with _temporary(self.copies) as path:
            try:
                self._ask(name, self.filesystem.get_file, self._key(name), str(path))
            except FileNotFoundError:
                return None
            return name, sha256_of(path)

    @contextmanager
    def _fetched(self, stored: Stored) -> Iterator[Path]:
        """The file, downloaded whole to a temporary path; InputError if it was replaced meanwhile."""
        with _temporary(self.copies) as path:
            self._ask(stored.name, self.filesystem.get_file, self._key(stored.name), str(path))
            if self._find(stored.name) != stored or path.stat().st_size != stored.size:
                name = PurePosixPath(stored.name).name
                raise InputError(Problem("changed while it was read; is the export still being written?", file=name))
            yield path

    def _put(self, name: str, path: Path) -> None:
        self._ask(name, self.filesystem.put_file, str(path), self._key(name))

    def _remove(self, name: str) -> None:
        try:
            self._ask(name, self.filesystem.rm_file, self._key(name))
        except FileNotFoundError:
            return

    def _ask(self, name: str, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """The store's answer; a fault of it as OSError, whatever the vendor's driver makes of it."""
        try:
            return function(*arguments, **options)
        except Exception as error:
            code = error.errno if isinstance(error, OSError) and error.errno else _code(error)
            reason = f"the object store did not do it: {printable(str(error), limit=300)}"
            raise OSError(code, reason, self.address(name)) from error


@dataclass(frozen=True, slots=True)
class _Uploads:
    """Staged files of an object store: they stay where they are until they are uploaded."""

    storage: ObjectStorage
    files: dict[str, Path]

    def place(self) -> None:
        self.storage.put_all(self.files)

    def discard(self) -> None:
        self.files.clear()


def object_storage(url: str, copies: Path) -> ObjectStorage:
    """The prefix that a URL names; InputError when it names none, or its driver is not installed."""
    scheme, _, place = url.partition("://")
    if scheme not in _SCHEMES or not place.strip("/"):
        raise InputError(
            Problem("is not a place of an object store: s3://bucket/prefix, gs://... or az://...", value=url)
        )
    try:
        filesystem = fsspec.filesystem(scheme, use_listings_cache=False)  # other machines write there too
    except ImportError:
        needed = f"reading {scheme}:// needs a package that is not installed: pip install 'billing-pipeline[{scheme}]'"
        raise InputError(Problem(needed, value=url)) from None
    return ObjectStorage(url.rstrip("/"), copies, filesystem)


def tidy(copies: Path) -> None:
    """Remove local copies, and downloads that died, that were not used for an hour; when crowded, for five minutes."""
    now, total = time.time(), 0
    found = []
    for path in copies.rglob("*"):
        try:
            found.append((path.stat(), path))
        except FileNotFoundError:  # another process tidies too
            continue
    for stat, path in sorted(found, key=lambda item: -item[0].st_atime):
        if path.is_dir():
            continue
        total += stat.st_size
        unused = now - stat.st_atime
        if unused > _KEPT_SECONDS or (total > _CROWDED_BYTES and unused > _CROWDED_SECONDS):
            path.unlink(missing_ok=True)
            _remove_empty(path.parent, copies)


def _remove_empty(folder: Path, root: Path) -> None:
    try:
        if folder != root:
            folder.rmdir()
    except OSError:  # another process is putting a copy there
        return


@contextmanager
def _temporary(folder: Path) -> Iterator[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f".{uuid4().hex}.part"
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _each(function: Callable[[S], T], items: Iterable[S]) -> list[T]:
    """The results in order, some requests at once; the first failure stops what has not begun."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        futures = [pool.submit(function, item) for item in items]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _stored(name: str, info: Mapping[str, Any]) -> Stored:
    modified = next((info[key] for key in _MODIFIED if isinstance(info.get(key), datetime)), None)
    changed = round(modified.timestamp() * 1_000_000) * 1000 if modified else 0
    marks = [str(info[key]) for key in _VERSION if info.get(key)]
    return Stored(name, int(info["size"]), changed, "/".join([*marks, str(changed)]))


def _is_plain(name: str) -> bool:
    """Whether a key is a file's name: a store allows others (`a/../b`, `a//b`), which no folder could hold."""
    return (
        bool(name) and str(PurePosixPath(name)) == name and ".." not in name.split("/") and not set(name) & {"\\", "\0"}
    )


def _code(error: Exception) -> int:
    if isinstance(error, FileNotFoundError):
        return errno.ENOENT
    if isinstance(error, FileExistsError):
        return errno.EEXIST
    return errno.EACCES if isinstance(error, PermissionError) else errno.EIO
