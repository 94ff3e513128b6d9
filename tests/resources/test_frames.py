"""Frames between assets: one file per asset and month, read as the step asks for them, replaced as a whole."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from billing_pipeline.resources.frames import FrameIOManager, frame_path

MONTHS = dg.StaticPartitionsDefinition(["2026-01", "2026-02"])
FRAME = pl.DataFrame(
    {
        "amount": [Decimal("0.10"), None],
        "day": [date(2026, 1, 31), None],
        "text": ["=1+1", None],
        "lines": [[1, 2], []],
    },
    schema_overrides={"amount": pl.Decimal(18, 2)},
)
SEEN: list[type] = []


@dg.asset(partitions_def=MONTHS)
def eager() -> pl.DataFrame:
    return FRAME


@dg.asset(partitions_def=MONTHS)
def lazy(eager: pl.LazyFrame) -> pl.LazyFrame:
    SEEN.append(type(eager))
    return eager.filter(pl.col("amount").is_not_null())


@dg.asset(partitions_def=MONTHS)
def final(lazy: pl.DataFrame) -> pl.DataFrame:
    SEEN.append(type(lazy))
    return lazy


@dg.asset(partitions_def=MONTHS)
def broken() -> pl.LazyFrame:
    return FRAME.lazy().select(pl.col("amount").cast(pl.Int64), pl.col("text").cast(pl.Int64))


def materialise(folder: Path, *assets: dg.AssetsDefinition, month: str = "2026-01") -> dg.ExecuteInProcessResult:
    resources = {"io_manager": FrameIOManager(base_dir=str(folder))}
    return dg.materialize(assets, partition_key=month, resources=resources)


def test_frames_come_back_as_they_were_with_their_types_eager_or_lazy_as_asked_for(tmp_path: Path) -> None:
    SEEN.clear()
    materialise(tmp_path, eager, lazy, final)
    assert [pl.LazyFrame, pl.DataFrame] == SEEN
    assert pl.read_parquet(frame_path(tmp_path, "eager", "2026-01")).equals(FRAME)
    assert pl.read_parquet(frame_path(tmp_path, "final", "2026-01")).equals(FRAME.head(1))
    assert pl.read_parquet(frame_path(tmp_path, "final", "2026-01")).schema == FRAME.schema


def test_every_month_has_a_file_of_its_own(tmp_path: Path) -> None:
    materialise(tmp_path, eager)
    materialise(tmp_path, eager, month="2026-02")
    assert sorted(path.name for path in (tmp_path / "eager").iterdir()) == ["2026-01.parquet", "2026-02.parquet"]


def test_a_frame_that_cannot_be_finished_leaves_the_old_one_and_nothing_a_reader_finds(tmp_path: Path) -> None:
    path = frame_path(tmp_path, "broken", "2026-01")
    path.parent.mkdir()
    path.write_bytes(b"old")
    with pytest.raises(Exception, match="conversion"):
        materialise(tmp_path, broken)
    assert path.read_bytes() == b"old"
    assert list(path.parent.glob("[!.]*")) == [path]


def test_the_number_of_rows_is_told(tmp_path: Path) -> None:
    (event,) = materialise(tmp_path, eager).asset_materializations_for_node("eager")
    assert event.metadata["dagster/row_count"].value == 2
