"""Behind the accrual assets: which usage and rules an accrual is made of, its run set, its manifest.

What belongs here: finding and packing. What does not: amounts (engine.accruals), wording (reports), publication
(`releasing`).
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import sqlalchemy as sa

from billing_pipeline.assets.run_set import RunSet, drafted_files, usage_copy
from billing_pipeline.assets.usage import structure_from_frame, usage_path_of
from billing_pipeline.engine.accruals import (
    CHECKS,
    COMPONENTS,
    METHODOLOGY,
    TOTALS_NEED,
    customer_totals,
    journal_problems,
    roll_forward,
    side_by_side,
)
from billing_pipeline.engine.accruals.journal import EXTERNAL_ID
from billing_pipeline.engine.accruals.usage import for_month
from billing_pipeline.engine.errors import GateError
from billing_pipeline.engine.money import AMOUNT, total
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.pricing import NEEDS, draft
from billing_pipeline.engine.rules import Rules, read_workbook
from billing_pipeline.engine.tables import USAGE, source_columns
from billing_pipeline.engine.usage import Structure, check_structure, source_rows, typed_rows
from billing_pipeline.engine.usage.arrivals import period_of_name
from billing_pipeline.profile import Profile
from billing_pipeline.reports.manifest import RunFacts, run_facts
from billing_pipeline.resources import releases
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.estimation import Estimation
from billing_pipeline.resources.files import blocks_of, sha256_of, write_whole
from billing_pipeline.resources.inputs import InputFiles, single_month_of
from billing_pipeline.resources.outputs import DraftFile, OutputFiles
from billing_pipeline.resources.releases import Release
from billing_pipeline.run_tags import ACCRUALS, AS_OF, BACKFILL, RULES

TOTALS_FILE = "totals.parquet"  # customer_totals() as they were booked, for the variance
_LARGEST = 5
_DECISIONS = {
    False: "not applied: rows that were removed or moved when last month was billed are in the estimate as they came",
    True: "applied: rows are as they were billed last month",
}
_SET_ONLY = ("totals_frame", "checks")


@dataclass(frozen=True, slots=True)
class Used:
    """The usage file of an accrual: its structure, where it is, its month, and what has to be said of it."""

    structure: Structure
    path: Path
    month: Period
    note: str


def usage_of(accrual_usage: pl.DataFrame) -> Used:
    """What the asset accrual_usage stored."""
    structure, path = structure_from_frame(accrual_usage)
    row = accrual_usage.select("usage_month", "note").row(0, named=True)
    return Used(structure, path, Period.parse(row["usage_month"]), row["note"])


def accrued_usage(
    inputs: InputFiles, outputs: OutputFiles, database: Database, period: Period, tags: Mapping[str, str]
) -> tuple[Structure, Path, Period, str]:
    """The usage file that a month's accrual is made of, its month, and what has to be said of it.

    The month before's, exactly; another one only when it is asked for by name. Source: decision 14.
    """
    path, kept = usage_path_of(inputs, outputs, database, period.previous, tags)
    month = period_of_name(path.name) or single_month_of(path)
    notes = [f"read from the copy of release {kept}"] * bool(kept)
    notes += [f"usage of {month}, which is not the month before, as asked for"] * (month != period.previous)
    return check_structure(blocks_of(path), path.name), path, month, "; ".join(notes)


def typed_usage(structure: Structure, path: Path, month: Period, period: Period) -> pl.LazyFrame:
    """The rows of a usage file of `month`, as rows of `period`."""
    source = source_rows(pl.scan_csv(path, infer_schema=False), structure)
    return for_month(pl.concat([source, typed_rows(source, structure, month).lazy()], how="horizontal"), period)


def billed_usage(outputs: OutputFiles, released: Release, period: Period) -> pl.LazyFrame:
    """The usage rows of a release with its decisions applied, removed ones left out, as rows of `period`."""
    fact = outputs.priced_rows(outputs.manifest_of(released.period, released.run_id))
    names = fact.collect_schema().names()
    rows = fact.filter((pl.col("row_type") == "usage") & (pl.col("bucket") != "removed"))
    return for_month(rows.select(*source_columns(names), *USAGE), period)


def repriced_totals(
    inputs: InputFiles, outputs: OutputFiles, database: Database, month: Period, rules: Rules, period: Period
) -> pl.DataFrame:
    """customer_totals() of an earlier month's usage, priced as of `period`. InputError when its usage is not there."""
    path, _ = usage_path_of(inputs, outputs, database, month, {})
    usage = typed_usage(check_structure(blocks_of(path), path.name), path, month, period)
    return priced_totals(usage.select(NEEDS).collect(engine="streaming"), rules, period)


def priced_totals(usage: pl.DataFrame, rules: Rules, period: Period) -> pl.DataFrame:
    """customer_totals() of usage rows (NEEDS), priced as of `period`."""
    return customer_totals(draft(usage, rules, period).fact(usage.lazy()).select(TOTALS_NEED).collect())


def accrual_rules_of(
    inputs: InputFiles, outputs: OutputFiles, database: Database, period: Period, tags: Mapping[str, str]
) -> tuple[Rules, str]:
    """The rules an accrual is priced with, and which they are, in words.

    The workbook as it is; in a backfill, unless it says otherwise, those of the month's time: the snapshot of its
    accrual, else of its bill, and only where there is none the workbook, which is said.
    """
    if tags.get(RULES, AS_OF if BACKFILL in tags else "") != AS_OF:
        return read_workbook(*inputs.rules_workbook()), "the rules workbook as it is"
    for capability, called in ((ACCRUALS, "accrual"), (outputs.capability, "bill")):
        made = database.run(partial(releases.releases_of, period=period, capability=capability))
        kept = [release for release in made if release.state != releases.PREPARING]
        if kept:
            sets = outputs.of(capability)
            rules = sets.rules(sets.manifest_of(period, kept[-1].run_id))
            return rules, f"the rules that the {called} of {period} was made with"
    said = f"the rules workbook as it is: no rules were kept of {period}"
    return read_workbook(*inputs.rules_workbook()), said


def accrual_draft_id(usage_sha256: str, rules: Rules, estimator: str) -> str:
    """Which inputs an accrual was made of: twelve hex digits."""
    return hashlib.sha256(f"{usage_sha256}|{rules.sha256}|{estimator}".encode()).hexdigest()[:12]


def booked(outputs: OutputFiles, database: Database, period: Period) -> pl.DataFrame | None:
    """What the month's accrual booked: customer_totals(); None without an accrual."""
    release = database.run(partial(releases.current, period=period, capability=ACCRUALS))
    if release is None:
        return None
    sets = outputs.of(ACCRUALS)
    return sets.accrued_totals(sets.manifest_of(period, release.run_id))


def billed(outputs: OutputFiles, database: Database, period: Period) -> pl.DataFrame | None:
    """What the month's bill came to, as its last release has it: customer_totals(); None without one."""
    release = database.run(partial(releases.current, period=period))
    if release is None:
        return None
    fact = outputs.priced_rows(outputs.manifest_of(period, release.run_id))
    return customer_totals(fact.select(TOTALS_NEED).collect())


def roll_forward_of(outputs: OutputFiles, database: Database, period: Period, totals: pl.DataFrame) -> pl.DataFrame:
    """The roll-forward of a month whose accrual comes to `totals`."""
    last = period.previous
    return roll_forward(booked(outputs, database, last), totals, billed(outputs, database, last))


def movements(totals: pl.DataFrame, last: pl.DataFrame | None) -> list[dict[str, str]]:
    """The customers whose amount moved most against last month: customer, before, now (texts); none without one."""
    if last is None:
        return []
    moved = side_by_side({"now": totals, "before": last}).with_columns(by=pl.col("now") - pl.col("before"))
    largest = (
        moved.filter(pl.col("by") != 0).sort(pl.col("by").abs(), "customer", descending=[True, False]).head(_LARGEST)
    )
    return [{name: str(row[name]) for name in ("customer", "before", "now")} for row in largest.to_dicts()]


def accrual_set(
    outputs: OutputFiles,
    profile: Profile,
    period: Period,
    run: str,
    tables: list[pl.DataFrame],
    rules: Rules,
    usage: Path,
) -> RunSet:
    """The files of an accrual's run set: what was drafted, and rules, usage file and priced rows beside it."""
    folder = outputs.draft_folder(period, run)
    snapshot = f"{profile.file_prefix}_accrual/rules_snapshots/rules_snapshot_{period.key}_{run}.xlsx"
    write_whole(folder / snapshot, rules.workbook)
    beside = {
        "rules": DraftFile(snapshot, folder / snapshot, named=False),
        "usage": usage_copy(folder, usage),
        "priced": DraftFile("priced_rows.parquet", outputs.frame_path("accrual_rows", period), named=False),
    }
    files = drafted_files(tables, _SET_ONLY)
    return RunSet(files | {file: (kind, sha256_of(file.path)) for kind, file in beside.items()})


def accrual_document(
    run: RunFacts, period: Period, rules: Rules, files: RunSet, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """The manifest of an accrual: the run, its files, and `facts` of the estimate as plain values."""
    name = f"{run.prefix}_accrual/{run.prefix}_accrual_run_manifest_{period.compact}_{run.run_id}.json"
    return {
        **run_facts(run),
        "billing_period": period.dotted,
        "rules_file": {"name": rules.name, "sha256": rules.sha256},
        **facts,
        "files": list(files.entries()),
        "manifest_name": name,
    }


def entry_problems(
    folder: Path, kinds: Mapping[str, str], totals: pl.DataFrame, profile: Profile, other_ids: Iterable[str]
) -> dict[str, list[str]]:
    """journal_problems() of the written entry and of its reversal, each read back and held to the same totals."""
    taken = set(other_ids)
    found: dict[str, list[str]] = {name: [] for name in CHECKS}
    for kind in ("journal", "reversal"):
        names = [name for name, its in kinds.items() if its == kind]
        if not names:
            continue
        lines = pl.concat([_read_lines(folder / name) for name in names])
        for name, texts in journal_problems(lines, totals, profile.accrual, taken).items():
            found[name] += [f"{kind}: {text}" for text in texts]
        taken.update(lines[EXTERNAL_ID].unique())
    return found


def invoice_ids(outputs: OutputFiles, database: Database, period: Period) -> list[str]:
    """The external ids that the month's invoices have, adjustments and credit memos included."""
    made = database.run(partial(releases.releases_of, period=period))
    ids: set[str] = set()
    for release in (one for one in made if one.state == releases.PUBLISHED):
        lines = outputs.invoice_lines(outputs.manifest_of(period, release.run_id))["Invoice External ID"].unique()
        ids.update(lines if release.number == 1 else [f"{text}-R{release.number}" for text in lines])
    return sorted(ids)


def support_basis(
    used: Used, rules_note: str, estimation: Estimation, fact: pl.DataFrame, held: pl.DataFrame, period: Period
) -> list[tuple[str, str]]:
    """What a reader of the entry has to know beside it: label and text."""
    usage = f"{used.path.name}, {used.structure.records:,} rows"
    left = fact.filter(pl.col("bucket") == "quarantined")["fee_calc_status"].value_counts(sort=True).rows()
    unpriced = ", ".join(f"{count:,} {status}" for status, count in left) or "none"
    amount = total(held["total"])
    return [
        ("Period", f"{period.title}; reversed on {period.next.first:%Y-%m-%d}, so {period.next.title} has to be open"),
        ("Usage", f"{usage}{f'; {used.note}' if used.note else ''}"),
        ("SHA-256 of the usage", used.structure.sha256),
        ("Estimator", f"{estimation.chosen}: {METHODOLOGY[estimation.chosen]}"),
        ("Rules", rules_note),
        ("Decisions", _DECISIONS[estimation.chosen == "prior-month-billed"]),
        ("Rows without a price", f"{unpriced}; they are not accrued"),
        ("Held", f"{amount} of {held.height} partners without a customer is not accrued" if held.height else "nothing"),
    ]


def accrual_facts(
    used: Used, rules_note: str, estimator: str, totals: pl.DataFrame, held: pl.DataFrame
) -> dict[str, Any]:
    """What a manifest and a notice say of an accrual, amounts as text."""
    sums = {name: str(total(totals[name])) for name in (*COMPONENTS, "total")}
    return {
        "usage_file": {"name": used.path.name, "sha256": used.structure.sha256, "records": used.structure.records},
        "usage_month": used.month.key,
        "usage_note": used.note,
        "rules_note": rules_note,
        "estimator": estimator,
        "totals": sums,
        "customers": totals.height,
        "held": str(total(held["total"])),
        "held_partners": held.height,
    }


def is_booked_already(sets: OutputFiles, database: Database, period: Period, totals: pl.DataFrame) -> bool:
    """Whether the month is accrued with these very amounts. GateError: with others, or its ledger period is closed."""
    release, closed = database.run(partial(_standing, period=period))
    if release is not None:
        if sets.accrued_totals(sets.manifest_of(period, release.run_id)).equals(totals):
            return True
        raise GateError(
            f"{period} is accrued already, with {release.billed}; this run comes to {total(totals['total'])}."
            f" Take the first one back if it may be replaced: billing-pipeline void --what accruals --month {period}"
        )
    if closed:
        raise GateError(f"the ledger period {period} is closed: nothing can be accrued in it")
    return False


def new_accrual(
    connection: sa.Connection, period: Period, run: str, used: Used, rules: Rules, totals: pl.DataFrame
) -> Release:
    """The release that this accrual makes."""
    amount = total(totals["total"])
    return Release(
        period=period,
        number=len(releases.releases_of(connection, period, ACCRUALS)) + 1,
        state=releases.PREPARING,
        run_id=run,
        usage_sha256=used.structure.sha256,
        rules_sha256=rules.sha256,
        last_decision=0,
        billed=amount,
        difference=amount,
        prepared_at=datetime.now(UTC),
        capability=ACCRUALS,
    )


def _standing(connection: sa.Connection, period: Period) -> tuple[Release | None, bool]:
    return releases.current(connection, period, ACCRUALS), period in releases.closed_periods(connection)


def _read_lines(path: Path) -> pl.DataFrame:
    lines = pl.read_csv(path, infer_schema=False)
    return lines.with_columns(pl.col("Debit", "Credit").cast(AMOUNT))
