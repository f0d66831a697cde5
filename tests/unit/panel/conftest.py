"""A kernel for the tests of a module, and a front end that begins anew with each test."""

from __future__ import annotations

import os
import shutil

import pytest
from jupyter_client.manager import KernelManager

from tests.unit.panel.front_end import FrontEnd

NEW = """
%load_ext fairing_az_jupyter
from fairing_az_jupyter.frontends.panel import close_panels
close_panels(get_ipython())
get_ipython().__dict__.pop('_fairing_az_panels', None)
from fairing_az_jupyter import services
for _name, _value in globals().setdefault('_kept', {}).items():
    setattr(services, _name, _value)
for _name in ('DOCKER_REGISTRY', 'AZURE_REGION', 'FAIRING_BACKEND', 'FAIRING_NAMESPACE', 'Prices', 'Model', 'work'):
    globals().pop(_name, None)
def double(name, value):
    _kept.setdefault(name, getattr(services, name))
    setattr(services, name, value)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("panel")


@pytest.fixture(scope="module")
def client(folder):
    left_out = ("AZ_", "AZURE_", "DOCKER_", "FAIRING_", "KUBE", "JPY_SESSION")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    environ |= {
        "FAIRING_AZURE_HOME": str(folder / "home"),
        "FAIRING_AZURE_CONFIG_DIR": str(folder / "settings"),
        "KUBECONFIG": str(folder / "no-kubeconfig"),
    }
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(folder), env=environ)
    client = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture
def front(client, folder):
    shutil.rmtree(folder / "settings", ignore_errors=True)
    opened = FrontEnd(client)
    opened.run(NEW)
    return opened
