"""The report's workbook at the log's report row: one file a day, its newest version current.

What belongs here: when a file is attached, replaced or left alone. What does not: the row it hangs at (log_rows), the
workbook itself (reports). Source: spec 9.3; Q18, Q19.
"""

import hashlib
from dataclasses import dataclass

from billing_pipeline.engine.errors import UpstreamError
from billing_pipeline.resources.smartsheet import Smartsheet
from billing_pipeline.resources.smartsheet_answers import Attachment
from billing_pipeline.resources.smartsheet_client import UnclearWriteError

_ROUNDS = 4
_SETTLING = 5.0  # seconds for an upload that may still be under way


@dataclass(frozen=True, slots=True)
class Attached:
    """The file that was put there last: remembered, so that the same content is not sent again."""

    attachment_id: str
    sha256: str


def attach_report(
    client: Smartsheet, sheet_id: str, row_id: str, name: str, content: bytes, last: Attached | None = None
) -> Attached:
    """Make the row have one file of this name with this content.

    Nothing is sent when `last` has the same content and is still there. The files are listed before anything is sent,
    and again after an unclear outcome; a second file of the name is deleted. UpstreamError.
    """
    digest = hashlib.sha256(content).hexdigest()
    sent, before, unclear = False, None, None
    for _ in range(_ROUNDS):
        here = _only(client, sheet_id, row_id, name)
        if here and (last == Attached(here.attachment_id, digest) or (sent and here != before)):
            return Attached(here.attachment_id, digest)
        try:
            if here:
                client.attach_version(sheet_id, here.attachment_id, name, content)
            else:
                client.attach(sheet_id, row_id, name, content)
            before = None
        except UnclearWriteError as error:
            before, unclear = here, error
            client.pause(_SETTLING)
        sent = True
    raise unclear or UpstreamError(f"{name} could not be attached", permanent=False)


def _only(client: Smartsheet, sheet_id: str, row_id: str, name: str) -> Attachment | None:
    """The file of this name; of several the newest, the others are deleted."""
    files = [file for file in client.attachments(sheet_id, row_id) if file.name == name]
    files.sort(key=lambda file: (file.created_at, file.attachment_id), reverse=True)
    for surplus in files[1:]:
        client.delete_attachment(sheet_id, surplus.attachment_id)
    return files[0] if files else None
