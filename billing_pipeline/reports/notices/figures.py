"""Numbers as people read them in a text: thousands separated, exact, never a float."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal


def amount(value: Decimal) -> str:
    """An amount in cents: `1,234.50`."""
    return f"{value:,.2f}"


def signed(value: Decimal) -> str:
    """A difference in cents: `+1,234.50`, `-0.10`, `0.00`."""
    return f"{value:+,.2f}" if value else amount(value)


def figure(value: Decimal) -> str:
    """A number of rows, users or money: whole ones without decimals, others with at least two."""
    whole, _, fraction = f"{value:,f}".partition(".")
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction:0<2}" if fraction else whole


def change(value: Decimal, before: Decimal) -> str:
    """How far `value` is from `before`, in money and per cent (one decimal, half away from zero)."""
    gap = value - before
    if not before:
        return signed(gap)
    percent = (gap * 100 / abs(before)).quantize(Decimal("0.1"), ROUND_HALF_UP)
    return f"{signed(gap)} ({percent:+,}%)" if percent else f"{signed(gap)} ({abs(percent)}%)"


def counted(count: int, thing: str) -> str:
    """`1 row`, `2,000 rows`."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def aligned(amounts: Sequence[tuple[str, Decimal]]) -> list[str]:
    """Names and signed amounts in two columns."""
    figures = [signed(value) for _, value in amounts]
    names, widest = max(len(name) for name, _ in amounts), max(map(len, figures))
    return [f"{name:<{names}}  {text:>{widest}}" for (name, _), text in zip(amounts, figures, strict=True)]
