"""Ways to the cluster: the fixtures of their tests."""

from __future__ import annotations

import sys

import pytest
import yaml

from tests.clients.cluster_scene import pod_folder
from tests.stand.api_server import ApiServer


@pytest.fixture
def api(authority):
    with ApiServer(authority) as api:
        yield api


@pytest.fixture
def pod(authority, tmp_path):
    return pod_folder(tmp_path / "pod", authority)


@pytest.fixture
def kubeconfig(api, authority, tmp_path):
    """Return a function that writes a kubeconfig for the server, with this user entry."""

    def write(user, *, name="config", cluster=None, context=None):
        (tmp_path / "ca.pem").write_bytes(authority.bundle.read_bytes())
        server = {"server": f"https://{api.host}", "certificate-authority": "ca.pem"}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "aks",
            "contexts": [{"name": "aks", "context": {"cluster": "k", "user": "ada", **(context or {})}}],
            "clusters": [{"name": "k", "cluster": server | (cluster or {})}],
            "users": [{"name": "ada", "user": user}],
        }
        path = tmp_path / name
        path.write_text(yaml.safe_dump(content))
        return path

    return write


@pytest.fixture
def plugin(tmp_path):
    """Return a function that writes a credential plug-in, and the section that names it."""

    def write(code, **section):
        script = tmp_path / "plugin.py"
        script.write_text(f"#!{sys.executable}\nimport json, os, sys, time\n{code}\n")
        script.chmod(0o755)
        return {"exec": {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "./plugin.py", **section}}

    return write
