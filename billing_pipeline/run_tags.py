"""The tags of a run: which month, which usage file, which attempt, and why. People see and search them in the pages."""

BILLING, ACCRUALS, VARIANCES = "billing", "accruals", "variances"  # capabilities: each writes a month on its own
CAPABILITIES = (BILLING, ACCRUALS, VARIANCES)
CALLED = {BILLING: "release", ACCRUALS: "accrual"}  # what people call what is released

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
BACKFILL = "dagster/backfill"  # of a run that the pages started for a range of months
AS_OF = "as-of"
