"""`%fairing_azure` in real kernels on the stand's real servers, with a person before the notebook and without."""

from __future__ import annotations

import json
import os
import time
import uuid

import nbformat
import papermill
import pytest
from nbclient import NotebookClient

from tests.cluster.cells_scene import LEAVE_OUT, LOAD, Notebook, error, texts


@pytest.fixture
def environ(stand, namespace, own_folders):
    """The environment of a notebook server with a kubeconfig; nothing is prepared in the namespace."""
    setup = stand.correct_setup(namespace, prepared=False)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(LEAVE_OUT)}
    kept |= {name: value for name, value in setup.environment.items() if not name.startswith("KUBE")}
    kept |= {name: str(own_folders / name) for name in ("FAIRING_AZURE_HOME", "FAIRING_AZURE_CONFIG_DIR")}
    return setup, {**kept, "KUBECONFIG": str(setup.kubeconfig), "HOME": str(own_folders)}


@pytest.fixture
def notebook(environ, tmp_path):
    setup, variables = environ
    started = Notebook(setup, variables, tmp_path)
    yield started
    started.end()
    assert [mark for mark in setup.marks if mark in "".join(started.written)] == []


def test_from_nothing_to_all_green_without_leaving_the_notebook(notebook):
    setup = notebook.setup
    messages, _ = notebook.run("%fairing_azure check")
    assert {message["msg_type"] for message in messages} == {"display_data", "update_display_data"}
    last = messages[-1]["content"]["data"]
    assert "To create everything that is missing:\n  %fairing_azure secrets create\n" in last["text/plain"]
    assert "%fairing_azure secrets create</code>" in last["text/html"]

    answers = (setup.client, setup.secret, setup.tenant, setup.subscription, "")
    messages, asked = notebook.run("%fairing_azure secrets create", *answers)

    assert [question["password"] for question in asked] == [False, True, False, False, False]
    assert texts(messages).endswith("Check whether a launch would work now: %fairing_azure check\n")
    messages, _ = notebook.run("found = %fairing_azure check")
    last = messages[-1]["content"]["data"]
    assert "Ready to launch." in last["text/html"]
    assert last["text/plain"].endswith("Ready to launch.")
    assert notebook.value("[found.ok, found.failed, found.unknown]") == [True, [], []]
    # Neither the history nor any variable has kept what was typed.
    kept = "repr((In, dict(Out), list(get_ipython().history_manager.get_range()), globals()))"
    assert notebook.value(f"{setup.secret[::-1]!r}[::-1] in {kept}") is False


def test_an_interrupted_check_says_so_and_leaves_nothing_running(notebook):
    messages, _ = notebook.run("%fairing_azure check", interrupt_at="display_data")

    assert error(messages) == "%fairing_azure: cancelled"
    shown = [message["content"]["data"]["text/plain"] for message in messages if "data" in message["content"]]
    assert "Cancelled after " in shown[-1]
    ours = "[t.name for t in __import__('threading').enumerate() if t.name.startswith(('check ', 'kubernetes'))]"
    end = time.monotonic() + 20
    while notebook.value(ours):
        assert time.monotonic() < end
        time.sleep(0.2)
    messages, _ = notebook.run("%fairing_azure check")
    assert "34 checks" in messages[-1]["content"]["data"]["text/plain"]


def test_an_interrupt_at_a_question_says_that_nothing_was_changed(notebook):
    messages, asked = notebook.run("%fairing_azure secrets create", notebook.setup.client, None)

    assert asked[-1]["password"] is True
    assert error(messages) == "%fairing_azure: cancelled. Nothing was changed."


def test_a_second_check_leaves_no_thread_and_no_open_socket_behind(notebook):
    count = "len(os.listdir('/proc/self/fd')), threading.active_count()"
    notebook.run("import gc, os, threading\n%fairing_azure check\ngc.collect()")
    before = notebook.value(f"[{count}]")

    for _ in range(3):
        notebook.run("%fairing_azure check\ngc.collect()")

    after = notebook.value(f"[{count}]")
    assert after[1] <= before[1]
    assert after[0] <= before[0] + 2


def test_settings_of_the_notebook_are_told_as_its_own_and_cured_in_its_cell(notebook):
    notebook.run("DOCKER_REGISTRY = '<acr-name>.azurecr.io'; FAIRING_BASE_IMAGE = 'docker.io/library/python:3.9-slim'")

    messages, _ = notebook.run("%fairing_azure check")

    shown = messages[-1]["content"]["data"]["text/html"]
    assert "parameters cell" in shown
    assert "given as an argument" not in shown
    assert "Write into the parameters cell, and run it: FAIRING_BASE_IMAGE = &#x27;docker.io/library/python:3." in shown
    assert "%fairing_azure fill" not in shown
    assert "%fairing_azure profile" not in shown


def test_a_saved_notebook_has_the_table_and_no_secret(environ, tmp_path):
    setup, variables = environ
    cells = [LOAD, *(f"{name} = {value!r}" for name, value in setup.settings.items())]
    cells += ["%fairing_azure secrets create --from-env", "%fairing_azure check", "%fairing_azure check --json"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])

    NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(tmp_path)}}).execute(
        env={**variables, **setup.azcreds}
    )

    saved = nbformat.writes(notebook)
    assert "Ready to launch." in saved
    assert "<table" in saved
    assert json.loads(notebook.cells[-1].outputs[0].text)["status"] == "pass"
    assert [mark for mark in setup.marks if mark in saved] == []


def test_under_papermill_a_question_is_a_clear_error(environ, tmp_path, monkeypatch):
    setup, variables = environ
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    source = "\n".join([LOAD, f"DOCKER_REGISTRY = {setup.login_server!r}", "%fairing_azure secrets create"])
    cells = [nbformat.v4.new_code_cell(source, id=uuid.uuid4().hex[:8])]
    path, executed = tmp_path / "nb.ipynb", tmp_path / "out.ipynb"
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "language": "python", "display_name": "Python 3"}
    nbformat.write(notebook, path)

    with pytest.raises(papermill.PapermillExecutionError) as caught:
        papermill.execute_notebook(str(path), str(executed), progress_bar=False)

    assert "this notebook runs unattended" in str(caught.value)
    assert "--from-env" in str(caught.value)
    assert "--from-file" in str(caught.value)
    assert 'File "' not in str(caught.value)
    assert [mark for mark in setup.marks if mark in executed.read_text()] == []
