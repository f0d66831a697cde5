"""matplotlib is an extra: only the picture of a sweep needs it."""

from __future__ import annotations

import os

import nbformat
import pytest

from fairing_az_jupyter.exceptions import InstallationError
from tests.conftest import REPOSITORY

BLOCKED = "import sys; sys.modules['matplotlib'] = None\n"
COMMAND = BLOCKED + "from fairing_az_jupyter.frontends.cli import main; sys.exit(main(sys.argv[1:]))"
HERE = {"PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])}


def test_every_module_is_imported_without_matplotlib(run_python):
    script = BLOCKED + (
        "import importlib, pkgutil, fairing_az_jupyter.fairing, kubeflow.fairing\n"
        "for module in pkgutil.walk_packages(fairing_az_jupyter.__path__, 'fairing_az_jupyter.'):\n"
        "    if not module.name.endswith('__main__'):\n"
        "        importlib.import_module(module.name)\n"
        "        print(module.name)\n"
    )

    assert "fairing_az_jupyter.sweeps.plot" in run_python(script, **HERE).stdout.splitlines()


@pytest.fixture
def swept(tmp_path, run_python):
    """Record a sweep of two points, made without matplotlib."""
    tagged = nbformat.v4.new_code_cell("rate = 1", metadata={"tags": ["parameters"]})
    cell = nbformat.v4.new_code_cell("from fairing_az_jupyter import report; report('loss', rate)")
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=[tagged, cell], metadata=kernel), tmp_path / "a.ipynb")
    run_python(COMMAND, "sweep", "run", "a.ipynb", "--grid", "rate", "1", "2", **HERE)
    return tmp_path


def test_sweep_show_without_matplotlib_says_in_one_line_what_to_install(swept, run_python):
    done = run_python(COMMAND, "sweep", "show", "last", "--plot", "plot.png", check=False, **HERE)

    assert done.returncode == InstallationError.exit_code
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.endswith("Install it: pip install 'fairing-az-jupyter[plot]'\n")
    assert not (swept / "plot.png").exists()


def test_everything_else_of_sweep_show_works_without_matplotlib(swept, run_python):
    done = run_python(COMMAND, "sweep", "show", "last", "--csv", "table.csv", **HERE)

    assert "Written: table.csv" in done.stdout
    assert (swept / "table.csv").read_text().splitlines()[0].startswith("point")
