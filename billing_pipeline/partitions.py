"""Months as partitions, one definition for every capability; the current month is included."""

import dagster as dg

from billing_pipeline.engine.period import Period
from billing_pipeline.settings import load_settings

_settings = load_settings()
MONTHS = dg.MonthlyPartitionsDefinition(
    start_date=_settings.start_month, fmt="%Y-%m", end_offset=1, timezone=_settings.timezone
)


def period_of(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> Period:
    """The month a step works on."""
    return Period.parse(context.partition_key)
