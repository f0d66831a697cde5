"""Runs whose notebook, parameters and output are in a real Azurite, as users type them: child processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import nbformat
import pytest

pytestmark = pytest.mark.timeout(180)
LEAVE_OUT = ("AZ_", "AZURE_", "ARM_", "DOCKER_", "FAIRING_", "KUBE")
SLOW = "import time\nfor _ in range(8):\n    time.sleep(1)\nprint('slept')"


def notebook(*cells):
    tagged = nbformat.v4.new_code_cell("x = 1", metadata={"tags": ["parameters"]})
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cells = [tagged, *(nbformat.v4.new_code_cell(cell) for cell in cells)]
    return nbformat.writes(nbformat.v4.new_notebook(cells=cells, metadata=metadata)).encode()


class Desk:
    """A user at a terminal with a kubeconfig of the namespace, whose Secret `azcreds` is the credential."""

    def __init__(self, scene, folder):
        self.scene, self.folder = scene, folder
        setup = scene.setup
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith(LEAVE_OUT)}
        self.environ |= {name: value for name, value in setup.environment.items() if not name.startswith("KUBE")}
        self.environ |= {"KUBECONFIG": str(setup.kubeconfig), "FAIRING_AZURE_HOME": str(folder / "home")}
        self.environ |= {name: value for name, value in setup.settings.items() if value}

    def type(self, *words, program=("-m", "fairing_az_jupyter"), code=0, **environ):
        done = subprocess.run(
            [sys.executable, *program, *words],
            cwd=self.folder,
            env={**self.environ, **environ},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == code, said
        assert [mark for mark in self.scene.setup.marks if mark in said] == []
        return said

    def record(self):
        return json.loads(self.type("runs", "show", "last", "--json"))["run"]

    def files(self):
        return b"".join(path.read_bytes() for path in (self.folder / "home").rglob("*") if path.is_file())


@pytest.fixture
def desk(scene_of, tmp_path):
    def make(**options):
        return Desk(scene_of(**options), tmp_path)

    return make


def outputs(data):
    return ["".join(output.get("text", "")) for cell in json.loads(data)["cells"] for output in cell.get("outputs", [])]


@pytest.mark.parametrize("data_role", [True, False])
def test_notebook_parameters_and_output_are_in_blob(desk, data_role):
    at = desk(data_role=data_role)
    at.scene.put("in.ipynb", notebook("print(x + 1)"))
    at.scene.put("more.yaml", b"x: 41\n")

    said = at.type(
        "run", at.scene.url("in.ipynb"), "-f", at.scene.url("more.yaml"), "-o", at.scene.url("out/done.ipynb")
    )

    assert f"Executed notebook: {at.scene.url('out/done.ipynb')}" in said
    assert outputs(at.scene.get("out/done.ipynb")) == ["42\n"]
    assert at.scene.names() == ["in.ipynb", "more.yaml", "out/done.ipynb"]
    record = at.record()
    assert (record["notebook"], record["state"], record["parameters"]) == (
        at.scene.url("in.ipynb"),
        "succeeded",
        {"x": 41},
    )
    assert [mark for mark in at.scene.setup.marks if mark.encode() in at.files()] == []


def test_output_stands_beside_a_notebook_in_blob_if_nothing_is_said(desk):
    at = desk(data_role=True)
    at.scene.put("in.ipynb", notebook("print(x + 1)"))

    at.type("run", at.scene.url("in.ipynb"))

    assert outputs(at.scene.get("in.executed.ipynb")) == ["2\n"]


def test_tokens_that_expire_in_mid_run_are_no_matter(desk, monkeypatch):
    at = desk(data_role=True)
    at.scene.put("in.ipynb", notebook(SLOW, "print('end')"))
    monkeypatch.setattr(at.scene.stand.entra, "lifetime", 3)

    at.type("run", at.scene.url("in.ipynb"), "-o", at.scene.url("out.ipynb"))

    assert outputs(at.scene.get("out.ipynb")) == ["slept\n", "end\n"]
    assert at.record()["state"] == "succeeded"


def test_tokens_that_expire_in_mid_run_are_no_matter_for_papermill_with_the_engine(desk, monkeypatch):
    at = desk(data_role=True)
    at.scene.put("in.ipynb", notebook(SLOW, "print(x)"))
    monkeypatch.setattr(at.scene.stand.entra, "lifetime", 3)

    papermill = ("-m", "papermill", "--engine", "fairing_azure", "--no-progress-bar")
    at.type(at.scene.url("in.ipynb"), at.scene.url("out.ipynb"), "-p", "x", "5", program=papermill)

    assert outputs(at.scene.get("out.ipynb")) == ["slept\n", "5\n"]
    assert (at.record()["state"], at.record()["output"]) == ("succeeded", at.scene.url("out.ipynb"))


def test_a_failing_cell_leaves_the_partial_notebook_in_blob(desk):
    at = desk(data_role=True)
    at.scene.put("in.ipynb", notebook("print('before')", "1 / 0", "print('after')"))

    said = at.type("run", at.scene.url("in.ipynb"), code=4)

    assert "ZeroDivisionError" in said
    assert "before\n" in outputs(at.scene.get("in.executed.ipynb"))
    assert at.record()["error"]["cell"] == 3


def test_an_output_that_may_not_be_written_is_told_before_a_kernel_starts(desk):
    at = desk(data_role=True)
    at.scene.put("in.ipynb", notebook("print('ran')"))
    elsewhere = "abs://nosuchaccount0.blob.core.windows.net/runs/out.ipynb"

    said = at.type("run", at.scene.url("in.ipynb"), "-o", elsewhere, code=6)

    assert "nosuchaccount0" in said
    assert "ran" not in said
    assert at.record()["state"] == "failed"


def test_an_output_that_fails_at_the_end_is_told_and_kept_in_the_record(desk):
    at = desk(data_role=True)
    setup, arm = at.scene.setup, at.scene.stand.arm
    at.scene.put("in.ipynb", notebook("print('begun')", SLOW))
    command = [sys.executable, "-m", "fairing_az_jupyter", "run", at.scene.url("in.ipynb")]
    process = subprocess.Popen(
        command, cwd=at.folder, env=at.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    for line in process.stdout:
        if "begun" in line:
            break
    arm.revoke(setup.oid)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 4, err
    record = at.record()
    assert f"The executed notebook can't be written to '{at.scene.url('in.executed.ipynb')}'" in err
    assert (record["state"], record["error"]["code"]) == ("failed", "output")
    assert "slept\n" in outputs((at.folder / "home/runs" / record["id"] / "executed.ipynb").read_bytes())


def test_a_signature_in_a_url_is_refused_and_never_shown(desk):
    at = desk(data_role=True)

    for words in (
        ("run", at.scene.url("in.ipynb?sv=1&sig=S3CR3TMARK")),
        ("run", "in.ipynb", "-o", at.scene.url("o.ipynb?sig=S3CR3TMARK")),
        ("run", "in.ipynb", "-f", at.scene.url("p.yaml?sig=S3CR3TMARK")),
    ):
        (at.folder / "in.ipynb").write_bytes(notebook("print(1)"))
        said = at.type(*words, code=3)
        assert "S3CR3TMARK" not in said
    assert b"S3CR3TMARK" not in at.files()
