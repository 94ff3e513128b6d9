"""Declared shapes of unbilled hours: time logs and contracts as read and as typed, what is found, what is told.

Source: spec 1, 4 of unbilled hours.
"""

import polars as pl

from billing_pipeline.engine.money import AMOUNT
from billing_pipeline.engine.tables import Schema

HOURS = pl.Decimal(18, 8)
HOURLY_RATE = pl.Decimal(18, 4)  # HOURS x HOURLY_RATE is exact with twelve decimals

LOG_TEXTS: Schema = {  # a time log as it was read; null or blank: not given
    "log_id": pl.String,
    "project_id": pl.String,
    "employee_id": pl.String,
    "hours": pl.String,
    "activity": pl.String,
    "status": pl.String,
    "expense": pl.String,  # whether an expense is attached
    "work_date": pl.String,
    "expense_amount": pl.String,
    "file": pl.String,
    "line": pl.Int64,
}
CONTRACT_TEXTS: Schema = {  # a contract as it was read
    "project_id": pl.String,
    "client": pl.String,
    "rate": pl.String,  # an hour
    "model": pl.String,
    "reimbursable_limit": pl.String,
    "max_hours": pl.String,  # of a fixed price
    "starts": pl.String,
    "ends": pl.String,
    "file": pl.String,
    "line": pl.Int64,
}
BILLABLE, NON_BILLABLE = "Billable", "Non-Billable"
LOGGED, INVOICED, WRITTEN_OFF = "Logged", "Invoiced", "Written-Off"
TIME_AND_MATERIALS, FIXED_PRICE = "T&M", "Fixed-Price"
# Reasons of a log that rules ask for.
DUPLICATE_LOG, NO_RATE, NOT_BILLABLE = "duplicate Log_ID", "rate missing", "non-billable work"

LOGS: Schema = {  # a time log; key: log_id, where problem is ""
    "log_id": pl.String,
    "project_id": pl.String,  # null: not given
    "employee_id": pl.String,  # "": not given
    "hours": HOURS,  # null: not readable
    "activity": pl.String,  # BILLABLE, NON_BILLABLE
    "status": pl.String,  # LOGGED, INVOICED, WRITTEN_OFF
    "work_date": pl.Date,  # null: not given
    "expense_amount": AMOUNT,  # null: no expense
    "covered": pl.String,  # why it is not to be invoiced by the hour, as "prepaid hours"; "": it is
    "problem": pl.String,  # why it cannot be judged whatever its contract says; "": it can
    "file": pl.String,
    "line": pl.Int64,
}
CONTRACTS: Schema = {  # key: project_id
    "project_id": pl.String,
    "client": pl.String,
    "rate": HOURLY_RATE,  # null: not given
    "model": pl.String,  # TIME_AND_MATERIALS, FIXED_PRICE; null: neither
    "reimbursable_limit": AMOUNT,  # null: not given, nothing is said of its expenses
    "max_hours": HOURS,  # null: none
    "starts": pl.Date,
    "ends": pl.Date,
}
BILLED, UNBILLED, EXCLUDED, QUARANTINED = "billed", "unbilled", "excluded", "quarantined"
JUDGED: Schema = {  # every log in exactly one state, in the order of the logs
    **{name: LOGS[name] for name in LOGS if name not in ("covered", "problem")},
    "client": pl.String,  # null: no contract
    "rate": HOURLY_RATE,
    "model": pl.String,
    "state": pl.String,  # BILLED, UNBILLED, EXCLUDED, QUARANTINED
    "reason": pl.String,  # why it is excluded or quarantined; "" of the others
    "amount": AMOUNT,  # hours x rate half up to cents, of billable work on T&M; else 0.00
}
TIME_LEAKAGE = "TIME_LEAKAGE"
FIXED_PRICE_OVERRUN = "FIXED_PRICE_OVERRUN"
NON_BILLABLE_WORK = "NON_BILLABLE_WORK"
EXPENSES_ABOVE_LIMIT = "EXPENSES_ABOVE_LIMIT"
RATE_MISSING = "RATE_MISSING"
CONTRACT_EXPIRED = "CONTRACT_EXPIRED"
TIME_TOO_OLD = "TIME_TOO_OLD"
QUARANTINE = "QUARANTINE"
KINDS = (
    TIME_LEAKAGE, FIXED_PRICE_OVERRUN, NON_BILLABLE_WORK, EXPENSES_ABOVE_LIMIT, RATE_MISSING, CONTRACT_EXPIRED,
    TIME_TOO_OLD, QUARANTINE,
)  # fmt: skip
HIGH, MEDIUM, LOW = "HIGH", "MEDIUM", "LOW"
LEAKS: Schema = {  # a condition that is true: of a project, or (QUARANTINE) of one log; key: finding_key
    "finding_key": pl.String,
    "category": pl.String,  # one of KINDS
    "severity": pl.String,  # HIGH: above its threshold; MEDIUM: nobody knows the amount; else LOW
    "dollars": AMOUNT,  # null: not known
    "project_id": pl.String,  # "" of a log without one
    "client": pl.String,  # "" without a contract
    "log_id": pl.String,  # "" but for QUARANTINE
    "owner": pl.String,  # employee of a quarantined log; of a project who has most of its hours
    "hours": HOURS,
    "entries": pl.Int64,
    "oldest": pl.Date,  # work date; null: none is given
    "age_days": pl.Int64,  # of the oldest; null: not known
    "months": pl.String,  # billing periods it belongs to: `2026-01, 2026-02`
    "why": pl.String,  # a sentence with the figures of its rule
}
PROJECTS: Schema = {  # unbilled work of a project; key: project_id
    "project_id": pl.String,
    "client": pl.String,
    "entries": pl.Int64,
    "hours": HOURS,
    "amount": AMOUNT,
    "days_0_30": AMOUNT,
    "days_31_60": AMOUNT,
    "days_61_90": AMOUNT,
    "days_over_90": AMOUNT,
    "undated": AMOUNT,
    "oldest": pl.Date,
    "age_days": pl.Int64,
    "threshold": AMOUNT,  # in force for its client
    "alert": pl.Boolean,  # above the threshold, or older than its client's limit
}
CLIENTS: Schema = {  # the same of a client; key: client
    "client": pl.String,
    "projects": pl.Int64,
    **{name: PROJECTS[name] for name in PROJECTS if name not in ("project_id", "client", "threshold", "alert")},
    "alerts": pl.Int64,
}
BALANCE: Schema = {  # the logs counted by state; key: state, with a row "logged" for all of them
    "state": pl.String,
    "rows": pl.Int64,
    "hours": HOURS,
    "amount": AMOUNT,
}
CROSSED, GREW, CLEARED = "crossed", "grew", "cleared"
TOLD: Schema = {  # the leakage of a project when people were last told of it; key: project_id
    "project_id": pl.String,
    "client": pl.String,
    "told_amount": AMOUNT,
}
ALERTS: Schema = {  # what people are told now; key: project_id
    "event": pl.String,  # CROSSED, GREW, CLEARED
    "project_id": pl.String,
    "client": pl.String,
    "hours": HOURS,
    "amount": AMOUNT,
    "told_amount": AMOUNT,  # when they were last told; null: never
    "age_days": pl.Int64,
}
