"""The billing knowledge: pure functions over Polars frames. No Dagster, no network, no files, no clock, no settings."""
