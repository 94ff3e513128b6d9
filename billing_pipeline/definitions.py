"""The one door for Dagster."""

from billing_pipeline.build import build_defs

defs = build_defs()
