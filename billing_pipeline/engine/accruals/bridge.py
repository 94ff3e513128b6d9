"""The bridge from estimate to actual: why a variance is what it is, to the cent, per customer.

Two priced months are compared, usage row by usage row, and one thing after the other is replaced, always in this order:

1. companies: those that are new at old tier and prices, those that are lost at what was estimated for them
2. volume: users of the companies that stayed, at old tier and prices
3. tier: every company at the tier the actual volume reaches, at old prices (the actual usage, priced with old rules)
4. prices: the actual tier and prices
5. the rest: next-day fees, minimum true-ups, rounding

Old and actual fees of these steps are exact products; each part is rounded to cents once, and `rounding` is what the
cents of single fees make of them: within half a cent a fee and part, which a check holds it to. Companies that are
billed in one of the months only because rows were held, removed or moved by a decision in the other are `overrides`.
`method` is what another estimator than prior-month re-pricing added to it. The parts sum to the variance exactly.
"""

import polars as pl

from billing_pipeline.engine.accruals.totals import is_booked, side_by_side
from billing_pipeline.engine.money import AMOUNT, cents
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.pricing import NEEDS, draft
from billing_pipeline.engine.pricing.partners import company_key
from billing_pipeline.engine.rules import Rules
from billing_pipeline.engine.usage.decisions import MOVED

PARTS = (
    "method", "new_companies", "lost_companies", "volume", "tier", "price", "next_day", "minimums", "overrides",
    "rounding",
)  # fmt: skip
BRIDGE_NEED = (
    *NEEDS, "partner_key", "netsuite_customer_name", "bucket", "row_type", "rule_row", "unit_price_er", "unit_price_iu",
    "included_users_in_company_fee", "user_fee_units_charged", "company_fee_units_charged", "next_day_er_fee",
    "next_day_iu_fee", "total_fee",
)  # fmt: skip
"""The columns of a fact table that bridge() reads."""
_EXACT = pl.Decimal(38, 12)
_COMPANY = ["customer", "partner_key", "company"]
_NOTHING = pl.lit("0").cast(_EXACT)


def bridge(
    estimate: pl.DataFrame,
    actual: pl.DataFrame,
    booked: pl.DataFrame,
    billed: pl.DataFrame,
    rules: Rules,
    period: Period,
) -> pl.DataFrame:
    """customer, then PARTS (AMOUNT): for every customer the parts sum to billed - booked. Customers in order.

    estimate, actual: fact tables (BRIDGE_NEED) of the usage that was accrued and of the bill; rules, period: those of
    the estimate. booked, billed: customer and total, what was accrued and what the bill came to.
    """
    before = _rows(estimate)
    repriced = draft(actual.filter(pl.col("row_type") == "usage").select(NEEDS), rules, period).rows
    after = _rows(actual).hstack(_fee(repriced, "old_rules")).hstack(repriced.select(priced_before=_has_price()))
    parts = pl.concat([_companies(before, after), _next_day(before, after), _minimums(estimate, actual)])
    named = parts.group_by("customer", "part").agg(pl.col("amount").sum()).with_columns(cents(pl.col("amount")))
    wide = named.pivot("part", index="customer", values="amount") if named.height else named.select("customer")
    for name in PARTS:
        if name not in wide.columns:
            wide = wide.with_columns(pl.lit(None, AMOUNT).alias(name))
    own = estimate.filter(is_booked()).group_by(pl.col("netsuite_customer_name").alias("customer"))
    repriced_totals = own.agg(pl.col("total_fee").sum().alias("repriced"))
    return _balanced(wide, booked, billed, repriced_totals)


def rounding_bound(estimate: pl.DataFrame, actual: pl.DataFrame) -> pl.DataFrame:
    """customer and `bound` (AMOUNT): how large a customer's rounding can be, from its rows' two fees and the parts."""
    rows = pl.concat([frame.filter(is_booked()).select("netsuite_customer_name") for frame in (estimate, actual)])
    counted = rows.group_by(pl.col("netsuite_customer_name").alias("customer")).len("rows")
    half_cents = pl.col("rows").cast(pl.Int64) * 2 + len(PARTS)
    bound = (half_cents.cast(pl.Decimal(38, 3)) * pl.lit("0.005").cast(pl.Decimal(18, 3))).cast(AMOUNT)
    return counted.select("customer", bound=bound + pl.lit("0.01").cast(AMOUNT))


def _rows(fact: pl.DataFrame) -> pl.DataFrame:
    """The usage rows with what the bridge needs of each: whose they are, what they cost, whether they count."""
    usage = fact.filter(pl.col("row_type") == "usage")
    return usage.select(
        pl.col("netsuite_customer_name").alias("customer"),
        "partner_key",
        company_key().alias("company"),
        "position",
        "rule_row",
        is_booked().alias("counts"),
        pl.col("decision").is_in(MOVED).fill_null(value=False).alias("moved"),
        users0=pl.col("users").clip(0),
        er_price=pl.col("unit_price_er"),
        iu_price=pl.col("unit_price_iu"),
        included=pl.col("included_users_in_company_fee").fill_null(0),
        next_day_fee=(pl.col("next_day_er_fee") + pl.col("next_day_iu_fee")),
    ).hstack(_fee(usage, "fee"))


def _fee(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    """The exact usage fee of priced rows, before it is rounded to cents."""
    return rows.select(
        _product(pl.col("unit_price_er"), pl.col("user_fee_units_charged"), pl.col("unit_price_iu")).alias(name)
    )


def _product(company_price: pl.Expr, charged: pl.Expr, user_price: pl.Expr) -> pl.Expr:
    return company_price.cast(_EXACT) + charged.cast(_EXACT) * user_price


def _has_price() -> pl.Expr:
    return pl.col("fee_calc_status") == "ok"


def _companies(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Steps 1 to 4 and the overrides: customer, part, amount."""
    old, new = before.filter("counts"), after.filter("counts")
    stayed = new.select(_COMPANY).unique().join(old.select(_COMPANY).unique(), on=_COMPANY)
    new = _old_terms(new, old).join(
        stayed.with_columns(pl.lit(True).alias("stayed")), on=_COMPANY, how="left", maintain_order="left"
    )
    old = old.join(stayed.with_columns(pl.lit(True).alias("stayed")), on=_COMPANY, how="left", maintain_order="left")
    # Known to the other month, but not billed there: held, unpriced or removed. Or brought here by a decision.
    known_before = _elsewhere(new, before)
    known_after = _elsewhere(old, after)
    came = pl.when("stayed").then(pl.lit("volume")).when(known_before | pl.col("moved")).then(pl.lit("overrides"))
    went = pl.when("stayed").then(pl.lit("volume")).when(known_after | pl.col("taken")).then(pl.lit("overrides"))
    taken = _companies_moved(after)
    old = old.join(taken, on="company", how="left", maintain_order="left").with_columns(
        pl.col("taken").fill_null(value=False)
    )
    return pl.concat(
        [
            new.select(
                "customer",
                came.otherwise(pl.lit("new_companies")).alias("part"),
                pl.col("at_old_terms").alias("amount"),
            ),
            old.select(
                "customer",
                went.otherwise(pl.lit("lost_companies")).alias("part"),
                (_NOTHING - pl.col("fee")).alias("amount"),
            ),
            new.select(
                "customer", pl.lit("tier").alias("part"), (pl.col("old_rules") - pl.col("at_old_terms")).alias("amount")
            ),
            new.select(
                "customer", pl.lit("price").alias("part"), (pl.col("fee") - pl.col("old_rules")).alias("amount")
            ),
        ]
    )


def _old_terms(new: pl.DataFrame, old: pl.DataFrame) -> pl.DataFrame:
    """The actual rows with `at_old_terms`: their fee at the tier and prices of the estimate.

    A company's own, else its partner's when all its companies had the same, else those the old rules give the actual
    volume; where the old rules price nothing, the actual fee, so that the whole of it is the company's arrival.
    """
    prices = ["er_price", "iu_price", "included", "rule_row"]
    own = (
        old.sort("position")
        .unique(_COMPANY, keep="first")
        .select(*_COMPANY, *(pl.col(p).alias(f"own_{p}") for p in prices))
    )
    partner = ["customer", "partner_key"]
    shared = old.group_by(partner).agg(
        pl.col("rule_row").n_unique().alias("tiers"), *(pl.col(p).first().alias(f"shared_{p}") for p in prices)
    ).filter(pl.col("tiers") == 1).drop("tiers")  # fmt: skip
    joined = new.join(own, on=_COMPANY, how="left", maintain_order="left").join(
        shared, on=partner, how="left", maintain_order="left"
    )
    er, iu, included = (pl.coalesce(f"own_{name}", f"shared_{name}") for name in prices[:3])
    charged = (pl.col("users0") - included.cast(pl.Decimal(18, 4))).clip(0)
    old_rules = pl.when("priced_before").then("old_rules").otherwise("fee")
    return joined.with_columns(old_rules.alias("old_rules")).with_columns(
        at_old_terms=pl.when(er.is_not_null()).then(_product(er, charged, iu)).otherwise("old_rules")
    )


def _elsewhere(rows: pl.DataFrame, other: pl.DataFrame) -> pl.Series:
    """Whether each row's company of its partner stands in the other month without being counted there."""
    key = ["partner_key", "company"]
    known = other.filter(~pl.col("counts")).select(key).unique().with_columns(pl.lit(True).alias("known"))
    return rows.select(key).join(known, on=key, how="left", maintain_order="left")["known"].fill_null(False)


def _companies_moved(after: pl.DataFrame) -> pl.DataFrame:
    """The companies that a decision moved to another partner: company, taken."""
    return after.filter("moved").select("company", pl.lit(True).alias("taken")).unique()


def _next_day(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    fee = pl.col("next_day_fee").cast(_EXACT)
    name = pl.lit("next_day").alias("part")
    return pl.concat(
        [
            after.filter("counts").select("customer", name, fee.alias("amount")),
            before.filter("counts").select("customer", name, (_NOTHING - fee).alias("amount")),
        ]
    )


def _minimums(estimate: pl.DataFrame, actual: pl.DataFrame) -> pl.DataFrame:
    fee = pl.col("total_fee").cast(_EXACT)
    customer, name = pl.col("netsuite_customer_name").alias("customer"), pl.lit("minimums").alias("part")
    due = (pl.col("row_type") == "min_trueup") & is_booked()
    return pl.concat(
        [
            actual.filter(due).select(customer, name, fee.alias("amount")),
            estimate.filter(due).select(customer, name, (_NOTHING - fee).alias("amount")),
        ]
    )


def _balanced(parts: pl.DataFrame, booked: pl.DataFrame, billed: pl.DataFrame, repriced: pl.DataFrame) -> pl.DataFrame:
    """Every customer with its method part, and the rounding that makes the parts the variance."""
    sides = side_by_side({"booked": booked, "billed": billed})
    joined = sides.join(parts, on="customer", how="full", coalesce=True).sort("customer")
    joined = joined.join(repriced, on="customer", how="left", maintain_order="left")
    filled = joined.with_columns(pl.col("booked", "billed", "repriced", *PARTS).fill_null(0).cast(AMOUNT))
    known = filled.with_columns((pl.col("repriced") - pl.col("booked")).cast(AMOUNT).alias("method"))
    explained = pl.sum_horizontal(name for name in PARTS if name != "rounding")
    rest = (pl.col("billed") - pl.col("booked") - explained).cast(AMOUNT).alias("rounding")
    return known.with_columns(rest).select("customer", *PARTS)
