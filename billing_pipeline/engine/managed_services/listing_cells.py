"""The cells of a pulled listing: closed lists of what is taken for a flag, a day, a moment, worked time, a volume.

What belongs here: from trimmed text (blank is null) to an exact value, and why a text has none. What does not: what
becomes of the record then (listings). Text is matched before it is cast, because casts round and guess.
"""

from collections.abc import Callable

import polars as pl

from billing_pipeline.engine.managed_services.tables import UTC_TIME, WORKED

MOST_BYTES = 2**60
_MOST_HOURS = 10_000
_HOUR = 3_600_000  # milliseconds
_LONGEST_SHOWN = 80  # characters of a cell in a message
_YES, _NO = ("yes", "true", "y", "1"), ("no", "false", "n", "0")
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"((?:[01][0-9]|2[0-3]):[0-5][0-9])(?::([0-5][0-9])(?:\.([0-9]+))?)?"
_ZONE = r"([Zz]|UTC|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)"
_MOMENT = rf"^({_DAY})(?:[Tt ]{_CLOCK} ?{_ZONE}?)?$"
_PLAIN = rf"^{_DAY}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$"
_WORKED = r"^(-?)([0-9]*)(?::([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?|\.([0-9]*))?$"
_VOLUME = r"^(-?)([0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)$"


def shown(text: pl.Expr) -> pl.Expr:
    """Text from outside, fit for a message: no control characters, no endless cells."""
    clean = text.str.replace_all(r"[\p{C}\p{Zl}\p{Zp}]", "\N{REPLACEMENT CHARACTER}")
    short = clean.str.slice(0, _LONGEST_SHOWN - 1) + "…"
    return pl.when(clean.str.len_chars() > _LONGEST_SHOWN).then(short).otherwise(clean)


def flags(text: pl.Series) -> pl.DataFrame:
    """yes/no, true/false, y/n, 1/0 in any case: columns `value` (Boolean) and `problem`.

    >>> flags(pl.Series(["Yes", "0", "maybe", None]))["value"].to_list()
    [True, False, None, None]
    """
    lower = pl.col("text").str.to_lowercase()
    value = pl.when(lower.is_in(_YES)).then(pl.lit(True)).when(lower.is_in(_NO)).then(pl.lit(False))
    return _parsed(text.to_frame("text"), value, _unless(value, "is neither yes nor no"))


def days(text: pl.Series) -> pl.DataFrame:
    """ISO dates, and the date part of ISO date-times as written: columns `value` (Date) and `problem`.

    A day written otherwise is none: nobody can say which of 1/2/2025 is the month.

    >>> days(pl.Series(["2025-01-15T00:00:00Z", "15/01/2025", "2025-02-30"]))["value"].to_list()
    [datetime.date(2025, 1, 15), None, None]
    """
    value = _in_range(pl.col("text").str.extract(_MOMENT, 1).str.to_date("%Y-%m-%d", strict=False))
    return _parsed(text.to_frame("text"), value, _unless(value, "is not a date (YYYY-MM-DD)"))


def moments(text: pl.Series) -> pl.DataFrame:
    """ISO times: columns `value` (UTC_TIME) and `problem`. One without a zone is UTC, and that is a problem as well.

    Source: decision 18; Q12.

    >>> moments(pl.Series(["2025-09-10T01:00+02:00", "2025-09-10"]))["value"].dt.to_string("iso").to_list()
    ['2025-09-09 23:00:00.000000+00:00', '2025-09-10 00:00:00.000000+00:00']
    """
    plain = pl.when(pl.col("text").str.contains(_PLAIN)).then("text")
    value = _in_range(plain.str.to_datetime("%Y-%m-%dT%H:%M:%SZ", strict=False)).dt.replace_time_zone("UTC")
    usual = text.to_frame("text").select(value.cast(UTC_TIME)).to_series()  # what systems write: fast
    unusual = _spread(text, text.filter(usual.is_null()), _moments)
    return unusual.with_columns(usual.alias("usual")).select(pl.coalesce("value", "usual").alias("value"), "problem")


def times_worked(text: pl.Series) -> pl.DataFrame:
    """H:MM, H:MM:SS or decimal hours, up to 10,000 hours: columns `value` (WORKED) and `problem`.

    What is finer than a millisecond is rounded half up; hours may have eight decimals. Source: spec 2.2; Q14.

    >>> times_worked(pl.Series(["01:30", "0.33333333", "-1:00"]))["value"].dt.total_milliseconds().to_list()
    [5400000, 1200000, None]
    """
    return _spread(text, text, _times_worked)


def volumes(text: pl.Series) -> pl.DataFrame:
    """Whole bytes, plain or in groups of three; blank is none at all: columns `value` (Int64) and `problem`.

    Source: spec 2.3; Q5.

    >>> volumes(pl.Series(["1,099,511,627,776", None, "1.5e12"]))["value"].to_list()
    [1099511627776, 0, None]
    """
    parts = _groups(text, _VOLUME, "sign", "digits").with_columns(
        pl.col("digits").str.replace_all(",", "", literal=True).str.strip_chars_start("0")
    )
    too_long = pl.col("digits").str.len_bytes() > 19
    value = pl.when(~too_long).then(pl.col("digits").replace("", "0").cast(pl.Int64, strict=False))
    problem = (
        pl.when(pl.col("text").is_null())
        .then(None)
        .when(pl.col("digits").is_null())
        .then(pl.lit("is not a whole number of bytes"))
        .when((pl.col("sign") == "-") & (pl.col("digits") != ""))
        .then(pl.lit("is below zero"))
        .when(value.is_null() | (value > MOST_BYTES))
        .then(pl.lit("is more than 2^60 bytes"))
    )
    return _checked(parts, pl.when(pl.col("text").is_null()).then(pl.lit(0, pl.Int64)).otherwise(value), problem)


def _moments(text: pl.Series) -> pl.DataFrame:
    parts = _groups(text, _MOMENT, "day", "minute", "second", "fraction", "zone")
    minute, second = pl.col("minute").fill_null("00:00"), pl.col("second").fill_null("00")
    local = pl.format("{}T{}:{}", "day", minute, second).str.to_datetime("%Y-%m-%dT%H:%M:%S", strict=False)
    micros = pl.duration(microseconds=_padded("fraction", 6))
    digits = pl.col("zone").str.extract(r"^[+-](.*)$", 1).str.replace(":", "", literal=True).str.pad_end(4, "0")
    hours, minutes = (digits.str.slice(at, 2).cast(pl.Int64).fill_null(0) for at in (0, 2))
    ahead = pl.when(pl.col("zone").str.starts_with("-")).then(-1).otherwise(1) * (60 * hours + minutes)
    value = _in_range(local + micros - pl.duration(minutes=ahead)).dt.replace_time_zone("UTC").cast(UTC_TIME)
    no_zone = pl.when(pl.col("zone").is_null() & pl.col("text").is_not_null()).then(
        pl.format("'{}' has no zone, and is taken as UTC", shown(pl.col("text")))
    )
    return _parsed(parts, value, pl.coalesce(_unless(value, "is not a time (YYYY-MM-DDTHH:MM:SSZ)"), no_zone))


def _times_worked(text: pl.Series) -> pl.DataFrame:
    parts = _groups(text, _WORKED, "sign", "hours", "minutes", "seconds", "fine", "fraction").with_columns(
        pl.col("hours").str.strip_chars_start("0"),
        pl.col("fraction").str.strip_chars_end("0"),
        clock=pl.col("minutes").is_not_null(),
        digit=pl.col("text").str.contains(r"^-?[0-9]|^-?\.[0-9]"),
    )
    too_long = pl.col("hours").str.len_bytes() > 5
    whole = pl.when(~too_long).then(pl.col("hours").replace("", "0").cast(pl.Int64, strict=False))
    minutes, seconds = (pl.col(name).cast(pl.Int64).fill_null(0) for name in ("minutes", "seconds"))
    by_clock = whole * _HOUR + minutes * 60_000 + seconds * 1000 + (_padded("fine", 9) + 500_000) // 1_000_000
    by_decimals = whole * _HOUR + (_padded("fraction", 8) * 36 + 500) // 1000
    worked = pl.when("clock").then(by_clock).otherwise(by_decimals)
    unreadable = pl.col("sign").is_null() | ~pl.col("digit")
    problem = (
        pl.when(pl.col("text").is_null())
        .then(None)
        .when(unreadable)
        .then(pl.lit("is no time worked (H:MM, H:MM:SS or hours)"))
        .when((pl.col("sign") == "-") & (too_long | (worked != 0)))
        .then(pl.lit("is below zero"))
        .when((minutes > 59) | (seconds > 59))
        .then(pl.lit("has more than 59 minutes or seconds"))
        .when(pl.col("fraction").str.len_bytes() > 8)
        .then(pl.lit("has more than 8 decimals"))
        .when(too_long | (worked > _MOST_HOURS * _HOUR))
        .then(pl.lit(f"is more than {_MOST_HOURS:,} hours"))
    )
    return _checked(parts, worked.cast(WORKED), problem)


def _spread(text: pl.Series, some: pl.Series, parse: Callable[[pl.Series], pl.DataFrame]) -> pl.DataFrame:
    """Parse the distinct texts of `some`, and give every text what came of it."""
    distinct = some.unique().alias("text")
    found = parse(distinct).insert_column(0, distinct)
    column = text.to_frame("text")
    return column.join(found, on="text", how="left", nulls_equal=True, maintain_order="left").drop("text")


def _groups(text: pl.Series, pattern: str, *names: str) -> pl.DataFrame:
    found = text.str.extract_groups(pattern).struct.rename_fields(names).struct.unnest()
    return found.insert_column(0, text.alias("text"))


def _padded(column: str, places: int) -> pl.Expr:
    """The digits after a point as a whole number of the last place; further ones are cut."""
    return pl.col(column).fill_null("").str.slice(0, places).str.pad_end(places, "0").cast(pl.Int64)


def _in_range(value: pl.Expr) -> pl.Expr:
    return pl.when(value.dt.year().is_between(1900, 2199)).then(value)


def _unless(value: pl.Expr, what: str) -> pl.Expr:
    """The text and what is wrong with it, where it gave no value."""
    wrong = value.is_null() & pl.col("text").is_not_null()
    return pl.when(wrong).then(pl.format("'{}' {}", shown(pl.col("text")), pl.lit(what)))


def _checked(parts: pl.DataFrame, value: pl.Expr, wrong: pl.Expr) -> pl.DataFrame:
    problem = pl.when(wrong.is_not_null()).then(pl.format("'{}' {}", shown(pl.col("text")), wrong))
    return _parsed(parts, pl.when(wrong.is_null()).then(value), problem)


def _parsed(parts: pl.DataFrame, value: pl.Expr, problem: pl.Expr) -> pl.DataFrame:
    return parts.select(value.alias("value"), problem.alias("problem"))
