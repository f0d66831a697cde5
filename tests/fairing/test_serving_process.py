"""The life of the endpoint's server as a process: start, failures to start, end."""

from __future__ import annotations

import signal
import socket
import threading
import time

import psutil
import pytest
import requests

from tests.fairing.serving_child import (
    START_SECONDS,
    app_folder,
    ask,
    failed_start,
    free_port,
    launch,
    log_of,
    running,
    tensor,
    wait_until_ready,
)


def test_it_listens_on_loopback_only_and_frees_the_port_in_time(tmp_path):
    folder, port = app_folder(tmp_path / "app"), free_port()
    child = launch(folder, "--host", "127.0.0.1", "--port", str(port))
    try:
        wait_until_ready(child, f"http://127.0.0.1:{port}", folder)
        connections = psutil.net_connections("inet")
        listening = [c.laddr for c in connections if c.pid == child.pid and c.status == psutil.CONN_LISTEN]
        assert listening == [("127.0.0.1", port)]
        assert psutil.Process(child.pid).children() == []
        begun = time.monotonic()
        child.send_signal(signal.SIGINT)
        assert child.wait(10) == 0
        assert time.monotonic() - begun < 3
        assert "Traceback" not in log_of(folder)
    finally:
        child.kill()
        child.wait(10)
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_sigterm_ends_it_in_time_while_predict_runs(tmp_path):
    folder = app_folder(tmp_path / "app")
    with running(folder) as (child, url):
        answers = []
        slow = threading.Thread(
            target=lambda: answers.append(
                requests.post(f"{url}/predict", json=tensor([60.0], [1, 1], ["sleep"]), timeout=30)
            )
        )
        slow.start()
        time.sleep(0.5)
        begun = time.monotonic()
        child.terminate()
        assert child.wait(10) == 0
        assert time.monotonic() - begun < 3
        slow.join(10)
        assert (answers[0].status_code, answers[0].json()["code"]) == (503, "stopping")
        assert "Traceback" not in log_of(folder)


def test_sigterm_ends_it_in_time_while_it_loads(tmp_path):
    source = (
        "import time\nclass Model:\n    def load(self):\n        print('loading', flush=True)\n        time.sleep(60)\n"
    )
    folder = app_folder(tmp_path / "app", source)
    child = launch(folder, "--port", "0")
    try:
        end = time.monotonic() + START_SECONDS
        while "loading" not in log_of(folder) and time.monotonic() < end:
            time.sleep(0.05)
        child.terminate()
        assert child.wait(5) == 0
    finally:
        child.kill()
        child.wait(10)


NO_PREDICT = "class Model:\n    pass\n"
FAILURES = {
    "no predict": (NO_PREDICT, "no method predict"),
    "an instance that needs arguments": ("class Model:\n    def __init__(self, x): ...\n", "Model() failed: TypeError"),
    "load raises": (
        "class Model:\n    def load(self): open('model.dat')\n    def predict(self, X): ...\n",
        "Model().load() failed: FileNotFoundError: [Errno 2] No such file or directory: 'model.dat'. Add the file",
    ),
    "the constructor leaves": (
        "import sys\nclass Model:\n    def __init__(self): sys.exit(0)\n",
        "Model() failed: SystemExit: 0",
    ),
    "a package is missing": (
        "class Model:\n    def __init__(self): import no_such_package.part\n",
        "'no_such_package' to requirements.txt",
    ),
    "an argument that no request has": (
        "class Model:\n    def predict(self, X, feature_names, threshold): ...\n",
        "'threshold'",
    ),
    "a function": ("def Model(): ...\n", "holds a function named Model, not a class"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_class_that_cant_be_served_ends_it_with_one_clear_line(tmp_path, case):
    source, told = FAILURES[case]
    code, last = failed_start(app_folder(tmp_path / "app", source))
    assert code == 1
    assert last.startswith("fairing_serving: ")
    assert told in last


def test_a_pickle_that_cant_be_read_ends_it_with_one_clear_line(tmp_path):
    folder = app_folder(tmp_path / "app")
    (folder / "pickled_fn.p").write_bytes(b"\x80\x05rubbish")
    code, last = failed_start(folder)
    assert (code, "Traceback" in log_of(folder)) == (1, True)
    assert last.startswith("fairing_serving: Class Model can't be unpickled from")


def test_a_class_name_without_its_file_ends_it_with_one_clear_line(tmp_path):
    code, last = failed_start(app_folder(tmp_path / "app"), name="Other")
    assert code == 1
    assert "Other.py not found in" in last


BLOCKER = """
import importlib.machinery, sys

class Blocked(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, *arguments):
        return None if name.partition(".")[0] == "{}" else super().find_spec(name, *arguments)

sys.meta_path[:] = [Blocked if finder is importlib.machinery.PathFinder else finder for finder in sys.meta_path]
"""


@pytest.mark.parametrize("missing", ["kserve", "numpy"])
def test_without_kserve_it_says_what_to_install(tmp_path, missing):
    folder, blocker = app_folder(tmp_path / "app"), tmp_path / "blocker"
    blocker.mkdir()
    (blocker / "sitecustomize.py").write_text(BLOCKER.format(missing), encoding="utf-8")
    code, last = failed_start(folder, environment={"PYTHONPATH": str(blocker)})
    assert code == 1
    assert "pip install kserve" in last
    assert "add kserve to requirements.txt" in last
    assert "Traceback" not in log_of(folder)


def test_a_port_that_is_taken_is_told_at_once(tmp_path):
    folder = app_folder(tmp_path / "app")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, last = failed_start(folder, "--port", str(port))
    assert code == 1
    assert f"127.0.0.1:{port} can't be listened on" in last


def test_a_file_descriptor_that_is_no_socket_is_told_at_once(tmp_path):
    folder = app_folder(tmp_path / "app")
    for number in ("77", "-1", "99999999999999999999"):
        code, last = failed_start(folder, f"--fd={number}")
        assert code == 1
        assert f"File descriptor {number} is not an open socket" in last


def test_a_file_of_the_users_cant_stand_in_for_a_part_of_the_server(tmp_path):
    folder = app_folder(tmp_path / "app")
    for name in ("httpx", "uvicorn", "yaml"):
        (folder / f"{name}.py").write_text("raise RuntimeError('the file of the user')\n", encoding="utf-8")
    with running(folder) as (_, url):
        assert ask(url, tensor([1, 2], [1, 2]))["data"]["tensor"]["values"] == [3]
