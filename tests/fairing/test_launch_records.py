"""Every launch leaves one record, whichever way it was made, and no record that can't be written ends a launch."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import cloudpickle
import nbformat
import pytest
from kubeflow.fairing import PredictionEndpoint, TrainJob
from kubeflow.fairing.backends import LocalBackend
from nbformat.v4 import new_code_cell, new_notebook

from fairing_az_jupyter import services
from fairing_az_jupyter.exceptions import JobFailedError, RunCancelledError
from fairing_az_jupyter.fairing.recording.current import current_record
from fairing_az_jupyter.frontends import cli
from fairing_az_jupyter.records import RunStore
from fairing_az_jupyter.records.provenance.files import read_packages, read_provenance

cloudpickle.register_pickle_by_value(sys.modules[__name__])
pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

PROGRAM = [sys.executable, "-m", "fairing_az_jupyter"]
TASKS = """
import time

class Model:
    def train(self):
        print("epoch 1")
        print("rmse: 0.25")

    def predict(self, X, feature_names=None):
        return X

def slow():
    print("it has begun", flush=True)
    time.sleep(600)
"""


class Model:
    def train(self):
        print("epoch 1")
        print("rmse: 0.5")
        print("rmse: 0.25")

    def predict(self, X, feature_names=None):
        return X


def breaks():
    msg = "no such column: price"
    raise ValueError(msg)


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FAIRING_AZURE_RUNS", str(tmp_path / "runs"))
    (tmp_path / "tasks.py").write_text(TASKS)
    return RunStore(tmp_path / "runs")


@pytest.fixture
def said(caplog):
    """Return a function for what the launches have warned of."""
    caplog.set_level(logging.WARNING, "kubeflow.fairing")
    return lambda: [each.getMessage() for each in caplog.records if "record" in each.getMessage()]


def job(task, **options):
    return TrainJob(task, input_files=options.pop("input_files", []), backend=LocalBackend(), **options)


def only(store):
    (info,) = store.list()
    return info


def wait_for(what, seconds=60.0):
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
    return found


@contextlib.contextmanager
def launched(store, *words):
    """Start the command line; give it with its record once its task has printed something."""
    child = subprocess.Popen([*PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with child:
        try:
            wait_for(lambda: any("it has begun" in Path(i.folder, "log.txt").read_text() for i in running(store)))
            yield child, only(store)
        finally:
            child.kill()


def running(store):
    return [info for info in store.list() if info.state == "running"]


def test_a_job_of_fairings_own_call_leaves_one_record_with_all_of_it(store):
    done = job(Model).submit()

    info = only(store)
    assert done.record == info.id
    assert (info.state, info.kind, info.task, info.job) == ("succeeded", "train", "Model", str(done))
    assert info.metrics == {"rmse": 0.25}
    assert info.duration > 0
    assert "epoch 1\nrmse: 0.5\nrmse: 0.25\n" in (Path(info.folder) / "log.txt").read_text()
    kinds = [event["kind"] for _, event in services.run_events(services.Session(), info.id)]
    assert kinds[0] == "run-started"
    assert kinds[-1] == "run-finished"
    assert {"phase", "output", "metric"} <= set(kinds)


def test_the_same_task_submitted_twice_leaves_two_records(store):
    task = job(Model)

    assert task.submit().record != task.submit().record
    assert [info.state for info in store.list()] == ["succeeded", "succeeded"]


def test_a_job_that_fails_leaves_one_record_with_the_reason(store):
    with pytest.raises(JobFailedError):
        job(breaks).submit()

    info = only(store)
    assert (info.state, info.task) == ("failed", "breaks")
    assert "ValueError: no such column: price" in info.error["message"]


def test_an_endpoint_of_fairings_own_call_leaves_one_record_that_names_it(store):
    endpoint = PredictionEndpoint(Model, input_files=[], backend=LocalBackend(), service_type="ClusterIP")
    endpoint.create()
    try:
        info = only(store)
        assert (info.state, info.kind, info.task) == ("succeeded", "deploy", "Model")
        assert (info.id, info.url) == (endpoint.record, endpoint.url)
        assert info.endpoint.startswith("fairing-endpoint-")
    finally:
        endpoint.delete()
    assert len(store.list()) == 1


def test_the_record_of_the_launch_at_work_is_known_to_all_that_takes_part_in_it(store):
    seen = []

    job(Model, pod_spec_mutators=[lambda *_: seen.append(current_record())]).submit()

    assert seen == [store.folder(only(store).id)]
    assert current_record() is None


def test_a_training_from_the_terminal_leaves_one_record_with_its_name_and_can_be_repeated(store):
    words = ["train", "tasks.py:Model", "--backend", "LocalBackend", "--name", "  First   try: 1 "]
    done = subprocess.run([*PROGRAM, *words], capture_output=True, text=True, check=True)

    info = only(store)
    assert done.stdout.splitlines()[-1] == f"Record: {info.id}. Show it: fairing-azure runs show {info.id}"
    assert (info.name, info.task, info.notebook, info.state) == ("First try: 1", "Model", "tasks.py", "succeeded")
    assert "-first-try-1-" in info.id

    again = services.start_run(services.Session(), services.plan_retry(services.Session(), info.id))
    ended = wait_for(lambda: (found := store.find(again.id)).has_ended and found)
    assert (ended.state, ended.name, ended.metrics) == ("succeeded", "First try: 1", {"rmse": 0.25})


def test_the_same_file_gives_the_same_code_also_once_python_has_kept_its_bytecode(store, monkeypatch):
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    for _ in range(2):
        subprocess.run([*PROGRAM, "train", "tasks.py:Model", "--backend", "LocalBackend"], check=True)

    first, second = (read_provenance(Path(info.folder)) for info in store.list())
    assert (first.code, first.context) == (second.code, second.context)


def test_a_launch_in_the_background_has_no_second_record_and_tells_what_it_was_made_of(store):
    info = services.start_launch(services.Session({"backend": "LocalBackend"}), "train", "tasks.py", "Model", name="n")

    wait_for(lambda: store.find(info.id).has_ended)
    ended = only(store)
    assert (ended.state, ended.name) == ("succeeded", "n")
    assert read_provenance(Path(ended.folder)).settings == {"backend": "LocalBackend"}
    assert len(read_provenance(Path(ended.folder)).code) == 64


def test_a_class_of_a_notebook_leaves_a_record_with_the_notebook_and_the_run_that_launched_it(store, tmp_path):
    source = """
    from kubeflow.fairing import TrainJob
    from kubeflow.fairing.backends import LocalBackend
    class InCell:
        def train(self):
            print("accuracy: 0.9")
    TrainJob(InCell, input_files=[], backend=LocalBackend()).submit()
    """
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = new_notebook(cells=[new_code_cell(textwrap.dedent(source))], metadata=metadata)
    (tmp_path / "prices.ipynb").write_text(nbformat.writes(notebook))

    subprocess.run([*PROGRAM, "run", "prices.ipynb", "-o", "out.ipynb"], capture_output=True, check=True)

    launch, run = store.list()
    assert (launch.kind, launch.task, launch.metrics) == ("train", "InCell", {"accuracy": 0.9})
    assert (launch.notebook, launch.parent) == (str(tmp_path / "prices.ipynb"), run.id)
    assert (run.kind, run.parent, store.find("last").id) == ("notebook", "", run.id)


def test_a_process_that_is_killed_leaves_a_launch_that_is_lost(store):
    with launched(store, "train", "tasks.py:slow", "--backend", "LocalBackend") as (child, info):
        os.kill(child.pid, signal.SIGKILL)
        child.wait(10)

        assert wait_for(lambda: (found := store.find(info.id)).state == "lost" and found).task == "slow"


def test_ctrl_c_leaves_a_launch_that_is_cancelled(store):
    with launched(store, "train", "tasks.py:slow", "--backend", "LocalBackend") as (child, info):
        child.send_signal(signal.SIGINT)

        assert child.wait(30) == RunCancelledError.exit_code
        assert store.find(info.id).state == "cancelled"


def test_a_launch_in_a_terminal_is_cancelled_by_its_record(store):
    with launched(store, "train", "tasks.py:slow", "--backend", "LocalBackend") as (child, info):
        subprocess.run([*PROGRAM, "runs", "cancel", info.id], check=True, capture_output=True)

        assert child.wait(30) == RunCancelledError.exit_code
        assert store.find(info.id).state == "cancelled"


def test_a_place_for_records_that_is_none_is_one_warning(store, said, tmp_path, monkeypatch):
    (tmp_path / "a-file").write_text("")
    monkeypatch.setenv("FAIRING_AZURE_RUNS", str(tmp_path / "a-file" / "runs"))

    done = job(Model).submit()

    assert done.output == "epoch 1\nrmse: 0.5\nrmse: 0.25"
    assert done.record == ""
    (warning,) = said()
    assert warning.startswith("The launch continues, but its record can't be written: ")


def mounted(tmp_path, options, *words):
    """Run the command line with its records on a small disk of its own."""
    (tmp_path / "disk").mkdir(exist_ok=True)
    mount = f"mount -t tmpfs -o {options} tmpfs {tmp_path / 'disk'}"
    command = f"{mount} && exec {' '.join([*PROGRAM, *words])}"
    environment = {**os.environ, "FAIRING_AZURE_RUNS": str(tmp_path / "disk" / "runs"), "TMPDIR": str(tmp_path)}
    unshare = ["unshare", "--mount", "sh", "-c", command]
    done = subprocess.run(unshare, capture_output=True, text=True, check=False, env=environment)
    if "unshare:" in done.stderr or "mount:" in done.stderr:
        pytest.skip("mounting is not allowed: run as root")
    return done


def test_a_read_only_home_ends_no_launch(store, tmp_path):
    done = mounted(tmp_path, "ro", "train", "tasks.py:Model", "--backend", "LocalBackend")

    assert (done.returncode, done.stdout.splitlines()[:2]) == (0, ["epoch 1", "rmse: 0.25"])
    warnings = [line for line in done.stderr.splitlines() if "record" in line]
    assert len(warnings) == 1
    assert "Read-only file system" in warnings[0]
    assert "Record:" not in done.stdout


def test_a_disk_that_fills_up_during_a_launch_ends_no_launch_and_warns_once(store, tmp_path):
    printing = "def much():\n    for number in range(4000):\n        print(number, 'x' * 1000)\n    print('done')\n"
    (tmp_path / "tasks.py").write_text(printing)

    done = mounted(tmp_path, "size=512k", "train", "tasks.py:much", "--backend", "LocalBackend")

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[4000] == "done"
    assert len([line for line in done.stderr.splitlines() if "its record can't be written" in line]) == 1


def test_the_record_tells_code_data_packages_and_commit(store, tmp_path):
    for words in (["init", "-q"], ["add", "tasks.py"], ["commit", "-qm", "first"]):
        environment = {
            **os.environ,
            **{f"GIT_{who}_{what}": "x@y" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        }
        subprocess.run(["git", *words], check=True, env=environment, cwd=tmp_path)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "prices.csv").write_bytes(b"1,2\r\n")

    clean = read_provenance(store.folder(job(Model, input_files=["folder"]).submit().record))
    (tmp_path / "tasks.py").write_text("changed = True")
    done = job(Model, input_files=["folder"]).submit()

    made = read_provenance(store.folder(done.record))
    assert (clean.git.commit, clean.git.dirty) == (commit, False)
    assert (made.git.commit, made.git.dirty) == (commit, True)
    assert (made.code, made.context) == (clean.code, clean.context)
    (file,) = made.inputs
    assert (file.path, file.size) == ("folder/prices.csv", 5)
    assert file.sha256 == hashlib.sha256(b"1,2\r\n").hexdigest()
    assert read_packages(store.folder(done.record))["pytest"] == pytest.__version__
    content = (store.folder(done.record) / "packages.json").read_bytes()
    assert made.packages == hashlib.sha256(content).hexdigest()
    assert (made.job, made.backend, made.python) == (str(done), "LocalBackend", sys.version.split()[0])


def test_a_comparison_tells_what_was_changed_between_two_launches(store, tmp_path, capsys):
    (tmp_path / "prices.csv").write_text("1")
    first = job(Model, input_files=["prices.csv"]).submit().record
    (tmp_path / "prices.csv").write_text("2")
    second = job(Model, input_files=["prices.csv"]).submit().record
    packages = store.folder(second) / "packages.json"
    changed = {**json.loads(packages.read_bytes()), "pytest": "0.1", "brand-new": "1.0"}
    packages.write_text(json.dumps(changed))

    table = services.compare_runs(services.Session(), [first, second])

    found = {(each.aspect, each.name): (each.change, each.values) for each in table.differences}
    assert found.pop(("data", "prices.csv"))[0] == "changed"
    assert found.pop(("packages", "pytest")) == ("changed", (pytest.__version__, "0.1"))
    assert found.pop(("packages", "brand-new")) == ("added", (None, "1.0"))
    assert found == {}
    assert cli.main(["runs", "compare", first, second]) == 0
    out = capsys.readouterr().out
    assert "Data: 1 changed\nPackages: 1 added, 1 changed\nThe same: code, image, settings\n" in out
    assert "packages brand-new: - -> 1.0" in out
