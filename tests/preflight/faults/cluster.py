"""What can be wrong with the cluster, the namespace, the service account and its rights."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from .fault import Make, fault, having

if TYPE_CHECKING:
    from tests.preflight.scene import Scene


def _closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _token(text: str) -> Make:
    def make(scene: Scene) -> None:
        (scene.service_account_folder / "token").write_text(text)

    return make


def _quota(**hard: str) -> Make:
    def make(scene: Scene) -> None:
        spec = {"hard": {name.replace("_", "."): value for name, value in hard.items()}}
        scene.api("POST", "resourcequotas", {"metadata": {"name": "small"}, "spec": spec})

    return make


def _small_node(scene: Scene) -> None:
    scene.stand.control_plane.node(f"small-{scene.setup.namespace}", cpu="2", memory="8Gi")
    scene.stand.control_plane.let_read_nodes(scene.setup.namespace)
    scene.settings["FAIRING_CPU"] = "64"


def _node_too_small_for_a_build(scene: Scene) -> None:
    _small_node(scene)
    scene.settings["FAIRING_CPU"] = "1"
    scene.settings["FAIRING_BUILD_MEMORY"] = "500Gi"


FAULTS = [
    fault(
        "cluster",
        "no cluster",
        "this is no pod, and there is no kubeconfig",
        "az aks get-credentials --resource-group GROUP --name CLUSTER",
        lambda scene: scene.environ.pop("KUBERNETES_SERVICE_HOST"),
        code="no-cluster",
    ),
    fault(
        "cluster",
        "the API server refuses connections",
        "nothing listens at the API server's address",
        "kubectl cluster-info",
        lambda scene: scene.environ.update(KUBERNETES_SERVICE_PORT=str(_closed_port())),
        code="unreachable-refused",
    ),
    fault(
        "cluster",
        "the API server's certificate is untrusted",
        "the API server's certificate is not signed by the cluster's own authority",
        "name the host in NO_PROXY",
        lambda scene: scene.stand.kubernetes_front.certificate("untrusted"),
    ),
    fault(
        "cluster",
        "the API server's certificate has expired",
        "the API server's certificate has expired",
        "az aks rotate-certs",
        lambda scene: scene.stand.kubernetes_front.certificate("expired"),
    ),
    fault(
        "cluster",
        "a proxy answers for the API server",
        "a proxy's page comes in place of the API server's answer",
        "Name the cluster's host in NO_PROXY",
        lambda scene: scene.stand.kubernetes_front.proxy_page(),
    ),
    fault(
        "cluster",
        "the API server drops connections",
        "something between here and the API server cuts connections off",
        "kubectl cluster-info",
        lambda scene: scene.stand.kubernetes_front.drop(),
    ),
    fault(
        "cluster",
        "the service account's token is refused",
        "the service account's token is no longer good",
        "Restart the notebook server",
        _token("not-a-token"),
    ),
    fault(
        "cluster",
        "the API server does not answer",
        "the API server does not answer in time",
        "kubectl cluster-info",
        lambda scene: scene.stand.kubernetes_front.hang(),
        status="unknown",
    ),
    fault(
        "cluster",
        "the API server is out of order",
        "the API server answers 500",
        "Try again",
        lambda scene: scene.stand.kubernetes_front.refuse(500, path="^/version"),
        status="unknown",
    ),
    fault(
        "cluster.namespace",
        "the namespace is not there",
        "the namespace does not exist",
        "kubectl create namespace {namespace}",
        lambda scene: scene.stand.kubernetes_front.refuse(404, path="/api/v1/namespaces/[^/]+$"),
    ),
    fault(
        "cluster.service-account",
        "the service account is not there",
        "the service account that pods shall run as does not exist",
        "fairing-azure fill train.ipynb --service-account default-editor",
        having(FAIRING_SERVICE_ACCOUNT="nobody"),
    ),
    fault(
        "cluster.service-account",
        "the service account may not be read",
        "who asks may not read the service account",
        "kubectl -n {namespace} create rolebinding default-editor-edit --clusterrole=kubeflow-edit",
        lambda scene: scene.role(but=("", "serviceaccounts", "get")),
        status="unknown",
    ),
    fault(
        "cluster.pull-secret",
        "the service account does not name the pull secret",
        "the service account does not name `acrcreds` in imagePullSecrets: pods hang in ImagePullBackOff",
        "fairing-azure secrets attach",
        lambda scene: scene.api("PATCH", "serviceaccounts/default-editor", {"imagePullSecrets": None}),
    ),
    fault(
        "permissions.jobs",
        "Jobs may not be created",
        "the service account may not create Jobs",
        "kubectl create rolebinding default-editor-kubeflow-edit --clusterrole=kubeflow-edit",
        lambda scene: scene.role(but=("batch", "jobs", "create")),
    ),
    fault(
        "permissions.pods",
        "logs may not be read",
        "the service account may not read pods' logs",
        "kubectl create rolebinding default-editor-kubeflow-edit --clusterrole=kubeflow-edit",
        lambda scene: scene.role(but=("", "pods/log", "get")),
    ),
    fault(
        "permissions.endpoints",
        "Deployments may not be created",
        "the service account may not create Deployments",
        "kubectl create rolebinding default-editor-kubeflow-edit --clusterrole=kubeflow-edit",
        lambda scene: scene.role(but=("apps", "deployments", "create")),
    ),
    fault(
        "permissions.builds",
        "Secrets of builds may not be created",
        "the service account may not create Secrets, and a build in the cluster has one of its own",
        "kubectl create rolebinding default-editor-kubeflow-edit --clusterrole=kubeflow-edit",
        lambda scene: scene.role(but=("", "secrets", "create")),
    ),
    fault(
        "permissions.prepare",
        "the service account may not be patched",
        "the service account may not patch itself: an administrator has to name the pull secret in it",
        "kubectl create rolebinding default-editor-kubeflow-edit --clusterrole=kubeflow-edit",
        lambda scene: scene.role(but=("", "serviceaccounts", "patch")),
        status="warn",
    ),
    fault(
        "cluster.quota",
        "the quota is too small",
        "the namespace's quota has no room for what a job asks for",
        "kubectl -n {namespace} describe quota",
        _quota(requests_cpu="100m"),
    ),
    fault(
        "cluster.quota",
        "the quota has no room for a build",
        "the namespace's quota has room for a job, and none for the build of its image",
        "lower FAIRING_BUILD_CPU or FAIRING_BUILD_MEMORY",
        _quota(requests_memory="3Gi"),
    ),
    fault(
        "cluster.nodes",
        "no node is large enough",
        "no node can ever hold what a job asks for",
        "Lower FAIRING_CPU or FAIRING_MEMORY, or add a node pool of a larger VM size.",
        _small_node,
    ),
    fault(
        "cluster.nodes",
        "no node is large enough for a build",
        "no node can ever hold what a build in the cluster asks for",
        "Lower FAIRING_BUILD_CPU or FAIRING_BUILD_MEMORY, or add a node pool of a larger VM size.",
        _node_too_small_for_a_build,
    ),
]
