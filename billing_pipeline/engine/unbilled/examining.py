"""One look at unbilled work: from logs that are judged to every figure that is told of them.

What belongs here: the order of the steps. What does not: any rule. Source: spec 2 of unbilled hours.
"""

from dataclasses import dataclass
from datetime import date

import polars as pl

from billing_pipeline.engine.unbilled import (
    balance,
    client_summary,
    leaks,
    project_summary,
)
from billing_pipeline.engine.unbilled.terms import UnbilledTerms


@dataclass(frozen=True, slots=True, eq=False)  # frames have no truth of being equal
class Examined:
    """What was found on a day: JUDGED, BALANCE, LEAKS, PROJECTS, CLIENTS."""

    as_of: date
    judged: pl.DataFrame
    balance: pl.DataFrame
    leaks: pl.DataFrame
    projects: pl.DataFrame
    clients: pl.DataFrame


def examined(judged: pl.DataFrame, contracts: pl.DataFrame, as_of: date, terms: UnbilledTerms) -> Examined:
    """What there is in logs that are judged (JUDGED), of these CONTRACTS."""
    projects = project_summary(judged, as_of, terms)
    return Examined(
        as_of, judged, balance(judged), leaks(judged, contracts, as_of, terms), projects, client_summary(projects)
    )
