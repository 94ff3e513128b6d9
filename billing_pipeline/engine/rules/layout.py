"""What a rules workbook consists of: sheets, columns with their accepted headers, limits.

What belongs here: the layout as data. What does not: how cells are read (`reading`) or judged (`validation`).
Source: spec 1.7; the limits are ours.
"""

from dataclasses import dataclass
from enum import Enum, auto

PRICING, MINIMUMS, CONFIG, MAPPING = "Pricing", "Minimums", "Config", "Mapping"

MAX_UNPACKED_BYTES = 64 * 1024 * 1024  # all parts of the workbook together, uncompressed
MAX_ROWS = 200_000  # filled rows of one sheet
MAX_COLUMNS = 256  # position of the last header of one sheet
MAX_TEXT = 500  # characters of one cell

TIER_TYPES = ("ALL_IN", "SPLIT")
VOLUME_METRICS = ("IU", "ER", "FLAT", "IU_PER_ER")  # ACH_SPEED tiers have no pricing role of their own (spec 2.3)
FIRST_PLAUSIBLE_YEAR = 1970  # an earlier month is a number misread as an Excel serial (spec Q14)


class Form(Enum):
    """What a column may hold."""

    TEXT = auto()
    TIER_TYPE = auto()
    METRIC = auto()
    PRICE = auto()  # RATE, blank = 0
    BOUND = auto()  # QUANTITY, `5+` accepted
    FLAG = auto()  # 0 or 1, other numbers count as 1 when above zero
    MONTH_INDEX = auto()  # whole number, 1 = first month
    MONTH = auto()  # a month or a date


@dataclass(frozen=True, slots=True)
class Field:
    """One value of a row: its column in the typed table, what people call it, the headers it may stand under."""

    name: str
    label: str
    headers: tuple[str, ...]
    form: Form
    required: bool = False  # one of the headers must be there
    filled: bool = False  # no cell may be blank
    blank: int | str | None = None  # what a blank cell stands for
    whole_column: bool = False  # the first header there is taken for every row, instead of the first filled cell


PARTNER = (
    Field("partner_id", "partner id", ("partner_id",), Form.TEXT),
    Field("partner_name", "partner name", ("partner_name",), Form.TEXT),
)

_PRICING = (
    Field("start", "tier start", ("tier_start", "tierstart", "start"), Form.BOUND, required=True, blank=0),
    Field("end", "tier end", ("tier_end", "tierend", "end"), Form.BOUND, required=True),
    Field("metric", "tier metric", ("tier_metric", "metric"), Form.METRIC, required=True, blank="FLAT"),
    Field("tier_type", "tier type", ("tier_type",), Form.TIER_TYPE, blank="ALL_IN"),
    Field("er_price", "company fee", ("er_fee", "company_fee", "unit_price_er"), Form.PRICE, required=True, blank=0),
    Field("iu_price", "user fee", ("iu_fee", "user_fee", "unit_price_iu"), Form.PRICE, required=True, blank=0),
    Field(
        "included", "included users", ("include_iu", "included_users_in_company_fee", "included"), Form.FLAG, blank=0
    ),
    Field(
        "nd_er_price",
        "next-day company price",
        ("unit_price_next_day_er", "next_day_fee_er"),
        Form.PRICE,
        blank=0,
        whole_column=True,
    ),
    Field(
        "nd_iu_price",
        "next-day user price",
        ("unit_price_next_day_iu", "next_day_fee_iu"),
        Form.PRICE,
        blank=0,
        whole_column=True,
    ),
)
_MINIMUMS = (
    Field(
        "start",
        "first month of the minimum",
        ("month_start", "start_month", "min_month_start"),
        Form.MONTH_INDEX,
        required=True,
        filled=True,
    ),
    Field(
        "end",
        "last month of the minimum",
        ("month_end", "end_month", "min_month_end"),
        Form.MONTH_INDEX,
        required=True,
        filled=True,
    ),
    Field("amount", "minimum amount", ("minimum_amount", "amount", "minimum"), Form.PRICE, required=True, filled=True),
)
_CONFIG = (
    Field(
        "minimums_start",
        "start of the minimums",
        ("minimums_start_month", "minimum_start_month", "min_start_month", "min_start"),
        Form.MONTH,
        required=True,
    ),
    Field(
        "minimums_end",
        "end of the minimums",
        ("minimums_end_month", "minimum_end_month", "min_end_month", "min_end"),
        Form.MONTH,
    ),
)
_MAPPING = (
    Field(
        "customer",
        "NetSuite customer name",
        ("ns_customer_name", "netsuite_customer_name", "customer_name"),
        Form.TEXT,
        required=True,
    ),
)

FIELDS = {PRICING: _PRICING, MINIMUMS: _MINIMUMS, CONFIG: _CONFIG, MAPPING: _MAPPING}
MAY_BE_EMPTY = (MINIMUMS, CONFIG)  # without any cell: nobody has a minimum
