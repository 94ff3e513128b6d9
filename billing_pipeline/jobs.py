"""Jobs: what is materialised together."""

import dagster as dg

from billing_pipeline.partitions import MONTHS

_ONE_WRITER = dg.PartitionedConfig(
    partitions_def=MONTHS,
    run_config_for_partition_key_fn=lambda _: {},
    tags_for_partition_key_fn=lambda month: {"billing/writer": f"billing:{month}"},  # dagster.yaml: one run per value
)
close_month = dg.define_asset_job(
    "close_month",
    selection=dg.AssetSelection.groups("inputs", "review", "billing", "publication"),
    config=_ONE_WRITER,
    description="Price a month, write its invoices and reports, check them, publish them when the gate is open.",
)
scan_month = dg.define_asset_job(
    "scan_month",
    selection=dg.AssetSelection.groups("inputs", "review"),
    config=_ONE_WRITER,
    description="Read a month's usage and rules and list what has to be reviewed; prices nothing.",
)
