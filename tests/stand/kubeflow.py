"""Kubeflow's own resources on the stand's API server: Notebook and PodDefault.

Kubeflow generates their schemas from Go types whose every field is Kubernetes' own. Here they are put together again
from the same types as the running API server publishes them (/openapi/v3/api/v1), so that a field that Kubernetes does
not know, or of a wrong type, is refused as a Kubeflow cluster refuses it. The types:
components/notebook-controller/api/v1/notebook_types.go and
components/admission-webhook/pkg/apis/settings/v1alpha1/poddefault_types.go of https://github.com/kubeflow/kubeflow .
There is neither controller nor webhook.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .control_plane import Api

Object = dict[str, Any]

_CORE = "io.k8s.api.core.v1."
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_REFERENCE = "#/components/schemas/"
_SERVED_SECONDS = 30
_INT_OR_STRING: Object = {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}
# What a structural schema says in another way, or leaves open as controller-gen does.
_INSTEAD: Object = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": _INT_OR_STRING,
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": _INT_OR_STRING,
    f"{_META}ObjectMeta": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
}
# Words of OpenAPI as Kubernetes publishes it that a CustomResourceDefinition does not have, or does not need.
_LEFT_OUT = frozenset(
    {"description", "x-kubernetes-patch-merge-key", "x-kubernetes-patch-strategy", "x-kubernetes-unions"}
)
_TEXT: Object = {"type": "string"}
_TEXTS: Object = {"type": "object", "additionalProperties": _TEXT}
_LISTS = {
    "env": "EnvVar",
    "envFrom": "EnvFromSource",
    "imagePullSecrets": "LocalObjectReference",
    "initContainers": "Container",
    "sidecars": "Container",
    "tolerations": "Toleration",
    "volumeMounts": "VolumeMount",
    "volumes": "Volume",
}


def serve(api: Api) -> None:
    """Let the API server serve Notebook (v1) and PodDefault (v1alpha1); safe to repeat.

    Args:
        api: The API server, as its administrator sees it.

    Raises:
        RuntimeError: It refused the definitions, or does not serve them in time.

    """
    schemas = api.get("/openapi/v3/api/v1")["components"]["schemas"]
    for kind, version, spec in (
        ("Notebook", "v1", _notebook(schemas)),
        ("PodDefault", "v1alpha1", _pod_default(schemas)),
    ):
        body = _definition(kind, version, spec)
        collection = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        answer = api.call("POST", collection, body, query={"fieldValidation": "Strict"})
        if not answer.ok and answer.json()["reason"] != "AlreadyExists":
            raise RuntimeError(answer.json()["message"])
        path = f"/apis/kubeflow.org/{version}/{body['spec']['names']['plural']}"
        end = time.monotonic() + _SERVED_SECONDS
        while not api.call("GET", path).ok:
            if time.monotonic() > end:
                msg = f"{path} is not served in {_SERVED_SECONDS} s"
                raise RuntimeError(msg)
            time.sleep(0.05)


def structural(schema: Object, schemas: Object) -> Object:
    """Return a published schema as a CustomResourceDefinition takes it: without references.

    Args:
        schema: The schema.
        schemas: All that it may refer to, by name.

    """
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_REFERENCE)
        return dict(_INSTEAD[name]) if name in _INSTEAD else structural(schemas[name], schemas)
    result: Object = {}
    for word, value in schema.items():
        if word in _LEFT_OUT or (word == "default" and value == {}):
            continue
        if word == "allOf":
            # Kubernetes writes so that a reference has a description of its own.
            for part in value:
                result.update(structural(part, schemas))
        elif word == "properties":
            result[word] = {name: structural(part, schemas) for name, part in value.items()}
        elif word in ("items", "additionalProperties") and isinstance(value, dict):
            # An item's default is never applied, and Kubernetes publishes some that are no value of their type.
            result[word] = {key: part for key, part in structural(value, schemas).items() if key != "default"}
        else:
            result[word] = value
    for name in schema.get("required", ()):
        # With a default, a field that is required could be left out.
        result["properties"][name].pop("default", None)
    return result


def _notebook(schemas: Object) -> Object:
    pod = structural(schemas[f"{_CORE}PodSpec"], schemas)
    template = {"type": "object", "properties": {"spec": pod}}
    return {"type": "object", "properties": {"template": template}}


def _pod_default(schemas: Object) -> Object:
    lists = {
        name: {"type": "array", "items": structural(schemas[_CORE + kind], schemas)} for name, kind in _LISTS.items()
    }
    words = {"type": "array", "items": _TEXT}
    properties = {
        "annotations": _TEXTS,
        "args": words,
        "automountServiceAccountToken": {"type": "boolean"},
        "command": words,
        "desc": _TEXT,
        "labels": _TEXTS,
        "selector": structural(schemas[f"{_META}LabelSelector"], schemas),
        "serviceAccountName": _TEXT,
        **lists,
    }
    return {"type": "object", "required": ["selector"], "properties": properties}


def _definition(kind: str, version: str, spec: Object) -> Object:
    singular = kind.lower()
    names = {"kind": kind, "listKind": f"{kind}List", "plural": f"{singular}s", "singular": singular}
    status = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": spec, "status": status}}
    served = {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names['plural']}.kubeflow.org"},
        "spec": {"group": "kubeflow.org", "scope": "Namespaced", "names": names, "versions": [served]},
    }
