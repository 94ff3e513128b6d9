"""From usage rows and rules to money: tiers, fees, minimum true-ups, controls, explanation."""

from billing_pipeline.engine.pricing.draft import NEEDS, Draft, draft, priced_rows

__all__ = ["NEEDS", "Draft", "draft", "priced_rows"]
