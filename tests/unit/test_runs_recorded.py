"""Runs with a record from Python: what is planned is what is recorded, and what is recorded is what has run."""

from __future__ import annotations

import json
import threading
import time

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from fairing_az_jupyter import services
from fairing_az_jupyter.exceptions import FairingAzureError, InputError, RunCancelledError, RunFailedError
from fairing_az_jupyter.records import RunStore

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("FAIRING_AZURE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return RunStore(tmp_path / "runs")


def write(path, *cells, kernel="python3"):
    tagged = new_code_cell("rate = 0.1\nkind = 'ridge'", metadata={"tags": ["parameters"]})
    metadata = {"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}}
    notebook = new_notebook(cells=[tagged, *(new_code_cell(cell) for cell in cells)], metadata=metadata)
    path.parent.mkdir(exist_ok=True)
    path.write_text(nbformat.writes(notebook), encoding="utf-8")
    return path


def test_result_and_record_tell_the_same(store, tmp_path):
    write(tmp_path / "a b" / "prices ☃.ipynb", "from fairing_az_jupyter import report\nreport('rmse', rate * 2)")
    events = []

    result = services.run_notebook(services.Session(), "a b/prices ☃.ipynb", {"rate": 0.25}, on_event=events.append)

    info = services.describe_run(services.Session(), result.run)
    assert (info.state, info.metrics, info.parameters) == ("succeeded", {"rmse": 0.5}, {"rate": 0.25})
    assert (result.metrics, result.output) == ({"rmse": 0.5}, "a b/prices ☃.executed.ipynb")
    assert info.duration == result.duration
    recorded = [event for _, event in services.run_events(services.Session(), result.run)]
    assert recorded == [json.loads(json.dumps(event.to_dict())) for event in events]
    executed = (store.folder(info.id) / "executed.ipynb").read_bytes()
    assert executed == (tmp_path / "a b" / "prices ☃.executed.ipynb").read_bytes()


def test_notebook_that_is_edited_during_the_run_is_recorded_as_it_was(store, tmp_path):
    path = write(tmp_path / "prices.ipynb", "open('prices.ipynb', 'w').write('{}')", "print('still here')")
    before = path.read_bytes()

    result = services.run_notebook(services.Session(), "prices.ipynb", {})

    assert (store.folder(result.run) / "notebook.ipynb").read_bytes() == before
    assert "still here" in "".join(services.run_log(services.Session(), result.run))


def test_failed_run_is_recorded_with_cell_traceback_and_parameters(store, tmp_path):
    write(tmp_path / "prices.ipynb", "def train():\n    raise ValueError('no')\ntrain()")

    with pytest.raises(RunFailedError, match="ValueError: no"):
        services.run_notebook(services.Session(), "prices.ipynb", {"rate": 0.5})

    info = store.find("last")
    assert (info.state, info.parameters, info.error["cell"]) == ("failed", {"rate": 0.5}, 3)
    assert "ValueError: no" in "\n".join(info.error["traceback"])
    assert info.error["source"].startswith("def train")


def test_kernel_that_is_not_there_is_recorded_as_the_reason(store, tmp_path):
    write(tmp_path / "prices.ipynb", "print('never')", kernel="no-such-kernel")

    with pytest.raises(FairingAzureError):
        services.run_notebook(services.Session(), "prices.ipynb", {})

    info = store.find("last")
    assert info.state == "failed"
    assert "no-such-kernel" in info.error["message"]


@pytest.mark.parametrize(
    ("parameters", "told"),
    [({"rato": 1}, "rate"), ({"rate": object()}, "rate"), ({"api_key": "marked-0815"}, "api_key")],
)
def test_parameters_that_are_refused_leave_no_record(store, tmp_path, parameters, told):
    write(tmp_path / "prices.ipynb", "print('never')")

    with pytest.raises(FairingAzureError) as refused:
        services.run_notebook(services.Session(), "prices.ipynb", parameters)

    assert told in str(refused.value)
    assert "marked-0815" not in str(refused.value)
    assert store.list() == []


@pytest.mark.parametrize("where", ["notebook", "output"])
def test_signature_in_a_url_is_refused_and_shown_nowhere(store, tmp_path, where):
    write(tmp_path / "prices.ipynb", "print('never')")
    url = "abs://books@team.blob.core.windows.net/prices.ipynb?sv=2024&sig=marked0815"

    given = {"notebook": (url, None), "output": ("prices.ipynb", url)}[where]

    with pytest.raises(FairingAzureError) as refused:
        services.run_notebook(services.Session(), given[0], {}, output=given[1])

    assert "marked0815" not in str(refused.value)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in files if b"marked0815" in path.read_bytes()]
    assert "marked0815" not in str([info.to_dict() for info in store.list()])


def test_environment_of_the_process_is_in_no_file_of_the_record(store, tmp_path, monkeypatch):
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "marked-value-0815")
    write(tmp_path / "prices.ipynb", "1 / 0")

    with pytest.raises(RunFailedError):
        services.run_notebook(services.Session(), "prices.ipynb", {})

    folder = store.folder(store.find("last").id)
    assert not [path for path in folder.iterdir() if b"marked-value-0815" in path.read_bytes()]


def test_run_is_cancelled_from_a_thread_and_from_its_record(store, tmp_path):
    write(tmp_path / "prices.ipynb", "print('begun', flush=True)\nimport time\ntime.sleep(100)")
    cancel = threading.Event()
    request = services.plan_run(services.Session(), "prices.ipynb")

    def soon(event):
        if event.kind == "output":
            cancel.set()

    began = time.monotonic()
    with pytest.raises(RunCancelledError):
        services.run(services.Session(), request, soon, cancel=cancel)
    assert store.find("last").state == "cancelled"

    def by_record(event):
        if event.kind == "output":
            services.cancel_run(services.Session(), "last")

    with pytest.raises(RunCancelledError):
        services.run(services.Session(), request, by_record)
    assert [info.state for info in store.list()] == ["cancelled", "cancelled"]
    assert time.monotonic() - began < 60


def test_listener_that_fails_ends_the_run_with_a_record(store, tmp_path):
    write(tmp_path / "prices.ipynb", "print('hello')", "print('never')")

    def broken(event):
        if event.kind == "output":
            raise RuntimeError("the page has gone")

    with pytest.raises(RuntimeError, match="the page has gone"):
        services.run(services.Session(), services.plan_run(services.Session(), "prices.ipynb"), broken)

    info = store.find("last")
    assert info.state == "failed"
    assert "the page has gone" in info.error["message"]


def test_record_is_the_only_place_where_nothing_else_was_wanted(store, tmp_path):
    write(tmp_path / "prices.ipynb", "print('hello')")
    request = services.plan_run(services.Session(), "prices.ipynb")

    import dataclasses

    result = services.run(services.Session(), dataclasses.replace(request, output=None), lambda _event: None)

    assert result.output == str(store.folder(result.run) / "executed.ipynb")
    assert [path.name for path in tmp_path.glob("*.ipynb")] == ["prices.ipynb"]


def test_retry_of_a_run_whose_copy_has_gone_is_refused(store, tmp_path):
    write(tmp_path / "prices.ipynb", "1 / 0")
    with pytest.raises(RunFailedError):
        services.run_notebook(services.Session(), "prices.ipynb", {})
    (store.folder(store.find("last").id) / "notebook.ipynb").unlink()

    with pytest.raises(InputError, match="no copy of its notebook") as refused:
        services.plan_retry(services.Session(), "last", as_it_was=True)

    assert "runs retry" in refused.value.hint
