"""The inputs of a month: usage file, typed rows, rules with their snapshot, decisions, warnings, review flags."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from billing_pipeline.assets.deciding import decisions_preview, recorded_decisions
from billing_pipeline.assets.metadata import month_asset, preview
from billing_pipeline.engine.errors import InputError, Problem
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.rules import read_workbook, rules_frame, rules_from_frame
from billing_pipeline.engine.usage import (
    Structure,
    check_structure,
    decisions_frame,
    in_force,
    input_warnings,
    is_carried,
    no_decisions,
    read_decisions,
    source_rows,
    together,
    typed_rows,
)
from billing_pipeline.engine.usage import (
    review_flags as find_flags,
)
from billing_pipeline.partitions import period_of
from billing_pipeline.profile import Profile
from billing_pipeline.reports.review import review_bytes, review_document
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.files import blocks_of, read_whole
from billing_pipeline.resources.inputs import InputFiles, usage_names
from billing_pipeline.resources.months import latest
from billing_pipeline.resources.outputs import OutputFiles
from billing_pipeline.resources.releases import current
from billing_pipeline.run_tags import AS_OF, FILE, RULES, SHA256


@month_asset("inputs", "The month's usage export: which file, its hash, and proof that it is a whole table.")
def usage_file(
    context: dg.AssetExecutionContext,
    inputs: dg.ResourceParam[InputFiles],
    outputs: dg.ResourceParam[OutputFiles],
    database: dg.ResourceParam[Database],
) -> pl.DataFrame:
    """One row: structure_frame. A run that a sensor started is tagged with its file and must find that very content.

    A released month whose file is gone from the usage folder is read from the copy that its release keeps.
    """
    wanted = context.run.tags.get(SHA256)
    path, kept = usage_path_of(inputs, outputs, database, period_of(context), context.run.tags)
    structure = check_structure(blocks_of(path), path.name)
    if wanted and wanted != structure.sha256:
        message = f"has other contents than when it was taken ({structure.sha256[:16]}…, not {wanted[:16]}…)"
        raise InputError(Problem(message, file=structure.name))
    context.add_output_metadata(
        {
            "file": dg.MetadataValue.path(str(path)),
            **({"read_from": f"the copy of release {kept}: the usage folder has no such file"} if kept else {}),
            "sha256": structure.sha256,
            "bytes": structure.size,
            "rows": structure.records,
            "columns": ", ".join(structure.columns),
        }
    )
    return structure_frame(structure, path)


@month_asset("inputs", "Every row of the usage file: its cells as text, typed values, line, pricing order, problems.")
def usage_rows(context: dg.AssetExecutionContext, usage_file: pl.DataFrame) -> pl.LazyFrame:
    """Source columns as text, then tables.USAGE."""
    structure, path = structure_from_frame(usage_file)
    if (path.stat().st_size, path.stat().st_mtime_ns) != (structure.size, usage_file["modified"][0]):
        raise InputError(Problem("changed while it was read; is the export still being written?", file=structure.name))
    source = source_rows(pl.scan_csv(path, infer_schema=False), structure)
    typed = typed_rows(source, structure, period_of(context))
    unreadable = typed["input_status"].drop_nulls().value_counts().rows()
    context.add_output_metadata(
        {
            "rows": typed.height,
            "users": str(typed["users"].sum()),
            "rows_for_review": dg.MetadataValue.json(dict(unreadable)),
            "preview": preview(pl.concat([source.head(5).collect(), typed.head(5)], how="horizontal")),
        }
    )
    return pl.concat([source, typed.lazy()], how="horizontal")


@month_asset("inputs", "The rules workbook, validated as a whole and kept with its bytes: prices, minimums, customers.")
def billing_rules(
    context: dg.AssetExecutionContext,
    inputs: dg.ResourceParam[InputFiles],
    outputs: dg.ResourceParam[OutputFiles],
    database: dg.ResourceParam[Database],
) -> pl.DataFrame:
    """One row: engine.rules.rules_frame. With the tag billing/rules=as-of: of the month's release, if there is one."""
    period = period_of(context)
    released = database.run(partial(current, period=period)) if context.run.tags.get(RULES) == AS_OF else None
    if released:
        rules = outputs.rules(outputs.manifest_of(period, released.run_id))
    else:
        rules = read_workbook(*inputs.rules_workbook())
    context.add_output_metadata(
        {
            "file": dg.MetadataValue.path(inputs.rules_address),
            "sha256": rules.sha256,
            "tiers": rules.tiers.height,
            "partners": rules.tiers["partner_key"].n_unique(),
            "warnings": dg.MetadataValue.md("\n".join(f"- {warning}" for warning in rules.warnings) or "none"),
            "preview": preview(
                rules.tiers.select("partner_key", "tier_type", "metric", "start", "end", "er_price", "iu_price")
            ),
        }
    )
    return rules_frame(rules)


@month_asset("review", "What people decided about exactly this usage file: who, what, when, why.")
def decisions(
    context: dg.AssetExecutionContext,
    usage_file: pl.DataFrame,
    usage_rows: pl.LazyFrame,
    billing_rules: pl.DataFrame,
    inputs: dg.ResourceParam[InputFiles],
    database: dg.ResourceParam[Database],
) -> pl.DataFrame:
    """Frame of engine.usage.no_decisions: recorded decisions, and those of a decision file about other flags.

    A file of a month that was decided on before takes over, once, the decisions whose rows and flags are unchanged.
    """
    period, (structure, _) = period_of(context), structure_from_frame(usage_file)
    filed = no_decisions()
    path = inputs.overrides_path()
    if path is not None:
        required = inputs.overrides_file is not None
        filed = read_decisions(
            read_whole(path), path.name, structure.sha256, structure.records, period, required=required
        )
        context.add_output_metadata({"file": dg.MetadataValue.path(str(path))})
    made, left = recorded_decisions(database, period, structure.sha256, usage_rows, rules_from_frame(billing_rules))
    named = usage_rows.select("line", "position", "PARTNER_ID", "PARTNER_NAME")
    decided = together(filed, decisions_frame(made, named.collect())) if made else filed
    context.add_output_metadata(
        {
            "decided": decisions_preview(in_force(made)),
            "last_decision": max((decision.id for decision in made), default=0),
            "carried_over": sum(is_carried(decision) for decision in made),
            "not_carried_over": decisions_preview(left),
            "preview": preview(decided),
        }
    )
    return decided


@month_asset("review", "What looks odd in usage and rules but needs no decision.")
def usage_warnings(
    context: dg.AssetExecutionContext,
    usage_rows: pl.DataFrame,
    billing_rules: pl.DataFrame,
    outputs: dg.ResourceParam[OutputFiles],
) -> pl.DataFrame:
    """Frame of engine.usage.input_warnings."""
    period = period_of(context)
    known = outputs.has_frame("usage_rows", period.previous)
    last = outputs.frame_path("usage_rows", period.previous) if known else None
    previous = pl.read_parquet(last, columns=["PARTNER_ID", "PARTNER_NAME"]).unique() if last else None
    found = input_warnings(usage_rows, rules_from_frame(billing_rules), period, previous)
    context.add_output_metadata({"preview": preview(found, 20)})
    return found


@month_asset("review", "Rows and partners a person has to look at, with the decisions so far.")
def review_flags(
    context: dg.AssetExecutionContext,
    usage_file: pl.DataFrame,
    usage_rows: pl.DataFrame,
    billing_rules: pl.DataFrame,
    decisions: pl.DataFrame,
    usage_warnings: pl.DataFrame,
    inputs: dg.ResourceParam[InputFiles],
    outputs: dg.ResourceParam[OutputFiles],
    profile: dg.ResourceParam[Profile],
) -> pl.DataFrame:
    """Frame of engine.usage.review_flags; also written as the month's review file."""
    period, rules = period_of(context), rules_from_frame(billing_rules)
    flags = find_flags(usage_rows, rules, decisions, period)
    structure, path = structure_from_frame(usage_file)
    about: dict[str, Any] = {
        "scan_timestamp_utc": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "usage_file": {"path": str(path), "name": path.name, "sha256": structure.sha256},
        "rules_file": {"path": inputs.rules_address, "sha256": rules.sha256},
        "for_month": period.dotted,
    }
    name = review_name(profile, period.dotted)
    outputs.write_named(name, review_bytes(review_document(usage_rows, flags, usage_warnings, about)))
    context.add_output_metadata(
        {
            "file": dg.MetadataValue.path(outputs.address(name)),
            "flags": flags.height,
            "undecided": flags["decision"].null_count(),
            "by_type": dg.MetadataValue.json(dict(flags["flag_type"].value_counts().rows())),
            "preview": preview(
                flags.select("flag_type", "flag_reason", "ER_NAME", "PARTNER_NAME", "line", "decision"), 20
            ),
        }
    )
    return flags


def usage_path_of(
    inputs: InputFiles, outputs: OutputFiles, database: Database, period: Period, tags: Mapping[str, str]
) -> tuple[Path, int]:
    """Where a month's usage file is read, and the number of the release whose copy that is: 0 without.

    tags: of the run, when one started for this very file.
    """
    before = database.run(partial(latest, period=period))
    try:
        return inputs.usage_path(period, tags.get(FILE), last=before.usage_name if before else ""), 0
    except InputError:
        released = database.run(partial(current, period=period))
        if released is None or not _is_gone(inputs, period, tags, released.usage_sha256):
            raise
        files = outputs.set_files(period, released.run_id)
        return next(path for name, path in files.items() if name.startswith("inputs/") and name.endswith(".csv")), (
            released.number
        )


def _is_gone(inputs: InputFiles, period: Period, tags: Mapping[str, str], released: str) -> bool:
    """Whether a release's copy is what the run is about: its very content, or the month, of which no file is there."""
    if SHA256 in tags:
        return tags[SHA256] == released
    try:
        return period not in usage_names(file.name for file in inputs.listing())
    except FileNotFoundError:
        return False  # a folder that is away has lost nothing


def review_name(profile: Profile, month: str) -> str:
    """Where the review file of a month stands under the outputs folder."""
    return f"{profile.file_prefix}_data_review/pre_scan_results_{month}.json"


def structure_frame(structure: Structure, path: Path) -> pl.DataFrame:
    """A file's structure as one row, so that it can stand between assets."""
    return pl.DataFrame(
        {
            "path": [str(path)],
            "name": [structure.name],
            "sha256": [structure.sha256],
            "size": [structure.size],
            "modified": [path.stat().st_mtime_ns],
            "header": [list(structure.header)],
            "columns": [list(structure.columns)],
            "records": [structure.records],
            "quoted": [structure.quoted],
            "lines": pl.Series([structure.lines], dtype=pl.List(pl.Int64)),
            "blank": pl.Series([structure.blank], dtype=pl.List(pl.Int64)),
        }
    )


def structure_from_frame(frame: pl.DataFrame) -> tuple[Structure, Path]:
    """The structure and path stored by structure_frame."""
    row = frame.row(0, named=True)
    lines, blank = frame["lines"][0], frame["blank"][0]
    structure = Structure(
        row["name"],
        row["sha256"],
        row["size"],
        tuple(row["header"]),
        tuple(row["columns"]),
        row["records"],
        row["quoted"],
        lines,
        blank,
    )
    return structure, Path(row["path"])
