"""What the cluster's objects and a record elsewhere say of a run, and what goes into a notebook's image; no stand."""

from __future__ import annotations

import json
import signal
import time

import pytest

from fairing_az_jupyter.exceptions import ContextError, InputError
from fairing_az_jupyter.fairing.cluster import own_events
from fairing_az_jupyter.fairing.images.notebook_image import own_requirements, requirements_with_own
from fairing_az_jupyter.fairing.jobs import notebook_jobs
from fairing_az_jupyter.fairing.jobs.notebook_jobs import JobView, view_of
from fairing_az_jupyter.models import RunRequest
from fairing_az_jupyter.records import RunStore
from fairing_az_jupyter.records.status import read_status, write_status
from fairing_az_jupyter.runs import in_pod, recorded
from fairing_az_jupyter.runs.execution.mirroring import RecordSender, bring_back, read_state, resume
from fairing_az_jupyter.runs.places.addresses import Places
from fairing_az_jupyter.services.cluster_runs.records import JobRecords, how_it_ended
from fairing_az_jupyter.settings import Settings

NOW = 1_800_000_000.0
STAMP = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW - 60))


def job(*conditions, **status):
    found = [{"type": kind, "status": "True", "reason": reason} for kind, reason in conditions]
    metadata = {"name": "fairing-job-1", "namespace": "team-a", "creationTimestamp": STAMP}
    return {"kind": "Job", "metadata": metadata, "spec": {}, "status": {"conditions": found, **status}}


def pod(index, phase, state=None, **more):
    annotations = {"batch.kubernetes.io/job-completion-index": str(index)}
    metadata = {"name": f"pod-{index}", "namespace": "team-a", "annotations": annotations, "creationTimestamp": STAMP}
    containers = [{"name": "model", "state": state, "restartCount": 0}] if state else []
    return {
        "kind": "Pod",
        "metadata": metadata,
        "spec": {},
        "status": {"phase": phase, "containerStatuses": containers, **more},
    }


KILLED = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}


def test_runs_that_have_failed_are_known_by_their_numbers_also_in_ranges():
    seen = view_of(job(failedIndexes="0,3-5", completedIndexes="1-2"), [], [], now=NOW)

    assert seen.failed == {0, 3, 4, 5}
    assert seen.started == {0, 1, 2, 3, 4, 5}


def test_a_pod_that_ran_out_of_memory_fails_its_run_with_that_reason():
    seen = view_of(job(failedIndexes="1"), [pod(1, "Failed", KILLED), pod(0, "Running", {"running": {}})], [], now=NOW)

    assert how_it_ended(0, seen, "fairing-job-1") is None
    end = how_it_ended(1, seen, "fairing-job-1")
    assert (end["state"], end["error"]["code"]) == ("failed", "oom-killed")


def test_a_job_that_gives_up_early_leaves_the_others_cancelled_and_not_failed():
    given_up = job(("Failed", "MaxFailedIndexesExceeded"), failedIndexes="0", completedIndexes="1")
    seen = view_of(given_up, [pod(0, "Failed", {"terminated": {"exitCode": 1}})], [], now=NOW)

    assert how_it_ended(0, seen, "j")["state"] == "failed"
    assert how_it_ended(2, seen, "j")["error"]["code"] == "stopped-early"


def test_a_job_that_is_gone_leaves_its_runs_cancelled_but_not_while_its_pods_still_end():
    assert how_it_ended(0, view_of(None, [], [], now=NOW), "j")["state"] == "cancelled"
    assert how_it_ended(0, view_of(None, [pod(0, "Running")], [], now=NOW), "j") is None


def test_a_complete_job_without_a_record_is_a_failure():
    assert how_it_ended(0, JobView(there=True, ended=True, succeeded=True), "j")["error"]["code"] == "no-record"


def test_what_the_package_needs_comes_from_its_own_metadata_and_no_form_or_server_is_among_it():
    needs = " ".join(own_requirements())

    assert "papermill" in needs
    assert "azure-storage-blob>=" in needs
    assert "kserve" not in needs
    assert "ipywidgets" not in needs
    assert "jupyter-server" not in needs


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_requirements_of_any_encoding_are_kept_beside_those_of_the_package(encoding):
    made = requirements_with_own("numpy>=1  # größer\r\n-r more.txt\r\n".encode(encoding)).decode("utf-8").splitlines()

    assert made[1:3] == ["numpy>=1  # größer", "-r more.txt"]
    assert set(own_requirements()) <= set(made)
    assert made[0] == "# -*- coding: utf-8 -*-"


@pytest.mark.parametrize(
    "text", ["numpy==1.0 --hash=sha256:12", "--require-hashes\nnumpy", "numpy \\\n  --hash sha256:1"]
)
def test_requirements_with_hashes_are_refused_because_the_packages_own_have_none(text):
    with pytest.raises(ContextError, match="hashes"):
        requirements_with_own(text.encode())


@pytest.fixture
def places():
    found = Places(Settings)
    yield found
    found.close()


@pytest.fixture
def there(tmp_path):
    folder = tmp_path / "there"
    folder.mkdir()
    return f"{folder}/"


def record(tmp_path, name="here", run="run-1"):
    return RunStore(tmp_path / name).create(RunRequest("a.ipynb", None), b"{}", run=run)


def test_a_record_comes_back_as_it_was_sent_without_half_a_line(places, there, tmp_path):
    here, back = record(tmp_path), record(tmp_path, "back")
    (here / "events.jsonl").write_bytes(b'{"kind": "run-started"}\n{"kind": "cell-')
    (here / "log.txt").write_bytes(b"half a li")
    sender = RecordSender(places, here, there)

    sender.send()

    state = read_state(places, there)
    bring_back(places, there, back, state, {})
    assert (back / "events.jsonl").read_bytes() == b'{"kind": "run-started"}\n'
    assert (back / "log.txt").read_bytes() == b"half a li"
    assert state["state"] == "waiting"


def test_a_state_that_is_half_written_or_missing_is_none(places, there, tmp_path):
    assert read_state(places, there) == {}
    (tmp_path / "there" / "status.json").write_bytes(b'{"state": "succ')
    assert read_state(places, there) == {}


def test_word_that_a_run_is_to_stop_is_found_while_it_goes_on(places, there, tmp_path):
    with RecordSender(places, record(tmp_path), there) as sender:
        (tmp_path / "there" / "cancel").touch()
        assert sender.cancel.wait(15)


def test_a_new_attempt_goes_on_in_what_the_one_before_has_left(places, there, tmp_path):
    here = record(tmp_path)
    (here / "log.txt").write_bytes(b"begun\n")
    RecordSender(places, here, there).send({"state": "lost", "attempt": 1})
    again = record(tmp_path, "again")

    assert resume(places, there, again) == "lost"
    assert (again / "log.txt").read_bytes() == b"begun\n"
    assert read_status(again)["state"] == "lost"


def batch(tmp_path, there, **request):
    path = tmp_path / "batch.json"
    asked = RunRequest("a.ipynb", None, **request).to_dict()
    runs = [{"run": "run-1", "record": there, "outputs": "there/outputs/", "request": asked}]
    path.write_text(json.dumps({"runs": runs, "made_of": {"image": "r/i:1", "image_digest": "sha256:1"}}))
    return str(path)


NOTEBOOK = {
    "cells": [
        {
            "cell_type": "code",
            "id": "c",
            "metadata": {},
            "source": "print(6 * 7)",
            "outputs": [],
            "execution_count": None,
        }
    ],
    "metadata": {"kernelspec": {"name": "conda-env-of-somebody", "language": "python", "display_name": ""}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGTERM)
    found = tmp_path / "app"
    found.mkdir()
    (found / "a.ipynb").write_text(json.dumps(NOTEBOOK))
    yield found
    signal.signal(signal.SIGTERM, before)


@pytest.mark.stand
def test_a_pod_runs_a_notebook_whose_kernel_is_called_otherwise_on_another_machine(
    places, there, tmp_path, folder, capsys
):
    assert in_pod.run_index(places, batch(tmp_path, there), 0, folder) == 0

    assert read_state(places, there)["state"] == "succeeded"
    assert "42" in capsys.readouterr().out
    assert "42" in (tmp_path / "there" / "executed.ipynb").read_text()


def test_a_run_that_has_succeeded_before_is_not_run_twice(places, there, tmp_path, folder, capsys):
    (tmp_path / "there" / "status.json").write_text('{"state": "succeeded"}')

    assert in_pod.run_index(places, batch(tmp_path, there), 0, folder) == 0

    assert "nothing to do" in capsys.readouterr().out
    assert not (tmp_path / "there" / "log.txt").exists()


@pytest.mark.stand
def test_a_run_that_fails_is_begun_again_as_often_as_retries_says_and_then_has_failed(places, there, tmp_path, folder):
    fails_in_a_cell(folder)

    states = []
    for _ in range(2):
        assert in_pod.run_index(places, batch(tmp_path, there), 0, folder, retries=1) == 1
        states.append(read_state(places, there))

    assert [state["state"] for state in states] == ["lost", "failed"]
    assert states[0]["error"] is None
    assert "ZeroDivisionError" in states[1]["error"]["message"]
    assert states[1]["attempt"] == 2


def fails_in_a_cell(folder, before="pass"):
    broken = json.loads(json.dumps(NOTEBOOK))
    broken["cells"][0]["source"] = f"{before}\n1 / 0"
    (folder / "a.ipynb").write_text(json.dumps(broken))


GIVEN_UP = {"exit code 1": {"terminated": {"exitCode": 1}}, "memory": KILLED, "no pod": None}


@pytest.mark.stand
@pytest.mark.parametrize("last", GIVEN_UP)
def test_the_last_word_of_a_notebook_is_told_where_kubernetes_gives_up_earlier_than_the_run_has_counted(
    places, there, tmp_path, folder, monkeypatch, last
):
    # The first attempt was killed without a word: Kubernetes has counted it, and the run has not.
    (tmp_path / "there" / "status.json").write_text('{"state": "running", "attempt": 1}')
    fails_in_a_cell(folder)
    assert in_pod.run_index(places, batch(tmp_path, there), 0, folder, retries=1) == 1
    here = record(tmp_path)
    write_status(here, {"state": "running", "place": "cluster", "launched": True, "record": there}, final=False)
    pods = [pod(0, "Failed", GIVEN_UP[last])] if GIVEN_UP[last] else []
    seen = view_of(job(("Failed", "BackoffLimitExceeded")), pods, [], now=NOW)

    # There is no cluster here.
    for name, answer in (("view", seen), ("last_lines", ()), ("delete_job", True)):
        monkeypatch.setattr(notebook_jobs, name, lambda *_, answer=answer, **__: answer)
    ends = []
    monkeypatch.setattr(own_events, "emit_end", lambda _launcher, thing, _how: ends.append(thing))
    store = RunStore(tmp_path / "here")

    assert JobRecords(store, None, places, "fairing-job-1").refresh(["run-1"]) == []

    assert ends == [("Job", "fairing-job-1")]
    info = store.find("run-1")
    assert info.state == "failed"
    if last == "memory":
        assert info.error["code"] == "oom-killed"
    else:
        assert "ZeroDivisionError" in info.error["message"]
        assert info.error["cell"] == 1
        assert "ZeroDivisionError" in "".join(info.error["traceback"])
    assert "last_error" not in read_status(here)


@pytest.mark.stand
@pytest.mark.parametrize("failures", [1, 2])
def test_a_run_says_how_often_it_has_failed_also_while_it_goes_on(
    places, there, tmp_path, folder, monkeypatch, failures
):
    (tmp_path / "there" / "status.json").write_text(
        json.dumps({"state": "lost", "attempt": failures, "failures": failures, "last_error": {"message": "m"}})
    )
    fails_in_a_cell(folder, before="import time; time.sleep(4)")
    sent, write = [], places.write

    def noted(name, data):
        sent.extend([json.loads(data)] if name.endswith("status.json") else [])
        write(name, data)

    monkeypatch.setattr(places, "write", noted)
    assert in_pod.run_index(places, batch(tmp_path, there), 0, folder, retries=2) == 1

    going = [state for state in sent if state["state"] == "running"]
    assert going
    # So a pod that is killed now leaves the count to the next one, and no reason of the attempt before.
    assert {state["failures"] for state in going} == {failures}
    assert not any("last_error" in state for state in going)
    assert (sent[-1]["state"], sent[-1]["failures"]) == (("lost", 2) if failures == 1 else ("failed", 2))


@pytest.mark.kernel  # Its record asks git for the commit.
def test_a_run_that_was_told_to_stop_before_its_pod_started_ends_as_cancelled(places, there, tmp_path, folder):
    (tmp_path / "there" / "cancel").touch()

    assert in_pod.run_index(places, batch(tmp_path, there), 0, folder) == 1

    assert read_state(places, there)["state"] == "cancelled"


def test_a_pod_with_a_number_that_no_run_has_says_so(places, there, tmp_path, folder):
    with pytest.raises(InputError, match="number 3"):
        in_pod.run_index(places, batch(tmp_path, there), 3, folder)


def test_the_word_of_kubernetes_is_needed_to_know_which_run_it_is(capsys, monkeypatch):
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.delenv("JOB_COMPLETION_INDEX", raising=False)
    try:
        assert in_pod.main(["abs://x.blob.core.windows.net/c/b.json"]) == 1
    finally:
        signal.signal(signal.SIGTERM, before)
    assert "JOB_COMPLETION_INDEX" in capsys.readouterr().err


def test_a_final_record_never_changes_again(tmp_path):
    here = record(tmp_path)
    write_status(here, {"state": "succeeded", "place": "cluster"}, final=True)
    JobRecords(RunStore(tmp_path / "here"), None, None, "j").finish("run-1", {"state": "failed"})

    assert read_status(here)["state"] == "succeeded"


class Keeper:
    """Keeps nothing, and says what it is told to."""

    def __init__(self, *_, kept=None, hurried=False):
        self.kept, self.hurried, self.complete = kept or in_pod.Kept(2, 30), hurried, None

    def __call__(self, _places, url, folder, wanted):
        self.asked = (url, folder, wanted)
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def hurry(self, _seconds):
        self.hurried = True

    def finish(self, *, complete):
        self.complete = complete
        return self.kept


LOST = in_pod.Kept(0, 0, "The files could not be sent: HTTP 503. Not kept: model.dat", is_whole=False)


@pytest.fixture
def succeeds(monkeypatch):
    """Let a notebook succeed without a kernel, and 1 KiB be kept of what it writes."""
    done = {"state": "succeeded"}
    monkeypatch.setattr(
        recorded, "run_recorded", lambda _store, record, *_, **__: write_status(record, done, final=True)
    )
    monkeypatch.setenv("FAIRING_OUTPUTS_LIMIT", "1Ki")
    in_pod._settings.cache_clear()  # noqa: SLF001 - a process has one environment
    yield
    in_pod._settings.cache_clear()  # noqa: SLF001 - as above


@pytest.mark.usefixtures("succeeds")
@pytest.mark.parametrize(
    ("keeper", "retries", "state", "code"),
    [
        (Keeper(), 0, "succeeded", 0),
        (Keeper(kept=LOST), 0, "failed", 75),
        (Keeper(kept=LOST), 1, "lost", 75),
        # The pod was taken away while it sent its files: another one runs the notebook anew.
        (Keeper(kept=LOST, hurried=True), 0, "lost", 75),
        (Keeper(hurried=True), 0, "succeeded", 0),
    ],
)
def test_a_run_has_succeeded_when_its_files_are_kept(places, there, tmp_path, folder, keeper, retries, state, code):
    asked = batch(tmp_path, there, outputs=("*.dat",))

    assert in_pod.run_index(places, asked, 0, folder, retries=retries, keeping=keeper) == code

    found = read_state(places, there)
    assert found["state"] == state
    assert found["kept"] == keeper.kept.to_dict()
    assert keeper.asked == ("there/outputs/", folder, in_pod.WantedFiles(("*.dat",), 1024))
    if state == "failed":
        assert found["error"]["code"] == "outputs-not-sent"
        assert "model.dat" in found["error"]["message"]


@pytest.mark.kernel  # Its record asks git for the commit.
def test_a_run_that_is_stopped_keeps_its_files_and_says_that_they_are_what_there_was(places, there, tmp_path, folder):
    (tmp_path / "there" / "cancel").touch()
    keeper = Keeper()

    assert in_pod.run_index(places, batch(tmp_path, there), 0, folder, keeping=keeper) == 1

    assert keeper.complete
    assert read_state(places, there)["kept"] == {"files": 2, "size": 30}


def test_what_a_pod_could_not_keep_is_told_with_the_runs_name_when_its_record_becomes_final(tmp_path):
    here = record(tmp_path)
    write_status(here, {"state": "running", "place": "cluster"}, final=False)
    records = JobRecords(RunStore(tmp_path / "here"), None, None, "j")

    records.finish("run-1", {"state": "succeeded", "kept": {"files": 1, "size": 3, "note": "Not kept: a.bin."}})

    assert records.notes == ["run-1: Not kept: a.bin."]
