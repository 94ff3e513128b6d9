"""Files read whole and put in place whole: what changes under the reader is refused, nothing is half written."""

import errno
import os
from pathlib import Path

import pytest

from billing_pipeline.engine.errors import InputError, Problem
from billing_pipeline.resources.files import (
    blocks_of,
    link_or_copy,
    read_whole,
    sha256_of,
    write_whole,
)

CHANGED = "changed while it was read; is the export still being written?"


@pytest.fixture(name="large")
def a_file_of_several_blocks(tmp_path: Path) -> Path:
    path = tmp_path / "large.csv"
    path.write_bytes(bytes(range(256)) * 10_000)
    return path


def test_the_blocks_of_a_file_are_its_bytes(large: Path) -> None:
    blocks = list(blocks_of(large))
    assert len(blocks) == 3
    assert b"".join(blocks) == large.read_bytes() == read_whole(large)


def test_a_file_that_grows_between_two_blocks_is_refused(large: Path) -> None:
    blocks = blocks_of(large)
    next(blocks)
    with large.open("ab") as file:
        file.write(b"more")
    with pytest.raises(InputError) as refused:
        list(blocks)
    assert refused.value.problems == (Problem(CHANGED, file="large.csv"),)


def test_a_file_that_is_cut_between_two_blocks_is_refused(large: Path) -> None:
    blocks = blocks_of(large)
    next(blocks)
    os.truncate(large, 100)
    with pytest.raises(InputError, match="changed while it was read"):
        list(blocks)


def test_a_file_that_is_written_anew_at_the_same_size_is_refused(large: Path) -> None:
    blocks = blocks_of(large)
    next(blocks)
    large.write_bytes(b"\0" * large.stat().st_size)
    with pytest.raises(InputError, match="changed while it was read"):
        list(blocks)


@pytest.mark.parametrize("replaced", [True, False], ids=["replaced", "removed"])
def test_a_file_that_is_replaced_or_removed_between_two_blocks_is_refused(large: Path, replaced: bool) -> None:
    blocks = blocks_of(large)
    next(blocks)
    other = large.with_name("other")
    other.write_bytes(b"new")
    if replaced:
        other.replace(large)
    else:
        large.unlink()
    with pytest.raises(InputError) as refused:
        list(blocks)
    assert "large.csv" in refused.value.problems[0].file


def test_a_file_that_is_not_there_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "no.csv", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(InputError) as refused:
            read_whole(path)
        assert refused.value.problems == (Problem(f"cannot be read: {reason}", file=str(path)),)


def test_the_hash_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    assert sha256_of(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_file_is_written_with_its_folders_and_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.json"
    write_whole(path, b"one")
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_cannot_be_finished_leaves_the_old_one_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c.json"
    write_whole(path, b"one")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"two")
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_linked_on_one_disk_and_copied_to_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "draft.csv"
    source.write_bytes(b"x")
    link_or_copy(source, tmp_path / "a" / "linked.csv")

    def elsewhere(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", elsewhere)
    link_or_copy(source, tmp_path / "b" / "copied.csv")
    linked, copied = tmp_path / "a" / "linked.csv", tmp_path / "b" / "copied.csv"
    assert (linked.samefile(source), copied.samefile(source)) == (True, False)
    assert linked.read_bytes() == copied.read_bytes() == b"x"
