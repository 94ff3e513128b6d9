"""Whatever stands in the feeds: nothing is lost, nothing counted twice, no order matters, every amount is exact."""

from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from billing_pipeline.engine.unbilled import balance, client_summary, judged_logs, leaks, project_summary
from billing_pipeline.engine.unbilled.tables import BILLED, EXCLUDED, QUARANTINED, TIME_LEAKAGE, UNBILLED
from tests.engine.unbilled.records import AS_OF, TERMS, contract, contracts, log, logs

_DAYS = (None, "2026-02-03", "2025-12-31", "2025-10-01", "2026-05-01", "?")
_HOURS = st.one_of(
    st.decimals("-1", "20", places=2).map(str),
    st.decimals("0.00000001", "3", places=8).map(lambda hours: f"{hours:.8f}"),
    st.sampled_from(["", "x", "999999.99999999"]),
)
_RATES = st.one_of(
    st.none(), st.just("0"), st.decimals("0.0001", "400", places=4).map(lambda rate: f"{rate:.4f}"), st.just("33.335")
)
_LOGS = st.lists(
    st.builds(
        log,
        st.sampled_from(["", *"123456789"]),
        st.sampled_from([None, "A", "B", "C", "Z"]),
        _HOURS,
        employee_id=st.sampled_from(["", "E1", "E2"]),
        activity=st.sampled_from(["Billable", "billable", "Non-Billable", "?"]),
        status=st.sampled_from(["Logged", "Logged", "Invoiced", "Written-Off", "?"]),
        work_date=st.sampled_from(_DAYS),
        expense_amount=st.sampled_from([None, "5", "120.01", "?"]),
    ),
    max_size=25,
)
_CONTRACTS = st.tuples(
    *(
        st.builds(
            contract,
            st.just(name),
            _RATES,
            model=st.sampled_from(["T&M", "T&M", "Fixed-Price", ""]),
            max_hours=st.sampled_from([None, "1", "12.5"]),
            reimbursable_limit=st.sampled_from([None, "100"]),
            ends=st.sampled_from([None, "2025-12-30"]),
        )
        for name in "ABC"
    )
)
_SMALL = settings(max_examples=25)


def exact(row: dict[str, Any], rule: dict[str, Any] | None) -> Decimal:
    """Hours x rate by whole fractions of the texts that were read, half up to cents."""
    if rule is None or rule["model"] != "T&M" or row["activity"].lower() != "billable" or rule["rate"] is None:
        return Decimal(0)
    try:
        hundredths = Fraction(row["hours"]) * Fraction(rule["rate"]) * 100
    except ValueError:
        return Decimal(0)
    cents = (2 * abs(hundredths) + 1) // 2
    return Decimal(int(cents if hundredths >= 0 else -cents)) / 100


@_SMALL
@given(_LOGS, _CONTRACTS)
def test_rows_hours_and_money_are_conserved_and_amounts_are_exact(
    rows: list[dict[str, Any]], rules: tuple[dict[str, Any], ...]
) -> None:
    typed, made = logs(*rows), contracts(*rules)
    judged = judged_logs(typed, made)
    by_name = {rule["project_id"]: rule for rule in rules}
    amounts = [exact(row, by_name.get(row["project_id"])) for row in rows]
    assert judged["amount"].to_list() == amounts
    assert_frame_equal(
        judged.select("log_id", "hours", "file", "line"), typed.select("log_id", "hours", "file", "line")
    )
    assert set(judged["state"]) <= {BILLED, UNBILLED, EXCLUDED, QUARANTINED}
    assert ((judged["reason"] == "") == judged["state"].is_in([BILLED, UNBILLED])).all()
    *states, logged = balance(judged).rows()
    assert logged == ("logged", *(sum(state[place] for state in states) for place in (1, 2, 3)))
    assert logged[1:] == (len(rows), sum(typed["hours"].drop_nulls()), sum(amounts))


@_SMALL
@given(_LOGS, _CONTRACTS)
def test_findings_and_summaries_tell_the_same_money_as_the_balance(
    rows: list[dict[str, Any]], rules: tuple[dict[str, Any], ...]
) -> None:
    made = contracts(*rules)
    judged = judged_logs(logs(*rows), made)
    found, projects = leaks(judged, made, AS_OF, TERMS), project_summary(judged, AS_OF, TERMS)
    unbilled = balance(judged).row(1)[1:]
    leaked = found.filter(pl.col("category") == TIME_LEAKAGE)
    for frame, entries, money in ((leaked, "entries", "dollars"), (projects, "entries", "amount"),
                                  (client_summary(projects), "entries", "amount")):  # fmt: skip
        assert (frame[entries].sum(), frame["hours"].sum(), frame[money].sum()) == unbilled
    ranges = projects.select(pl.sum_horizontal(pl.col("^days_.*$"), "undated"))
    assert ranges.to_series().to_list() == projects["amount"].to_list()
    assert (found["category"] == "QUARANTINE").sum() == balance(judged).row(3)[1]
    assert found["finding_key"].is_unique().all()


@_SMALL
@given(_LOGS, _CONTRACTS, st.randoms(use_true_random=False))
def test_the_order_of_rows_makes_no_difference(
    rows: list[dict[str, Any]], rules: tuple[dict[str, Any], ...], random: Random
) -> None:
    placed = [{**row, "line": line} for line, row in enumerate(rows, 2)]
    shuffled, turned = random.sample(placed, len(placed)), random.sample(rules, len(rules))
    told = []
    for some, terms in ((placed, rules), (shuffled, turned)):
        made = contracts(*terms)
        judged = judged_logs(logs(*some), made)
        projects = project_summary(judged, AS_OF, TERMS)
        told.append((judged.sort("line"), leaks(judged, made, AS_OF, TERMS), projects, client_summary(projects)))
    for one, other in zip(*told, strict=True):
        assert_frame_equal(one, other)
