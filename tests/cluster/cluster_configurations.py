"""Clusters as administrators set them up: rules, quotas, roles, pools, ways out; each with settings that meet them."""

from __future__ import annotations

import base64
import dataclasses
import json
import random
from typing import TYPE_CHECKING, Any

from tests.stand.node.pools import Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.cluster.verdicts_scene import Cluster

_MERGE = "application/merge-patch+json"


@dataclasses.dataclass(frozen=True)
class Configuration:
    """One way in which a cluster is set up.

    Args:
        name: What it is called.
        aspect: What it is about; two of one aspect are never combined.
        make: Sets the cluster up so.
        settings: The user's settings, by field.
        builds: Whether an image has to be built in the cluster.

    """

    name: str
    aspect: str
    make: Callable[[Cluster], object] = lambda cluster: None
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    builds: bool = False


def _enforced(level: str) -> Callable[[Cluster], object]:
    return lambda cluster: cluster.label({"pod-security.kubernetes.io/enforce": level})


def _limits(**limits: Any) -> Callable[[Cluster], object]:
    return lambda cluster: cluster.policies.limit_range(cluster.namespace, **limits)


def _quota(**hard: str) -> Callable[[Cluster], object]:
    return lambda cluster: cluster.policies.quota(cluster.namespace, **hard)


def _policy(*rules: Any, own: bool = False, other: bool = False) -> Callable[[Cluster], object]:
    def make(cluster: Cluster) -> None:
        hosts = (*((cluster.host,) if own else ()), *(("mcr.microsoft.com",) if other else ()))
        cluster.policies.require(cluster.namespace, *rules, registries=hosts)

    return make


def _login(user: str | None = None, password: str | None = None, host: str | None = None) -> Callable[[Cluster], Any]:
    def make(cluster: Cluster) -> None:
        setup = cluster.setup
        text = base64.b64encode(f"{user or setup.client}:{password or setup.secret}".encode()).decode()
        config = json.dumps({"auths": {host or cluster.host: {"auth": text}}})
        data = {".dockerconfigjson": base64.b64encode(config.encode()).decode()}
        cluster.admin.patch(f"{cluster.core}/secrets/acrcreds", {"data": data}, _MERGE)

    return make


def _roles(registry: str | None, storage: str | None = "Storage Account Contributor") -> Callable[[Cluster], object]:
    def make(cluster: Cluster) -> None:
        arm, setup = cluster.stand.arm, cluster.setup
        if registry != "AcrPush":
            arm.revoke(setup.oid, "AcrPush")
            if registry:
                arm.assign(setup.oid, registry, setup.registry)
        if storage is None:
            arm.revoke(setup.oid, "Storage Account Contributor")

    return make


def _nodes(pool: Pool, *, there: bool = True, style: str = "classic") -> Callable[[Cluster], object]:
    """Have a pool in place of the node that is always there, whose nodes who checks may look at."""

    def make(cluster: Cluster) -> None:
        cluster.stand.control_plane.let_read_nodes(cluster.namespace)
        made = cluster.pools(pool, style=style, delay=3, interval=0.5)
        if there:
            made.add(pool.name)

    return make


def _without_pull_secret(cluster: Cluster) -> None:
    cluster.admin.patch(f"{cluster.core}/serviceaccounts/default-editor", {"imagePullSecrets": None}, _MERGE)


def _gone(path: str) -> Callable[[Cluster], object]:
    return lambda cluster: cluster.admin.delete(f"{cluster.core}/{path}")


def _shut(cluster: Cluster) -> None:
    """Close the way to the registries of the world, for notebooks and nodes alike."""
    for host in ("elsewhere.example.com",):
        cluster.stand.names.shut(host)


_RESTRICTED = {"pod_security": "restricted"}
_NO_WAIT = {"node_wait": "0"}
_ML = Pool("ml", cpu="8", memory="32Gi", taints=("dedicated=ml:NoSchedule",))
_GPU = Pool("gpu", cpu="8", memory="32Gi", gpus=1, taints=("sku=gpu:NoSchedule",))
_LARGE = Pool("large", cpu="8", memory="32Gi")

CONFIGURATIONS = (
    Configuration("nothing special", "nothing", builds=True),
    Configuration("Pod Security privileged", "security", _enforced("privileged"), builds=True),
    Configuration("restricted enforced, settings baseline", "security", _enforced("restricted")),
    Configuration("restricted enforced and kept to", "security", _enforced("restricted"), _RESTRICTED),
    Configuration("restricted enforced, Kaniko needed", "security", _enforced("restricted"), _RESTRICTED, builds=True),
    Configuration("restricted by choice only", "security", settings=_RESTRICTED),
    Configuration("LimitRange with defaults", "limits", _limits(default={"cpu": "2", "memory": "4Gi"}), builds=True),
    Configuration("LimitRange, most cores below", "limits", _limits(max={"cpu": "50m"}), {"cpu_limit": "200m"}),
    Configuration("LimitRange, most memory below", "limits", _limits(max={"memory": "256Mi"})),
    Configuration("LimitRange, build's memory above", "limits", _limits(max={"memory": "600Mi"}), builds=True),
    Configuration("LimitRange, least cores above", "limits", _limits(min={"cpu": "1"})),
    Configuration("LimitRange, ratio", "limits", _limits(maxLimitRequestRatio={"cpu": "2"}), {"cpu_limit": "2"}),
    Configuration(
        "LimitRange, ratio kept", "limits", _limits(maxLimitRequestRatio={"cpu": "4"}), {"cpu_limit": "300m"}
    ),
    Configuration("quota of no pods", "quota", _quota(pods="0")),
    Configuration("quota of many pods", "quota", _quota(pods="20"), builds=True),
    Configuration("quota on requests, too small", "quota", _quota(requests_cpu="50m", requests_memory="64Gi")),
    Configuration("quota on requests, enough", "quota", _quota(requests_cpu="8", requests_memory="64Gi"), builds=True),
    Configuration("quota on limits, none set", "quota", _quota(limits_cpu="8")),
    Configuration("quota on limits, one set", "quota", _quota(limits_cpu="8"), {"cpu_limit": "1"}, builds=True),
    Configuration("quota on memory limits, too small", "quota", _quota(limits_memory="64Mi")),
    Configuration("quota of no jobs", "quota", _quota(**{"count/jobs.batch": "0"})),
    Configuration("quota of no services", "quota", _quota(services="0")),
    Configuration("quota of no deployments", "quota", _quota(**{"count/deployments.apps": "0"})),
    Configuration("limits required, none set", "policy", _policy("limits")),
    Configuration("limits required and set", "policy", _policy("limits"), {"cpu_limit": "1"}, builds=True),
    Configuration("own registry allowed", "policy", _policy(own=True), builds=True),
    Configuration("another registry allowed", "policy", _policy(other=True)),
    Configuration("read-only root required", "policy", _policy("read-only-root")),
    Configuration("read-only root required and kept", "policy", _policy("read-only-root"), _RESTRICTED),
    Configuration("non-root required", "policy", _policy("non-root")),
    Configuration("non-root required and kept", "policy", _policy("non-root"), _RESTRICTED),
    Configuration("probes required", "policy", _policy("probes"), builds=True),
    Configuration(
        "all safeguards kept",
        "policy",
        _policy("limits", "read-only-root", "non-root", "probes", own=True),
        {**_RESTRICTED, "cpu_limit": "1"},
    ),
    Configuration("pull secret not on the service account", "pulls", _without_pull_secret, builds=True),
    Configuration("no such service account", "pulls", settings={"service_account": "trainer"}),
    Configuration("no registry Secret", "pulls", _gone("secrets/acrcreds")),
    Configuration("registry password wrong", "pulls", _login(password="last-years")),
    Configuration("login for another registry", "pulls", _login(host="other.azurecr.io")),
    Configuration("pull right only", "roles", _roles("AcrPull")),
    Configuration("no right at the registry", "roles", _roles(None)),
    Configuration("no right to the blobs", "roles", _roles("AcrPush", None), builds=True),
    Configuration("base image absent", "images", settings={"base_image": "{host}/base/python:2.0"}),
    Configuration("builder image absent", "images", settings={"builder_image": "{host}/tools/kaniko:0"}, builds=True),
    Configuration("way to the base image closed", "images", _shut, {"base_image": "elsewhere.example.com/python:3"}),
    Configuration(
        "way to the builder image closed",
        "images",
        _shut,
        {"builder_image": "elsewhere.example.com/kaniko:1"},
        builds=True,
    ),
    Configuration("a large node", "nodes", _nodes(_LARGE), _NO_WAIT),
    Configuration("nodes too small", "nodes", _nodes(Pool("small", cpu="50m")), _NO_WAIT),
    Configuration("taint not tolerated", "nodes", _nodes(_ML), _NO_WAIT),
    Configuration("taint tolerated", "nodes", _nodes(_ML), {**_NO_WAIT, "tolerations": "dedicated=ml:NoSchedule"}),
    Configuration("node selected", "nodes", _nodes(_LARGE), {**_NO_WAIT, "node_selector": "agentpool=large"}),
    Configuration("no node as selected", "nodes", _nodes(_LARGE), {**_NO_WAIT, "node_selector": "agentpool=none"}),
    Configuration("GPU pool with its taint", "nodes", _nodes(_GPU), {**_NO_WAIT, "gpus": 1}),
    Configuration("no node with a GPU", "nodes", _nodes(_LARGE), {**_NO_WAIT, "gpus": 1}),
    Configuration("pool at zero that grows", "nodes", _nodes(_LARGE, there=False)),
    Configuration("pool at zero that Karpenter grows", "nodes", _nodes(_LARGE, there=False, style="karpenter")),
)
"""The configurations one by one."""


def pairs(number: int, seed: int) -> list[tuple[Configuration, Configuration]]:
    """Return pairs of different aspects whose settings don't contradict each other, chosen by a seed."""
    chance = random.Random(seed)  # noqa: S311 - no secret: the same seed has to give the same pairs
    plain = [one for one in CONFIGURATIONS if one.aspect != "nothing"]
    found: list[tuple[Configuration, Configuration]] = []
    while len(found) < number:
        one, other = chance.sample(plain, 2)
        shared = one.settings.keys() & other.settings.keys()
        agree = all(one.settings[field] == other.settings[field] for field in shared)
        if one.aspect != other.aspect and agree and (one, other) not in found:
            found.append((one, other))
    return found
