"""What `doctor` has to say of one thing it looked at."""

from dataclasses import asdict, dataclass

FINE, NOTE, ATTENTION = "fine", "note", "attention"
_SHOWN = 5  # names listed before "and n more"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: fine, worth knowing (note), or in need of a person (attention), with what to do."""

    subject: str
    state: str
    found: str
    advice: str = ""

    def as_dict(self) -> dict[str, str]:
        """The finding as plain values, for JSON."""
        return asdict(self)


def listed(names: list[str]) -> str:
    """The first names, and how many more."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
