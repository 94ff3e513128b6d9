"""Files that arrive in the usage folder: which are usage, when they have arrived, what is started and what is told."""

from billing_pipeline.engine.usage.arrivals.deciding import Content, Decision, Facts, Start, decide, unreachable
from billing_pipeline.engine.usage.arrivals.looking import Limits, Seen, Survey, open_contents, stable, survey
from billing_pipeline.engine.usage.arrivals.memory import Memory, Remembered, memory_text, read_memory
from billing_pipeline.engine.usage.arrivals.messages import Kind, Told
from billing_pipeline.engine.usage.arrivals.names import Claim, claim_of, is_temporary, period_of_name

__all__ = [
    "Claim",
    "Content",
    "Decision",
    "Facts",
    "Kind",
    "Limits",
    "Memory",
    "Remembered",
    "Seen",
    "Start",
    "Survey",
    "Told",
    "claim_of",
    "decide",
    "is_temporary",
    "memory_text",
    "open_contents",
    "period_of_name",
    "read_memory",
    "stable",
    "survey",
    "unreachable",
]
