"""What `explain` tells: finding a partner's rows in a committed run, their JSON document, and their readable form.

What belongs here: look-up by what a person types, and layout. What does not: the reasons themselves, which the engine
writes (`engine.pricing.explanation`).
"""

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl
from rich.table import Table

from billing_pipeline.cli.console import output, safe, table
from billing_pipeline.engine.cells import key_text
from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.money import QUANTITY, total
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.pricing.explanation import USES, explanations, tier_summary
from billing_pipeline.engine.pricing.figures import price_text, quantity_text
from billing_pipeline.resources.run_sets import RunSets

MOST_ROWS = 20  # explained in full on a terminal unless one company is asked for
_MOST_NAMES = 10_000  # looked through for near matches
_SAMPLES = 10  # half as many names are shown when none is near
_FEES = {  # of the document: price, cell, working, amount
    "company": ("unit_price_er", "er_cell", "er_working", "er_fee"),
    "user": ("unit_price_iu", "iu_cell", "iu_working", "iu_fee"),
    "next_day_company": ("nd_er_price", "nd_er_cell", "nd_er_working", "next_day_er_fee"),
    "next_day_user": ("nd_iu_price", "nd_iu_cell", "nd_iu_working", "next_day_iu_fee"),
}


@dataclass(frozen=True, slots=True)
class Explained:
    """A partner's month: the run it comes from, all its rows explained (`rows`), and those asked for (`asked`)."""

    period: Period
    manifest: dict[str, Any]
    rows: pl.DataFrame
    asked: pl.DataFrame

    @property
    def partner(self) -> dict[str, str]:
        """Key, id, name and ERP customer, as of the first row."""
        key, number, name, customer = self.rows.select(
            "partner_key", "PARTNER_ID", "PARTNER_NAME", "netsuite_customer_name"
        ).row(0)
        return {"key": key, "id": number or "", "name": name or "", "customer": customer or ""}

    @property
    def total(self) -> str:
        return str(total(self.rows["total_fee"]))

    @property
    def summary(self) -> list[dict[str, Any]]:
        """Fees by tier of all rows, numbers as text."""
        return _texts(tier_summary(self.rows).drop("partner_key").rename({"rule_row": "rules_row"}))


def explained_partner(sets: RunSets, period: Period, partner: str, company: str | None) -> Explained:
    """The partner's rows in the latest committed run of the month; InputError: what is unknown, and what is near it."""
    manifest = sets.latest_manifest(period)
    if manifest is None:
        raise InputError(_no_run(sets, period))
    fact = sets.priced_rows(manifest)
    partners = fact.select("partner_key", "PARTNER_ID", "PARTNER_NAME").unique().collect()
    key = _partner_key(partners.sort("partner_key", "PARTNER_NAME"), partner, period)
    columns = [*USES, *({"CURRENT_ACH_SPEED"} & set(fact.collect_schema().names()))]
    rows = explanations(fact.filter(pl.col("partner_key") == key).select(columns).collect(), sets.rules(manifest))
    return Explained(period, manifest, rows, rows if company is None else _of_company(rows, company, partner))


def explanation_document(explained: Explained) -> dict[str, Any]:
    """The document of `explain`: which run, the partner and its total, the summary by tier, every row asked for."""
    manifest = explained.manifest
    return {
        "period": explained.period.key,
        "run_id": manifest["run_id"],
        "usage_file": {name: manifest["usage_file"][name] for name in ("name", "sha256")},
        "rules_file": {name: manifest["rules_file"][name] for name in ("name", "sha256", "snapshot_path")},
        "partner": explained.partner | {"rows": explained.rows.height, "total": explained.total},
        "summary": explained.summary,
        "rows": [_row_document(row) for row in _texts(explained.asked)],
    }


def print_explanation(explained: Explained, *, everything: bool) -> None:
    """The same for a reader: the summary by tier, then up to MOST_ROWS rows (`everything`: all) with their workings."""
    partner, manifest = explained.partner, explained.manifest
    named = f"{partner['name'] or 'Partner without a name'} ({partner['id'] or 'no id'})"
    output.print(f"[bold]{safe(named)} · {explained.period.title} · {explained.total}[/bold]")
    shown = _texts(explained.asked if everything else explained.asked.head(MOST_ROWS))
    priced = next((row for row in shown if row["method"]), None)
    about = {
        "customer": partner["customer"] or "none is mapped",
        "priced by": f"{priced['metric']}, {priced['tier_type']}: {priced['method']}"
        if priced
        else "nothing is priced",
        "usage": manifest["usage_file"]["name"],
        "rules": manifest["rules_file"]["snapshot_path"],
        "run": manifest["run_id"],
    }
    for name, text in about.items():
        output.print(f"[dim]{name:<10}{safe(text)}[/dim]", soft_wrap=True)
    if not everything and len(shown) > 1:
        output.print()
        output.print(_summary_table(explained.summary))
    output.print()
    output.print(_workings_table(shown))
    if len(shown) < explained.asked.height:
        output.print()
        output.print(
            f"{explained.asked.height - len(shown)} more rows; see one with --company ID or NAME, all with --json",
            style="dim",
        )


def _no_run(sets: RunSets, period: Period) -> str:
    months = sets.committed_months()
    if not months:
        return f"nothing has been published in {sets.storage.address()}; publish a month with: billing-pipeline bill"
    return f"{period} has not been published in {sets.storage.address()}; months there: {', '.join(map(str, months))}"


def _partner_key(partners: pl.DataFrame, wanted: str, period: Period) -> str:
    hits = _matching(partners, ("partner_key", "PARTNER_ID", "PARTNER_NAME"), wanted)
    keys = hits["partner_key"].unique(maintain_order=True).to_list()
    if len(keys) > 1:
        several = ", ".join(f"{key!r}" for key in keys)
        raise InputError(f"several partners of {period} are called {wanted!r}; name one by its id: {several}")
    if not keys:
        raise InputError(f"no partner {wanted!r} in {period}{_near(partners, 'PARTNER_NAME', 'partner_key', wanted)}")
    return str(keys[0])


def _of_company(rows: pl.DataFrame, wanted: str, partner: str) -> pl.DataFrame:
    hits = _matching(rows, ("ER_ID", "ER_NAME"), wanted)
    if hits.is_empty():
        near = _near(rows, "ER_NAME", "ER_ID", wanted)
        raise InputError(f"partner {partner!r} has no company {wanted!r}{near}")
    return hits


def _matching(rows: pl.DataFrame, columns: Iterable[str], wanted: str) -> pl.DataFrame:
    """The rows of the first column that holds what is wanted: as written if any, else regardless of case."""
    text = wanted.strip()
    for column in columns:
        written = key_text(pl.col(column))
        for condition in (written == text, written.str.to_lowercase() == text.lower()):
            hits = rows.filter(condition)
            if not hits.is_empty():
                return hits
    return rows.clear()


def _near(rows: pl.DataFrame, name: str, identifier: str, wanted: str) -> str:
    """Names like the one wanted, with their ids, as the end of a message."""
    known = rows.select(key_text(pl.col(name)), key_text(pl.col(identifier))).unique(maintain_order=True)
    labels: dict[str, str] = {}
    for called, numbered in known.head(_MOST_NAMES).iter_rows():
        label = f"{called!r} ({numbered})" if called else repr(numbered)
        labels |= {called.lower(): label, numbered.lower(): label}
    text = wanted.strip().lower()
    close = [known_as for known_as in labels if text and text in known_as][:3]
    close += difflib.get_close_matches(text, labels, n=3)
    if not close:
        return f"; known are {', '.join(dict.fromkeys(list(labels.values())[:_SAMPLES]))}" if labels else ""
    return f"; did you mean {' or '.join(dict.fromkeys(labels[known_as] for known_as in close))}?"


def _texts(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows with decimals as text: quantities without needless zeros, prices and amounts with two decimals or more."""
    return frame.with_columns(
        (quantity_text if dtype.scale == QUANTITY.scale else price_text)(pl.col(name)).alias(name)
        for name, dtype in frame.schema.items()
        if isinstance(dtype, pl.Decimal)
    ).to_dicts()


def _row_document(row: dict[str, Any]) -> dict[str, Any]:
    about = {
        "line": row["line"],
        "company_id": row["ER_ID"],
        "company": row["ER_NAME"],
        "status": row["fee_calc_status"],
        "bucket": row["bucket"],
        "outcome": row["outcome"],
        "decision": row["decision"],
        "total": row["total_fee"],
    }
    if row["fee_calc_status"] == "min_trueup":
        figures = ("month_index", "amount", "shortfall")
        minimum = {name: row[f"partner_minimum_{name}"] for name in figures}
        return about | {
            "minimum": minimum
            | {"cell": row["minimum_cell"], "source": row["minimum_source"], "fees_so_far": row["partner_fees"]}
            | {"working": row["minimum_working"]}
        }
    if row["fee_calc_status"] != "ok":
        return about
    tier = ("tier_start", "tier_end", "start_cell", "end_cell")
    return about | {
        "mode": row["tier_type"],
        "method": row["method"],
        "metric": row["metric"],
        "metric_value": row["metric_value_used"],
        "metric_source": row["metric_source"],
        "tier": {name.removeprefix("tier_"): row[name] for name in tier}
        | {"rules_row": row["rule_row"], "reason": row["tier_reason"]},
        "users": row["users"],
        "included": row["included_users_in_company_fee"],
        "included_cell": row["included_cell"],
        "units_charged": row["user_fee_units_charged"],
        "units_working": row["units_working"],
        "next_day": row["next_day_reason"],
        "fees": {
            name: dict(zip(("price", "cell", "working", "amount"), map(row.get, columns), strict=True))
            for name, columns in _FEES.items()
        },
        "total_working": row["total_working"],
    }


def _summary_table(summary: list[dict[str, Any]]) -> Table:
    figures = ("rules_row", "rows", "users", "units", "company", "user", "next_day", "total")
    names = ("rules row", "rows", "users", "charged", "company", "user", "next-day", "total")
    cells = [(row["what"], *(row[name] for name in figures)) for row in summary]
    return table("Fees by tier", ("tier", *names), cells, names)


def _workings_table(rows: list[dict[str, Any]]) -> Table:
    """All rows in one grid, so that the amounts stand below each other: what, how, amount."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column()
    grid.add_column(justify="right", no_wrap=True)
    for place, row in enumerate(rows):
        if place:
            grid.add_row()
        line = f"line {row['line']}" if row["line"] is not None else ""
        company = f"{row['ER_NAME'] or 'Company without a name'} ({row['ER_ID'] or 'no id'})"
        grid.add_row(*(f"[bold]{safe(cell)}[/bold]" for cell in (line, company, row["total_fee"])))
        for what, how, amount in _workings(row):
            grid.add_row(f"[dim]  {what}[/dim]", safe(how), safe(amount or ""))
    return grid


def _workings(row: dict[str, Any]) -> Iterator[tuple[str, str, str | None]]:
    """The lines below a company: what, how it came, amount."""
    if row["decision"]:
        yield "decision", row["decision"].replace("_", " "), None
    if row["outcome"] != "billed":
        yield "outcome", row["outcome"], None
    if row["fee_calc_status"] == "min_trueup":
        yield "minimum", row["minimum_source"], None
        yield "amount", _with_cells(row["partner_minimum_amount"], row["minimum_cell"]), None
        yield "shortfall", f"{row['minimum_working']} (minimum - fees so far)", row["partner_minimum_shortfall"]
    elif row["fee_calc_status"] == "ok":
        yield "volume", f"{row['metric_value_used']}: {row['metric_source']}", None
        yield "tier", _with_cells(row["tier_reason"], row["start_cell"], row["end_cell"]), None
        yield "company fee", _with_cells(row["er_working"], row["er_cell"]), row["er_fee"]
        yield "users charged", _with_cells(row["units_working"], row["included_cell"]), None
        yield "user fee", _with_cells(row["iu_working"], row["iu_cell"]), row["iu_fee"]
        if row["next_day_reason"]:
            yield "next-day", row["next_day_reason"], None
        if row["nd_er_working"]:
            yield "  company", _with_cells(row["nd_er_working"], row["nd_er_cell"]), row["next_day_er_fee"]
            yield "  users", _with_cells(row["nd_iu_working"], row["nd_iu_cell"]), row["next_day_iu_fee"]
        yield "total", row["total_working"], row["total_fee"]


def _with_cells(text: str, *cells: str | None) -> str:
    named = ", ".join(cell for cell in cells if cell)
    return f"{text} [{named}]" if named else text
