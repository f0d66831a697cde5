"""Runs on disks that are full, read-only or gone: each ends as a recorded failure that tells the reason.

The disks are real: small file systems in memory, mounted in a namespace of their own (`unshare --mount`), which needs
root or the right to make user namespaces.
"""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from fairing_az_jupyter.files import replace_file
from fairing_az_jupyter.records import status as status_files

pytestmark = pytest.mark.timeout(120)

PROGRAM = f"{sys.executable} -m fairing_az_jupyter"
FILL = (
    "import os\ndisk = os.environ['DISK']\nhandle = os.open(f'{disk}/filling', os.O_WRONLY | os.O_CREAT)\n"
    "size = 65536\nwhile size:\n    try:\n        os.write(handle, b'x' * size)\n"
    "    except OSError:\n        size //= 2\n"
    "os.close(handle)\nprint('it is full')"
)
USE_UP_INODES = (
    "import os\ndisk = os.environ['DISK']\ntry:\n    for number in range(10_000):\n"
    "        open(f'{disk}/filling{number}', 'w').close()\nexcept OSError:\n    pass"
)
# Files are open in it, so it can't be mounted anew; what looks up a path finds the mount on top.
MAKE_READ_ONLY = (
    "import os, subprocess\ndisk = os.environ['DISK']\nsubprocess.run(['mount', '--bind', disk, disk], check=True)\n"
    "subprocess.run(['mount', '-o', 'remount,bind,ro', disk], check=True)"
)


@pytest.fixture
def on_disk(tmp_path):
    """Return a function that runs a notebook with its records on a disk of its own, and looks at the records."""
    disk, temporary = tmp_path / "disk", tmp_path / "temporary"
    for folder in (disk, temporary):
        folder.mkdir()

    def run(*cells, options="size=2m", before="", output="out.ipynb", namespace=True):
        metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        notebook = new_notebook(cells=[new_code_cell(source) for source in cells], metadata=metadata)
        (tmp_path / "prices.ipynb").write_text(nbformat.writes(notebook), encoding="utf-8")
        mount = f'mount -t tmpfs -o {options} tmpfs "$DISK"' if namespace else ":"
        script = (
            f"{mount} && {before or ':'}\n{PROGRAM} run prices.ipynb -o {output} 2> error; echo $? > code\n"
            f"{PROGRAM} runs list --json > list.json\n{PROGRAM} runs show last > shown\n"
            f"{PROGRAM} runs logs last > log\n"
        )
        environment = {"DISK": str(disk), "FAIRING_AZURE_RUNS": str(disk / "runs"), "TMPDIR": str(temporary)}
        command = ["sh", "-c", script]
        if namespace:
            # As root in it: only root may mount, and for nobody else than this test.
            command = ["unshare", "--mount", *([] if os.getuid() == 0 else ["--map-root-user"]), *command]
        done = subprocess.run(
            command, cwd=tmp_path, env={**os.environ, **environment}, capture_output=True, text=True, check=False
        )
        error = (tmp_path / "error").read_text() if (tmp_path / "error").exists() else "nothing was run"
        assert "Traceback (most recent call last)" not in error + done.stderr, error + done.stderr
        runs = json.loads((tmp_path / "list.json").read_text())["runs"]
        told = [(tmp_path / name).read_text() for name in ("shown", "log")]
        return int((tmp_path / "code").read_text()), error, runs, *told

    return run


def test_disk_that_fills_up_in_a_cell_ends_the_run_with_the_reason(on_disk):
    code, error, (info,), shown, log = on_disk("print('first')", FILL, "print('never')")

    assert code == 4
    assert "No space left on device" in error
    assert info["state"] == "failed"
    assert "No space left on device" in info["error"]["message"]
    assert "No space left on device" in shown
    assert "first" in log
    assert "never" not in log


def test_disk_that_fills_up_while_much_is_printed_keeps_what_came_before(on_disk):
    loud = "import time\nfor number in range(1_000):\n    print(number, 'x' * 50_000)\n    time.sleep(0.05)"
    code, error, (info,), shown, log = on_disk("print('first')", loud)

    assert code == 4
    assert "No space left on device" in error
    assert (info["state"], info["cell"]) == ("failed", 2)
    assert "No space left on device" in shown
    assert "\n0 xxx" in log


def test_disk_that_is_full_at_the_start_is_told_before_a_kernel_starts(on_disk):
    code, error, (info,), shown, _ = on_disk(
        "print('never')", options="size=64k", before='head -c 100000 /dev/zero > "$DISK/filling" || true'
    )

    assert code == 4
    assert "was not started: its record can't be created" in error
    assert "--runs-folder" in error
    assert info["state"] == "failed"
    assert "No space left on device" in shown


def test_disk_without_free_inodes_ends_the_run_with_the_reason(on_disk):
    code, error, (info,), *_ = on_disk(
        "print('first')", USE_UP_INODES, "print('never')", options="size=9m,nr_inodes=60"
    )

    assert code == 4
    assert "No space left on device" in error
    assert info["state"] == "failed"
    assert "No space left on device" in info["error"]["message"]


def test_disk_without_inodes_at_the_start_is_told_before_a_kernel_starts(on_disk):
    code, error, (info,), *_ = on_disk("print('never')", options="size=9m,nr_inodes=3")

    assert code == 4
    assert "No space left on device" in error
    assert info["state"] == "failed"


def test_disk_that_turns_read_only_ends_the_run_with_the_reason(on_disk):
    code, error, (info,), shown, log = on_disk("print('first')", MAKE_READ_ONLY, "print('never')")

    assert code == 4
    assert "Read-only file system" in error
    assert info["state"] == "failed"
    assert "Read-only file system" in shown
    assert "first" in log


def test_disk_that_is_read_only_at_the_start_is_told_before_a_kernel_starts(on_disk):
    code, error, (info,), shown, _ = on_disk("print('never')", before='mount -o remount,ro "$DISK"')

    assert code == 4
    assert "was not started: its record can't be created" in error
    assert "Read-only file system" in shown
    assert info["state"] == "failed"


def test_full_disk_under_the_executed_notebook_alone_is_told_as_such(on_disk, tmp_path):
    code, error, (info,), shown, _ = on_disk(
        "print('first')",
        FILL,
        "print('x' * 100_000)",
        before=f"export FAIRING_AZURE_RUNS='{tmp_path}/runs'",
        output='"$DISK/out.ipynb"',
    )

    assert code == 4
    assert "executed notebook" in error
    assert "No space left on device" in error
    assert info["state"] == "failed"
    assert "No space left on device" in shown


def test_record_that_is_deleted_during_the_run_is_still_in_the_list(on_disk):
    delete = "import os, shutil\nshutil.rmtree(os.environ['DISK'] + '/runs')"
    code, error, (info,), shown, _ = on_disk("print('first')", delete, "print('never')", namespace=False)

    assert code == 4
    assert "No such file or directory" in error
    assert (info["state"], info["notebook"]) == ("failed", "prices.ipynb")
    assert "No such file or directory" in shown


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_reason_of_a_failure_finds_room_where_no_other_byte_does(tmp_path, monkeypatch, number):
    status_files.write_status(tmp_path, {"state": "running"}, final=False)
    size = (tmp_path / "status.json").stat().st_size

    def full(*_arguments, **_more):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(status_files, "replace_file", full)
    error = {"code": "x", "message": "The disk is full.", "hint": "", "traceback": ["line" * 100] * 200}
    status_files.write_status(tmp_path, {"state": "failed", "metrics": {"a": 1}, "error": error}, final=True)

    found = status_files.read_status(tmp_path)
    assert (found["state"], found["error"]["message"]) == ("failed", "The disk is full.")
    assert (tmp_path / "status.json").stat().st_size == size


def test_state_that_finds_no_room_at_all_leaves_the_old_one_whole(tmp_path, monkeypatch):
    replace_file(tmp_path / "status.json", b'{"state": "running"}', mode=0o600)

    def full(*_arguments, **_more):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(status_files, "replace_file", full)
    with pytest.raises(OSError, match="No space left"):
        status_files.write_status(tmp_path, {"state": "failed", "error": {"message": "x" * 500}}, final=True)

    assert status_files.read_status(tmp_path) == {"state": "running"}
