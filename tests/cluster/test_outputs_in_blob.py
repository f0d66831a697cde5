"""What jobs in the cluster have written, fetched from a real Azurite with the credential of the settings."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import cloudpickle
import pytest
from azure.storage.blob import BlobServiceClient
from kubeflow.fairing import PredictionEndpoint
from kubeflow.fairing.backends import LocalBackend

import fairing_az_jupyter
from fairing_az_jupyter.fairing.outcomes import LaunchedJob
from fairing_az_jupyter.models import RunRequest
from fairing_az_jupyter.outputs.blobs import BlobPlace
from fairing_az_jupyter.records import RunStore
from fairing_az_jupyter.records.status import read_status, write_status
from tests.outputs.outputs_scene import archive, manifest

cloudpickle.register_pickle_by_value(sys.modules[__name__])
pytestmark = pytest.mark.timeout(180)
LEAVE_OUT = ("AZ_", "AZURE_", "ARM_", "DOCKER_", "FAIRING_", "KUBE")
JOB = "fairing-job-1a2b3c4d"
FILES = {"model.dat": os.urandom(3_000_000), "plots/a.png": b"png"}


class Sizes:
    def predict(self, X, feature_names=None):
        return [Path(name).stat().st_size for name in ("model.dat", "plots/a.png")]


class Desk:
    """A user at a terminal, and the outputs of a job in the storage account."""

    def __init__(self, scene, folder):
        self.scene, self.folder, self.setup = scene, folder, scene.setup
        environ = {name: value for name, value in os.environ.items() if not name.startswith(LEAVE_OUT)}
        environ |= {name: value for name, value in self.setup.environment.items() if not name.startswith("KUBE")}
        environ |= {"KUBECONFIG": str(self.setup.kubeconfig), "FAIRING_AZURE_HOME": str(folder / "home")}
        self.environ = environ | {name: value for name, value in self.setup.settings.items() if value}
        self.url = scene.url(f"outputs/{JOB}/", container="fairing-az-jupyter")

    def keep(self, files, **changes):
        """Write outputs as a job does."""
        data, entries = archive(files)
        prefix = f"outputs/{JOB}/"
        self.scene.put(f"{prefix}files.tar", data, container="fairing-az-jupyter")
        key = self.scene.stand.blob.accounts[self.setup.account]
        with BlobServiceClient(self.scene.stand.blob.account_url(self.setup.account), credential=key) as service:
            etag = service.get_blob_client("fairing-az-jupyter", f"{prefix}files.tar").get_blob_properties().etag
        tar = {"etag": etag, "size": len(data)}
        listed = manifest(entries, tar=tar, **changes)
        self.scene.put(f"{prefix}manifest.json", listed, container="fairing-az-jupyter")

    def type(self, *words, code=0):
        done = subprocess.run(
            [sys.executable, "-m", "fairing_az_jupyter", *words],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == code, said
        assert [mark for mark in self.setup.marks if mark in said] == []
        return said


@pytest.fixture
def desk(scene_of, tmp_path):
    def make(**options):
        return Desk(scene_of(**options), tmp_path)

    return make


@pytest.mark.parametrize("data_role", [True, False])
def test_the_files_of_a_job_that_has_no_record_here_are_fetched_by_its_name(desk, data_role):
    at = desk(data_role=data_role)
    at.keep(FILES)

    assert "model.dat" in at.type("fetch", JOB, "--list")
    at.type("fetch", JOB, "--to", "results")

    found = {name: (at.folder / "results" / name).read_bytes() for name in FILES}
    assert found == FILES


def recorded(at, **facts):
    """Make the record of a run that has succeeded; return its identifier."""
    request = dataclasses.replace(RunRequest("train.py", None), kind="train")
    record = RunStore(at.folder / "home" / "runs").create(request, None)
    write_status(record, {**read_status(record), "state": "succeeded", **facts}, final=True)
    return record.name


@pytest.mark.parametrize("says", ["outputs", "job"])
def test_the_files_of_a_recorded_run_are_fetched_from_where_its_record_says(desk, says):
    at = desk(data_role=True)
    at.keep(FILES)
    recorded(at, **({"outputs": at.url} if says == "outputs" else {"job": JOB, "namespace": at.setup.namespace}))

    found = json.loads(at.type("fetch", "last", "model.dat", "--json"))

    assert [file["outcome"] for file in found["files"]] == ["fetched"]
    assert (at.folder / "model.dat").read_bytes() == FILES["model.dat"]


def test_a_missing_input_file_names_the_run_in_the_cluster_that_has_written_it(desk):
    at = desk(data_role=True)
    at.keep(FILES)
    run = recorded(at, outputs=at.url)
    (at.folder / "score.py").write_text("def score():\n    pass\n")

    said = at.type("train", "score.py:score", "--input-files", "model.dat", "--backend", "LocalBackend", code=3)

    assert f"fairing-azure fetch {run} model.dat" in said


def test_a_job_that_nobody_knows_is_an_unknown_launch(desk):
    at = desk(data_role=True)

    said = at.type("fetch", "fairing-job-00000000", code=3)

    assert "fairing-job-00000000" in said
    assert "runs list" in said


def test_who_may_not_read_the_account_is_told_which_role_is_missing(desk, stand):
    at = desk(data_role=False)
    stand.arm.revoke(at.setup.oid, "Storage Account Contributor")
    at.keep(FILES)

    said = at.type("fetch", JOB, code=6)

    assert "Storage Blob Data" in said
    assert f"--assignee {at.setup.client}" in said


def test_the_job_that_a_launch_returns_opens_its_files_in_the_cluster(desk, monkeypatch):
    at = desk(data_role=True)
    at.keep(FILES)
    for name, value in at.environ.items():
        monkeypatch.setenv(name, value)
    job = LaunchedJob(JOB, place=BlobPlace.of_launch(at.scene.settings(), JOB))

    assert job.files.names == ("model.dat", "plots/a.png")
    with job.open("model.dat") as file:
        file.seek(-5, os.SEEK_END)
        assert file.read() == FILES["model.dat"][-5:]
    assert job.fetch("*.png", to=at.folder / "png") == (at.folder / "png" / "plots" / "a.png",)

    # As another notebook server finds it, which has no record of the job.
    source = fairing_az_jupyter.files_of(JOB, "plots")
    assert (source.name, [file.path for file in source.files]) == (JOB, ["plots/a.png"])

    monkeypatch.chdir(at.folder)
    endpoint = PredictionEndpoint(Sizes, from_job=job, backend=LocalBackend())
    endpoint.create()
    try:
        assert endpoint.predict_nparray([[0]])["data"]["tensor"]["values"] == [3_000_000, 3]
    finally:
        endpoint.delete()
