"""Workbooks that come back from people: what is refused before anything of it is read."""

import zipfile
from io import BytesIO

from billing_pipeline.engine.errors import InputError, Problem

MOST_ROWS = 200_000  # of a sheet that are looked at
_MOST_BYTES = 64 * 1024 * 1024  # unpacked


def refuse_unreadable(data: bytes, name: str, called: str) -> None:
    """InputError for what is no workbook, or unpacks to more than any `called` ("a review workbook") would."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
    except Exception as error:  # a damaged directory fails in more ways than BadZipFile
        raise InputError(Problem("is not an Excel workbook (.xlsx)", file=name)) from error
    if unpacked > _MOST_BYTES:
        raise InputError(Problem(f"is too large to be {called}", file=name, value=f"{unpacked:,} bytes"))
