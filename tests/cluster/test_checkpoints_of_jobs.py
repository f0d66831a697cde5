"""A training whose pod is taken away again and again continues from its checkpoints: real pods, evicted for real."""

from __future__ import annotations

import base64
import hashlib
import itertools
import sys
import threading
import time
from pathlib import Path

import cloudpickle
import pytest
from azure.storage.blob import BlobServiceClient
from kubeflow.fairing import TrainJob

ROUNDS = 120


def model_of(model, done):
    return hashlib.sha256(model + str(done).encode()).digest()


class Rounds:
    """Trains a model that depends on each round and on their order, with a checkpoint after every tenth of them."""

    def train(self):
        saved = sorted(Path("ckpt").iterdir(), key=lambda path: int(path.name[6:]))
        done, model = (int(saved[-1].name[6:]), saved[-1].read_bytes()) if saved else (0, b"")
        print("begins with", done, flush=True)
        while done < ROUNDS:
            done += 1
            model = model_of(model, done)
            print("round", done, flush=True)
            if done % 10 == 0:
                Path("ckpt/new.tmp").write_bytes(model)
                saved.append(Path("ckpt/new.tmp").rename(f"ckpt/round-{done}"))
                for old in saved[:-3]:
                    old.unlink(missing_ok=True)
            time.sleep(0.1)
        Path("model.dat").write_bytes(model)


@pytest.fixture(autouse=True)
def as_in_a_notebook():
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


class Evictor(threading.Thread):
    """Evicts so many pods of the namespace's job, each some seconds after its program has begun."""

    def __init__(self, workshop, disruptions, times, wait=3.0):
        super().__init__(daemon=True)
        self.workshop, self.disruptions, self.times, self.wait = workshop, disruptions, times, wait
        self.evicted, self.secrets, self.over = [], [], threading.Event()

    def run(self):
        place = f"/api/v1/namespaces/{self.workshop.namespace}"
        while len(self.evicted) < self.times and not self.over.wait(0.1):
            query = {"labelSelector": "fairing-az-jupyter/kind=job"}
            for pod in self.workshop.admin.get(f"{place}/pods", **query)["items"]:
                name, states = pod["metadata"]["name"], pod["status"].get("containerStatuses", [])
                if name not in self.evicted and any("running" in each["state"] for each in states):
                    found = self.workshop.admin.get(f"{place}/secrets")["items"]
                    self.secrets += [each for each in found if each["metadata"]["name"].endswith("-outputs")]
                    self.over.wait(self.wait)
                    self.disruptions.evict(self.workshop.namespace, name)
                    self.evicted.append(name)


def test_a_training_evicted_three_times_ends_with_the_same_model_and_repeats_one_interval_at_most(
    workshop, disruptions, capfd, caplog
):
    caplog.set_level("DEBUG", "kubeflow.fairing")
    evictor = Evictor(workshop, disruptions, 3)
    evictor.start()
    registry = f"{workshop.setup.login_server}/{workshop.namespace}/ml"
    backend = workshop.backend(checkpoints="ckpt/")
    try:
        job = TrainJob(Rounds, docker_registry=registry, base_docker_image=workshop.base, backend=backend).submit()
    finally:
        evictor.over.set()
        evictor.join()

    assert len(evictor.evicted) == 3
    starts = [n for n, line in enumerate(job.lines) if line.startswith("begins with ")]
    logs = [job.lines[a:b] for a, b in itertools.pairwise([*starts, len(job.lines)])]
    done = [[int(line.split()[1]) for line in log if line.startswith("round ")] for log in logs]
    assert len(done) == 4, job.lines
    assert [after[0] > 1 for after in done] == [False, True, True, True], job.lines
    assert all(0 <= before[-1] + 1 - after[0] <= 10 for before, after in itertools.pairwise(done)), job.lines
    assert sum("Restored " in line and " of ckpt/, saved at " in line for line in job.lines) == 3
    model = b""
    for number in range(1, ROUNDS + 1):
        model = model_of(model, number)
    with job.open("model.dat") as file:
        assert file.read() == model
    assert job.files.names == ("ckpt/round-100", "ckpt/round-110", "ckpt/round-120", "model.dat")
    assert workshop.nothing_left()
    said = capfd.readouterr().out + caplog.text + "\n".join(job.lines)
    assert "sig=" not in said
    uid, link = (base64.b64decode(evictor.secrets[0]["data"][name]).decode() for name in ("uid", "checkpoints.tar"))
    assert uid == evictor.secrets[0]["metadata"]["ownerReferences"][0]["uid"]
    assert f"/outputs/{job}/checkpoints.tar?" in link
    with BlobServiceClient(
        workshop.stand.blob.account_url(workshop.setup.account), credential=workshop.setup.account_key
    ) as service:
        client = service.get_container_client("fairing-az-jupyter")
        assert sorted(blob.name for blob in client.list_blobs(f"outputs/{job}/")) == [
            f"outputs/{job}/{name}" for name in ("checkpoints.tar", "files.tar", "launch.json", "manifest.json")
        ]
