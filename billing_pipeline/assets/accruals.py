"""A month's accrual: from last month's usage and today's rules to a journal entry, its support and its publication."""

import json
from collections.abc import Iterator
from functools import partial

import dagster as dg
import polars as pl

from billing_pipeline.assets.accruing import (
    TOTALS_FILE,
    accrual_document,
    accrual_draft_id,
    accrual_facts,
    accrual_rules_of,
    accrual_set,
    accrued_usage,
    billed_usage,
    booked,
    entry_problems,
    invoice_ids,
    is_booked_already,
    movements,
    new_accrual,
    repriced_totals,
    roll_forward_of,
    support_basis,
    typed_usage,
    usage_of,
)
from billing_pipeline.assets.comparing import read_variance
from billing_pipeline.assets.drafts import (
    CHECKS_FILE,
    check_results,
    file_table,
    first_draft,
    refuse_altered,
    refuse_mixed_drafts,
)
from billing_pipeline.assets.metadata import month_asset, preview, started_at
from billing_pipeline.assets.releasing import finish_release, publish_release
from billing_pipeline.assets.run_set import facts_of_run
from billing_pipeline.assets.usage import structure_frame
from billing_pipeline.engine.accruals import (
    CHECKS,
    LOOKS_BACK,
    METHODOLOGY,
    TOTALS_NEED,
    before,
    customer_totals,
    estimated_totals,
    held_revenue,
    journal_lines,
    reversal_lines,
)
from billing_pipeline.engine.accruals.journal import EXTERNAL_ID
from billing_pipeline.engine.errors import InputError, Problem
from billing_pipeline.engine.invoicing import split_lines
from billing_pipeline.engine.money import total
from billing_pipeline.engine.pricing import NEEDS, draft
from billing_pipeline.engine.pricing.master import executive_summary, master_order, source_data
from billing_pipeline.engine.rules import rules_frame, rules_from_frame
from billing_pipeline.partitions import period_of
from billing_pipeline.profile import Profile
from billing_pipeline.reports.accruals import SupportFacts, held_table, totals_table, write_detail, write_support
from billing_pipeline.reports.csv_files import csv_bytes, part_name, readable_csv_bytes
from billing_pipeline.resources import releases
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.estimation import Estimation
from billing_pipeline.resources.files import write_whole
from billing_pipeline.resources.gate import Gate
from billing_pipeline.resources.inputs import InputFiles
from billing_pipeline.resources.outputs import OutputFiles, run_of
from billing_pipeline.run_tags import ACCRUALS


@month_asset(
    "accruals", "The usage an accrual is made of: last month's file, its hash, and proof that it is a whole table."
)
def accrual_usage(
    context: dg.AssetExecutionContext,
    inputs: dg.ResourceParam[InputFiles],
    outputs: dg.ResourceParam[OutputFiles],
    database: dg.ResourceParam[Database],
) -> pl.DataFrame:
    """One row: structure_frame, `usage_month` (its key), `note` (what has to be said of it)."""
    structure, path, month, note = accrued_usage(inputs, outputs, database, period_of(context), context.run.tags)
    context.add_output_metadata(
        {
            "file": dg.MetadataValue.path(str(path)),
            "usage_month": month.key,
            "note": note or "none",
            "sha256": structure.sha256,
            "rows": structure.records,
        }
    )
    return structure_frame(structure, path).with_columns(
        pl.lit(month.key).alias("usage_month"), pl.lit(note).alias("note")
    )


@month_asset("accruals", "The rules workbook that an accrual is priced with, validated, with its bytes.")
def accrual_rules(
    context: dg.AssetExecutionContext,
    inputs: dg.ResourceParam[InputFiles],
    outputs: dg.ResourceParam[OutputFiles],
    database: dg.ResourceParam[Database],
) -> pl.DataFrame:
    """One row: engine.rules.rules_frame, `note` (which rules). With the tag billing/rules=as-of: those of its time."""
    rules, note = accrual_rules_of(inputs, outputs, database, period_of(context), context.run.tags)
    context.add_output_metadata({"rules": note, "sha256": rules.sha256, "tiers": rules.tiers.height})
    return rules_frame(rules).with_columns(pl.lit(note).alias("note"))


@month_asset("accruals", "Last month's usage priced as this month's: every row with its tier, four fees and rules row.")
def accrual_rows(
    context: dg.AssetExecutionContext,
    accrual_usage: pl.DataFrame,
    accrual_rules: pl.DataFrame,
    outputs: dg.ResourceParam[OutputFiles],
    database: dg.ResourceParam[Database],
    estimation: Estimation,
) -> pl.LazyFrame:
    """Wide fact table as priced_rows, `draft` (which inputs it was made of)."""
    period, rules = period_of(context), rules_from_frame(accrual_rules)
    used = usage_of(accrual_usage)
    last = database.run(partial(releases.current, period=used.month))
    if estimation.estimator == "prior-month-billed" and last:
        usage = billed_usage(outputs, last, period)
    else:
        usage = typed_usage(used.structure, used.path, used.month, period)
    bill = draft(usage.select(NEEDS).collect(engine="streaming"), rules, period)
    context.add_output_metadata(
        {
            "total": str(total(pl.concat([bill.rows["total_fee"], bill.true_ups["total_fee"]]))),
            "rows": bill.rows.height,
            "true_ups": bill.true_ups.height,
            "rows_by_bucket": dg.MetadataValue.json(dict(bill.rows["bucket"].value_counts().rows())),
        }
    )
    made_of = accrual_draft_id(used.structure.sha256, rules, estimation.estimator)
    return bill.fact(usage).with_columns(pl.lit(made_of).alias("draft"))


@month_asset("accruals", "What is accrued for each customer: usage, next-day and minimum revenue.")
def accrual_totals(
    context: dg.AssetExecutionContext,
    accrual_rows: pl.LazyFrame,
    accrual_rules: pl.DataFrame,
    inputs: dg.ResourceParam[InputFiles],
    outputs: dg.ResourceParam[OutputFiles],
    database: dg.ResourceParam[Database],
    estimation: Estimation,
) -> pl.DataFrame:
    """engine.accruals.customer_totals, by the estimator of the settings; `draft`. InputError when there is nothing."""
    period, rules = period_of(context), rules_from_frame(accrual_rules)
    estimator = estimation.chosen
    repriced = {1: customer_totals(accrual_rows.select(TOTALS_NEED).collect())}
    for back in LOOKS_BACK[estimator][1:]:
        repriced[back] = repriced_totals(inputs, outputs, database, before(period, back), rules, period)
    totals = estimated_totals(estimator, repriced)
    if totals.is_empty():
        held = held_revenue(accrual_rows.select(TOTALS_NEED).collect())
        why = f"; {total(held['total'])} is held for want of a customer" if held.height else ""
        raise InputError(Problem(f"no customer has anything to accrue{why}", cell=f"accrual of {period}"))
    context.add_output_metadata(
        {
            "total": str(total(totals["total"])),
            "customers": totals.height,
            "estimator": estimator,
            "preview": preview(totals, 15),
        }
    )
    return totals.with_columns(pl.lit(first_draft(accrual_rows)).alias("draft"))


@month_asset("accruals", "The journal entry, its reversal, the totals, and what is held.", frozenset({"polars", "csv"}))
def journal_entry(
    context: dg.AssetExecutionContext,
    accrual_usage: pl.DataFrame,
    accrual_rows: pl.LazyFrame,
    accrual_totals: pl.DataFrame,
    outputs: dg.ResourceParam[OutputFiles],
    database: dg.ResourceParam[Database],
    profile: dg.ResourceParam[Profile],
) -> pl.DataFrame:
    """File table of the drafted files, written and read back; what the checks found is the file of kind `checks`."""
    period, totals = period_of(context), accrual_totals.drop("draft")
    folder = outputs.of(ACCRUALS).draft_folder(period, run_of(context))
    stem, month = f"{profile.file_prefix}_accrual/{profile.file_prefix}_accrual", usage_of(accrual_usage).month
    held = held_revenue(accrual_rows.select(TOTALS_NEED).collect())
    entry = journal_lines(totals, profile.accrual, profile.invoice, period, month)
    reverse = profile.accrual.reversal == "file"
    entries = {f"{stem}_JE_{period.compact}": ("journal", entry)}
    if reverse:
        reversal = reversal_lines(totals, profile.accrual, profile.invoice, period, month)
        entries[f"{stem}_JE_reversal_{period.compact}"] = ("reversal", reversal)
    contents = {
        part_name(name, part): (kind, csv_bytes(piece))
        for name, (kind, lines) in entries.items()
        for part, piece in enumerate(split_lines(lines, id_column=EXTERNAL_ID), 1)
    }
    contents[f"{stem}_totals_{period.compact}.csv"] = ("totals", csv_bytes(totals_table(totals, month)))
    if held.height:
        contents[f"{stem}_held_{period.compact}.csv"] = ("held", readable_csv_bytes(held_table(held)))
    for name, (_, content) in contents.items():
        write_whole(folder / name, content)
    kinds = {name: kind for name, (kind, _) in contents.items()} | {TOTALS_FILE: "totals_frame", CHECKS_FILE: "checks"}
    totals.write_parquet(folder / TOTALS_FILE)
    found = entry_problems(folder, kinds, totals, profile, invoice_ids(outputs, database, period))
    write_whole(folder / CHECKS_FILE, json.dumps(found, indent=2, ensure_ascii=False).encode())
    context.add_output_metadata(
        {
            "total": str(total(totals["total"])),
            "held": str(total(held["total"])),
            "lines": entry.height,
            "external_id": entry[EXTERNAL_ID][0],
            "problems": dg.MetadataValue.json({name: texts for name, texts in found.items() if texts}),
            "preview": preview(entry.select(entry.columns[:7]), 12),
        }
    )
    return file_table(folder, kinds, accrual_totals["draft"][0])


@dg.multi_asset_check(
    name="journal_entry_checks",
    specs=[
        dg.AssetCheckSpec(name, asset="journal_entry", description=said, blocking=True) for name, said in CHECKS.items()
    ],
)
def journal_checks(
    context: dg.AssetCheckExecutionContext, outputs: dg.ResourceParam[OutputFiles]
) -> Iterator[dg.AssetCheckResult]:
    """One check for each rule of a journal entry, over the files of the very run it runs in."""
    folder = outputs.of(ACCRUALS).draft_folder(period_of(context), run_of(context))
    yield from check_results(folder, "journal_entry", CHECKS)


@month_asset(
    "accruals",
    "The workbook that supports the entry: summary, lines, detail, variance, roll-forward.",
    frozenset({"excel"}),
)
def accrual_support(
    context: dg.AssetExecutionContext,
    accrual_usage: pl.DataFrame,
    accrual_rules: pl.DataFrame,
    accrual_rows: pl.LazyFrame,
    accrual_totals: pl.DataFrame,
    outputs: dg.ResourceParam[OutputFiles],
    database: dg.ResourceParam[Database],
    profile: dg.ResourceParam[Profile],
    estimation: Estimation,
) -> pl.DataFrame:
    """File table of the workbook."""
    period, totals, used = period_of(context), accrual_totals.drop("draft"), usage_of(accrual_usage)
    fact = accrual_rows.drop("draft").collect()
    folder = outputs.of(ACCRUALS).draft_folder(period, run_of(context))
    stem = f"{profile.file_prefix}_accrual/{profile.file_prefix}_accrual"
    held = held_revenue(fact)
    rolled = roll_forward_of(outputs, database, period, totals)
    variance = read_variance(outputs, profile, period.previous)
    ordered = master_order(fact)
    detail = source_data(ordered)
    other_month = f" ({used.month}, not the month before)" if used.month != period.previous else ""
    facts = SupportFacts(
        period=period,
        transaction_date=period.last.strftime(profile.invoice.date_format),
        methodology=METHODOLOGY[estimation.chosen],
        source=used.path.name + other_month,
        prepared=started_at(context),
        basis=support_basis(used, accrual_rules["note"][0], estimation, fact, held, period),
    )
    name = f"{stem}_JE_support_{period.compact}.xlsx"
    journal = journal_lines(totals, profile.accrual, profile.invoice, period, used.month)
    write_support(folder / name, facts, profile.accrual, totals, journal, detail, held, rolled, variance)
    kinds = {name: "support"}
    if estimation.save_detail:
        detail_name = f"{stem}_billing_detail_{period.compact}.xlsx"
        write_detail(folder / detail_name, detail, executive_summary(ordered))
        kinds[detail_name] = "detail"
    context.add_output_metadata({"files": ", ".join(kinds), "roll_forward": preview(rolled, 15)})
    return file_table(folder, kinds, accrual_totals["draft"][0])


@month_asset(
    "accruals",
    "Publication: the accrual with its complete set and named files. Another one needs the first taken back.",
    frozenset({"json"}),
    output_required=False,
)
def accrual(
    context: dg.AssetExecutionContext,
    accrual_usage: pl.DataFrame,
    accrual_rules: pl.DataFrame,
    accrual_rows: pl.LazyFrame,
    accrual_totals: pl.DataFrame,
    journal_entry: pl.DataFrame,
    accrual_support: pl.DataFrame,
    outputs: dg.ResourceParam[OutputFiles],
    database: dg.ResourceParam[Database],
    profile: dg.ResourceParam[Profile],
    gate: Gate,
    estimation: Estimation,
) -> Iterator[dg.Output[pl.DataFrame]]:
    """One row: run_id, path of the named manifest, total. Nothing when the very same was accrued before.

    GateError when another accrual of the month is booked, or its ledger period is closed.
    """
    period, run, rules, used = (
        period_of(context),
        run_of(context),
        rules_from_frame(accrual_rules),
        usage_of(accrual_usage),
    )
    sets, totals = outputs.of(ACCRUALS), accrual_totals.drop("draft")
    made_of = accrual_draft_id(used.structure.sha256, rules, estimation.estimator)
    first = accrual_rows.select("draft").head(1).collect()
    drafted = {"accrual_totals": accrual_totals, "journal_entry": journal_entry, "accrual_support": accrual_support}
    refuse_mixed_drafts(made_of, {**drafted, "accrual_rows": first})
    refuse_altered([journal_entry, accrual_support])
    if gate.releases:
        finish_release(database, sets, gate, period)
        if is_booked_already(sets, database, period, totals):
            context.log.info(f"{period} is accrued already, with the same amounts")
            sets.discard_drafts(period)
            return
    files = accrual_set(sets, profile, period, run, [journal_entry, accrual_support], rules, used.path)
    held = held_revenue(accrual_rows.select(TOTALS_NEED).collect())
    facts = {"dagster_run_id": context.run.run_id} | accrual_facts(
        used, accrual_rules["note"][0], estimation.chosen, totals, held
    )
    facts["movements"] = movements(totals, booked(outputs, database, period.previous))
    about = facts_of_run(context, run, profile.file_prefix)
    document = accrual_document(about, period, rules, files, facts)
    if gate.releases:
        release = database.run(partial(new_accrual, period=period, run=run, used=used, rules=rules, totals=totals))
        publish_release(database, sets, gate, release, list(files.files), document)
    else:
        sets.publish(period, run, list(files.files), document)
        sets.discard_drafts(period)
    path = outputs.address(document["manifest_name"])
    amount = str(total(totals["total"]))
    yield dg.Output(
        pl.DataFrame({"run_id": [run], "path": [path], "total": [amount]}),
        metadata={"file": dg.MetadataValue.path(path), "total": amount, "customers": totals.height,
                  "held": str(total(held["total"])), "files": len(document["files"])},
    )  # fmt: skip
