"""The usage folder as a whole: which files are in it, and the hash of one of them. A local folder or an object store.

What belongs here: listing and hashing. What does not: which of the files are usage (engine.usage.arrivals).
"""

import os
from collections.abc import Iterator
from pathlib import Path

from billing_pipeline.engine.errors import BillingError, InputError, printable
from billing_pipeline.engine.usage.arrivals import Seen, is_temporary
from billing_pipeline.resources.files import sha256_of
from billing_pipeline.resources.storage import LocalStorage, Storage


class FolderAwayError(BillingError):
    """The usage folder is missing or cannot be listed; the message is the reason."""


def files_of(usage: Storage) -> list[Seen]:
    """Every file of the usage folder and its sub-folders but hidden and temporary ones. FolderAwayError.

    Links to folders are not followed, links to files only to files inside. Sub-folders that may not be opened (a disk's
    lost+found) are left out.
    """
    try:
        if isinstance(usage, LocalStorage):
            return list(_files_below(os.path.realpath(usage.root)))
        return [Seen(file.name, file.size, file.version) for file in usage.listing()]
    except OSError as error:
        raise FolderAwayError(printable(str(error), 200)) from None


def hash_of(usage: Storage, file: Seen) -> str | None:
    """SHA-256 of a listed file's bytes; None when it is no longer the one that was seen. OSError: it cannot be read."""
    try:
        path = usage.local_path(file.path)
        if path is None or not _is_still(file, usage, path):
            return None
        digest = sha256_of(path)
        return digest if _is_still(file, usage, path) else None
    except (FileNotFoundError, InputError):  # moved, or replaced while it was fetched
        return None


def _is_still(file: Seen, usage: Storage, path: Path) -> bool:
    """Whether a file is as it was seen; the local copy of an object is fetched whole and stays as it is."""
    return not isinstance(usage, LocalStorage) or _seen(file.path, path.stat()) == file


def _files_below(root: str) -> Iterator[Seen]:
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            entries = list(os.scandir(f"{root}/{folder}"))
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            if not folder:
                raise
            continue  # removed meanwhile, or not ours to read
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if is_temporary(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                waiting.append(path)
            elif entry.is_file() and not _leaves(root, entry):
                try:
                    yield _seen(path, entry.stat())
                except FileNotFoundError:  # moved meanwhile
                    continue


def _leaves(root: str, entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a link to somewhere outside the root."""
    return entry.is_symlink() and not Path(os.path.realpath(entry.path)).is_relative_to(root)


def _seen(path: str, status: os.stat_result) -> Seen:
    return Seen(path, status.st_size, str(status.st_mtime_ns))
