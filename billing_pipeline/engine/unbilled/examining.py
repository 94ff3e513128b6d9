"""One look at unbilled work: from the texts of both feeds to every figure that is told of them.

What belongs here: the order of the steps. What does not: any rule. Source: spec 2 of unbilled hours.
"""

from dataclasses import dataclass
from datetime import date

import polars as pl

from billing_pipeline.engine.unbilled import (
    balance,
    client_summary,
    judged_logs,
    leaks,
    project_summary,
    typed_contracts,
    typed_logs,
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


def examined(logs_texts: pl.DataFrame, contract_texts: pl.DataFrame, as_of: date, terms: UnbilledTerms) -> Examined:
    """Judge the logs (LOG_TEXTS) by the contracts (CONTRACT_TEXTS). InputError: contracts that cannot be used."""
    contracts = typed_contracts(contract_texts)
    return found_in(judged_logs(typed_logs(logs_texts), contracts), contracts, as_of, terms)


def found_in(judged: pl.DataFrame, contracts: pl.DataFrame, as_of: date, terms: UnbilledTerms) -> Examined:
    """What there is in logs that are judged (JUDGED), of these CONTRACTS."""
    projects = project_summary(judged, as_of, terms)
    return Examined(
        as_of, judged, balance(judged), leaks(judged, contracts, as_of, terms), projects, client_summary(projects)
    )
