"""Files that arrive in the usage folder: which are taken, when, how often, and what people hear of the others."""

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_pipeline.engine.close.attempts import Attempt
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.usage.arrivals import (
    Content,
    Decision,
    Facts,
    Limits,
    Memory,
    Remembered,
    Seen,
    Start,
    decide,
    memory_text,
    open_contents,
    read_memory,
    stable,
    survey,
    unreachable,
)

NOW = datetime(2026, 2, 2, 9, 0, tzinfo=UTC)
LIMITS = Limits(first=Period(2025, 1), max_age_months=2, retry_seconds=60, attempts=3)
FILE = "2026.01_usage.csv"


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass
class Folder:
    """A usage folder with the months it feeds: files by path (text, modification mark), verdicts, releases, runs."""

    files: dict[str, tuple[str, str]] = field(default_factory=dict)
    judged: set[Content] = field(default_factory=set)
    released: dict[str, str] = field(default_factory=dict)
    runs: dict[Content, list[Attempt]] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    cursor: str = ""
    now: datetime = NOW
    limits: Limits = LIMITS
    hashed: list[str] = field(default_factory=list)
    started: list[Start] = field(default_factory=list)
    writes: int = 1

    def write(self, path: str, text: str) -> None:
        self.writes += 1  # no two writes share a modification time, also of a path that was removed between them
        self.files[path] = (text, str(self.writes))

    def look(self) -> Decision:
        """One look at the folder, its memory kept as text; what it starts is running from then on."""
        memory = read_memory(self.cursor)
        if memory is None:
            memory = Memory()
        seen = survey([Seen(path, len(text), mark) for path, (text, mark) in self.files.items()], self.now, self.limits)
        wanted = stable(seen, memory)
        hashes = {path: sha(self.files[path][0]) for path in wanted if path not in self.unreadable}
        self.hashed += hashes
        unreadable = {path: self.unreadable[path] for path in wanted if path in self.unreadable}
        wanted_runs = open_contents(memory, hashes, self.judged)
        runs = {content: list(self.runs[content]) for content in wanted_runs if content in self.runs}
        facts = Facts(hashes, unreadable, set(self.judged), self.released, runs)
        decision = decide(seen, memory, facts, self.now, self.limits)
        self.cursor = memory_text(decision.memory)
        for start in decision.starts:
            self.runs.setdefault((start.period.key, start.sha256), []).append(Attempt(start.attempt, "running"))
        self.started += decision.starts
        return decision

    def looks(self, number: int) -> list[Decision]:
        return [self.look() for _ in range(number)]

    def end(self, path: str, state: str, month: str = "2026-01") -> None:
        """The run over a content that is there now ends."""
        self.end_of(self.files[path][0], state, month)

    def end_of(self, text: str, state: str, month: str = "2026-01") -> None:
        content = (month, sha(text))
        self.runs[content][-1] = replace(self.runs[content][-1], state=state, ended=self.now)
        if state == "succeeded":
            self.judged.add(content)


@pytest.fixture
def folder() -> Folder:
    return Folder()


def told(decisions: list[Decision]) -> list[tuple[str, str]]:
    return [(one.kind, one.text) for decision in decisions for one in decision.told]


def taken(path: str, now: datetime = NOW, limits: Limits = LIMITS) -> list[str]:
    """The months started by three looks at a folder with one file."""
    place = Folder({path: ("rows", "1")}, now=now, limits=limits)
    place.looks(3)
    return [start.period.key for start in place.started]


def reported(path: str, now: datetime = NOW) -> list[tuple[str, str]]:
    """What three looks at a folder with one file tell; it must not be started."""
    place = Folder({path: ("rows", "1")}, now=now)
    said = told(place.looks(3))
    assert place.started == []
    return said


# When a file is taken


def test_a_file_is_taken_when_it_has_stood_still_between_two_looks(folder: Folder) -> None:
    folder.write(FILE, "rows")
    first, second, third = folder.looks(3)
    assert (first.starts, first.waits) == ((), ("2026.01_usage.csv to stand still",))
    assert second.starts == (Start(Period(2026, 1), FILE, sha("rows"), 1),)
    assert (third.starts, third.waits) == ((), ("the run of 2026-01 over 2026.01_usage.csv",))


def test_a_growing_file_waits(folder: Folder) -> None:
    for text in ("r", "ro", "row", "rows"):
        folder.write(FILE, text)
        assert folder.look().starts == ()
    assert [start.sha256 for start in folder.look().starts] == [sha("rows")]


def test_a_file_that_changes_without_growing_waits(folder: Folder) -> None:
    folder.write(FILE, "abcd")
    folder.look()
    folder.write(FILE, "abce")
    assert folder.look().starts == ()
    assert [start.sha256 for start in folder.look().starts] == [sha("abce")]


def test_a_file_that_grows_and_keeps_its_time_waits(folder: Folder) -> None:
    folder.files[FILE] = ("rows", "1")
    folder.look()
    folder.files[FILE] = ("rows rows", "1")
    assert folder.look().starts == ()
    assert [start.sha256 for start in folder.look().starts] == [sha("rows rows")]


def test_an_empty_file_waits_and_is_not_opened(folder: Folder) -> None:
    folder.write(FILE, "")
    assert told(folder.looks(30)) == []
    assert (folder.started, folder.hashed) == ([], [])


def test_a_file_is_hashed_once(folder: Folder) -> None:
    folder.write(FILE, "rows")
    folder.looks(5)
    assert folder.hashed == [FILE]


def test_only_files_that_stood_still_are_hashed(folder: Folder) -> None:
    folder.write(FILE, "rows")
    folder.look()
    folder.write("2025.12_usage.csv", "other")
    folder.look()
    assert folder.hashed == [FILE]


def test_a_file_whose_turn_to_be_hashed_did_not_come_is_hashed_at_the_next_look() -> None:
    seen = survey([Seen(FILE, 4, "1"), Seen("2025.12_usage.csv", 4, "1")], NOW, LIMITS)
    memory = decide(seen, Memory(), Facts(), NOW, LIMITS).memory
    assert stable(seen, memory) == ("2025.12_usage.csv", FILE)
    decision = decide(seen, memory, Facts(hashes={"2025.12_usage.csv": sha("rows")}), NOW, LIMITS)
    assert [start.path for start in decision.starts] == ["2025.12_usage.csv"]
    assert stable(seen, decision.memory) == (FILE,)


def test_a_file_that_shrinks_on_arrival_is_told_once_and_taken_when_it_stands_still(folder: Folder) -> None:
    said = []
    for text in ("rows rows", "rows", "ro", "rows"):
        folder.write(FILE, text)
        said += [folder.look()]
    said += folder.looks(3)
    assert told(said) == [("unstable", "2026.01_usage.csv became smaller while it arrived")]
    assert [start.sha256 for start in folder.started] == [sha("rows")]


def test_a_file_that_never_stands_still_is_told_once(folder: Folder) -> None:
    said = []
    for number in range(40):
        folder.write(FILE, "x" * (number + 1))
        said.append(folder.look())
    assert told(said) == [("unstable", "2026.01_usage.csv was still changing after 12 looks at it")]


def test_a_file_that_cannot_be_read_is_tried_at_every_look_and_told_once(folder: Folder) -> None:
    folder.write(FILE, "rows")
    folder.unreadable[FILE] = "Permission denied"
    said = folder.looks(20)
    assert told(said) == [("unstable", "2026.01_usage.csv cannot be read: Permission denied")]
    assert said[1].said == ("2026.01_usage.csv cannot be read: Permission denied",)
    folder.unreadable.clear()
    assert [start.path for start in folder.look().starts] == [FILE]


# Which files are usage


@pytest.mark.parametrize(
    "path",
    [
        "2026.01_REDASH_usage.csv",
        "2026.1_usage.CSV",
        "2026.01_.csv",
        "2026.01_größer (1).csv",
        "exports/from redash/2026.01_usage.csv",
        "2026.01/2026.01_usage.csv",
        "2026-01/2026.01_usage.csv",
        "202601/2026.1_usage.csv",
        "2026/01/2026.01_usage.csv",
        "2026/1/raw/2026.01_usage.csv",
        "2025/2026-01/2026.01_usage.csv",
        "2026-01-15/2026.01_usage.csv",
        "2026/13/2026.01_usage.csv",
    ],
)
def test_usage_is_named_by_its_month_and_may_lie_in_sub_folders(path: str) -> None:
    assert taken(path) == ["2026-01"]


@pytest.mark.parametrize(
    "path",
    [
        "notes.csv",
        "usage_2026.01_.csv",
        "gep_billing_rules.xlsx",
        "2026.01_usage.xlsx",
        "2026.01_usage.csv.part",
        "2026.01_usage.csv.tmp",
        "2026.01_usage.csv.crdownload",
        "2026.01_usage.csv.lock",
        "2026.01_usage.csv~",
        ".2026.01_usage.csv",
        "._2026.01_usage.csv",
        "~$2026.01_usage.csv",
        ".sync/2026.01_usage.csv",
        "upload.tmp/2026.01_usage.csv",
        "2026-01/notes.txt",
        "2026-01/.usage.csv",
        "2025-10/partner.csv",
        "2025.11/2025.11_usage.csv",
    ],
)
def test_other_files_temporary_ones_and_old_months_are_left_alone_in_silence(path: str) -> None:
    assert reported(path) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("2026.13_usage.csv", "begins with a month that does not exist; usage is named YYYY.MM_<anything>.csv"),
        ("0000.01_usage.csv", "begins with a month that does not exist; usage is named YYYY.MM_<anything>.csv"),
        ("2026.03_usage.csv", "is of 2026-03; this month is 2026-02. It is taken when its month begins"),
        ("2026-01/partner.csv", "is in the folder of 2026-01 and not named as usage: YYYY.MM_<anything>.csv"),
        ("2026.01/2025.12_usage.csv", "says 2025-12 in its name, 2026-01 in its folder's"),
        ("2024.05/2026.01_usage.csv", "says 2026-01 in its name, 2024-05 in its folder's"),
        ("2026/01/2024.05_usage.csv", "says 2024-05 in its name, 2026-01 in its folder's"),
        ("2026.01_a\\b.csv", "holds characters that a name may not hold, in its name or its folder's"),
    ],
)
def test_a_file_that_claims_what_cannot_be_is_told_once(path: str, text: str) -> None:
    assert reported(path) == [("wrong_month", f"{path} {text}")]


@pytest.mark.parametrize("path", ["2026.01_a\nb.csv", "2026.01_\x1b[2J.csv", "2026.01_\udcff.csv", "a\nb/2026.01_.csv"])
def test_a_name_that_cannot_be_shown_is_told_without_showing_it(path: str) -> None:
    [(kind, text)] = reported(path)
    assert kind == "wrong_month"
    assert text.isprintable()


def test_a_month_before_the_first_billable_one_is_told_once() -> None:
    place = Folder({"2025.12_usage.csv": ("rows", "1")}, limits=replace(LIMITS, first=Period(2026, 1)))
    text = "is of 2025-12, before the first month that is billed here, 2026-01 (BILLING_START_MONTH)"
    assert told(place.looks(3)) == [("wrong_month", f"2025.12_usage.csv {text}")]
    assert place.started == []


def test_the_first_billable_month_itself_is_taken() -> None:
    assert taken(FILE, limits=replace(LIMITS, first=Period(2026, 1))) == ["2026-01"]


def test_a_folder_of_wrong_files_is_told_in_one_notice(folder: Folder) -> None:
    for number in range(40):
        folder.write(f"2026-01/partner_{number:02d}.csv", "rows")
    [(kind, text)] = told(folder.looks(3))
    assert kind == "wrong_month"
    assert [line.split()[0] for line in text.splitlines()[:5]] == [f"2026-01/partner_{n:02d}.csv" for n in range(5)]
    assert text.splitlines()[5:] == ["… and 35 more"]


# Months begin in a zone


@pytest.mark.parametrize(
    ("zone", "utc", "months"),
    [
        ("Europe/Berlin", datetime(2026, 1, 31, 22, 59, tzinfo=UTC), []),
        ("Europe/Berlin", datetime(2026, 1, 31, 23, 0, tzinfo=UTC), ["2026-02"]),
        ("America/New_York", datetime(2026, 2, 1, 4, 59, tzinfo=UTC), []),
        ("America/New_York", datetime(2026, 2, 1, 5, 0, tzinfo=UTC), ["2026-02"]),
        ("UTC", datetime(2026, 1, 31, 23, 59, tzinfo=UTC), []),
        ("UTC", datetime(2026, 2, 1, tzinfo=UTC), ["2026-02"]),
    ],
)
def test_a_month_s_file_is_taken_from_its_first_midnight_in_the_zone_on(
    zone: str, utc: datetime, months: list[str]
) -> None:
    assert taken("2026.02_usage.csv", utc.astimezone(ZoneInfo(zone))) == months


@pytest.mark.parametrize(
    ("zone", "utc", "months"),
    [
        ("Europe/Berlin", datetime(2026, 3, 31, 21, 59, tzinfo=UTC), ["2026-01"]),  # summer time by then
        ("Europe/Berlin", datetime(2026, 3, 31, 22, 0, tzinfo=UTC), []),
        ("America/New_York", datetime(2026, 4, 1, 3, 59, tzinfo=UTC), ["2026-01"]),
        ("America/New_York", datetime(2026, 4, 1, 4, 0, tzinfo=UTC), []),
    ],
)
def test_a_file_becomes_too_old_at_a_midnight_in_the_zone(zone: str, utc: datetime, months: list[str]) -> None:
    assert taken(FILE, utc.astimezone(ZoneInfo(zone))) == months


@pytest.mark.parametrize(
    ("age", "months"), [(0, []), (1, ["2026-01"]), (13, ["2026-01"]), (99_999, ["2026-01"])], ids=str
)
def test_how_old_a_month_may_be_is_a_setting(age: int, months: list[str]) -> None:
    assert taken(FILE, limits=replace(LIMITS, max_age_months=age)) == months


@pytest.mark.parametrize(
    ("zone", "failed"),
    [
        ("Europe/Berlin", datetime(2026, 3, 29, 0, 59, 30, tzinfo=UTC)),  # 01:59:30, then 03:00
        ("Europe/Berlin", datetime(2026, 10, 25, 0, 59, 30, tzinfo=UTC)),  # 02:59:30, then 02:00 again
        ("America/New_York", datetime(2026, 3, 8, 6, 59, 30, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 11, 1, 5, 59, 30, tzinfo=UTC)),
        ("UTC", datetime(2025, 12, 31, 23, 59, 30, tzinfo=UTC)),
    ],
)
def test_a_pause_is_as_long_as_ever_when_clocks_change_and_over_midnight(zone: str, failed: datetime) -> None:
    place = Folder(now=failed.astimezone(ZoneInfo(zone)))
    name = f"{place.now:%Y.%m}_usage.csv"
    place.write(name, "rows")
    place.looks(2)
    place.end(name, "failed", f"{place.now:%Y-%m}")
    place.now = (failed + timedelta(seconds=59)).astimezone(ZoneInfo(zone))
    assert place.look().starts == ()
    place.now = (failed + timedelta(seconds=60)).astimezone(ZoneInfo(zone))
    assert [start.attempt for start in place.look().starts] == [2]


def test_a_future_file_is_taken_when_its_month_begins(folder: Folder) -> None:
    folder.write("2026.03_usage.csv", "rows")
    folder.looks(3)
    folder.now = datetime(2026, 3, 1, tzinfo=UTC)
    assert told(folder.looks(2)) == []
    assert [start.period.key for start in folder.started] == ["2026-03"]


# One run for each month and content


def test_the_same_content_under_another_name_is_skipped_and_told_once(folder: Folder) -> None:
    folder.write("2026.01_b.csv", "rows")
    folder.looks(2)
    folder.write("2026.01_a.csv", "rows")
    said = folder.looks(3)
    folder.end("2026.01_b.csv", "succeeded")
    said += folder.looks(3)
    assert [start.path for start in folder.started] == ["2026.01_b.csv"]
    assert told(said) == [("duplicate", "2026.01_a.csv holds the same as 2026.01_b.csv")]


def test_the_same_content_in_another_month_is_that_month_s_own_question(folder: Folder) -> None:
    folder.write(FILE, "rows")
    folder.write("2025.12_usage.csv", "rows")
    folder.looks(2)
    assert [start.period.key for start in folder.started] == ["2025-12", "2026-01"]


def test_a_judged_content_is_not_started_again(folder: Folder) -> None:
    folder.judged.add(("2026-01", sha("rows")))
    folder.write(FILE, "rows")
    decisions = folder.looks(3)
    assert folder.started == []
    assert told(decisions) == []
    assert decisions[1].said == ("2026.01_usage.csv holds what has been judged for its month",)


def test_a_renamed_file_is_not_billed_again(folder: Folder) -> None:
    folder.write(FILE, "rows")
    folder.looks(2)
    folder.end(FILE, "succeeded")
    folder.files["2026.01_final.csv"] = folder.files.pop(FILE)
    assert told(folder.looks(4)) == []
    assert len(folder.started) == 1


def test_a_file_touched_without_a_change_is_not_billed_again(folder: Folder) -> None:
    folder.write(FILE, "rows")
    folder.looks(2)
    folder.end(FILE, "succeeded")
    folder.write(FILE, "rows")
    folder.looks(3)
    assert (len(folder.started), folder.hashed) == (1, [FILE, FILE])


def test_changed_content_of_a_month_without_a_release_is_started(folder: Folder) -> None:
    folder.write(FILE, "rows")
    folder.looks(2)
    folder.end(FILE, "succeeded")
    folder.write(FILE, "more")
    folder.looks(3)
    assert [(start.sha256, start.attempt, start.rebill) for start in folder.started] == [
        (sha("rows"), 1, False),
        (sha("more"), 1, False),
    ]


def test_changed_content_of_a_released_month_is_started_as_a_rebill(folder: Folder) -> None:
    folder.judged.add(("2026-01", sha("rows")))
    folder.released["2026-01"] = sha("rows")
    folder.write(FILE, "rows of a longer file")
    decisions = folder.looks(2)
    assert folder.started == [Start(Period(2026, 1), FILE, sha("rows of a longer file"), 1, rebill=True)]
    assert decisions[1].said == ("2026-01: re-bill of 2026.01_usage.csv started, attempt 1",)


def test_a_release_that_a_crash_left_unfinished_is_finished_and_no_rebill(folder: Folder) -> None:
    folder.released["2026-01"] = sha("rows")
    folder.write(FILE, "rows")
    folder.looks(2)
    assert folder.started == [Start(Period(2026, 1), FILE, sha("rows"), 1, rebill=False)]


def test_a_smaller_correction_of_a_billed_file_is_no_file_that_shrinks(folder: Folder) -> None:
    folder.write(FILE, "rows and rows")
    folder.looks(2)
    folder.end(FILE, "succeeded")
    folder.write(FILE, "rows")
    assert told(folder.looks(3)) == []
    assert len(folder.started) == 2


# Two contents of one month


def test_two_contents_of_an_unreleased_month_are_not_started_and_told_once_by_name(folder: Folder) -> None:
    folder.write("2026.01_a.csv", "rows")
    folder.write("2026.01_b.csv", "other rows")
    decisions = folder.looks(5)
    assert folder.started == []
    assert told(decisions) == [
        (
            "ambiguous",
            "2026-01: these hold different usage, and none of them is started.\n2026.01_a.csv\n2026.01_b.csv",
        )
    ]
    assert decisions[-1].waits == ("one file of 2026-01 to be left",)


def test_the_content_that_is_left_is_started(folder: Folder) -> None:
    folder.write("2026.01_a.csv", "rows")
    folder.write("2026.01_b.csv", "other rows")
    folder.looks(3)
    del folder.files["2026.01_a.csv"]
    assert [start.path for start in folder.look().starts] == ["2026.01_b.csv"]


def test_two_contents_of_one_month_do_not_hold_up_another_month(folder: Folder) -> None:
    folder.write("2026.01_a.csv", "rows")
    folder.write("2026.01_b.csv", "other rows")
    folder.write("2025.12_usage.csv", "december")
    folder.looks(3)
    assert [start.period.key for start in folder.started] == ["2025-12"]


def test_a_second_content_that_comes_during_a_run_waits_for_a_person(folder: Folder) -> None:
    folder.write("2026.01_a.csv", "rows")
    folder.looks(2)
    folder.write("2026.01_b.csv", "other rows")
    said = told(folder.looks(3))
    assert [kind for kind, _ in said] == ["ambiguous"]
    assert [start.path for start in folder.started] == ["2026.01_a.csv"]


def test_a_second_content_of_a_released_month_is_a_rebill(folder: Folder) -> None:
    folder.write("2026.01_a.csv", "rows")
    folder.looks(2)
    folder.end("2026.01_a.csv", "succeeded")
    folder.released["2026-01"] = sha("rows")
    folder.write("2026.01_b.csv", "other rows")
    assert told(folder.looks(3)) == []
    assert [(start.path, start.rebill) for start in folder.started] == [
        ("2026.01_a.csv", False),
        ("2026.01_b.csv", True),
    ]


def test_two_new_contents_of_a_released_month_are_both_rebills_for_a_person_to_choose(folder: Folder) -> None:
    folder.released["2026-01"] = sha("rows")
    folder.write("2026.01_a.csv", "one")
    folder.write("2026.01_b.csv", "two")
    assert told(folder.looks(3)) == []
    assert {(start.path, start.rebill) for start in folder.started} == {
        ("2026.01_a.csv", True),
        ("2026.01_b.csv", True),
    }


def test_a_failed_run_is_tried_again_although_another_file_of_the_month_arrives(folder: Folder) -> None:
    folder.write("2026.01_a.csv", "rows")
    folder.looks(2)
    folder.end("2026.01_a.csv", "failed")
    folder.now += timedelta(hours=1)
    folder.write("2026.01_b.csv", "oth")
    assert [start.attempt for start in folder.look().starts] == [2]


def test_a_month_s_first_run_waits_for_a_file_of_it_that_still_arrives(folder: Folder) -> None:
    folder.write("2026.01_a.csv", "rows")
    folder.look()
    folder.write("2026.01_b.csv", "oth")
    waiting = folder.look()
    assert waiting.starts == ()
    assert "the other files of 2026-01 before 2026.01_a.csv is taken" in waiting.waits
    folder.write("2026.01_b.csv", "other rows")
    folder.look()
    assert [kind for kind, _ in told(folder.looks(2))] == ["ambiguous"]
    assert folder.started == []


def test_an_empty_file_or_one_that_never_stands_still_does_not_hold_its_month_up_for_ever(folder: Folder) -> None:
    folder.write("2026.01_a.csv", "rows")
    folder.write("2026.01_empty.csv", "")
    for number in range(20):
        folder.write("2026.01_log.csv", "x" * (number + 1))
        folder.look()
    assert [start.path for start in folder.started] == ["2026.01_a.csv"]


# Failed runs and vanished files


def test_a_failed_run_is_tried_again_with_growing_pauses_up_to_the_limit(folder: Folder) -> None:
    folder.write(FILE, "rows")
    folder.looks(2)
    begun, times = NOW, []
    for _ in range(600):
        if folder.runs[("2026-01", sha("rows"))][-1].state == "running":
            times.append(int((folder.now - begun).total_seconds()))
            folder.end(FILE, "failed")
        folder.now += timedelta(seconds=1)
        decision = folder.look()
    assert [start.attempt for start in folder.started] == [1, 2, 3]
    assert times == [0, 60, 180]
    assert decision.waits == ("a person: every attempt at 2026.01_usage.csv failed",)


def test_what_is_waited_for_says_when_the_next_attempt_is_due(folder: Folder) -> None:
    folder.write(FILE, "rows")
    folder.looks(2)
    folder.end(FILE, "failed")
    assert folder.look().waits == ("attempt 2 at 2026.01_usage.csv, due 2026-02-02 09:01:00 UTC",)


def test_a_corrected_file_starts_anew_after_the_last_attempt(folder: Folder) -> None:
    folder.write(FILE, "rows")
    folder.looks(2)
    folder.runs[("2026-01", sha("rows"))] = [Attempt(3, "failed", NOW)]
    folder.write(FILE, "rows, corrected")
    folder.looks(2)
    assert [(start.sha256, start.attempt) for start in folder.started[1:]] == [(sha("rows, corrected"), 1)]


def test_a_run_that_a_person_cancelled_is_not_started_again(folder: Folder) -> None:
    folder.write(FILE, "rows")
    folder.looks(2)
    folder.end(FILE, "cancelled")
    folder.now += timedelta(hours=1)
    folder.looks(3)
    assert len(folder.started) == 1


def test_a_billed_file_may_vanish_and_is_forgotten(folder: Folder) -> None:
    folder.write(FILE, "rows")
    folder.looks(2)
    folder.end(FILE, "succeeded")
    del folder.files[FILE]
    assert told(folder.looks(3)) == []
    assert read_memory(folder.cursor) == Memory()


def test_a_file_that_vanishes_before_it_was_taken_is_forgotten(folder: Folder) -> None:
    folder.write(FILE, "rows")
    folder.look()
    del folder.files[FILE]
    assert told(folder.looks(3)) == []
    assert read_memory(folder.cursor) == Memory()


def test_a_file_that_vanishes_while_its_run_is_to_be_tried_again_is_told_once(folder: Folder) -> None:
    folder.write(FILE, "rows")
    folder.looks(2)
    folder.end(FILE, "failed")
    del folder.files[FILE]
    assert told(folder.looks(3)) == [("vanished", "2026-01: 2026.01_usage.csv is gone, and its run had failed")]


@pytest.mark.parametrize(("state", "kinds"), [("succeeded", []), ("failed", ["vanished"]), ("cancelled", [])], ids=str)
def test_of_a_file_that_vanishes_during_its_run_people_hear_when_the_run_fails(
    folder: Folder, state: str, kinds: list[str]
) -> None:
    folder.write(FILE, "rows")
    folder.looks(2)
    del folder.files[FILE]
    assert told(folder.looks(3)) == []
    folder.end_of("rows", state)
    assert [kind for kind, _ in told(folder.looks(3))] == kinds
    assert read_memory(folder.cursor) == Memory()


def test_a_file_that_comes_back_is_tried_again_when_its_pause_is_over(folder: Folder) -> None:
    folder.write(FILE, "rows")
    folder.looks(2)
    folder.end(FILE, "failed")
    back = folder.files.pop(FILE)
    folder.look()
    folder.files[FILE] = back
    folder.looks(3)
    assert len(folder.started) == 1
    folder.now += timedelta(seconds=60)
    assert [start.attempt for start in folder.look().starts] == [2]


def test_a_failed_content_that_lies_there_under_another_name_is_tried_from_that_one(folder: Folder) -> None:
    folder.write(FILE, "rows")
    folder.write("copy/2026.01_usage.csv", "rows")
    folder.looks(2)
    [first] = folder.started
    folder.end_of("rows", "failed")
    del folder.files[first.path]
    folder.now += timedelta(hours=1)
    assert [kind for kind, _ in told(folder.looks(2))] == []
    assert [start.path for start in folder.started[1:]] == [({FILE, "copy/2026.01_usage.csv"} - {first.path}).pop()]


def test_a_failing_file_that_becomes_too_old_has_not_vanished(folder: Folder) -> None:
    folder.write(FILE, "rows")
    folder.looks(2)
    folder.end(FILE, "failed")
    folder.now = datetime(2026, 4, 1, tzinfo=UTC)
    assert told(folder.looks(2)) == []
    assert read_memory(folder.cursor) == Memory()


# The folder itself


def test_a_folder_that_is_away_is_told_once_and_again_when_it_is_back(folder: Folder) -> None:
    folder.write(FILE, "rows")
    folder.look()
    memory = read_memory(folder.cursor)
    assert memory is not None
    away = [unreachable(memory, "No such file or directory", NOW)]
    away.append(unreachable(away[0].memory, "No such file or directory", NOW + timedelta(days=1)))
    assert told(away) == [("folder_gone", "No such file or directory")]
    assert away[1].memory.files == memory.files
    folder.cursor = memory_text(away[1].memory)
    back = folder.looks(2)
    assert told(back) == [("folder_back", "it was away since 2026-02-02")]
    assert [start.path for start in folder.started] == [FILE]


def test_a_second_outage_of_a_day_is_another_fact() -> None:
    keys = []
    memory = Memory()
    for _ in range(2):
        gone = unreachable(memory, "gone", NOW)
        back = decide(survey([], NOW, LIMITS), gone.memory, Facts(), NOW, LIMITS)
        keys += [one.key for one in (*gone.told, *back.told)]
        memory = back.memory
    assert keys == [
        "folder_gone:2026-02-02#1",
        "folder_back:2026-02-02#1",
        "folder_gone:2026-02-02#2",
        "folder_back:2026-02-02#2",
    ]


# What is remembered


def test_the_memory_survives_as_text(folder: Folder) -> None:
    memory = Memory(
        {FILE: Remembered(4, "17", sha("rows")), "2025.12_ü.csv": Remembered(0, "", "", 3, True)},
        {("2026-01", sha("gone")): "2026.01_gone.csv"},
        frozenset({"duplicate:1"}),
        2,
        "2026-02-01#2",
    )
    assert read_memory(memory_text(memory)) == memory
    assert memory_text(memory).isascii()


def test_no_text_is_an_empty_memory() -> None:
    assert read_memory(None) == read_memory("") == Memory()


@pytest.mark.parametrize(
    "damage",
    [
        "x",
        "{",
        "[]",
        "null",
        "{}",
        '{"form":2,"files":{},"gone":[],"told":[],"outages":0,"away":""}',
        '{"form":1,"files":[],"gone":[],"told":[],"outages":0,"away":""}',
        '{"form":1,"files":{"2026.01_.csv":[1,2]},"gone":[],"told":[],"outages":0,"away":""}',
        '{"form":1,"files":{"2026.01_.csv":[1,"1","abc",0,0]},"gone":[],"told":[],"outages":0,"away":""}',
        '{"form":1,"files":{"2026.01_.csv":["1","1","",0,0]},"gone":[],"told":[],"outages":0,"away":""}',
        '{"form":1,"files":{"notes.csv":[1,"1","",0,0]},"gone":[],"told":[],"outages":0,"away":""}',
        '{"form":1,"files":{},"gone":[["1","2","3"]],"told":[],"outages":0,"away":""}',
        '{"form":1,"files":{},"gone":[["9999-01","' + "0" * 64 + '","x"]],"told":[],"outages":0,"away":""}',
        '{"form":1,"files":{},"gone":[],"told":[1],"outages":0,"away":""}',
        '{"form":1,"files":{},"gone":[],"told":[],"outages":-1,"away":""}',
        "[" * 100_000,
    ],
)
def test_a_damaged_memory_is_recognised(damage: str) -> None:
    assert read_memory(damage) is None


@pytest.mark.parametrize("cut", range(0, 200, 7))
def test_a_memory_cut_short_is_recognised(cut: int, folder: Folder) -> None:
    folder.write(FILE, "rows")
    folder.looks(2)
    text = folder.cursor[: max(1, len(folder.cursor) - 1 - cut)]
    assert read_memory(text) is None


def test_a_lost_memory_starts_nothing_a_second_time_and_repeats_no_key(folder: Folder) -> None:
    folder.write(FILE, "rows")
    folder.write("2026.01_copy.csv", "rows")
    folder.write("2025.12_usage.csv", "december")
    keys = [one.key for decision in folder.looks(3) for one in decision.told]
    folder.end("2025.12_usage.csv", "succeeded", "2025-12")
    folder.cursor = "damaged"
    again = [one.key for decision in folder.looks(3) for one in decision.told]
    assert len(folder.started) == 2
    assert again == keys  # which the outbox knows


def test_the_memory_holds_only_usage_files_that_are_there(folder: Folder) -> None:
    for number in range(50):
        folder.write(f"2026.01_{number}.csv", "rows")
        folder.write(f"2019.01_{number}.csv", "rows")
        folder.write(f"2026-01/partner_{number}.csv", "rows")
    folder.looks(2)
    assert len(json.loads(folder.cursor)["files"]) == 50
    folder.files.clear()
    folder.judged.add(("2026-01", sha("rows")))
    folder.looks(2)
    assert folder.cursor == memory_text(Memory())


# Any order of events

NAMES = st.sampled_from(["2026.01_a.csv", "2026.01_b.csv", "sub/2026.01_a.csv", "2025.12_x.csv"])
TEXTS = st.sampled_from(["", "one", "two", "longer"])
EVENTS = st.one_of(
    st.tuples(st.just("write"), NAMES, TEXTS),
    st.tuples(st.just("rename"), NAMES, NAMES),
    st.tuples(st.just("remove"), NAMES, st.just("")),
    st.tuples(st.just("look"), st.just(""), st.just("")),
    st.tuples(st.just("lose the memory"), st.just(""), st.just("")),
    st.tuples(st.just("end the runs"), st.sampled_from(["failed", "succeeded"]), st.just("")),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(EVENTS, max_size=40))
def test_in_any_order_of_events_nothing_is_started_twice_and_every_file_in_the_end(
    events: list[tuple[str, str, str]],
) -> None:
    place = Folder(limits=replace(LIMITS, retry_seconds=1, attempts=1000))
    for event, one, other in events:
        happen(place, event, one, other)
    for month in ("2025-12", "2026-01"):  # a person leaves one content of each month
        texts = sorted({text for path, (text, _) in place.files.items() if text and month_of(path) == month})
        place.files = {p: f for p, f in place.files.items() if month_of(p) != month or f[0] in ("", *texts[:1])}
    for _ in range(4):
        place.look()
        end_runs(place, "succeeded")
        place.now += timedelta(days=1)
        place.limits = replace(place.limits, max_age_months=1000)
    keys = [(start.period.key, start.sha256, start.attempt) for start in place.started]
    assert len(keys) == len(set(keys))
    there = {(month_of(path), sha(text)) for path, (text, _) in place.files.items() if text}
    assert there <= place.judged


def happen(place: Folder, event: str, one: str, other: str) -> None:
    place.now += timedelta(seconds=1)
    if event == "write":
        place.write(one, other)
    elif event == "rename" and one in place.files:
        place.files[other] = place.files.pop(one)
    elif event == "remove":
        place.files.pop(one, None)
    elif event == "look":
        place.look()
    elif event == "lose the memory":
        place.cursor = "lost"
    elif event == "end the runs":
        end_runs(place, one)


def end_runs(place: Folder, state: str) -> None:
    for content, runs in place.runs.items():
        if runs[-1].state == "running":
            runs[-1] = replace(runs[-1], state=state, ended=place.now)
            if state == "succeeded":
                place.judged.add(content)


def month_of(path: str) -> str:
    return path.rpartition("/")[2][:7].replace(".", "-")
