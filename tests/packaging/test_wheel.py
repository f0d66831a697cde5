"""The wheel in an empty environment beside JupyterLab, as pip's users have it."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

UPSTREAM = "from kubeflow.fairing import TrainJob, PredictionEndpoint; print(TrainJob, PredictionEndpoint)"


def run(*command, check=True, **options):
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env=environment,
        **options,
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
    run(folder / "bin" / "pip", "install", "--quiet", wheel, "jupyterlab==4.6.*")
    return folder / "bin"


def test_the_sdist_makes_the_same_wheel(wheel, tmp_path):
    run(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, _unpacked(wheel.parent, tmp_path))

    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    assert sorted(names) == sorted(zipfile.ZipFile(wheel).namelist())


def _unpacked(folder, tmp_path):
    run("tar", "-xzf", next(folder.glob("*.tar.gz")), "-C", tmp_path)
    return next(path for path in tmp_path.iterdir() if path.is_dir())


def test_the_wheel_has_the_package_its_types_its_licence_and_the_start_up_file(wheel):
    names = zipfile.ZipFile(wheel).namelist()

    assert "fairing_az_jupyter/py.typed" in names
    assert "fairing_az_jupyter_start_up.pth" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    package = REPOSITORY / "fairing_az_jupyter"
    sources = {str(path.relative_to(REPOSITORY)) for path in package.rglob("*.py")}
    assert sources <= set(names)
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/", "notebooks/"))]


@pytest.mark.timeout(900)
def test_upstreams_unchanged_lines_work_after_install_fairing(environment, tmp_path):
    before = run(environment / "python", "-c", UPSTREAM, check=False, cwd=tmp_path)
    loaded = run(environment / "ipython", "-c", "%load_ext fairing_az_jupyter", cwd=tmp_path)
    planned = run(environment / "fairing-azure", "install-fairing", "--dry-run", cwd=tmp_path)
    installed = run(environment / "fairing-azure", "install-fairing", cwd=tmp_path)
    after = run(environment / "python", "-c", UPSTREAM, cwd=tmp_path)
    again = run(environment / "fairing-azure", "install-fairing", cwd=tmp_path)
    checked = run(environment / "fairing-azure", "--version", cwd=tmp_path)

    assert before.stderr.splitlines()[-1].endswith("Install it: fairing-azure install-fairing")
    assert "Install it: fairing-azure install-fairing" in loaded.stderr
    assert "Would run:" in planned.stdout
    assert "--no-deps kubeflow-fairing==1.0.2" in installed.stdout
    assert "kubeflow.fairing.ml_tasks.tasks.PredictionEndpoint" in after.stdout
    assert "nothing to do" in again.stdout
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
