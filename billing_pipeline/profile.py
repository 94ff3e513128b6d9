"""The company's own names: file prefix, brand, items, products, ledger accounts. Defaults are the reference's."""

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from billing_pipeline.engine.accruals.terms import REVERSALS, AccrualTerms
from billing_pipeline.engine.errors import InputError, Problem
from billing_pipeline.engine.invoicing import InvoiceTerms
from billing_pipeline.engine.managed_services.terms import ClientTerms


@dataclass(frozen=True, slots=True)
class Profile:
    """`file_prefix` starts the names of published files and folders, `brand` stands before `Fee Summary`."""

    file_prefix: str = "gep"
    brand: str = ""
    invoice: InvoiceTerms = field(default_factory=InvoiceTerms)
    accrual: AccrualTerms = field(default_factory=AccrualTerms)
    clients: ClientTerms = field(default_factory=ClientTerms)


_TABLES: dict[str, type[Any]] = {"invoice": InvoiceTerms, "accrual": AccrualTerms, "clients": ClientTerms}


def load_profile(path: Path | None) -> Profile:
    """The profile of a TOML file, or the default. Keys as Profile's fields; tables [invoice], [accrual], [clients]."""
    if path is None:
        return Profile()
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(Problem(f"cannot be read as a profile: {error}", file=str(path))) from None
    tables = {name: document.pop(name, {}) for name in _TABLES}
    problems = _unknown(document, Profile, path)
    problems += [_wrong(name, path) for name, values in tables.items() if not isinstance(values, dict)]
    tables = {name: values for name, values in tables.items() if isinstance(values, dict)}
    for name, values in tables.items():
        problems += _unknown(values, _TABLES[name], path, f"{name}.")
    prefixes = {"file_prefix": document.get("file_prefix"), "invoice.prefix": tables.get("invoice", {}).get("prefix")}
    problems += [
        Problem("may hold letters, digits, - and _ only", file=str(path), cell=cell)
        for cell, value in prefixes.items()
        if value is not None and not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", str(value))
    ]
    if tables.get("accrual", {}).get("reversal", "file") not in REVERSALS:
        problems.append(Problem(f"is one of {', '.join(REVERSALS)}", file=str(path), cell="accrual.reversal"))
    if problems:
        raise InputError(problems)
    made = {name: _TABLES[name](**values) for name, values in tables.items()}
    try:
        made["clients"].options  # noqa: B018  # refuses a tax that is no percentage
    except InputError as error:
        raise InputError(Problem(str(error), file=str(path), cell="clients.tax_percent")) from None
    return Profile(**document, **made)


def _unknown(values: dict[str, object], shape: type, path: Path, table: str = "") -> list[Problem]:
    hints = {name: hint for name, hint in get_type_hints(shape).items() if name not in _TABLES}
    return [
        _wrong(f"{table}{key}", path, hints.get(key))
        for key, value in values.items()
        if key not in hints or not _fits(value, hints[key])
    ]


def _fits(value: object, hint: Any) -> bool:
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    return isinstance(value, hint)


def _wrong(key: str, path: Path, hint: Any = None) -> Problem:
    if get_origin(hint) is Literal:
        return Problem(f"is one of {', '.join(get_args(hint))}", file=str(path), cell=key)
    if hint is bool:
        return Problem("is true or false", file=str(path), cell=key)
    return Problem("is not a setting of the profile, or not a text", file=str(path), cell=key)
