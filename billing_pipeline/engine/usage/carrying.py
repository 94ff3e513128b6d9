"""Which decisions on an earlier usage file of a month hold for a new one: those whose row or partner flag is the same.

Source: decision 8, spec 8.4 (Q30, Q64).
"""

import re
from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from billing_pipeline.engine.pricing.partners import with_keys
from billing_pipeline.engine.usage.flags import kind_of
from billing_pipeline.engine.usage.identity import found_again
from billing_pipeline.engine.usage.review import PARTNER, Decision

_NOTE = re.compile(r"^carried over from usage file [0-9a-f]*(: )?")


def carried(
    earlier: Sequence[Decision], usage: pl.DataFrame, flags: pl.DataFrame, usage_sha256: str
) -> tuple[list[Decision], list[Decision]]:
    """The decisions in force on an earlier file, as decisions on this one, and those that do not fit it.

    A decision about a row is carried when the row is there with the same cells, wherever it stands now; one about a
    partner when its flag is there, or, without a flag, its rows. `flags`: of review_flags() without any decision.
    Reviewer and time stay; the reason says where it comes from.
    """
    rows = [decision for decision in earlier if decision.scope != PARTNER]
    wanted = pl.DataFrame(
        [(decision.row_id, decision.subject) for decision in rows],
        schema={"row_id": pl.String, "subject": pl.String},
        orient="row",
    )
    lines = dict(found_again(usage, wanted).select("row_id", "line").iter_rows())
    partners = _partners(earlier, usage, flags)
    taken, left = [], []
    for decision in earlier:
        known = partners.get((decision.flag_type, decision.partner_key))
        line = known if decision.scope == PARTNER else lines.get(decision.row_id)
        if line is None:
            left.append(decision)
        else:
            reason = f"carried over from usage file {decision.usage_sha256[:16]}: {_NOTE.sub('', decision.reason)}"
            taken.append(
                replace(decision, usage_sha256=usage_sha256, line=line, reason=reason.removesuffix(": "), id=0)
            )
    return taken, left


def is_carried(decision: Decision) -> bool:
    """Whether a decision was made on an earlier usage file of its month."""
    return _NOTE.match(decision.reason) is not None


def _partners(earlier: Sequence[Decision], usage: pl.DataFrame, flags: pl.DataFrame) -> dict[tuple[str, str], int]:
    """Line of the first row by flag kind and partner key; kind "" for partners without a flag that are asked for."""
    found = {
        (kind_of(flag), key): line
        for flag, key, line in flags.filter(pl.col("scope") == PARTNER)
        .select("flag_id", "partner_key", "line")
        .iter_rows()
    }
    unflagged = [d.partner_key for d in earlier if d.scope == PARTNER and not d.flag_type]
    if unflagged:
        keyed = with_keys(usage.select("line", "position", "PARTNER_ID", "PARTNER_NAME"))
        first = (
            keyed.filter(pl.col("partner_key").is_in(unflagged)).sort("position").unique("partner_key", keep="first")
        )
        found |= {("", key): line for key, line in first.select("partner_key", "line").iter_rows()}
    return found
