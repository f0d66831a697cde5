"""Runs in the background: they outlive whoever has started them, and their records tell how they went."""

from __future__ import annotations

import concurrent.futures
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from fairing_az_jupyter import services
from fairing_az_jupyter.exceptions import FairingAzureError, InputError, RunFailedError
from fairing_az_jupyter.models import RunRequest
from fairing_az_jupyter.records import RunStore
from fairing_az_jupyter.records.status import read_status

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("FAIRING_AZURE_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    store = RunStore(tmp_path / "runs")
    yield store
    for info in store.list():
        process = str(read_status(Path(info.folder)).get("process") or "").split(" ")
        if info.state in {"waiting", "running"} and len(process) > 1:
            psutil.Process(int(process[1])).kill()


def write(path, *cells, kernel="python3", parameters="rate = 0.1"):
    tagged = new_code_cell(parameters, metadata={"tags": ["parameters"]})
    metadata = {"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}}
    notebook = new_notebook(cells=[tagged, *(new_code_cell(cell) for cell in cells)], metadata=metadata)
    path.write_text(nbformat.writes(notebook), encoding="utf-8")
    return str(path)


def ended(run, seconds=60.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        info = services.describe_run(services.Session(), run)
        assert info.state != "lost"
        if info.has_ended:
            return info
        time.sleep(0.05)
    pytest.fail(f"{info} has not ended; {(Path(info.folder) / 'process.log').read_text()}")


def wait_for(what, seconds=30.0):
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
    return found


def printed(run):
    return "".join(
        event.get("text", "") for _, event in services.run_events(services.Session(), run) if event["kind"] == "output"
    )


def test_run_goes_on_when_its_starter_and_the_whole_group_of_it_are_killed_and_tells_every_event_once(tmp_path):
    notebook = write(tmp_path / "steps.ipynb", *(f"import time; time.sleep(0.2); print({n})" for n in range(8)))
    script = """
import sys, time
from fairing_az_jupyter import services
print(services.start_run(services.Session(), services.plan_run(services.Session(), sys.argv[1])).id, flush=True)
time.sleep(600)
"""
    starter = subprocess.Popen(
        [sys.executable, "-c", script, notebook], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    run = starter.stdout.readline().strip()
    wait_for(lambda: "0\n" in printed(run))
    os.killpg(starter.pid, signal.SIGHUP)
    os.killpg(starter.pid, signal.SIGKILL)
    starter.wait(10)
    starter.stdout.close()

    info = ended(run)

    assert (info.state, info.attempt) == ("succeeded", 1)
    events = [event for _, event in services.run_events(services.Session(), run)]
    assert [e["cell"] for e in events if e["kind"] == "cell-finished"] == list(range(1, 10))
    assert printed(run).split() == [str(n) for n in range(8)]
    assert [e["kind"] for e in events].count("run-finished") == 1


def test_starter_killed_right_after_the_start_leaves_a_run_that_ends(tmp_path):
    notebook = write(tmp_path / "one.ipynb", "print('done')")
    script = """
import os, signal, sys
from fairing_az_jupyter import services
from fairing_az_jupyter.services.background import start
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
start.os.write = die  # after the record is made, before the process is told so
services.start_run(services.Session(), services.plan_run(services.Session(), sys.argv[1]))
"""
    done = subprocess.run([sys.executable, "-c", script, notebook], check=False, capture_output=True, timeout=30)

    assert done.returncode == -signal.SIGKILL, done.stderr
    (info,) = services.list_runs(services.Session())
    assert ended(info.id).state == "succeeded"


@pytest.mark.kernel
def test_twenty_starts_at_once_are_twenty_runs_none_of_which_ever_looks_lost_and_leave_no_zombie(tmp_path):
    notebook = write(tmp_path / "odd.ipynb", kernel="no-such-kernel")
    request = RunRequest(notebook, None)
    seen, over, others = set(), threading.Event(), {child.pid for child in psutil.Process().children()}

    def watch():
        while not over.wait(0.01):
            seen.update(info.state for info in services.list_runs(services.Session()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        runs = list(pool.map(lambda _: services.start_run(services.Session(), request).id, range(20)))
    infos = [ended(run) for run in runs]
    over.set()
    watcher.join()

    assert len(set(runs)) == 20
    assert {info.state for info in infos} == {"failed"}
    assert all("no-such-kernel" in info.error["message"] for info in infos)
    assert "lost" not in seen
    own = [child for child in psutil.Process().children() if child.pid not in others]
    wait_for(lambda: all(not child.is_running() or child.status() != psutil.STATUS_ZOMBIE for child in own), 60)


@pytest.mark.kernel
def test_start_returns_long_before_the_run_ends_and_the_run_can_be_cancelled(tmp_path):
    notebook = write(tmp_path / "long.ipynb", "import time; print('begun', flush=True); time.sleep(600)")
    began = time.monotonic()
    info = services.start_run(services.Session(), services.plan_run(services.Session(), notebook))
    took = time.monotonic() - began
    assert took < 10
    assert info.state in {"waiting", "running"}
    wait_for(lambda: "begun" in printed(info.id))

    services.cancel_run(services.Session(), info.id)

    assert ended(info.id, 15).state == "cancelled"


@pytest.mark.kernel
def test_retry_in_the_background_names_what_it_repeats(tmp_path):
    notebook = write(tmp_path / "fails.ipynb", "assert rate > 0.5")
    first = ended(services.start_run(services.Session(), services.plan_run(services.Session(), notebook)).id)
    assert (first.state, first.error["cell"]) == ("failed", 2)

    request = services.plan_retry(services.Session(), first.id, parameters={"rate": 0.9})
    again = ended(services.start_run(services.Session(), request, retry_of=first.id).id)

    assert (again.state, again.retry_of, again.parameters) == ("succeeded", first.id, {"rate": 0.9})


@pytest.mark.kernel
def test_process_has_a_session_of_its_own_and_nothing_of_the_servers(tmp_path, monkeypatch):
    monkeypatch.setenv("JPY_API_TOKEN", "marked")
    monkeypatch.setenv("JPY_SESSION_NAME", "other.ipynb")
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    cell = "import os, time\nprint(os.getppid(), os.environ.get('JPY_API_TOKEN'), flush=True)\ntime.sleep(600)"
    notebook = write(tmp_path / "look.ipynb", cell)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.set_inheritable(True)
        info = services.start_run(services.Session(), services.plan_run(services.Session(), notebook))
        process = psutil.Process(int(wait_for(lambda: printed(info.id)).split()[0]))
        connections = [c.laddr.port for c in psutil.net_connections("tcp") if c.pid == process.pid]
        port = listener.getsockname()[1]

        assert printed(info.id).split()[1] == "None"
        assert os.getsid(process.pid) == process.pid
        assert port not in connections
        assert not {"JPY_API_TOKEN", "JPY_SESSION_NAME", "MPLBACKEND"} & process.environ().keys()
        assert str(Path(f"/proc/{process.pid}/fd/0").readlink()) == os.devnull
    log = Path(info.folder) / "process.log"
    assert log.stat().st_mode & 0o777 == 0o600
    process.terminate()
    assert ended(info.id, 15).state == "cancelled"


@pytest.mark.kernel
def test_process_that_dies_before_it_begins_leaves_the_reason_and_no_secret(tmp_path, monkeypatch):
    notebook = write(tmp_path / "one.ipynb")
    request = services.plan_run(services.Session(), notebook)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "psutil.py").write_text("import os\nraise RuntimeError('damaged ' + os.environ['AZ_CLIENT_SECRET'])")
    monkeypatch.setenv("PYTHONPATH", str(broken))
    monkeypatch.setenv("AZ_CLIENT_SECRET", "marked-secret-value")

    info = ended(services.start_run(services.Session(), request).id)

    assert (info.state, info.error["code"]) == ("failed", "process")
    assert "RuntimeError: damaged" in info.error["message"]
    assert "runs retry" in info.error["hint"]
    assert "marked-secret-value" not in json.dumps(info.to_dict())


@pytest.mark.kernel
def test_run_starts_where_the_working_directory_has_gone(tmp_path, monkeypatch):
    notebook = write(tmp_path / "one.ipynb", "print('here')")
    request = services.plan_run(services.Session(), notebook)
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    info = ended(services.start_run(services.Session(), request).id)
    monkeypatch.chdir(tmp_path)

    assert (info.state, printed(info.id)) == ("succeeded", "here\n")


def test_records_folder_that_is_none_is_told_and_no_process_is_left(tmp_path):
    notebook = write(tmp_path / "one.ipynb")
    (tmp_path / "file").write_text("")
    before = {child.pid for child in psutil.Process().children()}

    with pytest.raises(RunFailedError, match=r"its record can't be created in .*file.*--runs-folder"):
        services.start_run(
            services.Session(runs_folder=str(tmp_path / "file")), services.plan_run(services.Session(), notebook)
        )

    assert {child.pid for child in psutil.Process().children()} <= before


@pytest.mark.kernel
def test_request_that_is_refused_leaves_neither_record_nor_process_nor_file(tmp_path, store):
    notebook = write(tmp_path / "one.ipynb")
    before = {child.pid for child in psutil.Process().children()}

    with pytest.raises(FairingAzureError, match="secret"):
        services.start_run(services.Session(), RunRequest(notebook, None, {"AZ_CLIENT_SECRET": "marked"}))
    with pytest.raises(FairingAzureError, match="not found"):
        services.start_run(services.Session(), RunRequest(str(tmp_path / "none.ipynb"), None))

    assert not list(store.path.iterdir())
    assert {child.pid for child in psutil.Process().children()} <= before


@pytest.mark.kernel
def test_launch_of_a_notebook_gets_settings_its_cell_does_not_name_and_this_process_keeps_its_own(tmp_path):
    cell = "import os\nprint(FAIRING_BACKEND, os.environ.get('FAIRING_NAMESPACE'))"
    notebook = write(tmp_path / "launch.ipynb", cell, parameters="FAIRING_BACKEND = None")
    before = dict(os.environ)
    explicit = {"backend": "LocalBackend", "namespace": "team-a"}

    first = ended(services.start_launch(services.Session(explicit), "notebook", notebook).id)
    again = ended(
        services.start_run(services.Session(), services.plan_retry(services.Session(), first.id), retry_of=first.id).id
    )

    assert (first.state, first.kind) == ("succeeded", "notebook")
    assert "LocalBackend" in printed(first.id)
    assert "team-a" in printed(first.id)
    assert printed(again.id) == printed(first.id)
    assert dict(os.environ) == before


def test_notebook_launch_takes_no_task_and_a_task_no_parameters(tmp_path, store):
    notebook = write(tmp_path / "one.ipynb", "class Model:\n    def train(self): pass")

    with pytest.raises(InputError, match="whole notebook"):
        services.start_launch(services.Session(), "notebook", notebook, "Model")
    with pytest.raises(InputError, match="not to a class or function"):
        services.start_launch(services.Session(), "train", notebook, "Model", parameters={"rate": 1})
    with pytest.raises(InputError, match="can't be launched"):
        services.start_launch(services.Session(), "build", notebook)
    assert not store.path.exists()


@pytest.mark.kernel
def test_record_of_before_is_still_read_as_a_notebooks(tmp_path, store):
    info = ended(
        services.start_run(services.Session(), services.plan_run(services.Session(), write(tmp_path / "one.ipynb"))).id
    )
    file = Path(info.folder) / "request.json"
    document = json.loads(file.read_text())
    for name in ("kind", "task", "settings", "profile", "input_files", "output_map", "outputs"):
        del document["request"][name]
    file.write_text(json.dumps(document))

    old = store.find(info.id)

    assert (old.kind, old.task, old.endpoint, old.url) == ("notebook", "", "", "")
    assert store.request(info.id).input_files == ()
    assert store.request(info.id).outputs is True


def test_a_training_in_the_background_is_asked_for_with_the_files_that_it_keeps_and_nothing_else_is(monkeypatch):
    monkeypatch.setattr("fairing_az_jupyter.services.background.start.start_run", lambda _session, request: request)

    for kept in (True, False, ("*.dat",)):
        assert services.start_launch(services.Session(), "train", "t.py", "A", outputs=kept).outputs == kept
    for kind in ("deploy", "notebook"):
        with pytest.raises(InputError, match="only be said of a training"):
            services.start_launch(services.Session(), kind, "t.py", "A", outputs=False)
