"""A real Kubernetes control plane on loopback: etcd, kube-apiserver and kube-controller-manager, without nodes."""

from __future__ import annotations

import json
import os
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from . import cluster_objects, kubeflow_roles
from .processes import Server, StartError, on_free_port
from .programs import binaries

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .authority import Authority
    from .cluster_objects import Object
    from .processes import Guard

ISSUER = "https://kubernetes.default.svc.cluster.local"
_CONTROLLERS = (
    "serviceaccount-controller",
    "root-ca-certificate-publisher-controller",
    "namespace-controller",
    "job-controller",
    "deployment-controller",
    "replicaset-controller",
    "garbage-collector-controller",
    "ttl-after-finished-controller",
    "resourcequota-controller",
    "clusterrole-aggregation-controller",
)
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_READY = 90
# Go's garbage collector takes a seventh of the API server's time at 100, its default; this costs 100 MB.
_GARBAGE = "200"


@dataclass(frozen=True)
class Profile:
    """A Kubeflow profile: a namespace, and what its notebooks run as.

    Args:
        namespace: Its name.
        editor: A token of ServiceAccount `default-editor`.
        viewer: A token of ServiceAccount `default-viewer`.

    """

    namespace: str
    editor: str
    viewer: str


class Api:
    """The API server as one caller sees it: paths in, JSON out.

    Args:
        url: Where it listens.
        bundle: The CA that signed its certificate.
        token: Who calls.

    """

    def __init__(self, url: str, bundle: Path, token: str) -> None:
        self._url = url
        self._session = requests.Session()
        # Otherwise REQUESTS_CA_BUNDLE, which tests set, would win over this CA.
        self._session.trust_env = False
        self._session.verify = str(bundle)
        self._session.headers["Authorization"] = f"Bearer {token}"

    def call(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        *,
        kind: str = "application/json",
        query: dict[str, str] | None = None,
    ) -> requests.Response:
        """Call and return the answer, whatever its status."""
        data = None if body is None else json.dumps(body)
        headers = {"Content-Type": kind} if body is not None else {}
        return self._session.request(method, self._url + path, data=data, headers=headers, params=query, timeout=30)

    def get(self, path: str, **query: str) -> Object:
        """Return an object or a list."""
        return self._content(self.call("GET", path, query=query))

    def post(self, path: str, body: Object) -> Object:
        """Create an object and return it."""
        return self._content(self.call("POST", path, body))

    def put(self, path: str, body: Object) -> Object:
        """Replace an object and return it."""
        return self._content(self.call("PUT", path, body))

    def patch(self, path: str, body: Object, kind: str = "application/strategic-merge-patch+json") -> Object:
        """Patch an object and return it."""
        return self._content(self.call("PATCH", path, body, kind=kind))

    def delete(self, path: str) -> Object:
        """Delete an object or a collection."""
        return self._content(self.call("DELETE", path))

    def may(self, verb: str, resource: str, namespace: str, group: str = "") -> bool:
        """Ask the API server whether the caller may do something (SelfSubjectAccessReview)."""
        attributes = {"namespace": namespace, "verb": verb, "resource": resource, "group": group}
        if "/" in resource:
            attributes["resource"], attributes["subresource"] = resource.split("/")
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        return bool(self.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body)["status"]["allowed"])

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    @staticmethod
    def _content(answer: requests.Response) -> Object:
        if not answer.ok:
            msg = f"{answer.request.method} {answer.request.path_url}: {answer.status_code} {answer.text}"
            raise RuntimeError(msg)
        return dict(answer.json())


class ControlPlane:
    """etcd, kube-apiserver and kube-controller-manager, from its making until `close`.

    Args:
        authority: Signs the API server's certificate.
        folder: For data, keys and logs.
        guard: Ends the servers if this process can't.

    Raises:
        MissingError: The programs are not here and can't be made here.
        StartError: One of them did not start; the text has its last log lines.

    """

    def __init__(self, authority: Authority, folder: Path, guard: Guard) -> None:
        self._programs = binaries.control_plane()
        self._authority = authority
        self._folder = folder
        self._guard = guard
        self._nodes: list[str] = []
        self._admin_token = secrets.token_urlsafe(24)
        self._apis: list[Api] = []
        self.servers: list[Server] = []
        folder.mkdir()
        self.service_account_key = self._write_keys()
        began = time.monotonic()
        try:
            etcd, self._etcd_port = on_free_port(self._start_etcd)
            self.servers.append(etcd)
            apiserver, self.port = on_free_port(self._start_apiserver)
            self.servers.append(apiserver)
            self.url = f"https://127.0.0.1:{self.port}"
            self.admin = self.api(self._admin_token)
            self._define()
            self.servers.append(self._start_controller_manager())
            self._prepare()
        except BaseException:
            self.close()
            raise
        self.seconds = time.monotonic() - began

    def api(self, token: str) -> Api:
        """Return the API server as the owner of a token sees it."""
        api = Api(self.url, self._authority.bundle, token)
        self._apis.append(api)
        return api

    def profile(self, name: str, role: str | None = "kubeflow-edit", *, pod_security: str = "baseline") -> Profile:
        """Make a namespace as Kubeflow's profile controller does.

        Args:
            name: The namespace, which must not exist.
            role: The ClusterRole of `default-editor` there: kubeflow-edit, kubeflow-view, or None for no rights at all.
            pod_security: The Pod Security level that is enforced there: privileged, baseline or restricted.

        """
        base = f"/api/v1/namespaces/{name}"
        self.admin.post("/api/v1/namespaces", cluster_objects.namespace(name, pod_security))
        for account, bound in (("default-editor", role), ("default-viewer", "kubeflow-view")):
            self.admin.post(f"{base}/serviceaccounts", {"metadata": {"name": account}})
            if bound:
                body = cluster_objects.role_binding(name, account, bound)
                self.admin.post(f"{_RBAC}/namespaces/{name}/rolebindings", body)
        profile = Profile(name, self.token(name, "default-editor"), self.token(name, "default-viewer"))
        # A binding acts as soon as the authorizer's watch has seen it, some milliseconds after it was stored.
        self._wait(lambda: self._may_list_pods(profile.viewer, name), f"the rights of default-viewer in {name}")
        if role:
            self._wait(lambda: self._may_list_pods(profile.editor, name), f"the rights of default-editor in {name}")
        return profile

    def token(self, namespace: str, account: str, *, seconds: int = 3600, audiences: tuple[str, ...] = ()) -> str:
        """Return a token of a service account, by TokenRequest.

        Args:
            namespace: Where the account is.
            account: Its name.
            seconds: How long it is good for; 600 at least.
            audiences: Whom it is for; the API server itself if empty. Workload identity's is
                `api://AzureADTokenExchange`.

        """
        spec: Object = {"expirationSeconds": seconds}
        if audiences:
            spec["audiences"] = list(audiences)
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        return str(self.admin.post(path, {"spec": spec})["status"]["token"])

    def let_read_nodes(self, namespace: str, account: str = "default-editor") -> None:
        """Let a service account read nodes, as no Kubeflow role does."""
        body = cluster_objects.role_binding(namespace, account, "read-nodes")
        body["kind"] = "ClusterRoleBinding"
        body["metadata"] = {"name": f"read-nodes-{namespace}-{account}"}
        self.admin.post(f"{_RBAC}/clusterrolebindings", body)
        api = self.api(self.token(namespace, account))
        self._wait(lambda: api.call("GET", "/api/v1/nodes").ok, f"the right of {account} to read nodes")

    def node(self, name: str, *, cpu: str = "4", memory: str = "16Gi", pods: int = 110, **labels: str) -> None:
        """Make a node that is ready; no kubelet runs on it."""
        body, status = cluster_objects.node(name, cpu, memory, pods, labels)
        self.admin.post("/api/v1/nodes", body)
        self._nodes.append(name)
        self.admin.patch(f"/api/v1/nodes/{name}/status", status)
        # Admission taints a new node as not ready; what would take that away is not run here.
        self.admin.patch(f"/api/v1/nodes/{name}", {"spec": {"taints": []}}, "application/merge-patch+json")

    def remove_nodes(self) -> None:
        """Take away the nodes that tests have made with `node`; what runs pods counts its own."""
        while self._nodes:
            self.admin.call("DELETE", f"/api/v1/nodes/{self._nodes.pop()}")

    def set_pod_phase(self, namespace: str, name: str, phase: str) -> None:
        """Say how a pod is, as its kubelet would: Running, Succeeded or Failed."""
        self.admin.patch(f"/api/v1/namespaces/{namespace}/pods/{name}/status", {"status": {"phase": phase}})

    def in_cluster(self, folder: Path, token: str, namespace: str, *, port: int | None = None) -> dict[str, str]:
        """Write what a pod finds below /var/run/secrets/kubernetes.io/serviceaccount.

        Args:
            folder: Gets `token`, `ca.crt` and `namespace`.
            token: The service account's.
            namespace: The pod's.
            port: Where the API server is to be reached, such as a front with faults; its own port if None.

        Returns:
            The environment variables that name the API server.

        """
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "token").write_text(token)
        (folder / "ca.crt").write_bytes(self._authority.bundle.read_bytes())
        (folder / "namespace").write_text(namespace)
        return {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(port or self.port)}

    def kubeconfig(self, token: str, namespace: str, *, path: Path | None = None, port: int | None = None) -> Path:
        """Write a kubeconfig and return its path; see `in_cluster` for the port."""
        path = path or self._folder / f"kubeconfig-{secrets.token_hex(4)}"
        cluster = {
            "server": f"https://127.0.0.1:{port or self.port}",
            "certificate-authority": str(self._authority.bundle),
        }
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "stand", "cluster": cluster}],
            "users": [{"name": "caller", "user": {"token": token}}],
            "contexts": [{"name": "stand", "context": {"cluster": "stand", "user": "caller", "namespace": namespace}}],
            "current-context": "stand",
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(content))  # JSON is YAML, too.
        return path

    def admin_kubeconfig(self) -> Path:
        """Write a kubeconfig of an administrator, for servers of the stand, and return its path."""
        return self.kubeconfig(self._admin_token, "default")

    def close(self) -> None:
        """End the servers, the last started first; safe to repeat."""
        for api in self._apis:
            api.close()
        for server in reversed(self.servers):
            server.end()
        self.servers = []

    def _start_etcd(self, port: int) -> Server:
        client, peer = f"http://127.0.0.1:{port}", "http://127.0.0.1:0"
        command = [
            str(self._programs.etcd),
            f"--data-dir={self._folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]
        return self._server("etcd", command, lambda: _answers(f"{client}/health"))

    def _start_apiserver(self, port: int) -> Server:
        certificate, key = self._authority.write_pair(self._folder, "apiserver", "kubernetes.default.svc")
        tokens = self._folder / "tokens.csv"
        tokens.touch(mode=0o600)
        tokens.write_text(f'{self._admin_token},admin,admin,"system:masters"\n')
        command = [
            str(self._programs.apiserver),
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            f"--secure-port={port}",
            f"--cert-dir={self._folder}",
            f"--tls-cert-file={certificate}",
            f"--tls-private-key-file={key}",
            f"--token-auth-file={tokens}",
            "--authorization-mode=RBAC",
            f"--service-account-issuer={ISSUER}",
            f"--service-account-key-file={self._folder / 'service-account.pub'}",
            f"--service-account-signing-key-file={self._folder / 'service-account.key'}",
            "--service-cluster-ip-range=10.96.0.0/16",
            # 300 s in a cluster: how long pods stay on a node that is gone, before they are evicted.
            "--default-not-ready-toleration-seconds=5",
            "--default-unreachable-toleration-seconds=5",
            "--v=1",
        ]
        url = f"https://127.0.0.1:{port}/readyz"
        return self._server("kube-apiserver", command, lambda: _answers(url, self._authority.bundle, self._admin_token))

    def start_controllers(self, name: str, controllers: tuple[str, ...], settings: tuple[str, ...]) -> Server:
        """Start a second kube-controller-manager, for what only some tests need; the caller ends it.

        Args:
            name: What it is called in errors.
            controllers: The controllers that it runs.
            settings: More of its options.

        """
        kubeconfig = self.kubeconfig(self._admin_token, "default")
        command = [
            str(self._programs.controller_manager),
            f"--kubeconfig={kubeconfig}",
            "--leader-elect=false",
            "--secure-port=0",
            f"--controllers={','.join(controllers)}",
            f"--service-account-private-key-file={self._folder / 'service-account.key'}",
            "--v=1",
            *settings,
        ]
        log = self._folder / f"{name}.log"
        started = controllers[-1]
        return self._server(name, command, lambda: f'Started controller" controller="{started}' in log.read_text())

    def _start_controller_manager(self) -> Server:
        kubeconfig = self.kubeconfig(self._admin_token, "default", path=self._folder / "controller-manager.json")
        command = [
            str(self._programs.controller_manager),
            f"--kubeconfig={kubeconfig}",
            "--leader-elect=false",
            "--secure-port=0",
            f"--controllers={','.join(_CONTROLLERS)}",
            f"--root-ca-file={self._authority.bundle}",
            f"--service-account-private-key-file={self._folder / 'service-account.key'}",
            "--v=1",
        ]
        # It serves nothing here; that it works is seen by what it makes.
        path = "/api/v1/namespaces/default/serviceaccounts/default"
        return self._server("kube-controller-manager", command, lambda: self.admin.call("GET", path).ok)

    def _server(self, name: str, command: list[str], ready: Callable[[], bool]) -> Server:
        log = self._folder / f"{name}.log"
        environment = {"GOGC": _GARBAGE, **os.environ}
        return Server(name, command, log=log, ready=ready, guard=self._guard, environment=environment, timeout=_READY)

    def _define(self) -> None:
        """Make the API group of InferenceService: what is there first, the garbage collector knows at once."""
        self.admin.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", cluster_objects.INFERENCE_SERVICE)
        path = "/apis/serving.kserve.io/v1beta1/inferenceservices"
        self._wait(lambda: self.admin.call("GET", path).ok, "the API group serving.kserve.io")

    def _prepare(self) -> None:
        for role in kubeflow_roles.CLUSTER_ROLES:
            self.admin.post(f"{_RBAC}/clusterroles", role)
        for name in kubeflow_roles.AGGREGATED:
            path = f"{_RBAC}/clusterroles/{name}"
            self._wait(lambda path=path: kubeflow_roles.complete(self.admin.get(path)), f"the rules of {name}")

    def _write_keys(self) -> bytes:
        key = ec.generate_private_key(ec.SECP256R1())
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (self._folder / "service-account.key").touch(mode=0o600)
        (self._folder / "service-account.key").write_bytes(private)
        (self._folder / "service-account.pub").write_bytes(public)
        return public

    def _may_list_pods(self, token: str, namespace: str) -> bool:
        api = Api(self.url, self._authority.bundle, token)
        try:
            return api.may("list", "pods", namespace)
        finally:
            api.close()

    def _wait(self, done: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + 20
        while not done():
            if time.monotonic() > end:
                msg = f"Waited 20 s in vain for {what}.\n{self.servers[-1].tail()}"
                raise StartError(msg)
            time.sleep(0.05)


def _answers(url: str, bundle: Path | None = None, token: str = "") -> bool:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    session = requests.Session()
    session.trust_env = False
    with session:
        try:
            return session.get(url, headers=headers, verify=str(bundle) if bundle else True, timeout=5).ok
        except requests.RequestException:
            return False
