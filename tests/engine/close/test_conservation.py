"""Conservation: every row of a file is in exactly one bucket, with its users and its money."""

from decimal import Decimal

import polars as pl

from billing_pipeline.engine.close import BUCKETS, conservation
from billing_pipeline.engine.usage import no_decisions
from tests.engine.rules.books import customer, minimum, tier
from tests.literals import company, priced, rules, running_minimum

KNOWN = rules(
    [tier(er_fee=10, iu_fee=1), tier(partner_id="102", er_fee=20, iu_fee=0)],
    [minimum(minimum_amount=100)],
    [running_minimum()],
    [customer()],
)
ROWS = [
    company(1),
    company(2, FIRST_BILLABLE_ACTIVITY_DATE="2025-06-02", TOTAL_INDIVIDUAL_USERS="7"),
    company(3, PARTNER_ID="102", PARTNER_NAME="Birch", TOTAL_INDIVIDUAL_USERS="2.5"),
    company(4, PARTNER_ID="103", PARTNER_NAME="Cedar", TOTAL_INDIVIDUAL_USERS="3"),
    company(5, TOTAL_INDIVIDUAL_USERS="5%", FIRST_BILLABLE_ACTIVITY_DATE="2025-06-05"),
    company(6, FOR_MONTH="2025-12", FIRST_BILLABLE_ACTIVITY_DATE="2025-06-06", TOTAL_INDIVIDUAL_USERS="9"),
    company(7, ER_ID="", ER_NAME="", FIRST_BILLABLE_ACTIVITY_DATE="2025-06-07", TOTAL_INDIVIDUAL_USERS="1"),
]


def removing(*positions: int) -> pl.DataFrame:
    rows = [(position, "", "remove", *[None] * 5) for position in positions]
    return pl.DataFrame(rows, schema=no_decisions().schema, orient="row")


def buckets(decisions: pl.DataFrame | None = None) -> dict[str, tuple[int, Decimal, Decimal, Decimal]]:
    """Rows, users, amount and value of each bucket."""
    before = None if decisions is None else priced(ROWS, KNOWN)
    return {name: rest for name, *rest in conservation(priced(ROWS, KNOWN, decisions), before).rows()}  # type: ignore[misc]


def test_every_row_is_billed_held_removed_or_quarantined() -> None:
    assert BUCKETS == ("billed", "held", "removed", "quarantined")
    assert {name: tuple(map(str, values)) for name, values in buckets(removing(1)).items()} == {
        "billed": ("1", "5.0000", "100.00", "100.00"),
        "held": ("1", "2.5000", "20.00", "20.00"),
        "removed": ("1", "7.0000", "0.00", "17.00"),
        "quarantined": ("4", "13.0000", "0.00", "0.00"),
    }


def test_removed_comes_before_every_other_bucket() -> None:
    """Whatever else is wrong with a removed row: no prices, no customer, an unreadable cell."""
    fact = priced(ROWS, KNOWN, removing(*range(7)))
    assert fact["bucket"].unique().to_list() == ["removed"]
    assert fact["total_fee"].sum() == Decimal(0)


def test_an_unpriced_row_of_a_partner_without_a_customer_is_quarantined_not_held() -> None:
    fact = priced([company(1, PARTNER_ID="102", PARTNER_NAME="Birch", TOTAL_INDIVIDUAL_USERS="x"), company(2)], KNOWN)
    assert fact.filter(pl.col("row_type") == "usage")["bucket"].to_list() == ["quarantined", "billed"]


def test_an_empty_bucket_is_there_with_nothing_in_it() -> None:
    found = conservation(priced([company(1)], rules([tier(er_fee=10, iu_fee=0)])))
    assert found["bucket"].to_list() == list(BUCKETS)
    assert found.filter(pl.col("bucket") != "billed").select("rows", "users", "amount", "value").sum().row(0) == (
        0, Decimal(0), Decimal(0), Decimal(0),
    )  # fmt: skip


def test_a_true_up_is_money_and_no_row() -> None:
    billed = buckets()["billed"]
    assert (billed[0], billed[2]) == (2, Decimal("100.00"))


def test_rows_and_users_of_the_buckets_are_those_of_the_file() -> None:
    for decisions in (None, removing(0), removing(0, 3, 6)):
        found = buckets(decisions)
        assert sum(values[0] for values in found.values()) == len(ROWS)
        assert sum(values[1] for values in found.values()) == Decimal("27.5")


def test_a_removed_row_is_worth_what_it_was_priced_at_before_the_decision() -> None:
    assert [buckets(removing(position))["removed"][3] for position in (0, 1, 2, 5)] == [
        Decimal("15.00"),
        Decimal("17.00"),
        Decimal("0.00"),
        Decimal("20.00"),
    ]
