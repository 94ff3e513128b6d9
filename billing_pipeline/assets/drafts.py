"""Drafts between assets: which inputs a draft was made of, and the files made from it that wait for publication."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import dagster as dg
import polars as pl

from billing_pipeline.engine.errors import GateError
from billing_pipeline.engine.rules import Rules
from billing_pipeline.resources.files import sha256_of

INVOICE_KINDS = ("import", "held")
LINES_FILE = "invoice_lines.parquet"  # every invoice line of a draft: what a later release is compared with
CHECKS_FILE = "checks.json"  # in a run's draft folder: what the checks of an entry or of bills found, by name
CONTROLS_FILE = "controls.parquet"  # in a run's draft folder: what its checks judge


def draft_id(usage_file: pl.DataFrame, rules: Rules, decisions: pl.DataFrame) -> str:
    """Which inputs a draft was made of: twelve hex digits over the hashes of usage file, rules and decisions."""
    decided = hashlib.sha256(decisions.write_json().encode()).hexdigest()
    return hashlib.sha256(f"{usage_file['sha256'][0]}|{rules.sha256}|{decided}".encode()).hexdigest()[:12]


def file_table(folder: Path, kinds: Mapping[str, str], draft: str) -> pl.DataFrame:
    """The files of a draft folder: name (place under the outputs folder), kind, path, sha256, bytes, draft."""
    paths = {name: folder / name for name in kinds}
    return pl.DataFrame(
        [(name, kinds[name], str(path), sha256_of(path), path.stat().st_size, draft) for name, path in paths.items()],
        schema={**dict.fromkeys(("name", "kind", "path", "sha256"), pl.String), "bytes": pl.Int64, "draft": pl.String},
        orient="row",
    )


def check_results(folder: Path, asset: str, names: Iterable[str]) -> Iterator[dg.AssetCheckResult]:
    """A result for each named check of the asset, of what the run wrote into CHECKS_FILE of its draft folder."""
    found = json.loads((folder / CHECKS_FILE).read_bytes())
    for name in names:
        texts = found[name]
        shown = {"problems": dg.MetadataValue.md("\n".join(f"- {text}" for text in texts[:20]) or "none")}
        yield dg.AssetCheckResult(
            check_name=name, asset_key=asset, passed=not texts, metadata=shown, description="; ".join(texts[:5])
        )


def first_draft(priced_rows: pl.LazyFrame) -> str:
    """The draft that priced rows belong to: all of them to one."""
    return str(priced_rows.select("draft").head(1).collect().item())


def refuse_mixed_drafts(current: str, frames: Mapping[str, pl.DataFrame]) -> None:
    """GateError unless every asset was made of the current inputs: a month is published from one draft only."""
    stale = sorted(asset for asset, frame in frames.items() if (frame["draft"] != current).any())
    if stale:
        raise GateError(f"made of other inputs than the current ones: {', '.join(stale)}; materialise them again")


def refuse_altered(tables: Iterable[pl.DataFrame]) -> None:
    """GateError unless every drafted file still has the bytes that the controls read back."""
    for table in tables:
        for name, path, digest in table.select("name", "path", "sha256").iter_rows():
            if not Path(path).is_file() or sha256_of(Path(path)) != digest:
                raise GateError(f"{name} was altered after it was drafted; materialise it again")
