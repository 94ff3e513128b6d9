"""Time logs and contracts from text to typed tables: a bad log is kept with its problem, a bad contract is refused.

What belongs here: what a cell means, and what a row lacks whatever else is known. What does not: whether an entry is
invoiced, missing or left out (`judging`). Source: spec 1, U3, U4, U5 of unbilled hours.
"""

from collections.abc import Iterator, Mapping

import polars as pl

from billing_pipeline.engine.cells import NumberForm, has_text, key_text, parse_dates, parse_numbers
from billing_pipeline.engine.errors import InputError, Problem
from billing_pipeline.engine.money import AMOUNT
from billing_pipeline.engine.tables import conform
from billing_pipeline.engine.unbilled.tables import (
    BILLABLE,
    CONTRACT_TEXTS,
    CONTRACTS,
    DUPLICATE_LOG,
    FIXED_PRICE,
    HOURLY_RATE,
    HOURS,
    INVOICED,
    LOG_TEXTS,
    LOGGED,
    LOGS,
    NON_BILLABLE,
    TIME_AND_MATERIALS,
    WRITTEN_OFF,
)

_SIGNED_HOURS = NumberForm(decimals=8, dtype=HOURS, negative=True)
_MONEY = NumberForm(decimals=2, dtype=AMOUNT)
_MOST_HOURS = 1_000_000  # of an entry; below it hours x rate fits an AMOUNT for every rate that can be read
_CONTRACT_NUMBERS = {
    "rate": ("Client_Rate_per_Hour", NumberForm(decimals=4, dtype=HOURLY_RATE)),
    "reimbursable_limit": ("Reimbursable_Limit", _MONEY),
    "max_hours": ("Max_FP_Hours", NumberForm(decimals=8, dtype=HOURS)),
}
_CONTRACT_DATES = {"starts": "Contract_Start_Date", "ends": "Contract_End_Date"}

# Words as they are compared: in small letters, without blanks, hyphens and underscores.
_ACTIVITIES = {"billable": BILLABLE, "nonbillable": NON_BILLABLE}
_STATUSES = {"logged": LOGGED, "invoiced": INVOICED, "writtenoff": WRITTEN_OFF}
_MODELS = {"t&m": TIME_AND_MATERIALS, "tm": TIME_AND_MATERIALS, "timeandmaterials": TIME_AND_MATERIALS,
           "fixedprice": FIXED_PRICE}  # fmt: skip
_FLAGS = {flag: flag for flag in ("true", "false", "yes", "no", "y", "n", "1", "0", "")}


def typed_logs(texts: pl.DataFrame) -> pl.DataFrame:
    """LOGS of LOG_TEXTS: the same rows in the same order, each with its first `problem`, "" when it has none.

    Hours are exact with eight decimals, expenses dollars with two. Of the rows with one `log_id` the first by file and
    line counts, every other is a duplicate. Activity and status are read in any letter case, with or without hyphens.
    An expense is what has an amount; its flag only has to be readable. `covered` is "". Source: spec 1, U3, U5.
    """
    logs = conform(texts, LOG_TEXTS)
    hours, worked, expense = (
        parse_numbers(logs["hours"], _SIGNED_HOURS), parse_dates(logs["work_date"]),
        parse_numbers(logs["expense_amount"], _MONEY),
    )  # fmt: skip
    plausible = hours["value"].is_between(-_MOST_HOURS, _MOST_HOURS, closed="none")
    typed = logs.select(
        key_text(pl.col("log_id")),
        _given(pl.col("project_id")),
        key_text(pl.col("employee_id")),
        hours["value"].set(~plausible, None).alias("hours"),
        _words(logs["activity"], _ACTIVITIES),
        _words(logs["status"], _STATUSES),
        worked["value"].alias("work_date"),
        expense["value"].alias("expense_amount"),
        "file",
        "line",
        covered=pl.lit(""),
    )
    problems: dict[str, pl.Expr] = {
        "no Log_ID": pl.col("log_id") == "",
        DUPLICATE_LOG: _repeated(typed),
        "missing project": pl.col("project_id").is_null(),
        "hours not readable": pl.col("hours").is_null(),
        "hours not above zero": pl.col("hours") <= 0,
        "unknown activity": pl.col("activity").is_null(),
        "unknown status": pl.col("status").is_null(),
        "work date not readable": pl.lit(worked["problem"].is_not_null()),
        "expense not readable": pl.lit(expense["problem"].is_not_null() | _words(logs["expense"], _FLAGS).is_null()),
    }
    first = pl.coalesce(*(pl.when(wrong).then(pl.lit(reason)) for reason, wrong in problems.items()), pl.lit(""))
    return conform(typed.with_columns(problem=first), LOGS)


def typed_contracts(texts: pl.DataFrame) -> pl.DataFrame:
    """CONTRACTS of CONTRACT_TEXTS, one for each project, in the same order; rates are dollars an hour.

    A blank or unknown billing model is null: its logs are quarantined, not the whole book. InputError with every
    problem: no project, a project twice, a rate, limit, maximum or date that cannot be read or is below zero, an end
    before its start. Source: spec 1, U3, U4, U5.
    """
    contracts = conform(texts, CONTRACT_TEXTS)
    parsed = {name: parse_numbers(contracts[name], form) for name, (_, form) in _CONTRACT_NUMBERS.items()}
    parsed |= {name: parse_dates(contracts[name]) for name in _CONTRACT_DATES}
    typed = contracts.select(
        key_text(pl.col("project_id")),
        key_text(pl.col("client")),
        _words(contracts["model"], _MODELS),
        *(column["value"].alias(name) for name, column in parsed.items()),
    )
    problems = [
        *_nameless(contracts, typed), *_repeated_projects(contracts, typed), *_unreadable(contracts, parsed),
        *_reversed(contracts, typed),
    ]  # fmt: skip
    if problems:
        raise InputError(sorted(problems, key=lambda problem: (problem.file, problem.line or 0)))
    return conform(typed, CONTRACTS)


def _repeated(typed: pl.DataFrame) -> pl.Expr:
    """Whether a line before it has the same log_id; by file and line, so that the order of the rows does not matter."""
    several = typed.with_row_index("row").filter((pl.col("log_id") != "") & pl.col("log_id").is_duplicated())
    later = several.sort("file", "line", "row").filter(~pl.col("log_id").is_first_distinct())["row"]
    return pl.int_range(pl.len()).cast(later.dtype).is_in(later.implode())


def _given(text: pl.Expr) -> pl.Expr:
    return pl.when(has_text(text)).then(text.str.strip_chars())


def _words(texts: pl.Series, accepted: Mapping[str, str]) -> pl.Series:
    """Each text as the word that is meant, null when none is; without regard to letter case, blanks and hyphens."""
    filled = texts.fill_null("")
    distinct = filled.unique()
    plain = distinct.str.to_lowercase().str.replace_all(r"[\s_-]", "")
    meant = plain.replace_strict(accepted, default=None, return_dtype=pl.String)
    return filled.replace_strict(distinct, meant, default=None, return_dtype=pl.String)


def _nameless(contracts: pl.DataFrame, typed: pl.DataFrame) -> Iterator[Problem]:
    for file, line in contracts.filter(typed["project_id"] == "").select("file", "line").iter_rows():
        yield Problem("the contract has no project", file=file, line=line, cell="Project_ID")


def _repeated_projects(contracts: pl.DataFrame, typed: pl.DataFrame) -> Iterator[Problem]:
    named = contracts.select(typed["project_id"], "file", "line").filter(pl.col("project_id") != "")
    first = {}
    for project, file, line in named.filter(pl.col("project_id").is_duplicated()).iter_rows():
        if project not in first:
            first[project] = (file, line)
            continue
        there = f"line {first[project][1]}" if first[project][0] == file else "{}, line {}".format(*first[project])
        message = f"project {project} has a second contract in line {line}; the first is in {there}"
        yield Problem(message, file=file, line=line, cell="Project_ID", value=project)


def _unreadable(contracts: pl.DataFrame, parsed: Mapping[str, pl.DataFrame]) -> Iterator[Problem]:
    titles = {name: title for name, (title, _) in _CONTRACT_NUMBERS.items()} | _CONTRACT_DATES
    for name, title in titles.items():
        faulty = contracts.select("file", "line", name, parsed[name]["problem"]).drop_nulls("problem")
        for file, line, text, problem in faulty.iter_rows():
            yield Problem(problem, file=file, line=line, cell=title, value=text)


def _reversed(contracts: pl.DataFrame, typed: pl.DataFrame) -> Iterator[Problem]:
    turned = contracts.select("file", "line", text="ends", starts=typed["starts"], ends=typed["ends"])
    for file, line, text, starts, _ in turned.filter(pl.col("ends") < pl.col("starts")).iter_rows():
        message = f"the contract ends before its start on {starts}"
        yield Problem(message, file=file, line=line, cell=_CONTRACT_DATES["ends"], value=text)
