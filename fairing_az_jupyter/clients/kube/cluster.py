"""The Kubernetes cluster: Secrets, ServiceAccounts, what one may do there, and facts about it.

Everything that others raise becomes one of `exceptions.py` here, and no secret value is in any of them.
"""

from __future__ import annotations

import functools
import os
import re
import threading
import time
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from fairing_az_jupyter.clients.kube.objects import facts as cluster_facts
from fairing_az_jupyter.clients.kube.objects.asking import Asked
from fairing_az_jupyter.clients.kube.objects.facts import Access, entries, mapping
from fairing_az_jupyter.clients.kube.transport.access import find_connection
from fairing_az_jupyter.clients.kube.transport.calls import ApiCalls
from fairing_az_jupyter.clients.kube.transport.connection import AT_ONCE
from fairing_az_jupyter.clients.kube.transport.identity import split_service_account, token_claims
from fairing_az_jupyter.clients.kube.writes import patches as cluster_changes
from fairing_az_jupyter.clients.kube.writes import secrets as cluster_secrets
from fairing_az_jupyter.exceptions import InputError, NotAllowedError, NotFoundError
from fairing_az_jupyter.machine import SERVICE_ACCOUNT_FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

    from fairing_az_jupyter.clients.kube.objects.facts import NodeCapacity, QuotaState, StoredSecret
    from fairing_az_jupyter.clients.kube.transport.calls import Deadline
    from fairing_az_jupyter.clients.kube.transport.connection import Connection
    from fairing_az_jupyter.clients.kube.writes.patches import Outcome
    from fairing_az_jupyter.clients.secret_values import SecretValue

T = TypeVar("T")

_PAGE = "500"
_GRACE_SECONDS = 1.0
_KSERVE = "serving.kserve.io"
# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


class Cluster:
    """A Kubernetes cluster, as one user and in one namespace; safe to use from several threads.

    Args:
        connection: The way to it.
        timeout: Seconds for one attempt of a call.
        deadline: Seconds for all attempts of one operation.

    """

    def __init__(self, connection: Connection, *, timeout: float = 5.0, deadline: float = 12.0) -> None:
        self._connection = connection
        self._calls = ApiCalls(connection, timeout=timeout, deadline=deadline)
        self._user: str | None = None

    @classmethod
    def connect(
        cls,
        environ: Mapping[str, str] = os.environ,
        service_account_folder: Path = SERVICE_ACCOUNT_FOLDER,
        kubeconfig: str | Path | None = None,
        context: str | None = None,
        namespace: str | None = None,
        timeout: float = 5.0,
        deadline: float = 12.0,
    ) -> Self:
        """Find the cluster; it is not asked anything yet.

        Args:
            environ: The environment.
            service_account_folder: Where a pod has its service account's token, certificates and namespace.
            kubeconfig: A kubeconfig to use, whatever else there is.
            context: A context of the kubeconfig to use, whatever else there is.
            namespace: The namespace to use; None is the service account's or the context's own.
            timeout: Seconds for one attempt of a call.
            deadline: Seconds for all attempts of one operation; also for a kubeconfig's credential plug-in.

        Returns:
            The cluster: by the pod's service account if this is a pod, by the kubeconfig otherwise.

        Raises:
            InputError: The namespace's name is none.
            ServiceError: No cluster was found, or its configuration is broken.

        """
        connection = find_connection(
            environ=environ,
            service_account_folder=service_account_folder,
            kubeconfig=kubeconfig,
            context=context,
            namespace=namespace,
            seconds=deadline,
        )
        _named(connection.namespace, "namespace", _LABEL)
        return cls(connection, timeout=timeout, deadline=deadline)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Cluster({self._connection.address}, namespace={self.namespace!r}, by {self.source})"

    def close(self) -> None:
        """Close the connections that are kept for further calls."""
        self._calls.close()

    @property
    def connection(self) -> Connection:
        """The way to the cluster, for clients that build on this one."""
        return self._connection

    @property
    def namespace(self) -> str:
        """The namespace that is intended where none is named."""
        return self._connection.namespace

    @property
    def in_cluster(self) -> bool:
        """Whether this process runs in a pod of the cluster."""
        return self._connection.in_cluster

    @property
    def source(self) -> str:
        """In words: where the way to the cluster was found, and why not elsewhere."""
        return self._connection.source

    @property
    def server(self) -> str:
        """The API server's host and port."""
        return self._connection.address

    @property
    def user(self) -> str:
        """The user name that the cluster knows this client by; empty where it can't be found out.

        A service account's token says it itself; for others a SelfSubjectReview does, since Kubernetes 1.28
        (https://kubernetes.io/docs/reference/access-authn-authz/authentication/#self-subject-review).

        Raises:
            ServiceError: See `exceptions.py`.

        """
        if self._user is None:
            claims = token_claims(self._connection.credential.authorization())
            self._user = claims.subject if claims.service_account else self._reviewed_user()
            self._calls.known_as(self._user)
        return self._user

    @property
    def service_account(self) -> str:
        """The name of the service account that asks; empty where it is another kind of user.

        Raises:
            ServiceError: See `exceptions.py`.

        """
        return split_service_account(self.user)[1]

    def server_version(self) -> str:
        """Return the API server's version, such as `v1.33.2`.

        Raises:
            ServiceError: See `exceptions.py`.

        """
        return str(self._calls.call("GET", "/version", Asked("get", "its version")).get("gitVersion") or "")

    def read_secret(self, name: str) -> StoredSecret:
        """Read a Secret of the namespace.

        Args:
            name: Its name.

        Returns:
            The Secret, its values hidden.

        Raises:
            NotFoundError: There is none.
            NotAllowedError: It may not be read; that does not mean that there is none.
            ServiceError: See `exceptions.py`.

        """
        wanted = cluster_secrets.WantedSecret(self.namespace, _named(name, "Secret"), "", {}, {})
        return cluster_facts.stored_secret(self._calls.call("GET", wanted.path, wanted.asked("get")))

    def secret_keys(self, name: str) -> tuple[str, ...]:
        """Return the keys of a Secret of the namespace, sorted.

        Args:
            name: Its name.

        Raises:
            ServiceError: As `read_secret`.

        """
        return tuple(sorted(self.read_secret(name).data))

    def apply_secret(
        self,
        name: str,
        type: str,  # noqa: A002 - the field's name
        values: Mapping[str, SecretValue],
        *,
        dry_run: bool,
        annotations: Mapping[str, str] | None = None,
        replace: bool = False,
    ) -> Outcome:
        """Make a Secret of the namespace hold these values; its other keys, labels and annotations stay.

        Args:
            name: Its name.
            type: Its type, such as `Opaque` or `kubernetes.io/dockerconfigjson`.
            values: Values by key.
            dry_run: Whether the server is only to check it, with all its rules, and to change nothing.
            annotations: Notes for it, by names without prefix; they get the one of this package.
            replace: Whether a Secret that can't be changed, because it has another type or is marked as immutable, may
                be deleted and made anew.

        Returns:
            `created`, `updated` or `unchanged`; in a dry run, what it would be.

        Raises:
            ConflictError: There is one that can't be changed, the values break a rule, or others were faster each time.
            ServiceError: See `exceptions.py`.

        """
        wanted = cluster_secrets.WantedSecret(
            self.namespace, _named(name, "Secret"), type, dict(values), dict(annotations or {})
        )
        return cluster_secrets.apply_secret(self._calls, wanted, dry_run=dry_run, replace=replace)

    def pull_secrets(self, service_account: str) -> tuple[str, ...]:
        """Return the names of the Secrets that a ServiceAccount's pods pull images with, in its order.

        Args:
            service_account: Its name.

        Raises:
            ServiceError: See `exceptions.py`.

        """
        path = cluster_changes.service_account_path(self.namespace, _named(service_account, "ServiceAccount"))
        asked = Asked("get", f"ServiceAccount '{service_account}'", "serviceaccounts", self.namespace)
        account = self._calls.call("GET", path, asked)
        return tuple(str(entry["name"]) for entry in entries(account.get("imagePullSecrets")) if entry.get("name"))

    def add_pull_secret(self, service_account: str, name: str, *, dry_run: bool) -> bool:
        """Let a ServiceAccount's pods pull images with a Secret; those that they have already stay.

        Args:
            service_account: Its name.
            name: The Secret's name.
            dry_run: Whether the server is only to check it.

        Returns:
            Whether it was missing.

        Raises:
            ServiceError: See `exceptions.py`.

        """
        account = _named(service_account, "ServiceAccount")
        return cluster_changes.add_pull_secret(
            self._calls, self.namespace, account, _named(name, "Secret"), dry_run=dry_run
        )

    def can(
        self,
        verb: str,
        resource: str,
        *,
        group: str = "",
        subresource: str = "",
        name: str = "",
        namespace: str | None = None,
    ) -> bool:
        """Ask whether this user may do something.

        Args:
            verb: The Kubernetes verb.
            resource: The resource in the plural.
            group: Its API group.
            subresource: Such as `log` of `pods`.
            name: One object of that name; empty is any.
            namespace: None is this client's namespace, empty is the whole cluster.

        Raises:
            ServiceError: See `exceptions.py`.

        """
        return self._allowed(Access(verb, resource, group, subresource, name, namespace), self._calls.deadline())

    def can_all(self, accesses: Iterable[Access]) -> Mapping[Access, bool]:
        """Ask about many things at once.

        Args:
            accesses: What one may want to do.

        Returns:
            Whether this user may, for each of them, in their order.

        Raises:
            ServiceError: See `exceptions.py`; the first that occurred, in their order.

        """
        wanted = list(dict.fromkeys(accesses))
        deadline = self._calls.deadline()
        answers = _side_by_side([functools.partial(self._allowed, access, deadline) for access in wanted])
        return dict(zip(wanted, answers, strict=True))

    def nodes(self) -> tuple[NodeCapacity, ...]:
        """Return what the cluster's nodes offer, and what of it is free where all pods may be read too.

        Raises:
            NotAllowedError: The nodes may not be read, as is usual for a notebook.
            ServiceError: See `exceptions.py`.

        """
        deadline = self._calls.deadline()
        nodes = self._items("/api/v1/nodes", Asked("list", "the nodes", "nodes"), deadline)
        pods: list[Mapping[str, Any]] | None
        try:
            pods = self._items(
                "/api/v1/pods",
                Asked("list", "the pods of all namespaces", "pods"),
                deadline,
                fieldSelector="status.phase!=Succeeded,status.phase!=Failed",
            )
        except NotAllowedError:
            pods = None
        return cluster_facts.node_capacities(nodes, pods)

    def api_groups(self) -> frozenset[str]:
        """Return the names of the API groups that the cluster serves.

        Raises:
            ServiceError: See `exceptions.py`.

        """
        groups = self._calls.call("GET", "/apis", Asked("get", "the list of its API groups"))
        return frozenset(str(group.get("name") or "") for group in entries(groups.get("groups")))

    def has_kserve(self) -> bool:
        """Tell whether KServe is installed.

        Raises:
            ServiceError: See `exceptions.py`.

        """
        return _KSERVE in self.api_groups()

    def mesh(self, namespace: str | None = None) -> str | None:
        """Tell how Istio takes the pods of a namespace into its mesh.

        Args:
            namespace: None is this client's own.

        Returns:
            `sidecar` by a proxy in each pod, `ambient` by the node; empty where not at all, None where the namespace
            may not be read.

        Raises:
            ServiceError: See `exceptions.py`.

        """
        name = _named(namespace or self.namespace, "namespace", _LABEL)
        asked = Asked("get", f"namespace '{name}'", "namespaces")
        try:
            return cluster_facts.istio_mesh(self._calls.call("GET", f"/api/v1/namespaces/{name}", asked))
        except NotAllowedError:
            return None

    def resource_quota(self, namespace: str | None = None) -> tuple[QuotaState, ...]:
        """Return the quotas of a namespace and what is used of them; empty where it has none.

        Args:
            namespace: None is this client's own.

        Raises:
            ServiceError: See `exceptions.py`.

        """
        name = _named(namespace or self.namespace, "namespace", _LABEL)
        asked = Asked("list", "the ResourceQuotas", "resourcequotas", name)
        path = f"/api/v1/namespaces/{name}/resourcequotas"
        return cluster_facts.quota_states(self._items(path, asked, self._calls.deadline()))

    def _items(self, path: str, asked: Asked, deadline: Deadline, **query: str) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        following: str | None = ""
        while following is not None:
            pages = {"limit": _PAGE, **query, **({"continue": following} if following else {})}
            page = self._calls.call("GET", path, asked, deadline=deadline, query=pages)
            found += entries(page.get("items"))
            following = str(mapping(page.get("metadata")).get("continue") or "") or None
        return found

    def _allowed(self, access: Access, deadline: Deadline) -> bool:
        attributes = {
            "namespace": self.namespace if access.namespace is None else access.namespace,
            "verb": access.verb,
            "group": access.group,
            "resource": access.resource,
            "subresource": access.subresource,
            "name": access.name,
        }
        review = self._review(
            "authorization.k8s.io", "SelfSubjectAccessReview", {"resourceAttributes": attributes}, deadline
        )
        return mapping(review.get("status")).get("allowed") is True

    def _reviewed_user(self) -> str:
        try:
            review = self._review("authentication.k8s.io", "SelfSubjectReview", None, self._calls.deadline())
        except (NotFoundError, NotAllowedError):
            return ""
        return str(mapping(mapping(review.get("status")).get("userInfo")).get("username") or "")

    def _review(self, group: str, kind: str, spec: Mapping[str, Any] | None, deadline: Deadline) -> dict[str, Any]:
        """Ask a question in the form of an object that is created and never kept."""
        resource = f"{kind.lower()}s"
        body = {"apiVersion": f"{group}/v1", "kind": kind, **({"spec": spec} if spec is not None else {})}
        asked = Asked("create", f"a {kind}", resource)
        return self._calls.call("POST", f"/apis/{group}/v1/{quote(resource)}", asked, deadline=deadline, body=body)


def _side_by_side(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Make calls at the same time; return their results in their order, or raise the first error in that order.

    An executor's threads are joined at the interpreter's exit: a server that hangs would keep the process alive.
    """
    futures: list[Future[T]] = [Future() for _ in calls]
    waiting = deque(zip(futures, calls, strict=True))

    def work() -> None:
        while True:
            try:
                future, call = waiting.popleft()
            except IndexError:
                return
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001 - raised again by who waits
                future.set_exception(error)

    workers = [
        threading.Thread(target=work, name=f"can-{number}", daemon=True) for number in range(min(AT_ONCE, len(calls)))
    ]
    for worker in workers:
        worker.start()
    try:
        return [future.result() for future in futures]
    except Exception:
        # Most end together, and give their sockets back to a pool that the caller may close next.
        waiting.clear()
        end = time.monotonic() + _GRACE_SECONDS
        for worker in workers:
            worker.join(max(0.0, end - time.monotonic()))
        raise
    finally:
        waiting.clear()


def _named(name: str, what: str, rule: re.Pattern[str] = _SUBDOMAIN) -> str:
    """Return a name that is one; others would lead to another object, or to none."""
    if rule.fullmatch(name) and ".." not in name:
        return name
    raise InputError(
        f"{name[:60]!r} is not a valid name of a {what}: names have lower-case letters, digits and hyphens.",
        hint="Check the spelling.",
        code="name",
    )
