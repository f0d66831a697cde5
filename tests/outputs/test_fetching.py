"""Files of a job, copied into a user's folder: nothing of the user's is lost, and nothing is written outside."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from fairing_az_jupyter.exceptions import ConflictError, InputError, NotFoundError
from fairing_az_jupyter.outputs.fetching import fetch
from fairing_az_jupyter.outputs.stored import LocalOutputs
from tests.outputs.outputs_scene import entry, local, manifest

FILES = {"model.dat": b"model", "plots/a.png": b"png", "plots/deep/b.png": b"other png", "empty.txt": b""}


@pytest.fixture
def kept(tmp_path):
    return LocalOutputs(local(tmp_path / "kept", FILES))


@pytest.fixture
def target(tmp_path):
    return tmp_path / "target"


def content(folder):
    """Return what is below a folder, links not followed."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def outcomes(fetched):
    return {file.name: file.outcome for file in fetched.files}


def test_all_files_come_with_their_folders(kept, target):
    fetched = fetch(kept, to=target)

    assert content(target) == FILES
    assert set(outcomes(fetched).values()) == {"fetched"}
    assert fetched.paths == tuple(target / name for name in sorted(FILES))


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["model.dat"], {"model.dat"}),
        (["./model.dat"], {"model.dat"}),
        (["*.png"], {"plots/a.png", "plots/deep/b.png"}),
        (["plots/deep/*"], {"plots/deep/b.png"}),
        (["plots"], {"plots/a.png", "plots/deep/b.png"}),
        (["plots/"], {"plots/a.png", "plots/deep/b.png"}),
        (["plots\\a.png"], {"plots/a.png"}),
        (["plots/?.png", "empty.txt"], {"plots/a.png", "empty.txt"}),
        (["."], set(FILES)),
    ],
)
def test_files_are_named_by_path_pattern_or_folder(kept, target, names, found):
    fetch(kept, names, target)

    assert set(content(target)) == found


def test_a_file_of_a_name_with_brackets_is_no_pattern(tmp_path, target):
    outputs = LocalOutputs(local(tmp_path / "kept", {"a[1].txt": b"1", "a1.txt": b"2", "*": b"3"}))

    fetch(outputs, ["a[1].txt"], target)

    assert content(target) == {"a[1].txt": b"1"}


def test_a_name_that_no_file_has_names_the_nearest_and_what_there_is(kept, target):
    with pytest.raises(InputError) as caught:
        fetch(kept, ["modl.dat"], target)

    assert caught.value.code == "output-unknown"
    assert "Did you mean 'model.dat'?" in caught.value.message
    assert "plots/a.png" in caught.value.hint
    assert not target.exists()


def test_a_different_file_stays_and_the_others_are_fetched(kept, target):
    target.mkdir()
    (target / "model.dat").write_bytes(b"mine!")

    fetched = fetch(kept, to=target)

    assert content(target) == {**FILES, "model.dat": b"mine!"}
    assert [file.name for file in fetched.rejected] == ["model.dat"]
    problem = fetched.problem("--overwrite")
    assert problem.code == "output-exists"
    assert "'model.dat'" in problem.message
    assert "--overwrite" in problem.hint


def test_a_different_file_is_replaced_where_that_was_asked_for(kept, target):
    target.mkdir()
    (target / "model.dat").write_bytes(b"mine!")

    fetched = fetch(kept, to=target, overwrite=True)

    assert content(target) == FILES
    assert fetched.problem("--overwrite") is None


def test_the_same_file_is_left_as_it_is(kept, target):
    fetch(kept, to=target)
    before = {path: path.stat() for path in target.rglob("*")}

    fetched = fetch(kept, to=target, overwrite=True)

    assert set(outcomes(fetched).values()) == {"there"}
    assert {path: path.stat() for path in target.rglob("*")} == before


def test_what_was_interrupted_continues_with_what_is_missing(kept, target):
    def stop(have, _whole):
        if have:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(kept, to=target, progress=stop)
    assert not [name for name in content(target) if name.endswith(".tmp")]

    fetched = fetch(kept, to=target)

    assert content(target) == FILES
    assert "there" in outcomes(fetched).values()


def test_progress_ends_with_all_bytes(kept, target):
    seen = []

    fetch(kept, to=target, progress=lambda have, whole: seen.append((have, whole)))

    assert seen[0] == (0, 17)
    assert seen[-1] == (17, 17)
    assert seen == sorted(seen)


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right of their own there")
def test_a_link_in_the_folder_leads_no_file_out_of_it(kept, target, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    target.mkdir()
    (target / "plots").symlink_to(outside, target_is_directory=True)
    (target / "model.dat").symlink_to(outside / "model.dat")

    fetched = fetch(kept, to=target, overwrite=True)

    assert content(outside) == {}
    assert outcomes(fetched) == {
        "empty.txt": "fetched",
        "model.dat": "fetched",
        "plots/a.png": "rejected",
        "plots/deep/b.png": "rejected",
    }
    assert "is a link" in fetched.rejected[0].reason
    assert not (target / "model.dat").is_symlink()


def test_a_file_in_the_place_of_a_folder_and_the_other_way_round_stay(kept, target):
    target.mkdir()
    (target / "plots").write_bytes(b"a file")
    (target / "model.dat").mkdir()

    fetched = fetch(kept, to=target, overwrite=True)

    assert {file.name for file in fetched.rejected} == {"model.dat", "plots/a.png", "plots/deep/b.png"}
    assert content(target) == {"plots": b"a file", "empty.txt": b""}


def test_names_that_windows_does_not_allow_stop_none_of_the_others(tmp_path, target):
    outputs = LocalOutputs(local(tmp_path / "kept", {"con.txt": b"1", "what?.txt": b"2", "good.txt": b"3"}))

    fetched = fetch(outputs, to=target, windows=True)

    assert content(target) == {"good.txt": b"3"}
    assert all("Windows" in file.reason for file in fetched.rejected)


def test_files_that_differ_in_case_only_are_both_there_where_that_is_possible(tmp_path, target):
    outputs = LocalOutputs(local(tmp_path / "kept", {"Model.dat": b"1", "model.dat": b"2"}))
    if len(content(tmp_path / "kept" / "files")) == 1:
        pytest.skip("this file system knows no case")

    fetch(outputs, to=target)

    assert content(target) == {"Model.dat": b"1", "model.dat": b"2"}


def test_files_that_are_one_on_this_file_system_do_not_replace_each_other(tmp_path, target, monkeypatch):
    outputs = LocalOutputs(local(tmp_path / "kept", {"Model.dat": b"1", "model.dat": b"2"}))
    joined = Path.joinpath

    def caseless(self, *parts):
        return joined(self, *(part.lower() for part in parts)) if self == target else joined(self, *parts)

    monkeypatch.setattr(Path, "joinpath", caseless)
    fetched = fetch(outputs, to=target, overwrite=True)

    assert content(target) == {"model.dat": b"1"}
    assert [file.name for file in fetched.rejected] == ["model.dat"]
    assert "but for case" in fetched.rejected[0].reason


def test_a_name_that_is_not_utf_8_is_fetched(tmp_path, target):
    name = os.fsdecode(b"caf\xe9.txt")
    folder = local(tmp_path / "kept", {})
    try:
        (folder / "files" / name).write_bytes(b"1")
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    (folder / "manifest.json").write_bytes(manifest([entry(name, b"1")]))

    fetch(LocalOutputs(folder), to=target)

    assert [os.fsencode(path.name) for path in target.iterdir()] == [b"caf\xe9.txt"]


@pytest.mark.parametrize("damage", [b"madel", b"mode", b"model and more"])
def test_a_damaged_file_is_an_error_and_leaves_nothing(kept, target, tmp_path, damage):
    (tmp_path / "kept" / "files" / "model.dat").write_bytes(damage)

    with pytest.raises(ConflictError) as caught:
        fetch(kept, ["model.dat"], target)

    assert caught.value.code == "outputs-damaged"
    assert content(target) == {}


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right of their own there")
def test_a_link_among_the_kept_files_is_not_read(kept, target, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"model")
    (tmp_path / "kept" / "files" / "model.dat").unlink()
    (tmp_path / "kept" / "files" / "model.dat").symlink_to(secret)

    with pytest.raises(ConflictError):
        fetch(kept, ["model.dat"], target)
    with pytest.raises(ConflictError):
        kept.open("model.dat")


def test_a_full_disk_is_one_error_that_says_so(kept, target, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(InputError) as caught:
        fetch(kept, ["empty.txt"], target)

    assert caught.value.code == "output-folder"
    assert "No space left" in caught.value.message
    assert content(target) == {}


def test_a_folder_that_can_not_be_made_is_a_clear_error(kept, tmp_path):
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(InputError) as caught:
        fetch(kept, to=tmp_path / "file" / "inner")

    assert "--to" in caught.value.hint


def test_where_no_list_is_nothing_was_kept(tmp_path, target):
    with pytest.raises(NotFoundError) as caught:
        fetch(LocalOutputs(tmp_path / "none"), to=target)

    assert caught.value.code == "nothing-kept"


def test_a_kept_file_is_opened_where_it_lies(kept):
    with kept.open("plots/a.png") as file:
        file.seek(1)
        assert file.read() == b"ng"
