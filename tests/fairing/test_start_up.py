"""The start-up file that `install-fairing` writes, and what works without it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv

import nbformat
import pytest

from fairing_az_jupyter.fairing.upstream import start_up
from tests.conftest import REPOSITORY

UPSTREAM = "from kubeflow.fairing import TrainJob; print(TrainJob.__module__)"
FOUND = "kubeflow.fairing.ml_tasks.tasks\n"


class Environment:
    """A virtual environment that sees the packages of this one, but not its start-up file."""

    def __init__(self, folder):
        venv.create(folder, with_pip=False)
        self.python = folder / "bin" / "python"
        (self.site,) = folder.glob("lib/python*/site-packages")
        # Python reads the files of a folder in the order of their names; this package is found first, as if installed.
        (self.site / "a_packages.pth").write_text(f"{REPOSITORY}\n{sysconfig.get_paths()['purelib']}\n")
        self.file = self.site / start_up.NAME

    def run(self, *words, prefix=(), check=True, cwd=None, **variables):
        environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        done = subprocess.run(
            [*prefix, str(self.python), *words],
            env={**environ, **variables},
            cwd=cwd or self.site,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def install(self, *words, **options):
        return self.run("-m", "fairing_az_jupyter", "install-fairing", *words, **options)


@pytest.fixture
def environment(tmp_path):
    return Environment(tmp_path / "environment")


def test_install_fairing_makes_upstreams_lines_work_in_every_interpreter(environment):
    before = environment.run("-c", UPSTREAM, check=False)

    told = environment.install()

    assert before.returncode == 1
    assert told.stdout.splitlines()[0].startswith(f"Wrote the start-up file {environment.file}: ")
    assert len(told.stdout.splitlines()) == 1
    assert environment.run("-c", UPSTREAM).stdout == FOUND


def test_a_second_install_fairing_changes_nothing(environment):
    environment.install()
    written = environment.file.stat()

    again = environment.install()

    assert "nothing to do" in again.stdout
    assert environment.file.stat().st_mtime_ns == written.st_mtime_ns


def test_a_dry_run_names_the_start_up_file_and_leaves_it_unwritten(environment):
    told = environment.install("--dry-run")

    assert told.stdout == f"Would write the start-up file {environment.file}\n"
    assert not environment.file.exists()


def test_remove_takes_the_start_up_file_out_and_says_so_when_there_is_none(environment):
    environment.install()

    dry = environment.install("--remove", "--dry-run")
    removed = environment.install("--remove")
    again = environment.install("--remove")

    assert dry.stdout == f"Would remove the start-up file {environment.file}\n"
    assert removed.stdout.startswith(f"Removed the start-up file {environment.file}.")
    assert again.stdout == f"Start-up file {environment.file} not found; nothing to do.\n"
    assert environment.run("-c", UPSTREAM, check=False).returncode == 1


def test_json_says_where_the_start_up_file_is_and_whether_it_was_written(environment):
    documents = [json.loads(environment.install("--json").stdout) for _ in range(2)]

    assert [document["start_up_file_written"] for document in documents] == [True, False]
    assert {document["start_up_file"] for document in documents} == {str(environment.file)}


def _bound_by_permissions():
    """Return what to put before a command so that a folder's permissions hold for it, also for root."""
    if os.geteuid():
        return ()
    program = shutil.which("setpriv")
    if program is None:
        pytest.skip("root may write everywhere; setpriv (util-linux) takes that right away: apt-get install util-linux")
    return (program, "--bounding-set=-dac_override", "--inh-caps=-dac_override")


def test_a_read_only_site_packages_is_one_line_that_says_what_to_do(environment):
    environment.site.chmod(0o555)
    try:
        done = environment.install(prefix=_bound_by_permissions(), check=False)
    finally:
        environment.site.chmod(0o755)

    assert done.returncode == 5
    assert len(done.stderr.splitlines()) == 1
    assert f"The start-up file '{environment.file}' can't be written: Permission denied." in done.stderr
    assert "%load_ext fairing_az_jupyter" in done.stderr


def test_a_start_up_file_that_can_not_be_removed_is_one_line_too(environment):
    environment.install()
    environment.site.chmod(0o555)
    try:
        done = environment.install("--remove", prefix=_bound_by_permissions(), check=False)
    finally:
        environment.site.chmod(0o755)

    assert done.returncode == 5
    assert f"The start-up file '{environment.file}' can't be removed: Permission denied." in done.stderr
    assert environment.file.exists()


def test_the_start_up_file_is_silent_when_the_package_is_gone(environment):
    environment.install()
    (environment.site / "a_packages.pth").unlink()

    done = environment.run("-c", "print('here')")

    assert (done.stdout, done.stderr) == ("here\n", "")


def test_an_interpreter_with_the_start_up_file_loads_the_hook_and_nothing_else_of_this_package(environment):
    environment.install()

    done = environment.run("-c", "import sys; print(*sorted(name for name in sys.modules if 'fairing' in name))")

    assert done.stdout.split() == [
        "fairing_az_jupyter",
        "fairing_az_jupyter.fairing",
        "fairing_az_jupyter.fairing.hook",
        "fairing_az_jupyter.version",
    ]


@pytest.mark.parametrize(
    "first",
    ["import fairing_az_jupyter.fairing", "get_ipython().run_line_magic('load_ext', 'fairing_az_jupyter')"],
    ids=["the bridge imported", "the extension loaded"],
)
def test_without_the_start_up_file_upstreams_lines_work_after(environment, first):
    words = ["-m", "IPython", "--quick", "--no-banner", "-c"] if first.startswith("get_ipython") else ["-c"]

    assert environment.run(*words, f"{first}\n{UPSTREAM}").stdout == FOUND


def _notebook(path, *sources):
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)
    return path.name


LAUNCHES = (
    "from kubeflow.fairing import TrainJob\nfrom kubeflow.fairing.backends import LocalBackend\n"
    "def train():\n    print('in the job')\n"
    "TrainJob(train, input_files=[], backend=LocalBackend()).submit();"
)


def test_without_the_start_up_file_a_run_launches_by_upstreams_lines_alone(environment, tmp_path):
    done = environment.run("-m", "fairing_az_jupyter", "run", _notebook(tmp_path / "a.ipynb", LAUNCHES), cwd=tmp_path)

    assert "in the job" in done.stdout


def _kernel(folder, name, python):
    """Install a kernel of a Python below a folder, and return the variable that names the folder."""
    place = folder / "kernels" / name
    place.mkdir(parents=True)
    command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (place / "kernel.json").write_text(json.dumps({"argv": command, "display_name": name, "language": "python"}))
    return {"JUPYTER_PATH": str(folder)}


def test_without_the_start_up_file_a_kernel_of_this_python_by_another_name_loads_the_bridge_too(environment, tmp_path):
    named = _kernel(tmp_path / "jupyter", "mine", environment.python)
    name = _notebook(tmp_path / "a.ipynb", UPSTREAM)

    done = environment.run("-m", "fairing_az_jupyter", "run", name, "--kernel", "mine", cwd=tmp_path, **named)

    assert "kubeflow.fairing.ml_tasks.tasks" in done.stdout


def test_a_kernel_of_another_environment_is_started_as_it_is(environment, tmp_path):
    other = Environment(tmp_path / "other")
    (other.site / "a_packages.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    named = _kernel(tmp_path / "jupyter", "theirs", other.python)
    name = _notebook(tmp_path / "a.ipynb", "import sys; print([word for word in sys.argv if 'fairing' in word])")

    done = environment.run("-m", "fairing_az_jupyter", "run", name, "--kernel", "theirs", cwd=tmp_path, **named)

    assert "  | []\n" in done.stdout


def test_without_the_start_up_file_papermills_own_command_with_our_engine_does_so_too(environment, tmp_path):
    name = _notebook(tmp_path / "a.ipynb", LAUNCHES)

    environment.run("-m", "papermill", "--engine", "fairing_azure", name, "out.ipynb", cwd=tmp_path)

    assert "in the job" in (tmp_path / "out.ipynb").read_text()


def test_without_the_start_up_file_the_points_of_a_sweep_find_fairing(environment, tmp_path):
    name = _notebook(tmp_path / "a.ipynb", "rate = 1", UPSTREAM)
    content = nbformat.read(tmp_path / name, as_version=4)
    content.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(content, tmp_path / name)

    environment.run("-m", "fairing_az_jupyter", "sweep", "run", name, "--grid", "rate", "1", "2", cwd=tmp_path)
    shown = environment.run("-m", "fairing_az_jupyter", "sweep", "show", "last", "--json", cwd=tmp_path)

    assert [row["state"] for row in json.loads(shown.stdout)["sweep"]["rows"]] == ["succeeded"] * 2


def test_without_the_start_up_file_a_python_file_that_imports_fairing_is_trained(environment, tmp_path):
    (tmp_path / "train.py").write_text(
        "from kubeflow.fairing import TrainJob\n\n\ndef train():\n    print('in the job')\n"
    )

    words = ["train", "train.py:train", "--backend", "LocalBackend"]
    done = environment.run("-m", "fairing_az_jupyter", *words, cwd=tmp_path)

    assert "in the job" in done.stdout


def test_without_the_start_up_file_an_endpoint_serves_and_is_deleted(environment, tmp_path):
    (tmp_path / "serve.py").write_text(
        "import fairing_az_jupyter.fairing\n"
        "from kubeflow.fairing import PredictionEndpoint\nfrom kubeflow.fairing.backends import LocalBackend\n"
        "class Model:\n    def predict(self, X, feature_names=None):\n        return X\n"
        "endpoint = PredictionEndpoint(Model, input_files=[], backend=LocalBackend())\nendpoint.create()\n"
        "import numpy\nprint(endpoint.predict_nparray(numpy.array([[1.0, 2.0]])))\nendpoint.delete()\n"
    )

    done = environment.run("serve.py", cwd=tmp_path)

    assert "[1.0, 2.0]" in done.stdout


def test_this_environment_of_the_tests_has_a_start_up_file():
    assert start_up.is_written(), f"Run: {sys.executable} -m fairing_az_jupyter install-fairing"


def test_the_magic_writes_the_file_into_its_kernels_environment_and_names_its_own_form(environment):
    cell = "%load_ext fairing_az_jupyter\n%fairing_azure install-fairing"

    done = environment.run("-m", "IPython", "--quick", "--no-banner", "-c", cell)

    assert environment.file.exists()
    assert done.stdout.rstrip().endswith("To undo it: %fairing_azure install-fairing --remove")
