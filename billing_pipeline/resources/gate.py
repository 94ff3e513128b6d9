"""What keeps a month from being published, and what publication means: the policy of an installation or a folder."""

import dagster as dg


class Gate(dg.ConfigurableResource["Gate"]):
    """`gated`: undecided flags close the gate (the automatic path); otherwise they are only counted (ad-hoc runs).

    `releases`: publishing makes a release and tells people; otherwise files are written and nobody is told.
    `approvers`: different people a reviewed month needs. `manual`: a month without questions needs one as well.
    `readback_rows`: partner workbooks are read back in full up to this many rows.
    """

    gated: bool = True
    releases: bool = False
    approvers: int = 1
    manual: bool = False
    lease_seconds: float = 30
    readback_rows: int = 50_000
    ui_url: str = "http://localhost:3000"
