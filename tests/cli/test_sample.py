"""`sample` without a folder fills the installation: usage, clients and audited sheets, each into its folder."""

from pathlib import Path

import pytest

from tests.cli.conftest import Billing


def test_the_installations_folders_are_filled_and_told(
    billing: Billing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BILLING_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("BILLING_CLIENTS_DIR", str(tmp_path / "office"))
    said = billing("sample")
    assert said.code == 0
    assert (tmp_path / "data" / "usage" / "gep_billing_rules.xlsx").is_file()
    assert (tmp_path / "office" / "companies.csv").is_file()
    assert not (tmp_path / "data" / "usage" / "clients").exists()
    assert (tmp_path / "data" / "audit" / "before" / "Crew 1 North.csv").is_file()
    assert f"{tmp_path}/office: managed-services clients, and client_book.xlsx with their plans and rates" in said.err
    assert "BILLING_CLIENTS_DIR" not in said.err


def test_a_folder_of_ones_own_has_both_and_the_command_to_bill_them(billing: Billing, tmp_path: Path) -> None:
    said = billing("sample", "--dir", tmp_path / "book")
    assert (tmp_path / "book" / "clients" / "companies.csv").is_file()
    assert f"clients import-book {tmp_path}/book/clients/client_book.xlsx" in said.err
    assert f"BILLING_CLIENTS_DIR={tmp_path}/book/clients billing-pipeline clients bill --month 2026-01" in said.err
