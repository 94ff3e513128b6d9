"""Weekly workbooks: one for each work request and week of billed work, made again only when its content changed."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from billing_pipeline.assets.metadata import OWNERS, preview, started_at
from billing_pipeline.engine.audit.weekly import KEY, weekly_groups, weekly_rows
from billing_pipeline.reports.weekly import write_weekly
from billing_pipeline.resources.audit_places import AuditPlaces
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.outputs import OutputFiles
from billing_pipeline.resources.weekly_files import WeeklyFile, remember, weekly_files_of
from billing_pipeline.resources.weekly_upload import Upload, upload_weekly
from billing_pipeline.run_tags import AUDIT

_FOLDER = "audit/weekly"
_Known = dict[tuple[str, date], WeeklyFile]


@dg.asset(
    group_name=AUDIT,
    description="The workbook of every work request and week, at its row of the target sheet if one is set.",
    kinds={"excel", "smartsheet"},
    owners=OWNERS,
    output_required=False,
)
def weekly_workbooks(
    context: dg.AssetExecutionContext,
    audit_sheets: pl.DataFrame,
    audit_rows: pl.DataFrame,
    audit_places: dg.ResourceParam[AuditPlaces],
    outputs: dg.ResourceParam[OutputFiles],
    database: dg.ResourceParam[Database],
) -> Iterator[dg.Output[pl.DataFrame]]:
    """engine.audit.weekly.GROUPS with `problem`: why its workbook is not where it belongs. Nothing while a sheet could
    not be read whole: a workbook without its rows would be a wrong bill. UpstreamError: the target sheet is away.
    """
    short = (pl.col("error") != "") | (pl.col("missing") != "") | (pl.col("read") < pl.col("rows"))
    if audit_sheets.filter(short.fill_null(value=True)).height or audit_places.dry_run:
        context.log.info("no workbook is made: a sheet could not be read whole, or this is a dry run")
        return
    rows = weekly_rows(audit_rows)
    groups = weekly_groups(rows)
    known = database.run(weekly_files_of)
    good = groups.filter(~pl.col("quarantined"))
    written = _written(outputs, good, rows, known)
    database.run(partial(remember, files=written.values(), at=started_at(context)))
    problems = {
        (row["work_request"], row["week_ending"]): f"another work request is called {row['label']} as well"
        for row in groups.filter("quarantined").iter_rows(named=True)
    }
    sent = 0
    if audit_places.client is not None and audit_places.target_sheet:
        uploads = [
            Upload(known[_key(row)], row["label"], _name(row), row["content_hash"], _read(outputs, row))
            for row in good.iter_rows(named=True)
        ]
        done = upload_weekly(audit_places.client, audit_places.target_sheet, uploads)
        database.run(partial(remember, files=[one.file for one in done], at=started_at(context)))
        problems |= {(one.file.work_request, one.file.week_ending): one.problem for one in done if one.problem}
        sent = sum(one.sent for one in done)
    told = groups.with_columns(
        pl.Series("problem", [problems.get(_key(row), "") for row in groups.iter_rows(named=True)], dtype=pl.String)
    )
    wrong = told.filter(pl.col("problem") != "")
    yield dg.Output(
        told,
        metadata={
            "workbooks": good.height,
            "written": len(written),
            "sent": sent,
            "problems": preview(wrong.select(*KEY, "problem"), 20),
        },
    )


def _written(outputs: OutputFiles, groups: pl.DataFrame, rows: pl.DataFrame, known: _Known) -> _Known:
    """Write the workbooks whose content is another than the one that was written, or that are gone; `known` has all."""
    written: _Known = {}
    parts = rows.partition_by(KEY, as_dict=True, maintain_order=True)
    for group in groups.iter_rows(named=True):
        key = _key(group)
        file = known.setdefault(key, WeeklyFile(*key))
        name = f"{_FOLDER}/{group['file']}"
        if file.written_hash == group["content_hash"] and outputs.named_exists(name):
            continue
        outputs.write_named(name, _workbook(group, parts[key]))
        known[key] = written[key] = replace(file, written_hash=group["content_hash"])
    return written


def _workbook(group: Mapping[str, Any], rows: pl.DataFrame) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weekly.xlsx"
        write_weekly(path, group, rows)
        return path.read_bytes()


def _read(outputs: OutputFiles, group: Mapping[str, Any]) -> Callable[[], bytes]:
    return partial(outputs.read_named, f"{_FOLDER}/{group['file']}")


def _name(group: Mapping[str, Any]) -> str:
    return str(group["file"]).rpartition("/")[2]


def _key(row: Mapping[str, Any]) -> tuple[str, date]:
    return row["work_request"], row["week_ending"]
