"""Frames between assets: one Parquet file per asset and month under the state folder, replaced as a whole."""

import errno
from pathlib import Path
from typing import Any, ClassVar

import dagster as dg
import polars as pl
from upath import UPath


class FrameIOManager(dg.ConfigurableIOManager, dg.UPathIOManager):
    """Stores DataFrames and LazyFrames as Parquet; an input annotated LazyFrame is scanned, otherwise read.

    A frame is written beside its final name and moved there when complete, so a reader never sees half of one.
    """

    base_dir: str
    extension: ClassVar[str | None] = ".parquet"  # type: ignore[misc]  # without ClassVar pydantic takes it for a field

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002
        self._base_path = UPath(self.base_dir)

    def dump_to_path(self, context: dg.OutputContext, obj: pl.DataFrame | pl.LazyFrame, path: UPath) -> None:
        target = Path(str(path))
        temporary = target.with_name(f".{target.name}.{context.run_id}.part")
        try:
            obj.lazy().sink_parquet(temporary, compression="lz4", mkdir=True)
            temporary.replace(target)
        except pl.exceptions.ComputeError as error:
            if str(error).startswith("parquet:"):  # Polars tells a full disk as a fault of the file's format
                raise OSError(errno.EIO, "cannot be written in full; is the disk full?", str(target)) from error
            raise
        finally:
            temporary.unlink(missing_ok=True)

    def load_from_path(self, context: dg.InputContext, path: UPath) -> pl.DataFrame | pl.LazyFrame:
        if context.dagster_type.typing_type is pl.LazyFrame:
            return pl.scan_parquet(str(path))
        return pl.read_parquet(str(path))

    def get_metadata(self, context: dg.OutputContext, obj: Any) -> dict[str, dg.MetadataValue]:  # noqa: ARG002
        if isinstance(obj, pl.DataFrame):
            return {"dagster/row_count": dg.MetadataValue.int(obj.height)}
        return {}


def frame_path(base_dir: Path, asset: str, period: str) -> Path:
    """Where FrameIOManager keeps the frame of an asset and month."""
    return base_dir / asset / f"{period}.parquet"
