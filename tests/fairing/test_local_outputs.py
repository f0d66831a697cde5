"""What jobs of this machine write is kept, whether they succeed, fail or are stopped."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import cloudpickle
import pytest
from kubeflow.fairing import TrainJob
from kubeflow.fairing.backends import LocalBackend

from fairing_az_jupyter.exceptions import InputError, JobFailedError
from fairing_az_jupyter.fairing.local.backend import LocalJob
from fairing_az_jupyter.outputs.stored import LocalOutputs
from tests.fairing.local_tasks import hello, submit

cloudpickle.register_pickle_by_value(sys.modules[__name__])
pytestmark = pytest.mark.kernel


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def kept(own_folders):
    """Return what gives the outputs of the one job that was run."""

    def find():
        home = own_folders / "fairing-home"
        (job,) = (home / "local").iterdir()
        (record,) = (each for each in (home / "runs").iterdir() if each.is_dir())
        return job.name, LocalOutputs(record / "outputs")

    return find


def writing():
    Path("plots/deep").mkdir(parents=True)
    Path("model.dat").write_bytes(b"model")
    Path("plots/deep/ä b.png").write_bytes(b"png")
    for cache in ("__pycache__", ".cache", ".ipynb_checkpoints", ".git"):
        Path(cache).mkdir(exist_ok=True)
        Path(cache, "x").write_bytes(b"cache")


def test_a_job_hands_back_the_files_that_it_has_written(in_folder):
    job = submit(writing)

    assert job.files.names == ("model.dat", "plots/deep/ä b.png")
    assert repr(job.files) == "5 B  model.dat\n3 B  plots/deep/ä b.png"
    assert "<th" in job.files._repr_html_()
    assert job.files[0].size == 5
    with job.open("model.dat") as file:
        assert file.read() == b"model"
    assert job.fetch(to="results") == (Path("results/model.dat"), Path("results/plots/deep/ä b.png"))
    assert (in_folder / "results" / "plots" / "deep" / "ä b.png").read_bytes() == b"png"
    assert isinstance(job, str)


def test_a_file_of_the_users_is_replaced_only_when_asked_for(in_folder):
    job = submit(writing)
    (in_folder / "model.dat").write_bytes(b"mine")

    with pytest.raises(InputError, match="overwrite=True"):
        job.fetch("model.dat")
    assert (in_folder / "model.dat").read_bytes() == b"mine"

    job.fetch("model.dat", overwrite=True)
    assert (in_folder / "model.dat").read_bytes() == b"model"


def test_an_input_file_that_was_changed_is_kept_and_one_that_was_read_is_not(in_folder):
    (in_folder / "read.csv").write_text("1")
    (in_folder / "changed.csv").write_text("1")

    def change():
        Path("changed.csv").write_text(Path("read.csv").read_text() + "2")

    assert submit(change, ["read.csv", "changed.csv"]).files.names == ("changed.csv",)


def test_a_job_that_writes_nothing_says_so():
    job = submit(hello)

    assert job.files == ()
    assert repr(job.files) == "No files."
    assert job.fetch() == ()


def test_a_job_that_fails_keeps_what_it_has_written_and_names_the_command(kept):
    def fail():
        Path("partial.dat").write_bytes(b"some")
        raise ValueError

    with pytest.raises(JobFailedError) as caught:
        submit(fail)

    name, outputs = kept()
    assert f"Kept 1 file (4 B). The files that it wrote: fairing-azure fetch {name}" in caught.value.hint
    assert list(outputs.manifest.by_path) == ["partial.dat"]
    assert outputs.manifest.complete


def test_a_job_that_is_stopped_keeps_what_it_has_written(in_folder, kept):
    script = """
    from kubeflow.fairing import TrainJob
    from kubeflow.fairing.backends import LocalBackend
    def slow():
        import time
        open("partial.dat", "w").write("some")
        print("written", flush=True)
        time.sleep(60)
    TrainJob(slow, input_files=[], backend=LocalBackend()).submit()
    """
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline() == "written\n"
        child.send_signal(signal.SIGINT)
        child.wait(30)
    finally:
        child.kill()
        child.communicate()

    _, outputs = kept()
    assert list(outputs.manifest.by_path) == ["partial.dat"]
    assert not outputs.manifest.complete


def test_the_limit_is_the_settings_own_where_the_backend_is_given_none(monkeypatch, caplog):
    monkeypatch.setenv("FAIRING_OUTPUTS_LIMIT", "4")

    job = TrainJob(writing, input_files=[], backend=LocalBackend()).submit()

    assert job.files.names == ("plots/deep/ä b.png",)
    assert "Not kept: model.dat. To keep them, raise the limit: --outputs-limit 1Gi" in caplog.text


def test_outputs_go_to_the_folder_that_was_named_and_no_further_than_the_limit(in_folder, monkeypatch):
    class Backend(LocalBackend):
        def get_training_deployer(self, pod_spec_mutators=None):
            return LocalJob(pod_spec_mutators, outputs_folder=in_folder / "record" / "outputs", outputs_limit=4)

    job = TrainJob(writing, input_files=[], backend=Backend()).submit()

    assert job.files.names == ("plots/deep/ä b.png",)
    assert "model.dat (5 B, beyond the size limit)" in job.files.note
    assert (in_folder / "record" / "outputs" / "files" / "plots" / "deep" / "ä b.png").exists()


@pytest.mark.parametrize(
    ("outputs", "names"),
    [
        ("*.dat", ("model.dat",)),
        (("plots/**",), ("plots/deep/ä b.png",)),
        (False, ()),
        (True, ("model.dat", "plots/deep/ä b.png")),
    ],
)
def test_only_the_files_that_are_wanted_are_kept(outputs, names):
    assert submit(writing, outputs=outputs).files.names == names


def test_a_full_disk_loses_the_files_and_not_the_job(caplog, monkeypatch):
    def full(*_, **__):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("fairing_az_jupyter.outputs.keeping.replace_file", full)
    job = submit(writing)

    assert "could not be kept" in caplog.text
    assert "No files of this launch were kept" in job.files.note


def test_a_job_survives_pickle_with_its_files():
    job = pickle.loads(pickle.dumps(submit(writing)))  # noqa: S301 - our own

    with job.open("model.dat") as file:
        assert file.read() == b"model"


def test_keeping_nothing_costs_little(in_folder, monkeypatch):
    for number in range(2000):
        (in_folder / "inputs" / f"{number % 20}").mkdir(parents=True, exist_ok=True)
        (in_folder / "inputs" / f"{number % 20}" / f"{number}.txt").write_text("x")
    seconds = []
    for name in ("Snapshot", "select", "keep"):
        original = getattr(__import__("fairing_az_jupyter.fairing.local.backend", fromlist=[name]), name)

        def timed(*arguments, _original=original, **options):
            begun = time.monotonic()
            found = _original(*arguments, **options)
            seconds.append(time.monotonic() - begun)
            return found

        monkeypatch.setattr(f"fairing_az_jupyter.fairing.local.backend.{name}", timed)

    submit(hello, ["inputs"])

    assert len(seconds) == 3
    assert sum(seconds) < 0.2


def saving():
    Path("ckpt/steps/last.pt").write_bytes(b"state")


def test_a_folder_for_checkpoints_is_there_and_what_is_saved_in_it_is_an_output(own_folders):
    job = submit(saving, checkpoints="ckpt/steps/")
    request = json.loads((own_folders / "fairing-home" / "runs" / job.record / "request.json").read_bytes())

    assert request["request"]["checkpoints"] == "ckpt/steps"

    assert job.files.names == ("ckpt/steps/last.pt",)
