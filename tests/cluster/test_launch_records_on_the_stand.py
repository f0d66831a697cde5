"""The records of launches in the cluster: what they tell, what bears their names, and which of them continue."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import cloudpickle
import pytest
from kubeflow.fairing import TrainJob

from fairing_az_jupyter import services
from fairing_az_jupyter.launch_events import Launched, Phase, listening
from fairing_az_jupyter.records import RunStore
from fairing_az_jupyter.records.provenance.files import read_provenance

cloudpickle.register_pickle_by_value(sys.modules[__name__])
PREFIX = "fairing-az-jupyter/"


class Model:
    def train(self):
        import time

        print("begun", flush=True)
        time.sleep(10)
        print("rmse: 0.5", flush=True)


class Launches:
    """A user who trains one class, again and again."""

    def __init__(self, workshop, store):
        self.workshop, self.store = workshop, store
        self.seen = []

    def submit(self, stop=None):
        task = TrainJob(Model, input_files=["data.csv"], backend=self.workshop.backend())

        def on_event(event):
            if isinstance(event, Launched):
                self.seen.append(self.objects(event.name))
            if event == stop:
                raise KeyboardInterrupt

        with listening(on_event):
            return task.submit()

    def objects(self, job):
        """Return the labels of a Job and of its pods' template."""
        path = f"/apis/batch/v1/namespaces/{self.workshop.namespace}/jobs/{job}"
        found = self.workshop.admin.get(path)
        return found["metadata"]["labels"], found["spec"]["template"]["metadata"]["labels"]

    def interrupted(self):
        with pytest.raises(KeyboardInterrupt):
            self.submit(stop=Phase("run", "started"))
        return self.store.list()[0]

    def session(self):
        return services.Session(self.workshop.settings().model_dump(exclude_defaults=True))


@pytest.fixture
def launches(workshop, tmp_path, monkeypatch):
    monkeypatch.setenv("FAIRING_AZURE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("FAIRING_AZURE_SWEEP", "20261130-143500.000-prices-7f3a")
    Path("data.csv").write_text("1,2\n")
    return Launches(workshop, RunStore(tmp_path / "runs"))


def test_a_training_that_is_interrupted_stays_running_and_its_record_continues_with_the_same_launch(launches):
    left = launches.interrupted()

    assert (left.state, left.unattended, left.namespace) == ("running", True, launches.workshop.namespace)
    assert left.job.startswith("fairing-job-")
    assert left.server in launches.workshop.setup.kubeconfig.read_text()
    (job_labels, pod_labels), *_ = launches.seen
    expected = {"run": left.id, "sweep": "20261130-143500.000-prices-7f3a", "launch": left.job}
    assert {name: job_labels[f"{PREFIX}{name}"] for name in expected} == expected
    assert {name: pod_labels[f"{PREFIX}{name}"] for name in expected} == expected

    shown = services.describe_launch(launches.session(), left.job)
    assert (shown.run, shown.sweep, shown.notebook) == (left.id, expected["sweep"], Path(__file__).name)

    done = launches.submit()

    (info,) = launches.store.list()
    assert (done.record, info.id, info.job) == (left.id, left.id, str(done))
    assert (info.state, info.unattended, info.attempt, info.metrics) == ("succeeded", False, 2, {"rmse": 0.5})
    assert info.started == left.started
    assert info.duration == pytest.approx(info.ended - info.started, abs=2.0)
    text = (Path(info.folder) / "log.txt").read_text()
    assert text.index("restarted, attempt 2") < text.index("begun\n") < text.index("rmse: 0.5\n")

    made = read_provenance(Path(info.folder))
    repository, _, tag = made.image.partition("/")[2].rpartition(":")
    assert made.image_digest == launches.workshop.images.has(repository, tag)
    assert (made.backend, made.namespace, made.job) == ("KubeflowAzureBackend", info.namespace, info.job)
    assert [file.path for file in made.inputs] == ["data.csv"]
    assert (len(made.code), len(made.context), made.server) == (64, 64, info.server)
    assert made.settings["docker_registry"] == launches.workshop.settings().docker_registry
    everything = "".join(each.read_text() for each in Path(info.folder).iterdir())
    assert not [mark for mark in launches.workshop.setup.marks if mark in everything]


def test_a_job_that_nobody_follows_is_cancelled_by_its_record_and_one_that_is_deleted_is_found_out(launches):
    cancelled = launches.interrupted()
    services.cancel_run(services.Session(), cancelled.id)

    assert services.describe_run(services.Session(), cancelled.id).state == "cancelled"
    deadline = time.monotonic() + 60
    while launches.workshop.left():
        assert time.monotonic() < deadline
        time.sleep(0.2)

    deleted = launches.interrupted()
    assert deleted.id != cancelled.id
    services.delete(launches.session(), [deleted.job])
    found, _ = services.list_runs(services.Session())
    assert (found.id, found.state) == (deleted.id, "cancelled")
    assert "no longer exists" in found.error["message"]
