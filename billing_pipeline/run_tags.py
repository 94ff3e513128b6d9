"""The tags of a run: which month, which usage file, which attempt, and why. People see and search them in the pages."""

PARTITION = "dagster/partition"  # the month
WRITER = "billing/writer"  # <capability>:<period>; dagster.yaml runs one of each value at a time
FILE = "billing/file"  # the usage file, below the usage folder
SHA256 = "billing/sha256"  # of its content
ATTEMPT = "billing/attempt"  # 1, 2, ...
CAUSE = "billing/cause"  # why a waiting month was run again
RULES = "billing/rules"  # as-of: the rules the month was released with; current, or none: the workbook as it is
RULES_SHA256 = "billing/rules_sha256"  # of the workbook when the run was asked for
AS_OF = "as-of"
