"""Names of partner folders and files: readable, safe on every file system, and never shared by two partners.

What belongs here: turning a partner's name, which comes from outside, into a path. What does not: creating it. A name
keeps only letters, digits and `. _ -`, so it cannot leave its folder. Source: spec 4.3, decision 9.
"""

import re
from collections import Counter
from collections.abc import Iterable
from hashlib import sha256

import polars as pl

from billing_pipeline.engine.period import Period

UNKNOWN_FOLDER, UNKNOWN_NAME = "UnknownPartner", "Unknown Partner"
_LONGEST = 100  # characters of a folder or display name; a path then fits everywhere
_LONGEST_ID = 40
_HASH = 8
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)  # devices on Windows, with any extension


def partner_files(partners: pl.DataFrame, period: Period) -> pl.DataFrame:
    """Folder and file of every partner's workbook, and the name its Fee Summary shows.

    partners: partner_key (unique), label (the partner's name as written), partner_id; label and id may be null or
    blank, then the id, then `UnknownPartner` stands in. Gives partner_key, folder, file, display (all String), in the
    order given. Partners whose paths would be equal (upper and lower case, and trailing dots, being no difference) all
    get ` (<partner id>)` before ` - <period>`; where ids are missing or equal, ` (key <hash of the partner key>)`.
    A folder may be shared by partners of nearly the same name, a file never. Repeated keys are a ValueError.

    >>> frame = pl.DataFrame({"partner_key": ["birch & co"], "label": ["Birch & Co"], "partner_id": ["1007"]})
    >>> partner_files(frame, Period(2026, 1)).row(0)
    ('birch & co', 'Birch__Co', 'Birch Co - 2026.01.xlsx', 'Birch Co')
    """
    rows = [(key, label, identity) for key, label, identity in partners["partner_key", "label", "partner_id"].rows()]
    if len({key for key, _, _ in rows}) != len(rows):
        raise ValueError("partner keys must be unique")
    labels = [_label(label, identity) for _, label, identity in rows]
    folders = [_guarded(folder_name(label), key) for label, (key, _, _) in zip(labels, rows, strict=True)]
    stems = [_guarded(display_name(label), key) for label, (key, _, _) in zip(labels, rows, strict=True)]
    for suffixes in (
        [_id_suffix(identity) or _key_suffix(key) for key, _, identity in rows],
        [_key_suffix(key) for key, _, _ in rows],
        [_key_suffix(key, 64) for key, _, _ in rows],
    ):
        taken = Counter(_paths(folders, stems))
        stems = [
            stem if taken[path] == 1 else f"{_unsuffixed(stem)}{suffix}"
            for path, stem, suffix in zip(_paths(folders, stems), stems, suffixes, strict=True)
        ]
    return pl.DataFrame(
        {
            "partner_key": partners["partner_key"],
            "folder": pl.Series(folders, dtype=pl.String),
            "file": pl.Series([f"{stem} - {period.dotted}.xlsx" for stem in stems], dtype=pl.String),
            "display": pl.Series([display_name(label) for label in labels], dtype=pl.String),
        }
    )


def folder_name(label: str) -> str:
    """The reference's folder form: `Acme/Pay Inc.` is `AcmePay_Inc.`; nothing left (or only dots) is UnknownPartner."""
    joined = re.sub(r"\s+", "_", re.sub(r"[/\\]", "", label))
    return re.sub(r"[^A-Za-z0-9_.-]", "", joined).lstrip(".") or UNKNOWN_FOLDER


def display_name(label: str) -> str:
    """The reference's file form, also shown in the Fee Summary: `Acme/Pay Inc.` is `Acme Pay Inc.`."""
    kept = re.sub(r"[^A-Za-z0-9 ._-]", "", re.sub(r"[/\\]", " ", label))
    return re.sub(r"\s+", " ", kept).lstrip(" .").rstrip(" ") or UNKNOWN_NAME


def _label(label: str | None, identity: str | None) -> str:
    return (label or "").strip() or (identity or "").strip() or UNKNOWN_FOLDER


def _guarded(name: str, key: str) -> str:
    """A name no system reserves, of bounded length; what is cut off is replaced by a hash of the partner key."""
    if _RESERVED.fullmatch(name.partition(".")[0].strip(" ")):
        name = f"_{name}"
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - _HASH - 1].rstrip(' .')}-{_hash(key)}"


def _paths(folders: Iterable[str], stems: Iterable[str]) -> list[tuple[str, str]]:
    """What a file system that ignores case and trailing dots sees."""
    return [(folder.lower().rstrip("."), stem.lower()) for folder, stem in zip(folders, stems, strict=True)]


def _unsuffixed(stem: str) -> str:
    return stem.partition(" (")[0]  # a sanitised name has no parenthesis of its own


def _id_suffix(identity: str | None) -> str:
    token = re.sub(r"[^A-Za-z0-9_-]", "", identity or "")
    return f" ({token})" if 0 < len(token) <= _LONGEST_ID else ""


def _key_suffix(key: str, length: int = _HASH) -> str:
    return f" (key {_hash(key, length)})"


def _hash(text: str, length: int = _HASH) -> str:
    return sha256(text.encode()).hexdigest()[:length]
