"""The cluster client against a small API server: the fixtures of their tests."""

from __future__ import annotations

import pytest

from fairing_az_jupyter.clients.kube.cluster import Cluster
from tests.clients.cluster_scene import pod_environment, pod_folder
from tests.stand.api_server import ApiServer


@pytest.fixture
def api(authority):
    with ApiServer(authority) as api:
        yield api


@pytest.fixture
def cluster(api, authority, tmp_path):
    folder = pod_folder(tmp_path / "pod", authority)
    with Cluster.connect(pod_environment(api), folder, timeout=2, deadline=5) as cluster:
        yield cluster
