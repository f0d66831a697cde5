"""Unmodified Fairing 1.0.2 on today's libraries."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import textwrap

import nbformat
import pytest

from fairing_az_jupyter.exceptions import FairingNotInstalledError, InputError, PackageMissingError
from fairing_az_jupyter.fairing import import_shim
from fairing_az_jupyter.fairing.upstream.notebook_name import notebook_of_command
from tests.conftest import REPOSITORY


def test_upstreams_own_lines_work_in_a_new_interpreter(run_python):
    done = run_python("from kubeflow.fairing import TrainJob, PredictionEndpoint; print(TrainJob.__module__)")

    assert done.stdout == "kubeflow.fairing.ml_tasks.tasks\n"
    assert done.stderr == ""


def test_importing_fairing_raises_no_warning_of_its_own(run_python):
    run_python("import kubeflow.fairing", options=("-W", "error"))


def test_fairing_is_the_unmodified_package():
    from base64 import urlsafe_b64encode
    from hashlib import sha256
    from importlib.metadata import files, version

    assert version("kubeflow-fairing") == "1.0.2"
    for file in files("kubeflow-fairing"):
        if file.hash is not None:
            digest = urlsafe_b64encode(sha256(file.locate().read_bytes()).digest()).rstrip(b"=").decode()
            assert digest == file.hash.value, file


def test_load_ext_makes_the_upstream_names_work(run_python):
    script = """
    import sys
    sys.meta_path[:] = [finder for finder in sys.meta_path if getattr(finder, "__name__", "") != "FairingFinder"]
    from IPython.testing.globalipapp import start_ipython
    shell = start_ipython()
    result = shell.run_cell("%load_ext fairing_az_jupyter\\nfrom kubeflow.fairing import TrainJob\\n"
                            "from kubeflow.fairing.backends import LocalBackend")
    result.raise_error()
    """
    run_python(textwrap.dedent(script))


def test_importing_the_bridge_makes_the_upstream_names_work(run_python):
    script = """
    import sys
    sys.meta_path[:] = [finder for finder in sys.meta_path if getattr(finder, "__name__", "") != "FairingFinder"]
    for name in [name for name in sys.modules if name.startswith("fairing_az_jupyter")]:
        del sys.modules[name]
    import fairing_az_jupyter.fairing
    import kubeflow.fairing
    kubeflow.fairing.backends.LocalBackend
    """
    run_python(textwrap.dedent(script))


@pytest.mark.parametrize(
    "statement", ["import kubeflow", "import kubeflow.fairing", "from kubeflow.fairing import TrainJob"]
)
def test_missing_fairing_is_one_line_that_names_the_command(run_python, statement):
    script = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); import fairing_az_jupyter.fairing; {statement}"

    done = run_python(script, check=False, options=("-S", "-E"))

    assert done.returncode == 1
    assert "is not installed" in done.stderr.splitlines()[-1]
    assert "fairing-azure install-fairing" in done.stderr.splitlines()[-1]


WITHOUT_FAIRING = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); import fairing_az_jupyter.fairing\n"


def test_whoever_only_looks_for_kubeflow_is_told_that_there_is_none(run_python):
    script = WITHOUT_FAIRING + "import importlib.util; print(importlib.util.find_spec('kubeflow'))"

    assert run_python(script, options=("-S", "-E")).stdout == "None\n"


@pytest.mark.parametrize("place", ["append(Other)", "insert(-1, Other)"])
def test_a_kubeflow_package_that_another_finder_knows_is_left_alone(run_python, tmp_path, place):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "__init__.py").write_text("here = True")
    script = WITHOUT_FAIRING + textwrap.dedent(f"""
    import importlib.util
    class Other:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == "kubeflow":
                return importlib.util.spec_from_file_location(name, {str(tmp_path / "elsewhere" / "__init__.py")!r})
    sys.meta_path.{place}
    import kubeflow
    print(kubeflow.here)
    """)

    assert run_python(script, options=("-S", "-E")).stdout == "True\n"


def test_missing_fairing_can_be_caught_as_a_missing_module():
    assert issubclass(FairingNotInstalledError, ModuleNotFoundError)


def test_root_logging_stays_as_the_user_set_it(run_python):
    script = """
    import logging
    logging.basicConfig(level=logging.ERROR, format="mine: %(message)s")
    before = (logging.root.level, list(logging.root.handlers), logging.root.handlers[0].formatter._fmt)
    import kubeflow.fairing
    assert (logging.root.level, list(logging.root.handlers), logging.root.handlers[0].formatter._fmt) == before
    """
    run_python(textwrap.dedent(script))


def test_fairings_messages_are_shown_where_nobody_has_set_up_logging(run_python):
    done = run_python("from kubeflow.fairing.ml_tasks import tasks; tasks.logging.info('Deploying the endpoint.')")

    assert "Deploying the endpoint." in done.stderr


def test_fairings_messages_go_to_the_users_handlers_once(run_python):
    script = """
    import logging
    logging.basicConfig(level=logging.INFO, format="mine: %(message)s")
    from kubeflow.fairing.ml_tasks import tasks
    tasks.logging.info("Deploying the endpoint.")
    """
    done = run_python(textwrap.dedent(script))

    assert done.stderr == "mine: Deploying the endpoint.\n"


def test_no_other_module_sees_a_placeholder(run_python):
    script = """
    import kubeflow.fairing
    try:
        import docker.errors, kfserving, boto3
    except ModuleNotFoundError:
        print("still missing")
    """
    assert run_python(textwrap.dedent(script)).stdout == "still missing\n"


def test_a_placeholder_raises_a_clear_error_when_it_is_used():
    from kubeflow.fairing.cloud.aws import S3Uploader

    with pytest.raises(PackageMissingError, match=r"'boto3.client', which is not installed.*pip install 'boto3'"):
        S3Uploader("eu-west-1")


def test_fairings_own_handling_of_a_missing_docker_works(run_python):
    script = """
        import sys
        from importlib.machinery import PathFinder

        class WithoutDocker(PathFinder):
            @classmethod
            def find_spec(cls, name, path=None, target=None):
                return None if name.partition(".")[0] == "docker" else super().find_spec(name, path, target)

        sys.meta_path[sys.meta_path.index(PathFinder)] = WithoutDocker
        from kubeflow.fairing.ml_tasks.utils import is_docker_daemon_exists

        print(is_docker_daemon_exists())
    """
    assert run_python(textwrap.dedent(script)).stdout == "False\n"


def test_a_real_module_wins_over_its_placeholder(run_python, tmp_path):
    package = tmp_path / "real" / "docker"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("def APIClient(version): return 'real'\n")
    (package / "errors.py").write_text("class DockerException(Exception): pass\n")
    script = """
    from kubeflow.fairing.ml_tasks import utils
    print(utils.docker.__file__, utils.is_docker_daemon_exists())
    """

    done = run_python(textwrap.dedent(script), PYTHONPATH=str(tmp_path / "real"))

    assert done.stdout == f"{package / '__init__.py'} True\n"


def test_a_broken_real_module_does_not_break_fairing(run_python, tmp_path):
    package = tmp_path / "real" / "kfserving"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("import a_module_that_is_gone\n")

    run_python("import kubeflow.fairing", PYTHONPATH=str(tmp_path / "real"))


def test_slow_parts_are_not_imported_until_they_are_used(run_python):
    script = """
    import sys
    import kubeflow.fairing
    slow = {"nbconvert", "boto3", "google.cloud", "containerregistry", "ipykernel"}
    print(sorted(slow & set(sys.modules)))
    """
    assert run_python(textwrap.dedent(script)).stdout == "[]\n"


def test_notebook_conversion_works_when_it_is_used(tmp_path, monkeypatch):
    from kubeflow.fairing.config import preprocessor_map

    monkeypatch.chdir(tmp_path)
    cells = [nbformat.v4.new_code_cell("%load_ext x\nprint(6 * 7)")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), "train.ipynb")

    preprocessor = preprocessor_map["notebook"](notebook_file="train.ipynb")
    preprocessor.preprocess()

    done = subprocess.run([sys.executable, "train.py"], capture_output=True, text=True, check=True)
    assert done.stdout == "42\n"


def test_a_postponed_class_can_be_subclassed_and_recognised():
    from kubeflow.fairing import config as _  # noqa: F401
    from kubeflow.fairing.deployers.tfjob.tfjob import TfJob

    postponed = sys.modules["kubeflow.fairing.config"].TfJob

    class Mine(postponed):
        def __init__(self):
            pass

    assert issubclass(Mine, TfJob)
    assert isinstance(Mine(), postponed)
    assert postponed.__name__ == "TfJob"


def test_every_module_of_fairing_can_be_imported(run_python):
    script = """
    import importlib, pkgutil
    import kubeflow.fairing
    for module in pkgutil.walk_packages(kubeflow.fairing.__path__, "kubeflow.fairing."):
        importlib.import_module(module.name)
        print(module.name)
    """
    done = run_python(textwrap.dedent(script))

    assert "kubeflow.fairing.frameworks.lightgbm" in done.stdout


def test_fairing_is_found_behind_another_kubeflow_package(run_python, tmp_path):
    package = tmp_path / "sdk" / "kubeflow"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")

    run_python("from kubeflow.fairing import TrainJob", PYTHONPATH=str(tmp_path / "sdk"))


def test_local_backend_is_looked_up_like_any_other():
    import importlib

    backend = importlib.import_module("kubeflow.fairing.backends").LocalBackend

    assert issubclass(backend, importlib.import_module("kubeflow.fairing.backends").BackendInterface)
    assert backend().get_docker_registry()


def test_the_azure_names_are_ours_wherever_they_are_looked_up(run_python):
    script = textwrap.dedent(
        """
        import importlib
        from kubeflow.fairing.builders.cluster.azurestorage_context import StorageContextSource
        from kubeflow.fairing.builders.cluster import azurestorage_context
        backends = importlib.import_module('kubeflow.fairing.backends')
        source = StorageContextSource(region=None, resource_group_name='contoso-ml', storage_account_name='contosoml')
        backend = getattr(backends, 'KubeflowAzureBackend')(build_context_source=source)
        print(azurestorage_context.StorageContextSource is StorageContextSource, backend.get_base_contanier())
        print(isinstance(backend, backends.BackendInterface), source.region)
        positional = StorageContextSource('team-a', 'northeurope', 'contoso-ml', 'contosoml')
        print(positional.namespace, positional.region, positional.resource_group_name, positional.storage_account_name)
        """
    )

    done = run_python(script)

    version = ".".join(map(str, sys.version_info[:2]))
    assert done.stdout.splitlines() == [
        f"True docker.io/library/python:{version}-slim",
        "True None",
        "team-a northeurope contoso-ml contosoml",
    ]


def test_upstreams_own_builder_is_refused_with_what_to_write():
    from kubeflow.fairing.builders.cluster.azurestorage_context import StorageContextSource

    with pytest.raises(InputError, match="works with KubeflowAzureBackend") as caught:
        StorageContextSource().prepare("context.tar.gz")

    assert "KubeflowAzureBackend(build_context_source=StorageContextSource(...))" in caught.value.hint


def test_fairing_is_found_without_importing_it():
    assert import_shim.find_fairing().name == "kubeflow.fairing"


@pytest.mark.parametrize(
    ("command", "notebook"),
    [
        (["/opt/conda/bin/python", "/opt/conda/bin/papermill", "a.ipynb", "out.ipynb"], "a.ipynb"),
        (["python", "-m", "papermill", "-p", "x", "1", "dir/a.ipynb", "-"], "dir/a.ipynb"),
        (["papermill", "-p", "BASE", "other.ipynb", "mine.ipynb", "out.ipynb"], "mine.ipynb"),
        (["papermill", "--log-output", "-f", "x.yaml", "--cwd=y.ipynb", "mine.ipynb"], "mine.ipynb"),
        (["papermill", "abs://account/container/a.ipynb", "b.ipynb"], "abs://account/container/a.ipynb"),
        (["python", "-m", "ipykernel_launcher", "-f", "kernel.json"], None),
        (["vim", "a.ipynb"], None),
        ([], None),
    ],
)
def test_notebook_name_is_read_from_papermills_command_line(command, notebook):
    assert notebook_of_command(command) == notebook


ASK = "from kubeflow.fairing.notebook import notebook_util; print(repr(notebook_util.get_notebook_name()))"


def test_notebook_name_in_plain_python_and_ipython_is_none(run_python):
    assert run_python(ASK).stdout == "None\n"
    script = f"from IPython import start_ipython; start_ipython(['--quick', '--no-banner', '-c', {ASK!r}])"
    assert run_python(script).stdout.strip() == "None"


def test_notebook_name_under_papermill(tmp_path):
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(ASK)]), tmp_path / "train me.ipynb")

    command = [sys.executable, "-m", "papermill", "train me.ipynb", "out.ipynb", "-k", "python3", "--no-progress-bar"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=120)

    executed = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert executed.cells[0].outputs[0].text == "'train me.ipynb'\n"


def test_notebook_name_under_jupyter_server(tmp_path, own_folders):
    import requests
    from jupyter_client import BlockingKernelClient

    (tmp_path / "work").mkdir()
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "work" / "mine.ipynb")
    command = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", "--ServerApp.port=0"]
    command += ["--ServerApp.ip=127.0.0.1", f"--ServerApp.root_dir={tmp_path}", "--IdentityProvider.token=t"]
    log = (tmp_path / "server.log").open("wb")
    server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        runtime = own_folders / "jupyter-runtime"
        info = _wait(lambda: next(runtime.glob("jpserver-*.json"), None) if runtime.exists() else None)
        url = _wait(lambda: json.loads(info.read_text() or "{}").get("url"))
        session = {"path": "work/mine.ipynb", "name": "mine.ipynb", "type": "notebook", "kernel": {"name": "python3"}}
        started = _wait(lambda: _post(requests, f"{url}api/sessions", session))
        client = BlockingKernelClient(connection_file=str(runtime / f"kernel-{started['kernel']['id']}.json"))
        client.load_connection_file()
        client.start_channels()
        _wait(lambda: _is_ready(client))
        printed = []
        client.execute_interactive(ASK, timeout=60, output_hook=lambda m: printed.append(m["content"].get("text", "")))
        client.stop_channels()
    finally:
        server.terminate()
        server.wait(30)
        log.close()

    assert "".join(printed) == "'mine.ipynb'\n"


def _post(requests, url, body):
    try:
        answer = requests.post(url, json=body, headers={"Authorization": "token t"}, timeout=60)
    except requests.ConnectionError:
        return None
    return answer.json() if answer.ok else None


def _is_ready(client):
    try:
        client.wait_for_ready(timeout=5)
    except RuntimeError:  # a kernel that is still starting has no heartbeat yet
        return False
    return True


def _wait(condition, seconds=60):
    import time

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    pytest.fail("what the test waits for did not come")
    return None


def test_the_users_level_for_fairings_logger_is_kept(run_python):
    script = """
    import logging
    logging.getLogger("kubeflow.fairing").setLevel(logging.ERROR)
    from kubeflow.fairing.ml_tasks import tasks
    tasks.logging.info("hidden")
    """
    assert run_python(textwrap.dedent(script)).stderr == ""
    assert logging.getLogger("kubeflow.fairing").level != logging.ERROR
