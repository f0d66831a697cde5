"""`%fairing_azure train` on the stand's cluster: what a notebook shows of it, and what an interrupt leaves."""

from __future__ import annotations

import contextlib
import os
import queue
import re
import time

import pytest

from fairing_az_jupyter.settings import from_notebook, to_notebook
from tests.cluster.builders_scene import SMALL
from tests.cluster.cells_scene import SHOWN, Notebook, texts

TASKS = """
class Model:
    def train(self):
        for number in range(3):
            print(f'[{number}]\\tvalid-rmse:{1 / (number + 1)}', flush=True)

def takes_its_time():
    import time
    print('begun', flush=True)
    time.sleep(15)
    print('done', flush=True)
"""


class InNotebook(Notebook):
    """The notebook of somebody who interrupts what takes too long."""

    def interrupted_at(self, code, text):
        """Run a cell, interrupt it when it shows a text, and return its messages."""
        request, messages, told, end = self._client.execute(code), [], False, time.monotonic() + 120
        while True:
            assert time.monotonic() < end, texts(messages)
            with contextlib.suppress(queue.Empty):
                message = self._client.get_iopub_msg(timeout=0.1)
                if message["parent_header"].get("msg_id") != request:
                    continue
                if message["content"].get("execution_state") == "idle":
                    return messages
                if message["msg_type"] in SHOWN:
                    messages.append(message)
            if not told and text in str(messages[-1:]):
                told = True
                self._manager.interrupt_kernel()


@pytest.fixture
def notebook(workshop, tmp_path):
    setup = workshop.setup
    environ = {name: value for name, value in os.environ.items() if name not in setup.settings}
    started = InNotebook(setup, environ, tmp_path / "notebook")
    given = {**from_notebook(setup.settings), **SMALL, "namespace": workshop.namespace, "base_image": workshop.base}
    settings = {name: value for name, value in to_notebook(given).items() if value is not None}
    started.run("\n".join(f"{name} = {value!r}" for name, value in settings.items()) + TASKS)
    yield started
    started.end()
    assert [mark for mark in setup.marks if mark in "".join(started.written)] == []


def last_view(messages):
    found = [each["content"]["data"] for each in messages if "data" in each["content"]]
    return next(data for data in reversed(found) if "text/html" in data)


def jobs(place):
    path = f"/apis/batch/v1/namespaces/{place.namespace}/jobs"
    return [item["metadata"]["name"] for item in place.admin.get(path)["items"]]


def test_a_training_shows_its_phases_lines_and_metric_and_leaves_nothing(notebook, workshop):
    messages, _ = notebook.run("job = %fairing_azure train Model")

    view = last_view(messages)
    assert re.search(r"^Training Model on KubeflowAzureBackend: succeeded", view["text/plain"]), texts(messages)
    for phase in ("Pack files", "Push image", "Schedule pod", "Run"):
        assert re.search(rf"^  {phase}: [\d.]+ s$", view["text/plain"], re.MULTILINE), view["text/plain"]
    assert "<polyline" in view["text/html"]
    assert notebook.value("[job.state, job.metrics['valid-rmse'][-1][1]]") == ["succeeded", pytest.approx(1 / 3)]
    assert notebook.value("open(job.log).read()").count("valid-rmse") == 3
    assert jobs(workshop) == []


def test_an_interrupt_leaves_the_job_says_so_and_the_same_line_follows_it_to_its_end(notebook, workshop):
    messages = notebook.interrupted_at("%fairing_azure train takes_its_time", "| begun")

    (line,) = messages[-1]["content"]["traceback"]
    (job,) = jobs(workshop)
    assert line.startswith(f"%fairing_azure: cancelled. Interrupted, but the job is still running: job {job} ")
    assert f"%fairing_azure delete {job}" in line
    assert "still running in the cluster" in last_view(messages)["text/plain"]
    messages, _ = notebook.run("%fairing_azure status")
    assert re.search(rf"{job} +job +running", texts(messages))

    messages, _ = notebook.run("again = %fairing_azure train takes_its_time")

    assert notebook.value("[again.name, again.lines[-1]]") == [job, "done"], texts(messages)
    assert jobs(workshop) == []
