"""What is in the usage folder, on a disk and in an object store, and the hash of a file that is still the one seen."""

import os
from hashlib import sha256
from pathlib import Path

import pytest

from billing_pipeline.engine.usage.arrivals import Seen
from billing_pipeline.resources.arrivals import FolderAwayError, files_of, hash_of
from billing_pipeline.resources.object_store import ObjectStorage
from billing_pipeline.resources.storage import LocalStorage, Storage, open_storage

ROWS = b"rows\n"


def write(folder: Path, name: str, content: bytes = ROWS) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def paths(usage: Storage) -> list[str]:
    return sorted(file.path for file in files_of(usage))


def test_files_of_all_sub_folders_are_listed_with_size_and_time(tmp_path: Path) -> None:
    for name in ("2026.01_a.csv", "2026/01/b.csv"):
        os.utime(write(tmp_path, name), ns=(17, 17))
    assert sorted(files_of(LocalStorage(tmp_path)), key=lambda file: file.path) == [
        Seen("2026.01_a.csv", 5, "17"),
        Seen("2026/01/b.csv", 5, "17"),
    ]


def test_hidden_and_temporary_files_and_folders_are_not_listed(tmp_path: Path) -> None:
    for name in (".a.csv", "~$a.csv", "a.csv.part", "a.csv~", ".sync/a.csv", "b.tmp/a.csv", "a.csv"):
        write(tmp_path, name)
    assert paths(LocalStorage(tmp_path)) == ["a.csv"]


def test_a_usage_folder_that_is_itself_a_link_is_listed(tmp_path: Path) -> None:
    write(tmp_path / "real", "a.csv")
    (tmp_path / "link").symlink_to("real")
    assert paths(LocalStorage(tmp_path / "link")) == ["a.csv"]


def test_links_are_followed_to_files_inside_only(tmp_path: Path) -> None:
    write(tmp_path, "outside.csv")
    write(tmp_path / "usage", "sub/inside.csv")
    for link, target in (
        ("in.csv", "sub/inside.csv"),
        ("out.csv", "../outside.csv"),
        ("dead.csv", "x"),
        ("dir", "sub"),
    ):
        (tmp_path / "usage" / link).symlink_to(target)
    assert paths(LocalStorage(tmp_path / "usage")) == ["in.csv", "sub/inside.csv"]


def test_a_folder_beside_with_a_longer_name_is_outside(tmp_path: Path) -> None:
    write(tmp_path / "usage-old", "a.csv")
    (tmp_path / "usage").mkdir()
    (tmp_path / "usage" / "a.csv").symlink_to("../usage-old/a.csv")
    assert paths(LocalStorage(tmp_path / "usage")) == []


def test_a_folder_that_is_missing_or_no_folder_is_away(tmp_path: Path) -> None:
    write(tmp_path, "file")
    for name in ("missing", "file"):
        with pytest.raises(FolderAwayError, match=name):
            files_of(LocalStorage(tmp_path / name))


def test_the_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    write(tmp_path, "sub/a.csv")
    usage = LocalStorage(tmp_path)
    [file] = files_of(usage)
    assert hash_of(usage, file) == sha256(ROWS).hexdigest()


def test_a_file_that_changed_or_vanished_since_it_was_seen_has_no_hash(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv")
    usage = LocalStorage(tmp_path)
    [file] = files_of(usage)
    path.write_bytes(b"other rows\n")
    assert hash_of(usage, file) is None
    path.unlink()
    assert hash_of(usage, file) is None


def test_objects_below_a_prefix_are_listed_with_a_mark_that_changes_with_them(
    object_store: ObjectStorage, tmp_path: Path
) -> None:
    object_store.write("2026.01_a.csv", ROWS)
    object_store.write("2026/01/2026.01_b.csv", b"longer rows\n")
    first = {file.path: file for file in files_of(object_store)}
    assert {path: file.size for path, file in first.items()} == {"2026.01_a.csv": 5, "2026/01/2026.01_b.csv": 12}
    assert {file.path: file for file in files_of(object_store)} == first
    object_store.write("2026.01_a.csv", b"rowz\n")
    again = {file.path: file for file in files_of(object_store)}
    assert again["2026.01_a.csv"].mark != first["2026.01_a.csv"].mark
    assert again["2026/01/2026.01_b.csv"] == first["2026/01/2026.01_b.csv"]


def test_an_object_has_the_hash_of_its_bytes_until_it_is_removed(object_store: ObjectStorage) -> None:
    object_store.write("2026.01_a.csv", ROWS)
    [file] = files_of(object_store)
    assert hash_of(object_store, file) == sha256(ROWS).hexdigest()
    object_store.remove(["2026.01_a.csv"])
    assert hash_of(object_store, file) is None


def test_an_empty_prefix_is_empty_and_a_missing_bucket_is_away(bucket: str, tmp_path: Path) -> None:
    assert files_of(open_storage(bucket, tmp_path)) == []
    with pytest.raises(FolderAwayError):
        files_of(open_storage("s3://no-such-bucket/usage", tmp_path))
