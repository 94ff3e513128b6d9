"""Files of the sample book: whole or not at all, the same bytes every time, nothing of somebody else overwritten.

What belongs here: bytes on disk. What does not: which files there are (`writing`, `clients`).
"""

import csv
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from io import StringIO
from pathlib import Path

from billing_pipeline.engine.errors import InputError, Problem

Progress = Callable[[str, int, int], None]


def write_files(directory: Path, files: Mapping[Path, bytes], progress: Progress | None = None) -> None:
    """Write the files into their folders; one that is there with the same bytes stays as it is.

    `progress` is called with file name, number of the file and number of files. InputError: `directory` or a part of
    its path is a file, a folder cannot be written, or a file of the same name has other contents: then none is written.
    """
    with _reported(directory):
        directory.mkdir(parents=True, exist_ok=True)
        _refuse_other_contents(files)
    for number, (path, content) in enumerate(files.items(), start=1):
        with _reported(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, content)
        if progress:
            progress(path.name, number, len(files))


def csv_bytes(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> bytes:
    """Rows of text under their columns, as UTF-8 with plain line ends."""
    text = StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


@contextmanager
def _reported(directory: Path) -> Iterator[None]:
    """What the file system refuses, as an error with the folder in it."""
    try:
        yield
    except OSError as error:
        message = f"the sample book cannot be written: {error.strerror}"
        raise InputError(Problem(message, file=str(directory))) from error


def _refuse_other_contents(files: Mapping[Path, bytes]) -> None:
    message = "is not the file of the sample book; choose another folder, or move the file away"
    other = [path for path, content in files.items() if path.exists() and path.read_bytes() != content]
    if other:
        raise InputError([Problem(message, file=str(path)) for path in other])


def _write(path: Path, content: bytes) -> None:
    """Under a temporary name first, so that nobody sees half a file."""
    if path.exists():
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
