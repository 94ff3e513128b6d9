"""Files under one root, on a folder and in an object store: whole or not there, never outside, read by a local path."""

import errno
import os
import time
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import s3fs  # type: ignore[import-untyped]

from billing_pipeline.engine.errors import BillingError, InputError
from billing_pipeline.resources.object_store import ObjectStorage, tidy
from billing_pipeline.resources.storage import LocalStorage, Storage, open_storage
from tests.object_store import Failing


@pytest.fixture(name="storage", params=["folder", "s3"])
def either_storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "folder":
        return LocalStorage(tmp_path / "root")
    storage: Storage = request.getfixturevalue("object_store")
    return storage


def test_a_file_is_read_as_it_was_written_and_a_later_one_replaces_it(storage: Storage) -> None:
    storage.write("a/b.txt", b"one")
    storage.write("a/b.txt", b"two")
    assert storage.read_all(["a/b.txt", "a/missing.txt"]) == {"a/b.txt": b"two"}
    assert storage.existing(["a/b.txt", "a/missing.txt", "a"]) == ["a/b.txt"]


def test_a_file_that_was_written_to_a_path_appears_whole_or_not_at_all(storage: Storage) -> None:
    storage.write("a/b.txt", b"one")
    with suppress(InterruptedError), storage.writing("a/b.txt") as path:
        path.write_bytes(b"tw")
        raise InterruptedError
    assert storage.read_all(["a/b.txt"]) == {"a/b.txt": b"one"}
    with storage.writing("a/b.txt") as path:
        path.write_bytes(b"two")
        assert storage.read_all(["a/b.txt"]) == {"a/b.txt": b"one"}
    assert storage.read_all(["a/b.txt"]) == {"a/b.txt": b"two"}
    assert not path.exists()
    assert [stored.name for stored in storage.listing()] == ["a/b.txt"]


def test_a_file_is_read_at_a_local_path_and_a_missing_one_has_none(storage: Storage) -> None:
    storage.write("a/b.txt", b"one")
    path = storage.local_path("a/b.txt")
    assert path is not None
    assert (path.name, path.read_bytes()) == ("b.txt", b"one")
    assert storage.local_path("a/missing.txt") is None
    assert storage.local_path("a") is None


def test_the_local_path_is_of_the_bytes_that_are_stored_now(storage: Storage) -> None:
    storage.write("a.txt", b"one")
    storage.local_path("a.txt")
    storage.write("a.txt", b"two")
    path = storage.local_path("a.txt")
    assert path is not None
    assert path.read_bytes() == b"two"


def test_the_listing_has_every_file_below_the_root_with_its_size_and_a_mark_that_changes(storage: Storage) -> None:
    storage.write("2026.01_a.csv", b"abc")
    storage.write("2026-01/deep/b.csv", b"")
    before = storage.listing()
    assert [(stored.name, stored.size) for stored in before] == [("2026-01/deep/b.csv", 0), ("2026.01_a.csv", 3)]
    assert abs(before[1].modified / 1e9 - time.time()) < 60
    assert storage.listing() == before
    storage.write("2026.01_a.csv", b"abd")
    assert storage.listing()[0] == before[0]
    assert storage.listing()[1].version != before[1].version


def test_the_folders_of_a_folder_are_known_without_its_files(storage: Storage) -> None:
    for name in ("b.csv", "a.csv", "old/c.csv", "new/d/e.csv"):
        storage.write(name, b"x")
    assert storage.folders("") == ["new", "old"]
    assert storage.folders("new") == ["d"]
    assert storage.folders("nothing") == []


def test_a_root_below_is_a_storage_of_its_own(storage: Storage) -> None:
    storage.below("frames/usage").write("a.txt", b"one")
    assert storage.read_all(["frames/usage/a.txt"]) == {"frames/usage/a.txt": b"one"}
    assert storage.below("frames/usage").address("a.txt") == storage.address("frames/usage/a.txt")


def test_hashes_are_of_the_bytes_that_are_stored(storage: Storage) -> None:
    contents = {f"{n}.txt": str(n).encode() for n in range(20)}
    for name, content in contents.items():
        storage.write(name, content)
    expected = {name: sha256(content).hexdigest() for name, content in contents.items()}
    assert storage.hashes([*contents, "missing.txt"]) == expected


def test_files_are_taken_away_and_missing_ones_do_not_matter(storage: Storage) -> None:
    storage.write("a/b.txt", b"one")
    storage.write("c.txt", b"two")
    storage.remove(["a/b.txt", "a/missing.txt"])
    assert [stored.name for stored in storage.listing()] == ["c.txt"]


def test_staged_files_appear_when_they_are_placed_and_never_when_they_are_discarded(
    storage: Storage, tmp_path: Path
) -> None:
    (draft := tmp_path / "draft").write_bytes(b"new")
    storage.write("a.txt", b"old")
    storage.stage({"a.txt": draft, "b.txt": draft}, "2026-01").discard()
    staged = storage.stage({"a.txt": draft}, "2026-01")
    assert storage.read_all(["a.txt", "b.txt"]) == {"a.txt": b"old"}
    staged.place()
    assert storage.read_all(["a.txt", "b.txt"]) == {"a.txt": b"new"}


def test_a_set_is_committed_once(storage: Storage, tmp_path: Path) -> None:
    for name in ("a", "manifest", "other"):
        (tmp_path / name).write_text(name)
    storage.commit("runs/1", {"manifest": tmp_path / "manifest", "x/a": tmp_path / "a"}, "manifest")
    with pytest.raises(OSError, match=r"exists|not empty"):
        storage.commit("runs/1", {"manifest": tmp_path / "other", "x/a": tmp_path / "other"}, "manifest")
    committed = {"runs/1/manifest": b"manifest", "runs/1/x/a": b"a"}
    assert storage.read_all(stored.name for stored in storage.listing()) == committed


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/x", "a\\x", "a\0x"])
def test_no_name_leaves_the_root(storage: Storage, tmp_path: Path, name: str) -> None:
    (draft := tmp_path / "draft").write_bytes(b"x")
    for attempt in (
        lambda: storage.write(name, b"x"),
        lambda: storage.writing(name).__enter__(),
        lambda: storage.stage({name: draft}, "2026-01").place(),
        lambda: storage.commit(name, {"m": draft}, "m"),
        lambda: storage.commit("runs/1", {name: draft, "m": draft}, "m"),
        lambda: storage.local_path(name),
        lambda: storage.read_all([name]),
        lambda: storage.hashes([name]),
        lambda: storage.remove([name]),
        lambda: storage.below(name),
    ):
        with pytest.raises(BillingError, match=r"^a file may not be published as "):
            attempt()
    assert sorted(path.name for path in tmp_path.iterdir() if path.name not in ("copies", "root")) == ["draft"]


# The object store alone


def test_only_what_is_below_the_prefix_is_seen(object_store: ObjectStorage) -> None:
    beside = replace(object_store, url=object_store.url + "-2")
    beside.write("a.txt", b"not ours")
    object_store.write("b.txt", b"ours")
    assert [stored.name for stored in object_store.listing()] == ["b.txt"]


def test_keys_that_no_folder_could_hold_are_not_listed(object_store: ObjectStorage) -> None:
    root = object_store.url.removeprefix("s3://")
    for key in ("../x.csv", "a/../x.csv", "a//x.csv", "a\\x.csv", "folder/", "./x.csv"):
        object_store.filesystem.pipe_file(f"{root}/{key}", b"x")
    object_store.write("2026.01_usage.csv", b"x")
    assert [stored.name for stored in object_store.listing()] == ["2026.01_usage.csv"]


def test_what_another_machine_writes_is_seen_at_once(object_store: ObjectStorage) -> None:
    object_store.write("a/a", b"x")
    assert (object_store.folders(""), object_store.existing(["b/b"])) == (["a"], [])
    assert [stored.name for stored in object_store.listing()] == ["a/a"]
    elsewhere = s3fs.S3FileSystem(skip_instance_cache=True)
    for name in ("b/b", "c"):
        elsewhere.pipe_file(f"{object_store.url}/{name}", b"x")
    assert object_store.folders("") == ["a", "b"]
    assert [stored.name for stored in object_store.listing()] == ["a/a", "b/b", "c"]
    assert object_store.existing(["b/b"]) == ["b/b"]


def test_a_bucket_that_is_not_there_is_told(s3_server: str, tmp_path: Path) -> None:
    storage = open_storage("s3://no-such-bucket/usage", tmp_path)
    with pytest.raises(FileNotFoundError) as missing:
        storage.listing()
    assert missing.value.filename == "s3://no-such-bucket/usage"
    with pytest.raises(FileNotFoundError):
        storage.write("a", b"x")


def test_a_store_out_of_reach_is_a_fault_with_its_address(object_store: ObjectStorage) -> None:
    nobody = s3fs.S3FileSystem(endpoint_url="http://127.0.0.1:9", config_kwargs={"retries": {"max_attempts": 0}})
    nobody.retries = 1
    away = replace(object_store, filesystem=nobody)
    with pytest.raises(OSError, match="the object store did not do it: Could not connect") as fault:
        away.local_path("a.txt")
    assert (fault.value.errno, fault.value.filename) == (errno.EIO, object_store.address("a.txt"))


class _ReplacedWhileFetched:
    """A file system in which a file gets other content as soon as it was downloaded."""

    def __init__(self, filesystem: Any) -> None:
        self.filesystem = filesystem

    def __getattr__(self, name: str) -> Any:
        return getattr(self.filesystem, name)

    def get_file(self, key: str, path: str) -> None:
        self.filesystem.get_file(key, path)
        self.filesystem.pipe_file(key, b"other")


def test_a_file_that_changes_while_it_is_fetched_is_refused(object_store: ObjectStorage) -> None:
    object_store.write("2026.01_usage.csv", b"content")
    changing = replace(object_store, filesystem=_ReplacedWhileFetched(object_store.filesystem))
    with pytest.raises(InputError, match=r"^2026\.01_usage\.csv: changed while it was read; is the export still"):
        changing.local_path("2026.01_usage.csv")
    assert [path for path in object_store.copies.rglob("*") if path.is_file()] == []


def test_a_file_is_fetched_once_and_its_copy_has_the_time_of_the_original(object_store: ObjectStorage) -> None:
    object_store.write("a.txt", b"one")
    first = object_store.local_path("a.txt")
    deaf = replace(object_store, filesystem=Failing(object_store.filesystem))
    deaf.filesystem.get_file = None  # a second download would call it
    assert first is not None
    assert deaf.local_path("a.txt") == first
    assert first.stat().st_mtime_ns == object_store.listing()[0].modified


def test_copies_that_nobody_used_for_an_hour_are_removed_when_another_is_made(object_store: ObjectStorage) -> None:
    for name in ("old.txt", "recent.txt", "new.txt"):
        object_store.write(name, name.encode())
    old, recent = object_store.local_path("old.txt"), object_store.local_path("recent.txt")
    assert old is not None
    assert recent is not None
    died = object_store.copies / ".0123.part"
    died.write_bytes(b"half")
    for path, minutes in ((old, 61), (died, 61), (recent, 59)):
        os.utime(path, (time.time() - 60 * minutes, path.stat().st_mtime))
    new = object_store.local_path("new.txt")
    left = {path for path in object_store.copies.rglob("*") if path.is_file()}
    assert left == {recent, new}
    assert not old.parent.exists()
    again = object_store.local_path("old.txt")
    assert again is not None
    assert again.read_bytes() == b"old.txt"


def test_when_copies_take_too_much_room_those_unused_for_five_minutes_go_too(tmp_path: Path) -> None:
    for name, minutes in (("now", 0), ("reading", 4), ("idle", 6), ("idler", 50)):
        (path := tmp_path / name / "frame.parquet").parent.mkdir()
        with path.open("wb") as file:
            file.truncate(3 << 30)  # takes no room on the disk
        os.utime(path, (time.time() - 60 * minutes, 0))
    tidy(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["now", "reading"]


class _AnswerLost:
    """A file system whose first answer to a creation is lost, so that its driver asks again."""

    def __init__(self, filesystem: Any) -> None:
        self.filesystem = filesystem

    def __getattr__(self, name: str) -> Any:
        return getattr(self.filesystem, name)

    def pipe_file(self, *arguments: Any, **options: Any) -> None:
        self.filesystem.pipe_file(*arguments, **options)
        self.filesystem.pipe_file(*arguments, **options)


def test_a_commit_whose_answer_was_lost_is_a_commit(object_store: ObjectStorage, tmp_path: Path) -> None:
    (manifest := tmp_path / "manifest").write_text("m")
    unsure = replace(object_store, filesystem=_AnswerLost(object_store.filesystem))
    unsure.commit("runs/1", {"manifest": manifest}, "manifest")
    assert object_store.read_all(["runs/1/manifest"]) == {"runs/1/manifest": b"m"}


class _LookedTooEarly:
    """A file system that says a file is missing which another machine makes right then."""

    def __init__(self, filesystem: Any) -> None:
        self.filesystem = filesystem

    def __getattr__(self, name: str) -> Any:
        return getattr(self.filesystem, name)

    def info(self, key: str) -> None:
        raise FileNotFoundError(key)


def test_of_two_commits_of_one_set_at_once_the_second_is_refused(object_store: ObjectStorage, tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).write_text(name)
    object_store.commit("runs/1", {"manifest": tmp_path / "first"}, "manifest")
    blind = replace(object_store, filesystem=_LookedTooEarly(object_store.filesystem))
    with pytest.raises(FileExistsError):
        blind.commit("runs/1", {"manifest": tmp_path / "second"}, "manifest")
    assert object_store.read_all(["runs/1/manifest"]) == {"runs/1/manifest": b"first"}


@pytest.mark.parametrize("url", ["ftp://host/x", "s3://", "s3:///", "file:///etc", "https://bucket.example/x"])
def test_other_places_are_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(InputError, match=r"^is not a place of an object store: s3://bucket/prefix, gs://"):
        open_storage(url, tmp_path)


def test_a_store_whose_package_is_not_installed_says_which_one(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        open_storage("gs://bucket/prefix", tmp_path)
    assert str(refused.value) == (
        "reading gs:// needs a package that is not installed: pip install 'billing-pipeline[gs]'"
        " (found 'gs://bucket/prefix')"
    )
