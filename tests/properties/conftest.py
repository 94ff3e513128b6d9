"""Hypothesis settings: the same examples every time in CI, no deadlines (the first frame of a process is slow)."""

import os

from hypothesis import HealthCheck, settings

# A book of forty rows is large by Hypothesis' measure; that is no sign of a bad strategy here.
settings.register_profile(
    "here", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.register_profile("ci", settings.get_profile("here"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")
