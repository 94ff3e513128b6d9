"""Publication of files: a set that appears whole, named files brought up to it, and what a crash anywhere leaves.

On a folder and in an object store, where nothing can be renamed: the crashes of each are of its own operations.
"""

import errno
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from billing_pipeline.engine.errors import BillingError, InputError
from billing_pipeline.engine.period import Period
from billing_pipeline.resources import outputs as module
from billing_pipeline.resources import storage as storage_module
from billing_pipeline.resources.files import sha256_of
from billing_pipeline.resources.object_store import ObjectStorage
from billing_pipeline.resources.outputs import DraftFile, OutputFiles, output_files, run_name
from tests.literals import JANUARY
from tests.object_store import Crash, Failing

ONE, TWO, THREE = (f"20260201T00000{n}Z-0000000{n}" for n in (1, 2, 3))


@pytest.fixture(name="local")
def on_a_folder(tmp_path: Path) -> OutputFiles:
    return output_files(tmp_path / "out", tmp_path / "out" / ".billing")


@pytest.fixture(name="remote")
def in_an_object_store(object_store: ObjectStorage, tmp_path: Path) -> OutputFiles:
    return OutputFiles(object_store, "billing", tmp_path / "state")


@pytest.fixture(name="outputs", params=["folder", "s3"])
def either_place(request: pytest.FixtureRequest) -> OutputFiles:
    outputs: OutputFiles = request.getfixturevalue({"folder": "local", "s3": "remote"}[request.param])
    return outputs


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


def publish(outputs: OutputFiles, run: str, period: Period = JANUARY, **contents: str) -> str:
    files = drafted(outputs, run, period, **contents)
    return outputs.publish(period, run, files, manifest(run, files))


def tree(outputs: OutputFiles, wanted: Callable[[str], bool] = bool) -> dict[str, str]:
    """Every stored file, or those whose names are wanted, with its text; state left out."""
    with suppress(FileNotFoundError):  # nothing was ever written
        names = [stored.name for stored in outputs.storage.listing() if not stored.name.startswith(".billing/")]
        found = outputs.storage.read_all(filter(wanted, names))
        return {name: content.decode() for name, content in found.items()}
    return {}


def set_of(outputs: OutputFiles, run: str) -> dict[str, str]:
    """The files of a run's set, by their names in it."""
    folder = f"runs/2026-01/{run}/"
    return {name.removeprefix(folder): text for name, text in tree(outputs, lambda n: n.startswith(folder)).items()}


def named(outputs: OutputFiles) -> dict[str, str]:
    """The named files and their texts: no run sets, no manifests, no hidden ones that a machine which stopped left."""
    return tree(outputs, lambda n: not n.startswith(("runs/", "log/", ".")) and not Path(n).name.startswith("."))


def test_a_run_is_committed_as_a_set_and_its_named_files_are_copies(outputs: OutputFiles) -> None:
    address = publish(outputs, ONE, import__a="a", rules__r="r", set__frame="f")
    assert named(outputs) == {"import/a": "a", "rules/r": "r"}
    committed = set_of(outputs, ONE)
    described = committed.pop("manifest.json")
    assert committed == {"import/a": "a", "rules/r": "r", "set/frame": "f"}
    assert address == outputs.address(f"log/manifest_{ONE}.json")
    assert tree(outputs)[f"log/manifest_{ONE}.json"] == described
    assert outputs.is_committed(JANUARY, ONE)
    assert not outputs.is_committed(JANUARY, TWO)
    assert outputs.manifest_of(JANUARY, ONE) == json.loads(described)
    with pytest.raises(InputError, match="is no committed run"):
        outputs.manifest_of(JANUARY, TWO)


def test_a_named_file_is_not_a_second_name_of_the_one_in_the_set(local: OutputFiles, tmp_path: Path) -> None:
    publish(local, ONE, import__a="a")
    assert not (tmp_path / "out/import/a").samefile(tmp_path / "out/runs/2026-01" / ONE / "import/a")


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
    assert outputs.storage.folders("partners") == ["acme"]
    assert set_of(outputs, ONE)["partners/birch/b"] == "b"


def test_a_folder_that_holds_something_else_stays(outputs: OutputFiles) -> None:
    publish(outputs, ONE, partners__birch__b="b")
    outputs.write_named("partners/birch/notes.txt", b"mine")
    publish(outputs, TWO, import__a="a")
    assert named(outputs) == {"import/a": "a", "partners/birch/notes.txt": "mine"}


def test_two_files_of_one_name_are_refused_upper_and_lower_case_being_one(outputs: OutputFiles) -> None:
    publish(outputs, ONE, import__a="a")
    before = tree(outputs)
    with pytest.raises(BillingError, match=r"^two files would be published under one name: import/a$"):
        publish(outputs, TWO, import__a="1", import__A="2")
    assert tree(outputs) == before


@pytest.mark.parametrize("name", ["../outside", "a/../../outside", "/etc/outside", "a\\outside"])
def test_a_name_outside_the_outputs_folder_is_refused(outputs: OutputFiles, tmp_path: Path, name: str) -> None:
    source = tmp_path / "x"
    source.write_text("x")
    file = DraftFile(name, source)
    with pytest.raises(BillingError, match=r"^a file may not be published as "):
        outputs.publish(JANUARY, ONE, [file], manifest(ONE, [file]))
    assert tree(outputs) == {}
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("name", ["../outside.json", "/outside.json"])
def test_a_manifest_that_would_stand_outside_is_refused_before_the_commit(outputs: OutputFiles, name: str) -> None:
    files = drafted(outputs, ONE, import__a="a")
    with pytest.raises(BillingError, match=r"^a file may not be published as "):
        outputs.publish(JANUARY, ONE, files, manifest(ONE, files) | {"manifest_name": name})
    assert tree(outputs) == {}


def test_a_run_is_published_once(outputs: OutputFiles) -> None:
    publish(outputs, ONE, import__a="1")
    before = tree(outputs)
    outputs.discard_drafts(JANUARY)
    with pytest.raises(OSError, match=r"exists|not empty"):
        publish(outputs, ONE, import__a="2")
    assert tree(outputs) == before


def test_two_publishers_at_once_leave_two_whole_sets_and_named_files_that_can_be_brought_up_to_the_latest(
    outputs: OutputFiles,
) -> None:
    names = [f"import__{n}" for n in range(4)]
    with ThreadPoolExecutor(2) as both:
        for done in [both.submit(publish, outputs, run, **dict.fromkeys(names, run)) for run in (ONE, TWO)]:
            done.result()
    for run in (ONE, TWO):
        whole = set_of(outputs, run)
        assert whole.pop("manifest.json")
        assert whole == {name.replace("__", "/"): run for name in names}
    latest = outputs.latest_manifest(JANUARY)
    assert latest is not None
    outputs.place(latest)
    assert set(named(outputs).values()) == {TWO}
    assert outputs.stale_files(latest) == []


def test_the_fact_of_the_commit_is_told_between_the_set_and_the_named_files(outputs: OutputFiles) -> None:
    seen = []
    files = drafted(outputs, ONE, import__a="a")
    outputs.publish(
        JANUARY,
        ONE,
        files,
        manifest(ONE, files),
        lambda: seen.append((outputs.is_committed(JANUARY, ONE), named(outputs))),
    )
    assert seen == [(True, {})]
    assert named(outputs) == {"import/a": "a"}


def test_a_set_cannot_be_written_to(local: OutputFiles, tmp_path: Path) -> None:
    publish(local, ONE, import__a="a")
    files = [path for path in (tmp_path / "out/runs").rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o444}


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

    monkeypatch.setattr(module, "write_whole", watched("write_whole", module.write_whole))
    monkeypatch.setattr(storage_module, "link_or_copy", watched("link_or_copy", storage_module.link_or_copy))
    monkeypatch.setattr(storage_module.shutil, "copyfile", watched("copyfile", storage_module.shutil.copyfile))
    for name in ("rename", "replace", "unlink", "rmdir", "chmod"):
        monkeypatch.setattr(Path, name, watched(name, getattr(Path, name)))
    monkeypatch.setattr(storage_module.shutil, "rmtree", watched("rmtree", storage_module.shutil.rmtree))
    return done


FIRST = {"import__a": "1", "partners__acme__a": "1", "partners__birch__b": "1", "rules__one": "1"}
SECOND = {"import__a": "2", "partners__acme__a": "2", "rules__two": "2"}
NAMED_FIRST = {"import/a": "1", "partners/acme/a": "1", "partners/birch/b": "1", "rules/one": "1"}
NAMED_SECOND = {"import/a": "2", "partners/acme/a": "2", "rules/one": "1", "rules/two": "2"}
SET_OF_SECOND = {"manifest.json", "import/a", "partners/acme/a", "rules/two"}
STEPS = range(34)
"""Operations of publishing the second run after the first on a folder; the last is past its end."""
REQUESTS = range(10)
COMMIT = 3
"""Requests of the same to an object store, and the one that commits."""


def test_publishing_makes_this_many_operations(local: OutputFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the tests below interrupt it at every one of them."""
    publish(local, ONE, **FIRST)
    files = drafted(local, TWO, **SECOND)
    done = operations(monkeypatch)
    local.publish(JANUARY, TWO, files, manifest(TWO, files))
    assert len(done) < len(STEPS) <= len(done) + 12


def test_everything_that_needs_space_comes_before_the_commit(
    local: OutputFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = drafted(local, ONE, **SECOND)
    done = operations(monkeypatch)
    local.publish(JANUARY, ONE, files, manifest(ONE, files))
    after = done[done.index("rename") + 1 :]
    assert set(after) <= {"replace", "unlink", "rmdir", "rmtree"}


def interrupted(local: OutputFiles, monkeypatch: pytest.MonkeyPatch, step: int, error: BaseException) -> None:
    """Publish the second run, failing at this step."""
    files = drafted(local, TWO, **SECOND)
    with monkeypatch.context() as broken, suppress(type(error)):
        operations(broken, step, error)
        local.publish(JANUARY, TWO, files, manifest(TWO, files))


@pytest.mark.parametrize("step", STEPS)
def test_a_failure_before_the_commit_leaves_everything_as_it_was(
    local: OutputFiles, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """And one after it, or none, leaves a committed run."""
    publish(local, ONE, **FIRST)
    before = tree(local)
    interrupted(local, monkeypatch, step, OSError(errno.ENOSPC, "No space left on device"))
    latest = local.latest_manifest(JANUARY)
    assert latest is not None
    if latest["run_id"] == ONE:
        assert tree(local) == before
    else:
        assert set_of(local, TWO).keys() == SET_OF_SECOND


@pytest.mark.parametrize("step", STEPS)
def test_a_crash_leaves_one_committed_run_and_the_next_run_repairs_the_rest(
    local: OutputFiles, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    publish(local, ONE, **FIRST)
    interrupted(local, monkeypatch, step, Crash())
    check_after_a_crash(local)


@pytest.mark.parametrize("step", STEPS)
def test_after_a_crash_the_named_files_can_be_brought_up_to_the_committed_run(
    local: OutputFiles, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    publish(local, ONE, **FIRST)
    interrupted(local, monkeypatch, step, Crash())
    check_placing(local)


def failing(remote: OutputFiles, step: int | None, error: BaseException | None) -> tuple[OutputFiles, Failing]:
    """The same outputs in a store whose request number `step` that writes something fails."""
    assert isinstance(remote.storage, ObjectStorage)
    store = Failing(remote.storage.filesystem, step, error)
    return replace(remote, storage=replace(remote.storage, filesystem=store)), store


def test_publishing_in_an_object_store_makes_this_many_requests(remote: OutputFiles) -> None:
    """Three files of the set, its manifest, the three files and the manifest outside, one file taken away."""
    publish(remote, ONE, **FIRST)
    watched, store = failing(remote, None, None)
    publish(watched, TWO, **SECOND)
    assert store.done == ["put_file"] * 3 + ["pipe_file"] + ["put_file"] * 4 + ["rm_file"]
    assert len(REQUESTS) == len(store.done) + 1


@pytest.mark.parametrize("step", REQUESTS)
def test_a_crash_at_any_request_leaves_no_set_or_a_committed_one_whose_named_files_can_be_completed(
    remote: OutputFiles, step: int
) -> None:
    publish(remote, ONE, **FIRST)
    broken, _ = failing(remote, step, Crash())
    with suppress(Crash):
        publish(broken, TWO, **SECOND)
    assert remote.is_committed(JANUARY, TWO) == (step > COMMIT)
    check_placing(remote)


@pytest.mark.parametrize("step", [0, COMMIT, COMMIT + 1, REQUESTS[-2]])
def test_after_a_request_that_failed_the_next_run_repairs_the_rest(remote: OutputFiles, step: int) -> None:
    publish(remote, ONE, **FIRST)
    broken, _ = failing(remote, step, OSError(errno.EIO, "lost"))
    with pytest.raises(OSError, match=r"the object store did not do it: .* lost"):
        publish(broken, TWO, **SECOND)
    if step > COMMIT:
        assert set_of(remote, TWO).keys() == SET_OF_SECOND
    check_after_a_crash(remote)


def check_after_a_crash(outputs: OutputFiles) -> None:
    found, latest = named(outputs), outputs.latest_manifest(JANUARY)
    assert latest is not None
    if latest["run_id"] == ONE:
        assert (found, outputs.stale_files(latest)) == (NAMED_FIRST, [])
    else:
        second = ("import/a", "partners/acme/a", "rules/two")
        assert outputs.stale_files(latest) == [name for name in second if found.get(name) != "2"]
    publish(outputs, THREE, import__a="3", partners__acme__a="3")
    left = {name: text for name, text in named(outputs).items() if not name.startswith("rules/")}
    assert left == {"import/a": "3", "partners/acme/a": "3"}


def check_placing(outputs: OutputFiles) -> None:
    latest = outputs.latest_manifest(JANUARY)
    assert latest is not None
    outputs.place(latest)
    assert outputs.stale_files(latest) == []
    assert named(outputs) == (NAMED_FIRST if latest["run_id"] == ONE else NAMED_SECOND)
    assert json.loads(outputs.read_named(latest["manifest_name"])) == latest


def test_a_half_built_set_is_no_run(outputs: OutputFiles) -> None:
    publish(outputs, ONE, import__a="1")
    half = json.dumps({"run_id": TWO, "finished_at_utc": TWO}).encode()
    outputs.storage.write(f"runs/2026-01/.{TWO}.part/manifest.json", half)
    outputs.storage.write(f"runs/2026-01/{TWO}/import/a", b"2")
    outputs.storage.write(f"runs/2026-02/{TWO}/import/a", b"2")
    outputs.storage.write("runs/2026-1x/x/manifest.json", half)
    assert [found["run_id"] for found in outputs.manifests(JANUARY)] == [ONE]
    assert outputs.committed_months() == [JANUARY]


def test_a_named_file_that_was_changed_or_removed_is_stale(outputs: OutputFiles) -> None:
    publish(outputs, ONE, import__a="1", import__b="1", import__c="1", set__frame="1")
    outputs.write_named("import/a", b"2")
    outputs.storage.remove(["import/b"])
    latest = outputs.latest_manifest(JANUARY)
    assert latest is not None
    assert outputs.stale_files(latest) == ["import/a", "import/b"]


def test_placing_again_does_no_harm(outputs: OutputFiles) -> None:
    publish(outputs, ONE, **FIRST)
    latest, before = outputs.latest_manifest(JANUARY), tree(outputs)
    assert latest is not None
    outputs.place(latest)
    outputs.place(latest)
    assert tree(outputs) == before


def test_one_file_can_be_written_by_itself(outputs: OutputFiles) -> None:
    address = outputs.write_named("gep_data_review/flags.json", b"{}")
    assert address == outputs.address("gep_data_review/flags.json")
    assert outputs.read_named("gep_data_review/flags.json") == b"{}"
    with pytest.raises(FileNotFoundError):
        outputs.read_named("gep_data_review/others.json")
    with pytest.raises(BillingError):
        outputs.write_named("../flags.json", b"{}")


def test_drafts_stay_until_they_are_discarded(outputs: OutputFiles) -> None:
    one, two = outputs.draft_folder(JANUARY, ONE), outputs.draft_folder(JANUARY, TWO)
    assert one == outputs.state_dir / "drafts" / "billing" / "2026-01" / ONE == outputs.draft_folder(JANUARY, ONE)
    other = outputs.draft_folder(JANUARY.next, ONE)
    assert outputs.unfinished_drafts() == [one, two, other]
    outputs.discard_drafts(JANUARY)
    outputs.discard_drafts(JANUARY)
    assert outputs.unfinished_drafts() == [other]


def test_a_run_is_called_by_its_start_in_utc_and_the_beginning_of_its_id() -> None:
    assert run_name("918fe9e4-aaaa-bbbb", 1767225600.9) == "20260101T000000Z-918fe9e4"
