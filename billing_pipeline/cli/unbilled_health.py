"""What `doctor` looks at of unbilled hours: whether there is anything to look at, how fresh the figures are.

What belongs here: looking, without changing anything and without reading the feeds. What does not: the figures.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta

from billing_pipeline.assets.unbilling import SUMMARY_FILE
from billing_pipeline.cli.findings import ATTENTION, FINE, NOTE, Finding
from billing_pipeline.cli.state import ago
from billing_pipeline.resources.outputs import OutputFiles
from billing_pipeline.schedules.unbilled import NAME
from billing_pipeline.settings import Settings

_SUBJECT = "unbilled hours"
_STALE = timedelta(hours=26)  # the digest makes them anew every morning


def unbilled_findings(settings: Settings, outputs: OutputFiles, now: datetime) -> Iterator[Finding]:
    """How fresh the figures are, and why they are not; nothing where there are no time logs."""
    document = None
    with suppress(Exception):  # not made yet, or said of the object store already
        document = json.loads(outputs.read_named(SUMMARY_FILE))
    if document is None:
        if settings.unbilled_folder.is_dir():
            yield Finding(_SUBJECT, NOTE, f"time logs in {settings.unbilled_folder} were never looked at", "make up")
        return
    age = ago(datetime.fromisoformat(document["at"]), now)
    figures = f"{document['balance']['unbilled']['amount']} not invoiced, {len(document['alerts'])} alerts, {age}"
    if document["stale"]:
        advice = f"the figures are those of {document['as_of']} until both feeds are there again"
        yield Finding(_SUBJECT, ATTENTION, document["stale"]["reason"], advice)
    elif now - datetime.fromisoformat(document["at"]) > _STALE and settings.status_of(NAME) == "RUNNING":
        yield Finding(_SUBJECT, ATTENTION, figures, f"is the product up, and the schedule `{NAME}` on?")
    else:
        yield Finding(_SUBJECT, FINE, figures)
