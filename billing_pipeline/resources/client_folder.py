"""Client listings out of a folder of CSV or Parquet files, for clients of managed services without a vendor's API.

What belongs here: finding a listing's one file and reading it whole, every cell as text. What does not: what a cell
means (engine.managed_services.listings), whose record is gone (engine.managed_services.merging).
"""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from billing_pipeline.engine.cells import header_name
from billing_pipeline.engine.errors import InputError, Problem
from billing_pipeline.engine.managed_services.pulled import COMPANIES, LISTINGS, NEEDED
from billing_pipeline.resources.files import blocks_of, read_whole
from billing_pipeline.resources.text_tables import csv_table, parquet_table

SOURCE = "folder"  # of records whose file names none
_EXACT = (pl.String, pl.Boolean, pl.Date, pl.Null, pl.Categorical, pl.Enum)
_SUFFIXES = ("csv", "parquet")
_HOUR = 3_600_000_000  # microseconds


@dataclass(frozen=True, slots=True)
class ListingFile:
    """A listing's file by name, and its columns that no listing has, which are ignored."""

    name: str
    ignored: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClientFolder:
    """The folder with `companies`, `contacts`, `devices`, `backup_volumes`, `time_entries`, as .csv or .parquet each.

    Headers are matched regardless of case and of blanks for underscores; columns that no listing has are ignored.
    """

    path: Path

    def listing(self, name: str) -> pl.DataFrame:
        """The columns of LISTINGS[name] as text; without rows when there is no such file, but companies there must be.

        Whole cells as they stand in the file; a blank `source` is `folder`. InputError, naming the file and the line
        where it has one: two files of the listing, no file of companies, a file that is no table of UTF-8 text or lacks
        a column of NEEDED, a column of numbers that are not exact, a file that is still being written.
        """
        path = self._path_of(name)
        if path is None:
            return pl.DataFrame(schema=dict.fromkeys(LISTINGS[name], pl.String))
        return _listing(name, path, _rows(name, path))

    def looked_at(self, name: str) -> ListingFile | None:
        """The file that `listing` reads, whose errors these are; None when there is none, and need not be."""
        path = self._path_of(name)
        if path is None:
            return None
        rows = _rows(name, path)
        _listing(name, path, rows)
        return ListingFile(path.name, tuple(column for column in rows.columns if column not in LISTINGS[name]))

    def others(self) -> list[str]:
        """Files that look like listings but have no listing's name, and are not read."""
        tables = [path for path in self.path.glob("*") if path.suffix.lower() in (".csv", ".parquet")]
        known = {f"{name}.{suffix}" for name in LISTINGS for suffix in _SUFFIXES}
        return sorted(path.name for path in tables if path.name not in known)

    def _path_of(self, name: str) -> Path | None:
        if not self.path.is_dir():
            raise InputError(Problem("the folder of the client listings is not there", file=str(self.path)))
        found = [path for suffix in _SUFFIXES if (path := self.path / f"{name}.{suffix}").exists()]
        if len(found) > 1:
            both = " and ".join(path.name for path in found)
            raise InputError(Problem(f"has both {both}; keep the one that counts", file=str(self.path)))
        if not found and name == COMPANIES:
            columns = ",".join(LISTINGS[name])
            message = f"has no {name}.csv or {name}.parquet; put one there with the columns {columns}"
            raise InputError(Problem(message, file=str(self.path)))
        return found[0] if found else None


def _rows(name: str, path: Path) -> pl.DataFrame:
    """The file's rows under their lower-case headers, its other columns included."""
    return _csv(name, path) if path.suffix == ".csv" else _parquet(path)


def _csv(name: str, path: Path) -> pl.DataFrame:
    table = csv_table(path.name, blocks_of(path), rows_expected=name == COMPANIES)
    return table.rows.rename(str.lower)


def _parquet(path: Path) -> pl.DataFrame:
    rows = parquet_table(path.name, read_whole(path))
    names = [header_name(column) for column in rows.columns]
    twice = sorted({column for column in names if names.count(column) > 1})
    if twice:
        raise InputError(Problem(f"two columns mean the same: {', '.join(twice)}", file=path.name))
    rows.columns = names
    return rows


def _listing(name: str, path: Path, rows: pl.DataFrame) -> pl.DataFrame:
    """The listing's columns of the file, as text."""
    columns = list(LISTINGS[name])
    missing = [column for column in NEEDED[name] if column != "source" and column not in rows.columns]
    if missing:
        seen = ", ".join(rows.columns)
        line = 1 if path.suffix == ".csv" else None
        raise InputError(Problem(f"column {', '.join(missing)} is missing; the file has: {seen}", path.name, line))
    absent = [pl.lit(None, pl.String).alias(column) for column in columns if column not in rows.columns]
    chosen = rows.with_columns(absent).select(columns)
    texts = chosen.select(_text(column, dtype, path) for column, dtype in chosen.schema.items())
    if "source" not in columns:
        return texts
    given = pl.col("source").str.contains(r"\S").fill_null(value=False)
    return texts.with_columns(pl.when(given).then("source").otherwise(pl.lit(SOURCE)).alias("source"))


def _text(column: str, dtype: pl.DataType, path: Path) -> pl.Expr:
    """The column as the text that says exactly what it holds; InputError for a type that has none."""
    cell = pl.col(column)
    if isinstance(dtype, pl.Datetime):
        zone = "Z" if dtype.time_zone else ""
        utc = cell.dt.convert_time_zone("UTC") if dtype.time_zone else cell
        return utc.dt.strftime(f"%Y-%m-%dT%H:%M:%S%.f{zone}")
    if isinstance(dtype, pl.Duration):
        return _clock(cell).alias(column)
    if dtype.is_integer() or dtype.is_decimal() or dtype in _EXACT:
        return cell.cast(pl.String)
    if dtype.is_float():
        message = f"column {column} holds binary floats ({dtype}), which are not exact; write whole numbers or text"
        raise InputError(Problem(message, file=path.name))
    raise InputError(Problem(f"column {column} holds {dtype}, which is no text, number or time", file=path.name))


def _clock(duration: pl.Expr) -> pl.Expr:
    """A duration as H:MM:SS.ffffff."""
    micros = duration.dt.total_microseconds()
    sign = pl.when(micros < 0).then(pl.lit("-")).otherwise(pl.lit(""))
    hours, rest = micros.abs() // _HOUR, micros.abs() % _HOUR
    minutes, seconds, fine = rest // 60_000_000, rest // 1_000_000 % 60, rest % 1_000_000
    padded = (part.cast(pl.String).str.zfill(width) for part, width in ((minutes, 2), (seconds, 2), (fine, 6)))
    return pl.format("{}{}:{}:{}.{}", sign, hours, *padded)
