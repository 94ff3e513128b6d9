"""Which files make a run's complete set, and which of them stand outside under their names."""

import json
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from billing_pipeline.assets.metadata import started_at
from billing_pipeline.assets.usage import review_name
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.rules import Rules
from billing_pipeline.profile import Profile
from billing_pipeline.reports.manifest import RunFacts
from billing_pipeline.resources.files import sha256_of, write_whole
from billing_pipeline.resources.outputs import DraftFile, OutputFiles
from billing_pipeline.resources.reviews import Approval, Decision

_SET_ONLY = ("lines", "differences")
_SENT = ("import", "adjustment", "credit_memo")  # stay outside for ever: an ERP may have taken them


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an auditor asks for beside the files: who decided and approved, and the usage file itself."""

    decisions: tuple[Decision, ...]
    approvals: tuple[Approval, ...]
    usage: Path


@dataclass(frozen=True, slots=True)
class RunSet:
    """The files of a run's set, each with its kind and hash."""

    files: Mapping[DraftFile, tuple[str, str]]

    def entries(self) -> Iterator[dict[str, object]]:
        """The manifest's entry of every file."""
        for file, (kind, digest) in self.files.items():
            yield {
                "name": file.name,
                "kind": kind,
                "sha256": digest,
                "bytes": file.path.stat().st_size,
                "named": file.named,
                "lasting": file.lasting,
            }


def facts_of_run(context: dg.AssetExecutionContext, run: str, prefix: str) -> RunFacts:
    """What a manifest says of the run that a step belongs to, finished now."""
    return RunFacts(run, started_at(context), datetime.now(UTC), version("billing-pipeline"), prefix)


def drafted_files(
    tables: Iterable[pl.DataFrame], set_only: Collection[str], lasting: Collection[str] = ()
) -> dict[DraftFile, tuple[str, str]]:
    """The files of file tables with kind and hash; those of the kinds `set_only` stand in the set alone."""
    return {
        DraftFile(
            row["name"], Path(row["path"]), named=row["kind"] not in set_only, lasting=row["kind"] in lasting
        ): (row["kind"], row["sha256"])
        for table in tables
        for row in table.iter_rows(named=True)
    }  # fmt: skip


def usage_copy(folder: Path, usage: Path) -> DraftFile:
    """A copy of the usage file for the set: the file outside belongs to others, who may change it."""
    name = f"inputs/{usage.name}"
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(usage, folder / name)
    return DraftFile(name, folder / name, named=False)


def run_set(
    outputs: OutputFiles,
    profile: Profile,
    period: Period,
    run: str,
    tables: list[pl.DataFrame],
    rules: Rules,
    *,
    evidence: Evidence | None,
    frozen: bool,
) -> RunSet:
    """The drafted files of `tables` and what belongs beside them: rules, review file, priced rows, evidence.

    `evidence` is of a month that is sent to people: what was sent then stays outside for ever. `frozen`: the month was
    sent before, so its import file stays as it was and this one is kept in the set only.
    """
    folder = outputs.draft_folder(period, run)
    files = drafted_files(tables, [*_SET_ONLY, *["import"] * frozen], _SENT if evidence else ())
    beside = dict(_beside(outputs, profile, period, run, folder, rules))
    if evidence:
        beside |= dict(_evidence(folder, evidence))
    return RunSet(files | {file: (kind, sha256_of(file.path)) for kind, file in beside.items()})


def _beside(
    outputs: OutputFiles, profile: Profile, period: Period, run: str, folder: Path, rules: Rules
) -> Iterator[tuple[str, DraftFile]]:
    snapshot = f"{profile.file_prefix}_billing_log/rules_snapshots/rules_snapshot_{period.key}_{run}.xlsx"
    write_whole(folder / snapshot, rules.workbook)
    yield "rules", DraftFile(snapshot, folder / snapshot, lasting=True)
    review = review_name(profile, period.dotted)
    write_whole(folder / review, outputs.read_named(review))
    yield "review", DraftFile(review, folder / review, named=False)
    priced = outputs.frame_path("priced_rows", period)
    yield "priced", DraftFile("priced_rows.parquet", priced, named=False)


def _evidence(folder: Path, evidence: Evidence) -> Iterator[tuple[str, DraftFile]]:
    yield "usage", usage_copy(folder, evidence.usage)
    document = {
        "decisions": [plain_values(decision) for decision in evidence.decisions],
        "approvals": [plain_values(approval) for approval in evidence.approvals],
    }
    decided = folder / "inputs" / "decisions.json"
    write_whole(decided, json.dumps(document, indent=2, ensure_ascii=False).encode())
    yield "decisions", DraftFile("inputs/decisions.json", decided, named=False)


def plain_values(fact: Any) -> dict[str, Any]:
    """A record of a month (a dataclass with its `period`) as values that JSON knows; amounts as text."""
    values = {**asdict(fact), "period": fact.period.key}
    return {
        key: value.isoformat() if isinstance(value, datetime) else str(value) if isinstance(value, Decimal) else value
        for key, value in values.items()
    }
