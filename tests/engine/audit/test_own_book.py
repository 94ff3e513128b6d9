"""Our own book: what differs between two runs of a month is found, each charge by itself, with its amount."""

from decimal import Decimal
from typing import Any

import polars as pl

from billing_pipeline.engine.audit.own_book import USAGE_NEED, charge_findings, client_charges, usage_charges
from billing_pipeline.engine.audit.thresholds import Thresholds
from billing_pipeline.engine.money import AMOUNT
from billing_pipeline.engine.period import Period

JANUARY = Period(2026, 1)
FEES = USAGE_NEED[-4:]


def row(company: str, er: str = "10.00", iu: str = "0.00", **more: Any) -> dict[str, Any]:
    """A priced row of customer Acme, partner 101."""
    return {
        "PARTNER_ID": "101", "PARTNER_NAME": "Acme", "ER_ID": company, "ER_NAME": f"Company {company}",
        "partner_key": "id:101", "netsuite_customer_name": "Acme Inc", "bucket": "billed",
        "er_fee": er, "iu_fee": iu, "next_day_er_fee": "0.00", "next_day_iu_fee": "0.00",
    } | more  # fmt: skip


def line(record: str | None, amount: str, **more: Any) -> dict[str, Any]:
    """A line of account A."""
    told = {"account": "A", "kind": "device", "record": record, "name": "host", "type": "Server", "amount": amount}
    return told | more


def usage(before: list[dict[str, Any]], after: list[dict[str, Any]], base: str = "r1") -> pl.DataFrame:
    one, other = usage_charges(usage_frame(before), usage_frame(after))
    return charge_findings(one, other, "billing", JANUARY, base, Thresholds())


def usage_frame(rows: list[dict[str, Any]]) -> pl.LazyFrame:
    return pl.LazyFrame(rows, schema=dict.fromkeys(USAGE_NEED, pl.String)).cast(dict.fromkeys(FEES, AMOUNT))


def clients(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> pl.DataFrame:
    schema = dict.fromkeys(line(None, "1"), pl.String)
    one, other = (client_charges(pl.DataFrame(rows, schema=schema)) for rows in (before, after))
    return charge_findings(one, other, "clients", JANUARY, "r1", Thresholds())


def told(found: pl.DataFrame) -> list[tuple[Any, ...]]:
    return sorted(found.select("category", "row_id", "column", "old", "new", "dollars").rows(), key=str)


def test_the_same_book_in_another_order_has_no_findings() -> None:
    assert usage([row("1"), row("2")], [row("2"), row("1")]).is_empty()
    assert clients([line("rmm:1", "50"), line("rmm:2", "60")], [line("rmm:2", "60"), line("rmm:1", "50")]).is_empty()


def test_a_changed_fee_is_found_with_both_amounts_and_the_difference() -> None:
    found = usage([row("1"), row("2")], [row("1", "12.50"), row("2")])
    assert told(found) == [
        ("CHARGE_CHANGED", "Acme Inc | id:101 | 1 | billed", "er_fee", "10.00", "12.50", Decimal("2.50"))
    ]
    (one,) = found.to_dicts()
    assert one["why"] == "2026-01, Acme Inc: er_fee of Company 1 of Acme was 10.00 in run r1 and is 12.50"
    assert (one["delta"], one["sheet_id"], one["evidence"]) == (Decimal("2.5000"), "billing 2026-01", "snapshot")


def test_a_charge_that_went_down_has_a_negative_delta_and_its_dollars_are_above_zero() -> None:
    (one,) = usage([row("1")], [row("1", "4.00")]).to_dicts()
    assert (one["delta"], one["dollars"]) == (Decimal("-6.0000"), Decimal("6.00"))


def test_new_and_vanished_charges_are_found_with_their_amounts() -> None:
    assert told(usage([row("1")], [row("2", iu="3.00")])) == [
        ("CHARGE_ADDED", "Acme Inc | id:101 | 2 | billed", "er_fee", None, "10.00", Decimal("10.00")),
        ("CHARGE_ADDED", "Acme Inc | id:101 | 2 | billed", "iu_fee", None, "3.00", Decimal("3.00")),
        ("CHARGE_REMOVED", "Acme Inc | id:101 | 1 | billed", "er_fee", "10.00", None, Decimal("10.00")),
    ]


def test_a_cent_is_found() -> None:
    assert usage([row("1")], [row("1", "10.01")])["dollars"].to_list() == [Decimal("0.01")]


def test_a_row_that_stands_there_twice_is_found_as_the_higher_charge_of_its_company() -> None:
    assert told(usage([row("1")], [row("1"), row("1")]))[0][3:] == ("10.00", "20.00", Decimal("10.00"))


def test_another_name_of_a_company_changes_no_charge() -> None:
    assert usage([row("1")], [row("1", ER_NAME="Company One")]).is_empty()


def test_companies_without_an_id_are_told_apart_by_their_names() -> None:
    before = [row("", ER_NAME="East"), row("", ER_NAME="West")]
    found = usage(before, [row("", ER_NAME="East"), row("", "11.00", ER_NAME="West")])
    assert found["row_id"].to_list() == ["Acme Inc | id:101 | West | billed"]


def test_a_charge_that_went_to_another_customer_left_one_and_came_to_the_other() -> None:
    found = usage([row("1")], [row("1", netsuite_customer_name="Other Inc")])
    assert [one[:2] for one in told(found)] == [
        ("CHARGE_ADDED", "Other Inc | id:101 | 1 | billed"), ("CHARGE_REMOVED", "Acme Inc | id:101 | 1 | billed"),
    ]  # fmt: skip


def test_a_charge_that_is_held_now_is_no_longer_billed() -> None:
    assert [one[1] for one in told(usage([row("1")], [row("1", bucket="held")]))] == [
        "Acme Inc | id:101 | 1 | held", "Acme Inc | id:101 | 1 | billed",
    ]  # fmt: skip


def test_a_removed_row_and_one_of_nothing_are_no_charges() -> None:
    assert usage([], [row("1", bucket="removed"), row("2", "0.00")]).is_empty()
    assert told(usage([row("1")], [row("1", bucket="removed")]))[0][0] == "CHARGE_REMOVED"


def test_a_line_of_a_client_is_its_record_whatever_it_is_called() -> None:
    assert clients([line("rmm:1", "50")], [line("rmm:1", "50", name="new-host")]).is_empty()
    found = clients([line("rmm:1", "50")], [line("rmm:1", "150", type="VM")])
    assert told(found) == [("CHARGE_CHANGED", "A | device | rmm:1", "device", "50.00", "150.00", Decimal("100.00"))]


def test_a_line_without_a_record_is_its_name_and_type() -> None:
    item = {"kind": "item", "name": "Internet", "type": "monthly"}
    found = clients(
        [line(None, "20", **item)], [line(None, "25", **item), line(None, "7", **item | {"type": "yearly"})]
    )
    assert [(one[1], one[5]) for one in told(found)] == [
        ("A | item | Internet | yearly", Decimal("7.00")), ("A | item | Internet | monthly", Decimal("5.00")),
    ]  # fmt: skip


def test_severity_is_that_of_the_difference() -> None:
    after = [row("1", "110.00"), row("2", "110.01"), row("3", "1010.01")]
    found = usage([row("1"), row("2"), row("3")], after)
    assert dict(found.select("dollars", "severity").rows()) == {
        Decimal("100.00"): "LOW", Decimal("100.01"): "MEDIUM", Decimal("1000.01"): "HIGH",
    }  # fmt: skip


def test_a_finding_keeps_its_key_and_another_amount_or_base_is_another_finding() -> None:
    first = usage([row("1")], [row("1", "12.00")])
    assert (
        usage([row("1")], [row("1", "12.00"), row("2")])
        .filter(pl.col("row_id").str.contains("| 1 |", literal=True))["finding_key"]
        .to_list()
        == first["finding_key"].to_list()
    )
    others = [usage([row("1")], [row("1", "13.00")]), usage([row("1")], [row("1", "12.00")], base="r2")]
    assert len({frame["finding_key"][0] for frame in [first, *others]}) == 3


def test_more_differences_than_people_can_read_are_summed_by_customer_and_fee() -> None:
    one, other = (
        usage_frame([row(str(number), amount) for number in range(4)] + [row("9", iu=iu)])
        for amount, iu in (("10.00", "1.00"), ("12.00", "0.00"))
    )
    found = charge_findings(*usage_charges(one, other), "billing", JANUARY, "r1", Thresholds(), most=4)
    assert sorted(found.select("row_id", "column", "old", "new", "dollars", "events").rows()) == [
        ("Acme Inc | all", "er_fee", "40.00", "48.00", Decimal("8.00"), 4),
        ("Acme Inc | all", "iu_fee", "1.00", "0.00", Decimal("1.00"), 1),
    ]
    assert "er_fee of 4 charges was 40.00 in run r1 and is 48.00" in " ".join(found["why"])
