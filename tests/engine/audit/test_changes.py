"""The difference of two snapshots."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_pipeline.engine.audit.changes import changes
from tests.engine.audit.ledgers import Line, line, taken


def differences(before: list[Line], after: list[Line]) -> list[tuple[str, str, str | None, str | None, str]]:
    found = changes(taken(*before).rows, taken(*after).rows)
    return found.select("row_id", "column", "old", "new", "kind").rows()


def test_cells_that_differ_are_told_one_by_one() -> None:
    before, after = line(foreman="Kim", area="North"), line(foreman="Lee", quantity="5")
    assert differences([before], [after]) == [
        ("1", "area", "North", None, "changed"),
        ("1", "foreman", "Kim", "Lee", "changed"),
        ("1", "quantity", "2", "5", "changed"),
    ]


def test_rows_that_came_and_went_are_told_as_rows() -> None:
    assert differences([line("1"), line("2")], [line("2"), line("3")]) == [
        ("1", "", None, None, "removed"),
        ("3", "", None, None, "added"),
    ]


def test_the_same_row_id_in_another_sheet_is_another_row() -> None:
    found = changes(taken(line()).rows, taken(line(sheet_id="S2")).rows)
    assert found.select("sheet_id", "kind").rows() == [("S1", "removed"), ("S2", "added")]


@pytest.mark.parametrize(("now", "kind"), [("false", "completion revoked"), ("maybe", "completion revoked")])
def test_a_completion_taken_back_has_a_name(now: str, kind: str) -> None:
    assert [row[4] for row in differences([line()], [line(completed=now)])] == [kind]


def test_a_completion_is_only_a_change() -> None:
    assert [row[4] for row in differences([line(completed="false")], [line()])] == ["changed"]


@pytest.mark.parametrize(
    ("was", "now", "kind"),
    [
        ("100", None, "price removed"),
        ("100", "0", "price removed"),
        ("100", "abc", "price removed"),
        ("100", "-5", "changed"),
        ("-5", None, "changed"),
        (None, "100", "changed"),
    ],
)
def test_a_price_that_is_none_or_zero_now_has_a_name(was: str | None, now: str | None, kind: str) -> None:
    assert [row[4] for row in differences([line(price=was)], [line(price=now)])] == [kind]


def test_another_spelling_and_another_place_are_no_change() -> None:
    after = line(modified="01-09T10:00", price="$100.00", quantity="2.0", work_request="10000001.0", completed="Yes")
    assert differences([line("1"), line("2")], [line("2"), after]) == []


LINES = st.lists(
    st.builds(
        line,
        st.sampled_from("12345678"),
        price=st.sampled_from(["100", "0", None, "abc"]),
        completed=st.sampled_from(["true", "false"]),
        foreman=st.sampled_from(["Kim", None]),
    ),
    max_size=6,
    unique_by=lambda one: one["row_id"],
)


@given(LINES, LINES)
@settings(max_examples=25)
def test_neither_the_order_of_rows_nor_a_snapshot_against_itself_makes_a_change(
    before: list[Line], after: list[Line]
) -> None:
    forward = changes(taken(*before).rows, taken(*after).rows)
    assert forward.equals(changes(taken(*before[::-1]).rows, taken(*after[::-1]).rows))
    assert differences(before, before[::-1]) == []


@given(LINES, LINES)
@settings(max_examples=25)
def test_the_way_back_changes_the_same_cells(before: list[Line], after: list[Line]) -> None:
    there, back = differences(before, after), differences(after, before)
    assert [one[:4] for one in there] == [(row, column, new, old) for row, column, old, new, _ in back]
    assert [kind for *_, kind in there].count("added") == [kind for *_, kind in back].count("removed")
