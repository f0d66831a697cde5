"""The ClusterRoles of a Kubeflow cluster: `kubeflow-edit` and `kubeflow-view` are put together from parts by labels.

Each part restates the verbs and resources of one file of a Kubeflow component; kube-controller-manager's
clusterrole-aggregation controller adds them up, as in a cluster. Nobody gets nodes, roles or writing of events.
Sources: common/kubeflow-roles/base/cluster-roles.yaml of https://github.com/kubeflow/manifests (kubernetes),
config/overlays/kubeflow/cluster-role.yaml of https://github.com/kserve/kserve v0.16.0 (kserve),
components/notebook-controller/config/rbac/user_cluster_roles.yaml (notebooks),
components/crud-web-apps/jupyter/manifests/base/cluster-role.yaml (notebook-ui) and
components/admission-webhook/manifests/base/cluster-role.yaml (poddefaults) of https://github.com/kubeflow/kubeflow,
manifests/overlays/kubeflow-platform/kubeflow-trainer-roles.yaml of https://github.com/kubeflow/trainer (trainer),
manifests/v1beta1/components/controller/rbac.yaml of https://github.com/kubeflow/katib (katib).
"""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]

_READ = ["get", "list", "watch"]
_WRITE = ["create", "delete", "deletecollection", "patch", "update"]
_ALL = [*_READ, *_WRITE]
_LABEL = "rbac.authorization.kubeflow.org/aggregate-to-{}"


def _rule(group: str, resources: str, verbs: list[str]) -> Object:
    return {"apiGroups": [group], "resources": resources.split(), "verbs": verbs}


_PODS = "pods/attach pods/exec pods/portforward pods/proxy"
_WORKLOADS = "daemonsets deployments deployments/scale replicasets replicasets/scale"
_STATUSES = "daemonsets/status deployments/status replicasets/status"
_EDIT: dict[str, list[Object]] = {
    "kubernetes": [
        _rule("", f"{_PODS} secrets services/proxy", _READ),
        _rule("", f"pods {_PODS}", _WRITE),
        _rule(
            "",
            "configmaps endpoints persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets"
            " serviceaccounts services services/proxy",
            _WRITE,
        ),
        _rule("apps", f"{_WORKLOADS} deployments/rollback statefulsets statefulsets/scale", _WRITE),
        _rule("autoscaling", "horizontalpodautoscalers", _WRITE),
        _rule("batch", "cronjobs jobs", _WRITE),
        _rule(
            "extensions",
            f"{_WORKLOADS} deployments/rollback ingresses networkpolicies replicationcontrollers/scale",
            _WRITE,
        ),
        _rule("policy", "poddisruptionbudgets", _WRITE),
        _rule("networking.k8s.io", "ingresses networkpolicies", _WRITE),
    ],
    "kserve": [
        _rule(
            "serving.kserve.io",
            "inferencegraphs inferenceservices servingruntimes trainedmodels llminferenceservices",
            _ALL,
        ),
        _rule("serving.knative.dev", "services routes configurations revisions", _ALL),
    ],
    "notebooks": [_rule("kubeflow.org", "notebooks notebooks/status", _ALL)],
    "notebook-ui": [
        _rule("kubeflow.org", "notebooks notebooks/finalizers poddefaults", ["get", "list", "create", "delete"])
    ],
    "trainer": [
        _rule("trainer.kubeflow.org", "clustertrainingruntimes trainingruntimes", _READ),
        _rule("trainer.kubeflow.org", "trainjobs", [verb for verb in _ALL if verb != "deletecollection"]),
        _rule("trainer.kubeflow.org", "trainjobs/status", ["get"]),
    ],
    "katib": [_rule("kubeflow.org", "experiments trials suggestions", _ALL)],
}
_VIEW: dict[str, list[Object]] = {
    "kubernetes": [
        _rule(
            "",
            "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers"
            " replicationcontrollers/scale serviceaccounts services services/status",
            _READ,
        ),
        _rule(
            "",
            "bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status"
            " resourcequotas resourcequotas/status namespaces",
            _READ,
        ),
        _rule(
            "apps",
            f"controllerrevisions {_WORKLOADS} {_STATUSES} statefulsets statefulsets/scale statefulsets/status",
            _READ,
        ),
        _rule("autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status", _READ),
        _rule("batch", "cronjobs cronjobs/status jobs jobs/status", _READ),
        _rule(
            "extensions",
            f"{_WORKLOADS} {_STATUSES} ingresses ingresses/status networkpolicies replicationcontrollers/scale",
            _READ,
        ),
        _rule("policy", "poddisruptionbudgets poddisruptionbudgets/status", _READ),
        _rule("networking.k8s.io", "ingresses ingresses/status networkpolicies", _READ),
    ],
    "kserve": [
        _rule(
            "serving.kserve.io",
            "inferencegraphs inferenceservices servingruntimes trainedmodels llminferenceservices",
            _READ,
        ),
        _rule("serving.knative.dev", "services routes configurations revisions", _READ),
    ],
    "notebooks": [_rule("kubeflow.org", "notebooks notebooks/status", _READ)],
    "notebook-ui": [
        _rule("kubeflow.org", "notebooks notebooks/finalizers poddefaults", ["get", "list"]),
        _rule("storage.k8s.io", "storageclasses", _READ),
    ],
    "poddefaults": [_rule("kubeflow.org", "poddefaults", _READ)],
    "trainer": [
        _rule("trainer.kubeflow.org", "clustertrainingruntimes trainingruntimes trainjobs", _READ),
        _rule("trainer.kubeflow.org", "trainjobs/status", ["get"]),
    ],
    "katib": [_rule("kubeflow.org", "experiments trials suggestions", _READ)],
}


def _role(name: str, labels: list[str], **more: Any) -> Object:
    metadata = {"name": name, "labels": {_LABEL.format(label): "true" for label in labels}}
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": metadata, **more}


def _aggregated(name: str, *labels: str) -> Object:
    rule = {"clusterRoleSelectors": [{"matchLabels": {_LABEL.format(name): "true"}}]}
    return _role(name, list(labels), aggregationRule=rule, rules=[])


def _granted(*parts: dict[str, list[Object]]) -> set[tuple[str, str, str]]:
    return {
        (group, resource, verb)
        for part in parts
        for rules in part.values()
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def complete(role: Object) -> bool:
    """Tell whether the controller has added up all parts of `kubeflow-edit` or `kubeflow-view`."""
    expected = _granted(_VIEW) if role["metadata"]["name"] == "kubeflow-view" else _granted(_VIEW, _EDIT)
    return _granted({"": role["rules"] or []}) >= expected


AGGREGATED = ("kubeflow-edit", "kubeflow-view")
CLUSTER_ROLES: tuple[Object, ...] = (
    # The parts come first, so that their sums are complete as soon as they are made.
    *(_role(f"kubeflow-{part}-view", ["kubeflow-view"], rules=rules) for part, rules in _VIEW.items()),
    *(_role(f"kubeflow-{part}-edit", ["kubeflow-edit"], rules=rules) for part, rules in _EDIT.items()),
    _aggregated("kubeflow-view", "kubeflow-edit"),
    _aggregated("kubeflow-edit", "kubeflow-admin"),
    _role("read-nodes", [], rules=[_rule("", "nodes", _READ)]),
)
