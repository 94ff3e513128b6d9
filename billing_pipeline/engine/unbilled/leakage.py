"""What is wrong with projects and single logs: conditions that are true now, each with its figures and its key.

What belongs here: the rules, one function each, and what all findings have in common. None hides another (U1, U2).
What does not: whether a finding is new or told (`engine.findings`). Source: spec 2, U1, U2, U3, U7, U8, U9, U10.
"""

from datetime import date
from hashlib import sha256

import polars as pl

from billing_pipeline.engine.money import AMOUNT, product_cents
from billing_pipeline.engine.tables import conform
from billing_pipeline.engine.unbilled.ageing import age_days, threshold
from billing_pipeline.engine.unbilled.sentences import figure, how_old, place, worth
from billing_pipeline.engine.unbilled.tables import (
    CONTRACT_EXPIRED,
    CONTRACTS,
    DUPLICATE_LOG,
    EXPENSES_ABOVE_LIMIT,
    FIXED_PRICE,
    FIXED_PRICE_OVERRUN,
    HIGH,
    HOURS,
    JUDGED,
    KINDS,
    LEAKS,
    LOW,
    MEDIUM,
    NO_RATE,
    NON_BILLABLE_WORK,
    NOT_BILLABLE,
    QUARANTINE,
    QUARANTINED,
    RATE_MISSING,
    TIME_LEAKAGE,
    TIME_TOO_OLD,
    UNBILLED,
)
from billing_pipeline.engine.unbilled.terms import UnbilledTerms

_NOT_KNOWN = pl.lit(None, AMOUNT)
_FOUND = [name for name in LEAKS if name not in ("finding_key", "severity", "client", "age_days")]


def leaks(judged: pl.DataFrame, contracts: pl.DataFrame, as_of: date, terms: UnbilledTerms) -> pl.DataFrame:
    """LEAKS of JUDGED logs and their CONTRACTS: by kind in the order of KINDS, then the largest dollars first.

    Hours are exact, dollars at the client's rate; dollars that nobody knows are null and come last, a rate of zero is
    no rate. Ages are whole days to `as_of`. Every project and every quarantined log that meets a rule is there. A key
    holds neither amount nor date nor person, so that a finding stays the same while its figures change.
    Source: U1, U2, U3, U7, U8, U9, U10.
    """
    logs, rules = conform(judged, JUDGED).lazy(), conform(contracts, CONTRACTS)
    known = logs.filter(pl.col("state") != QUARANTINED)
    unbilled = (
        logs.filter(pl.col("state") == UNBILLED)
        .select("project_id", "employee_id", "hours", "work_date", value="amount")
        .collect()
        .lazy()
    )
    quarantined = conform(judged, JUDGED).filter(pl.col("state") == QUARANTINED)
    of_projects = pl.concat(
        [
            _time_leakage(unbilled, as_of),
            _fixed_price_overruns(known, rules),
            _non_billable_work(known),
            _expenses_above_limit(known, rules),
            _rate_missing(quarantined.lazy(), as_of),
            _contract_expired(unbilled, rules),
            _time_too_old(unbilled, as_of, terms),
        ]
    )
    clients = rules.select("project_id", "client")
    keyed = _with_project_keys(of_projects.join(clients, on="project_id", how="left"))
    return _finished(pl.concat([keyed, _quarantine(quarantined)]), as_of, terms)


def _time_leakage(unbilled: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """Work that is to be invoiced and is not. Source: spec 2.4, 2.7."""
    summed = _by_project(unbilled).filter((pl.col("dollars") > 0) | (pl.col("hours") > 0))
    return _found(summed, TIME_LEAKAGE, pl.format("{} are not invoiced{}", worth(), how_old(as_of)))


def _fixed_price_overruns(known: pl.LazyFrame, contracts: pl.DataFrame) -> pl.DataFrame:
    """Every fixed-price project with more hours than were agreed. Source: spec 2.5, U1, U2."""
    limits = contracts.filter(pl.col("model") == FIXED_PRICE).select("project_id", "max_hours", rate=_rate())
    worked = known.filter(pl.col("model") == FIXED_PRICE).with_columns(value=_NOT_KNOWN)
    totals = worked.group_by("project_id").agg(total=pl.col("hours").sum().cast(HOURS)).collect()
    over = totals.join(limits, on="project_id").filter(pl.col("total") > pl.col("max_hours"))
    summed = _by_project(worked.join(over.lazy().select("project_id"), on="project_id", how="semi"))
    beyond = (pl.col("total") - pl.col("max_hours")).cast(HOURS)
    valued = summed.join(over, on="project_id").with_columns(
        hours=beyond, dollars=product_cents(beyond, pl.col("rate"))
    )  # fmt: skip
    why = pl.format(
        "{} hours were worked of a fixed price of {} hours: {} over it",
        figure(pl.col("total")), figure(pl.col("max_hours")), worth(),
    )  # fmt: skip
    return _found(valued, FIXED_PRICE_OVERRUN, why)


def _non_billable_work(known: pl.LazyFrame) -> pl.DataFrame:
    """Non-billable work on T&M that was not written off, at what it would have been worth. Source: spec 2.6."""
    value = product_cents(pl.col("hours").fill_null(0), _rate())
    summed = _by_project(known.filter(pl.col("reason") == NOT_BILLABLE).with_columns(value=value))
    return _found(summed, NON_BILLABLE_WORK, pl.format("{} were logged as non-billable", worth()))


def _expenses_above_limit(known: pl.LazyFrame, contracts: pl.DataFrame) -> pl.DataFrame:
    """Projects with more expenses than they may have reimbursed. Source: U9."""
    limits = contracts.select("project_id", limit="reimbursable_limit")
    spent = _by_project(known.drop_nulls("expense_amount").with_columns(value="expense_amount"))
    over = spent.join(limits, on="project_id").filter(pl.col("dollars") > pl.col("limit"))
    beyond = (pl.col("dollars") - pl.col("limit")).cast(AMOUNT)
    figures = (figure(value) for value in (pl.col("dollars"), beyond, pl.col("limit")))
    why = pl.format("expenses of {} are {} above the limit of {}", *figures)
    valued = over.with_columns(why=why, dollars=beyond, hours=pl.lit(0).cast(HOURS))
    return _found(valued, EXPENSES_ABOVE_LIMIT, pl.col("why"))


def _rate_missing(quarantined: pl.LazyFrame, as_of: date) -> pl.DataFrame:
    """Work that would be invoiced if anybody knew its rate. Source: U3."""
    summed = _by_project(quarantined.filter(pl.col("reason") == NO_RATE).with_columns(value=_NOT_KNOWN))
    why = pl.format("{} hours cannot be invoiced without a rate{}", figure(pl.col("hours")), how_old(as_of))
    return _found(summed, RATE_MISSING, why)


def _contract_expired(unbilled: pl.LazyFrame, contracts: pl.DataFrame) -> pl.DataFrame:
    """Work that is to be invoiced under a contract that was over, or had not begun. Source: U10."""
    dates = contracts.select("project_id", "starts", "ends")
    early, late = pl.col("work_date") < pl.col("starts"), pl.col("work_date") > pl.col("ends")
    outside = unbilled.join(dates.lazy(), on="project_id").filter(early | late).collect()
    sides = outside.group_by("project_id").agg(pl.col("starts", "ends").first(), early=early.any(), late=late.any())
    before = pl.format("before the contract started on {}", pl.col("starts"))
    after = pl.format("after {} ended on {}", pl.when("early").then(pl.lit("it")).otherwise(pl.lit("the contract")),
                      pl.col("ends"))  # fmt: skip
    when = pl.concat_str(
        pl.when("early").then(before), pl.when("late").then(after), separator=" or ", ignore_nulls=True
    )
    summed = _by_project(outside.lazy()).join(sides, on="project_id")
    return _found(summed, CONTRACT_EXPIRED, pl.format("{} are not invoiced and dated {}", worth(), when))


def _time_too_old(unbilled: pl.LazyFrame, as_of: date, terms: UnbilledTerms) -> pl.DataFrame:
    """Work that is to be invoiced and was done long ago. Source: U10."""
    old = _by_project(unbilled.filter(age_days(pl.col("work_date"), as_of) > terms.old_days))
    limit = pl.lit(terms.old_days)
    why = pl.format("{} are not invoiced after more than {} days{}", worth(), limit, how_old(as_of))
    return _found(old, TIME_TOO_OLD, why)


def _quarantine(quarantined: pl.DataFrame) -> pl.DataFrame:
    """Each log that nobody can judge, with who can put it right. Source: U3."""
    logs = quarantined.with_columns(pl.col("log_id", "file").fill_null(""))
    told = logs.with_columns(
        pl.col("project_id", "client").fill_null(""),
        pl.col("hours").fill_null(0).cast(HOURS),
        owner=pl.col("employee_id").fill_null(""),
        entries=pl.lit(1, pl.Int64),
        dollars=pl.when(pl.col("amount") > 0).then("amount"),
        oldest="work_date",
        months=pl.col("work_date").dt.strftime("%Y-%m").fill_null(""),
        why=pl.format("{}{}", "reason", place()),
        finding_key=_log_keys(logs),
        category=pl.lit(QUARANTINE),
    )  # fmt: skip
    return told.select(*_FOUND, "client", "finding_key")


def _by_project(entries: pl.LazyFrame) -> pl.DataFrame:
    """What findings tell of the entries (project_id, employee_id, hours, work_date, value) of each project.

    dollars: the sum of value; null when one is null. The owner is who has most of the hours, of equals the first.
    """
    rows = entries.select("project_id", "employee_id", "hours", "work_date", "value").collect().lazy()
    by_person = rows.group_by("project_id", owner="employee_id").agg(
        pl.col("hours").sum(),
        dollars=pl.col("value").sum(),
        valued=pl.col("value").count(),
        entries=pl.len(),
        oldest=pl.col("work_date").min(),
    )
    rank = (pl.col("owner") == "", "hours", "owner")
    dollars = pl.when(pl.col("valued").sum() == pl.col("entries").sum()).then(pl.col("dollars").sum())
    summed = by_person.group_by("project_id").agg(
        pl.col("owner").sort_by(*rank, descending=[False, True, False]).first(),
        pl.col("hours").sum().cast(HOURS),
        dollars.cast(AMOUNT).alias("dollars"),
        pl.col("entries").sum().cast(pl.Int64),
        pl.col("oldest").min(),
    )
    months = rows.select("project_id", months=pl.col("work_date").dt.month_start()).unique().drop_nulls().sort("months")
    listed = (
        months.with_columns(pl.col("months").dt.strftime("%Y-%m"))
        .group_by("project_id", maintain_order=True)
        .agg("months")
    )
    joined = summed.join(listed, on="project_id", how="left").collect(engine="streaming")
    return joined.with_columns(pl.col("months").list.join(", ").fill_null(""))


def _found(summed: pl.DataFrame, kind: str, why: pl.Expr) -> pl.DataFrame:
    return summed.with_columns(category=pl.lit(kind), log_id=pl.lit(""), why=why).select(_FOUND)


def _with_project_keys(found: pl.DataFrame) -> pl.DataFrame:
    keys = _keys(found.select(pl.format("{}|{}", "category", "project_id")).to_series())
    return found.with_columns(keys, pl.col("client").fill_null("")).select(*_FOUND, "client", "finding_key")


def _log_keys(logs: pl.DataFrame) -> pl.Series:
    """A log without an id of its own is known by its place."""
    shared = (pl.col("log_id") == "") | (pl.col("reason") == DUPLICATE_LOG)
    by_place = pl.format(QUARANTINE + "|{}|{}|{}", "log_id", "file", pl.col("line").cast(pl.String).fill_null(""))
    by_name = pl.format(QUARANTINE + "|{}|{}", "log_id", "reason")
    return _keys(logs.select(pl.when(shared).then(by_place).otherwise(by_name)).to_series())


def _keys(texts: pl.Series) -> pl.Series:
    """The first 20 hex digits of SHA-256: a name must not change with a release of Polars, as its own hashes do."""
    return pl.Series("finding_key", [sha256(text.encode()).hexdigest()[:20] for text in texts], dtype=pl.String)


def _finished(found: pl.DataFrame, as_of: date, terms: UnbilledTerms) -> pl.DataFrame:
    severity = (
        pl.when(pl.col("dollars").is_null())
        .then(pl.lit(MEDIUM))
        .when(pl.col("dollars") > threshold(terms))
        .then(pl.lit(HIGH))
        .otherwise(pl.lit(LOW))
    )
    told = conform(found.with_columns(severity=severity, age_days=age_days(pl.col("oldest"), as_of)), LEAKS)
    order = pl.col("category").replace_strict(KINDS, range(len(KINDS)), return_dtype=pl.Int8)
    return told.sort(
        order, "dollars", "project_id", "log_id", "finding_key",
        descending=[False, True, False, False, False], nulls_last=True,
    )  # fmt: skip


def _rate() -> pl.Expr:
    return pl.when(pl.col("rate") != 0).then("rate")
