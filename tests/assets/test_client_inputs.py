"""The hash over what bills were made of: of the values themselves, so that it is the same wherever it is made."""

from datetime import UTC, date, datetime, timedelta

import polars as pl

from billing_pipeline.assets.client_billing import inputs_sha256

TEXTS = pl.DataFrame({"name": ["ab", "c", None, ""]})


def test_the_hash_depends_on_nothing_but_the_values() -> None:
    frame = pl.DataFrame(
        {
            "account": ["A", None, "Zoë"],
            "active": [True, False, None],
            "since": [date(2026, 1, 1), None, date(2026, 2, 1)],
            "at": [datetime(2026, 1, 1, tzinfo=UTC), None, datetime(1969, 1, 1, tzinfo=UTC)],
            "worked": [timedelta(hours=1), None, timedelta(0)],
            "bytes": [2**41, None, -1],
        },
        schema_overrides={"at": pl.Datetime("us", "UTC"), "worked": pl.Duration("ms")},
    )
    known = "c8e6edf8693b3acc1b973055469c39a969abbb5f319312f5d681b9b73ed10083"
    assert inputs_sha256([frame]) == known
    in_pieces = pl.concat([frame.head(1), frame.tail(2)], rechunk=False)
    assert inputs_sha256([in_pieces]) == known


def test_texts_that_are_cut_otherwise_or_missing_make_another_hash() -> None:
    others = [["a", "bc", None, ""], ["ab", "c", "", None], ["ab", "c", None, None], ["ab", "c", None]]
    hashes = {inputs_sha256([pl.DataFrame({"name": texts})]) for texts in others}
    assert len({inputs_sha256([TEXTS]), *hashes}) == 5


def test_a_number_that_is_missing_is_not_zero() -> None:
    assert inputs_sha256([pl.DataFrame({"n": [0]})]) != inputs_sha256([pl.DataFrame({"n": [None]}, {"n": pl.Int64})])


def test_another_column_name_or_order_of_frames_makes_another_hash() -> None:
    numbers = pl.DataFrame({"n": [1]})
    assert inputs_sha256([TEXTS]) != inputs_sha256([TEXTS.rename({"name": "title"})])
    assert inputs_sha256([TEXTS, numbers]) != inputs_sha256([numbers, TEXTS])


def test_a_frame_without_rows_has_a_hash() -> None:
    assert inputs_sha256([TEXTS.clear()]) != inputs_sha256([])
