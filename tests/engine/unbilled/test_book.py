"""Books of known leakage: everything that was planted is found, with its figures, and nothing else is."""

import polars as pl
import pytest

from billing_pipeline.engine.unbilled import balance, judged_logs, leaks, project_summary
from billing_pipeline.engine.unbilled.tables import KINDS, QUARANTINE, TIME_LEAKAGE
from tests.engine.unbilled.books import book
from tests.engine.unbilled.records import AS_OF, TERMS, contracts, logs


@pytest.mark.parametrize("seed", [1, 2026])
def test_all_that_was_planted_is_found_and_nothing_else(seed: int) -> None:
    made = book(seed, projects=300)
    rules = contracts(*made.contracts)
    judged = judged_logs(logs(*made.logs), rules)
    found = leaks(judged, rules, AS_OF, TERMS)
    assert found["finding_key"].is_unique().all()
    for kind in KINDS:
        rows = found.filter(pl.col("category") == kind).with_columns(
            name=pl.when(pl.col("category") == QUARANTINE).then("why").otherwise("project_id")
        )
        figures = {name: (hours, dollars) for name, hours, dollars in rows.select("name", "hours", "dollars").rows()}
        planted = made.planted[kind]
        right = sum(planted.get(name) == figure for name, figure in figures.items())
        shares = f"recall {right / len(planted):.0%}, precision {right / rows.height:.0%}"
        print(f"{kind}: {len(planted)} planted, {rows.height} found, {shares}")  # noqa: T201  # shown by pytest -s
        assert len(planted) > 5
        assert figures == planted
        assert rows.height == len(planted)
    leaked = project_summary(judged, AS_OF, TERMS)
    assert dict(zip(leaked["project_id"], leaked["amount"], strict=True)) == {
        project: dollars for project, (_, dollars) in made.planted[TIME_LEAKAGE].items()
    }
    assert balance(judged).row(4)[1] == len(made.logs)
