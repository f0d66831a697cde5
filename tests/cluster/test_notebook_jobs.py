"""Notebooks that run in the cluster as Jobs, on a real node: their records, and how they end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fairing_az_jupyter import services
from fairing_az_jupyter.exceptions import BuildFailedError, FairingAzureError
from fairing_az_jupyter.records.provenance.files import read_provenance
from tests.cluster.notebooks_scene import wheels, yard  # noqa: F401 - fixtures

REPORTS = "import fairing_az_jupyter as fairing\nfairing.report('loss', rate * 2)\nprint('the rate is', rate)"
LONG = "import time\nprint('begun', flush=True)\nfor number in range(600):\n    time.sleep(0.1)\n"


def test_a_notebook_in_the_cluster_finds_fairing_as_it_is_installed_here(yard):  # noqa: F811
    launches = "from kubeflow.fairing import TrainJob, backends\nprint(backends.LocalBackend, TrainJob.__module__)"
    _, info = yard.run(yard.notebook(launches))

    assert info.state == "succeeded", info
    assert "LocalBackend" in "".join(services.run_log(services.Session(runs_folder=yard.runs), info.id))


def begun(yard, name):  # noqa: F811
    """Wait until a run prints, and return its record."""
    log = yard.store.folder(name) / "log.txt"

    def prints():
        services.describe_run(services.Session(runs_folder=yard.runs), name)
        return log.exists() and "begun" in log.read_text()

    yard.until(prints, 90)
    return yard.store.find(name)


def ended(yard, name, seconds=90):  # noqa: F811
    def look():
        info = services.describe_run(services.Session(runs_folder=yard.runs), name)
        return info if info.has_ended else None

    return yard.until(look, seconds)


def command(yard, *words, **options):  # noqa: F811
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KUBERNETES_")}
    return subprocess.Popen(
        [sys.executable, "-m", "fairing_az_jupyter", *words],
        env={**environment, **yard.environment()},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def test_a_run_in_the_cluster_leaves_the_record_that_a_run_here_leaves(yard):  # noqa: F811
    notebook = yard.notebook(REPORTS, "print(open('data.csv').read())")
    (yard.folder / "data.csv").write_text("1,2\n")

    seen, there = yard.run(notebook, rate=0.25, input_files=["data.csv"])
    here = services.run_notebook(services.Session(runs_folder=yard.runs), notebook, {"rate": 0.25})

    local = services.describe_run(services.Session(runs_folder=yard.runs), here.run)
    assert there.state == local.state == "succeeded", there
    assert (there.metrics, there.parameters) == (local.metrics, local.parameters) == ({"loss": 0.5}, {"rate": 0.25})
    assert (there.cells, there.notebook, there.output) == (local.cells, local.notebook, local.output)
    assert there.place == "cluster"
    assert there.namespace == yard.namespace
    assert there.duration < 60
    files = {path.name for path in Path(local.folder).iterdir()} - {"claim-1"}
    assert {path.name for path in Path(there.folder).iterdir()} == files
    logs = ["".join(services.run_log(services.Session(runs_folder=yard.runs), info.id)) for info in (there, local)]
    assert re.sub(r"[\d.]+ s", "", logs[0]) == re.sub(r"[\d.]+ s", "", logs[1])
    assert [event.kind for event in seen] == [
        event["kind"] for _, event in services.run_events(services.Session(runs_folder=yard.runs), local.id)
    ]
    executed = json.loads(Path(there.output).read_text())
    assert "the rate is 0.25" in json.dumps(executed)
    assert yard.workshop.nothing_left()

    # As it was, though the notebook and its data have changed here; the image of the run has both.
    yard.notebook("raise ValueError('changed')")
    (yard.folder / "data.csv").write_text("3,4\n")
    written, pushes = Path(there.output).read_bytes(), yard.pushes()
    with command(yard, "runs", "retry", there.id, "--as-it-was") as child:
        assert child.wait(150) == 0, child.stdout.read()
    again = yard.store.find("last")
    assert (again.state, again.retry_of, again.metrics) == ("succeeded", there.id, {"loss": 0.5})
    assert (again.notebook, again.parameters, again.output) == (there.notebook, there.parameters, None)
    assert "1,2" in "".join(services.run_log(services.Session(runs_folder=yard.runs), again.id))
    assert (Path(there.output).read_bytes(), yard.pushes()) == (written, pushes)
    made, repeated = (read_provenance(Path(info.folder)) for info in (there, again))
    assert repeated.image_digest == made.image_digest != ""


def test_a_second_run_of_the_unchanged_notebook_builds_and_sends_nothing(yard):  # noqa: F811
    notebook = yard.notebook(REPORTS)
    _, first = yard.run(notebook, rate=0.25)
    pushes, contexts = yard.pushes(), yard.contexts()

    _, second = yard.run(notebook, rate=0.75)

    assert (first.state, second.state) == ("succeeded", "succeeded")
    assert second.metrics == {"loss": 1.5}
    assert yard.pushes() == pushes
    assert yard.contexts() == contexts


def test_a_failing_cell_is_told_as_it_is_of_a_run_here(yard):  # noqa: F811
    notebook = yard.notebook("1 / 0")

    _, info = yard.run(notebook)

    assert info.state == "failed", info
    assert info.error[
        "message"
    ] == "Cell 3 of 3 (In [3]) of 'a.ipynb' failed: ZeroDivisionError: division by zero." or (
        "ZeroDivisionError: division by zero" in info.error["message"]
    )
    assert info.error["source"] == "1 / 0"
    assert info.error["cell"]
    assert "ZeroDivisionError" in "".join(info.error["traceback"])
    assert yard.workshop.nothing_left()


def test_a_pod_that_is_evicted_is_replaced_and_the_run_begun_again_in_the_same_record(yard):  # noqa: F811
    notebook = yard.notebook(LONG.replace("600", "60"), REPORTS)
    (name,) = (batch := yard.start(yard.request(notebook))).runs
    thread, seen = yard.following(name)
    begun(yard, name)

    (pod,) = yard.pods(batch.job)
    where = f"/api/v1/namespaces/{yard.namespace}/pods/{pod['metadata']['name']}"
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod["metadata"]["name"]}}
    yard.admin.post(f"{where}/eviction", eviction)

    thread.join(120)
    info = yard.store.find(name)
    assert info.state == "succeeded", info
    assert info.attempt == 2
    kinds = [event.kind for event in seen]
    assert kinds.count("run-started") == 2
    assert kinds.count("run-finished") == 1
    assert "restarted, attempt 2" in "".join(services.run_log(services.Session(runs_folder=yard.runs), name))
    assert yard.workshop.nothing_left()


def test_a_connection_that_is_cut_again_and_again_loses_no_event_and_shows_none_twice(yard):  # noqa: F811
    (name,) = yard.start(yard.request(yard.notebook(LONG.replace("600", "40"), REPORTS))).runs
    for front in (yard.workshop.stand.kubernetes_front, yard.workshop.stand.blob_front):
        front.drop(skip=3, times=6)

    thread, seen = yard.following(name)

    thread.join(120)
    assert yard.store.find(name).state == "succeeded"
    assert [event.to_dict() for event in seen] == [
        event for _, event in services.run_events(services.Session(runs_folder=yard.runs), name)
    ]
    assert [event.kind for event in seen].count("cell-finished") == 3
    assert yard.workshop.nothing_left()


def test_a_job_that_somebody_deletes_leaves_a_cancelled_run_with_all_that_it_had_printed(yard):  # noqa: F811
    notebook = yard.notebook(LONG)
    (name,) = (batch := yard.start(yard.request(notebook))).runs
    thread, _ = yard.following(name)
    begun(yard, name)

    services.delete(services.Session({"namespace": yard.namespace}), [batch.job])

    thread.join(60)
    info = yard.store.find(name)
    assert info.state == "cancelled", info
    assert batch.job in info.error["message"]
    assert "begun" in "".join(services.run_log(services.Session(runs_folder=yard.runs), name))
    assert Path(info.folder, "executed.ipynb").exists()
    assert yard.workshop.nothing_left()


def test_one_run_of_several_is_cancelled_alone(yard):  # noqa: F811
    notebook = yard.notebook(f"if rate > 1:\n    {LONG.replace(chr(10), chr(10) + '    ').strip()}", REPORTS)
    long, short = yard.start(*(yard.request(notebook, rate=rate) for rate in (2.0, 0.5))).runs
    begun(yard, long)

    services.cancel_run(services.Session(runs_folder=yard.runs), long)

    assert ended(yard, long).state == "cancelled"
    assert ended(yard, short).state == "succeeded"
    services.list_runs(services.Session(runs_folder=yard.runs))
    assert yard.workshop.nothing_left()


def test_what_no_node_can_take_says_what_it_waits_for_and_fails_with_that_reason(yard):  # noqa: F811
    settings, told = yard.settings.model_copy(update={"cpu": "500", "node_wait": "8s"}), []

    seen, info = yard.run(yard.notebook(REPORTS), settings=settings, report=told.append)

    assert "Insufficient cpu" in told[0]
    assert "To stop it: fairing-azure delete fairing-job-" in told[0]

    assert info.state == "failed"
    assert info.error["code"] == "unschedulable-cpu"
    assert seen == []
    assert yard.workshop.nothing_left()


def test_requirements_that_can_not_be_installed_fail_the_run_with_what_pip_says(yard):  # noqa: F811
    notebook = yard.notebook(REPORTS)
    (yard.folder / "requirements.txt").write_text("there-is-no-such-package>=3\n")

    with pytest.raises(BuildFailedError, match="there-is-no-such-package"):
        yard.run(notebook)

    (info,) = services.list_runs(services.Session(runs_folder=yard.runs))
    assert info.state == "failed"
    assert "there-is-no-such-package" in info.error["message"]
    assert yard.workshop.nothing_left()


def test_a_run_goes_on_when_the_process_that_launched_it_is_killed(yard):  # noqa: F811
    yard.notebook(LONG.replace("600", "50"), REPORTS)
    with command(yard, "run", "a.ipynb", "--on-cluster", "-p", "rate", "0.25") as process:
        for line in process.stdout:
            if "begun" in line:
                break
        process.kill()
        process.wait(10)

    name = yard.store.find("last").id
    for _ in range(60):
        with command(yard, "runs", "show", name) as shown:
            said = shown.stdout.read()
        if "running" not in said:
            break

    assert re.search(r"State: +succeeded", said), said
    assert "loss = 0.5" in said
    assert json.loads((yard.folder / "a.executed.ipynb").read_text())["cells"]
    assert yard.workshop.nothing_left()


def test_ctrl_c_tells_that_the_run_goes_on_and_how_to_cancel_it(yard):  # noqa: F811
    yard.notebook(LONG)
    with command(yard, "run", "a.ipynb", "--on-cluster", "--json") as process:
        for line in process.stdout:
            if "begun" in line:
                break
        process.send_signal(signal.SIGINT)
        said = process.stdout.read()

    name = yard.store.find("last").id
    assert process.returncode == 130
    assert f"Run {name} is still running in the cluster" in said
    assert f"fairing-azure runs cancel {name}" in said
    assert services.describe_run(services.Session(runs_folder=yard.runs), name).state == "running"
    with command(yard, "runs", "cancel", name) as cancelled:
        assert cancelled.wait(90) == 0
    assert yard.workshop.nothing_left()


def test_an_input_file_outside_the_notebooks_folder_is_refused_and_recorded(yard, tmp_path):  # noqa: F811
    (tmp_path / "elsewhere.csv").write_text("1\n")

    with pytest.raises(FairingAzureError, match=r"is not in the notebook's folder"):
        yard.run(yard.notebook(REPORTS), input_files=["../elsewhere.csv"])

    (info,) = services.list_runs(services.Session(runs_folder=yard.runs))
    assert info.state == "failed"
