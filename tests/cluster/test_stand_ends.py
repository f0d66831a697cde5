"""Nothing of the stand outlives the tests, however they end, and a failing start says why."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.stand.node import sandbox
from tests.stand.processes import Guard, Server, StartError

STARTS = """
import sys, time
from tests.stand import shared
stand = shared()
stand.control_plane
print(stand.folder, *(server.pid for server in stand.servers), flush=True)
time.sleep(60)
"""
REPOSITORY = Path(__file__).resolve().parents[2]


def lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_killed_tests_leave_no_server_and_no_file(kubernetes, number):
    child = subprocess.Popen([sys.executable, "-c", STARTS], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    with child:
        folder, *pids = child.stdout.readline().split()
        assert len(pids) == 3
        assert all(lives(int(pid)) for pid in pids)
        child.send_signal(number)
        child.wait(20)
    end = time.monotonic() + 20
    while time.monotonic() < end and (Path(folder).exists() or any(lives(int(pid)) for pid in pids)):
        time.sleep(0.1)
    assert [pid for pid in pids if lives(int(pid))] == []
    assert not Path(folder).exists()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("print('the port is gone'); raise SystemExit(3)", "ended with status 3 before it was ready"),
        ("import time; print('the port is gone', flush=True); time.sleep(60)", "did not answer within 1 s"),
    ],
)
def test_a_server_that_does_not_start_says_why_in_its_own_last_words(tmp_path, script, words):
    guard = Guard(tmp_path / "nothing")
    command = [sys.executable, "-c", script]
    try:
        with pytest.raises(StartError) as failed:
            Server("the-server", command, log=tmp_path / "x.log", ready=lambda: False, guard=guard, timeout=1)
    finally:
        guard.close()
    assert f"the-server {words}" in str(failed.value)
    assert "the port is gone" in str(failed.value)


def test_what_is_missing_is_said_with_how_to_get_it(monkeypatch, tmp_path):
    from tests.stand import MissingError
    from tests.stand.programs import binaries

    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for find, words in (
        (binaries.control_plane, "Go 1.24"),
        (binaries.azurite, "Node"),
        (binaries.registry, "apt-get"),
    ):
        with pytest.raises(MissingError, match=words) as missing:
            find()
        assert "tests/cluster/provide" in str(missing.value)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    with pytest.raises(MissingError, match=r"etcd, kube-apiserver, kube-controller-manager not found"):
        binaries.control_plane()


@pytest.fixture
def place(tmp_path):
    guard = Guard(tmp_path / "nothing")
    made = sandbox.Sandbox(tmp_path, guard, dict(os.environ))
    yield made
    made.close()
    guard.close()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="namespaces need root on Linux: use a container")
def test_a_disk_of_the_sandbox_is_seen_in_it_only_and_leaves_nothing(place, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()

    if not place.mount_disk(folder):
        pytest.skip("no loop devices here: images stay on the machine's disk")

    place.run(["touch", str(folder / "layer")])
    assert "layer" in place.run(["ls", str(folder)])
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("images")] == ["images"]
    assert list(folder.iterdir()) == []
    assert str(folder) not in Path("/proc/self/mounts").read_text()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="namespaces need root on Linux: use a container")
def test_a_disk_that_can_not_be_mounted_is_told_and_leaves_nothing(place, tmp_path):
    before = set(tmp_path.iterdir())

    assert not place.mount_disk(tmp_path / "images")

    assert set(tmp_path.iterdir()) == before
