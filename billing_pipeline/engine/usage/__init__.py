"""The usage export: structure, typed rows, review flags and warnings, decisions."""

from billing_pipeline.engine.usage.carrying import carried, is_carried
from billing_pipeline.engine.usage.choices import Choice, Fault, Wish, checked, known_partners
from billing_pipeline.engine.usage.decision_file import Entry, read_decisions, read_entries
from billing_pipeline.engine.usage.decisions import apply_decisions, corrected, no_decisions, overrides_applied
from billing_pipeline.engine.usage.flags import kind_of, review_flags
from billing_pipeline.engine.usage.reading import cell_problems, read_usage, source_rows, typed_rows
from billing_pipeline.engine.usage.review import WITHDRAW, Decision, decisions_frame, in_force, together
from billing_pipeline.engine.usage.structure import Structure, check_structure
from billing_pipeline.engine.usage.subjects import Subject, flag_subjects, partner_called, row_at
from billing_pipeline.engine.usage.warnings import input_warnings

__all__ = [
    "WITHDRAW",
    "Choice",
    "Decision",
    "Entry",
    "Fault",
    "Structure",
    "Subject",
    "Wish",
    "apply_decisions",
    "carried",
    "cell_problems",
    "check_structure",
    "checked",
    "corrected",
    "decisions_frame",
    "flag_subjects",
    "in_force",
    "input_warnings",
    "is_carried",
    "kind_of",
    "known_partners",
    "no_decisions",
    "overrides_applied",
    "partner_called",
    "read_decisions",
    "read_entries",
    "read_usage",
    "review_flags",
    "row_at",
    "source_rows",
    "together",
    "typed_rows",
]
