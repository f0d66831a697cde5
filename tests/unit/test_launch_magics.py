"""`%fairing_azure train`, `deploy` and `launch` in a real kernel, on this machine."""

from __future__ import annotations

import contextlib
import os
import queue
import re
import signal
import time

import psutil
import pytest
from jupyter_client.manager import KernelManager

from tests.unit.launches_scene import gone, notebook_in
from tests.unit.magics_scene import Kernel, error_lines, view, written

DEFINE = """
%load_ext fairing_az_jupyter
FAIRING_BACKEND = 'LocalBackend'
class HousingServe:
    def train(self):
        print('training with', open('data.csv').read().strip())
    def predict(self, X, feature_names=None):
        return X.sum(axis=1)
def work():
    print('a function of the notebook')
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("launch")
    (found / "data.csv").write_text("a,b\n")
    return found


@pytest.fixture(scope="module")
def manager(folder):
    started = KernelManager(kernel_name="python3")
    environ = {**os.environ, "FAIRING_AZURE_HOME": str(folder / "home"), "FAIRING_AZURE_CONFIG_DIR": str(folder / "c")}
    started.start_kernel(cwd=str(folder), env=environ)
    yield started
    started.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def client(manager):
    opened = manager.blocking_client()
    opened.start_channels()
    opened.wait_for_ready(timeout=60)
    yield opened
    opened.stop_channels()


@pytest.fixture(scope="module")
def kernel(client):
    started = Kernel(client)
    started.run(DEFINE)
    return started


def printed(messages):
    return "".join(message["content"].get("text", "") for message in messages)


def test_a_job_hands_back_its_files_in_the_next_cell(kernel, folder):
    kernel.run("def write():\n    open('model.dat', 'w').write('model')\n    return {'rmse': 0.25}")
    kernel.run("written = %fairing_azure train write")

    assert kernel.value("written.result") == {"rmse": 0.25}
    assert kernel.value("[(file.name, file.size) for file in written.files]") == [["model.dat", 5]]
    assert kernel.value("[str(path) for path in written.fetch(to='first')]") == ["first/model.dat"]
    kernel.run("fetched = %fairing_azure fetch {written} --to second")
    assert kernel.value("[str(path) for path in fetched]") == ["second/model.dat"]
    assert (folder / "first" / "model.dat").read_text() == (folder / "second" / "model.dat").read_text() == "model"


def test_a_class_of_the_notebook_is_trained_with_its_files(kernel):
    messages, _, reply = kernel.run("%fairing_azure train HousingServe --input-files data.csv")

    assert reply["status"] == "ok"
    assert "| training with a,b\n" in view(messages)
    assert re.search(r"^Training HousingServe on LocalBackend: succeeded, [\d.]+ s$", view(messages), re.MULTILINE)
    assert "| a function of the notebook\n" in view(kernel.run("%fairing_azure train work")[0])


def test_a_name_that_the_notebook_lacks_suggests_the_nearest(kernel):
    (line,) = error_lines(kernel.run("%fairing_azure train HousingSrve")[0])

    assert "'HousingSrve' not found in this notebook. Did you mean 'HousingServe'?" in line
    assert "Run the cell that defines it first." in line


def test_an_endpoint_of_the_notebook_predicts_and_is_replaced_when_its_cell_is_run_again(kernel):
    messages, _, reply = kernel.run("endpoint = %fairing_azure deploy HousingServe")
    first = kernel.value("endpoint.url")

    assert reply["status"] == "ok"
    assert f"is ready: {first}" in view(messages)
    assert kernel.value("endpoint.predict([[1, 2]])['data']['tensor']['values']") == [3]
    messages, _, _ = kernel.run("found = %fairing_azure predict {endpoint.url} '[[1, 2], [3, 4]]'")
    assert view(messages).splitlines()[:3] == ["ROW  PREDICTION", "1    3", "2    7"]
    assert kernel.value("found") == [3, 7]

    messages, _, _ = kernel.run("again = %fairing_azure deploy HousingServe")

    assert kernel.value("[endpoint.answers(), again.answers()]") == [False, True]
    messages, _, _ = kernel.run("again")
    assert messages[0]["content"]["data"]["text/plain"].startswith("<endpoint fairing-endpoint-")
    kernel.run("again.delete()")
    assert kernel.value("again.answers()") is False


def test_a_launch_streams_the_run_of_a_notebook_into_the_cell(kernel, folder):
    notebook_in(folder, "import time\nfor i in range(3): print('line', i, flush=True); time.sleep(0.4)")

    messages, _, reply = kernel.run("%fairing_azure launch example.ipynb -o done.ipynb")

    assert reply["status"] == "ok", written(messages)
    assert "Ready to launch." in printed(messages)
    assert "  | line 2\n" in printed(messages)
    assert len([message for message in messages if "line" in message["content"].get("text", "")]) > 1
    assert (folder / "done.ipynb").exists()


def test_a_launch_that_fails_stops_the_notebook(kernel, folder):
    notebook_in(folder, "1 / 0")

    messages, _, reply = kernel.run("%fairing_azure launch example.ipynb")

    assert "ZeroDivisionError" in printed(messages)
    assert messages[-1]["content"]["traceback"] == ["%fairing_azure: The launch has failed. See its error above."]
    assert reply["status"] == "error"
    (line,) = error_lines(kernel.run("%fairing_azure launch none.ipynb")[0])
    assert "Notebook 'none.ipynb' not found." in line


def test_an_interrupt_ends_the_launch_with_all_that_it_has_started(kernel, client, manager, folder):
    notebook_in(folder, "import os, time\nprint('pid', os.getpid(), flush=True)\ntime.sleep(600)")
    request = client.execute("%fairing_azure launch example.ipynb")
    text, pid, done, end = "", None, False, time.monotonic() + 60
    while not done:
        assert time.monotonic() < end, text
        with contextlib.suppress(queue.Empty):
            message = client.get_iopub_msg(timeout=0.2)
            if message["parent_header"].get("msg_id") == request:
                text += message["content"].get("text", "") + "".join(message["content"].get("traceback", []))
                done = message["content"].get("execution_state") == "idle"
        if pid is None and "pid " in text and "\n" in text.partition("pid ")[2]:
            pid = int(text.partition("pid ")[2].split()[0])
            manager.interrupt_kernel()

    assert text.endswith("%fairing_azure: cancelled")
    assert "fairing-azure: " in text
    assert gone(pid)
    assert kernel.value("1 + 1") == 2


def test_a_launch_ends_with_the_kernel_that_has_started_it(folder):
    notebook_in(folder, "import os, time\nprint('pid', os.getpid(), flush=True)\ntime.sleep(600)")
    started = KernelManager(kernel_name="python3")
    started.start_kernel(cwd=str(folder))
    client = started.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    client.execute("%load_ext fairing_az_jupyter")
    client.execute("%fairing_azure launch example.ipynb")
    text, end = "", time.monotonic() + 60
    while not ("pid " in text and "\n" in text.partition("pid ")[2]):
        assert time.monotonic() < end, text
        with contextlib.suppress(queue.Empty):
            text += client.get_iopub_msg(timeout=0.2)["content"].get("text", "")
    pid = int(text.partition("pid ")[2].split()[0])
    children = [each.pid for each in psutil.Process(started.provisioner.pid).children(recursive=True)]

    os.kill(started.provisioner.pid, signal.SIGKILL)

    assert all(gone(each) for each in (pid, *children))
    client.stop_channels()
    started.shutdown_kernel(now=True)
