"""Frames between assets: one Parquet file per asset and month, replaced as a whole.

On the state folder of one machine, or, when artefacts are in an object store, there: any worker finds last month's.
"""

import errno
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from billing_pipeline.resources.leases import MonthWriter
from billing_pipeline.resources.storage import LocalStorage, Storage, open_storage

LATEST = "latest"  # of an asset that has no months


class FrameIOManager(dg.ConfigurableIOManager):
    """Stores DataFrames and LazyFrames as Parquet; an input annotated LazyFrame is scanned, otherwise read.

    A frame is written elsewhere and appears under its name when complete, so a reader never sees half of one. From an
    object store it is read by a copy on this machine, so only the vendor's own credentials are needed. `writer` holds
    the month from the run's first step to its last. Faults: OSError when the disk is full or the object store out of
    reach; FileNotFoundError when an input was not made yet.
    """

    writer: dg.ResourceDependency[MonthWriter]
    state_dir: str
    storage_url: str = ""

    def handle_output(self, context: dg.OutputContext, obj: pl.DataFrame | pl.LazyFrame) -> None:
        name = _name(context)
        with self._frames.writing(name) as path:
            try:
                obj.lazy().sink_parquet(path, compression="lz4")
            except pl.exceptions.ComputeError as error:
                if str(error).startswith("parquet:"):  # Polars tells a full disk as a fault of the file's format
                    raise OSError(errno.EIO, "cannot be written in full; is the disk full?", str(path)) from error
                raise
        metadata: dict[str, dg.MetadataValue] = {"path": dg.MetadataValue.path(self._frames.address(name))}
        if isinstance(obj, pl.DataFrame):
            metadata["dagster/row_count"] = dg.MetadataValue.int(obj.height)
        context.add_output_metadata(metadata)

    def load_input(self, context: dg.InputContext) -> pl.DataFrame | pl.LazyFrame:
        path = stored_frame(self._frames, _name(context))
        return pl.scan_parquet(path) if context.dagster_type.typing_type is pl.LazyFrame else pl.read_parquet(path)

    @property
    def _frames(self) -> Storage:
        state_dir = Path(self.state_dir)
        return frame_storage(open_storage(self.storage_url or str(state_dir), state_dir / "copies"), state_dir)


def frame_storage(storage: Storage, state_dir: Path) -> Storage:
    """Where frames stand when artefacts are in a storage."""
    return (LocalStorage(state_dir) if isinstance(storage, LocalStorage) else storage).below("frames")


def frame_name(asset: str, period: str) -> str:
    """Where the frame of an asset and month stands there."""
    return f"{asset}/{period}.parquet"


def stored_frame(frames: Storage, name: str) -> Path:
    """A path on this machine to read a stored frame at; FileNotFoundError when it was not made yet."""
    path = frames.local_path(name)
    if path is None:
        missing = "has not been made yet; materialise the asset"
        raise FileNotFoundError(errno.ENOENT, missing, frames.address(name))
    return path


def _name(context: Any) -> str:
    period = context.asset_partition_key if context.has_asset_partitions else LATEST
    return frame_name("/".join(context.asset_key.path), period)
