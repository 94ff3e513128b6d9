"""Whether undecided flags keep a month from being published."""

import dagster as dg


class Gate(dg.ConfigurableResource["Gate"]):
    """`gated`: undecided flags close the gate (the automatic path); otherwise they are only counted (ad-hoc runs)."""

    gated: bool = True
    readback_rows: int = 50_000
