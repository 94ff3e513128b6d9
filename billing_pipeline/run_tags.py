"""The tags of a run: which month, which usage file, which attempt, and why. People see and search them in the pages."""

# capabilities: each writes a month on its own
BILLING, ACCRUALS, VARIANCES, CLIENTS, AUDIT = "billing", "accruals", "variances", "clients", "audit"
CAPABILITIES = (BILLING, ACCRUALS, VARIANCES, CLIENTS, AUDIT)
OWN_BOOK, UNBILLED = "own_book", "unbilled"  # have findings, and no run sets of their own
CALLED = {BILLING: "release", ACCRUALS: "accrual"}  # what people call what is released

ALL = "all"  # in place of a month, of what has none

PARTITION = "dagster/partition"  # the month
WRITER = "billing/writer"  # <capability>:<period>; dagster.yaml runs one of each value at a time
FILE = "billing/file"  # the usage file, below the usage folder
SHA256 = "billing/sha256"  # of its content
ATTEMPT = "billing/attempt"  # 1, 2, ...
CAUSE = "billing/cause"  # why a waiting month was run again
RULES = "billing/rules"  # as-of: the rules the month was released with; current, or none: the workbook as it is
RULES_SHA256 = "billing/rules_sha256"  # of the workbook when the run was asked for
ACCRUAL_RUN = "billing/accrual_run"  # the accrual that a variance is of
BILL_RUN = "billing/bill_run"  # the release of the bill that it is compared with
PULL = "billing/pull"  # of clients: auto, or none: as frozen when the month ended; always; book; never
FORCED = "billing/force_report"  # of the audit: the workbook is made though nothing changed
DRY_RUN = "billing/dry_run"  # of the audit: nothing is kept, told or written to a sheet
CONTENT = "billing/content"  # of unbilled hours: the fingerprint of the sources that a run was started for
DIGEST = "billing/digest"  # of unbilled hours: people are told how things stand, whatever changed
BOOK_MONTH = "billing/book_month"  # of the audit of our own book: the one month it looks at
BACKFILL = "dagster/backfill"  # of a run that the pages started for a range of months
AS_OF = "as-of"
