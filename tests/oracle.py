"""The pricing rules a second time: row by row, in plain `decimal`, slow and readable, sharing no code with the engine.

What belongs here: prices, true-ups and invoice lines from CSV text cells and plain rule lists, for tests to compare the
engine with. What does not: reading files, frames, or anything imported from the product.
Source: usage specification 1.5-1.7, 2 and 4.1 with decisions 1-8 and the cell forms of names.md.
"""

import calendar
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

Cells = Mapping[str, str]  # one CSV record: upper-case column -> text, "" when missing
Priced = dict[str, Any]  # one record with its cells and everything computed from them
ZERO, ONE = Decimal(0), Decimal(1)
UNPRICED = ("bad_data", "bad_cell", "other_month", "missing_tier")  # first reason that applies, in this order
VOLUME_METRICS = ("IU", "ER", "FLAT", "IU_PER_ER")
NEXT_DAY_WORDS = ("1-day", "1 day", "same day")


@dataclass(frozen=True)
class Tier:
    partner: str
    type: str  # ALL_IN or SPLIT
    metric: str  # IU, ER, FLAT, IU_PER_ER, ACH_SPEED
    start: Decimal
    end: Decimal | None  # None: open
    er: Decimal
    iu: Decimal
    included: int = 0  # 0 or 1
    nd_er: Decimal = ZERO
    nd_iu: Decimal = ZERO


@dataclass(frozen=True)
class Minimum:
    partner: str
    start: int  # month indexes, both inclusive
    end: int
    amount: Decimal


@dataclass(frozen=True)
class Contract:
    partner: str
    start: date | None
    end: date | None


@dataclass(frozen=True)
class Customer:
    partner_id: str
    partner_name: str
    customer: str


@dataclass(frozen=True)
class Book:
    """The rules workbook as lists in sheet order."""

    tiers: Sequence[Tier] = ()
    minimums: Sequence[Minimum] = ()
    contracts: Sequence[Contract] = ()
    customers: Sequence[Customer] = ()


@dataclass(frozen=True)
class Result:
    rows: list[Priced]  # in pricing order, removed rows left out
    true_ups: list[Priced]
    lines: list[dict[str, str]] = field(default_factory=list)  # the import file
    held: list[dict[str, str]] = field(default_factory=list)  # the held file

    @property
    def master(self) -> list[Priced]:
        """Rows and true-ups in the order of the Source Data sheet (2.6)."""
        return sorted(self.rows + self.true_ups, key=_final_place)


def bill(
    rows: Iterable[Cells], book: Book, year: int, month: int, decisions: Sequence[Mapping[str, Any]] = ()
) -> Result:
    """Price one month's records, in file order, and write its invoice lines."""
    records = _apply(decisions, pricing_order(rows))
    priced = _priced_rows(records, book, year, month)
    true_ups = _true_ups(priced, book, year, month)
    lines, held = _invoice_lines(priced + true_ups, year, month)
    return Result(priced, true_ups, lines, held)


# Cells ---------------------------------------------------------------------------------------------------------------


class BadCellError(ValueError):
    """The text is none of the accepted forms."""


_COUNT = re.compile(r"([+-]?)\$?((?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.[0-9]*)?|\.[0-9]+)")
_CLOCK = r"[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"
_ISO = re.compile(rf"(\d{{4}})-(\d\d)-(\d\d)(?:{_CLOCK})?", re.ASCII)
_SLASHES = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}|\d\d)", re.ASCII)
_MONTH = re.compile(r"(\d{4})[-./]?(\d\d)", re.ASCII)
_SERIAL = re.compile(r"(\d+)(?:\.\d*)?", re.ASCII)


def count(text: str) -> Decimal:
    """A user count: blank is 0, a negative keeps its sign here and charges nothing later."""
    if not text.strip():
        return ZERO
    match = _COUNT.fullmatch(text.strip())
    if not match:
        raise BadCellError(text)
    users = Decimal(match[1] + match[2].replace(",", ""))
    if users != users.quantize(Decimal("0.0001")):  # a quantity has four decimals; a fifth would be lost silently
        raise BadCellError(text)
    return users


def day(text: str) -> date | None:
    """A calendar date, None when blank."""
    text = text.strip()
    if not text:
        return None
    try:
        if match := _ISO.fullmatch(text):
            return date(int(match[1]), int(match[2]), int(match[3]))
        if match := _SLASHES.fullmatch(text):
            year = int(match[3])
            if len(match[3]) == 2:
                year += 2000 if year < 70 else 1900
            return date(year, int(match[1]), int(match[2]))
    except ValueError:
        raise BadCellError(text) from None
    if (match := _SERIAL.fullmatch(text)) and 1000 <= int(match[1]) <= 100_000:
        return date(1899, 12, 30) + timedelta(days=int(match[1]))
    raise BadCellError(text)


def first_of_month(text: str) -> date | None:
    """The month of a date or of a bare month, as its first day; None when blank."""
    match = _MONTH.fullmatch(text.strip())
    if match and 1 <= int(match[2]) <= 12:
        return date(int(match[1]), int(match[2]), 1)
    found = day(text)
    return found and found.replace(day=1)


def key(text: str) -> str:
    return text.strip()


def lower_key(text: str) -> str:
    return text.strip().lower()


def clean_id(text: str) -> str:
    return re.sub(r"[^0-9]", "", text)


def partner_key(row: Cells) -> str:
    return key(row["PARTNER_ID"]) or lower_key(row["PARTNER_NAME"])


def company_key(row: Cells) -> str:
    return key(row["ER_ID"]) or lower_key(row["ER_NAME"])


def cents(value: Decimal) -> Decimal:
    """Half away from zero, two decimals (decimal calls this half up)."""
    return value.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


# Order and decisions (2.1, 3.4) --------------------------------------------------------------------------------------


def pricing_order(rows: Iterable[Cells]) -> list[Priced]:
    """Raw partner name by code point, missing last; then first billable date, missing last; then file order."""
    records: list[Priced] = [{**row, "file_index": index} for index, row in enumerate(rows)]
    records.sort(
        key=lambda r: (
            not r["PARTNER_NAME"],
            r["PARTNER_NAME"],
            known_day(r["FIRST_BILLABLE_ACTIVITY_DATE"]) is None,
            known_day(r["FIRST_BILLABLE_ACTIVITY_DATE"]) or date.min,
            r["file_index"],
        )
    )
    return records


def known_day(text: str) -> date | None:
    try:
        return day(text)
    except BadCellError:
        return None


def _apply(decisions: Sequence[Mapping[str, Any]], records: list[Priced]) -> list[Priced]:
    """Decisions address positions in the pricing order, which stays as it was. Remove wins, else the last one.

    A new date is given to every affected row and a reassignment sets name and id together (Q31, Q32).
    """
    removed: set[int] = set()
    for decision in decisions:
        action, index = decision.get("action", "keep"), decision["row_index"]
        affected = decision["affected_row_indices"] if decision.get("scope") == "partner" else [index]
        if action == "remove":
            removed.update(affected)
        for record in (records[position] for position in affected):
            if action in ("reassign", "set_date_and_reassign"):
                record["PARTNER_NAME"] = decision["reassign_to_partner_name"]
                record["PARTNER_ID"] = decision.get("reassign_to_partner_id") or ""
            if action in ("set_date", "set_date_and_reassign"):
                record["FIRST_BILLABLE_ACTIVITY_DATE"] = decision["set_date"]
    return [record for position, record in enumerate(records) if position not in removed]


# Pass 1: every row (2.3, 2.4) ----------------------------------------------------------------------------------------


def _priced_rows(records: list[Priced], book: Book, year: int, month: int) -> list[Priced]:
    tiers: dict[str, list[Tier]] = {}
    for tier in sorted(book.tiers, key=lambda t: t.start):
        tiers.setdefault(tier.partner, []).append(tier)

    for row in records:
        row |= {
            "partner_key": partner_key(row),
            "company_key": company_key(row),
            "netsuite_customer_name": _customer(row, partner_key(row), book),
            "row_type": "usage",
        }
        row["users"], row["fee_calc_status"] = _users_and_status(row, tiers, date(year, month, 1))

    groups: dict[str, list[Priced]] = {}
    for row in records:
        if row["fee_calc_status"] == "ok":
            groups.setdefault(row["partner_key"], []).append(row)
        else:
            _leave_unpriced(row)
    for partner, members in groups.items():
        _price_partner(members, tiers[partner])
    return records


def _users_and_status(row: Priced, tiers: Mapping[str, list[Tier]], billed: date) -> tuple[Decimal, str]:
    """Users as billed (0 when unreadable), and `ok` or the first reason why the row cannot be priced."""
    reasons = set()
    users, found = ZERO, None
    try:
        users = count(row["TOTAL_INDIVIDUAL_USERS"])
    except BadCellError:
        reasons.add("bad_cell")
    try:
        found = first_of_month(row["FOR_MONTH"])
        if found != billed:
            reasons.add("other_month")
    except BadCellError:
        reasons.add("bad_cell")
    for column in ("FIRST_BILLABLE_ACTIVITY_DATE", "SUSPENSION_DATE", "DISSOCIATION_DATE"):
        try:
            day(row[column])
        except BadCellError:
            reasons.add("bad_cell")
    if not row["partner_key"] or not row["company_key"]:
        reasons.add("bad_data")
    if row["partner_key"] not in tiers:
        reasons.add("missing_tier")
    return users, next((reason for reason in UNPRICED if reason in reasons), "ok")


def _price_partner(rows: list[Priced], tiers: list[Tier]) -> None:
    """Price the rows of one partner, given in pricing order, with its tiers in order of start."""
    split = any(tier.type == "SPLIT" for tier in tiers)
    metric = next((tier.metric for tier in tiers if tier.metric in VOLUME_METRICS), "FLAT")
    of_metric = [tier for tier in tiers if tier.metric == metric] or tiers
    split_tiers = [tier for tier in of_metric if tier.type == "SPLIT"] or of_metric
    all_in_tiers = [tier for tier in of_metric if tier.type == "ALL_IN"] or of_metric

    running_users, seen_companies = ZERO, set()
    positions = []  # the metric after each row; the last one is the partner's volume
    for number, row in enumerate(rows, start=1):
        running_users += max(row["users"], ZERO)
        seen_companies.add(row["company_key"])
        positions.append(
            {"IU": running_users, "ER": Decimal(len(seen_companies)), "FLAT": Decimal(number)}.get(metric, ZERO)
        )

    for row, position in zip(rows, positions, strict=True):
        if metric == "IU_PER_ER":
            value = max(row["users"], ZERO)
            tier = select(split_tiers, value)
        elif split:
            value = position
            tier = select(split_tiers, value if value > 0 else ONE)
        else:
            value = positions[-1]
            tier = select(all_in_tiers, value)
        _charge(row, tier, value, "SPLIT" if split else "ALL_IN")


def select(tiers: Sequence[Tier], value: Decimal) -> Tier:
    """The tier around the value; overlap: greatest start; below all: the lowest; in a gap or above all: the last."""
    matching = [t for t in tiers if t.start <= value and (t.end is None or value <= t.end)]
    if matching:
        return max(matching, key=lambda t: t.start)  # max keeps the earliest of equals
    lowest = min(tiers, key=lambda t: t.start)
    return lowest if value < lowest.start else max(tiers, key=lambda t: t.start)


def _charge(row: Priced, tier: Tier, value: Decimal, mode: str) -> None:
    chargeable = max(max(row["users"], ZERO) - tier.included, ZERO)
    next_day = any(word in lower_key(row["CURRENT_ACH_SPEED"]) for word in NEXT_DAY_WORDS)
    nd_er, nd_iu = (cents(tier.nd_er), cents(tier.nd_iu)) if next_day else (ZERO, ZERO)
    row |= {
        "tier_type": mode,
        "partner_tier_metric": tier.metric,
        "tier_start": tier.start,
        "tier_end": tier.end,
        "metric_value_used": value,
        "included_users_in_company_fee": tier.included,
        "user_fee_units_charged": chargeable,
        "company_fee_units_charged": 1,
        "unit_price_er": tier.er,
        "er_fee": cents(tier.er),
        "unit_price_iu": tier.iu,
        "iu_fee": cents(chargeable * tier.iu),
        "unit_price_next_day_er": nd_er,
        "unit_price_next_day_iu": nd_iu,
        "next_day_er_fee": nd_er,
        "next_day_iu_fee": cents(nd_iu * chargeable),
    } | _NO_MINIMUM
    row["total_fee"] = row["er_fee"] + row["iu_fee"] + row["next_day_er_fee"] + row["next_day_iu_fee"]


_NO_MINIMUM: Priced = {
    "partner_minimum_month_index": None,
    "partner_minimum_amount": None,
    "partner_minimum_shortfall": None,
    "partner_minimum_applied": False,
}
_NO_CHARGE: Priced = dict.fromkeys(
    (
        *("user_fee_units_charged", "company_fee_units_charged", "unit_price_er", "er_fee", "unit_price_iu", "iu_fee"),
        *("unit_price_next_day_er", "unit_price_next_day_iu", "next_day_er_fee", "next_day_iu_fee", "total_fee"),
    ),
    ZERO,
)


def _leave_unpriced(row: Priced) -> None:
    no_tier = (
        "tier_type",
        "partner_tier_metric",
        "tier_start",
        "tier_end",
        "metric_value_used",
        "included_users_in_company_fee",
    )
    row |= dict.fromkeys(no_tier) | _NO_CHARGE | _NO_MINIMUM


def _customer(row: Cells, partner: str, book: Book) -> str:
    """By the digits of the id, else by lower name, else by partner key; the last mapping row wins in each."""
    usable = [c for c in book.customers if key(c.customer)]
    by_id = {clean_id(c.partner_id): key(c.customer) for c in usable if clean_id(c.partner_id)}
    by_name = {lower_key(c.partner_name): key(c.customer) for c in usable if lower_key(c.partner_name)}
    by_key = {key(c.partner_id) or lower_key(c.partner_name): key(c.customer) for c in usable}
    by_key.pop("", None)
    return (
        by_id.get(clean_id(row["PARTNER_ID"])) or by_name.get(lower_key(row["PARTNER_NAME"])) or by_key.get(partner, "")
    )


# Pass 2: minimums (2.5) ----------------------------------------------------------------------------------------------


def _true_ups(priced: list[Priced], book: Book, year: int, month: int) -> list[Priced]:
    contracts = {contract.partner: contract for contract in book.contracts}
    true_ups = []
    for partner in dict.fromkeys(row["partner_key"] for row in priced if row["fee_calc_status"] == "ok"):
        total = sum((row["total_fee"] for row in priced if row["partner_key"] == partner), ZERO)
        contract = contracts.get(partner)
        index = contract and contract.start and _month_index(contract.start, date(year, month, 1))
        if not contract or not contract.start or not index:
            continue
        last_index = contract.end and _month_index(contract.start, contract.end)
        if last_index and index > last_index:
            continue
        schedule = sorted((m for m in book.minimums if m.partner == partner), key=lambda m: m.start)
        minimum = next((m for m in schedule if m.start <= index <= m.end), None)
        if minimum and (shortfall := cents(max(minimum.amount - total, ZERO))) > 0:
            face = next(r for r in _of_the_month(priced) if r["partner_key"] == partner)
            mode = next(r["tier_type"] for r in priced if r["partner_key"] == partner and r["tier_type"])
            true_ups.append(
                _true_up(partner, face, mode, index, minimum.amount, shortfall, f"{month}/1/{year % 100:02d}", book)
            )
    return true_ups


def _of_the_month(rows: list[Priced]) -> list[Priced]:
    """Without rows of another month: they wait for a person and belong to no invoice and no minimum of this one."""
    return [row for row in rows if row["fee_calc_status"] != "other_month"]


def _month_index(start: date, current: date) -> int | None:
    index = (current.year - start.year) * 12 + current.month - start.month + 1
    return index if index >= 1 else None


def _true_up(
    partner: str, face: Cells, mode: str, index: int, amount: Decimal, shortfall: Decimal, for_month: str, book: Book
) -> Priced:
    return {
        **_NO_CHARGE,
        "file_index": None,
        "FOR_MONTH": for_month,
        "ER_ID": "MIN_ADJ",
        "ER_NAME": "Monthly Minimum True-up",
        "PARTNER_ID": face["PARTNER_ID"],
        "PARTNER_NAME": face["PARTNER_NAME"],
        "TOTAL_INDIVIDUAL_USERS": "0",
        "partner_key": partner,
        "netsuite_customer_name": _customer(face, partner, book),
        "users": ZERO,
        "tier_type": mode,
        "partner_tier_metric": "MIN",
        "tier_start": Decimal(index),
        "tier_end": Decimal(index),
        "metric_value_used": Decimal(index),
        "included_users_in_company_fee": 0,
        "iu_fee": shortfall,
        "total_fee": shortfall,
        "fee_calc_status": "min_trueup",
        "row_type": "min_trueup",
        "partner_minimum_month_index": index,
        "partner_minimum_amount": amount,
        "partner_minimum_shortfall": shortfall,
        "partner_minimum_applied": True,
    }


def _final_place(row: Priced) -> tuple[str, bool, date]:
    """Lower name; usage before the true-up; first billable date, undated first."""
    true_up = row["row_type"] == "min_trueup"
    return (
        lower_key(row["PARTNER_NAME"]),
        true_up,
        (not true_up and known_day(row["FIRST_BILLABLE_ACTIVITY_DATE"])) or date.min,
    )


# Invoice lines (4.1, decisions 3, 4 and 12) --------------------------------------------------------------------------

_USAGE, _NEXT_DAY = "Embedded Payroll", "Embedded Payroll : Next-Day Direct Deposit"
_MINIMUM = "Embedded Payroll : Monthly Minimum"


def _invoice_lines(rows: list[Priced], year: int, month: int) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """One block per customer and partner; held when there is no customer or another block has the same external id."""
    groups: dict[tuple[str, str], list[Priced]] = {}
    for row in _of_the_month(rows):
        groups.setdefault((row["netsuite_customer_name"], row["partner_key"]), []).append(row)
    ids = {group: key(members[0]["PARTNER_ID"]) for group, members in groups.items()}
    tokens = {group: re.sub(r"[^A-Za-z0-9]", "", partner_id) or "UNKNOWN" for group, partner_id in ids.items()}
    wanted = [token.lower() for (customer, _), token in tokens.items() if customer]

    import_file: list[dict[str, str]] = []
    held_file: list[dict[str, str]] = []
    for group in sorted(groups, key=lambda g: (g[0], not ids[g], ids[g], g[1])):
        customer, _ = group
        held = not customer or wanted.count(tokens[group].lower()) > 1
        (held_file if held else import_file).extend(_block(groups[group], customer, tokens[group], year, month))
        for row in groups[group]:
            row["bucket"] = "held" if held else "billed"
    for row in rows:
        if row["fee_calc_status"] in UNPRICED:
            row["bucket"] = "quarantined"
    return import_file, held_file


def _block(rows: list[Priced], customer: str, token: str, year: int, month: int) -> list[dict[str, str]]:
    usage = [row for row in rows if row["row_type"] == "usage"]
    true_ups = [row for row in rows if row["row_type"] == "min_trueup"]
    next_day_er = sum((row["next_day_er_fee"] for row in usage), ZERO)
    next_day_iu = sum((row["next_day_iu_fee"] for row in usage), ZERO)
    wanted: list[tuple[str, str, Decimal, str]] = []
    if usage:
        wanted.append((_USAGE, "End Users", sum((row["er_fee"] for row in usage), ZERO), "GEP Usage"))
        wanted.append((_USAGE, "Individual Users", sum((row["iu_fee"] for row in usage), ZERO), "GEP Usage"))
    if next_day_er > 0:
        wanted.append((_NEXT_DAY, "End Users", next_day_er, "GEP Next-Day Direct Deposit"))
    if next_day_iu > 0:
        wanted.append((_NEXT_DAY, "Individual Users", next_day_iu, "GEP Next-Day Direct Deposit"))
    if true_ups:
        wanted.append((_MINIMUM, "Minimum True-up", sum((row["total_fee"] for row in true_ups), ZERO), "GEP Minimums"))
    return [
        {
            "Customer": customer,
            "Invoice External ID": f"INV-GEP-{year}{month:02d}-{token}",
            "Memo": f"{calendar.month_name[month]} {year} Invoice",
            "Transaction Date": f"{month:02d}/{calendar.monthrange(year, month)[1]:02d}/{year}",
            "Item": item,
            "Description": description,
            "Quantity": "1",
            "Amount": f"{amount:.2f}",
            "Product": product,
        }
        for item, description, amount, product in wanted
    ]
