"""Jobs: what is materialised together."""

import dagster as dg

close_month = dg.define_asset_job(
    "close_month",
    selection=dg.AssetSelection.groups("inputs", "review", "billing", "publication"),
    description="Price a month, write its invoices and reports, check them, publish them when the gate is open.",
)
scan_month = dg.define_asset_job(
    "scan_month",
    selection=dg.AssetSelection.groups("inputs", "review"),
    description="Read a month's usage and rules and list what has to be reviewed; prices nothing.",
)
