"""Where a month's inputs are: which files are usage, of which month, and which decisions are read."""

from pathlib import Path

import pytest

from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.period import Period
from billing_pipeline.resources.inputs import InputFiles, input_files, period_of_name, single_month_of, usage_files
from tests.literals import JANUARY, company, usage_csv


def files(folder: Path, usage_file: Path | None = None, overrides: Path | None = None) -> InputFiles:
    published = folder / "published" / "overrides.json"
    return input_files(
        folder, folder / "rules.xlsx", folder / ".billing", published, usage_file=usage_file, overrides_file=overrides
    )


@pytest.fixture(params=["folder", "s3"])
def usage(request: pytest.FixtureRequest, tmp_path: Path) -> InputFiles:
    """Inputs on a folder or under a prefix of an object store; write with `usage.usage.write`."""
    if request.param == "folder":
        (tmp_path / "in").mkdir()
        return files(tmp_path / "in")
    url = f"{request.getfixturevalue('bucket')}/in"
    return input_files(url, f"{url}/rules.xlsx", tmp_path / "state", tmp_path / "none.json")


def refusal(error: pytest.ExceptionInfo[InputError]) -> str:
    return str(error.value)


@pytest.mark.parametrize(
    ("name", "period"),
    [
        ("2026.01_REDASH_usage.csv", Period(2026, 1)),
        ("2026.1_usage.CSV", Period(2026, 1)),
        ("2026.12_.csv", Period(2026, 12)),
        ("2026.01.csv", None),
        ("2026-01_usage.csv", None),
        ("2026.13_usage.csv", None),
        ("2026.00_usage.csv", None),
        ("0000.01_usage.csv", None),
        ("usage_2026.01_.csv", None),
        ("2026.01_usage.csv.part", None),
        ("2026.01_usage.xlsx", None),
        (".~lock.2026.01_usage.csv#", None),
        ("2026.01_a\nb.csv", Period(2026, 1)),
    ],
)
def test_a_usage_file_s_name_begins_with_its_month(name: str, period: Period | None) -> None:
    assert period_of_name(name) == period


def test_usage_files_are_found_directly_in_the_folder_by_month_in_order(tmp_path: Path) -> None:
    for name in ("2026.02_b.csv", "2025.12_usage.csv", "2026.02_a.csv", "notes.txt", "gep_billing_rules.xlsx"):
        (tmp_path / name).touch()
    (tmp_path / "2026.03_folder.csv").mkdir()
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "2026.04_usage.csv").touch()
    found = {period.key: [path.name for path in paths] for period, paths in usage_files(tmp_path).items()}
    assert found == {"2025-12": ["2025.12_usage.csv"], "2026-02": ["2026.02_a.csv", "2026.02_b.csv"]}


@pytest.mark.parametrize("name", ["2026.01_usage.csv", "2026-01/2026.1_usage.csv", "from partner/2026.01_usage.csv"])
def test_the_one_file_of_the_month_is_the_usage_file_in_whatever_sub_folder(usage: InputFiles, name: str) -> None:
    usage.usage.write(name, b"january")
    usage.usage.write("2026.02_usage.csv", b"february")
    usage.usage.write(".2026.01_usage.csv.part", b"half")
    usage.usage.write("sync.tmp/2026.01_usage.csv", b"half")
    path = usage.usage_path(JANUARY)
    assert (path.name, path.read_bytes()) == (name.rpartition("/")[2], b"january")


def test_a_file_in_the_folder_comes_before_those_below_and_of_several_the_last_one_billed(usage: InputFiles) -> None:
    usage.usage.write("old/2026.01_a.csv", b"first")
    usage.usage.write("2026.01_a.csv", b"corrected")
    assert usage.usage_path(JANUARY).read_bytes() == b"corrected"
    assert usage.usage_path(JANUARY, last="old/2026.01_a.csv").read_bytes() == b"first"
    usage.usage.write("2026.01_b.csv", b"corrected")
    assert usage.usage_path(JANUARY, last="2026.01_b.csv").name == "2026.01_b.csv"
    with pytest.raises(InputError, match="more than one usage file for 2026-01"):
        usage.usage_path(JANUARY, last="2026.01_gone.csv")


def test_on_a_folder_the_usage_file_is_read_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "2026.01_usage.csv").touch()
    assert files(tmp_path).usage_path(JANUARY) == tmp_path / "2026.01_usage.csv"


def test_no_file_and_two_files_of_a_month_are_refused(usage: InputFiles) -> None:
    place = usage.usage.address()
    usage.usage.write("2026.02_usage.csv", b"")
    with pytest.raises(InputError) as none:
        usage.usage_path(JANUARY)
    assert refusal(none) == f"{place}: no usage file 2026.01_*.csv for 2026-01"
    for name in ("2026.01_b.csv", "2026.1_a.csv"):
        usage.usage.write(name, name.encode())
    with pytest.raises(InputError) as two:
        usage.usage_path(JANUARY)
    assert refusal(two) == f"{place}: more than one usage file for 2026-01: 2026.01_b.csv and 2026.1_a.csv"


def test_a_file_below_the_folder_is_taken_by_its_name_among_several_of_the_month(usage: InputFiles) -> None:
    for name in ("2026.01_a.csv", "2026.01_b.csv", "2026-01/from partner/2026.01_c.csv"):
        usage.usage.write(name, name.encode())
    for name in ("2026.01_b.csv", "2026-01/from partner/2026.01_c.csv"):
        path = usage.usage_path(JANUARY, name)
        assert (path.name, path.read_bytes()) == (name.split("/")[-1], name.encode())


def test_a_file_that_went_away_is_told(usage: InputFiles) -> None:
    with pytest.raises(InputError) as refused:
        usage.usage_path(JANUARY, "2026.01_usage.csv")
    assert refusal(refused) == f"{usage.usage.address('2026.01_usage.csv')}: no such usage file"


@pytest.mark.parametrize(
    "name", ["../2026.01_usage.csv", "a/../../2026.01_usage.csv", "/etc/passwd", "a\\b.csv", "a\0"]
)
def test_a_name_cannot_leave_the_usage_folder(usage: InputFiles, tmp_path: Path, name: str) -> None:
    (tmp_path / "2026.01_usage.csv").touch()
    with pytest.raises(InputError, match=r"is no file of the usage folder$"):
        usage.usage_path(JANUARY, name)


def test_the_rules_workbook_is_read_whole_with_its_name_and_a_missing_one_is_refused(usage: InputFiles) -> None:
    with pytest.raises(InputError) as refused:
        usage.rules_workbook()
    assert refusal(refused) == f"{usage.rules_address}: Config workbook not found"
    usage.usage.write("rules.xlsx", b"workbook")
    assert usage.rules_workbook() == (b"workbook", "rules.xlsx")
    assert usage.rules_address == usage.usage.address("rules.xlsx")


def test_what_is_in_the_usage_folder_is_listed_for_those_who_watch_it(usage: InputFiles) -> None:
    usage.usage.write("2026.01_usage.csv", b"abc")
    usage.usage.write("2026-02/2026.02_usage.csv", b"")
    assert [(seen.name, seen.size) for seen in usage.listing()] == [
        ("2026-02/2026.02_usage.csv", 0),
        ("2026.01_usage.csv", 3),
    ]


def test_a_file_that_was_asked_for_is_taken_whatever_its_name(tmp_path: Path) -> None:
    asked = tmp_path / "export.csv"
    with pytest.raises(InputError) as missing:
        files(tmp_path, usage_file=asked).usage_path(JANUARY)
    assert refusal(missing) == f"{asked}: no such usage file"
    asked.touch()
    assert files(tmp_path, usage_file=asked).usage_path(JANUARY) == asked


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for look in (lambda: usage_files(tmp_path / "no"), lambda: files(tmp_path / "no").usage_path(JANUARY)):
        with pytest.raises(InputError) as refused:
            look()
        assert refusal(refused) == f"{tmp_path / 'no'}: Inputs folder not found"
    with pytest.raises(FileNotFoundError):
        files(tmp_path / "no").listing()


def test_published_decisions_are_read_when_there_are_some(tmp_path: Path) -> None:
    assert files(tmp_path).overrides_path() is None
    published = tmp_path / "published" / "overrides.json"
    published.parent.mkdir()
    published.touch()
    assert files(tmp_path).overrides_path() == published


def test_decisions_that_were_asked_for_must_be_there(tmp_path: Path) -> None:
    asked = tmp_path / "mine.json"
    with pytest.raises(InputError) as refused:
        files(tmp_path, overrides=asked).overrides_path()
    assert refusal(refused) == f"{asked}: no such decision file"
    asked.touch()
    assert files(tmp_path, overrides=asked).overrides_path() == asked


def test_the_month_of_a_file_without_one_in_its_name_is_that_of_all_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes(
        usage_csv(company(1, FOR_MONTH="2026.01"), company(2, FOR_MONTH="1/31/26"), company(3, FOR_MONTH=""))
    )
    assert single_month_of(path) == JANUARY


@pytest.mark.parametrize(
    ("months", "found"), [(("2026-01", "2025-12"), "2025-12, 2026-01"), (("soon", ""), "none that can be read")]
)
def test_rows_of_several_months_or_none_ask_for_one(tmp_path: Path, months: tuple[str, ...], found: str) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes(usage_csv(*(company(n, FOR_MONTH=text) for n, text in enumerate(months))))
    with pytest.raises(InputError) as refused:
        single_month_of(path)
    assert refusal(refused) == f"export.csv, FOR_MONTH: months in the file: {found}; choose one with --month"
