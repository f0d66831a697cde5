"""What the cluster's rules refuse: Pod Security, LimitRanges, quotas on limits, policies."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from .fault import Make, fault

if TYPE_CHECKING:
    from tests.preflight.scene import Scene

_POLICIES = "/apis/admissionregistration.k8s.io/v1"
_OWN = "object.spec.containers.all(c, !c.image.startsWith('ghcr.io/'))"
_LIMITS = "object.spec.containers.all(c, has(c.resources.limits) && 'cpu' in c.resources.limits)"
_PRIVATE = "object.spec.type != 'LoadBalancer'"


def until_refused(scene: Scene, body: dict[str, Any], path: str = "/api/v1", plural: str = "pods") -> None:
    """Wait until the API server, which watches its own rules, has seen one that does not take an object."""
    admin, end = scene.stand.control_plane.admin, time.monotonic() + 30
    address = f"{path}/namespaces/{scene.setup.namespace}/{plural}"
    while admin.call("POST", address, body, query={"dryRun": "All"}).ok:
        assert time.monotonic() < end, "the rule does not act"
        time.sleep(0.05)


def pod(image: str = "ghcr.io/x/y:1", **resources: Any) -> dict[str, Any]:
    """Return a pod that keeps to no rule."""
    spec = {"containers": [{"name": "x", "image": image, "resources": resources}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "judged"}, "spec": spec}


def level(name: str) -> Make:
    """Let the namespace enforce a Pod Security Standard."""

    def make(scene: Scene) -> None:
        labels = {"pod-security.kubernetes.io/enforce": name}
        path = f"/api/v1/namespaces/{scene.setup.namespace}"
        scene.stand.control_plane.admin.patch(path, {"metadata": {"labels": labels}})
        until_refused(scene, {**pod(), "spec": {**pod()["spec"], "hostNetwork": True}})

    return make


def limit_range(**rule: dict[str, str]) -> Make:
    """Give the namespace a LimitRange for containers."""

    def make(scene: Scene) -> None:
        spec = {"limits": [{"type": "Container", **rule}]}
        scene.api("POST", "limitranges", {"metadata": {"name": "bounds"}, "spec": spec})
        _until_ranged(scene)

    return make


def _until_ranged(scene: Scene) -> None:
    """Wait until the API server has seen the LimitRange: a pod is then refused, or gets what it does not name."""
    admin, end = scene.stand.control_plane.admin, time.monotonic() + 30
    address = f"/api/v1/namespaces/{scene.setup.namespace}/pods"
    while time.monotonic() < end:
        answer = admin.call("POST", address, pod(), query={"dryRun": "All"})
        if not answer.ok or answer.json()["spec"]["containers"][0]["resources"]:
            return
        time.sleep(0.05)
    msg = "the LimitRange does not act"
    raise AssertionError(msg)


def quota(**hard: str) -> Make:
    """Give the namespace a quota, and wait until it counts."""

    def make(scene: Scene) -> None:
        names = {name: name.replace("count_", "count/").replace("_", ".") for name in hard}
        spec = {"hard": {names[name]: value for name, value in hard.items()}}
        scene.api("POST", "resourcequotas", {"metadata": {"name": "team"}, "spec": spec})
        admin, end = scene.stand.control_plane.admin, time.monotonic() + 30
        path = f"/api/v1/namespaces/{scene.setup.namespace}/resourcequotas/team"
        while not admin.get(path).get("status", {}).get("used") and time.monotonic() < end:
            time.sleep(0.05)

    return make


def policy(name: str, rule: str, says: str, *, group: str = "", plural: str = "pods", **judged: Any) -> Make:
    """Let a ValidatingAdmissionPolicy judge a kind of object of the namespace, as Azure Policy's rules do."""

    def make(scene: Scene) -> None:
        admin, own = scene.stand.control_plane.admin, f"{name}-{scene.setup.namespace}"
        matched = {
            "resourceRules": [
                {"apiGroups": [group], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": [plural]}
            ]
        }
        spec = {"matchConstraints": matched, "validations": [{"expression": rule, "message": says}]}
        admin.post(f"{_POLICIES}/validatingadmissionpolicies", {"metadata": {"name": own}, "spec": spec})
        here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": scene.setup.namespace}}}
        bound = {"policyName": own, "validationActions": ["Deny"], "matchResources": here}
        admin.post(f"{_POLICIES}/validatingadmissionpolicybindings", {"metadata": {"name": own}, "spec": bound})
        until_refused(scene, judged.get("body") or pod(), judged.get("path", "/api/v1"), plural)

    return make


def having(make: Make, **values: Any) -> Make:
    """Change settings besides."""

    def both(scene: Scene) -> None:
        scene.settings.update(values)
        make(scene)

    return both


_PUBLIC_SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "judged"},
    "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
}

FAULTS = [
    fault(
        "launch.job",
        "a quota counts limits",
        "the namespace has a quota on `limits.cpu`, and pods without a processor limit are rejected",
        "fairing-azure fill train.ipynb --cpu-limit 1",
        quota(limits_cpu="8"),
        code="quota-on-limits",
    ),
    fault(
        "launch.endpoint",
        "a quota has no endpoint left",
        "the namespace's quota on Deployments or Services is used up",
        "kubectl -n {namespace} describe quota team",
        quota(count_deployments_apps="0"),
        code="quota",
    ),
    fault(
        "launch.job",
        "a LimitRange allows less",
        "a LimitRange allows containers less than a job asks for",
        "fairing-azure fill train.ipynb --memory 1Gi",
        having(limit_range(max={"memory": "1Gi"}), FAIRING_BUILD_MEMORY="512Mi"),
        code="limit-range",
    ),
    fault(
        "launch.job",
        "a LimitRange limits what is not limited",
        "a LimitRange gives containers a processor limit that is below what a job asks for",
        "fairing-azure fill train.ipynb --cpu-limit 1",
        limit_range(default={"cpu": "500m"}, defaultRequest={"cpu": "100m"}),
        code="limit-range",
    ),
    fault(
        "launch.build",
        "a LimitRange allows less to builds",
        "a LimitRange allows containers less than a build asks for",
        "fairing-azure fill train.ipynb --build-memory 3Gi",
        limit_range(max={"memory": "3Gi"}),
        code="limit-range",
    ),
    fault(
        "launch.job",
        "the namespace enforces restricted",
        "the namespace enforces the Pod Security Standard `restricted`",
        "fairing-azure fill train.ipynb --pod-security restricted",
        level("restricted"),
        also=("launch.build",),
        code="pod-security",
    ),
    fault(
        "launch.build",
        "restricted pods build nothing",
        "FAIRING_POD_SECURITY is restricted, and Kaniko builds images as root",
        "fairing-azure fill train.ipynb --builder acr-tasks",
        having(level("restricted"), FAIRING_POD_SECURITY="restricted"),
        code="pod-security",
    ),
    fault(
        "launch.job",
        "a policy wants limits",
        "a policy of the cluster (Azure Policy, deployment safeguards) wants a processor limit",
        "fairing-azure fill train.ipynb --cpu-limit 1",
        policy("limits", _LIMITS, "container has no cpu limits"),
        code="policy",
    ),
    fault(
        "launch.build",
        "a policy does not allow the builder's registry",
        "a policy of the cluster does not allow images of the builder's registry",
        "az acr import --name {registry} --source ghcr.io/osscontainertools/kaniko:v1.28.3",
        policy("registries", _OWN, "image is not from an allowed registry"),
        code="policy",
    ),
    fault(
        "launch.endpoint",
        "a policy allows no public addresses",
        "a policy of the cluster allows no Service with a public address",
        "Ask the owner of the policy",
        having(
            policy("private", _PRIVATE, "no public load balancers", plural="services", body=_PUBLIC_SERVICE),
            FAIRING_SERVICE_TYPE="LoadBalancer",
        ),
        code="policy",
    ),
]
