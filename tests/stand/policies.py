"""Rules that a cluster's administrator has set: policies, limits, quotas, webhooks; each for one namespace.

The policies are what Azure Policy for Kubernetes and AKS's deployment safeguards enforce most, written as
ValidatingAdmissionPolicies: https://learn.microsoft.com/azure/aks/deployment-safeguards and
https://learn.microsoft.com/azure/aks/policy-reference . Those of Azure are enforced by a webhook of Gatekeeper's; the
refusals are alike ('... denied the request: ...'), and both judge dry runs.
"""

from __future__ import annotations

import copy
import socket
import time
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from .control_plane import Api

Object = dict[str, Any]
Rule = Literal["limits", "registries", "read-only-root", "non-root", "probes"]

_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
_LABEL = "stand/policy-"
_MERGE = "application/merge-patch+json"
_SECONDS = 20
_SEEN = 2
_ALL = "variables.containers.all(c, {})"
_RULES: dict[str, tuple[str, str]] = {
    "limits": (
        _ALL.format("has(c.resources) && has(c.resources.limits) && ['cpu', 'memory'].all(r, r in c.resources.limits)"),
        "all containers must have cpu and memory limits",
    ),
    "registries": (
        _ALL.format("params.data.allowed.split(',').exists(r, c.image.startsWith(r + '/'))"),
        "container images must come from an allowed registry",
    ),
    "read-only-root": (
        _ALL.format(
            "has(c.securityContext) && has(c.securityContext.readOnlyRootFilesystem) && "
            "c.securityContext.readOnlyRootFilesystem"
        ),
        "only a read-only root file system is allowed for containers",
    ),
    "non-root": (
        _ALL.format(
            "has(c.securityContext) && has(c.securityContext.runAsNonRoot) ? c.securityContext.runAsNonRoot : "
            "has(object.spec.securityContext) && has(object.spec.securityContext.runAsNonRoot) && "
            "object.spec.securityContext.runAsNonRoot"
        ),
        "containers must not run as root",
    ),
    "probes": (
        # Of every pod, a Job's too; init containers can't have any.
        "object.spec.containers.all(c, has(c.livenessProbe) && has(c.readinessProbe))",
        "containers must have a liveness probe and a readiness probe",
    ),
}
_PARAMETERS = "allowed-registries"
_PROBE: Object = {"tcpSocket": {"port": 1}}
_BETTER: Object = {
    "metadata": {"generateName": "policy-"},
    "spec": {
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "main",
                "resources": {"limits": {"cpu": "1m", "memory": "1Mi"}, "requests": {"cpu": "1m", "memory": "1Mi"}},
                "livenessProbe": _PROBE,
                "readinessProbe": _PROBE,
                "securityContext": {
                    "readOnlyRootFilesystem": True,
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
    },
}


class Policies:
    """What administrators set; what would reach further than its namespace is taken away again.

    Args:
        api: The API server, as its administrator sees it.

    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._made: list[str] = []
        self._listeners: list[socket.socket] = []

    def require(self, namespace: str, *rules: Rule, registries: tuple[str, ...] = ()) -> None:
        """Refuse pods of a namespace that break a rule; return when the API server does.

        Args:
            namespace: The namespace.
            rules: The rules; `registries` is added where there are some.
            registries: The hosts that images may come from.

        """
        wanted = tuple(dict.fromkeys([*rules, *(["registries"] if registries else [])]))
        if registries:
            data = {"metadata": {"name": _PARAMETERS}, "data": {"allowed": ",".join(registries)}}
            self._api.post(f"/api/v1/namespaces/{namespace}/configmaps", data)
        for rule in wanted:
            self._define(rule)
            self._label(namespace, rule, "true")
        for rule in wanted:
            self._await(namespace, rule, registries)

    def relax(self, namespace: str, *rules: Rule) -> None:
        """Take rules of a namespace away again; pods may be refused for a moment yet."""
        for rule in rules:
            self._label(namespace, rule, None)

    def limit_range(self, namespace: str, **limits: Any) -> None:
        """Make a LimitRange for containers: `max`, `min`, `default`, `defaultRequest`, `maxLimitRequestRatio`."""
        body = {"metadata": {"name": "limits"}, "spec": {"limits": [{"type": "Container", **limits}]}}
        self._api.post(f"/api/v1/namespaces/{namespace}/limitranges", body)

    def quota(self, namespace: str, name: str = "team", **hard: str) -> None:
        """Make a ResourceQuota and return when it counts.

        Args:
            namespace: The namespace.
            name: Its name.
            hard: What there may be, with `_` for `.`: `limits_cpu="4"`, `requests_memory="8Gi"`, `pods="10"`.

        """
        wanted = {key.replace("_", "."): value for key, value in hard.items()}
        path = f"/api/v1/namespaces/{namespace}/resourcequotas"
        self._api.post(path, {"metadata": {"name": name}, "spec": {"hard": wanted}})
        self._until(lambda: self._api.get(f"{path}/{name}").get("status", {}).get("used"), f"quota {name}")

    def silent_webhook(self, namespace: str, *resources: str, hangs: bool = False, seconds: int = 1) -> str:
        """Have a webhook asked that does not answer; return the name to take it away by.

        Args:
            namespace: For which objects.
            resources: Of which kinds; pods if none is given.
            hangs: It takes the connection and says nothing; else nobody listens.
            seconds: The API server's patience.

        """
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        if hangs:
            self._listeners.append(listener)
        else:
            listener.close()
        name = f"silent-{namespace}.example.com"
        groups = {"jobs": "batch", "deployments": "apps"}
        rules = [
            {
                "apiGroups": [groups.get(resource, "")],
                "apiVersions": ["v1"],
                "operations": ["CREATE"],
                "resources": [resource],
            }
            for resource in resources or ("pods",)
        ]
        webhook = {
            "name": name,
            "clientConfig": {"url": f"https://127.0.0.1:{port}/validate"},
            "rules": rules,
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "failurePolicy": "Fail",
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "timeoutSeconds": seconds,
        }
        path = f"{_ADMISSION}/validatingwebhookconfigurations"
        self._api.post(path, {"metadata": {"name": name}, "webhooks": [webhook]})
        self._made.append(f"{path}/{name}")
        if resources and "pods" not in resources:
            # Nothing tells that the API server has seen it.
            time.sleep(_SEEN)
            return name
        pod = copy.deepcopy(_BETTER)
        self._until(lambda: "failed calling webhook" in self._tried(namespace, pod, "x/y"), f"webhook {name}")
        return name

    def end_webhook(self, name: str) -> None:
        """Take a webhook away."""
        self._api.call("DELETE", f"{_ADMISSION}/validatingwebhookconfigurations/{name}")

    def close(self) -> None:
        """Take all webhooks away; safe to repeat."""
        for path in reversed(self._made):
            self._api.call("DELETE", path)
        for listener in self._listeners:
            listener.close()
        self._made, self._listeners = [], []

    def _define(self, rule: str) -> None:
        expression, message = _RULES[rule]
        name = f"safeguard-{rule}"
        containers = "object.spec.containers + (has(object.spec.initContainers) ? object.spec.initContainers : [])"
        pods = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
        spec: Object = {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [pods]},
            "variables": [{"name": "containers", "expression": containers}],
            "validations": [{"expression": expression, "message": message}],
        }
        binding: Object = {
            "policyName": name,
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": {f"{_LABEL}{rule}": "true"}}},
        }
        if rule == "registries":
            spec["paramKind"] = {"apiVersion": "v1", "kind": "ConfigMap"}
            binding["paramRef"] = {"name": _PARAMETERS, "parameterNotFoundAction": "Deny"}
        for kind, body in (("validatingadmissionpolicies", spec), ("validatingadmissionpolicybindings", binding)):
            path = f"{_ADMISSION}/{kind}"
            # They stay: they bind labelled namespaces only, and a policy that is made anew finds no parameters.
            self._api.call("POST", path, {"metadata": {"name": name}, "spec": body})

    def _label(self, namespace: str, rule: str, value: str | None) -> None:
        body = {"metadata": {"labels": {f"{_LABEL}{rule}": value}}}
        self._api.patch(f"/api/v1/namespaces/{namespace}", body, _MERGE)

    def _await(self, namespace: str, rule: str, registries: tuple[str, ...]) -> None:
        pod = copy.deepcopy(_BETTER)
        [container] = pod["spec"]["containers"]
        image = f"{registries[0]}/x" if registries else "x/y"
        if rule == "limits":
            del container["resources"]
        elif rule == "registries":
            image = "elsewhere.example.com/x"
        elif rule == "read-only-root":
            del container["securityContext"]["readOnlyRootFilesystem"]
        elif rule == "non-root":
            # Enforced `restricted` refuses that, too.
            del pod["spec"]["securityContext"]["runAsNonRoot"]
        else:
            del container["livenessProbe"]
        self._until(lambda: "forbidden" in self._tried(namespace, pod, image), f"policy {rule}")
        if rule == "registries":
            # The API server learns of the parameters a moment later, and denies everything until then.
            allowed = f"{registries[0]}/x"
            self._until(lambda: "parameter" not in self._tried(namespace, copy.deepcopy(_BETTER), allowed), rule)

    def _tried(self, namespace: str, pod: Object, image: str) -> str:
        pod["spec"]["containers"][0]["image"] = image
        path = f"/api/v1/namespaces/{namespace}/pods"
        answer = self._api.call("POST", path, pod, query={"dryRun": "All"})
        return "" if answer.ok else answer.text

    @staticmethod
    def _until(done: Any, what: str) -> None:
        end = time.monotonic() + _SECONDS
        while not done():
            if time.monotonic() > end:
                msg = f"Waited {_SECONDS} s in vain for {what}."
                raise RuntimeError(msg)
            time.sleep(0.1)
