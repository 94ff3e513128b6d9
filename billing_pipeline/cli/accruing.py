"""What `accrue` and `variance` do. Prints nothing."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import polars as pl
from rich.progress import Progress

from billing_pipeline.build import estimation_from
from billing_pipeline.cli.closing import Month, installed_month, progress_bar, refusing, run_month
from billing_pipeline.cli.target import Place, adhoc_resources
from billing_pipeline.engine.accruals import CHECKS, COMPONENTS, Materiality, customer_totals, variances
from billing_pipeline.engine.accruals.reading import totals_from_csv
from billing_pipeline.engine.errors import GateError, InputError, Problem
from billing_pipeline.engine.money import AMOUNT
from billing_pipeline.engine.period import Period
from billing_pipeline.profile import load_profile
from billing_pipeline.reports.accruals import variance_table, write_variance
from billing_pipeline.reports.billing import SOURCE
from billing_pipeline.reports.csv_files import csv_bytes
from billing_pipeline.reports.readback import read_table
from billing_pipeline.resources.files import read_whole, write_whole
from billing_pipeline.resources.gate import Gate
from billing_pipeline.run_tags import ACCRUALS, VARIANCES
from billing_pipeline.settings import load_settings

_FEES = ("er_fee", "iu_fee", "next_day_er_fee", "next_day_iu_fee", "total_fee")
_MOST = 20  # problems told of one file


def accrual_of(
    period: Period,
    place: Place,
    *,
    save_detail: bool = False,
    tags: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Accrue the month: state, amounts by customer, what is held, variance when its bill is out, files.

    GateError when a check of the entry failed. `tags` of the run; `progress` instead of a bar of its own.
    """
    month = _target(period, place, save_detail=save_detail)
    sets = month.outputs.of(ACCRUALS)
    before = sets.latest_manifest(period)
    with refusing(sets, CHECKS, f"{period} is not accrued", "the journal entry"), progress or progress_bar() as bar:
        run_month(month, "accrue_month", bar, tags, capability=ACCRUALS)
    made = sets.latest_manifest(period)
    if made is None:
        raise GateError(f"the run of {period} came to no end; look for it in Dagster's pages")
    compared = month.outputs.of(VARIANCES).latest_manifest(period)
    totals = sets.accrued_totals(made)
    return {
        "period": period.key,
        "state": "unchanged" if before and before["run_id"] == made["run_id"] else "accrued",
        "total": made["totals"]["total"],
        "held": made["held"],
        "variance": compared["total"]["variance"] if compared and compared["accrual_run"] == made["run_id"] else "",
        "usage_file": made["usage_file"]["name"],
        "usage_month": made["usage_month"],
        "usage_note": made["usage_note"],
        "estimator": made["estimator"],
        "rules": made["rules_note"],
        "totals": totals.with_columns(pl.col(*COMPONENTS, "total").cast(pl.String)).to_dicts(),
        "files": [sets.address(entry["name"]) for entry in made["files"] if entry["named"]],
        "run_id": made["run_id"],
    }


def variance_of(
    accrual_totals: Path, actual_report: Path, output: Path, percent: str, amount: str | None
) -> dict[str, Any]:
    """Compare the two files; write the variance as CSV and, beside it, as a workbook. InputError says what is wrong."""
    materiality = Materiality(
        _bound(percent, "--materiality-pct"), _bound(amount, "--materiality-amount") if amount else None
    )
    if output.suffix.lower() != ".csv":
        raise InputError(f"{output}: the file to write is a CSV file; give it a name that ends in .csv")
    estimated = totals_from_csv(_read(accrual_totals), accrual_totals.name)
    if not actual_report.is_file():
        raise InputError(Problem("no such master report", file=str(actual_report)))
    actual = customer_totals(_billed(actual_report))
    compared = variances(estimated, actual, materiality)
    shown = variance_table(compared, None)
    output.parent.mkdir(parents=True, exist_ok=True)
    workbook = output.with_suffix(".xlsx")
    title = f"{accrual_totals.name} against {actual_report.name}"
    bound = f"above {percent} % of the estimate" + (f" and above {amount}" if amount else "")
    write_variance(
        workbook,
        title,
        shown,
        [("Estimated", str(accrual_totals)), ("Actual", str(actual_report)), ("Material", bound)],
    )
    write_whole(output, csv_bytes(shown))
    numbers = ("estimated", "actual", "variance", "percent")
    return {
        "customers": compared.with_columns(pl.col(numbers).cast(pl.String)).to_dicts(),
        "files": [str(output), str(workbook)],
    }


def _billed(report: Path) -> pl.DataFrame:
    """The rows of a master report as customer_totals() takes them; InputError with every fee that is no number."""
    schema: dict[str, Any] = {"netsuite_customer_name": pl.String, "row_type": pl.String} | dict.fromkeys(_FEES, AMOUNT)
    rows = read_table(report, SOURCE, schema)
    texts = read_table(report, SOURCE, dict.fromkeys(_FEES, pl.String))
    problems = [
        Problem("is not a number", report.name, sheet=SOURCE, cell=f"{fee}, row {row + 2}", value=texts[fee][row])
        for fee in _FEES
        for row in (rows[fee].is_null() & (texts[fee].fill_null("").str.strip_chars() != "")).arg_true()
    ]
    if problems:
        raise InputError(problems[:_MOST])
    kept = rows.filter(pl.col("row_type").is_not_null()).with_columns(pl.col(_FEES).fill_null(0).cast(AMOUNT))
    return kept.with_columns(pl.col("netsuite_customer_name").fill_null(""), pl.lit("billed").alias("bucket"))


def _target(period: Period, place: Place, *, save_detail: bool) -> Month:
    settings = load_settings()
    if place.outputs_dir is None:
        if place.named:
            raise InputError("say which folder the accrual is written into with --outputs-dir")
        month = installed_month(period)
        estimation = month.resources["estimation"].model_copy(update={"save_detail": save_detail})
        return replace(month, resources={**month.resources, "estimation": estimation})
    if place.inputs_dir is None and place.usage_file is None:
        raise InputError("give --usage-dir, the folder with last month's usage file, or --usage-file")
    if place.inputs_dir is None and place.rules_file is None:
        raise InputError("--usage-file needs --rules-file, the rules workbook to price it by")
    gate, estimation = Gate(gated=False), estimation_from(settings, save_detail=save_detail)
    resources = adhoc_resources(settings, place, place.outputs_dir, gate, estimation)
    return Month(period, load_profile(settings.profile), resources)


def _bound(text: str, option: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0:
        raise InputError(f"{option} {text!r} is not a number of zero or more")
    return value


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise InputError(Problem("no such totals file", file=str(path)))
    return read_whole(path)
