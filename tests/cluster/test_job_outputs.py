"""What a class writes while it is trained in the cluster is kept in the Storage account: by real pods, into Azurite."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import signal
import sys
import tarfile
import threading
import time
from pathlib import Path

import cloudpickle
import pytest
from azure.storage.blob import BlobServiceClient
from kubeflow.fairing import TrainJob
from kubeflow.fairing.backends import LocalBackend

from fairing_az_jupyter.exceptions import JobFailedError, ServiceError
from fairing_az_jupyter.fairing.jobs import job_outputs
from fairing_az_jupyter.fairing.jobs.training_job import ClusterJob
from fairing_az_jupyter.outputs.results import decode_result
from tests.cluster.job_scene import BATCH

CONTAINER = "fairing-az-jupyter"


class Weights:
    def __init__(self):
        self.best = {1, 2}


class Model:
    def train(self):
        Path("models").mkdir()
        Path("models/model.dat").write_bytes(bytes(range(256)) * 40_000)
        Path("models/log ä.txt").write_text("done\n")
        print("trained")
        return Weights()


class Failing:
    def train(self):
        Path("before.txt").write_text("before")
        raise ValueError("no rows")


class Killed:
    def train(self):
        file = open("half.bin", "wb")
        file.write(b"half" * 500_000)
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)


class Hungry:
    def train(self):
        print(len(bytearray(os.urandom(1 << 20) * 900)))


class Slow:
    def train(self):
        time.sleep(3)
        return Weights()


class Patient:
    def train(self):
        time.sleep(9)


@pytest.fixture(autouse=True)
def as_in_a_notebook():
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


class Kept:
    """Launches jobs in the workshop, and reads what is kept of them past all roles."""

    def __init__(self, workshop):
        self.workshop, self.setup = workshop, workshop.setup

    def train(self, task, **more):
        registry = f"{self.setup.login_server}/{self.workshop.namespace}/ml"
        backend = self.workshop.backend(**more)
        given = {"docker_registry": registry, "base_docker_image": self.workshop.base, "backend": backend}
        return TrainJob(task, **given).submit()

    def names(self):
        with self._service() as service:
            client = service.get_container_client(CONTAINER)
            return sorted(blob.name for blob in client.list_blobs("outputs/")) if client.exists() else []

    def of(self, launch):
        """Return the list of files, and the files by path, as the list says and as `tar` unpacks them."""
        with self._service() as service:
            client = service.get_container_client(CONTAINER)
            manifest = json.loads(client.download_blob(f"outputs/{launch}/manifest.json").readall())
            tar = client.download_blob(f"outputs/{launch}/files.tar")
            data = tar.readall()
        assert manifest["tar"] == {"etag": tar.properties.etag, "size": len(data)}
        found = {each["path"]: data[each["offset"] : each["offset"] + each["size"]] for each in manifest["files"]}
        for each in manifest["files"]:
            assert hashlib.sha256(found[each["path"]]).hexdigest() == each["sha256"]
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            assert {member.name: archive.extractfile(member).read() for member in archive} == found
        return manifest, found

    def only(self):
        """Return the one launch of which something is kept."""
        [launch] = {name.split("/")[1] for name in self.names()}
        return launch

    def _service(self):
        url = self.workshop.stand.blob.account_url(self.setup.account)
        return BlobServiceClient(url, credential=self.setup.account_key)


@pytest.fixture
def kept(workshop):
    return Kept(workshop)


def test_what_a_class_writes_and_returns_is_kept_byte_for_byte_and_comes_home(kept, capfd, caplog, tmp_path):
    caplog.set_level("DEBUG", "kubeflow.fairing")

    job = kept.train(Model)

    assert [line for line in job.lines if "Weights" not in line] == ["trained"]
    manifest, files = kept.of(job)
    assert (manifest["format"], manifest["complete"], manifest["left_out"], manifest["error"]) == (1, True, [], None)
    result = manifest["result"]
    assert files.keys() == {"models/model.dat", "models/log ä.txt", ".fairing-az/result.pickle"}
    assert files["models/model.dat"] == bytes(range(256)) * 40_000
    found = decode_result("pickle", files[result["path"]], digest=result["digest"], key=job.outputs.key)
    assert found.best == {1, 2}
    assert job.outputs.name == job
    assert job.files.names == ("models/log ä.txt", "models/model.dat")
    assert job.result.best == {1, 2}
    assert [path.read_bytes() for path in job.fetch("models/model.dat", to=tmp_path)] == [files["models/model.dat"]]
    assert kept.workshop.nothing_left()
    said = capfd.readouterr().out + caplog.text
    assert f"Job {job} succeeded. Kept 2 files (10.2 MB)." in said
    assert "sig=" not in said
    assert job.outputs.key.reveal() not in said
    assert "uspended" not in said


def test_what_a_failing_class_has_written_is_kept_with_its_error_under_restricted(kept):
    with pytest.raises(JobFailedError, match="exit code 1") as caught:
        kept.train(Failing, pod_security="restricted")
    with pytest.raises(JobFailedError) as local:
        TrainJob(Failing, backend=LocalBackend()).submit()

    here, there = caught.value, local.value
    assert here.raised == there.raised == "ValueError: no rows"
    # The text of the line is in a file that only this machine has.
    frames = [[line for line in error.traceback if not line.startswith("    ")] for error in (here, there)]
    assert frames[0] == frames[1]
    assert "in train" in "".join(frames[0])
    names = re.compile("fairing-job-[0-9a-f]{8}")
    texts = [names.sub("JOB", error.message).splitlines() for error in (here, there)]
    assert (texts[0][0], texts[0][-1]) == (texts[1][0], texts[1][-1])
    assert "failed with exit code 1" in texts[0][0]
    manifest, files = kept.of(kept.only())
    assert files == {"before.txt": b"before"}
    assert (manifest["complete"], manifest["result"]) == (True, None)
    error = manifest["error"]
    assert (error["type"], error["module"], error["message"]) == ("ValueError", "builtins", "no rows")
    assert error["traceback"][-1] == "ValueError: no rows"
    assert kept.workshop.nothing_left()


def test_what_a_program_has_written_that_was_killed_in_the_middle_is_kept(kept):
    with pytest.raises(JobFailedError) as caught:
        kept.train(Killed)

    assert (caught.value.returncode, caught.value.raised, caught.value.traceback) == (137, "", ())
    manifest, files = kept.of(kept.only())
    assert (files["half.bin"], manifest["error"]) == (b"half" * 500_000, None)


def test_a_program_that_needs_too_much_memory_is_reported_as_such(kept):
    with pytest.raises(JobFailedError) as caught:
        kept.train(Hungry)

    assert (caught.value.code, caught.value.returncode) == ("oom-killed", 137)


def test_a_job_whose_process_ended_before_it_could_start_it_is_started_by_the_next(kept, monkeypatch):
    class EndedError(BaseException):
        pass

    def end(*_):
        raise EndedError

    with monkeypatch.context() as patched:
        patched.setattr(job_outputs.OutputsAccess, "start", end)
        with pytest.raises(EndedError):
            kept.train(Model)

    job = kept.train(Model)

    assert "trained" in job.lines
    manifest, files = kept.of(job)
    result = manifest["result"]
    assert decode_result("pickle", files[result["path"]], digest=result["digest"], key=job.outputs.key).best == {1, 2}
    assert kept.workshop.nothing_left()


def test_a_job_that_runs_already_is_followed_with_the_key_that_its_pod_has(kept, monkeypatch):
    class EndedError(BaseException):
        pass

    def end(*_):
        raise EndedError

    with monkeypatch.context() as patched:
        patched.setattr(ClusterJob, "_follow", end)
        with pytest.raises(EndedError):
            kept.train(Slow)

    job = kept.train(Slow)

    manifest, files = kept.of(job)
    result = manifest["result"]
    assert decode_result("pickle", files[result["path"]], digest=result["digest"], key=job.outputs.key).best == {1, 2}
    assert kept.only() == job


def test_links_are_renewed_while_the_job_is_followed_and_go_with_it(kept, monkeypatch):
    monkeypatch.setattr(job_outputs, "_LONGEST_HOURS", 1)
    monkeypatch.setattr(job_outputs, "_RENEWED_AFTER", 2 / 3600)
    seen, over = [], threading.Event()
    admin, namespace = kept.workshop.admin, kept.workshop.namespace

    def look():
        while not over.wait(0.2):
            secrets = admin.get(f"/api/v1/namespaces/{namespace}/secrets")["items"]
            found = [each for each in secrets if each["metadata"]["name"].endswith("-outputs")]
            seen.extend(each for each in found if each not in seen)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        kept.train(Patient)
    finally:
        over.set()
        looking.join()

    ends = [
        base64.b64decode(each["data"]["files.tar"]).decode().partition("&se=")[2].partition("&")[0] for each in seen
    ]
    assert len(set(ends)) >= 2
    assert ends == sorted(ends)
    assert len({each["data"]["key"] for each in seen}) == 1
    assert {each["metadata"]["ownerReferences"][0]["kind"] for each in seen} == {"Job"}
    assert kept.workshop.nothing_left()


def test_a_storage_account_that_does_not_exist_is_told_before_anything_is_created(kept):
    with pytest.raises(ServiceError, match="nosuchaccount"):
        kept.train(Model, azure_storage_account="nosuchaccount")

    jobs = kept.workshop.admin.get(f"{BATCH}/{kept.workshop.namespace}/jobs")["items"]
    assert jobs == []
