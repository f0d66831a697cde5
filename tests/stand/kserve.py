"""A double of KServe's controller: it makes what an InferenceService becomes without Knative, and says how that is.

What it makes and says is what KServe's own does in the mode RawDeployment, as far as endpoints meet it:
https://github.com/kserve/kserve/tree/master/pkg/controller/v1beta1/inferenceservice , there
reconcilers/deployment/deployment_reconciler.go and reconcilers/service/service_reconciler.go for the objects,
reconcilers/ingress/kube_ingress_reconciler.go for the addresses, and
pkg/apis/serving/v1beta1/inference_service_status.go for the conditions. The CustomResourceDefinition is in
cluster_objects.py. There is no webhook, no autoscaler and no ingress.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .control_plane import Api, ControlPlane

Object = dict[str, Any]

_API = "/apis/serving.kserve.io/v1beta1"
_CONTAINER = "kserve-container"
_MODE = "serving.kserve.io/deploymentMode"
_LABEL = "serving.kserve.io/inferenceservice"
_LOCAL = ("networking.kserve.io/visibility", "cluster-local")
# The fields of a predictor that are not its pod's.
_EXTENSIONS = frozenset({"minReplicas", "maxReplicas", "timeout", "labels", "annotations"})
_ACCOUNT = "kserve-controller-manager"
_TURN_SECONDS = 0.2
# The garbage collector learns of a new API group only every 30 s.
_COLLECTED_SECONDS = 60


class KServe:
    """The controller, from its making until `close`.

    Args:
        control_plane: Where it works, in all namespaces.

    """

    def __init__(self, control_plane: ControlPlane) -> None:
        self.headless = False
        """Whether the Services have no address of their own, as `serviceClusterIPNone` makes them."""
        self.ingress_trouble = ""
        """What keeps IngressReady from being true."""
        self._api = control_plane.api(_token(control_plane))
        _wait_for_garbage_collection(self._api)
        self._paused, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="kserve-controller", daemon=True)
        self._thread.start()

    def pause(self) -> None:
        """Do nothing any more, as a controller that does not run."""
        self._paused.set()

    def close(self) -> None:
        """Stop, and wait until nothing is done any more; safe to repeat."""
        self._over.set()
        self._thread.join(30)
        self._api.close()

    def _run(self) -> None:
        while not self._over.wait(_TURN_SECONDS):
            if self._paused.is_set():
                continue
            # What is deleted meanwhile, or the API server's refusal of the moment: the next turn sees.
            with suppress(RuntimeError, OSError):
                for found in self._api.get(f"{_API}/inferenceservices")["items"]:
                    self._reconcile(found)

    def _reconcile(self, found: Object) -> None:
        metadata = found["metadata"]
        raw = metadata.get("annotations", {}).get(_MODE) == "RawDeployment"
        if "deletionTimestamp" in metadata or not raw:
            return
        try:
            made = self._made(found)
        except RuntimeError as error:
            conditions = [_condition("PredictorReady", "False", "ReconcileFailed", str(error))]
        else:
            conditions = [_predictor_ready(made), self._ingress_ready(metadata)]
        ready = all(one["status"] == "True" for one in conditions)
        conditions.append(_condition("Ready", "True" if ready else "False"))
        name, namespace = metadata["name"], metadata["namespace"]
        status: Object = {"conditions": conditions, "deploymentMode": "RawDeployment"}
        if ready:
            host = f"{name}-predictor.{namespace}.svc.cluster.local"
            status |= {"url": f"http://{name}-{namespace}.example.com", "address": {"url": f"http://{host}"}}
        before = {key: found.get("status", {}).get(key) for key in status}
        if before != status:
            path = f"{_API}/namespaces/{namespace}/inferenceservices/{name}/status"
            self._api.patch(path, {"status": status}, "application/merge-patch+json")

    def _made(self, found: Object) -> Object:
        """Make the Deployment and the Service where there are none; return the Deployment."""
        metadata, predictor = found["metadata"], found["spec"]["predictor"]
        pod = {name: value for name, value in predictor.items() if name not in _EXTENSIONS}
        names = [container["name"] for container in pod["containers"]]
        if names[0] != _CONTAINER:
            msg = f"the first container is {names[0]!r} and not {_CONTAINER!r}"
            raise RuntimeError(msg)
        about = _metadata(found)
        namespace, selector = metadata["namespace"], {"app": about["labels"]["app"]}
        template = {"metadata": {"labels": about["labels"], "annotations": about["annotations"]}, "spec": pod}
        deployment = {"metadata": about, "spec": {"selector": {"matchLabels": selector}, "template": template}}
        port = pod["containers"][0].get("ports", [{"containerPort": 8080}])[0]
        ports = [{"name": port.get("name"), "port": 80, "targetPort": port["containerPort"], "protocol": "TCP"}]
        service = {"metadata": about, "spec": {"selector": selector, "ports": ports}}
        if self.headless:
            service["spec"]["clusterIP"] = "None"
        made = self._once(f"/apis/apps/v1/namespaces/{namespace}/deployments", deployment)
        self._once(f"/api/v1/namespaces/{namespace}/services", service)
        return made

    def _once(self, collection: str, body: Object) -> Object:
        answer = self._api.call("GET", f"{collection}/{body['metadata']['name']}")
        if answer.ok:
            return dict(answer.json())
        answer = self._api.call("POST", collection, body, query={"fieldValidation": "Strict"})
        if not answer.ok:
            raise RuntimeError(answer.json()["message"])
        return dict(answer.json())

    def _ingress_ready(self, metadata: Object) -> Object:
        trouble = self.ingress_trouble
        if not trouble and metadata.get("labels", {}).get(_LOCAL[0]) != _LOCAL[1]:
            trouble = "the stand has no ingress"
        return _condition("IngressReady", "False" if trouble else "True", "IngressFailed" if trouble else "", trouble)


def _metadata(found: Object) -> Object:
    """Return the metadata of what is made for an InferenceService: its labels and annotations are handed on."""
    metadata = found["metadata"]
    name = f"{metadata['name']}-predictor"
    owner = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    labels = {**metadata.get("labels", {}), "app": f"isvc.{name}", "component": "predictor", _LABEL: metadata["name"]}
    return {
        "name": name,
        "labels": labels,
        "annotations": metadata.get("annotations", {}),
        "ownerReferences": [owner],
    }


def _predictor_ready(deployment: Object) -> Object:
    for one in deployment.get("status", {}).get("conditions", []):
        if one["type"] == "Available":
            return _condition("PredictorReady", one["status"], one["reason"], one["message"])
    return _condition("PredictorReady", "Unknown")


def _condition(kind: str, status: str, reason: str = "", message: str = "") -> Object:
    found = {"type": kind, "status": status, "reason": reason, "message": message}
    return {name: value for name, value in found.items() if value}


def _token(control_plane: ControlPlane) -> str:
    subject = {"kind": "ServiceAccount", "name": _ACCOUNT, "namespace": "kube-system"}
    binding = {
        "metadata": {"name": _ACCOUNT},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [subject],
    }
    # Those of a controller before this one are still there.
    admin = control_plane.admin
    admin.call("POST", "/api/v1/namespaces/kube-system/serviceaccounts", {"metadata": {"name": _ACCOUNT}})
    admin.call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding)
    return control_plane.token("kube-system", _ACCOUNT, seconds=24 * 3600)


def _wait_for_garbage_collection(api: Api) -> None:
    """Wait until what belongs to an InferenceService goes with it."""
    collection = f"{_API}/namespaces/default/inferenceservices"
    end = time.monotonic() + _COLLECTED_SECONDS
    while not (answer := api.call("GET", collection)).ok:
        # A binding acts as soon as the authorizer's watch has seen it.
        if time.monotonic() > end:
            raise RuntimeError(answer.text)
        time.sleep(0.05)
    body = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"generateName": "collected-"},
        "spec": {"predictor": {}},
    }
    name = api.post(collection, body)["metadata"]["name"]
    path = f"{collection}/{name}"
    api.call("DELETE", path, {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Foreground"})
    while api.call("GET", path).ok:
        if time.monotonic() > end:
            msg = f"{path} is not collected in {_COLLECTED_SECONDS} s"
            raise RuntimeError(msg)
        time.sleep(0.1)
