"""The wheel in an empty environment beside JupyterLab, as pip's users have it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import nbformat
import pytest

from tests.conftest import REPOSITORY

BRIDGE = "import fairing_az_jupyter.fairing"
UPSTREAM = "from kubeflow.fairing import TrainJob, PredictionEndpoint; print(TrainJob, PredictionEndpoint)"


def run(*command, check=True, cwd=None, **more):
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env={**environment, **more},
        cwd=cwd,
    )
    if check:
        assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", folder, REPOSITORY)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", folder)
    # Most of it is never imported, and what is, Python compiles itself.
    quiet = ("--quiet", "--no-compile")
    run(folder / "bin" / "pip", "install", *quiet, f"{wheel}[plot]", "jupyterlab==4.6.*")
    return folder / "bin"


def test_the_sdist_makes_the_same_wheel(wheel, tmp_path):
    run(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, _unpacked(wheel.parent, tmp_path))

    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    assert sorted(names) == sorted(zipfile.ZipFile(wheel).namelist())


def _unpacked(folder, tmp_path):
    run("tar", "-xzf", next(folder.glob("*.tar.gz")), "-C", tmp_path)
    return next(path for path in tmp_path.iterdir() if path.is_dir())


def test_the_wheel_has_the_package_its_types_and_its_licence(wheel):
    names = zipfile.ZipFile(wheel).namelist()

    assert "fairing_az_jupyter/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    package = REPOSITORY / "fairing_az_jupyter"
    sources = {str(path.relative_to(REPOSITORY)) for path in package.rglob("*.py")}
    assert sources <= set(names)
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/", "notebooks/"))]


def test_the_wheel_puts_nothing_into_an_environment_that_python_runs_at_its_start(wheel):
    names = zipfile.ZipFile(wheel).namelist()

    assert not [name for name in names if name.endswith(".pth") or "customize" in name]


def test_wheel_and_sdist_carry_the_side_panel_as_it_was_built(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    shared = "share/jupyter/labextensions/fairing-az-jupyter/"
    installed = {name.partition(shared)[2] for name in names if shared in name}

    assert {"install.json", "package.json", "static/style.js"} <= installed
    assert any(name.startswith("static/remoteEntry.") for name in installed)
    assert any(name.endswith("etc/jupyter/jupyter_server_config.d/fairing_az_jupyter.json") for name in names)
    with tarfile.open(next(wheel.parent.glob("*.tar.gz"))) as sdist:
        members = sdist.getnames()
    assert any(name.endswith("/fairing_az_jupyter/labextension/static/style.js") for name in members)
    assert any(name.endswith("/labextension/package-lock.json") for name in members)
    assert not [name for name in members if "node_modules" in name]


def test_a_plain_install_enables_both_extensions(environment, tmp_path):
    home = {"HOME": str(tmp_path), "JUPYTER_CONFIG_DIR": str(tmp_path / "config")}
    panel = run(environment / "jupyter", "labextension", "list", cwd=tmp_path, NO_COLOR="1", **home)
    server = run(environment / "jupyter", "server", "extension", "list", cwd=tmp_path, NO_COLOR="1", **home)

    assert _state_of("fairing-az-jupyter", panel) == ["enabled", "OK"]
    assert _state_of("fairing_az_jupyter", server)[:1] == ["enabled"]
    assert _state_of("fairing_az_jupyter 0", server)[-1:] == ["OK"]


def _state_of(name, done):
    """Return what Jupyter says of an extension: the words behind its name, without colours and versions."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
    line = next((line for line in text.splitlines() if name in line), "")
    return [word for word in line.split() if word in {"enabled", "disabled", "OK", "X"}]


@pytest.mark.timeout(900)
def test_upstreams_unchanged_lines_work_after_install_fairing(environment, tmp_path):
    before = run(environment / "python", "-c", UPSTREAM, check=False, cwd=tmp_path)
    bridged = run(environment / "python", "-c", f"{BRIDGE}; {UPSTREAM}", check=False, cwd=tmp_path)
    loaded = run(environment / "ipython", "-c", "%load_ext fairing_az_jupyter", cwd=tmp_path)
    planned = run(environment / "fairing-azure", "install-fairing", "--dry-run", cwd=tmp_path)
    installed = run(environment / "fairing-azure", "install-fairing", cwd=tmp_path)
    after = run(environment / "python", "-c", UPSTREAM, cwd=tmp_path)
    again = run(environment / "fairing-azure", "install-fairing", cwd=tmp_path)
    removed = run(environment / "fairing-azure", "install-fairing", "--remove", cwd=tmp_path)
    without = run(environment / "python", "-c", UPSTREAM, check=False, cwd=tmp_path)
    imported = run(environment / "python", "-c", f"{BRIDGE}; {UPSTREAM}", cwd=tmp_path)
    extended = run(environment / "ipython", "-c", f"%load_ext fairing_az_jupyter\n{UPSTREAM}", cwd=tmp_path)
    checked = run(environment / "fairing-azure", "--version", cwd=tmp_path)

    assert before.stderr.splitlines()[-1] == "ModuleNotFoundError: No module named 'kubeflow'"
    assert bridged.stderr.splitlines()[-1].endswith("Install it: fairing-azure install-fairing")
    assert "Install it: fairing-azure install-fairing" in loaded.stderr
    assert "Would run:" in planned.stdout
    assert "Would write the start-up file " in planned.stdout
    assert "--no-deps kubeflow-fairing==1.0.2" in installed.stdout
    assert "kubeflow.fairing.ml_tasks.tasks.PredictionEndpoint" in after.stdout
    assert "nothing to do" in again.stdout
    assert removed.stdout.startswith("Removed the start-up file ")
    assert without.returncode == 1
    for done in (imported, extended):
        assert "kubeflow.fairing.ml_tasks.tasks.PredictionEndpoint" in done.stdout
    assert checked.stdout.startswith("fairing-azure ")


@pytest.mark.timeout(900)
def test_a_job_runs_from_the_installed_wheel(environment, tmp_path):
    run(environment / "fairing-azure", "install-fairing", cwd=tmp_path)
    script = tmp_path / "launch.py"
    script.write_text(
        "from kubeflow.fairing import TrainJob\n"
        "from kubeflow.fairing.backends import LocalBackend\n"
        "def hello():\n    print('hello from the wheel')\n"
        "TrainJob(hello, input_files=[], backend=LocalBackend()).submit()\n"
    )

    done = run(environment / "python", script, cwd=tmp_path)

    assert "hello from the wheel\n" in done.stdout
    assert Path(environment).parent.name in run(environment / "python", "-c", "import sys; print(sys.prefix)").stdout


def test_the_example_is_copied_and_a_panel_opened_from_the_installed_wheel(environment, tmp_path):
    run(environment / "fairing-azure", "install-fairing", cwd=tmp_path)
    run(environment / "fairing-azure", "example", "housing", cwd=tmp_path)
    names = ("xgboost-high-level-apis.ipynb", "requirements.txt", "ames_dataset/train.csv")
    assert [(tmp_path / "housing" / name).read_bytes() for name in names] == [
        (REPOSITORY / "notebooks" / name).read_bytes() for name in names
    ]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cell = nbformat.v4.new_code_cell(
        "%load_ext fairing_az_jupyter\nfrom fairing_az_jupyter.frontends.panel import open_panel\n"
        "panel = open_panel(get_ipython())\npanel.show()\npanel.close()"
    )
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=metadata), tmp_path / "panel.ipynb")
    run(environment / "papermill", "panel.ipynb", "out.ipynb", cwd=tmp_path)
    (shown, *_) = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells[0].outputs
    assert "DOCKER_REGISTRY" in shown.data["text/plain"]


def test_papermill_finds_the_engine_and_runs_and_sweeps_leave_records(environment, tmp_path):
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    tagged = nbformat.v4.new_code_cell("rate = 0.5", metadata={"tags": ["parameters"]})
    cell = nbformat.v4.new_code_cell("from fairing_az_jupyter import report\nreport('loss', rate * 2)")
    nbformat.write(nbformat.v4.new_notebook(cells=[tagged, cell], metadata=metadata), tmp_path / "a.ipynb")
    where = {"cwd": tmp_path, "FAIRING_AZURE_RUNS": str(tmp_path / "runs")}

    run(environment / "papermill", "--engine", "fairing_azure", "a.ipynb", "out.ipynb", "-p", "rate", "2", **where)
    sweep = ("sweep", "run", "a.ipynb", "--grid", "rate", "1", "3", "-j", "2")
    run(environment / "fairing-azure", *sweep, **where)
    run(environment / "fairing-azure", "sweep", "show", "last", "--plot", "plot.png", **where)
    listed = run(environment / "fairing-azure", "runs", "list", "--json", **where).stdout

    found = [(each["state"], each["metrics"]) for each in json.loads(listed)["runs"]]
    assert sorted(metrics["loss"] for _, metrics in found) == [2, 4, 6]
    assert {state for state, _ in found} == {"succeeded"}
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
