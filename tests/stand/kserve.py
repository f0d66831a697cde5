"""KServe's own controller and webhooks, built from its Go module, without Knative, Istio and an ingress.

Its objects are those of its release: the CustomResourceDefinitions of config/crd/full, the ConfigMap
inferenceservice-config of config/configmap and the webhooks of config/webhook, which are called at a loopback address
and not at a Service. https://github.com/kserve/kserve
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import requests
import yaml

from .processes import Server, free_port
from .programs import binaries

if TYPE_CHECKING:
    from pathlib import Path

    from .authority import Authority
    from .control_plane import Api, ControlPlane
    from .processes import Guard

Object = dict[str, Any]

_API = "/apis/serving.kserve.io/v1beta1"
_WEBHOOKS = "/apis/admissionregistration.k8s.io/v1"
_SETTINGS = "/api/v1/namespaces/kserve/configmaps/inferenceservice-config"
_ACCOUNT = "kserve-controller-manager"
_MERGE = "application/merge-patch+json"
_READY = 90
_GONE_SECONDS = 30
# The garbage collector learns of a new API group only every 30 s.
_COLLECTED_SECONDS = 60


class KServe:
    """The controller, from its making until `close`; nothing is done and no webhook is called until `resume`.

    Args:
        control_plane: Where it works, in all namespaces.
        authority: Signs its webhooks' certificate.
        folder: For its certificate and its log.
        guard: Ends it if this process can't.

    Raises:
        MissingError: It is not here and can't be built here.
        StartError: It did not start.

    """

    def __init__(self, control_plane: ControlPlane, authority: Authority, folder: Path, guard: Guard) -> None:
        files = binaries.kserve()
        began = time.monotonic()
        self._api = control_plane.admin
        _wait_for_garbage_collection(self._api)
        for path in files.definitions:
            _apply(self._api, path)
        self._make_settings(files.settings)
        port = free_port()
        self._webhooks = self._called_at(files.webhooks, authority.bundle.read_bytes(), port)
        # Of an attempt that has failed.
        shutil.rmtree(folder, ignore_errors=True)
        certificates = folder / "k8s-webhook-server" / "serving-certs"
        certificates.mkdir(parents=True)
        authority.write_pair(certificates, "tls")
        health = f"127.0.0.1:{free_port()}"
        command = [
            str(files.manager),
            "--metrics-addr=0",
            f"--webhook-port={port}",
            f"--health-probe-addr={health}",
        ]
        environment = {
            "KUBECONFIG": str(control_plane.kubeconfig(_token(control_plane), "kserve", path=folder / "kubeconfig")),
            "POD_NAMESPACE": "kserve",
            "TMPDIR": str(folder),
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(folder),
        }
        log = folder / "kserve-controller.log"
        self.server = Server(
            "KServe's controller",
            command,
            log=log,
            ready=lambda: _healthy(health),
            guard=guard,
            environment=environment,
            timeout=_READY,
        )
        self.servers = [self.server]
        self.pause()
        self.seconds = time.monotonic() - began

    def resume(self) -> None:
        """Have it work, with its own settings, and its webhooks called; safe to repeat."""
        self._signal(signal.SIGCONT)
        self._api.put(_SETTINGS, {**self._own_settings, "metadata": {"name": "inferenceservice-config"}})
        for kind, body in self._webhooks:
            self._api.call("POST", f"{_WEBHOOKS}/{kind}", body)

    def pause(self, *, webhooks: bool = False) -> None:
        """Have it do nothing, as a controller that does not run.

        Args:
            webhooks: Its webhooks are still called, and don't answer: nobody can make an InferenceService then.

        """
        if not webhooks:
            self._forget_webhooks()
        self._signal(signal.SIGSTOP)

    def set(self, part: str, **values: Any) -> None:
        """Change a part of its ConfigMap until the next `resume`, such as `ingress` or `deploy`."""
        known = json.loads(self._own_settings["data"].get(part, "{}"))
        self._api.patch(_SETTINGS, {"data": {part: json.dumps({**known, **values})}}, _MERGE)

    def clear(self) -> None:
        """Delete all InferenceServices and wait until it has let go of them; its webhooks could keep it from that."""
        self._forget_webhooks()
        self._signal(signal.SIGCONT)
        end = time.monotonic() + _GONE_SECONDS
        while found := self._api.get(f"{_API}/inferenceservices")["items"]:
            if time.monotonic() > end:
                names = ", ".join(one["metadata"]["name"] for one in found)
                msg = f"Waited {_GONE_SECONDS} s in vain for the end of {names}.\n{self.server.tail()}"
                raise RuntimeError(msg)
            for one in found:
                meta = one["metadata"]
                path = f"{_API}/namespaces/{meta['namespace']}/inferenceservices/{meta['name']}"
                self._api.call("DELETE", path)
            time.sleep(0.1)

    def close(self) -> None:
        """End it; safe to repeat."""
        self._signal(signal.SIGCONT)
        self.server.end()

    def _forget_webhooks(self) -> None:
        for kind, body in self._webhooks:
            self._api.call("DELETE", f"{_WEBHOOKS}/{kind}/{body['metadata']['name']}")

    def _make_settings(self, path: Path) -> None:
        self._api.call("POST", "/api/v1/namespaces", {"metadata": {"name": "kserve"}})
        self._own_settings = yaml.load(path.read_bytes(), yaml.CSafeLoader)
        del self._own_settings["data"]["_example"]
        self._api.call("POST", "/api/v1/namespaces/kserve/configmaps", self._own_settings)

    @staticmethod
    def _called_at(path: Path, bundle: bytes, port: int) -> list[tuple[str, Object]]:
        result = []
        for body in yaml.load_all(path.read_bytes(), yaml.CSafeLoader):
            for webhook in body["webhooks"]:
                place = webhook["clientConfig"]["service"]["path"]
                webhook["clientConfig"] = {
                    "url": f"https://127.0.0.1:{port}{place}",
                    "caBundle": base64.b64encode(bundle).decode(),
                }
            body["metadata"].pop("creationTimestamp", None)
            result.append((f"{body['kind'].lower()}s", body))
        return result

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.server.pid, number)


def _apply(api: Api, path: Path) -> None:
    body = yaml.load(path.read_bytes(), yaml.CSafeLoader)
    collection = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    name = body["metadata"]["name"]
    answer = api.call("GET", f"{collection}/{name}")
    if answer.ok:
        # The stand's own, which only makes the API group exist.
        body["metadata"]["resourceVersion"] = answer.json()["metadata"]["resourceVersion"]
        api.put(f"{collection}/{name}", body)
    else:
        api.post(collection, body)


def _healthy(address: str) -> bool:
    session = requests.Session()
    session.trust_env = False
    with session:
        try:
            return session.get(f"http://{address}/readyz", timeout=2).ok
        except requests.RequestException:
            return False


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
