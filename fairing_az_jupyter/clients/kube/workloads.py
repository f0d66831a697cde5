"""What a launch starts in the cluster: Jobs, Deployments, Services, Pods and InferenceServices.

Objects are plain mappings, as in a YAML file. Everything that others raise becomes one of `exceptions.py` here.
"""

from __future__ import annotations

import threading
import time
import uuid
from typing import TYPE_CHECKING, Any, Literal

from fairing_az_jupyter.clients.kube.diagnosis.waits import Waits
from fairing_az_jupyter.clients.kube.diagnosis.workloads import endpoint_ready, not_ready
from fairing_az_jupyter.clients.kube.kserve_mode import agree_on_mode
from fairing_az_jupyter.clients.kube.objects.facts import entries, mapping
from fairing_az_jupyter.clients.kube.objects.kinds import KINDS, kind_named, kind_of, label_selector, name_of, uid_of
from fairing_az_jupyter.clients.kube.transport.port_forwarding import PortForward
from fairing_az_jupyter.clients.kube.transport.streaming import StreamCalls
from fairing_az_jupyter.clients.kube.watching.container_logs import log_path
from fairing_az_jupyter.clients.kube.watching.log_lines import shown
from fairing_az_jupyter.clients.kube.watching.targets import Target
from fairing_az_jupyter.clients.kube.watching.watcher import Watcher
from fairing_az_jupyter.clients.streams import Halt
from fairing_az_jupyter.exceptions import (
    ConflictError,
    EndpointError,
    ExecutionError,
    InputError,
    NotFoundError,
    ServiceError,
    UnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    from typing_extensions import Self

    from fairing_az_jupyter.clients.kube.cluster import Cluster
    from fairing_az_jupyter.clients.kube.diagnosis.diagnosis import Diagnosis
    from fairing_az_jupyter.clients.kube.objects.asking import Asked
    from fairing_az_jupyter.clients.kube.objects.facts import Object
    from fairing_az_jupyter.clients.kube.transport.calls import Deadline
    from fairing_az_jupyter.clients.kube.transport.connection import Connection
    from fairing_az_jupyter.clients.kube.watching.events import Event

Propagation = Literal["Foreground", "Background", "Orphan"]

_PAGE = "500"
_MANAGER = "fairing-az-jupyter"
# Tells whose object it is, when the answer to its creation was lost.
_REQUEST = f"{_MANAGER}/request"
_APPLY_PATCH = "application/apply-patch+yaml"
_SERVER_ERROR = 500
_TURNS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.0)


class Workloads:
    """What runs in one namespace; safe to use from several threads.

    Args:
        cluster: The cluster, whose connection and namespace are used.
        timeout: Seconds for one attempt of a call.
        deadline: Seconds for all attempts of one operation.
        namespace: Another namespace than the cluster's own.

    """

    def __init__(
        self, cluster: Cluster, *, timeout: float = 5.0, deadline: float = 12.0, namespace: str | None = None
    ) -> None:
        self._connection: Connection = cluster.connection
        self._calls = StreamCalls(self._connection, timeout=timeout, deadline=deadline)
        self._timeout = timeout
        self.namespace = namespace or cluster.namespace

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are kept for further calls."""
        self._calls.close()

    def create(
        self, body: Object, *, exists_ok: bool = False, dry_run: bool = False, seconds: float | None = None
    ) -> dict[str, Any]:
        """Create an object, once, also where an answer is lost.

        Args:
            body: The object.
            exists_ok: Whether one of that name is as good; it is returned as it is.
            dry_run: Whether the server is only to check it, with all its rules, and to create nothing.
            seconds: How long it may take; None for as long as webhooks may need.

        Returns:
            The object as the server has it.

        Raises:
            ConflictError: There is one already (`already-exists`), or the object breaks a rule of the API (`invalid`).
            NotAllowedError: A quota (`quota`), an admission rule (`admission-denied`, `pod-security`) or the caller's
                role (`not-allowed`) forbids it.
            ServiceError: See `exceptions.py`.

        """
        kind, mark = kind_of(body), uuid.uuid4().hex
        judged = seconds is None and not dry_run
        deadline = self._calls.judged_deadline() if judged else self._calls.deadline(seconds)
        metadata = dict(mapping(body.get("metadata")))
        name = str(metadata.get("name") or "")
        metadata["annotations"] = {**mapping(metadata.get("annotations")), _REQUEST: mark}
        sent = {**body, "metadata": metadata}
        asked = kind.change("create", self.namespace, name or f"{metadata.get('generateName')}…", sent)
        query = {"fieldManager": _MANAGER, **({"dryRun": "All"} if dry_run else {})}
        collection = kind.collection(self.namespace)

        def ours(found: Object | None) -> bool:
            return mapping(mapping((found or {}).get("metadata")).get("annotations")).get(_REQUEST) == mark

        try:
            return self._calls.call(
                "POST", collection, asked, deadline=deadline, query=query, body=sent, repeatable=dry_run
            )
        except ServiceError as error:
            lost = isinstance(error, UnreachableError) or (error.status or 0) >= _SERVER_ERROR
            if not name or not (lost or error.code == "already-exists"):
                raise
            rejected = error
        # With time of its own: what has failed may have used up the rest.
        found = self._look(kind.name, name, self._calls.deadline())
        if found is not None and (ours(found) or (exists_ok and rejected.code == "already-exists")):
            return found
        raise rejected

    def apply(self, body: Object, *, dry_run: bool = False) -> dict[str, Any]:
        """Make an object be as wanted, whether it is there or not; what others have set besides stays.

        Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/

        Args:
            body: The object, with the fields that are wanted.
            dry_run: Whether the server is only to check it.

        Returns:
            The object as the server has it.

        Raises:
            InputError: It has no name of its own.
            ServiceError: As `create`.

        """
        kind, name = kind_of(body), name_of(body)
        asked = kind.change("patch", self.namespace, name, body)
        query = {"fieldManager": _MANAGER, "force": "true", **({"dryRun": "All"} if dry_run else {})}
        return self._calls.call(
            "PATCH", kind.path(self.namespace, name), asked, query=query, body=body, kind=_APPLY_PATCH
        )

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """Return an object.

        Args:
            kind: Its kind, such as `Job`.
            name: Its name.

        Raises:
            NotFoundError: There is none.
            ServiceError: See `exceptions.py`.

        """
        found = kind_named(kind)
        return self._calls.call("GET", found.path(self.namespace, name), found.asked("get", self.namespace, name))

    def list(
        self, kind: str, labels: Mapping[str, str] | None = None, *, everywhere: bool = False
    ) -> tuple[dict[str, Any], ...]:
        """Return the objects of a kind.

        Args:
            kind: The kind, such as `Job`.
            labels: The labels that they have; None means all.
            everywhere: Whether those of all namespaces are wanted.

        Raises:
            ServiceError: See `exceptions.py`.

        """
        found, deadline = kind_named(kind), self._calls.deadline()
        query = {"limit": _PAGE, **({"labelSelector": label_selector(labels)} if labels else {})}
        items: list[Object] = []
        asked = found.asked("list", "" if everywhere else self.namespace)
        collection = found.collection("" if everywhere else self.namespace)
        while True:
            page = self._calls.call("GET", collection, asked, deadline=deadline, query=query)
            items += entries(page.get("items"))
            following = str(mapping(page.get("metadata")).get("continue") or "")
            if not following:
                # A list's items don't say what they are.
                return tuple({"apiVersion": found.version, "kind": found.name, **item} for item in items)
            query["continue"] = following

    def delete(
        self,
        kind: str,
        name: str,
        *,
        propagation: Propagation = "Foreground",
        grace: int | None = None,
        wait: float = 0.0,
        uid: str = "",
        dry_run: bool = False,
        cancel: threading.Event | None = None,
    ) -> bool:
        """Delete an object and what was made for it.

        Args:
            kind: Its kind.
            name: Its name.
            propagation: `Foreground`: what was made for it goes first; `Background`: afterwards; `Orphan`: it stays.
            grace: Seconds that pods get to end; None means their own.
            wait: Seconds to wait until it is gone; with `Foreground`, its pods too.
            uid: Delete only the very object that has this uid, and none that was made anew by that name.
            dry_run: Whether the server is only to check it.
            cancel: Ends the waiting; the deletion continues.

        Returns:
            Whether there was one.

        Raises:
            ConflictError: The object of that name is another one.
            ExecutionError: It was not gone in time (`not-gone`).
            ServiceError: See `exceptions.py`.

        """
        found = kind_named(kind)
        options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        options |= {} if grace is None else {"gracePeriodSeconds": grace}
        options |= {"preconditions": {"uid": uid}} if uid else {}
        # Where there is a body, the server does not look at the query's dryRun, and deletes.
        options |= {"dryRun": ["All"]} if dry_run else {}
        path, asked = found.path(self.namespace, name), found.asked("delete", self.namespace, name)
        if kind == "InferenceService" and not dry_run:
            agree_on_mode(self._calls, self.namespace, name)
        try:
            answer = self._calls.call("DELETE", path, asked, body=options)
        except NotFoundError as error:
            if error.code != NotFoundError.code:
                raise
            return False
        if wait > 0 and not dry_run:
            deleted = uid or uid_of(answer) or str(mapping(answer.get("details")).get("uid") or "")
            self._wait_until_gone(kind, name, deleted, wait, cancel or threading.Event())
        return True

    def follow(
        self,
        kind: str,
        name: str,
        *,
        waits: Waits | None = None,
        logs: bool = True,
        cancel: threading.Event | None = None,
    ) -> Iterator[Event]:
        """Follow a Job, a Pod, a Deployment or an InferenceService from its creation on.

        A Job and a Pod end by themselves; the others are followed until `cancel` is set or the iterator is closed.

        Args:
            kind: Its kind.
            name: Its name.
            waits: How long is waited for what may pass by itself, such as a pod that no node takes; None for the
                defaults.
            logs: Whether the lines that containers print are wanted.
            cancel: Ends it.

        Returns:
            An iterator of events: `Phase`, `Notice`, `Waiting`, `Started`, `LogLine`, `Terminated`, `Problem`,
            `Disrupted`, `Retried` and at last `Finished`. It raises JobFailedError or EndpointError, with the reason,
            the last lines and the exit code.

        Raises:
            NotFoundError: There is none.
            ServiceError: See `exceptions.py`.

        """
        target = self._target(kind, name)
        watcher = Watcher(self._calls, target, waits=waits or Waits(), logs=logs, cancel=cancel)
        return watcher.events()

    def follow_pods(
        self,
        labels: Mapping[str, str],
        *,
        waits: Waits | None = None,
        logs: bool = True,
        cancel: threading.Event | None = None,
    ) -> Iterator[Event]:
        """Follow the pods with some labels until all of them have ended.

        Args:
            labels: Their labels; at least one.
            waits: See `follow`.
            logs: See `follow`.
            cancel: See `follow`.

        Returns:
            See `follow`.

        Raises:
            InputError: No label is named, which would mean all pods.

        """
        if not labels:
            raise InputError("No label selects the pods to watch.", hint="Give a label.", code="labels")
        target = Target(self.namespace, selector=label_selector(labels))
        return Watcher(self._calls, target, waits=waits or Waits(), logs=logs, cancel=cancel).events()

    def wait_ready(
        self,
        kind: str,
        name: str,
        *,
        seconds: float,
        waits: Waits | None = None,
        report: Callable[[Event], object] | None = None,
        cancel: threading.Event | None = None,
    ) -> dict[str, Any]:
        """Wait until all pods of a Deployment's newest version, or an InferenceService, serve.

        Args:
            kind: `Deployment` or `InferenceService`.
            name: Its name.
            seconds: How long to wait at most, from the start of its containers on: what `waits` limits is not
                counted.
            waits: See `follow`.
            report: Gets every event meanwhile; log lines included.
            cancel: Ends the waiting.

        Returns:
            The object, when it is ready.

        Raises:
            EndpointError: It can't become ready, was not in time (`not-ready`), or the waiting was ended (`cancelled`).
            ServiceError: See `exceptions.py`.

        """
        if kind not in {"Deployment", "InferenceService"}:
            raise InputError(f"A {kind} has no ready state to wait for.", hint="Use a Deployment.", code="kind")
        target = self._target(kind, name)
        cancel = cancel or threading.Event()
        watcher = Watcher(
            self._calls,
            target,
            waits=waits or Waits(),
            logs=report is not None,
            until_ready=True,
            cancel=cancel,
            seconds=seconds,
        )
        problem: ExecutionError | None = None
        try:
            for event in watcher.events():
                if report is not None:
                    report(event)
        except EndpointError as error:
            problem = error
        if problem is not None:
            raise (
                problem if problem.last_lines or not problem.returncode else self._with_lines(watcher.problem, problem)
            )
        now = self.get(kind, name)
        if endpoint_ready(now):
            return now
        where = f"{kind} '{name}' in namespace '{self.namespace}'"
        raise not_ready(where, self.namespace, watcher.problem, seconds, cancelled=cancel.is_set())

    def log(self, pod: str, container: str = "", *, tail: int | None = None, previous: bool = False) -> tuple[str, ...]:
        """Return what a container has printed.

        Args:
            pod: Its pod.
            container: Its name; empty where the pod has one only.
            tail: How many lines at most, from the end; None means all.
            previous: Whether those of the start before are intended.

        Raises:
            NotFoundError: The pod does not exist.
            ConflictError: The container has not started.
            ServiceError: See `exceptions.py`.

        """
        path, asked = log_path(self.namespace, pod, container)
        query = {"container": container} if container else {}
        query |= {"previous": "true"} if previous else {}
        query |= {"tailLines": str(tail)} if tail is not None else {}
        text = self._read_text(path, asked, query)
        lines = text.split("\n")
        return tuple(shown(line) for line in (lines if lines[-1] else lines[:-1]))

    def port_forward(self, pod: str, port: int, *, local_port: int = 0) -> PortForward:
        """Lead a port of this machine to one of a pod's, through the API server.

        Args:
            pod: The pod.
            port: Its port.
            local_port: The port on 127.0.0.1; 0 means any that is free.

        Returns:
            The way there, open until `close`; a context manager.

        Raises:
            NotFoundError: The pod does not exist.
            ConflictError: The pod does not run (`pod-not-running`).
            InputError: The local port is in use.
            ServiceError: See `exceptions.py`.

        """
        phase = str(mapping(self.get("Pod", pod).get("status")).get("phase") or "Unknown")
        if phase != "Running":
            raise ConflictError(
                f"Pod '{pod}' in namespace '{self.namespace}' is {phase}: its ports can't be forwarded.",
                hint=f"Find out why: kubectl -n {self.namespace} describe pod {pod}",
                code="pod-not-running",
                service="kubernetes",
            )
        path = f"{KINDS['Pod'].path(self.namespace, pod)}/portforward"
        return PortForward(self._connection, path, pod, port, self.namespace, local_port=local_port)

    def _target(self, kind: str, name: str) -> Target:
        found = self.get(kind, name)
        if kind == "Pod":
            return Target(self.namespace, pod=found)
        if kind not in {"Job", "Deployment", "InferenceService"}:
            raise InputError(f"A {kind} has no pods of its own.", hint="Use the Deployment.", code="kind")
        return Target(self.namespace, owner=found)

    def _look(self, kind: str, name: str, deadline: Deadline) -> dict[str, Any] | None:
        found = kind_named(kind)
        asked = found.asked("get", self.namespace, name)
        try:
            return self._calls.call("GET", found.path(self.namespace, name), asked, deadline=deadline)
        except NotFoundError:
            return None

    def _wait_until_gone(self, kind: str, name: str, uid: str, seconds: float, cancel: threading.Event) -> None:
        end, turn = time.monotonic() + seconds, 0
        while not cancel.is_set():
            found = self._look(kind, name, self._calls.deadline())
            if found is None or (uid and uid_of(found) != uid):
                return
            if kind == "InferenceService":
                agree_on_mode(self._calls, self.namespace, name)
            left = end - time.monotonic()
            if left <= 0:
                holders = ", ".join(str(one) for one in mapping(found.get("metadata")).get("finalizers") or [])
                raise ExecutionError(
                    f"{kind} '{name}' in namespace '{self.namespace}' was deleted but still exists after {seconds:g} "
                    f"s{f'; {holders} blocks it' if holders else ''}.",
                    hint=f"List what is left: kubectl -n {self.namespace} get {kind_named(kind).plural},pods",
                    code="not-gone",
                )
            cancel.wait(min(left, _TURNS[min(turn, len(_TURNS) - 1)]))
            turn += 1

    def _read_text(self, path: str, asked: Asked, query: Mapping[str, str]) -> str:
        from fairing_az_jupyter.clients.kube.objects.asking import CallFailed  # noqa: PLC0415 - it never leaves the folder

        halt = Halt()
        timer = threading.Timer(self._calls.deadline().left(), halt.set)
        timer.daemon = True
        timer.start()
        try:
            with halt.stream() as stream:
                body = b"".join(self._calls.open(stream, path, asked, query=query, silence=self._timeout))
                return body.decode("utf-8", "replace")
        except CallFailed as failed:
            error = failed.error
        finally:
            timer.cancel()
        raise error

    def _with_lines(self, diagnosis: Diagnosis | None, problem: ExecutionError) -> ExecutionError:
        """Fetch the last lines of a container that keeps failing, where its log was not followed."""
        if diagnosis is None or not diagnosis.container:
            return problem
        for previous in (True, False):
            try:
                lines = self.log(diagnosis.pod, diagnosis.container, tail=20, previous=previous)
            except ServiceError:
                continue
            if lines:
                return diagnosis.error("Deployment", lines)
        return problem
