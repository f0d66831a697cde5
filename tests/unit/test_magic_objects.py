"""What the magics return and show: Python objects that are tables and summaries, in a real kernel on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import time

import nbformat
import pytest
from jupyter_client.manager import KernelManager

from tests.conftest import REPOSITORY
from tests.unit.magics_scene import Kernel, error_lines, kinds, view, written

DEFINE = """
%load_ext fairing_az_jupyter
FAIRING_BACKEND = 'LocalBackend'
class Model:
    def train(self):
        for round in range(5):
            print(f'[{round}]\\tvalid-rmse:{1 / (round + 1)}')
    def predict(self, X, feature_names=None):
        return X.sum(axis=1)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("objects")
    (found / "data.csv").write_text("a,b\n1,2\n3,4\n")
    return found


@pytest.fixture(scope="module")
def manager(folder):
    started = KernelManager(kernel_name="python3")
    own = {"FAIRING_AZURE_HOME": "home", "FAIRING_AZURE_CONFIG_DIR": "settings", "KUBECONFIG": "no-kubeconfig"}
    environ = {**os.environ, **{name: str(folder / value) for name, value in own.items()}}
    environ.pop("FAIRING_AZURE_RUNS", None)
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


def notebook_in(folder, name, *cells):
    made = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)))
    made.cells[0].metadata["tags"] = ["parameters"]
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(made, folder / name)


def test_a_job_is_an_object_with_its_lines_metrics_and_log(kernel, folder):
    messages, _, reply = kernel.run("job = %fairing_azure train Model")

    assert reply["status"] == "ok", written(messages)
    assert kernel.value("[job.state, job.backend, job.lines[-1]]") == [
        "succeeded",
        "LocalBackend",
        "[4]\tvalid-rmse:0.2",
    ]
    assert kernel.value("job.metrics") == {"valid-rmse": [[0, 1.0], [1, 0.5], [2, 1 / 3], [3, 0.25], [4, 0.2]]}
    name = kernel.value("str(job)")
    assert re.fullmatch(r"fairing-job-[0-9a-f]{8}", name)
    log = kernel.value("str(job.log.relative_to(job.log.parents[1]))")
    assert "[0]\tvalid-rmse:1.0\n" in (folder / log).read_text()
    # The summary in the saved notebook links to it, and draws the metric.
    assert f'<a href="{log}">' in view(messages, "text/html")
    assert "<polyline" in view(messages, "text/html")


def test_a_job_is_shown_once_and_again_whenever_it_is_named(kernel):
    messages, _, _ = kernel.run("%fairing_azure train Model")
    assert "execute_result" not in kinds(messages)

    (shown,) = kernel.run("_")[0]

    assert shown["msg_type"] == "execute_result"
    assert "Training Model on LocalBackend: succeeded" in shown["content"]["data"]["text/plain"]


def test_a_cell_is_run_and_what_it_defines_is_trained(kernel):
    cell = "class Cell:\n    def train(self):\n        print(open('data.csv').read())"
    code = f"%%fairing_azure train --input data.csv\n{cell}"
    messages, _, reply = kernel.run(code)

    assert reply["status"] == "ok", written(messages)
    assert "Training Cell on LocalBackend: succeeded" in view(messages)
    assert "| a,b\n" in view(messages)
    assert kernel.value("Cell.__name__") == "Cell"


def test_a_cell_that_fails_launches_nothing(kernel):
    messages, _, reply = kernel.run("%%fairing_azure train\n1 / 0")

    assert reply["status"] == "error"
    assert "ZeroDivisionError" in written(messages)
    assert messages[-1]["content"]["traceback"][-1].endswith("so nothing was launched. See its error above.")


def test_the_only_class_that_can_be_deployed_needs_no_name_and_is_found_by_name_afterwards(kernel):
    kernel.run("for name in ('Cell',): globals().pop(name, None)")
    kernel.run("endpoint = %fairing_azure deploy")
    name = kernel.value("endpoint.name")

    messages, _, _ = kernel.run("found = %fairing_azure status")
    assert name in view(messages)
    assert kernel.value("[(each.name, each.state) for each in found]") == [[name, "ready"]]
    kernel.run("values = %fairing_azure predict $name data.csv".replace("$name", "{endpoint.name}"))
    assert kernel.value("values") == [3, 7]
    assert "POST /predict 200" in "".join(
        m["content"].get("text", "") for m in kernel.run(f"%fairing_azure logs {name}")[0]
    )
    (line,) = error_lines(kernel.run(f"%fairing_azure predict {name[:-1]} data.csv")[0])
    assert f"Did you mean '{name}'?" in line

    messages, _, _ = kernel.run(f"%fairing_azure delete {name}")

    assert f"Endpoint {name} is deleted." in view(messages)
    assert kernel.value("endpoint.answers()") is False
    assert name not in written(kernel.run("%fairing_azure status")[0])


def test_settings_and_profiles_are_values_by_name(kernel):
    kernel.run("%fairing_azure profile set team-a --azure-resource-group group-a")

    messages, _, _ = kernel.run("found = %fairing_azure settings --profile team-a")

    assert kernel.value("[found['azure_resource_group'], found['backend']]") == ["group-a", "LocalBackend"]
    assert re.search(r"AZURE_RESOURCE_GROUP +group-a", view(messages))
    assert "<table" in view(messages, "text/html")
    kernel.run("names = %fairing_azure profile list")
    assert kernel.value("names") == ["team-a"]


def test_json_is_printed_for_programs(kernel):
    messages, _, _ = kernel.run("%fairing_azure status --json")

    assert json.loads(messages[0]["content"]["text"])["launches"] == []


def test_a_run_of_a_notebook_shows_its_cells_and_is_an_object(kernel, folder):
    report = "import fairing_az_jupyter\nfairing_az_jupyter.report('rmse', ROUNDS / 10)\nprint('reported')"
    notebook_in(folder, "nb.ipynb", "ROUNDS = 3", report)

    messages, _, reply = kernel.run("done = %fairing_azure run nb.ipynb -p ROUNDS 5 -o done.ipynb")

    assert reply["status"] == "ok", written(messages)
    assert kernel.value("[done.state, done.metrics, done.parameters]") == ["succeeded", {"rmse": 0.5}, {"ROUNDS": 5}]
    assert "| reported" in view(messages)
    assert "Cell 3 of 3" in view(messages)
    assert "rmse = 0.5" in view(messages)
    assert (folder / "done.ipynb").is_file()
    kernel.run("listed = %fairing_azure runs list")
    assert kernel.value("listed[0].id == done.id") is True


def test_a_run_that_fails_is_one_line_below_what_was_seen(kernel, folder):
    notebook_in(folder, "fails.ipynb", "x = 1", "1 / 0")

    messages, _, reply = kernel.run("%fairing_azure run fails.ipynb")

    assert reply["status"] == "error"
    assert "failed" in view(messages)
    (line,) = messages[-1]["content"]["traceback"]
    assert "ZeroDivisionError" in line
    assert "%fairing_azure runs show" in line


def interrupted(client, manager, code, seen):
    """Run a cell, interrupt it once a text is seen, and return its messages."""
    request, messages, told, end = client.execute(code), [], False, time.monotonic() + 60
    while True:
        assert time.monotonic() < end, written(messages)
        with contextlib.suppress(queue.Empty):
            message = client.get_iopub_msg(timeout=0.2)
            if message["parent_header"].get("msg_id") != request:
                continue
            if message["content"].get("execution_state") == "idle":
                return messages
            messages.append(message)
        if not told and seen in written(messages):
            told = True
            manager.interrupt_kernel()


def test_an_interrupted_training_says_that_its_job_is_stopped(kernel, client, manager):
    kernel.run("def sleeps():\n    import time\n    print('begun', flush=True)\n    time.sleep(100)")
    began = time.monotonic()

    messages = interrupted(client, manager, "%fairing_azure train sleeps", "| begun")

    assert time.monotonic() - began < 30
    (line,) = messages[-1]["content"]["traceback"]
    assert re.fullmatch(
        r"%fairing_azure: cancelled. Interrupted: job fairing-job-\w+ is stopped.", line.replace("\n", " ")
    )
    assert "sleeps on LocalBackend: cancelled" in written(messages[:-1])


def test_an_interrupted_run_goes_on_and_the_line_says_how_to_cancel_it(kernel, client, manager, folder):
    notebook_in(folder, "long.ipynb", "x = 1", "import time\nprint('begun', flush=True)\ntime.sleep(100)")

    messages = interrupted(client, manager, "%fairing_azure run long.ipynb", "| begun")

    (line,) = messages[-1]["content"]["traceback"]
    run = re.search(r"Run (\S+) is still running in the background", line)[1]
    assert f"%fairing_azure runs cancel {run}" in line
    kernel.run("now = %fairing_azure runs show last")
    assert kernel.value("now[0].state") == "running"
    kernel.run(f"%fairing_azure runs cancel {run}")
    end, state = time.monotonic() + 30, "running"
    while state == "running":
        assert time.monotonic() < end
        time.sleep(0.2)
        kernel.run("now = %fairing_azure runs show last")
        state = kernel.value("now[0].state")
    assert state == "cancelled"


def test_an_interrupt_ends_only_the_following_of_a_log_and_says_so(kernel, client, manager):
    kernel.run("served = %fairing_azure deploy Model")
    name = kernel.value("served.name")

    messages = interrupted(client, manager, f"%fairing_azure logs {name} --follow", "Serving Model")

    assert messages[-1]["content"]["traceback"] == [f"%fairing_azure: cancelled. {name} is still running."]
    assert kernel.value("served.answers()") is True
    kernel.run("served.delete()")


def test_debug_shows_where_an_error_has_come_from_and_no_value(kernel):
    messages, _, _ = kernel.run("%fairing_azure train nosuch --debug")

    assert kinds(messages) == ["stream", "error"]
    assert "raised at" in messages[0]["content"]["text"]
    assert "fairing/tasks/lookup.py:" in messages[0]["content"]["text"]
    assert len(messages[1]["content"]["traceback"]) == 1


def test_the_example_is_copied_beside_the_notebook_and_files_that_are_there_stay(kernel, folder):
    messages, _, _ = kernel.run("files = %fairing_azure example housing")

    copied = folder / "housing" / "xgboost-high-level-apis.ipynb"
    assert copied.read_bytes() == (REPOSITORY / "notebooks" / copied.name).read_bytes()
    assert f"Open it: housing/{copied.name}" in view(messages)
    copied.write_text("mine")
    kernel.run("files = %fairing_azure example housing")
    assert kernel.value("[each.outcome for each in files]") == ["kept", "unchanged", "unchanged", "unchanged"]
    assert copied.read_text() == "mine"


def test_help_shows_real_examples(kernel):
    told = "".join(each["content"]["text"] for each in kernel.run("%fairing_azure help train")[0])

    assert "job = %fairing_azure train HousingServe --input-files ames_dataset/train.csv requirements.txt" in told
    assert "%fairing_azure run train.ipynb" in kernel.value("get_ipython().find_line_magic('fairing_azure').__doc__")


def test_a_variable_stands_for_its_value_in_a_line(kernel):
    kernel.run("group, name = 'from-braces', 'from_dollar'")

    kernel.run("one = %fairing_azure settings --azure-resource-group {group}")
    kernel.run("two = %fairing_azure settings --azure-resource-group $name")

    assert kernel.value("[each['azure_resource_group'] for each in (one, two)]") == ["from-braces", "from_dollar"]


def test_a_failed_job_is_one_line_with_its_last_one_and_the_cure_below_its_output(kernel):
    kernel.run("def fails():\n    print('loaded')\n    open('nofile.csv')")

    messages, _, _ = kernel.run("%fairing_azure train fails")

    (line,) = "\n".join(messages[-1]["content"]["traceback"]).splitlines()
    assert re.match(
        r"%fairing_azure: Job 'fairing-job-\w+' failed with exit code 1\. FileNotFoundError: .*'nofile.csv'", line
    )
    assert "add 'nofile.csv' there" in line
    assert "fails on LocalBackend: failed" in view(messages[:-1])
    assert "| FileNotFoundError" in view(messages[:-1])


def test_an_endpoint_that_does_not_start_shows_what_its_server_has_said(kernel):
    kernel.run(
        "class Broken:\n    def __init__(self):\n        raise ValueError('no model here')\n"
        "    def predict(self, X, feature_names=None):\n        return X"
    )

    messages, _, _ = kernel.run("%fairing_azure deploy Broken")
    kernel.run("del Broken")

    (line,) = "\n".join(messages[-1]["content"]["traceback"]).splitlines()
    assert "The endpoint of 'Broken' did not start" in line
    assert "ValueError: no model here" in line
    assert "| ValueError: no model here" in view(messages[:-1])
