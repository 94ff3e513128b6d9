"""Reading files whole, and putting files in place whole: nothing is ever half written."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from billing_pipeline.engine.errors import InputError, Problem

_BLOCK = 1 << 20


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, as hex."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:  # hashlib.file_digest makes a large buffer for each of many small files
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def blocks_of(path: Path) -> Iterator[bytes]:
    """A file's bytes in blocks; InputError if it changes while it is read, or cannot be read."""
    try:
        before = path.stat()
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                yield block
        after = path.stat()
    except OSError as error:
        raise InputError(Problem(f"cannot be read: {error.strerror}", file=str(path))) from None
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise InputError(Problem("changed while it was read; is the export still being written?", file=path.name))


def read_whole(path: Path) -> bytes:
    """A small file's bytes; InputError as blocks_of."""
    return b"".join(blocks_of(path))


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it appears complete or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{uuid4().hex}.part")
    try:
        write_through(temporary, content)
        temporary.replace(path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def write_through(path: Path, content: bytes) -> None:
    """Write a file and wait until the disk has it. OSError, with the path, when it does not take it."""
    try:
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:  # of a write it names no file, and people could not tell which disk is full
        raise OSError(error.errno, error.strerror, str(path)) from error


def link_or_copy(source: Path, target: Path) -> None:
    """`target` with the bytes of `source`: a second name on the same disk, a copy on another."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
