"""Every text of the rules capability that a person reads, and the kinds of warnings.

What belongs here: wording. What does not: deciding when something is said.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from billing_pipeline.engine.errors import Problem, nearest, printable
from billing_pipeline.engine.rules.layout import (
    FIRST_PLAUSIBLE_YEAR,
    MAX_COLUMNS,
    MAX_ROWS,
    MAX_TEXT,
    MAX_UNPACKED_BYTES,
    TIER_TYPES,
    VOLUME_METRICS,
    Field,
)


@dataclass(frozen=True, slots=True)
class Warned(Problem):
    """A problem that does not stop the run, with its kind: what it is counted under."""

    kind: str = ""


NOT_A_WORKBOOK = "the file is not an Excel workbook (.xlsx) or is damaged; open it in Excel and save it again"
PROTECTED = "the file is password-protected or in the old .xls format; save it as a plain .xlsx workbook"
TOO_LARGE = f"the workbook unpacks to more than {MAX_UNPACKED_BYTES // 1024**2} MiB, the limit for a rules workbook"
TOO_MANY_ROWS = f"the sheet has more than {MAX_ROWS:,} filled rows, the limit of one sheet"
TOO_MANY_COLUMNS = f"the sheet has headers beyond column {MAX_COLUMNS}, the limit of one sheet"
NO_PARTNER_COLUMN = (
    "the sheet has neither a column partner_id nor a column partner_name; its first row must be the header"
)

# A cell, after the label of its field: "company fee is an Excel error".
EXCEL_ERROR = "is an Excel error"
NO_STORED_VALUE = "is a formula without a stored value; open the workbook in Excel, recalculate and save it"
TOO_LONG = f"is longer than {MAX_TEXT} characters"
IS_A_DATE = "is a date, not text; format the cell as text and type it again"
IS_A_BOOLEAN = "is TRUE or FALSE, not text; format the cell as text and type it again"
MISSING = "is missing"
NOT_A_TIER_TYPE = f"is not a tier type (accepted: {', '.join(TIER_TYPES)}, or blank for {TIER_TYPES[0]})"
NOT_A_METRIC = f"is not a metric (accepted: {', '.join(VOLUME_METRICS)}, ACH_SPEED, or blank for FLAT)"
NOT_A_MONTH_INDEX = "is not a whole number of months (1 = first month)"
EARLY_MONTH = f"lies before {FIRST_PLAUSIBLE_YEAR}; write the month as YYYY-MM"

# Rows and partners.
MINIMUM_NEVER = "a minimum that ends before month 1 never applies"
START_BLANK = "tier start is missing and taken as 0"
MONTH_ZERO = "month 0 lies before the first month and is taken as month 1"
INCLUDED_NOT_A_FLAG = "included users can be 0 or 1 per company; this counts as 1"
RATE_DIGITS = "{} has more than two decimals"
RATE_ROUNDED = "{} has more than two decimals and is rounded to {} before it is multiplied"
ROW_IGNORED = "the row has no partner id or name and is ignored"
NO_ROWS = "the sheet has no rows: no partner can be priced"
NO_CUSTOMER = "partner {} has no customer name in this row; the row is ignored"
TRIMMED = "blanks around the customer name are removed"
ID_DECIMALS = "partner id looks like a number with decimals and only meets the same text in the usage file"
ID_ZEROS = "partner id has leading zeros and only meets the same text in the usage file"
ID_DIGITS = "partner id is a number of more than 15 digits, which Excel cannot hold exactly; format the cell as text"
MINIMUM_UNPRICED = "partner {} has a minimum but no pricing"
MINIMUM_NO_START = "partner {} has a minimum but no start month on sheet Config; it is never billed"
MINIMUM_END_IGNORED = "{}; the end is ignored and the minimum goes on"
MINIMUM_OVERLAP = "months {} to {} of partner {} overlap with row {}, which starts first and applies"
MIXED_METRIC = "partner {} mixes the metrics {}; only its {} tiers count"
MIXED_TYPE = "partner {} mixes ALL_IN and SPLIT tiers; only the SPLIT tiers count"
TIER_GAP = "no tier of partner {} covers the values between {} and {}; they are priced at the tier from {}"
TIER_GAP_BELOW = "no tier of partner {} covers the values below {}; they are priced at the first tier"
TIER_OVERLAP = "tiers {} and {} of partner {} overlap; the one that starts higher applies"
TIER_SAME_START = "tiers {} and {} of partner {} start together; where both match the first in the sheet applies"
DUPLICATE_PARTNER = "partner {} is there again in row {}; the last row applies"
NAME_CLASH = "partner name {!r} has another customer in row {}; without an id the last row applies"
ID_COLLISION = "partner id {!r} has the same digits as {!r} in row {}; by digits alone the last row applies"


def end_before_start(label: str, end: str, start: str) -> str:
    """The end of a tier or of a minimum lies before its start."""
    return f"{label} {end} is before its start {start}"


def missing_sheets(missing: Sequence[str], found: Sequence[str]) -> str:
    """Which sheets are not there, which are, and which of these was probably meant."""
    hints = [
        f"rename {printable(near)!r} to {sheet!r}" for sheet in missing if (near := nearest(sheet, found)) is not None
    ]
    listed = ", ".join(repr(printable(title)) for title in found[:20]) or "none"
    noun = "sheet" if len(missing) == 1 else "sheets"
    hint = f"; {' and '.join(hints)} (names are case-sensitive)" if hints else ""
    return f"the workbook has no {noun} {', '.join(map(repr, missing))}; sheets found: {listed}{hint}"


def missing_column(field: Field, headers: Iterable[str]) -> str:
    """No header of a required field is there."""
    near = next((close for header in field.headers if (close := nearest(header, headers)) is not None), None)
    hint = f"; is it the column {near!r}?" if near else ""
    return f"the sheet has no column for the {field.label} (accepted: {', '.join(field.headers)}){hint}"


def unread_column(field: Field, header: str) -> str:
    """An optional column is not there, but one with nearly its name is."""
    return f"column {header!r} is not read; for the {field.label} name it {field.headers[0]!r}"


def colliding_headers(first: str, second: str, name: str) -> str:
    """Two headers of a sheet mean the same column."""
    return f"headers {printable(first)!r} and {printable(second)!r} both read as {name!r}"
