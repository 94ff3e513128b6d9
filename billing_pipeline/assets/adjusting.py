"""The files of an adjusting release: written, read back, and tied to the release they correct."""

from pathlib import Path

import polars as pl

from billing_pipeline.engine.close.releases import CREDIT_MEMO, INVOICE
from billing_pipeline.engine.errors import GateError
from billing_pipeline.engine.invoicing import import_problems, split_lines
from billing_pipeline.engine.money import AMOUNT, total
from billing_pipeline.reports.csv_files import csv_bytes, part_name
from billing_pipeline.resources.files import write_whole
from billing_pipeline.resources.releases import Release

DIFFERENCES = "differences.parquet"
_FILES = {
    INVOICE: ("adjustment", "adjustments", "Invoice External ID"),
    CREDIT_MEMO: ("credit_memo", "credit_memos", "Credit Memo External ID"),
}


def write_adjustments(folder: Path, prefix: str, version: str, lines: pl.DataFrame) -> dict[str, str]:
    """Write engine.close.adjustment_lines into `folder`; name and kind of each file (none without lines).

    GateError when a file breaks the import contract, or does not add up to the lines when it is read back.
    """
    kinds: dict[str, str] = {}
    for kind, (file_kind, title, id_column) in _FILES.items():
        of_kind = lines.filter(pl.col("kind") == kind).drop("kind")
        for part, piece in enumerate(split_lines(of_kind) if of_kind.height else [], 1):
            name = part_name(f"{prefix}_netsuite/{prefix}_netsuite_{title}_{version}", part)
            write_whole(folder / name, csv_bytes(piece.rename({"Invoice External ID": id_column})))
            _check(folder / name, piece, id_column)
            kinds[name] = file_kind
    return kinds


def differences_of(adjustments: pl.DataFrame) -> pl.DataFrame:
    """The differences behind the files: engine.close.line_differences."""
    return pl.read_parquet(adjustments.filter(pl.col("kind") == "differences")["path"].item())


def refuse_other_release(adjustments: pl.DataFrame, sent: Release | None) -> None:
    """GateError when the adjustments correct another release than the month's last one."""
    if adjustments["against"][0] != (sent.run_id if sent else ""):
        raise GateError("another release was made since the adjustments were drafted; materialise the month again")


def _check(path: Path, lines: pl.DataFrame, id_column: str) -> None:
    written = pl.read_csv(path, infer_schema=False).rename({id_column: "Invoice External ID"})
    back = written.with_columns(pl.col("Amount").cast(AMOUNT))
    problems = import_problems(back)
    if total(back["Amount"]) != total(lines["Amount"]) or back.height != lines.height:
        problems.append("what was written is not what was drafted")
    if problems:
        raise GateError(f"{path.name} cannot be imported: {'; '.join(problems)}")
