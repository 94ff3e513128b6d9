"""The documents say what the code does: settings, commands and messages in them exist."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest
import typer

from billing_pipeline.build import build_defs
from billing_pipeline.cli import app
from billing_pipeline.engine.audit.thresholds import Thresholds
from billing_pipeline.engine.managed_services.pulled import LISTINGS, NEEDED
from billing_pipeline.engine.managed_services.sheets import SHEETS
from billing_pipeline.engine.managed_services.terms import ClientTerms
from billing_pipeline.profile import load_profile
from billing_pipeline.resources.database import open_database, sqlite_url
from billing_pipeline.settings import Settings
from docs.settings_table import PAGE, with_table

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", PAGE, ROOT / "deploy" / "README.md"]
OTHERS_SAY = {"sheet, cell and what is wrong with it", "No space left on device", "Address already in use"}
"""First cells of the table of messages that describe, or quote the operating system."""


def test_the_table_of_settings_is_the_one_of_the_code() -> None:
    page = PAGE.read_text("utf-8")
    assert with_table(page) == page, "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_setting_that_is_named_exists(page: Path) -> None:
    named = set(re.findall(r"\bBILLING_[A-Z_]*[A-Z]\b", page.read_text("utf-8")))
    assert named - {f"BILLING_{name.upper()}" for name in Settings.model_fields} - {"BILLING_SLACK"} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_is_named_exists(page: Path) -> None:
    group = typer.main.get_command(app)
    named = re.findall(r"billing-pipeline ([a-z-]+)((?: [a-z-]+)?)", page.read_text("utf-8"))
    for command, sub in named:
        assert command in group.commands, command  # type: ignore[attr-defined]
        subcommands = getattr(group.commands[command], "commands", None)  # type: ignore[attr-defined]
        if subcommands and sub.strip():
            assert sub.strip() in subcommands, f"{command}{sub}"


def test_every_message_that_is_explained_is_one_of_ours() -> None:
    said = list(texts())
    chapter = PAGE.read_text("utf-8").split("## What a message means")[1].split("\n## ")[0]
    unknown = [piece for piece in pieces(chapter) if not any(piece in text for text in said)]
    assert unknown == []


def test_every_column_of_a_client_listing_is_told_and_those_it_needs_in_bold() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (\S.*) \|$", clients_chapter(), re.MULTILINE))
    for name, columns in LISTINGS.items():
        assert re.findall(r"`(\w+)`", rows[name]) == list(columns)
        assert set(re.findall(r"\*\*`(\w+)`\*\*", rows[name])) == set(NEEDED[name]) - {"source"}


def test_the_profile_of_the_clients_chapter_has_every_choice_at_its_default() -> None:
    (table,) = re.findall(r"^```\n(\[clients\]\n.*?)^```", clients_chapter(), re.MULTILINE | re.DOTALL)
    assert tomllib.loads(table)["clients"] == asdict(ClientTerms())


def test_the_profile_of_the_audit_chapter_has_every_threshold_at_its_default(tmp_path: Path) -> None:
    (table,) = re.findall(r"^```\n(\[audit\]\n.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert set(tomllib.loads(table)["audit"]) == {field.name for field in fields(Thresholds)}
    (tmp_path / "profile.toml").write_text(table, "utf-8")
    examples = {"rates_from": None, "severities": {}}  # have no value unless one is given
    assert replace(load_profile(tmp_path / "profile.toml").audit, **examples) == Thresholds()


def test_every_sheet_of_the_clients_book_is_told() -> None:
    assert [sheet.title for sheet in SHEETS if f"**{sheet.title}**" not in clients_chapter()] == []


def test_every_sensor_and_schedule_that_can_be_switched_off_is_named() -> None:
    defs = build_defs()
    names = [part.name for part in (*(defs.sensors or ()), *(defs.schedules or ()))]
    said = PAGE.read_text("utf-8").split("`BILLING_OFF` takes the names")[1].split(";")[0]
    assert sorted(re.findall(r"`(\w+)`", said)) == sorted(names)


def test_the_backup_of_the_operations_guide_can_be_restored(tmp_path: Path) -> None:
    (tmp_path / "backup").mkdir()
    database = open_database(sqlite_url(tmp_path / "data"))
    database.run(
        lambda c: c.exec_driver_sql("INSERT INTO leases VALUES ('billing:2026-01', 'x', '2026-01-01 00:00:00')")
    )
    assert (tmp_path / "data" / "billing.db-wal").stat().st_size > 0  # what a copy of billing.db alone would lack
    (command,) = re.findall(r"^ *python3 -c (\".*?\") (\S+) (\S+)$", PAGE.read_text("utf-8"), re.MULTILINE)
    subprocess.run([sys.executable, "-c", *(part.strip('"') for part in command)], cwd=tmp_path, check=True)
    (tmp_path / "restored").mkdir()
    (tmp_path / "backup" / "billing.db").rename(tmp_path / "restored" / "billing.db")
    restored = open_database(sqlite_url(tmp_path / "restored"))
    assert restored.run(lambda c: c.exec_driver_sql("SELECT name FROM leases").scalar()) == "billing:2026-01"


def clients_chapter() -> str:
    return PAGE.read_text("utf-8").split("\n## Managed services\n")[1].split("\n## ")[0]


def texts() -> Iterator[str]:
    """Every text in the code, with … where a value goes."""
    for path in (ROOT / "billing_pipeline").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
            elif isinstance(node, ast.JoinedStr):
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)


def pieces(chapter: str) -> Iterator[str]:
    """The fixed parts of the messages in the first column of the tables."""
    for row in re.findall(r"^\| (.+?) \|", chapter, re.MULTILINE):
        for alternative in re.split(r" · | / ", row):
            for piece in re.split(r"…|\bn\b|: |; ", alternative):
                text = piece.strip(" .`")
                if len(text) > 3 and text not in {"notice", "message", *OTHERS_SAY}:
                    yield text
