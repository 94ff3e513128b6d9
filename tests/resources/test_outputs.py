"""Publication of files: a set that appears whole, named files brought up to it, and what a crash anywhere leaves."""

import errno
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from billing_pipeline.engine.errors import BillingError, GateError
from billing_pipeline.engine.period import Period
from billing_pipeline.resources import outputs as module
from billing_pipeline.resources.files import sha256_of
from billing_pipeline.resources.outputs import DraftFile, OutputFiles, run_name
from tests.literals import JANUARY

ONE, TWO, THREE = (f"20260201T00000{n}Z-0000000{n}" for n in (1, 2, 3))


@pytest.fixture(name="outputs")
def an_outputs_folder(tmp_path: Path) -> OutputFiles:
    return OutputFiles(tmp_path / "out", tmp_path / "out" / ".billing")


def drafted(outputs: OutputFiles, run: str, period: Period = JANUARY, **contents: str) -> list[DraftFile]:
    """Draft files by name (`/` written as `__`): named ones, `rules__...` lasting, `set__...` in the set only."""
    folder = outputs.draft_folder(period, run)
    files = []
    for key, content in contents.items():
        name = key.replace("__", "/")
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        files.append(DraftFile(name, path, named=not name.startswith("set/"), lasting=name.startswith("rules/")))
    return files


def manifest(run: str, files: list[DraftFile]) -> dict[str, Any]:
    entries = [
        {"name": f.name, "named": f.named, "lasting": f.lasting, "sha256": sha256_of(f.path), "kind": "any"}
        for f in files
    ]
    return {
        "run_id": run,
        "billing_period": "2026.01",
        "finished_at_utc": run,
        "files": entries,
        "manifest_name": f"log/manifest_{run}.json",
    }


def publish(outputs: OutputFiles, run: str, period: Period = JANUARY, **contents: str) -> Path:
    files = drafted(outputs, run, period, **contents)
    return outputs.publish(period, run, files, manifest(run, files))


def tree(folder: Path) -> dict[str, str]:
    """Every file below a folder, state left out, with its text."""
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".billing" not in path.parts
    }


def named(outputs: OutputFiles) -> dict[str, str]:
    """The named files and their texts: no run sets, no manifests."""
    return {name: text for name, text in tree(outputs.outputs_dir).items() if not name.startswith(("runs/", "log/"))}


def test_a_run_is_committed_as_a_set_and_its_named_files_are_copies(outputs: OutputFiles) -> None:
    path = publish(outputs, ONE, import__a="a", rules__r="r", set__frame="f")
    assert named(outputs) == {"import/a": "a", "rules/r": "r"}
    committed = tree(outputs.outputs_dir / "runs/2026-01" / ONE)
    assert {name: text for name, text in committed.items() if name != "manifest.json"} == {
        "import/a": "a",
        "rules/r": "r",
        "set/frame": "f",
    }
    assert path == outputs.outputs_dir / f"log/manifest_{ONE}.json"
    assert json.loads(path.read_text()) == json.loads(committed["manifest.json"])
    assert not (outputs.outputs_dir / "import/a").samefile(outputs.outputs_dir / "runs/2026-01" / ONE / "import/a")


def test_the_latest_of_several_runs_counts(outputs: OutputFiles) -> None:
    publish(outputs, TWO, import__a="two")
    publish(outputs, ONE, import__a="one")
    latest = outputs.latest_manifest(JANUARY)
    assert latest is not None
    assert latest["run_id"] == TWO
    assert outputs.latest_manifest(JANUARY.next) is None


def test_months_do_not_touch_each_other(outputs: OutputFiles) -> None:
    publish(outputs, ONE, import__january="1")
    publish(outputs, TWO, JANUARY.next, import__february="2")
    assert named(outputs) == {"import/january": "1", "import/february": "2"}
    assert outputs.committed_months() == [JANUARY, JANUARY.next]


def test_what_a_later_run_no_longer_has_is_taken_away_and_kept_in_its_set(outputs: OutputFiles) -> None:
    publish(outputs, ONE, partners__acme__a="a", partners__birch__b="b", rules__one="r")
    publish(outputs, TWO, partners__acme__a="a2", rules__two="r")
    assert named(outputs) == {"partners/acme/a": "a2", "rules/one": "r", "rules/two": "r"}
    assert not (outputs.outputs_dir / "partners/birch").exists()
    assert (outputs.outputs_dir / "runs/2026-01" / ONE / "partners/birch/b").read_text() == "b"


def test_a_folder_that_holds_something_else_stays(outputs: OutputFiles) -> None:
    publish(outputs, ONE, partners__birch__b="b")
    (outputs.outputs_dir / "partners/birch/notes.txt").write_text("mine")
    publish(outputs, TWO, import__a="a")
    assert named(outputs) == {"import/a": "a", "partners/birch/notes.txt": "mine"}


def test_two_files_of_one_name_are_refused_upper_and_lower_case_being_one(outputs: OutputFiles) -> None:
    publish(outputs, ONE, import__a="a")
    before = tree(outputs.outputs_dir)
    with pytest.raises(BillingError, match=r"^two files would be published under one name: import/a$"):
        publish(outputs, TWO, import__a="1", import__A="2")
    assert tree(outputs.outputs_dir) == before


@pytest.mark.parametrize("name", ["../outside", "a/../../outside", "/etc/outside", "a\\outside"])
def test_a_name_outside_the_outputs_folder_is_refused(outputs: OutputFiles, tmp_path: Path, name: str) -> None:
    source = tmp_path / "x"
    source.write_text("x")
    file = DraftFile(name, source)
    with pytest.raises(BillingError, match=r"^a file may not be published as "):
        outputs.publish(JANUARY, ONE, [file], manifest(ONE, [file]))
    assert tree(outputs.outputs_dir) == {}
    assert not (tmp_path / "outside").exists()


def test_a_set_cannot_be_written_to(outputs: OutputFiles) -> None:
    publish(outputs, ONE, import__a="a")
    files = [path for path in (outputs.outputs_dir / "runs").rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o444}


class Crash(BaseException):
    """The machine stops here, and does nothing more."""


def operations(
    monkeypatch: pytest.MonkeyPatch, last: int | None = None, error: BaseException | None = None
) -> list[str]:
    """What publish does to the disk, in order, as it does it. Number `last` fails; after a Crash so does everything."""
    done: list[str] = []

    def watched(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **more: Any) -> Any:
            if done and done[-1] == "crash":
                raise Crash
            if last == len(done) and error:
                done.append("crash" if isinstance(error, Crash) else name)
                raise error
            done.append(name)
            return function(*args, **more)

        return called

    for name in ("link_or_copy", "write_whole", "staged_copy"):
        monkeypatch.setattr(module, name, watched(name, getattr(module, name)))
    for name in ("rename", "replace", "unlink", "rmdir", "chmod"):
        monkeypatch.setattr(Path, name, watched(name, getattr(Path, name)))
    monkeypatch.setattr(module.shutil, "rmtree", watched("rmtree", module.shutil.rmtree))
    return done


FIRST = {"import__a": "1", "partners__acme__a": "1", "partners__birch__b": "1", "rules__one": "1"}
SECOND = {"import__a": "2", "partners__acme__a": "2", "rules__two": "2"}
NAMED_FIRST = {"import/a": "1", "partners/acme/a": "1", "partners/birch/b": "1", "rules/one": "1"}
STEPS = range(34)
"""Operations of publishing the second run after the first; the last is past its end."""


def test_publishing_makes_this_many_operations(outputs: OutputFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the tests below interrupt it at every one of them."""
    publish(outputs, ONE, **FIRST)
    files = drafted(outputs, TWO, **SECOND)
    done = operations(monkeypatch)
    outputs.publish(JANUARY, TWO, files, manifest(TWO, files))
    assert len(done) < len(STEPS) <= len(done) + 12


def test_everything_that_needs_space_comes_before_the_commit(
    outputs: OutputFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = drafted(outputs, ONE, **SECOND)
    done = operations(monkeypatch)
    outputs.publish(JANUARY, ONE, files, manifest(ONE, files))
    after = done[done.index("rename") + 1 :]
    assert set(after) <= {"replace", "unlink", "rmdir"}


def visible(outputs: OutputFiles) -> dict[str, str]:
    """The named files, without the hidden ones that a machine which stopped could not take away."""
    return {name: text for name, text in named(outputs).items() if not Path(name).name.startswith(".")}


def interrupted(outputs: OutputFiles, monkeypatch: pytest.MonkeyPatch, step: int, error: BaseException) -> list[str]:
    """Publish the second run, failing at this step; the operations that were made."""
    files = drafted(outputs, TWO, **SECOND)
    with monkeypatch.context() as broken, suppress(type(error)):
        done = operations(broken, step, error)
        outputs.publish(JANUARY, TWO, files, manifest(TWO, files))
    return done


@pytest.mark.parametrize("step", STEPS)
def test_a_failure_before_the_commit_leaves_everything_as_it_was(
    outputs: OutputFiles, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """And one after it, or none, leaves a committed run."""
    publish(outputs, ONE, **FIRST)
    before = tree(outputs.outputs_dir)
    interrupted(outputs, monkeypatch, step, OSError(errno.ENOSPC, "No space left on device"))
    latest = outputs.latest_manifest(JANUARY)
    assert latest is not None
    if latest["run_id"] == ONE:
        assert tree(outputs.outputs_dir) == before
    else:
        assert tree(outputs.outputs_dir / "runs/2026-01" / TWO).keys() == {
            "manifest.json",
            "import/a",
            "partners/acme/a",
            "rules/two",
        }


@pytest.mark.parametrize("step", STEPS)
def test_a_crash_leaves_one_committed_run_and_the_next_run_repairs_the_rest(
    outputs: OutputFiles, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    publish(outputs, ONE, **FIRST)
    interrupted(outputs, monkeypatch, step, Crash())
    found, latest = visible(outputs), outputs.latest_manifest(JANUARY)
    assert latest is not None
    if latest["run_id"] == ONE:
        assert (found, outputs.stale_files(latest)) == (NAMED_FIRST, [])
    else:
        second = ("import/a", "partners/acme/a", "rules/two")
        assert outputs.stale_files(latest) == [name for name in second if found.get(name) != "2"]
    publish(outputs, THREE, import__a="3", partners__acme__a="3")
    left = {name: text for name, text in visible(outputs).items() if not name.startswith("rules/")}
    assert left == {"import/a": "3", "partners/acme/a": "3"}


def test_a_half_built_set_is_no_run(outputs: OutputFiles) -> None:
    publish(outputs, ONE, import__a="1")
    half = outputs.outputs_dir / "runs" / "2026-01" / f".{TWO}.part"
    half.mkdir()
    (half / "manifest.json").write_text(json.dumps({"run_id": TWO, "finished_at_utc": TWO}))
    latest = outputs.latest_manifest(JANUARY)
    assert latest is not None
    assert latest["run_id"] == ONE


def test_a_named_file_that_was_changed_or_removed_is_stale(outputs: OutputFiles) -> None:
    publish(outputs, ONE, import__a="1", import__b="1", import__c="1", set__frame="1")
    (outputs.outputs_dir / "import/a").write_text("2")
    (outputs.outputs_dir / "import/b").unlink()
    latest = outputs.latest_manifest(JANUARY)
    assert latest is not None
    assert outputs.stale_files(latest) == ["import/a", "import/b"]


def test_one_file_can_be_written_by_itself(outputs: OutputFiles) -> None:
    path = outputs.write_named("gep_data_review/flags.json", b"{}")
    assert (path, path.read_bytes()) == (outputs.outputs_dir / "gep_data_review/flags.json", b"{}")
    with pytest.raises(BillingError):
        outputs.write_named("../flags.json", b"{}")


def test_drafts_stay_until_they_are_discarded(outputs: OutputFiles) -> None:
    one, two = outputs.draft_folder(JANUARY, ONE), outputs.draft_folder(JANUARY, TWO)
    assert one == outputs.state_dir / "drafts" / "2026-01" / ONE == outputs.draft_folder(JANUARY, ONE)
    assert outputs.unfinished_drafts() == [one, two]
    outputs.discard_draft(one)
    outputs.discard_draft(one)
    assert outputs.unfinished_drafts() == [two]


def test_a_month_can_be_held_again_by_the_process_that_holds_it(outputs: OutputFiles) -> None:
    with outputs.writer(JANUARY), outputs.writer(JANUARY), outputs.writer(JANUARY.next):
        pass
    with outputs.writer(JANUARY):
        pass


def test_a_month_that_another_process_holds_is_refused_at_once_and_other_months_are_not(outputs: OutputFiles) -> None:
    folder = outputs.state_dir / "locks"
    folder.mkdir(parents=True)
    hold = (
        f"from filelock import FileLock; lock = FileLock({str(folder / '2026-01.lock')!r}); "
        "lock.acquire(); print(1, flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        other.stdout.readline()
        refused = pytest.raises(GateError, match=r"^another run is publishing 2026-01 just now; try again when ")
        with refused, outputs.writer(JANUARY):
            pass
        with outputs.writer(JANUARY.next):
            pass
        other.kill()
    with outputs.writer(JANUARY):
        """A holder that died has let go."""


def test_a_run_is_called_by_its_start_in_utc_and_the_beginning_of_its_id() -> None:
    assert run_name("918fe9e4-aaaa-bbbb", 1767225600.9) == "20260101T000000Z-918fe9e4"
