"""Which files of a working folder are a job's own: what is new or changed, and nothing that only lies there."""

from __future__ import annotations

import os
import re
import socket
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairing_az_jupyter.fairing.job_program.collecting import FoundFile, Snapshot, select

MUCH = 10**9


@pytest.fixture
def folder(tmp_path):
    found = tmp_path / "app"
    (found / "data").mkdir(parents=True)
    (found / "data" / "train.csv").write_text("a,b\n")
    (found / "main.py").write_text("print()\n")
    return found


def write(path, text="x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def paths(snapshot, patterns=None, limit=MUCH):
    return [each.path for each in select(snapshot.changed(), patterns, limit).files]


def test_new_and_changed_files_are_found_and_the_build_context_is_not(folder):
    snapshot = Snapshot(folder)
    write(folder / "model.dat")
    write(folder / "sub" / "deep" / "log.txt")
    write(folder / "data" / "train.csv", "a,b\n1,2\n")

    assert paths(snapshot) == ["data/train.csv", "model.dat", "sub/deep/log.txt"]


def test_a_file_of_the_same_size_is_seen_to_have_changed(folder):
    snapshot = Snapshot(folder)
    replacement = folder / "other"
    replacement.write_text("x,y\n")
    status = (folder / "data" / "train.csv").stat()
    os.utime(replacement, ns=(status.st_atime_ns, status.st_mtime_ns))
    replacement.replace(folder / "data" / "train.csv")

    assert paths(snapshot) == ["data/train.csv"]


def test_an_untouched_folder_gives_nothing(folder):
    assert paths(Snapshot(folder)) == []


@pytest.mark.parametrize(
    "name",
    [
        *("__pycache__/main.cpython-311.pyc", "x.pyc", ".cache/hub/model.bin", ".ipynb_checkpoints/a.ipynb"),
        *(".git/objects/ab", "web/node_modules/x/index.js", "half.tmp", "model.dat.part", ".fairing-az/result.json"),
    ],
)
def test_caches_and_files_that_are_being_written_are_left_out(folder, name):
    snapshot = Snapshot(folder)
    write(folder / name)

    assert paths(snapshot) == []


def test_what_is_being_written_is_listed_as_left_out(folder):
    snapshot = Snapshot(folder)
    write(folder / "model.dat.tmp", "half")

    left_out = select(snapshot.changed(), None, MUCH).left_out

    assert left_out == [("model.dat.tmp", 4, "pattern")]


def test_links_within_the_folder_are_kept_as_files_and_others_are_not(folder, tmp_path):
    snapshot = Snapshot(folder)
    write(tmp_path / "outside.txt")
    write(folder / "epoch-3.ckpt", "weights")
    for name, target in {
        "latest.ckpt": "epoch-3.ckpt",
        "outside": tmp_path / "outside.txt",
        "above": "../outside.txt",
        "nothing": "gone",
        "circle": "circle",
    }.items():
        (folder / name).symlink_to(target)
    (folder / "again").symlink_to(folder, target_is_directory=True)

    found = {each.path: each.size for each in select(snapshot.changed(), None, MUCH).files}

    assert found == {"epoch-3.ckpt": 7, "latest.ckpt": 7}


def test_pipes_and_sockets_are_no_files(folder, monkeypatch):
    snapshot = Snapshot(folder)
    os.mkfifo(folder / "pipe")
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")

        assert paths(snapshot) == []


def test_odd_names_are_found(folder):
    snapshot = Snapshot(folder)
    names = ["mit Leerzeichen.txt", "ä\u0308.txt", "new\nline", "-rf", "'\"", "x" * 200, os.fsdecode(b"latin-\xe4")]
    for name in names:
        write(folder / name)

    assert paths(snapshot) == sorted(names)


@pytest.mark.parametrize("name", ["back\\slash", "C:drive.txt"])
def test_names_that_no_list_of_files_can_have_are_listed_as_unreadable(folder, name):
    snapshot = Snapshot(folder)
    write(folder / name)

    found = select(snapshot.changed(), None, MUCH)

    assert (found.files, [(each.path, each.reason) for each in found.left_out]) == ([], [(name, "unreadable")])


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.dat", ["model.dat"]),
        ("./*.dat", ["model.dat"]),
        ("**/*.dat", ["model.dat", "runs/1/model.dat"]),
        ("runs", ["runs/1/log.txt", "runs/1/model.dat"]),
        ("runs/", ["runs/1/log.txt", "runs/1/model.dat"]),
        ("runs/**", ["runs/1/log.txt", "runs/1/model.dat"]),
        ("runs/[0-9]/*.t?t", ["runs/1/log.txt"]),
        ("runs/[!0-9]/*", []),
        ("**/log.txt", ["runs/1/log.txt"]),
        ("nothing", []),
        (".", ["model.dat", "runs/1/log.txt", "runs/1/model.dat"]),
    ],
)
def test_globs_narrow_what_is_kept(folder, pattern, expected):
    snapshot = Snapshot(folder)
    for name in ("model.dat", "runs/1/log.txt", "runs/1/model.dat"):
        write(folder / name)

    found = select(snapshot.changed(), [pattern], MUCH)

    assert [each.path for each in found.files] == expected
    assert len(found.files) + len(found.left_out) == 3
    assert {each.reason for each in found.left_out} <= {"pattern"}


def test_an_empty_list_of_globs_keeps_nothing(folder):
    snapshot = Snapshot(folder)
    write(folder / "model.dat")

    assert paths(snapshot, []) == []


@given(st.text(alphabet="ab*?[]!^-\\./()|$", max_size=12))
def test_every_text_is_a_glob(pattern):
    found = select([FoundFile("a/b", 1, 1, 1)], [pattern], MUCH)

    assert len(found.files) + len(found.left_out) == 1


@given(st.text(alphabet="ab(){}|$^+.", min_size=1, max_size=6))
def test_a_name_without_wildcards_matches_itself_alone(name):
    files = [FoundFile(name, 1, 1, 1), FoundFile(f"{name}x", 1, 1, 1)]
    kept = [each.path for each in select(files, [name], MUCH).files]

    assert kept == ([name] if re.sub(r"^\.$", "", name) else [name, f"{name}x"])


@given(st.lists(st.integers(0, 100), max_size=12), st.integers(0, 300))
def test_the_limit_holds_and_everything_else_is_listed(sizes, limit):
    files = [FoundFile(f"{number:02}", size, 1, 1) for number, size in enumerate(sizes)]

    found = select(files, None, limit)

    assert sum(each.size for each in found.files) <= limit
    assert sorted(each.path for each in (*found.files, *found.left_out)) == [each.path for each in files]
    assert {each.reason for each in found.left_out} <= {"limit"}
    largest = max((each.size for each in found.files), default=0)
    assert all(each.size >= largest for each in found.left_out)


@pytest.mark.kernel
def test_a_folder_that_can_not_be_read_is_listed(run_python):
    script = """
    import os, tempfile
    from pathlib import Path
    from fairing_az_jupyter.fairing.job_program.collecting import Snapshot, select
    folder = Path(tempfile.mkdtemp())
    if os.geteuid() == 0:
        # Who may do everything reads everything.
        os.chown(folder, 65534, 65534)
        os.setuid(65534)
    snapshot = Snapshot(folder)
    (folder / "closed").mkdir(mode=0)
    print([(each.path, each.reason) for each in select(snapshot.changed(), None, 1 << 40).left_out])
    (folder / "closed").rmdir()
    """

    assert run_python(textwrap.dedent(script)).stdout == "[('closed', 'unreadable')]\n"
