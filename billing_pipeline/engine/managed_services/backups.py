"""Backup charges: a base fee for each backed-up device, volume above the pooled allowance by the terabyte.

Volumes are whole bytes and are not rounded before they are priced. Source: spec 3.8; decision 17.
"""

import polars as pl

from billing_pipeline.engine.managed_services.exact import TERABYTE, exact, hundredths
from billing_pipeline.engine.managed_services.policy import Policy
from billing_pipeline.engine.money import AMOUNT

_SERVERS = ("Server", "VM")


def backup_charges(devices: pl.DataFrame, rates: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """account, bytes, workstations, servers (backed up), base_workstation, base_server (AMOUNT), overage_bytes (in
    hundredths of a byte), overage (EXACT) of every billable client.

    devices: typed_devices(). Counted by effective type, or by the one the source gave; those entered by hand have none.
    """
    kind = pl.col("effective") if policy.backup_counts_by_effective_type else pl.when("typed").then("type")
    backed = pl.col("bytes").fill_null(0) > 0
    sums = (
        devices.filter(pl.col("device_id").is_not_null())
        .group_by("account")
        .agg(
            pl.col("bytes").fill_null(0).sum(),
            (backed & (kind == "Workstation")).fill_null(value=False).sum().cast(pl.Int64).alias("workstations"),
            (backed & kind.is_in(_SERVERS)).fill_null(value=False).sum().cast(pl.Int64).alias("servers"),
        )
    )
    joined = rates.join(sums, on="account", how="left", maintain_order="left").with_columns(
        pl.col("bytes", "workstations", "servers").fill_null(0)
    )
    included = (
        (pl.col("workstations") + pl.col("servers")).cast(pl.Int128) * hundredths("backup_included_tb") * TERABYTE
    )
    over = (pl.col("bytes").cast(pl.Int128) * 100 - included).clip(0).alias("overage_bytes")
    priced = joined.with_columns(over).with_columns(
        # hundredths of bytes x cents, to 12 decimals of a dollar: 10^12 / (10^4 x 2^40)
        trillionths=pl.col("overage_bytes") * hundredths("backup_per_tb_fee") * 10**8 // TERABYTE
    )
    return priced.select(
        "account",
        "bytes",
        "workstations",
        "servers",
        _times("workstations", "backup_base_fee_workstation").alias("base_workstation"),
        _times("servers", "backup_base_fee_server").alias("base_server"),
        "overage_bytes",
        exact(pl.col("trillionths")).alias("overage"),
    )


def _times(count: str, fee: str) -> pl.Expr:
    return (pl.col(count).cast(pl.Decimal(18, 2)) * pl.col(fee)).cast(AMOUNT)
