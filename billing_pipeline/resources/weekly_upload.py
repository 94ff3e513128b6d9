"""Weekly workbooks at the target sheet: one file at the row of its work request, replaced only by other content.

What belongs here: which row a workbook hangs at, and when it is sent. What does not: how one file is attached without
doubling it (`log_report`). A work request that is not clearly one row gets no file: not found, and said so, is better
than at the wrong row. Source: spec 6.6, 6.7 of the billing audit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import polars as pl

from billing_pipeline.engine.audit.tables import COLUMNS
from billing_pipeline.engine.audit.weekly import label_of
from billing_pipeline.engine.errors import InputError, Problem, UpstreamError
from billing_pipeline.resources.log_report import Attached, attach_report
from billing_pipeline.resources.smartsheet import Smartsheet
from billing_pipeline.resources.weekly_files import WeeklyFile


@dataclass(frozen=True, slots=True)
class Upload:
    """A workbook that the target sheet shall have: its `label` names the row; `content` gives its bytes when needed."""

    known: WeeklyFile
    label: str
    name: str
    content_hash: str
    content: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What came of an upload; `problem`: why the target sheet does not have it, "" is none."""

    file: WeeklyFile
    sent: bool
    problem: str = ""


def upload_weekly(client: Smartsheet, sheet_id: str, uploads: Sequence[Upload]) -> list[Uploaded]:
    """Make the target sheet have these workbooks, in their order. A file that fails does not stop the others.

    A hash is taken over only when its file is there; a sending that failed forgets the hash, so it is sent again.
    UpstreamError or InputError when the target sheet cannot be read.
    """
    rows = _rows_by_label(client, sheet_id)
    return [_uploaded(client, sheet_id, rows, upload) for upload in uploads]


def _uploaded(client: Smartsheet, sheet_id: str, rows: dict[str, list[str]], upload: Upload) -> Uploaded:
    found = rows.get(upload.label, [])
    if len(found) != 1:
        told = "has no row in the target sheet" if not found else f"has {len(found)} rows in the target sheet"
        return Uploaded(upload.known, sent=False, problem=f"work request {upload.known.work_request} {told}")
    try:
        return _sent(client, sheet_id, found[0], upload)
    except (UpstreamError, InputError) as error:
        return Uploaded(replace(upload.known, sent_hash=""), sent=False, problem=f"{upload.name}: {error}")


def _sent(client: Smartsheet, sheet_id: str, row_id: str, upload: Upload) -> Uploaded:
    known = upload.known
    if (known.sheet_id, known.row_id, known.sent_hash) == (sheet_id, row_id, upload.content_hash):
        here = [file.attachment_id for file in client.attachments(sheet_id, row_id) if file.name == upload.name]
        if here == [known.attachment_id]:
            return Uploaded(known, sent=False)
    last = Attached(known.attachment_id, known.file_sha256) if known.attachment_id else None
    done = attach_report(client, sheet_id, row_id, upload.name, upload.content(), last)
    file = replace(
        known,
        sent_hash=upload.content_hash,
        sheet_id=sheet_id,
        row_id=row_id,
        attachment_id=done.attachment_id,
        file_sha256=done.sha256,
    )
    return Uploaded(file, sent=last != done)


def _rows_by_label(client: Smartsheet, sheet_id: str) -> dict[str, list[str]]:
    """The rows of each label. Two different work requests of one label are two rows of it, too: neither is meant."""
    (title,) = COLUMNS["work_request"]
    columns = [column.column_id for column in client.columns(sheet_id) if column.title.strip() == title]
    if len(columns) != 1:
        raise InputError(Problem(f"the target sheet {sheet_id} has {len(columns)} columns {title!r}"))
    cells = client.cells(sheet_id, columns)
    named = pl.DataFrame(
        {"row": list(cells), "text": [row.get(columns[0]) for row in cells.values()]},
        schema={"row": pl.String, "text": pl.String},
    )
    labelled = named.select("row", label=label_of(pl.col("text"))).filter(pl.col("label") != "")
    found: dict[str, list[str]] = {}
    for row, label in labelled.iter_rows():
        found.setdefault(label, []).append(row)
    return found
