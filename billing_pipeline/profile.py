"""The company's own names: file prefix, brand, items, products, ledger accounts. Defaults are the reference's.

What belongs here: reading the file, and saying which key cannot be meant. What does not: what the terms do (engine).
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from billing_pipeline.engine.accruals.terms import REVERSALS, AccrualTerms
from billing_pipeline.engine.audit.thresholds import Thresholds
from billing_pipeline.engine.errors import InputError, Problem
from billing_pipeline.engine.invoicing import InvoiceTerms
from billing_pipeline.engine.managed_services.terms import ClientTerms
from billing_pipeline.engine.unbilled.terms import UnbilledTerms


@dataclass(frozen=True, slots=True)
class Profile:
    """`file_prefix` starts the names of published files and folders, `brand` stands before `Fee Summary`."""

    file_prefix: str = "gep"
    brand: str = ""
    invoice: InvoiceTerms = field(default_factory=InvoiceTerms)
    accrual: AccrualTerms = field(default_factory=AccrualTerms)
    clients: ClientTerms = field(default_factory=ClientTerms)
    audit: Thresholds = field(default_factory=Thresholds)
    unbilled: UnbilledTerms = field(default_factory=UnbilledTerms)


_TABLES: dict[str, type[Any]] = {
    "invoice": InvoiceTerms,
    "accrual": AccrualTerms,
    "clients": ClientTerms,
    "audit": Thresholds,
    "unbilled": UnbilledTerms,
}
_NO_SETTING = "is not a setting of the profile, or not a text"
_DURATION = re.compile(r"(\d{1,4}) (hour|day)s?")


def load_profile(path: Path | None) -> Profile:
    """The profile of a TOML file, or the default. Keys as Profile's fields; tables [invoice], [accrual], [clients],
    [audit], [unbilled]. InputError: every key that is none, or says what cannot be meant.
    """
    if path is None:
        return Profile()
    try:
        document = tomllib.loads(path.read_text("utf-8"), parse_float=Decimal)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(Problem(f"cannot be read as a profile: {error}", file=str(path))) from None
    problems: list[Problem] = []
    tables = {name: document.pop(name, {}) for name in _TABLES}
    own = _values(document, Profile, path, "", problems)
    read: dict[str, dict[str, Any]] = {}
    for name, values in tables.items():
        if isinstance(values, dict):
            read[name] = _values(values, _TABLES[name], path, f"{name}.", problems)
        else:
            problems.append(Problem(_NO_SETTING, file=str(path), cell=name))
    prefixes = {"file_prefix": own.get("file_prefix"), "invoice.prefix": read.get("invoice", {}).get("prefix")}
    problems += [
        Problem("may hold letters, digits, - and _ only", file=str(path), cell=cell)
        for cell, value in prefixes.items()
        if value is not None and not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", str(value))
    ]
    if read.get("accrual", {}).get("reversal", "file") not in REVERSALS:
        problems.append(Problem(f"is one of {', '.join(REVERSALS)}", file=str(path), cell="accrual.reversal"))
    if problems:
        raise InputError(problems)
    return Profile(**own, **{name: _made(name, values, path) for name, values in read.items()})


def _made(name: str, values: Mapping[str, Any], path: Path) -> Any:
    """The terms of a table; InputError when they contradict each other."""
    try:
        made = _TABLES[name](**values)
        if isinstance(made, ClientTerms):
            made.options  # noqa: B018  # refuses a tax that is no percentage
    except InputError as error:
        cell = "clients.tax_percent" if name == "clients" else name
        raise InputError(Problem(str(error), file=str(path), cell=cell)) from None
    return made


def _values(
    document: Mapping[str, Any], shape: type, path: Path, table: str, problems: list[Problem]
) -> dict[str, Any]:
    """The keys of a table as the fields of its shape; what cannot be meant goes to `problems`."""
    hints = {name: hint for name, hint in get_type_hints(shape).items() if shape is not Profile or name not in _TABLES}
    found = {}
    for key, value in document.items():
        try:
            found[key] = _meant(value, hints.get(key))
        except ValueError as error:
            problems.append(Problem(str(error), file=str(path), cell=f"{table}{key}"))
    return found


def _meant(value: Any, hint: Any) -> Any:
    """The value as a field of this type takes it; ValueError says what it has to be."""
    if NoneType in get_args(hint):
        (hint,) = (one for one in get_args(hint) if one is not NoneType)
    if get_origin(hint) is Literal:
        return _checked(value, value in get_args(hint), f"is one of {', '.join(get_args(hint))}")
    if hint is bool:
        return _checked(value, isinstance(value, bool), "is true or false")
    if hint is int:
        whole = isinstance(value, int) and not isinstance(value, bool)
        return _checked(value, whole and value >= 0, "is a whole number, zero or more")
    if hint is Decimal:
        number = isinstance(value, (int, Decimal)) and not isinstance(value, bool)
        return Decimal(
            _checked(value, number and Decimal(value).is_finite() and value >= 0, "is a number, not below 0")
        )
    if hint is timedelta:
        parts = _DURATION.fullmatch(value) if isinstance(value, str) else None
        found = _checked(parts, parts is not None, 'is a time such as "12 hours" or "7 days"')
        return timedelta(**{f"{found[2]}s": int(found[1])})
    if hint is date:
        return _checked(value, isinstance(value, date) and not isinstance(value, datetime), "is a day YYYY-MM-DD")
    if get_origin(hint) is Mapping:
        return _table(value, get_args(hint)[1])
    return _checked(value, hint is str and isinstance(value, str), _NO_SETTING)


def _table(value: Any, shape: type) -> dict[str, Any]:
    """A table of texts, or of tables of this shape."""
    if shape is str:
        texts = isinstance(value, dict) and all(isinstance(one, str) for one in value.values())
        return dict(_checked(value, texts, "is a table of texts"))
    tables = isinstance(value, dict) and all(isinstance(one, dict) for one in value.values())
    hints = get_type_hints(shape)
    found = {}
    for name, one in _checked(value, tables, f"is a table of tables with {', '.join(hints)}").items():
        _checked(one, set(one) <= set(hints), f"of {name!r} may have {', '.join(hints)}")
        found[name] = shape(**{key: _meant(given, hints[key]) for key, given in one.items()})
    return found


def _checked(value: Any, fine: bool, message: str) -> Any:
    if not fine:
        raise ValueError(message)
    return value
