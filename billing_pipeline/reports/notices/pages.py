"""The addresses of Dagster's pages, for links in texts that people are sent."""

from billing_pipeline.engine.period import Period


def run_page(ui_url: str, dagster_run_id: str) -> str:
    """The address of a run in Dagster's pages."""
    return f"{ui_url.rstrip('/')}/runs/{dagster_run_id}"


def asset_page(ui_url: str, asset: str, period: Period) -> str:
    """The address of an asset's month in Dagster's pages."""
    return f"{ui_url.rstrip('/')}/assets/{asset}?view=partitions&partition={period.key}"
