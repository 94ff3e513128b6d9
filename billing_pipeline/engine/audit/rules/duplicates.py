"""The same unit of work on several rows: within a sheet, or in copies of sheets. Source: Q31."""

import polars as pl

from billing_pipeline.engine.audit.drafting import draft
from billing_pipeline.engine.audit.snapshot import KEY, is_billable
from billing_pipeline.engine.audit.tables import DUPLICATE, DUPLICATE_ACROSS

_SAME = ["work_request", "week_ending", "work_date", "point", "unit_code", "work_type", "quantity"]


def duplicates(rows: pl.DataFrame) -> pl.DataFrame:
    """DRAFT of groups of billable rows (ROWS) that say the same work; each group is worth all but its dearest row.

    Within a sheet day, point and unit code have to be given, because blanks do not say the same thing. Across sheets
    blanks are equal: there a copy is looked for. One finding stands for a group, at its first row.
    """
    alike = _alike(rows)
    said = alike.drop_nulls(["work_date", "point", "unit_code"])
    within = _groups(said, ["sheet_id", *_SAME], pl.col("row_id"), pl.col("price").sum() - pl.col("price").max())
    one_a_sheet = alike.group_by("sheet_id", *_SAME).agg(pl.col("price").max())
    stakes = one_a_sheet.group_by(_SAME).agg(
        sheets=pl.len(), stake_across=pl.col("price").sum() - pl.col("price").max()
    )  # fmt: skip
    spread = alike.join(stakes.filter(pl.col("sheets") > 1), on=_SAME, nulls_equal=True)
    across = _groups(spread, _SAME, pl.concat_str(KEY, separator=":"), pl.col("stake_across").first())
    return pl.concat(
        [
            _drafts(within, DUPLICATE, "duplicate_in_sheet", "{} rows of the sheet say the same work"),
            _drafts(across, DUPLICATE_ACROSS, "duplicate_across_sheets", "{} rows of several sheets say the same work"),
        ]
    )


def _alike(rows: pl.DataFrame) -> pl.DataFrame:
    """The few billable rows that may have a twin: equal rows have equal hashes, which are cheap to compare."""
    billable = rows.lazy().with_row_index("place").filter(is_billable())
    hashed = billable.select("place", hash=pl.struct(_SAME).hash()).collect()
    return rows[hashed.filter(pl.col("hash").is_duplicated())["place"]]


def _groups(rows: pl.DataFrame, same: list[str], member: pl.Expr, stake: pl.Expr) -> pl.DataFrame:
    """One row of each group of several: its first one's facts, `count`, `members` (sorted), `stake`."""
    facts = [pl.col(name).first() for name in (*KEY, "modified_by", "permalink") if name not in same]
    grouped = rows.sort(KEY).group_by(same, maintain_order=True)
    listed = grouped.agg(*facts, count=pl.len(), members=member.str.join(", "), stake=stake)
    return listed.filter(pl.col("count") > 1)


def _drafts(groups: pl.DataFrame, category: str, rule: str, why: str) -> pl.DataFrame:
    return draft(
        groups,
        category,
        rule,
        new=pl.col("members"),
        dollars=pl.col("stake"),
        discriminator=pl.col("members"),
        why=pl.format(why + ", in all {} more than one", "count", "stake"),
    )
