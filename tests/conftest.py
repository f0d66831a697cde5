"""What all tests share: data folders of their own, and a way to run Python as a user would."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import fairing_az_jupyter.fairing  # noqa: F401 - Fairing's own names, which tests import as notebooks do
from tests.kinds import KINDS, Guard, kind_of

REPOSITORY = Path(__file__).resolve().parents[1]

SAME_IMAGE = {
    "test_background_launches.py": "an image with KServe",
    "test_deploy_command_on_the_cluster.py": "an image with KServe",
    "test_example_on_the_cluster.py": "the example's image",
    "test_pipelines.py": "the example's image",
    "test_two_notebook_servers.py": "an image with KServe",
}
"""The files whose tests install the same requirements into an image of the same base."""

# What a shell starts in the background ignores Ctrl-C, and so does all that it starts in turn, but for these children.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config):
    """Watch over the tests that are said to be fast."""
    config.pluginmanager.register(Guard(), "guard-of-fast-tests")


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Let the garbage collector rest until all tests are there, and never look at them again: that is half the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark each test with its kind, and begin with the files that take long: none of them is the last to end."""
    longest = {}
    for item in items:
        kind = kind_of(item)
        if not item.get_closest_marker(kind):
            item.add_marker(kind)
        longest[item.path] = min(longest.get(item.path, len(KINDS)), KINDS.index(kind))
    items.sort(key=lambda item: longest[item.path])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give the files that build the same image to one process: there it is built, and pulled, once."""
    if config.option.dist != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class ByImage(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            return SAME_IMAGE.get(file.rpartition("/")[2], file)

    return ByImage(config, log)


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    """Keep every file of ours, Jupyter's and IPython's below the test's own folder."""
    folders = {
        "FAIRING_AZURE_HOME": "fairing-home",
        "FAIRING_AZURE_CONFIG_DIR": "fairing-settings",
        "IPYTHONDIR": "ipython",
        "JUPYTER_RUNTIME_DIR": "jupyter-runtime",
        "JUPYTER_CONFIG_DIR": "jupyter-config",
    }
    base = tmp_path.parent / f"{tmp_path.name}-home"
    base.mkdir()
    for variable, name in folders.items():
        monkeypatch.setenv(variable, str(base / name))
    for variable in (
        "FAIRING_AZURE_PROFILE",
        "FAIRING_AZURE_RUNS",
        "JPY_SESSION_NAME",
        "FAIRING_BACKEND",
        "DOCKER_REGISTRY",
        "MLFLOW_TRACKING_URI",
        "COLUMNS",
    ):
        monkeypatch.delenv(variable, raising=False)
    return base


@pytest.fixture
def run_python(tmp_path):
    """Return a function that runs a Python script in a child process and returns it when it has ended."""

    def run(script, *arguments, check=True, timeout=120, options=(), **environment):
        done = subprocess.run(
            [sys.executable, *options, "-c", script, *arguments],
            cwd=tmp_path,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done

    return run
