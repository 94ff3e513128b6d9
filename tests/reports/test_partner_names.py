"""Partner file names: the reference's form, and no name that escapes, collides or is reserved."""

from pathlib import PurePosixPath, PureWindowsPath

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_pipeline.engine.period import Period
from billing_pipeline.reports.names import partner_files

JANUARY = Period(2026, 1)


def named(*partners: tuple[str | None, str | None]) -> list[tuple[str, str]]:
    """Folder and file of partners given as (label, id), each with a key of its own."""
    return partner_files(frame(partners), JANUARY)["folder", "file"].rows()


def frame(partners: tuple[tuple[str | None, str | None], ...]) -> pl.DataFrame:
    keys = [f"key {i}" for i in range(len(partners))]
    labels, ids = zip(*partners, strict=True)
    schema = {"partner_key": pl.String, "label": pl.String, "partner_id": pl.String}
    return pl.DataFrame({"partner_key": keys, "label": labels, "partner_id": ids}, schema=schema)


@pytest.mark.parametrize(
    ("label", "identity", "folder", "display"),
    [
        ("Alder Payroll", "1000", "Alder_Payroll", "Alder Payroll"),
        ("Birch & Co", "1007", "Birch__Co", "Birch Co"),
        ("Acme/Pay Inc.", "101", "AcmePay_Inc.", "Acme Pay Inc."),
        (None, None, "UnknownPartner", "UnknownPartner"),
        ("", " 77 ", "77", "77"),
        ("名前", "8", "UnknownPartner", "Unknown Partner"),
    ],
)
def test_names_as_the_reference_writes_them(label: str | None, identity: str | None, folder: str, display: str) -> None:
    row = partner_files(frame(((label, identity),)), JANUARY).row(0)
    assert row == ("key 0", folder, f"{display} - 2026.01.xlsx", display)


@pytest.mark.parametrize("label", ["..", ".", "...", "../..", "..\\..", ". .", "/"])
def test_dot_names_stay_inside(label: str) -> None:
    [(folder, file)] = named((label, "1"))
    assert not folder.startswith(".")
    assert not file.startswith(".")


@pytest.mark.parametrize("label", ["CON", "nul", "Com1", "LPT9.txt", "aux."])
def test_names_windows_reserves_are_changed(label: str) -> None:
    [(folder, file)] = named((label, "1"))
    assert folder.startswith("_")
    assert file.startswith("_")


def test_every_partner_of_a_clash_is_told_apart_by_id() -> None:
    assert named(("Acme Inc", "101"), ("ACME, Inc", "102"), ("Other", "103")) == [
        ("Acme_Inc", "Acme Inc (101) - 2026.01.xlsx"),
        ("ACME_Inc", "ACME Inc (102) - 2026.01.xlsx"),
        ("Other", "Other - 2026.01.xlsx"),
    ]


def test_a_clash_without_distinct_ids_is_told_apart_by_the_key() -> None:
    files = [file for _, file in named(("Acme", "7"), ("acme", "7"), ("ACME", None))]
    assert len(set(files)) == 3
    assert all("(key " in file for file in files)


def test_a_long_name_is_cut_and_stays_unique() -> None:
    [(folder, file), (_, other)] = named(("x" * 300 + "a", "1"), ("x" * 300 + "b", "2"))
    assert len(folder) == 100
    assert len(file) < 120
    assert file != other


def test_the_display_name_carries_no_suffix() -> None:
    clash = partner_files(frame((("Acme", "1"), ("acme", "2"))), JANUARY)
    assert clash["display"].to_list() == ["Acme", "acme"]


def test_repeated_keys_are_refused() -> None:
    with pytest.raises(ValueError, match="unique"):
        partner_files(pl.concat([frame((("A", "1"),))] * 2), JANUARY)


texts = st.one_of(st.none(), st.text(max_size=8), st.sampled_from(["Acme", "ACME", "acme.", "A/B", "AB", "..", "NUL"]))


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=12))
def test_no_name_collides_or_leaves_its_folder(partners: list[tuple[str | None, str | None]]) -> None:
    paths = named(*partners)
    seen = {(folder.lower().rstrip(". "), file.lower()) for folder, file in paths}
    assert len(seen) == len(paths)
    for folder, file in paths:
        for flavour in (PurePosixPath, PureWindowsPath):
            joined = flavour("root") / folder / file
            assert joined.parts == ("root", folder, file)
            assert ".." not in joined.parts
            assert not {folder[0], file[0]} & {".", " "}
