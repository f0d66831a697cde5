"""What a job's task returns or raises arrives in Blob Storage with its files."""

from __future__ import annotations

import subprocess
import sys

from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.outputs.results import decode_result


def pickled(job, function):
    import cloudpickle

    (job.folder / "pickled_fn.p").write_bytes(cloudpickle.dumps(function))
    version = "{}.{}".format(*sys.version_info)
    command = [sys.executable, str(job.folder / "fairing_az_job.py"), "--links", str(job.links), "--", sys.executable]
    command += [
        str(job.folder / "fairing_az_task.py"),
        "--serialized_fn_file",
        "pickled_fn.p",
        "--python_version",
        version,
    ]
    done = subprocess.run(command, cwd=job.folder, env=job.environ, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_what_train_returns_is_printed_and_kept(job):
    class Model:
        def train(self):
            open("model.dat", "w").write("m")
            return {"rmse": 0.5}

    code, output, _ = pickled(job, Model)

    assert (code, output) == (0, "{'rmse': 0.5}\n")
    result = job.manifest()["result"]
    assert result == {"kind": "json", "path": ".fairing-az/result.json", "digest": None}
    assert decode_result("json", job.arrived()[".fairing-az/result.json"]) == {"rmse": 0.5}


def test_an_object_is_kept_as_a_pickle_that_the_launchs_key_has_signed(job):
    code, output, errors = pickled(job, lambda: {1, 2})

    result = job.manifest()["result"]
    data = job.arrived()[result["path"]]
    assert (code, output, errors, result["kind"]) == (0, "{1, 2}\n", "", "pickle")
    assert decode_result("pickle", data, digest=result["digest"], key=SecretValue("0123456789abcdef")) == {1, 2}


def test_without_a_key_an_object_is_not_kept_and_that_is_said(job):
    (job.links / "key").unlink()

    code, output, errors = pickled(job, lambda: {1, 2})

    assert (code, output, job.manifest()["result"]) == (0, "{1, 2}\n", None)
    assert "What the task returned (a set) was not kept" in errors


def test_what_a_task_raises_is_in_the_list_of_files(job):
    def task():
        open("before", "w").write("b")
        raise ValueError("no rows")

    code, _, errors = pickled(job, task)

    error = job.manifest()["error"]
    assert code == 1
    assert errors.rstrip().endswith("ValueError: no rows")
    assert (error["type"], error["module"], error["message"]) == ("ValueError", "builtins", "no rows")
    assert error["traceback"][0] == "Traceback (most recent call last):"
    assert "in task" in error["traceback"][1]
    assert job.arrived() == {"before": b"b"}
