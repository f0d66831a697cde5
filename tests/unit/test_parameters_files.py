"""Writing a filled notebook to its file: in one step, or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from fairing_az_jupyter.exceptions import NotebookFileError
from fairing_az_jupyter.parameters import apply_fill, plan_fill, read_parameters

TEXT = json.dumps(
    {
        "cells": [
            {
                "cell_type": "code",
                "execution_count": None,
                "metadata": {"tags": ["parameters"]},
                "outputs": [],
                "source": ["A = 1\n", "# end"],
            }
        ],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 4,
    },
    indent=1,
)


@pytest.fixture
def path(tmp_path):
    found = tmp_path / "train.ipynb"
    found.write_text(TEXT, encoding="utf-8")
    return found


@contextlib.contextmanager
def as_ordinary_user():
    """Give up root's rights, which pass every permission check."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def shared_folder():
    """Make a folder that an ordinary user reaches; pytest's own belongs to whoever runs the tests."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    folder.chmod(0o777)
    shutil.rmtree(folder)


def test_the_permissions_stay(path):
    path.chmod(0o640)
    apply_fill(path, plan_fill(path, {"A": 2}))
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_no_other_file_is_left_beside_it(path):
    apply_fill(path, plan_fill(path, {"A": 2}))
    assert [entry.name for entry in path.parent.iterdir()] == ["train.ipynb"]


def test_a_symbolic_link_stays_and_its_target_is_filled(path, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.ipynb"
    link.symlink_to("../train.ipynb")
    assert apply_fill(link, plan_fill(link, {"A": 2}))
    assert link.is_symlink()
    assert read_parameters(path).values == {"A": 2}
    assert [entry.name for entry in link.parent.iterdir()] == ["link.ipynb"]


def test_a_read_only_notebook_is_refused_also_for_root(path):
    path.chmod(0o444)
    before = path.read_bytes(), path.stat().st_mtime_ns
    with pytest.raises(NotebookFileError, match="read-only") as caught:
        apply_fill(path, plan_fill(path, {"A": 2}))
    assert "chmod" in caught.value.hint
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_a_read_only_notebook_with_nothing_to_change_is_no_error(path):
    path.chmod(0o444)
    assert apply_fill(path, plan_fill(path, {"A": 1})) is False


def test_a_notebook_that_changed_since_it_was_read_is_not_overwritten(path):
    plan = plan_fill(path, {"A": 2})
    changed = TEXT.replace("# end", "# work of the last hour")
    path.write_text(changed, encoding="utf-8")
    with pytest.raises(NotebookFileError, match="changed since it was read") as caught:
        apply_fill(path, plan)
    assert "again" in caught.value.hint
    assert path.read_text(encoding="utf-8") == changed


def test_a_notebook_that_went_away_is_not_written_again(path):
    plan = plan_fill(path, {"A": 2})
    path.unlink()
    with pytest.raises(NotebookFileError):
        apply_fill(path, plan)
    assert list(path.parent.iterdir()) == []


def test_of_many_fills_at_once_none_is_lost(path):
    start = threading.Barrier(8)

    def fill(number):
        start.wait()
        while True:
            plan = plan_fill(path, {f"N{number}": number})
            try:
                apply_fill(path, plan)
            except NotebookFileError:
                continue
            return

    threads = [threading.Thread(target=fill, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert read_parameters(path).values == {"A": 1} | {f"N{number}": number for number in range(8)}
    assert len(list(path.parent.iterdir())) == 1


def test_an_unwritable_folder_is_named(shared_folder):
    path = shared_folder / "train.ipynb"
    path.write_text(TEXT, encoding="utf-8")
    path.chmod(0o666)
    shared_folder.chmod(0o555)
    plan = plan_fill(path, {"A": 2})
    with as_ordinary_user(), pytest.raises(NotebookFileError, match="can't be written") as caught:
        apply_fill(path, plan)
    assert str(shared_folder) in caught.value.hint
    assert path.read_text(encoding="utf-8") == TEXT


def test_an_unreadable_notebook_is_named(shared_folder):
    path = shared_folder / "train.ipynb"
    path.write_text(TEXT, encoding="utf-8")
    path.chmod(0)
    with as_ordinary_user(), pytest.raises(NotebookFileError, match="can't be read: Permission denied"):
        plan_fill(path, {"A": 2})


def test_a_full_disk_leaves_the_notebook_as_it_was(path):
    # A limit on the size of files fails a write half-way, as a full disk does.
    script = """
import resource, sys
from fairing_az_jupyter.exceptions import NotebookFileError
from fairing_az_jupyter.parameters import apply_fill, plan_fill
plan = plan_fill(sys.argv[1], {"A": 2})
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    apply_fill(sys.argv[1], plan)
except NotebookFileError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, timeout=60, check=True)
    assert "can't be written: File too large. It is unchanged." in done.stdout
    assert "Free some space" in done.stdout
    assert path.read_text(encoding="utf-8") == TEXT
    assert [entry.name for entry in path.parent.iterdir()] == ["train.ipynb"]


def test_a_missing_notebook_is_named(tmp_path):
    with pytest.raises(NotebookFileError, match=r"nowhere\.ipynb' not found") as caught:
        plan_fill(tmp_path / "nowhere.ipynb", {"A": 1})
    assert caught.value.hint


def test_a_dangling_link_is_a_missing_notebook(tmp_path):
    (tmp_path / "link.ipynb").symlink_to("gone.ipynb")
    with pytest.raises(NotebookFileError, match="not found"):
        read_parameters(tmp_path / "link.ipynb")


def test_a_link_to_itself_is_an_error_and_no_endless_loop(tmp_path):
    (tmp_path / "link.ipynb").symlink_to("link.ipynb")
    with pytest.raises(NotebookFileError, match="can't be read"):
        read_parameters(tmp_path / "link.ipynb")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(NotebookFileError, match="is a folder"):
        plan_fill(tmp_path, {"A": 1})


def test_a_pipe_is_refused_and_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe.ipynb")
    with pytest.raises(NotebookFileError, match="regular file"):
        plan_fill(tmp_path / "pipe.ipynb", {"A": 1})


@pytest.mark.parametrize("name", ["nul\0.ipynb", "x" * 300 + ".ipynb"])
def test_an_impossible_path_is_an_error_and_no_crash(tmp_path, name):
    with pytest.raises(NotebookFileError):
        plan_fill(f"{tmp_path}/{name}", {"A": 1})


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1"])
def test_a_notebook_in_another_encoding_is_refused(tmp_path, encoding):
    path = tmp_path / "train.ipynb"
    path.write_bytes(TEXT.replace("# end", "# Größe").encode(encoding))
    with pytest.raises(NotebookFileError) as caught:
        plan_fill(path, {"A": 2})
    assert caught.value.hint


def test_a_relative_path_works(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    assert apply_fill("train.ipynb", plan_fill("train.ipynb", {"A": 2}))
    assert read_parameters("train.ipynb").values == {"A": 2}


def test_a_20_mb_notebook_changes_in_one_line(tmp_path):
    cell = json.loads(TEXT)["cells"][0]
    image = {"data": {"image/png": "iVBORw0KGgo" * 100_000}, "metadata": {}, "output_type": "display_data"}
    big = json.loads(TEXT) | {"cells": [cell, *[cell | {"metadata": {}, "outputs": [image]}] * 20]}
    data = json.dumps(big, indent=1).encode()
    assert len(data) > 20_000_000
    path = tmp_path / "big.ipynb"
    path.write_bytes(data)
    assert apply_fill(path, plan_fill(path, {"A": 2}))
    assert path.read_bytes() == data.replace(b"A = 1", b"A = 2", 1)
