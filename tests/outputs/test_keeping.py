"""Files of a local job, moved to where they are kept."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from fairing_az_jupyter.outputs.fetching import fetch
from fairing_az_jupyter.outputs.keeping import keep
from fairing_az_jupyter.outputs.stored import LocalOutputs


@pytest.fixture
def folder(tmp_path):
    work = tmp_path / "work"
    (work / "deep" / "er").mkdir(parents=True)
    (work / "a.txt").write_bytes(b"12345")
    (work / "deep" / "er" / "b.txt").write_bytes(b"1234567890")
    return work


PATHS = ("a.txt", "deep/er/b.txt")


def test_what_is_kept_can_be_fetched(folder, tmp_path):
    manifest = keep(folder, PATHS, tmp_path / "kept")

    fetch(LocalOutputs(tmp_path / "kept"), to=tmp_path / "here")
    assert (tmp_path / "here" / "deep" / "er" / "b.txt").read_bytes() == b"1234567890"
    assert LocalOutputs(tmp_path / "kept").manifest == manifest
    assert manifest.complete


def test_files_on_one_file_system_are_moved_and_not_copied(folder, tmp_path):
    inode = (folder / "a.txt").stat().st_ino

    keep(folder, PATHS, tmp_path / "kept")

    assert (tmp_path / "kept" / "files" / "a.txt").stat().st_ino == inode
    assert not (folder / "a.txt").exists()


def test_files_on_another_file_system_are_copied(folder, tmp_path, monkeypatch):
    def far(*_):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(Path, "rename", far)
    keep(folder, PATHS, tmp_path / "kept")

    assert (tmp_path / "kept" / "files" / "a.txt").read_bytes() == b"12345"
    assert (folder / "a.txt").exists()


def test_what_goes_beyond_the_limit_is_named_and_left(folder, tmp_path):
    manifest = keep(folder, PATHS, tmp_path / "kept", limit=12)

    assert [file.path for file in manifest.files] == ["a.txt"]
    assert [vars(each) for each in manifest.left_out] == [{"path": "deep/er/b.txt", "size": 10, "reason": "limit"}]
    assert (folder / "deep" / "er" / "b.txt").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and links")
def test_what_is_no_file_of_the_folder_is_left_out(folder, tmp_path):
    (tmp_path / "outside").write_bytes(b"secret")
    (folder / "out").symlink_to(tmp_path / "outside")
    (folder / "up").symlink_to(tmp_path, target_is_directory=True)
    (folder / "in").symlink_to(folder / "a.txt")
    os.mkfifo(folder / "pipe")

    manifest = keep(folder, ["a.txt", "gone", "in", "out", "pipe", "up/outside"], tmp_path / "kept")

    assert [file.path for file in manifest.files] == ["a.txt"]
    assert {each.path: each.reason for each in manifest.left_out} == dict.fromkeys(
        ("gone", "in", "out", "pipe", "up/outside"), "unreadable"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="links")
def test_a_link_to_a_file_of_the_folder_is_kept_as_a_file(folder, tmp_path):
    (folder / "latest").symlink_to("deep/er/b.txt")

    keep(folder, ["latest", *PATHS], tmp_path / "kept")

    assert (tmp_path / "kept" / "files" / "latest").read_bytes() == b"1234567890"
    assert not (tmp_path / "kept" / "files" / "latest").is_symlink()


def test_a_second_attempt_leaves_nothing_of_the_first(folder, tmp_path):
    first = keep(folder, ["a.txt"], tmp_path / "kept")

    second = keep(folder, ["deep/er/b.txt"], tmp_path / "kept")

    assert [path.name for path in (tmp_path / "kept" / "files").rglob("*") if path.is_file()] == ["b.txt"]
    assert first.attempt != second.attempt


def test_a_list_that_can_not_be_written_is_no_list(folder, tmp_path, monkeypatch):
    keep(folder, ["a.txt"], tmp_path / "kept")

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("fairing_az_jupyter.outputs.keeping.replace_file", full)
    with pytest.raises(OSError, match="No space"):
        keep(folder, ["deep/er/b.txt"], tmp_path / "kept")
    assert not (tmp_path / "kept" / "manifest.json").exists()
