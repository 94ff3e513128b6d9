"""How an installation bills its clients beside what plans say: where months begin, how much may be gone at once."""

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import dagster as dg


class ClientRules(dg.ConfigurableResource["ClientRules"]):
    """`zone`: where months begin. `largest_drop`: share of a listing, as text. `overlap_hours`: of ticket pulls."""

    zone: str = "UTC"
    largest_drop: str = "0.2"
    overlap_hours: int = 48

    def local(self, at: datetime) -> datetime:
        """The moment as clocks show it there."""
        return at.astimezone(ZoneInfo(self.zone))

    @property
    def drop(self) -> Decimal:
        return Decimal(self.largest_drop)
