"""A month's bill: priced rows, invoices, partner workbooks, controls, master report. Drafts, until published."""

from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from billing_pipeline.assets.drafts import CONTROLS_FILE, INVOICE_KINDS, LINES_FILE, draft_id, file_table, first_draft
from billing_pipeline.assets.metadata import month_asset, preview
from billing_pipeline.engine.close import conservation
from billing_pipeline.engine.invoicing import COLUMNS, LINES_NEED, invoice_lines, split_lines
from billing_pipeline.engine.pricing import NEEDS, draft
from billing_pipeline.engine.pricing import priced_rows as price
from billing_pipeline.engine.pricing.controls import CONTROLS_NEED, NAMES
from billing_pipeline.engine.pricing.controls import controls as find_controls
from billing_pipeline.engine.pricing.master import data_quality, executive_summary, master_order, source_data
from billing_pipeline.engine.pricing.partner_report import FIGURES, partner_labels, partner_reports
from billing_pipeline.engine.rules import rules_from_frame
from billing_pipeline.engine.usage import apply_decisions, corrected, overrides_applied
from billing_pipeline.partitions import period_of
from billing_pipeline.profile import Profile
from billing_pipeline.reports.billing import FeeSummary, PartnerWorkbook, write_master_report, write_partner_workbooks
from billing_pipeline.reports.csv_files import csv_bytes, part_name, readable_csv_bytes
from billing_pipeline.reports.messages import FEE_SUMMARY_NOTE, fee_summary_title
from billing_pipeline.reports.names import partner_files
from billing_pipeline.reports.tie_out import read_back
from billing_pipeline.resources.files import write_whole
from billing_pipeline.resources.gate import Gate
from billing_pipeline.resources.outputs import OutputFiles, run_of


@month_asset(
    "billing", "The draft bill: every row with its tier, four fees, rules row and bucket; true-ups at the end."
)
def priced_rows(
    context: dg.AssetExecutionContext,
    usage_file: pl.DataFrame,
    usage_rows: pl.LazyFrame,
    billing_rules: pl.DataFrame,
    decisions: pl.DataFrame,
) -> pl.LazyFrame:
    """Wide fact table: usage columns, tables.PRICED, `draft` (which inputs it was made of)."""
    rules = rules_from_frame(billing_rules)
    decided = apply_decisions(usage_rows, decisions, period_of(context))
    bill = draft(decided.select(NEEDS).collect(engine="streaming"), rules, period_of(context))
    total = pl.concat([bill.rows["total_fee"], bill.true_ups["total_fee"]]).sum()
    context.add_output_metadata(
        {
            "total": str(total),
            "rows": bill.rows.height,
            "partners": bill.rows["partner_key"].n_unique(),
            "true_ups": bill.true_ups.height,
            "rows_by_bucket": dg.MetadataValue.json(dict(bill.rows["bucket"].value_counts().rows())),
            "preview": preview(
                bill.rows.select("partner_key", "tier_type", "metric_value_used", "er_fee", "iu_fee", "total_fee")
            ),
        }
    )
    identity = pl.lit(draft_id(usage_file, rules, decisions)).alias("draft")
    return bill.fact(decided).with_columns(identity)


@month_asset("billing", "The ERP import file and, beside it, the lines that are held.", frozenset({"polars", "csv"}))
def netsuite_invoices(
    context: dg.AssetExecutionContext,
    priced_rows: pl.LazyFrame,
    outputs: dg.ResourceParam[OutputFiles],
    profile: dg.ResourceParam[Profile],
) -> pl.DataFrame:
    """File table of the import parts, the held file, and the lines themselves for later comparison."""
    period = period_of(context)
    fact = priced_rows.select(*LINES_NEED, "draft").collect()
    lines = invoice_lines(fact, profile.invoice, period)
    ready, held = lines.filter(pl.col("held").is_null()), lines.filter(pl.col("held").is_not_null())
    folder = outputs.draft_folder(period, run_of(context))
    stem = f"{profile.file_prefix}_netsuite/{profile.file_prefix}_netsuite_invoice"
    contents = {
        part_name(f"{stem}_import_{period.dotted}", part): (csv_bytes(piece), "import")
        for part, piece in enumerate(split_lines(ready.select(COLUMNS)), 1)
    }
    if held.height:
        contents[f"{stem}_held_{period.dotted}.csv"] = (readable_csv_bytes(held.select(COLUMNS)), "held")
    for name, (content, _) in contents.items():
        write_whole(folder / name, content)
    lines.write_parquet(folder / LINES_FILE)
    kinds = {name: kind for name, (_, kind) in contents.items()} | {LINES_FILE: "lines"}
    files = file_table(folder, kinds, fact["draft"][0])
    context.add_output_metadata(
        {
            "amount": str(ready["Amount"].sum()),
            "held_amount": str(held["Amount"].sum()),
            "invoices": ready["Invoice External ID"].n_unique(),
            "lines": ready.height,
            "held_because": dg.MetadataValue.json(
                dict(held.unique("Invoice External ID")["held"].value_counts().rows())
            ),
            "files": dg.MetadataValue.json(dict(files.select("name", "sha256").iter_rows())),
            "preview": preview(ready.select(COLUMNS), 10),
        }
    )
    return files


@month_asset(
    "billing", "One workbook per partner: its fee summary and the detail behind it.", frozenset({"polars", "excel"})
)
def partner_workbooks(
    context: dg.AssetExecutionContext,
    priced_rows: pl.LazyFrame,
    outputs: dg.ResourceParam[OutputFiles],
    profile: dg.ResourceParam[Profile],
) -> pl.DataFrame:
    """File table of the workbooks, with the figures each was written with."""
    period = period_of(context)
    ordered = master_order(priced_rows.collect())
    names = {row["partner_key"]: row for row in partner_files(partner_labels(ordered), period).iter_rows(named=True)}
    folder = outputs.draft_folder(period, run_of(context))
    books: dict[str, PartnerWorkbook] = {}
    figures: list[dict[str, Any]] = []
    for report in partner_reports(ordered):
        place = names[report.partner_key]
        name = f"{profile.file_prefix}_partner_details/{place['folder']}/{place['file']}"
        summary = FeeSummary(
            fee_summary_title(profile.brand), place["display"], period.title, report.companies, report.users,
            report.lines, report.total, FEE_SUMMARY_NOTE,
        )  # fmt: skip
        books[name] = PartnerWorkbook(folder / name, summary, report.detail)
        figures.append({"name": name, **report.figures()})
    write_partner_workbooks(books.values())
    table = file_table(folder, dict.fromkeys(books, "partner"), first_draft(priced_rows))
    written = pl.DataFrame(figures, schema={"name": pl.String, **FIGURES})
    context.add_output_metadata({"workbooks": len(books), "preview": preview(written.drop("partner_key"), 10)})
    return table.join(written, on="name", how="left", maintain_order="left")


@month_asset("billing", "Conservation: what became of the file's rows, users and money; what removed rows were worth.")
def buckets(
    context: dg.AssetExecutionContext,
    usage_rows: pl.LazyFrame,
    priced_rows: pl.LazyFrame,
    billing_rules: pl.DataFrame,
    decisions: pl.DataFrame,
) -> pl.DataFrame:
    """Frame of engine.close.conservation."""
    before = None
    if decisions.height:
        usage = usage_rows.select(NEEDS).collect(engine="streaming")
        before = price(usage, rules_from_frame(billing_rules), period_of(context))
    fact = priced_rows.select("bucket", "row_type", "users", "total_fee", "line").collect()
    found = conservation(fact, before)
    context.add_output_metadata({"buckets": preview(found)})
    return found


@month_asset("billing", "Audit & Controls: what was written, read back from the files, against the priced rows.")
def controls(
    context: dg.AssetExecutionContext,
    usage_rows: pl.LazyFrame,
    priced_rows: pl.LazyFrame,
    buckets: pl.DataFrame,
    usage_warnings: pl.DataFrame,
    decisions: pl.DataFrame,
    netsuite_invoices: pl.DataFrame,
    partner_workbooks: pl.DataFrame,
    gate: Gate,
) -> pl.DataFrame:
    """Frame of engine.pricing.controls, and the draft it judges."""
    usage = corrected(usage_rows, decisions, period_of(context)).select("users").collect()
    fact = priced_rows.select(*CONTROLS_NEED, "draft").collect()
    paths = {
        kind: [Path(p) for p in netsuite_invoices.filter(pl.col("kind") == kind)["path"]] for kind in INVOICE_KINDS
    }
    files, opened = read_back(paths["import"], paths["held"], partner_workbooks, gate.readback_rows)
    quality = data_quality(priced_rows.filter(pl.col("bucket") != "removed")).height
    table = find_controls(usage, fact, buckets, quality, usage_warnings.height, files)
    context.add_output_metadata(
        {
            "controls": preview(table, len(NAMES)),
            "workbooks_read_back": f"{opened} of {partner_workbooks.height}",
            "import_problems": dg.MetadataValue.json(list(files.import_problems)),
        }
    )
    return table.with_columns(pl.lit(fact["draft"][0]).alias("draft"))


@month_asset(
    "billing",
    "The master billing report: controls, executive summary, every row with its price.",
    frozenset({"polars", "excel"}),
)
def master_report(
    context: dg.AssetExecutionContext,
    priced_rows: pl.LazyFrame,
    usage_rows: pl.LazyFrame,
    controls: pl.DataFrame,
    buckets: pl.DataFrame,
    outputs: dg.ResourceParam[OutputFiles],
    profile: dg.ResourceParam[Profile],
) -> pl.DataFrame:
    """File table of the report."""
    period = period_of(context)
    folder = outputs.draft_folder(period, run_of(context))
    ordered = master_order(priced_rows.collect())
    shown = controls.drop("draft")
    name = f"{profile.file_prefix}_billing_log/{period.dotted}_Master_Billing_Report.xlsx"
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    summary = executive_summary(ordered)
    write_master_report(
        folder / name,
        controls=shown,
        summary=summary,
        source=source_data(ordered),
        quality=data_quality(ordered.lazy()),
        overrides=overrides_applied(usage_rows, priced_rows),
        extra_sheets=[("Conservation", buckets)],
    )
    controls.write_parquet(folder / CONTROLS_FILE)
    files = file_table(folder, {name: "master"}, first_draft(priced_rows))
    context.add_output_metadata(
        {
            "file": dg.MetadataValue.path(str(folder / name)),
            "sha256": files["sha256"][0],
            "bytes": files["bytes"][0],
            "controls": preview(shown, len(NAMES)),
            "summary": preview(summary, 10),
        }
    )
    return files
