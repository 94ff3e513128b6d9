"""Frames between assets: one file per asset and month, read as the step asks for them, replaced as a whole."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from billing_pipeline.engine.period import Period
from billing_pipeline.resources.database import DatabaseResource, sqlite_url
from billing_pipeline.resources.frames import FrameIOManager
from billing_pipeline.resources.leases import MonthWriter
from billing_pipeline.resources.outputs import OutputFiles, output_files
from tests.literals import JANUARY

pytestmark = pytest.mark.filterwarnings(  # Dagster's own use, when it makes a resource that is part of another
    "ignore:InitResourceContext.dagster_run is deprecated:DeprecationWarning"
)

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


@dataclass(frozen=True)
class Place:
    """Where frames are kept: a state folder, and an object store if there is one."""

    state: Path
    url: str = ""

    @property
    def outputs(self) -> OutputFiles:
        return output_files(self.url or self.state / "outputs", self.state)

    def elsewhere(self) -> "Place":
        """The same seen by another machine, when there is an object store."""
        return Place(self.state / "elsewhere", self.url) if self.url else self


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Place(tmp_path / "state", request.getfixturevalue("bucket") if request.param == "s3" else "")


def materialise(place: Place, *assets: dg.AssetsDefinition, month: str = "2026-01", **options: Any) -> Any:
    writer = MonthWriter(database=DatabaseResource(url=sqlite_url(place.state)))
    frames = FrameIOManager(state_dir=str(place.state), storage_url=place.url, writer=writer)
    return dg.materialize(assets, partition_key=month, resources={"io_manager": frames}, **options)


def stored(place: Place, asset: str, period: Period = JANUARY) -> pl.DataFrame:
    return pl.read_parquet(place.outputs.frame_path(asset, period))


def test_frames_come_back_as_they_were_with_their_types_eager_or_lazy_as_asked_for(place: Place) -> None:
    SEEN.clear()
    materialise(place, eager, lazy, final)
    assert [pl.LazyFrame, pl.DataFrame] == SEEN
    assert stored(place, "eager").equals(FRAME)
    assert stored(place, "final").equals(FRAME.head(1))
    assert stored(place, "final").schema == FRAME.schema


def test_every_month_has_a_file_of_its_own(place: Place) -> None:
    materialise(place, eager)
    materialise(place, eager, month="2026-02")
    months = [JANUARY.previous, JANUARY, JANUARY.next, JANUARY.next.next]
    assert [place.outputs.has_frame("eager", month) for month in months] == [False, True, True, False]


def test_another_worker_finds_the_frames_in_the_object_store(place: Place) -> None:
    materialise(place, eager)
    selection = [dg.AssetKey("lazy")]
    elsewhere = place.elsewhere()
    assert materialise(elsewhere, eager, lazy, selection=selection).success
    assert stored(place, "lazy").equals(FRAME.head(1))
    kept = {path.name for path in elsewhere.state.iterdir()}
    assert "frames" not in kept or not place.url


def test_a_frame_that_was_not_made_yet_is_told(place: Place) -> None:
    with pytest.raises(FileNotFoundError, match=r"has not been made yet; materialise the asset: .*eager/2026-01"):
        materialise(place, eager, lazy, selection=[dg.AssetKey("lazy")])
    with pytest.raises(FileNotFoundError):
        place.outputs.frame_path("eager", JANUARY)


def test_a_frame_that_cannot_be_finished_leaves_the_old_one_and_nothing_a_reader_finds(tmp_path: Path) -> None:
    place = Place(tmp_path)
    path = tmp_path / "frames" / "broken" / "2026-01.parquet"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"old")
    with pytest.raises(Exception, match="conversion"):
        materialise(place, broken)
    assert path.read_bytes() == b"old"
    assert list(path.parent.glob("[!.]*")) == [path]  # Polars may still be writing a hidden one


def test_a_frame_that_cannot_be_finished_is_not_uploaded(bucket: str, tmp_path: Path) -> None:
    place = Place(tmp_path, bucket)
    with pytest.raises(Exception, match="conversion"):
        materialise(place, broken)
    assert place.outputs.storage.listing() == []


def test_the_number_of_rows_and_the_place_are_told(place: Place) -> None:
    (event,) = materialise(place, eager).asset_materializations_for_node("eager")
    assert event.metadata["dagster/row_count"].value == 2
    assert event.metadata["path"].value == f"{place.url or place.state}/frames/eager/2026-01.parquet"
