"""Behind the variance asset: the accrual and the bill of a month side by side, and what is kept and told of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import polars as pl
import sqlalchemy as sa

from billing_pipeline.assets.run_set import RunSet, drafted_files
from billing_pipeline.assets.telling import variance_notice
from billing_pipeline.engine.accruals import (
    BRIDGE_NEED,
    METHODOLOGY,
    PARTS,
    TOTALS_NEED,
    Materiality,
    bridge,
    customer_totals,
    rounding_bound,
    variances,
)
from billing_pipeline.engine.accruals.reading import variance_from_csv
from billing_pipeline.engine.accruals.variance import MATERIAL, TOTAL
from billing_pipeline.engine.errors import BillingError
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.rules import Rules
from billing_pipeline.profile import Profile
from billing_pipeline.reports.accruals import BRIDGE_ORDER, BRIDGE_TITLES, PART_TITLES
from billing_pipeline.reports.manifest import RunFacts, run_facts
from billing_pipeline.resources import outbox, releases
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.estimation import Estimation
from billing_pipeline.resources.outputs import OutputFiles
from billing_pipeline.resources.releases import Release
from billing_pipeline.run_tags import ACCRUALS

BRIDGE_FILE = "bridge.parquet"


@dataclass(frozen=True, slots=True)
class Compared:
    """An accrual and the bill of its month: the releases, their manifests, and where their rows are."""

    accrual: Release
    bill: Release
    accrual_set: Mapping[str, Any]
    estimate: pl.DataFrame
    actual: pl.DataFrame
    booked: pl.DataFrame
    rules: Rules


def variance_inputs(outputs: OutputFiles, database: Database, period: Period) -> Compared | None:
    """The month's accrual and bill as they were released; None while one of them is missing."""
    accrual = database.run(partial(releases.current, period=period, capability=ACCRUALS))
    bill = database.run(partial(releases.current, period=period))
    if accrual is None or bill is None:
        return None
    sets = outputs.of(ACCRUALS)
    made = sets.manifest_of(period, accrual.run_id)
    sent = outputs.manifest_of(period, bill.run_id)
    needed = sorted({*BRIDGE_NEED, *TOTALS_NEED})
    return Compared(
        accrual,
        bill,
        made,
        sets.priced_rows(made).select(needed).collect(),
        outputs.priced_rows(sent).select(needed).collect(),
        sets.accrued_totals(made),
        sets.rules(made),
    )


def explained(found: Compared, materiality: Materiality, period: Period) -> tuple[pl.DataFrame, pl.DataFrame]:
    """variances() and its bridge; BillingError should they not agree, which would be our own mistake."""
    actual = customer_totals(found.actual)
    compared = variances(found.booked, actual, materiality)
    parts = bridge(found.estimate, found.actual, found.booked, actual, found.rules, period)
    by_customer = compared.filter(pl.col("customer") != TOTAL).select("customer", "variance")
    wrong = parts.join(by_customer, on="customer", how="full", coalesce=True).filter(
        pl.sum_horizontal(PARTS).fill_null(0) != pl.col("variance").fill_null(0)
    )
    far = parts.join(rounding_bound(found.estimate, found.actual), on="customer", how="left").filter(
        pl.col("rounding").abs() > pl.col("bound").fill_null(0)
    )
    if wrong.height or far.height:
        customer = (wrong if wrong.height else far)["customer"][0]
        raise BillingError(f"the bridge of {period} does not explain the variance of {customer}")
    return compared, parts


def variance_basis(found: Compared, estimation: Estimation) -> list[tuple[str, str]]:
    """What a reader of the variance has to know beside it: label and text."""
    bound = f"{estimation.materiality_percent} % of the estimate"
    amount = f" and {estimation.materiality_amount}" if estimation.materiality_amount else ""
    estimator = found.accrual_set["estimator"]
    return [
        ("Estimate", f"accrual of {found.accrual.prepared_at:%Y-%m-%d}, run {found.accrual.run_id}"),
        ("Methodology", METHODOLOGY.get(estimator, estimator)),
        ("Usage accrued", found.accrual_set["usage_file"]["name"]),
        ("Actual", f"release {found.bill.number} of the bill, run {found.bill.run_id}"),
        ("Material", f"a variance above {bound}{amount}, judged before the percentage is rounded"),
        *[(PART_TITLES[part], text) for part, text in BRIDGE_ORDER.items()],
    ]


def variance_set(drafted: pl.DataFrame) -> RunSet:
    """The files of a variance's run set."""
    return RunSet(drafted_files([drafted], ["bridge"]))


def variance_document(
    run: RunFacts, period: Period, files: RunSet, found: Compared, compared: pl.DataFrame, parts: pl.DataFrame
) -> dict[str, Any]:
    """The manifest of a variance: the run, its files, what was compared, and the figures in plain values."""
    whole = compared.row(-1, named=True)
    flagged = compared.head(-1).filter(pl.col("flag") == MATERIAL)
    largest = flagged.sort(pl.col("variance").abs(), "customer", descending=[True, False])
    return {
        **run_facts(run),
        "billing_period": period.dotted,
        "accrual_run": found.accrual.run_id,
        "bill_run": found.bill.run_id,
        "total": {name: str(whole[name]) for name in ("estimated", "actual", "variance", "percent", "flag")},
        "customers": compared.height - 1,
        "material": [
            {name: str(row[name]) for name in ("customer", "estimated", "actual", "variance", "percent")}
            for row in largest.to_dicts()
        ],
        "bridge": {part: str(parts[part].sum() or Decimal("0.00")) for part in PARTS},
        "files": list(files.entries()),
        "manifest_name": f"{run.prefix}_accrual/{run.prefix}_variance_run_manifest_{period.compact}_{run.run_id}.json",
    }


def post_variance(connection: sa.Connection, document: Mapping[str, Any], ui_url: str) -> None:
    """Tell people, once for each pair of accrual and bill."""
    outbox.post(connection, variance_notice(document, ui_url), datetime.now(UTC))


def read_variance(outputs: OutputFiles, profile: Profile, period: Period) -> pl.DataFrame | None:
    """The month's published variance file: columns of variance_table(); None without one."""
    try:
        content = outputs.read_named(f"{profile.file_prefix}_accrual/variance_{period.compact}.csv")
    except FileNotFoundError:
        return None
    return variance_from_csv(content, f"variance_{period.compact}.csv")


def unbalanced(table: pl.DataFrame) -> pl.DataFrame:
    """The rows of a variance file whose bridge does not sum to their variance."""
    parts = [name for name in BRIDGE_TITLES.values() if name in table.columns]
    return table.filter(pl.sum_horizontal(parts) != pl.col("Variance")) if parts else table.clear()
