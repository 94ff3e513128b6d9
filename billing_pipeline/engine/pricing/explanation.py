"""Why every amount is what it is: the priced rows again, with the working of each figure and the rules cells behind it.

What belongs here: reading the fact table and the rules backwards, into ready texts. What does not: deciding an amount
(`fees`, `minimums`), or laying it out for a terminal or a page. Source: spec 2.3 to 2.5.
"""

from collections.abc import Iterable

import polars as pl

from billing_pipeline.engine.cells import key_text
from billing_pipeline.engine.invoicing.holds import COLLISION, invoice_groups
from billing_pipeline.engine.money import AMOUNT, QUANTITY
from billing_pipeline.engine.pricing.figures import price_text, quantity_text, range_text, rounding_text
from billing_pipeline.engine.pricing.tiers import UNIT, effective_tiers, plans, units
from billing_pipeline.engine.rules import Rules

_METHODS = {
    "ALL_IN": "every row at one tier, which the partner's volume of the month selects",
    "SPLIT": "each row, undivided, at the tier that the partner's running volume reaches with it",
    "IU_PER_ER": "each row at the tier that its own users select",
}
_VOLUMES = {  # of {} priced rows
    "IU": "users of all {} priced rows of the partner",
    "ER": "distinct companies among all {} priced rows of the partner",
    "FLAT": "all {} priced rows of the partner",
}
_RUNNING = {  # at row {} of {}: {} before it and {} of its own
    "IU": "users so far, at row {} of {} in pricing order: {} before + {} of this row",
    "ER": "companies so far, at row {} of {} in pricing order: {} before + {} new with this row",
    "FLAT": "rows so far, at row {} of {} in pricing order: {} before + {}",
}
_OWN_USERS = "users of this row"
_INSIDE = "{} lies in {}"
_SEVERAL = "{} lies in {} tiers; the one that starts highest applies: {}"
_BELOW = "{} lies below every tier; the lowest applies: {}"
_GAP = "{} lies in no tier; the one that starts highest applies: {}"
_FLOORED = "{}, counted as 1,"
_NEGATIVE, _INCLUDED, _ALL_INCLUDED = "{} counts as 0", "{} - 1 included = {}", "{} - 1 included, never below 0, = {}"
_PRODUCT, _PRICE_FIRST = "{} x {} = {}", "{}; {}"
_NEXT_DAY, _NO_NEXT_DAY = "ACH speed '{}' is next-day", "ACH speed '{}' has no next-day fees"
_SUM, _LONG_SUM, _DIFFERENCE = "{} + {} = {}", "{} + {} + {} + {} = {}", "{} - {} = {}"
_MINIMUM = "month {} counted from {} (Config row {}): the minimum of the months {} to {} (Minimums row {})"
_BILLED = "billed"
_HELD = "priced, but held back from the import file: {}"
_REMOVED = "removed by a decision: not billed"
_UNREADABLE = "not priced: {}"
_NO_KEYS = "not priced: the row names no partner or no company"
_NO_TIER = "not priced: sheet Pricing has no tier for partner key '{}'"
_TRUE_UP, _UNPRICED = "Monthly minimum", "Not priced ({})"

_KEPT = (
    "line", "position", "row_type", "partner_key", "PARTNER_ID", "PARTNER_NAME", "ER_ID", "ER_NAME",
    "netsuite_customer_name", "fee_calc_status", "bucket", "decision", "rule_row", "users", "tier_type",
    "metric_value_used", "tier_start", "tier_end", "included_users_in_company_fee", "user_fee_units_charged",
    "unit_price_er", "er_fee", "unit_price_iu", "iu_fee", "unit_price_next_day_er", "next_day_er_fee",
    "unit_price_next_day_iu", "next_day_iu_fee", "total_fee", "partner_minimum_month_index", "partner_minimum_amount",
    "partner_minimum_shortfall",
)  # fmt: skip
USES = (*_KEPT, "next_day", "input_problem")
"""The columns of the priced rows that an explanation needs; `CURRENT_ACH_SPEED` is told when it is there."""

_PRICES = ("nd_er_price", "nd_iu_price")
_CELLS = ("start_cell", "end_cell", "er_cell", "iu_cell", "included_cell", "nd_er_cell", "nd_iu_cell")
_priced = pl.col("fee_calc_status") == "ok"
_true_up = pl.col("row_type") == "min_trueup"


def explanations(fact: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """The rows of `fact` in pricing order, true-ups behind their partner's rows, each with the reasons of its amount.

    `fact` holds the priced rows (columns USES), complete for every partner in it, because running volumes and fees so
    far are told; `rules` are those it was priced with. Its figures keep their names and types. Added as text, null
    where they do not apply: `outcome`, `method`, `metric` (the partner's), `metric_source`, `tier`, `tier_reason`,
    `units_working`, `er_working`, `iu_working`, `next_day_reason`, `nd_er_working`, `nd_iu_working` (the price is
    rounded before it is multiplied), `total_working`, `minimum_source`, `minimum_working`; the cells `start_cell` to
    `nd_iu_cell` and `minimum_cell` as `Pricing!D3`, null when there is no such column. Added as figures:
    `nd_er_price`, `nd_iu_price` (RATE, before rounding), `partner_fees` (AMOUNT, what the minimum is compared with).
    """
    speed = key_text(pl.col("CURRENT_ACH_SPEED")) if "CURRENT_ACH_SPEED" in fact.columns else pl.lit("")
    rows = (
        fact.with_columns(speed.alias("speed"), tier_row=pl.when(_priced).then("rule_row"))
        .with_columns(minimum_row=pl.when(_true_up).then("rule_row"))
        .join(plans(rules.tiers).select("partner_key", "metric"), on="partner_key", how="left")
        .join(_tier_cells(rules), on=["partner_key", "tier_row"], how="left")
        .join(_minimum_cells(rules), on=["partner_key", "minimum_row"], how="left")
        .join(_held_reasons(fact), on=["partner_key", "netsuite_customer_name"], how="left")
    )
    rows = rows.join(_fits(rows, rules), on=["partner_key", "metric_value_used"], how="left").with_columns(_running())
    of_priced = {name: pl.when(_priced).then(text) for name, text in (_tier_reasons() | _workings()).items()}
    added = {"outcome": _outcome(), **of_priced, **_minimum()}
    return (
        rows.with_columns(tier=range_text(pl.col("tier_start"), pl.col("tier_end")))
        .sort("partner_key", _true_up, "position", maintain_order=True)
        .with_columns(**added)
        .select(*_KEPT, *added, *_PRICES, *_CELLS, "minimum_cell")
    )


def tier_summary(explained: pl.DataFrame) -> pl.DataFrame:
    """What a partner's total consists of, from explanations(): a row per tier, then unpriced rows, then the true-up.

    Columns: partner_key, what, rule_row (of sheet Pricing, or Minimums for the true-up), rows, users, units, company,
    user, next_day, minimum and total amounts.
    """
    amount = pl.lit("0").cast(AMOUNT)
    parts = explained.with_columns(
        kind=pl.when(_priced).then(0).when(~_true_up).then(1).otherwise(2),
        what=pl.when(_priced)
        .then("tier")
        .when(_true_up)
        .then(pl.lit(_TRUE_UP))
        .otherwise(pl.format(_UNPRICED, "fee_calc_status")),
        user=pl.when(_true_up).then(amount).otherwise("iu_fee"),
        minimum=pl.when(_true_up).then("total_fee").otherwise(amount),
        next_day=pl.col("next_day_er_fee") + pl.col("next_day_iu_fee"),
    )
    return (
        parts.group_by("partner_key", "kind", "what", "rule_row", maintain_order=True)
        .agg(
            pl.col("tier_start").first(),
            pl.len().alias("rows"),
            pl.col("users").sum(),
            pl.col("user_fee_units_charged").sum().alias("units"),
            pl.col("er_fee").sum().alias("company"),
            pl.col("user", "next_day", "minimum").sum(),
            pl.col("total_fee").sum().alias("total"),
        )
        .sort("partner_key", "kind", "tier_start", "rule_row", maintain_order=True)
        .drop("kind", "tier_start")
    )


def _tier_cells(rules: Rules) -> pl.DataFrame:
    return rules.tiers.select(
        "partner_key",
        pl.col("sheet_row").alias("tier_row"),
        *_PRICES,
        *(pl.format("Pricing!{}", cell).alias(cell) for cell in _CELLS),
    )


def _minimum_cells(rules: Rules) -> pl.DataFrame:
    contracts = rules.contracts.select("partner_key", "minimums_start", config_row="sheet_row")
    return rules.minimums.join(contracts, on="partner_key").select(
        "partner_key",
        "minimums_start",
        "config_row",
        pl.col("sheet_row").alias("minimum_row"),
        pl.col("start").alias("first_month"),
        pl.col("end").alias("last_month"),
        pl.format("Minimums!{}", "amount_cell").alias("minimum_cell"),
    )


def _held_reasons(fact: pl.DataFrame) -> pl.DataFrame:
    """Why an invoice is held; a clash of ids shows only among all partners, so it is what remains."""
    partners = fact.select("PARTNER_ID", "partner_key", "netsuite_customer_name").rename(
        {"netsuite_customer_name": "customer"}
    )
    return (
        invoice_groups(partners)
        .select("partner_key", pl.col("customer").alias("netsuite_customer_name"), held=pl.col("held"))
        .with_columns(pl.col("held").fill_null(COLLISION))
    )


def _fits(rows: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """How each metric value meets its partner's tiers: `covering` tiers, `below` all of them, `floored` to 1 first."""
    floored = (pl.col("tier_type") == "SPLIT") & (pl.col("metric") != "IU_PER_ER") & (pl.col("metric_value_used") <= 0)
    values = rows.filter(_priced).select("partner_key", "metric_value_used", floored=floored).unique()
    values = values.with_columns(value=pl.when("floored").then(UNIT).otherwise(units("metric_value_used")))
    tiers = effective_tiers(rules.tiers).select("partner_key", start=units("start"), end=units("end"))
    covers = (pl.col("start") <= pl.col("value")) & (pl.col("value") <= pl.col("end")).fill_null(value=True)
    return (
        values.with_row_index("number")
        .join(tiers, on="partner_key")
        .group_by("number")
        .agg(covers.sum().alias("covering"), (pl.col("value") < pl.col("start")).all().alias("below"))
        .sort("number")
        .hstack(values.select("partner_key", "metric_value_used", "floored"))
        .drop("number")
    )


def _running() -> Iterable[pl.Expr]:
    """Where a row stands among its partner's priced rows, the volume before it, and the partner's fees."""
    among = ["partner_key", "fee_calc_status"]
    before = pl.col("metric_value_used").shift(1).over(among, order_by="position")
    return (
        pl.len().over(among).alias("rows"),
        pl.col("position").rank("ordinal").over(among).alias("place"),
        before.fill_null(pl.lit("0").cast(QUANTITY)).alias("before"),
        pl.col("total_fee").filter(_priced).sum().over("partner_key").cast(AMOUNT).alias("partner_fees"),
    )


def _outcome() -> pl.Expr:
    status, bucket = pl.col("fee_calc_status"), pl.col("bucket")
    return _first_of(
        (status == "removed", pl.lit(_REMOVED)),
        (status.is_in(["bad_cell", "other_month"]), pl.format(_UNREADABLE, "input_problem")),
        (status == "bad_data", pl.lit(_NO_KEYS)),
        (status == "missing_tier", pl.format(_NO_TIER, "partner_key")),
        (bucket == "held", pl.format(_HELD, "held")),
        (bucket == "billed", pl.lit(_BILLED)),
    )


def _tier_reasons() -> dict[str, pl.Expr]:
    mode, metric, value = pl.col("tier_type"), pl.col("metric"), quantity_text(pl.col("metric_value_used"))
    per_company, own = metric == "IU_PER_ER", quantity_text(pl.col("metric_value_used") - pl.col("before"))
    running = ("place", "rows", quantity_text(pl.col("before")), own)
    looked_up = pl.when("floored").then(pl.format(_FLOORED, value)).otherwise(value)
    return {
        "method": _first_of(
            (per_company, pl.lit(_METHODS["IU_PER_ER"])),
            *((mode == name, pl.lit(_METHODS[name])) for name in ("ALL_IN", "SPLIT")),
        ),
        "metric": metric,
        "metric_source": _first_of(
            (per_company, pl.lit(_OWN_USERS)),
            *(((mode == "ALL_IN") & (metric == name), pl.format(text, "rows")) for name, text in _VOLUMES.items()),
            *(((mode == "SPLIT") & (metric == name), pl.format(text, *running)) for name, text in _RUNNING.items()),
        ),
        "tier_reason": _first_of(
            (pl.col("covering") == 1, pl.format(_INSIDE, looked_up, "tier")),
            (pl.col("covering") > 1, pl.format(_SEVERAL, looked_up, "covering", "tier")),
            (pl.col("below"), pl.format(_BELOW, looked_up, "tier")),
            (pl.lit(value=True), pl.format(_GAP, looked_up, "tier")),
        ),
        "tier": range_text(pl.col("tier_start"), pl.col("tier_end")),
    }


def _workings() -> dict[str, pl.Expr]:
    units, users = quantity_text(pl.col("user_fee_units_charged")), quantity_text(pl.col("users"))
    counted = pl.when(pl.col("users") < 0).then(pl.format(_NEGATIVE, users)).otherwise(users)
    amounts = [price_text(pl.col(fee)) for fee in ("er_fee", "iu_fee", "next_day_er_fee", "next_day_iu_fee")]
    total = price_text(pl.col("total_fee"))
    nd_product = _product("unit_price_next_day_iu", "next_day_iu_fee")
    nd_price = _rounded("nd_iu_price", "unit_price_next_day_iu")
    exact_price = pl.col("nd_iu_price") == pl.col("unit_price_next_day_iu")
    speed = pl.when("next_day").then(pl.format(_NEXT_DAY, "speed")).otherwise(pl.format(_NO_NEXT_DAY, "speed"))
    return {
        "units_working": _first_of(
            (pl.col("included_users_in_company_fee") == 0, counted),
            (pl.col("users") < 1, pl.format(_ALL_INCLUDED, counted, units)),
            (pl.lit(value=True), pl.format(_INCLUDED, counted, units)),
        ),
        "er_working": _rounded("unit_price_er", "er_fee"),
        "iu_working": _product("unit_price_iu", "iu_fee"),
        "next_day_reason": pl.when(pl.col("speed") != "").then(speed),
        "nd_er_working": pl.when("next_day").then(_rounded("nd_er_price", "next_day_er_fee")),
        "nd_iu_working": pl.when("next_day").then(
            pl.when(exact_price).then(nd_product).otherwise(pl.format(_PRICE_FIRST, nd_price, nd_product))
        ),
        "total_working": pl.when("next_day")
        .then(pl.format(_LONG_SUM, *amounts, total))
        .otherwise(pl.format(_SUM, *amounts[:2], total)),
    }


def _minimum() -> dict[str, pl.Expr]:
    amount, fees = price_text(pl.col("partner_minimum_amount")), price_text(pl.col("partner_fees"))
    short = pl.col("partner_minimum_amount") - pl.col("partner_fees")
    started = pl.col("minimums_start").dt.strftime("%Y-%m")
    months = ("first_month", "last_month", "minimum_row")
    return {
        "minimum_source": pl.format(_MINIMUM, "partner_minimum_month_index", started, "config_row", *months),
        "partner_fees": pl.when(_true_up).then("partner_fees"),
        "minimum_working": pl.format(
            _DIFFERENCE, amount, fees, rounding_text(short, pl.col("partner_minimum_shortfall"))
        ),
    }


def _product(price: str, amount: str) -> pl.Expr:
    """The users charged times a price, before rounding and after it: `3 x 0.335 = 1.005 -> 1.01`."""
    units = pl.col("user_fee_units_charged")
    exact = units.cast(pl.Decimal(38, 12)) * pl.col(price)
    return pl.format(_PRODUCT, quantity_text(units), price_text(pl.col(price)), rounding_text(exact, pl.col(amount)))


def _rounded(exact: str, amount: str) -> pl.Expr:
    return rounding_text(pl.col(exact), pl.col(amount))


def _first_of(*cases: tuple[pl.Expr, pl.Expr]) -> pl.Expr:
    """The text of the first condition that holds, null when none does."""
    text: pl.Expr = pl.lit(None, pl.String)
    for condition, then in reversed(cases):
        text = pl.when(condition).then(then).otherwise(text)
    return text
