"""A real MLflow server shows what is launched: parameters, metrics as they come, files, and a version of a model.

One that is slow, rejects what is reported, or is gone costs a launch nothing, and is named once.
"""

from __future__ import annotations

import subprocess
import threading
import time

import nbformat
import numpy as np
import pytest

from fairing_az_jupyter import services
from fairing_az_jupyter.exceptions import CredentialError, InputError, NotFoundError, ServiceError
from fairing_az_jupyter.models import RunEvent, RunRequest
from fairing_az_jupyter.records import Recorder, RunStore, layout
from fairing_az_jupyter.records.events_file import AppendedFile
from fairing_az_jupyter.records.status import read_status, write_status
from fairing_az_jupyter.settings import Settings
from fairing_az_jupyter.tracking import tracker as tracking
from fairing_az_jupyter.tracking.followed import FollowedRuns
from fairing_az_jupyter.tracking.models import check_registry, fetch_model
from fairing_az_jupyter.tracking.tracker import track
from tests.tracking.mlflow_scene import wait_for

pytestmark = [pytest.mark.stand, pytest.mark.timeout(600)]

TOKEN = "a-token-that-nobody-may-see"
TASKS = """
import os, pathlib, time

class Model:
    def train(self):
        from fairing_az_jupyter import report
        for value in (0.5, 0.25):
            report("rmse", value)
        if not pathlib.Path("model.txt"):
            import mlflow  # what it would log to, its variables say
        print("run:", os.environ["MLFLOW_RUN_ID"], os.environ["MLFLOW_TRACKING_URI"])
        print("MAP@50: 0.75", flush=True)
        end = time.monotonic() + 200
        while not pathlib.Path(os.environ["GO"]).exists() and time.monotonic() < end:
            time.sleep(0.05)
        pathlib.Path("model.txt").write_text("7")
        pathlib.Path("plots").mkdir()
        pathlib.Path("plots/a b.txt").write_text("a" * 100)

    def predict(self, X, feature_names=None):
        return X * float(pathlib.Path("model.txt").read_text())
"""


@pytest.fixture
def session(mlflow):
    return services.Session({"mlflow_tracking_uri": mlflow.url})


def test_a_training_is_shown_while_it_runs_and_its_registered_files_are_served(
    mlflow, session, in_folder, monkeypatch, caplog
):
    caplog.set_level("INFO", "kubeflow.fairing")
    (in_folder / "tasks.py").write_text(TASKS)
    for words in (
        ["init", "-q"],
        ["add", "tasks.py"],
        ["-c", "user.name=a", "-c", "user.email=b", "commit", "-qm", "a"],
    ):
        subprocess.run(["git", *words], check=True, cwd=in_folder)
    commit = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=in_folder, text=True).strip()
    go = in_folder / "go"
    monkeypatch.setenv("GO", str(go))
    live = []

    def look():
        run = wait_for(lambda: next((run for run in mlflow.runs() if "MAP_50" in run["metrics"]), None), 180)
        live.append((run["info"]["status"], mlflow.history(run, "rmse")))
        go.touch()

    looking = threading.Thread(target=look)
    looking.start()
    job = services.train(session, "tasks.py:Model", name="first", register="ames")
    looking.join()

    assert live == [("RUNNING", [0.5, 0.25])]
    run = mlflow.run_of(job.record)
    assert run["info"]["status"] == "FINISHED"
    assert run["info"]["run_name"] == "first"
    assert f"run: {run['info']['run_id']} {mlflow.url}" in job.lines
    assert run["params"] == {"backend": "LocalBackend", "task": "Model"}
    assert run["tags"]["mlflow.source.name"] == "tasks.py:Model"
    assert run["tags"]["mlflow.source.git.commit"] == commit
    assert run["tags"]["fairing_az_jupyter.job"] == str(job)
    listed = mlflow.ask(f"artifacts/list?run_id={run['info']['run_id']}&path=outputs/plots")["files"]
    assert [(each["path"], each["file_size"]) for each in listed] == [("outputs/plots/a b.txt", 100)]
    version = mlflow.ask("model-versions/get?name=ames&version=1")["model_version"]
    assert (version["run_id"], version["source"]) == (
        run["info"]["run_id"],
        f"runs:/{run['info']['run_id']}/outputs",
    )
    assert "Registered: models:/ames/1" in caplog.messages

    mlflow.ask("registered-models/alias", name="ames", alias="champion", version="1")
    fetched = fetch_model(session.settings, "models:/ames@champion", in_folder / "fetched")
    assert fetched.name == "models:/ames/1"
    with fetched.opened() as outputs:
        assert [file.path for file in outputs.manifest.written] == ["model.txt", "plots/a b.txt"]
    endpoint = services.deploy(session, "tasks.py:Model", from_job="models:/ames@champion")
    assert session.store.request(endpoint.record).from_job == "models:/ames/1"
    try:
        assert endpoint.predict(np.array([[1.0, 2.0]]))["data"]["tensor"]["values"] == [7.0, 14.0]
    finally:
        endpoint.delete()

    with pytest.raises(NotFoundError, match="ames"):
        fetch_model(session.settings, "models:/ames/9")
    with pytest.raises(InputError, match="models:/NAME/VERSION"):
        fetch_model(session.settings, "models:/ames")


def test_the_runs_of_a_sweep_are_children_of_its_run_and_a_repeated_one_is_its_own(mlflow, session, in_folder):
    tagged = nbformat.v4.new_code_cell(
        f"MLFLOW_TRACKING_URI = {mlflow.url!r}\nMLFLOW_EXPERIMENT_NAME = 'sweeps'\nrate = 1\nkept = 'x'",
        metadata={"tags": ["parameters"]},
    )
    cell = nbformat.v4.new_code_cell("from fairing_az_jupyter import report; report('loss', rate * 2.0)")
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=[tagged, cell], metadata=kernel), in_folder / "a.ipynb")

    own = services.Session()
    services.run_sweep(own, "a.ipynb", {}, grid={"rate": [1, 2]})
    (first, _) = sorted(own.store.list(), key=lambda info: info.point)
    again = services.run(own, own.store.request(first.id), lambda _: None, retry_of=first.id)

    runs = mlflow.runs("sweeps")
    (sweep,) = [run for run in runs if run["tags"]["fairing_az_jupyter.kind"] == "sweep"]
    assert sweep["info"]["status"] == "FINISHED"
    children = [run for run in runs if run["tags"].get("mlflow.parentRunId") == sweep["info"]["run_id"]]
    assert sorted((run["params"]["rate"], run["metrics"]["loss"], run["params"]["kept"]) for run in children) == [
        ("1", 2.0, "x"),
        ("2", 4.0, "x"),
    ]
    repeated = mlflow.run_of(again.run, "sweeps")
    assert repeated["tags"]["fairing_az_jupyter.retry_of"] == first.id
    assert repeated["info"]["run_id"] not in {run["info"]["run_id"] for run in children}
    assert len(runs) == 4


def test_a_run_in_the_cluster_is_reported_by_whoever_follows_it(mlflow, in_folder):
    store = RunStore(in_folder / "runs")
    settings = {"mlflow_tracking_uri": mlflow.url, "mlflow_experiment": "cluster"}
    folder = store.create(RunRequest("a.ipynb", None, {"rate": 3}, settings=settings), b"{}")
    write_status(folder, {"state": "running", "place": "cluster"}, final=False)
    events = AppendedFile(folder / layout.EVENTS)

    def report(*values):
        for value in values:
            events.append(b'{"kind": "metric", "time": %d, "name": "loss", "value": %d}\n' % (1e9 - value, value))

    followed = FollowedRuns(store, store.list())
    report(3)
    followed.look()
    # Whoever followed it has ended, and somebody else follows it from the beginning.
    followed.leave()
    (before,) = mlflow.runs("cluster")
    report(2, 1)
    followed = FollowedRuns(store, store.list())
    followed.look()
    write_status(folder, {**read_status(folder), "state": "failed"}, final=True)
    followed.look()

    (run,) = mlflow.runs("cluster")
    assert (before["info"]["status"], run["info"]["status"]) == ("RUNNING", "FAILED")
    assert run["params"] == {"backend": "LocalBackend", "rate": "3"}
    assert sorted(mlflow.history(run, "loss")) == [1, 2, 3]


@pytest.fixture
def launch(gate, in_folder, monkeypatch, caplog):
    """Return a function that records a launch with some metrics, and how long it has waited for MLflow."""
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", TOKEN)
    caplog.set_level("WARNING", "kubeflow.fairing")

    def record(meanwhile=lambda recorder: None):
        settings = {"mlflow_tracking_uri": gate.url, "mlflow_experiment": "faults"}
        request = RunRequest("a.py", None, kind="train", task="Model", settings=settings)
        caplog.clear()
        with Recorder(RunStore(in_folder / "runs").create(request, None)) as recorder:
            began = time.monotonic()
            track(recorder, request)
            for number in range(3000):
                recorder(RunEvent("metric", time.time(), name="loss", value=number / 8))
            took = time.monotonic() - began
            meanwhile(recorder)
            began = time.monotonic()
            recorder.finish("succeeded")
            waited = time.monotonic() - began
        assert TOKEN not in caplog.text
        return recorder.folder.name, took, waited, caplog.messages[:]

    return record


def test_a_server_that_fails_costs_the_launch_nothing_and_is_named_once(gate, launch, mlflow, monkeypatch, caplog):
    monkeypatch.setattr(tracking, "_SILENT_SECONDS", 8.0)

    # Everything in one process of MLflow's: its import takes long.
    run, took, _, said = launch()
    assert said == []
    assert took < 3
    assert mlflow.history(mlflow.run_of(run, "faults"), "loss") == [number / 8 for number in range(3000)]

    gate.status = 401
    run, _, waited, said = launch()
    assert waited < 8
    assert len(said) == 1
    assert "rejects the login (401). Set MLFLOW_TRACKING_USERNAME" in said[0]
    with pytest.raises(CredentialError):
        check_registry(Settings(mlflow_tracking_uri=gate.url), "ames")

    gate.status = 403
    _, _, _, said = launch()
    assert len(said) == 1
    assert "does not permit it (403)" in said[0]

    # It dies in the middle, and comes back.
    gate.status = 0

    def die_and_return(recorder):
        name = recorder.folder.name
        wait_for(lambda: tracking.tracked_run(recorder.folder))
        wait_for(lambda: len(mlflow.history(mlflow.run_of(name, "faults"), "loss")) == 3000)
        gate.status = 500
        recorder(RunEvent("metric", time.time(), name="loss", value=-1))
        wait_for(lambda: caplog.messages)
        gate.status = 0

    run, _, _, said = launch(die_and_return)
    assert len(said) == 1
    assert "has failed" in said[0]
    told = mlflow.run_of(run, "faults")
    assert told["info"]["status"] == "FINISHED"
    assert mlflow.history(told, "loss")[-1] == -1

    gate.hangs.set()
    _, took, waited, said = launch()
    gate.hangs.clear()
    assert took < 3
    assert waited < 15
    assert len(said) == 1
    assert "does not answer" in said[0]
    assert set(gate.seen) == {f"Bearer {TOKEN}"}


def test_a_file_of_a_model_is_never_written_outside_its_folder(gate, in_folder):
    run = {"run_id": "0" * 32, "experiment_id": "1"}
    gate.instead = {
        "registered-models/get": {"registered_model": {"name": "ames"}},
        "model-versions/get": {"model_version": {"name": "ames", "version": "3", "run_id": run["run_id"]}},
        "model-versions/get-download-uri": {"artifact_uri": f"runs:/{run['run_id']}/outputs"},
        "runs/get": {"run": {"info": {**run, "artifact_uri": "mlflow-artifacts:/x"}, "data": {}}},
    }
    before = sorted(in_folder.rglob("*"))

    for name in ("..", "../b", "/b", "a\\..\\b"):
        gate.instead["mlflow-artifacts/artifacts"] = {"files": [{"path": name, "is_dir": False, "file_size": 1}]}
        with pytest.raises(ServiceError):
            fetch_model(Settings(mlflow_tracking_uri=gate.url), "models:/ames/3", in_folder / "to")

    assert sorted(in_folder.rglob("*")) == sorted([*before, in_folder / "to"])
