"""The cluster client against a small API server: the fixtures of their tests."""

from __future__ import annotations

import pytest

from fairing_az_jupyter.clients.kube.cluster import Cluster
from tests.clients.cluster_servers import (
    ApiServer,
    Authority,
    pod_environment,
    pod_folder,
    serving,
)


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def api(authority):
    with serving(ApiServer(), authority.certificate()) as api:
        yield api


@pytest.fixture
def cluster(api, authority, tmp_path):
    folder = pod_folder(tmp_path / "pod", authority)
    with Cluster.connect(pod_environment(api), folder, timeout=2, deadline=5) as cluster:
        yield cluster
