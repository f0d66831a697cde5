"""All servers of the test stand, each started when it is first needed, and a correct set-up to test against."""

from __future__ import annotations

import atexit
import base64
import json
import secrets
import tempfile
import threading
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from . import refusals
from .arm import Arm
from .authority import Authority
from .blob import Blob
from .blob_rules import BlobRules
from .control_plane import ControlPlane
from .entra import Entra
from .faults import Fault
from .forwarding import Forwarder
from .kserve import KServe
from .kwok import Kwok
from .names import Names
from .processes import Guard
from .public_registry import HOSTS as PUBLIC_HOSTS
from .public_registry import PublicRegistry
from .registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from .control_plane import Profile
    from .node import Node
    from .processes import Server
    from .refusals import Refusal
    from .web import Answering

T = TypeVar("T")
_ENTRA_HOSTS = ("login.microsoftonline.com", "login.microsoftonline.us", "login.chinacloudapi.cn")
_ARM_HOSTS = ("management.azure.com", "management.usgovcloudapi.net", "management.chinacloudapi.cn")


@dataclass(frozen=True)
class Setup:
    """A correct set-up in one namespace: everything as the documented workflow makes it.

    Args:
        profile: The namespace and its tokens.
        tenant: The tenant's GUID.
        client: The service principal's client id.
        oid: The service principal's object id, which has the roles.
        secret: The service principal's client secret; a marked value.
        subscription: The subscription's GUID.
        group: The resource group's id; `resource_group` is its name.
        account: The storage account's name.
        account_key: Its key; a marked value.
        registry: The registry's resource id; `login_server` is its host.
        service_account: A folder with `token`, `ca.crt` and `namespace`, as a pod of `default-editor` has.
        kubeconfig: A kubeconfig of `default-editor`.
        environment: What a child process needs: the stand's names and CA, and the API server's address.

    """

    profile: Profile
    tenant: str
    client: str
    oid: str
    secret: str = field(repr=False)
    subscription: str
    group: str
    account: str
    account_key: str = field(repr=False)
    registry: str
    service_account: Path
    kubeconfig: Path
    environment: dict[str, str]

    @property
    def namespace(self) -> str:
        """The namespace's name."""
        return self.profile.namespace

    @property
    def resource_group(self) -> str:
        """The resource group's name."""
        return self.group.rpartition("/")[2]

    @property
    def login_server(self) -> str:
        """The registry's host."""
        return f"{self.registry.rpartition('/')[2]}.azurecr.io"

    @property
    def account_id(self) -> str:
        """The storage account's resource id."""
        return f"{self.group}/providers/Microsoft.Storage/storageAccounts/{self.account}"

    @property
    def settings(self) -> dict[str, str | None]:
        """The notebook's parameters, by their names there."""
        return {
            "FAIRING_BACKEND": "KubeflowAzureBackend",
            "DOCKER_REGISTRY": self.login_server,
            "AZURE_REGION": None,
            "AZURE_RESOURCE_GROUP": self.resource_group,
            "AZURE_STORAGE_ACCOUNT": self.account,
        }

    @property
    def marks(self) -> tuple[str, ...]:
        """Every spelling of every secret: none may appear in anything that is written."""
        plain = [
            self.secret,
            self.account_key,
            self.profile.editor,
            self.profile.viewer,
            f"{self.client}:{self.secret}",
        ]
        return tuple(dict.fromkeys([*plain, *(base64.b64encode(value.encode()).decode() for value in plain)]))

    @property
    def azcreds(self) -> dict[str, str]:
        """What Secret `azcreds` holds."""
        return {
            "AZ_CLIENT_ID": self.client,
            "AZ_CLIENT_SECRET": self.secret,
            "AZ_TENANT_ID": self.tenant,
            "AZ_SUBSCRIPTION_ID": self.subscription,
        }

    @property
    def dockerconfig(self) -> dict[str, Any]:
        """What Secret `acrcreds` holds below `.dockerconfigjson`."""
        auth = base64.b64encode(f"{self.client}:{self.secret}".encode()).decode()
        return {"auths": {self.login_server: {"username": self.client, "password": self.secret, "auth": auth}}}


class Stand:
    """The whole test stand; nothing is started before it is asked for."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="fairing-stand-"))
        self.guard = Guard(self.folder)
        self.authority = Authority(self.folder)
        self.names = Names(self.folder, self.authority.bundle)
        self.entra = Entra()
        self.arm = Arm(self.entra, lambda account: self.blob.accounts[account])
        self._parts: dict[str, Any] = {}
        self._fronts: dict[str, Fault] = {}
        self._forwarders: list[Forwarder] = []
        self._lock = threading.RLock()
        atexit.register(self.close)

    @property
    def control_plane(self) -> ControlPlane:
        """The Kubernetes control plane, without faults."""
        return self._once("control-plane", self._start_control_plane)

    @property
    def blob(self) -> Blob:
        """Azurite, without faults and without roles."""
        return self._once("blob", lambda: Blob(self.authority, self.folder / "blob", self.guard))

    @property
    def registry(self) -> Registry:
        """The registry with ACR's sign-in, without faults."""
        folder = self.folder / "registry"
        return self._once("registry", lambda: Registry(self.authority, folder, self.guard, self.entra, self.arm))

    @property
    def public_registry(self) -> PublicRegistry:
        """Docker Hub and GitHub's registry, without faults."""
        return self._once("public-registry", lambda: PublicRegistry(self.folder / "public-registry", self.guard))

    @property
    def node(self) -> Node:
        """A node that runs pods as containers; from its start on pods are scheduled, while it is not paused."""
        return self._once("node", self._start_node)

    @property
    def kserve(self) -> KServe:
        """KServe's controller, which does nothing until it is resumed."""
        folder = self.folder / "kserve"
        return self._once("kserve", lambda: KServe(self.control_plane, self.authority, folder, self.guard))

    @property
    def kwok(self) -> Kwok:
        """kwok, which imitates the nodes that are added to it."""
        return self._once("kwok", lambda: Kwok(self.control_plane, self.folder / "kwok", self.guard))

    @property
    def kubernetes_front(self) -> Fault:
        """The API server, with faults."""
        return self._front("kubernetes", refusals.kubernetes, lambda: self._forwarder(self.control_plane.url))

    @property
    def entra_front(self) -> Fault:
        """Microsoft Entra ID, with faults."""
        return self._front("entra", refusals.entra, lambda: self.entra.answer, _ENTRA_HOSTS)

    @property
    def arm_front(self) -> Fault:
        """Azure Resource Manager, with faults."""
        return self._front("arm", refusals.arm, lambda: self.arm.answer, _ARM_HOSTS)

    @property
    def blob_front(self) -> Fault:
        """Azure Blob storage, with faults, and with the roles that a token needs."""
        rules = BlobRules(self.entra, self.arm)
        return self._front("blob", refusals.blob, lambda: rules.before(self._forwarder(self.blob.url)))

    @property
    def registry_front(self) -> Fault:
        """Azure Container Registry, with faults."""
        return self._front("registry", refusals.registry, lambda: self.registry.answer)

    @property
    def public_front(self) -> Fault:
        """Docker Hub and GitHub's registry, with faults."""
        return self._front("public", refusals.registry, lambda: self.public_registry.answer, PUBLIC_HOSTS)

    @property
    def servers(self) -> list[Server]:
        """The real servers that run now."""
        with self._lock:
            return [server for part in self._parts.values() for server in part.servers]

    def correct_setup(
        self,
        namespace: str,
        *,
        role: str | None = "kubeflow-edit",
        prepared: bool = True,
        abac: bool = False,
        data_role: bool = False,
        pod_security: str = "baseline",
    ) -> Setup:
        """Make everything as the documented workflow says, new for this namespace.

        Args:
            namespace: Its name; it must not exist.
            role: The ClusterRole of `default-editor`: kubeflow-edit, kubeflow-view or None.
            prepared: Also make the two Secrets and name the pull secret in the service account.
            abac: The registry takes repository roles in place of AcrPush.
            data_role: Also give the service principal 'Storage Blob Data Contributor'.
            pod_security: The Pod Security level that the namespace enforces: privileged, baseline or restricted.

        """
        tenant, client, subscription = (str(uuid.uuid4()) for _ in range(3))
        secret = f"MARK-{uuid.uuid4()}"
        app = self.entra.register(tenant, client, secret)
        group = self.arm.add_group(subscription, f"rg-{namespace}")
        account = self.blob.take()
        self.arm.add_account(group, account)
        registry = self.arm.add_registry(group, f"acr{secrets.token_hex(6)}", abac=abac)
        self.arm.assign(app.oid, "Container Registry Repository Writer" if abac else "AcrPush", registry)
        self.arm.assign(app.oid, "Storage Account Contributor", group)
        if data_role:
            self.arm.assign(app.oid, "Storage Blob Data Contributor", group)
        profile = self.control_plane.profile(namespace, role, pod_security=pod_security)
        port = self.kubernetes_front.port
        pod = self.folder / "pods" / namespace
        addresses = self.control_plane.in_cluster(pod, profile.editor, namespace, port=port)
        setup = Setup(
            profile=profile,
            tenant=tenant,
            client=client,
            oid=app.oid,
            secret=secret,
            subscription=subscription,
            group=group,
            account=account,
            account_key=self.blob.accounts[account],
            registry=registry,
            service_account=pod,
            kubeconfig=self.control_plane.kubeconfig(profile.editor, namespace, path=pod / "kubeconfig", port=port),
            environment={**self.names.environment(), **addresses},
        )
        self._name(setup)
        if prepared:
            self._prepare(setup)
        return setup

    def reset(self) -> None:
        """Take all faults away and forget the calls; set-ups stay."""
        for front in self._fronts.values():
            front.clear()
        self.names.open_all()

    def close(self) -> None:
        """End everything and remove all files; safe to repeat."""
        for front in self._fronts.values():
            front.close()
        for forwarder in self._forwarders:
            forwarder.close()
        for part in reversed(list(self._parts.values())):
            part.close()
        self._fronts, self._forwarders, self._parts = {}, [], {}
        self.guard.close()
        atexit.unregister(self.close)

    def _once(self, name: str, start: Callable[[], T]) -> T:
        with self._lock:
            if name not in self._parts:
                self._parts[name] = start()
            part: T = self._parts[name]
            return part

    def _start_control_plane(self) -> ControlPlane:
        control_plane = ControlPlane(self.authority, self.folder / "control-plane", self.guard)
        self.entra.issuer_key = control_plane.service_account_key
        return control_plane

    def _start_node(self) -> Node:
        # Its server needs more modules than the rest of the stand together.
        from .node import Node

        return Node(
            self.control_plane,
            self.authority,
            self.names,
            api_port=self.kubernetes_front.port,
            kept=self.folder / "registry" / "data",
            folder=self.folder / "node",
            guard=self.guard,
        )

    def _front(
        self, name: str, refusal: Refusal, answering: Callable[[], Answering], hosts: tuple[str, ...] = ()
    ) -> Fault:
        with self._lock:
            if name not in self._fronts:
                front = self._fronts[name] = Fault(self.authority, answering(), refusal)
                for host in hosts:
                    self.names.add(host, front.port)
            return self._fronts[name]

    def _forwarder(self, url: str) -> Forwarder:
        forwarder = Forwarder(url, self.authority.client_context())
        self._forwarders.append(forwarder)
        return forwarder

    def _name(self, setup: Setup) -> None:
        # Entra's and the Resource Manager's own names are known from the start of their fronts.
        _ = self.entra_front, self.arm_front, self.public_front
        self.names.add(f"{setup.account}.blob.core.windows.net", self.blob_front.port)
        self.names.add(setup.login_server, self.registry_front.port)

    def _prepare(self, setup: Setup) -> None:
        base = f"/api/v1/namespaces/{setup.namespace}"
        azcreds = {"metadata": {"name": "azcreds"}, "type": "Opaque", "stringData": setup.azcreds}
        data = {".dockerconfigjson": json.dumps(setup.dockerconfig)}
        acrcreds = {"metadata": {"name": "acrcreds"}, "type": "kubernetes.io/dockerconfigjson", "stringData": data}
        self.control_plane.admin.post(f"{base}/secrets", azcreds)
        self.control_plane.admin.post(f"{base}/secrets", acrcreds)
        patch = {"imagePullSecrets": [{"name": "acrcreds"}]}
        self.control_plane.admin.patch(f"{base}/serviceaccounts/default-editor", patch)


_shared: list[Stand] = []


def shared() -> Stand:
    """Return the one stand of this process, for all tests of a session."""
    if not _shared:
        _shared.append(Stand())
    return _shared[0]


def close_shared() -> None:
    """End the shared stand; the next call of `shared` makes a new one."""
    while _shared:
        _shared.pop().close()
