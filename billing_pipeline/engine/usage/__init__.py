"""The usage export: structure, typed rows, review flags and warnings, decisions."""

from billing_pipeline.engine.usage.decisions import apply_decisions, no_decisions, overrides_applied, read_decisions
from billing_pipeline.engine.usage.flags import review_flags
from billing_pipeline.engine.usage.reading import read_usage, source_rows, typed_rows
from billing_pipeline.engine.usage.structure import Structure, check_structure
from billing_pipeline.engine.usage.warnings import input_warnings

__all__ = [
    "Structure",
    "apply_decisions",
    "check_structure",
    "input_warnings",
    "no_decisions",
    "overrides_applied",
    "read_decisions",
    "read_usage",
    "review_flags",
    "source_rows",
    "typed_rows",
]
