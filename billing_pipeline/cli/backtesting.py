"""What `backtest` does: usage of the months on hand, priced for each other, and the scores of every estimator."""

from functools import cache, partial
from pathlib import Path
from typing import Any

import polars as pl

from billing_pipeline.assets.accruing import priced_totals, typed_usage
from billing_pipeline.build import estimation_from
from billing_pipeline.cli.closing import installed_month, progress_bar
from billing_pipeline.engine.accruals import (
    ESTIMATORS,
    LOOKS_BACK,
    backtest,
    before,
)
from billing_pipeline.engine.errors import InputError, Problem
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.pricing import NEEDS
from billing_pipeline.engine.rules import Rules, read_workbook
from billing_pipeline.engine.usage import check_structure
from billing_pipeline.resources import releases
from billing_pipeline.resources.files import blocks_of, read_whole
from billing_pipeline.resources.inputs import usage_names
from billing_pipeline.settings import RULES_NAME, load_settings


def backtest_document(
    usage_dir: Path | None, rules_file: Path | None, start: Period | None, end: Period | None
) -> dict[str, Any]:
    """Months, scores (engine.accruals.backtest, figures as text), and what could not be scored and why."""
    files = _files(usage_dir)
    months = [month for month in files if (start or month) <= month <= (end or month)]
    rules_of = _rules(usage_dir, rules_file)
    asked = {
        (before(month, back), month)
        for month in months
        for estimator in ESTIMATORS
        for back in (0, *LOOKS_BACK[estimator])
        if before(month, back) in files
    }
    with progress_bar() as progress:
        task = progress.add_task("pricing", total=len(asked), step="")

        @cache
        def usage_of(month: Period) -> pl.DataFrame:
            path = files[month]
            rows = typed_usage(check_structure(blocks_of(path), path.name), path, month, month)
            return rows.select(NEEDS).collect()

        @cache
        def repriced(month: Period, period: Period) -> pl.DataFrame:
            totals = priced_totals(usage_of(month), rules_of(period), period)
            progress.update(task, advance=1, step=f"{month} as {period}")
            return totals

        scores = backtest(months, tuple(files), repriced, estimation_from(load_settings()).materiality)
        progress.update(task, completed=len(asked), step="done")
    if scores.is_empty():
        raise InputError("at least two months in a row are needed to score an estimate")
    scored = set(scores["estimator"])
    missing = [
        f"{name} could not be scored: it needs usage of {max(LOOKS_BACK[name])} months before"
        for name in ESTIMATORS
        if name not in scored and name != "prior-month-billed"
    ]
    texts = scores.with_columns(pl.exclude("customer", "estimator", "months").cast(pl.String))
    return {"months": [month.key for month in months], "scores": texts.to_dicts(), "missing": missing}


def _files(usage_dir: Path | None) -> dict[Period, Path]:
    """The usage file of every month that has exactly one; InputError where there are more."""
    if usage_dir is None:
        inputs = installed_month(Period(2000, 1)).inputs
        try:
            months = usage_names(file.name for file in inputs.listing())
        except FileNotFoundError:
            raise InputError(Problem("Inputs folder not found", file=inputs.usage.address())) from None
        return {month: inputs.usage_path(month) for month in months}
    if not usage_dir.is_dir():
        raise InputError(Problem("no such folder", file=str(usage_dir)))
    months = usage_names(sorted(path.name for path in usage_dir.iterdir() if path.is_file()))
    twice = [f"{' and '.join(names)} are both of {month}" for month, names in months.items() if len(names) > 1]
    if twice or not months:
        raise InputError([Problem(text, file=str(usage_dir)) for text in twice or ["no usage file YYYY.MM_*.csv"]])
    return {month: usage_dir / names[0] for month, names in months.items()}


def _rules(usage_dir: Path | None, rules_file: Path | None) -> Any:
    """The rules of a month: one workbook for all, or, in the installation, those it was released with."""
    if usage_dir or rules_file:
        path = rules_file or (usage_dir or Path()) / RULES_NAME
        if not path.is_file():
            raise InputError(Problem("Config workbook not found", file=str(path)))
        rules = read_workbook(read_whole(path), path.name)
        return lambda _: rules
    month = installed_month(Period(2000, 1))
    inputs = month.inputs

    @cache
    def rules_of(period: Period) -> Rules:
        release = month.database.run(partial(releases.current, period=period))
        if release is None:
            return read_workbook(*inputs.rules_workbook())
        return month.outputs.rules(month.outputs.manifest_of(period, release.run_id))

    return rules_of
