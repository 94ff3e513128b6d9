"""The company's own names: file prefix, brand, invoice items and products. Defaults are the reference's."""

import re
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path

from billing_pipeline.engine.errors import InputError, Problem
from billing_pipeline.engine.invoicing import InvoiceTerms


@dataclass(frozen=True, slots=True)
class Profile:
    """`file_prefix` starts the names of published files and folders, `brand` stands before `Fee Summary`."""

    file_prefix: str = "gep"
    brand: str = ""
    invoice: InvoiceTerms = field(default_factory=InvoiceTerms)


def load_profile(path: Path | None) -> Profile:
    """The profile of a TOML file (keys as the fields of Profile, invoice names in [invoice]), or the default."""
    if path is None:
        return Profile()
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(Problem(f"cannot be read as a profile: {error}", file=str(path))) from None
    invoice = document.pop("invoice", {})
    problems = [
        *_unknown(document, Profile, path),
        *(_unknown(invoice, InvoiceTerms, path) if isinstance(invoice, dict) else [_wrong("invoice", path)]),
    ]
    prefix = document.get("file_prefix", "gep")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", str(prefix)):
        problems.append(Problem("may hold letters, digits, - and _ only", file=str(path), cell="file_prefix"))
    if not re.fullmatch(
        r"[A-Za-z0-9_-]{1,40}", str(invoice.get("prefix", "GEP") if isinstance(invoice, dict) else "GEP")
    ):
        problems.append(Problem("may hold letters, digits, - and _ only", file=str(path), cell="invoice.prefix"))
    if problems:
        raise InputError(problems)
    return Profile(**document, invoice=InvoiceTerms(**invoice))


def _unknown(values: dict[str, object], shape: type, path: Path) -> list[Problem]:
    known = {f.name for f in fields(shape)} - {"invoice"}
    return [_wrong(key, path) for key, value in values.items() if key not in known or not isinstance(value, str)]


def _wrong(key: str, path: Path) -> Problem:
    return Problem("is not a setting of the profile, or not a text", file=str(path), cell=key)
