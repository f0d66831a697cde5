"""Tasks that are launched in the background on this machine, and endpoints that other processes find again."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from fairing_az_jupyter import services
from fairing_az_jupyter.exceptions import FairingAzureError, InputError
from fairing_az_jupyter.records import RunStore
from fairing_az_jupyter.records.status import read_status

pytestmark = pytest.mark.timeout(120)

LOCAL = {"backend": "LocalBackend"}
MODEL = """
import os, subprocess, sys, time

class Model:
    def __init__(self):
        print("the model is loaded", flush=True)

    def train(self):
        print("to standard output", flush=True)
        sys.stderr.write("to standard error\\n")
        subprocess.run([sys.executable, "-c", "print('from a child')"])
        print("in", os.path.basename(os.getcwd()), open("data.txt").read())

    def predict(self, X, feature_names=None):
        return X.sum(axis=1)

def sleeps():
    print("sleeping", flush=True)
    time.sleep(600)

def fails():
    raise ValueError("the data are odd")
"""


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("FAIRING_AZURE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "no-kubeconfig"))
    work = tmp_path / "work"
    work.mkdir()
    (work / "model.py").write_text(MODEL)
    (work / "data.txt").write_text("1 2 3")
    monkeypatch.chdir(tmp_path)
    store = RunStore(tmp_path / "runs")
    yield store
    for info in store.list():
        process = str(read_status(Path(info.folder)).get("process") or "").split(" ")
        if info.state in {"waiting", "running"} and len(process) > 1:
            psutil.Process(int(process[1])).kill()


def wait_for(what, seconds=60.0):
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
    return found


def ended(run):
    return wait_for(lambda: info if (info := services.describe_run(services.Session(), run)).has_ended else None)


def printed(run):
    return "".join(
        event.get("text", "") for _, event in services.run_events(services.Session(), run) if event["kind"] == "output"
    )


def deployed(file="work/model.py"):
    info = services.start_launch(services.Session(LOCAL), "deploy", file, "Model")
    return wait_for(
        lambda: now if (now := services.describe_run(services.Session(), info.id)).url or now.has_ended else None
    )


@pytest.mark.kernel
def test_training_is_recorded_with_all_that_it_and_its_children_print():
    info = services.start_launch(services.Session(LOCAL), "train", "work/model.py", "Model", input_files=["data.txt"])

    info = ended(info.id)

    assert (info.state, info.kind, info.task) == ("succeeded", "train", "Model"), info.error
    lines = printed(info.id).splitlines()
    assert {"to standard output", "to standard error", "from a child", "in app 1 2 3"} <= set(lines)
    kinds = [event["kind"] for _, event in services.run_events(services.Session(), info.id)]
    assert (kinds[0], kinds[-1]) == ("run-started", "run-finished")
    assert "phase" in kinds
    assert "from a child" in "".join(services.run_log(services.Session(), info.id))


@pytest.mark.kernel
def test_training_that_fails_tells_why_and_is_repeated_by_its_record():
    info = ended(services.start_launch(services.Session(LOCAL), "train", "work/model.py", "fails").id)

    assert (info.state, info.error["code"]) == ("failed", "job-failed")
    assert "ValueError: the data are odd" in info.error["message"]
    assert "output.log" in info.error["hint"]
    last = [event for _, event in services.run_events(services.Session(), info.id)][-1]
    assert last["kind"] == "run-failed"
    assert "the data are odd" in last["message"]

    again = ended(
        services.start_run(services.Session(), services.plan_retry(services.Session(), info.id), retry_of=info.id).id
    )
    assert (again.state, again.task, again.retry_of) == ("failed", "fails", info.id)


@pytest.mark.kernel
def test_training_that_is_cancelled_ends_within_two_seconds_with_its_job():
    info = services.start_launch(services.Session(LOCAL), "train", "work/model.py", "sleeps")
    wait_for(lambda: "sleeping" in printed(info.id))
    process = psutil.Process(int(read_status(Path(info.folder))["process"].split(" ")[1]))
    family = [process, *process.children(recursive=True)]
    assert len(family) > 1

    began = time.monotonic()
    services.cancel_run(services.Session(), info.id)
    info = ended(info.id)
    took = time.monotonic() - began

    assert (info.state, info.error["code"]) == ("cancelled", "run-cancelled")
    assert took < 4  # two seconds on a machine that does nothing else
    assert not psutil.wait_procs(family, 5)[1]
    assert [event["kind"] for _, event in services.run_events(services.Session(), info.id)][-1] == "run-cancelled"


def test_endpoint_is_found_asked_and_deleted_by_other_processes(run_python, tmp_path):
    info = deployed()
    assert info.state == "running", info.error
    command = "import sys; from fairing_az_jupyter.frontends.cli import main; sys.exit(main(sys.argv[1:]))"

    (found,), note = services.list_endpoints(services.Session(LOCAL))
    status = run_python(command, "status", "--backend", "LocalBackend")
    one = json.loads(run_python(command, "status", info.endpoint, "--json").stdout)["launch"]
    asked = run_python(command, "predict", info.endpoint, "[[1, 2], [3, 4]]")
    logs = run_python(command, "logs", info.endpoint)

    assert (found.name, found.place, found.state, found.run, found.url) == (
        info.endpoint,
        "here",
        "ready",
        info.id,
        info.url,
    )
    assert note == ""
    assert info.endpoint in status.stdout
    assert (one["kind"], one["url"]) == ("endpoint", info.url)
    assert asked.stdout.startswith("3\n7\n2 predictions")
    assert "the model is loaded" in logs.stdout
    assert services.test_endpoint(services.Session(), info.endpoint, "a,b\n1,2.5\n").values == [3.5]
    (tmp_path / "rows.csv").write_text("1,2\n")
    with pytest.raises(InputError, match="has no rows"):
        services.test_endpoint(services.Session(), info.endpoint, "rows.csv")

    gone = run_python(command, "delete", info.endpoint)

    assert gone.stdout == f"Endpoint {info.endpoint} is deleted.\n"
    assert services.list_endpoints(services.Session(LOCAL)) == ((), "")
    after = services.describe_run(services.Session(), info.id)
    assert (after.state, after.error) == ("succeeded", None)
    port = urlsplit(info.url).port
    assert port not in {c.laddr.port for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN}


@pytest.mark.kernel
def test_endpoint_whose_process_is_killed_is_a_failed_run_that_says_so():
    info = deployed()
    keeper = psutil.Process(int(read_status(Path(info.folder))["process"].split(" ")[1]))
    # The supervisor's child.
    next(child for child in keeper.children(recursive=True) if not child.children()).kill()

    info = ended(info.id)

    assert (info.state, info.error["code"]) == ("failed", "endpoint")
    assert "SIGKILL" in info.error["message"]
    assert services.list_endpoints(services.Session(LOCAL)) == ((), "")


@pytest.mark.kernel
def test_endpoint_ends_with_a_keeper_that_is_killed_and_is_not_listed():
    info = deployed()
    keeper = psutil.Process(int(read_status(Path(info.folder))["process"].split(" ")[1]))
    family = keeper.children(recursive=True)
    os.kill(keeper.pid, signal.SIGKILL)

    assert not psutil.wait_procs(family, 15)[1]
    assert services.describe_run(services.Session(), info.id).state == "lost"
    assert services.list_endpoints(services.Session(LOCAL)) == ((), "")


@pytest.mark.kernel
def test_cancelling_the_run_of_an_endpoint_ends_it():
    info = deployed()
    services.cancel_run(services.Session(), info.id)

    assert ended(info.id).state == "cancelled"
    with pytest.raises(FairingAzureError):
        services.test_endpoint(services.Session(LOCAL), info.endpoint, "[[1]]")


@pytest.mark.kernel
def test_log_of_an_endpoint_is_followed_until_it_is_deleted():
    info = deployed()
    lines = services.launch_logs(services.Session(LOCAL), info.endpoint, follow=True)
    first = next(lines)
    services.delete(services.Session(LOCAL), [info.endpoint])
    rest = list(lines)

    texts = [line.text for line in (first, *rest)]
    assert texts.count("the model is loaded") == 1
    assert {line.pod for line in (first, *rest)} == {info.endpoint}


@pytest.mark.parametrize(
    ("kind", "file", "task", "more", "expected"),
    [
        ("train", "none.py", "Model", {}, "Python file"),
        ("train", "none.ipynb", "Model", {}, "not found"),
        ("train", "data.txt", "Model", {}, "neither a Python file nor a notebook"),
        ("train", "model.py", "Modell", {}, "Did you mean 'Model'"),
        ("deploy", "model.py", "sleeps", {}, "only a class can be deployed"),
        ("train", "model.py", None, {}, "Choose one: "),
        ("train", "model.py", "Model", {"input_files": ["gone.csv"]}, "File 'gone.csv' not found"),
        ("train", "model.py", "Model", {"deadline": 5}, "does not support deadlines"),
        ("deploy", "model.py", "Model", {"deadline": 5}, "has no deadline"),
        ("train", "broken.py", "Model", {}, "broken.py', line 1 is not valid Python"),
        ("train", "model.py", "Model", {"given": {"backend": "Nobody"}}, "Nobody"),
    ],
)
def test_launch_that_can_be_seen_to_fail_is_refused_before_there_is_a_record(kind, file, task, more, expected, store):
    Path("work/broken.py").write_text("class Model(:\n")
    given = more.pop("given", LOCAL) if "given" in more else LOCAL

    with pytest.raises(InputError) as refused:
        services.start_launch(services.Session(given), kind, f"work/{file}", task, **more)

    assert expected in str(refused.value)
    assert not store.path.exists()


@pytest.mark.kernel
def test_file_that_can_not_be_run_is_a_recorded_failure():
    Path("work/model.py").write_text("raise RuntimeError('no licence')\nclass Model:\n    def train(self): pass\n")

    info = ended(services.start_launch(services.Session(LOCAL), "train", "work/model.py", "Model").id)

    assert info.state == "failed"
    assert "RuntimeError: no licence (line 1)" in info.error["message"]


def test_cluster_that_can_not_be_asked_leaves_the_endpoints_of_this_machine_and_a_note():
    found, note = services.list_endpoints(services.Session())

    assert found == ()
    assert note.startswith("The cluster could not be queried: ")
    assert note.count(". ") == 0


@pytest.mark.kernel
def test_module_beside_the_file_is_imported_by_it_and_by_nothing_else(monkeypatch):
    monkeypatch.chdir("work")
    Path("psutil.py").write_text("raise RuntimeError('shadow')")
    Path("prices.py").write_text("AREA = 'Ames'")
    Path("model.py").write_text("import prices\n\ndef train():\n    print(AREA)\n\nAREA = prices.AREA\n")

    info = ended(services.start_launch(services.Session(LOCAL), "train", "model.py").id)

    assert (info.state, info.task) == ("succeeded", "train"), info.error
    assert "Ames" in printed(info.id)


def test_status_shows_the_endpoints_of_this_machine_where_the_cluster_can_not_be_asked(run_python):
    info = deployed()
    command = "import sys; from fairing_az_jupyter.frontends.cli import main; sys.exit(main(sys.argv[1:]))"

    table = run_python(command, "status").stdout
    found = json.loads(run_python(command, "status", "--json").stdout)
    services.delete(services.Session(LOCAL), [info.endpoint])
    after = run_python(command, "status", check=False)

    assert info.endpoint in table
    assert "The cluster could not be asked: " in table
    assert [each["name"] for each in found["launches"]] == [info.endpoint]
    assert found["note"].startswith("The cluster could not be asked: ")
    assert (after.returncode, after.stdout) == (6, "")
