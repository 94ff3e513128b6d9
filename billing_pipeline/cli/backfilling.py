"""Past months in processes of their own, side by side: what each came to."""

import multiprocessing
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from decimal import Decimal
from typing import Any

from rich.progress import Progress

from billing_pipeline.cli.accruing import accrual_of
from billing_pipeline.cli.client_billing import billed
from billing_pipeline.cli.closing import installed_month, progress_bar
from billing_pipeline.cli.drafting import closed_month
from billing_pipeline.cli.target import Place
from billing_pipeline.engine.errors import GateError, InputError
from billing_pipeline.engine.period import Period
from billing_pipeline.resources.months import MonthEvent
from billing_pipeline.run_tags import CLIENTS, RULES


def backfill_months(periods: Sequence[Period], what: str, rules: str, jobs: int) -> list[dict[str, Any]]:
    """Close, accrue, or bill the clients of each month, `jobs` at a time; what each came to, in order.

    period, state, billed, difference, seconds, why. States are those of a month, `accrued`, `billed`, `unchanged`, and
    for months that could not be run: bad_input, refused, failed. Of an accrual, billed is what was accrued and
    difference its variance, when the bill is out.
    """
    found: dict[str, dict[str, Any]] = {}
    with progress_bar() as progress:
        task = progress.add_task(f"{len(periods)} months", total=len(periods), step="starting")
        spawn = multiprocessing.get_context("spawn")  # a forked copy of Polars' threads would hang
        with ProcessPoolExecutor(min(jobs, len(periods), os.cpu_count() or 1), mp_context=spawn) as pool:
            running = {pool.submit(run_one, period.key, what, rules): period for period in periods}
            for done in as_completed(running):
                period = running[done]
                try:
                    found[period.key] = done.result()
                except BrokenProcessPool:
                    found[period.key] = _came_to(period, "failed", "its process was ended from outside")
                progress.update(task, advance=1, step=f"{period} {found[period.key]['state']}")
    return [found[period.key] for period in periods]


def run_one(key: str, what: str, rules: str) -> dict[str, Any]:
    """One month in this process, as `backfill_months` tells it. Errors are part of the answer, not raised."""
    period, begun = Period.parse(key), time.monotonic()
    try:
        if what == "accruals":
            answer = _accrued(period, rules)
        elif what == "clients":
            answer = _clients_billed(period)
        else:
            answer = _told(period, closed_month(installed_month(period), Progress(disable=True), {RULES: rules}))
    except InputError as error:
        answer = _came_to(period, "bad_input", str(error))
    except GateError as error:
        answer = _came_to(period, "refused", str(error))
    except Exception as error:  # noqa: BLE001  # the other months go on; this one is told as failed
        answer = _came_to(period, "failed", f"{type(error).__name__}: {error}".splitlines()[0])
    return {**answer, "seconds": f"{time.monotonic() - begun:.1f}"}


def _told(period: Period, event: MonthEvent) -> dict[str, Any]:
    detail = event.detail
    billed = detail.get("billed") or detail.get("amounts", {}).get("billed", "")
    state = "unchanged" if detail.get("unchanged") else event.state
    why = "; ".join(detail.get("reasons", []))
    return {**_came_to(period, state, why), "billed": billed, "difference": detail.get("difference", "")}


def _accrued(period: Period, rules: str) -> dict[str, Any]:
    document = accrual_of(period, Place(), tags={RULES: rules}, progress=Progress(disable=True))
    why = "; ".join(filter(None, (document["rules"], document["usage_note"])))
    found = {"billed": document["total"], "difference": document["variance"]}
    return {**_came_to(period, document["state"], why), **found}


def _clients_billed(period: Period) -> dict[str, Any]:
    before = installed_month(period).outputs.of(CLIENTS).latest_manifest(period)
    document = billed(period, "auto", None, Progress(disable=True))
    difference = Decimal(document["total"]) - Decimal(before["total"]) if before else None
    state = "unchanged" if difference == 0 else "billed"
    why = f"{len(document['exceptions'])} clients are exceptions" if document["exceptions"] else ""
    told = "" if difference is None else str(difference)
    return {**_came_to(period, state, why), "billed": document["total"], "difference": told}


def _came_to(period: Period, state: str, why: str) -> dict[str, Any]:
    return {"period": period.key, "state": state, "billed": "", "difference": "", "seconds": "", "why": why}
