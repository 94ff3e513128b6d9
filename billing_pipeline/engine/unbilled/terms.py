"""From when on unbilled work is told, and to whom other limits apply. Source: U6, U8 of unbilled hours."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class ClientLimit:
    """The limits of one client."""

    threshold: Decimal | None = None  # None: the general one
    days: int | None = None  # unbilled work older than this is told, whatever it is worth; None: age alone is not told


@dataclass(frozen=True, slots=True)
class UnbilledTerms:
    """Amounts are dollars; every comparison is strict: exactly the threshold is not above it."""

    threshold: Decimal = Decimal("1500.00")  # unbilled work of a project above this is told
    growth: Decimal = Decimal("500.00")  # and again when it has grown by this much since it was told
    old_days: int = 90  # unbilled work older than this is a finding of its own
    clients: Mapping[str, ClientLimit] = field(default_factory=dict)  # by client
