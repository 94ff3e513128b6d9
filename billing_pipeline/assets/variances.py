"""A month's variance: what was accrued against what was billed, explained to the cent. Made when both are there."""

from collections.abc import Iterator
from functools import partial

import dagster as dg
import polars as pl

from billing_pipeline.assets.comparing import (
    BRIDGE_FILE,
    explained,
    post_variance,
    read_variance,
    unbalanced,
    variance_basis,
    variance_document,
    variance_inputs,
    variance_set,
)
from billing_pipeline.assets.drafts import file_table
from billing_pipeline.assets.metadata import month_asset, preview
from billing_pipeline.assets.run_set import facts_of_run
from billing_pipeline.engine.accruals.variance import MATERIAL
from billing_pipeline.partitions import period_of
from billing_pipeline.profile import Profile
from billing_pipeline.reports.accruals import variance_table, write_variance
from billing_pipeline.reports.csv_files import csv_bytes
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.estimation import Estimation
from billing_pipeline.resources.files import write_whole
from billing_pipeline.resources.gate import Gate
from billing_pipeline.resources.outputs import OutputFiles, run_of
from billing_pipeline.run_tags import VARIANCES


@month_asset(
    "variance",
    "What was accrued against what was billed, and why they differ. Empty until both are there.",
    frozenset({"polars", "csv", "excel"}),
    output_required=False,
    deps=["accrual", "manifest"],
)
def variance(
    context: dg.AssetExecutionContext,
    outputs: dg.ResourceParam[OutputFiles],
    database: dg.ResourceParam[Database],
    profile: dg.ResourceParam[Profile],
    gate: Gate,
    estimation: Estimation,
) -> Iterator[dg.Output[pl.DataFrame]]:
    """variances() with the bridge beside it. BillingError should the parts of a bridge not sum to its variance."""
    period, run, sets = period_of(context), run_of(context), outputs.of(VARIANCES)
    found = variance_inputs(outputs, database, period)
    if found is None:
        context.log.info(f"{period}: there is no accrual or no bill to compare yet")
        return
    compared, parts = explained(found, estimation.materiality, period)
    table = variance_table(compared, parts)
    folder, stem = sets.draft_folder(period, run), f"{profile.file_prefix}_accrual/variance_{period.compact}"
    write_whole(folder / f"{stem}.csv", csv_bytes(table))
    write_variance(
        folder / f"{stem}.xlsx", f"{period.title}: accrual against bill", table, variance_basis(found, estimation)
    )
    parts.write_parquet(folder / BRIDGE_FILE)
    kinds = {f"{stem}.csv": "variance", f"{stem}.xlsx": "variance_workbook", BRIDGE_FILE: "bridge"}
    drafted = file_table(folder, kinds, found.accrual.run_id)
    about = facts_of_run(context, run, profile.file_prefix)
    files = variance_set(drafted)
    document = variance_document(about, period, files, found, compared, parts) | {"dagster_run_id": context.run.run_id}
    sets.clear(period)
    told = partial(database.run, partial(post_variance, document=document, ui_url=gate.ui_url))
    sets.publish(period, run, list(files.files), document, told)
    sets.discard_drafts(period)
    whole = compared.row(-1, named=True)
    yield dg.Output(
        table,
        metadata={
            "file": dg.MetadataValue.path(outputs.address(f"{stem}.csv")),
            "variance": f"{whole['variance']} ({whole['percent']} %)",
            "material": compared.filter(pl.col("flag") == MATERIAL).height,
            "bridge": preview(parts.sum(), 1),
            "preview": preview(table, 20),
        },
    )


@dg.asset_check(
    asset="variance", description="The parts of every customer's bridge, and of the total, sum to its variance."
)
def bridge_sums_to_variance(
    context: dg.AssetCheckExecutionContext, outputs: dg.ResourceParam[OutputFiles], profile: dg.ResourceParam[Profile]
) -> dg.AssetCheckResult:
    """Read from the published file."""
    period = period_of(context)
    written = read_variance(outputs, profile, period)
    if written is None:
        return dg.AssetCheckResult(passed=True, description="there is no variance yet")
    broken = unbalanced(written)
    return dg.AssetCheckResult(passed=broken.is_empty(), metadata={"rows": written.height, "broken": preview(broken)})
