"""A job's pod whose files are kept: the same pod, with a program around its command, a volume and a Secret."""

from __future__ import annotations

import copy
import pickle

import pytest

from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.fairing.cluster.outputs_pod import WantedOutputs, has_outputs, outputs_secret, with_outputs
from fairing_az_jupyter.fairing.job_program.job import CONTAINER_FILES
from fairing_az_jupyter.fairing.outcomes import JobOutputs, LaunchedJob

SHIM = ["python", "/app/function_shim.py", "--serialized_fn_file", "/app/pickled_fn.p", "--python_version", "3.11"]
PROGRAM = f"/app/{CONTAINER_FILES['job.py']}"
FOLDER = "/var/run/fairing-az-jupyter/outputs"


def pod(command=SHIM, **more):
    return {"containers": [{"name": "model", "image": "x:1", "command": list(command)}], **more}


def command(found):
    return found["containers"][0]["command"]


def test_fairings_command_runs_under_the_program_with_our_task_runner():
    given = pod()
    before = copy.deepcopy(given)

    found = with_outputs(given, "fairing-job-1", PROGRAM, WantedOutputs(limit=10))

    task = f"/app/{CONTAINER_FILES['task.py']}"
    assert command(found) == ["python", PROGRAM, "--links", FOLDER, "--limit", "10", "--", "python", task, *SHIM[2:]]
    assert given == before


def test_other_commands_run_as_they_are():
    found = with_outputs(pod(["papermill", "/app/a.ipynb"]), "fairing-job-1", PROGRAM, WantedOutputs())

    assert command(found)[-3:] == ["--", "papermill", "/app/a.ipynb"]


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [(None, []), ((), ["--no-outputs"]), (("*.dat", "$(HOME)/x"), ["--outputs", "*.dat", "$$(HOME)/x"])],
)
def test_globs_are_handed_on_as_they_are(patterns, expected):
    found = command(with_outputs(pod(), "fairing-job-1", PROGRAM, WantedOutputs(patterns, 1)))

    assert found[found.index("--limit") + 2 : found.index("--")] == expected


def test_a_longer_grace_period_is_made_use_of():
    found = with_outputs(pod(terminationGracePeriodSeconds=90), "fairing-job-1", PROGRAM, WantedOutputs())

    assert command(found)[command(found).index("--grace") + 1] == "90"


def test_the_secret_is_mounted_as_a_whole_and_for_reading_only():
    found = with_outputs(pod(volumes=[{"name": "mine"}]), "fairing-job-1", PROGRAM, WantedOutputs())

    assert found["volumes"][0] == {"name": "mine"}
    assert found["volumes"][1]["secret"] == {"secretName": "fairing-job-1-outputs"}
    [mount] = found["containers"][0]["volumeMounts"]
    assert (mount["mountPath"], mount["readOnly"], "subPath" in mount) == (FOLDER, True, False)
    assert has_outputs({"spec": {"template": {"spec": found}}})
    assert not has_outputs({"spec": {"template": {"spec": pod()}}})


def test_the_secret_goes_with_its_job_and_a_renewal_leaves_its_key():
    job = {"metadata": {"name": "fairing-job-1", "namespace": "team-a", "uid": "1-2", "labels": {"a": "b"}}}

    first, renewed = (outputs_secret(job, {"files.tar": "https://..."}, key) for key in ("secret", ""))

    [owner] = first["metadata"]["ownerReferences"]
    assert (first["metadata"]["name"], first["metadata"]["labels"]) == ("fairing-job-1-outputs", {"a": "b"})
    assert (owner["kind"], owner["name"], owner["uid"]) == ("Job", "fairing-job-1", "1-2")
    assert first["stringData"] == {"files.tar": "https://...", "key": "secret"}
    assert "key" not in renewed["stringData"]


def test_a_folder_of_checkpoints_reaches_the_program_and_its_link_comes_with_the_jobs_uid():
    job = {"metadata": {"name": "fairing-job-1", "namespace": "team-a", "uid": "1-2"}}

    found = command(with_outputs(pod(), "fairing-job-1", PROGRAM, WantedOutputs((), 1, "c$(x)")))
    secret = outputs_secret(job, {"checkpoints.tar": "https://..."}, "")

    assert found[found.index("--limit") + 2 : found.index("--")] == ["--checkpoints=c$$(x)", "--no-outputs"]
    assert secret["stringData"] == {"checkpoints.tar": "https://...", "uid": "1-2"}


def test_a_launched_jobs_key_is_neither_shown_nor_pickled():
    job = LaunchedJob("fairing-job-1", ["a"], JobOutputs("fairing-job-1", SecretValue("MARKED")))

    again = pickle.loads(pickle.dumps(job))  # noqa: S301 - our own

    assert (again, again.lines, again.outputs) == ("fairing-job-1", ("a",), None)
    assert "MARKED" not in f"{job!r} {job.outputs!r} {job.outputs}"
