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


def _small_node_and_no_wait(scene: Scene) -> None:
    _small_node(scene)
    scene.settings["FAIRING_NODE_WAIT"] = "0"


def _pool(scene: Scene) -> str:
    """Make a node of its own pool, and ask for that."""
    name = f"pool-{scene.setup.namespace}"
    scene.stand.control_plane.node(name, cpu="8", memory="32Gi", pool=name)
    scene.stand.control_plane.let_read_nodes(scene.setup.namespace)
    scene.settings["FAIRING_NODE_SELECTOR"] = f"pool={name}"
    return name


def _tainted(key: str, value: str) -> Make:
    def make(scene: Scene) -> None:
        taints = [{"key": key, "value": value, "effect": "NoSchedule"}]
        path = f"/api/v1/nodes/{_pool(scene)}"
        scene.stand.control_plane.admin.patch(path, {"spec": {"taints": taints}}, "application/merge-patch+json")

    return make


def _no_such_labels(scene: Scene) -> None:
    scene.settings["FAIRING_NODE_SELECTOR"] = f"{_pool(scene)}=gone"


def _login_elsewhere(scene: Scene) -> None:
    (entry,) = scene.setup.dockerconfig["auths"].values()
    scene.acrcreds({"auths": {f"{scene.setup.login_server}/elsewhere": entry}})


FAULTS = [
    fault(
        "cluster",
        "no cluster",
        "not running in a pod, and no kubeconfig",
        "az aks get-credentials --resource-group GROUP --name CLUSTER",
        lambda scene: scene.environ.pop("KUBERNETES_SERVICE_HOST"),
        code="no-cluster",
    ),
    fault(
        "cluster",
        "the API server rejects connections",
        "nothing listens at the API server's address",
        "kubectl cluster-info",
        lambda scene: scene.environ.update(KUBERNETES_SERVICE_PORT=str(_closed_port())),
        code="unreachable-refused",
    ),
    fault(
        "cluster",
        "the API server's certificate is untrusted",
        "the API server's certificate is not signed by the cluster's own authority",
        "add the host to NO_PROXY",
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
        "Add the cluster's host to NO_PROXY",
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
        "the service account's token is rejected",
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
        "the namespace does not exist",
        "the namespace does not exist",
        "kubectl create namespace {namespace}",
        lambda scene: scene.stand.kubernetes_front.refuse(404, path="/api/v1/namespaces/[^/]+$"),
    ),
    fault(
        "cluster.service-account",
        "the service account does not exist",
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
        "nodes do not read the pull secret",
        "the login in `acrcreds` is for another path of the registry, so nodes pull only if their own identity may",
        "fairing-azure secrets create --acr",
        _login_elsewhere,
        status="warn",
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
        "lower FAIRING_BUILD_MEMORY",
        _quota(requests_memory="3Gi"),
    ),
    fault(
        "cluster.nodes",
        "no node is large enough",
        "no node that is there holds what a job asks for; an autoscaler may add one",
        "Lower FAIRING_CPU or FAIRING_MEMORY, or add a node pool of a larger VM size.",
        _small_node,
        status="warn",
        code="job-too-large",
    ),
    fault(
        "cluster.nodes",
        "no node is large enough, and none is waited for",
        "no node that is there holds what a job asks for, and FAIRING_NODE_WAIT is 0",
        "Lower FAIRING_CPU or FAIRING_MEMORY, or add a node pool of a larger VM size.",
        _small_node_and_no_wait,
        code="job-too-large",
    ),
    fault(
        "cluster.nodes",
        "a taint keeps the pods off",
        "the nodes have a taint that pods of a launch do not tolerate",
        "fairing-azure fill train.ipynb --tolerations team=vision:NoSchedule",
        _tainted("team", "vision"),
        status="warn",
        code="taint",
    ),
    fault(
        "cluster.nodes",
        "only a system pool has nodes",
        "only an AKS system pool, kept for the system's own pods, has nodes now",
        "Add a node pool without such taints, or let the autoscaler add a node to yours.",
        _tainted("CriticalAddonsOnly", "true"),
        status="warn",
        code="no-node-of-pool",
    ),
    fault(
        "cluster.nodes",
        "no node has the labels",
        "no node has the labels of FAIRING_NODE_SELECTOR",
        "kubectl get nodes --show-labels",
        _no_such_labels,
        status="warn",
        code="no-node-selected",
    ),
    fault(
        "cluster.nodes",
        "no node is large enough for a build",
        "no node that is there holds what a build in the cluster asks for; an autoscaler may add one",
        "Lower FAIRING_BUILD_CPU or FAIRING_BUILD_MEMORY, or add a node pool of a larger VM size.",
        _node_too_small_for_a_build,
        status="warn",
    ),
]
