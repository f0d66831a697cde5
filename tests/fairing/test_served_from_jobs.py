"""Endpoints that serve what a job has written, on this machine."""

from __future__ import annotations

import hashlib
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import cloudpickle
import pytest
from kubeflow.fairing import PredictionEndpoint, TrainJob
from kubeflow.fairing.backends import LocalBackend

import fairing_az_jupyter
from fairing_az_jupyter import services
from fairing_az_jupyter.exceptions import ContextError, InputError, JobFailedError
from fairing_az_jupyter.fairing.recording.sources import source_of
from fairing_az_jupyter.frontends import cli
from fairing_az_jupyter.records import RunStore
from fairing_az_jupyter.records.provenance.files import read_provenance

cloudpickle.register_pickle_by_value(sys.modules[__name__])
pytestmark = [pytest.mark.kernel, pytest.mark.timeout(180)]

TASKS = """
from pathlib import Path

class Model:
    def train(self):
        Path("weights").mkdir()
        Path("weights/factor.txt").write_text("3")
        Path("notes.txt").write_text("trained")

    def predict(self, X, feature_names=None):
        factor = float(Path("weights/factor.txt").read_text())
        return [factor * sum(row) for row in X]

def fails():
    Path("half.txt").write_text("half")
    raise ValueError("no rows")
"""


class Model:
    def train(self):
        Path("weights").mkdir()
        Path("weights/factor.txt").write_text("2")
        Path("notes.txt").write_text("trained")

    def predict(self, X, feature_names=None):
        factor = float(Path("weights/factor.txt").read_text())
        return [factor * sum(row) for row in X]


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FAIRING_AZURE_RUNS", str(tmp_path / "runs"))
    (tmp_path / "tasks.py").write_text(TASKS)
    return RunStore(tmp_path / "runs")


def endpoint_from(job, **more):
    return PredictionEndpoint(Model, from_job=job, backend=LocalBackend(), **more)


def values(answer):
    return answer["data"]["tensor"]["values"]


def test_an_endpoint_serves_what_the_job_has_written_and_its_record_names_the_job(store, capsys):
    task = TrainJob(Model, backend=LocalBackend())
    job = task.submit()
    assert not Path("weights").exists()

    endpoint = endpoint_from(task, from_files="weights")
    endpoint.create()
    try:
        assert values(endpoint.predict_nparray([[1, 2], [3, 4]])) == [6, 14]
        assert not list(endpoint._deployer.folder.rglob("notes.txt"))  # noqa: SLF001 - Fairing keeps it to itself
    finally:
        endpoint.delete()

    made = read_provenance(store.folder(endpoint.record))
    assert made.from_job == job.record
    assert [(file.path, file.sha256) for file in made.from_files] == [
        ("weights/factor.txt", hashlib.sha256(b"2").hexdigest())
    ]
    asked = store.request(endpoint.record)
    assert (asked.from_job, asked.from_files) == (job.record, ("weights",))
    assert cli.main(["runs", "show", endpoint.record]) == 0
    assert f"{job.record}: weights/factor.txt (1 bytes, " in " ".join(capsys.readouterr().out.split())
    assert cli.main(["runs", "compare", job.record, endpoint.record]) == 0
    assert "weights/factor.txt" in capsys.readouterr().out

    Path("notes.txt").write_text("mine")
    both = endpoint_from(job, input_files=["notes.txt"])
    with pytest.raises(ContextError, match=r"notes\.txt") as caught:
        both.create()
    assert caught.value.code == "files-twice"


def test_an_endpoint_is_deployed_from_a_run_in_the_background_and_again_from_its_record(store, capsys):
    assert cli.main(["train", "tasks.py:Model", "--backend", "LocalBackend"]) == 0
    (trained,) = store.list()
    session = services.Session({"backend": "LocalBackend"})

    def asked(run):
        end = time.monotonic() + 60
        while not (info := store.find(run)).url:
            assert not info.has_ended, info.error
            assert time.monotonic() < end
            time.sleep(0.2)
        answer = services.predict(session, info.endpoint, "[[1, 2]]")
        services.delete(session, [info.endpoint])
        return answer

    run = services.start_launch(session, "deploy", "tasks.py", "Model", from_job="last").id
    assert asked(run).values == [9.0]
    assert store.request(run).from_job == trained.id

    again = services.start_run(session, services.plan_retry(session, run), retry_of=run).id
    assert asked(again).values == [9.0]
    assert read_provenance(store.folder(again)).from_job == trained.id

    source = fairing_az_jupyter.files_of(trained.id[-4:], "notes.txt")
    assert (source.name, [file.path for file in source.files]) == (trained.id, ["notes.txt"])
    assert source_of(source) is source

    with pytest.raises(InputError, match="has deployed an endpoint") as caught:
        services.deploy(session, "tasks.py:Model", from_job="last")
    assert trained.id in caught.value.hint


def test_what_can_not_be_deployed_from_is_told_before_anything_is_launched(store, capsys):
    capsys.readouterr()
    assert cli.main(["train", "tasks.py:Model", "--backend", "LocalBackend"]) == 0
    assert cli.main(["train", "tasks.py:fails", "--backend", "LocalBackend"]) == 4
    failed, trained = store.list()
    before = {path.name for path in store.path.iterdir()}
    deploy = ["deploy", "tasks.py:Model", "--backend", "LocalBackend"]
    capsys.readouterr()

    def told(*words):
        assert cli.main([*deploy, *words]) == 3
        return " ".join(capsys.readouterr().err.split())

    assert "has failed" in told("--from", "last")
    assert f"fairing-azure fetch {failed.id}" in told("--from", failed.id)
    assert "has failed" in told("--from", failed.job)
    assert "not found" in told("--from", "nothing-of-this-name")
    assert "Did you mean" in told("--from", trained.id, "--from-files", "wieghts/factor.txt")
    assert "--from JOB" in told("--from-files", "weights")
    assert f"--from {trained.id}" in told("--input-files", "weights/factor.txt")
    assert {path.name for path in store.path.iterdir()} == before


@pytest.mark.parametrize("given", ["fairing-job-1a2b", 7, TrainJob])
def test_what_is_no_job_is_an_error_that_names_the_command(given):
    with pytest.raises(InputError, match="from_job is") as caught:
        endpoint_from(given)

    assert "--from NAME" in caught.value.hint


def test_a_backend_that_can_not_take_a_jobs_files_says_so(store):
    class Other(LocalBackend):
        def get_builder(self, *_, **__):
            return SimpleNamespace()

    job = TrainJob(Model, backend=LocalBackend()).submit()

    with pytest.raises(InputError, match="SimpleNamespace"):
        PredictionEndpoint(Model, from_job=job, backend=Other())
    with pytest.raises(InputError, match="no job is given"):
        endpoint_from(None, from_files="*.dat")


def test_a_job_that_has_failed_can_not_be_served(store):
    def fails():
        Path("half.txt").write_text("half")
        raise ValueError

    task = TrainJob(fails, backend=LocalBackend())
    with pytest.raises(JobFailedError):
        task.submit()

    with pytest.raises(InputError, match="not a job that this notebook has launched"):
        endpoint_from(task)
