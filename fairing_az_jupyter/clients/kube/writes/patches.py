"""Changes of the cluster's objects that are safe to repeat and keep what belongs to others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from fairing_az_jupyter.clients.kube.objects.asking import Asked
from fairing_az_jupyter.clients.kube.objects.facts import entries, mapping
from fairing_az_jupyter.clients.kube.transport.calls import MERGE_PATCH
from fairing_az_jupyter.clients.retries import Retry, retrying
from fairing_az_jupyter.exceptions import ConflictError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fairing_az_jupyter.clients.kube.objects.facts import Object
    from fairing_az_jupyter.clients.kube.transport.calls import ApiCalls, Deadline

Outcome = Literal["created", "updated", "unchanged"]
_CONFLICT = 409
_SERVER_ERROR = 500
_ATTEMPTS = 5


@dataclass(frozen=True)
class Write:
    """One write that a change needs.

    Args:
        method: The HTTP method.
        path: The path below the server's URL.
        asked: What is asked, for messages.
        body: What is sent.
        kind: The body's media type.
        outcome: What it makes of the object.

    """

    method: str
    path: str
    asked: Asked
    body: Mapping[str, Any]
    kind: str = "application/json"
    outcome: Outcome = "updated"


def change(
    calls: ApiCalls,
    deadline: Deadline,
    look: Callable[[], Object | None],
    decide: Callable[[Object | None], Write | None],
    *,
    dry_run: bool,
) -> Outcome:
    """Look at an object, decide what it needs, and write that; all again when someone else was faster.

    Every write names the version that was looked at, so nothing of others is lost. When the answer to a write is lost,
    the next look tells whether it was done: it is never simply sent twice.

    Args:
        calls: The API server.
        deadline: The time for all of it.
        look: Returns the object, or None where there is none.
        decide: Returns the write that it needs, or None where it is as wanted.
        dry_run: Whether the server is only to check the write.

    Returns:
        What became of the object.

    Raises:
        ServiceError: See `exceptions.py`; ConflictError when others were faster each time.

    """
    outcome: Outcome = "unchanged"
    writing = False

    def attempt(_seconds: float) -> Outcome:
        nonlocal outcome, writing
        writing = False
        write = decide(look())
        if write is None:
            return outcome
        writing, outcome = True, write.outcome
        calls.call(
            write.method,
            write.path,
            write.asked,
            deadline=deadline,
            query={"dryRun": "All"} if dry_run else None,
            body=write.body,
            kind=write.kind,
            repeatable=dry_run,
        )
        return outcome

    def classify(error: BaseException) -> Retry | None:
        nonlocal outcome
        if not writing or not isinstance(error, ServiceError):
            return None
        if isinstance(error, ConflictError) and error.status == _CONFLICT:
            outcome = "unchanged"
            return Retry()
        lost = error.code in {"unreachable-reset", "unreachable-timeout"} or (error.status or 0) >= _SERVER_ERROR
        return Retry() if lost and not dry_run else None

    left = deadline.left()
    return retrying(attempt, deadline=left, timeout=left, classify=classify, attempts=_ATTEMPTS)


def add_pull_secret(calls: ApiCalls, namespace: str, account: str, name: str, *, dry_run: bool) -> bool:
    """Add a Secret to those that a ServiceAccount's pods pull images with.

    Args:
        calls: The API server.
        namespace: The namespace.
        account: The ServiceAccount's name.
        name: The Secret's name.
        dry_run: Whether the server is only to check it.

    Returns:
        Whether it was missing.

    Raises:
        ServiceError: See `exceptions.py`.

    """
    deadline = calls.deadline()
    path = service_account_path(namespace, account)

    def asked(verb: str) -> Asked:
        return Asked(verb, f"ServiceAccount '{account}'", "serviceaccounts", namespace)

    def decide(current: Object | None) -> Write | None:
        present = entries((current or {}).get("imagePullSecrets"))
        if any(entry.get("name") == name for entry in present):
            return None
        # The server replaces the list, whatever kind of patch it is: all others have to be in it.
        body = {
            "metadata": {"resourceVersion": mapping((current or {}).get("metadata")).get("resourceVersion")},
            "imagePullSecrets": [*present, {"name": name}],
        }
        return Write("PATCH", path, asked("patch"), body, MERGE_PATCH)

    look = lambda: calls.call("GET", path, asked("get"), deadline=deadline)  # noqa: E731 - as short as it is said
    return change(calls, deadline, look, decide, dry_run=dry_run) == "updated"


def service_account_path(namespace: str, account: str) -> str:
    """Return the path of a ServiceAccount.

    Args:
        namespace: Its namespace.
        account: Its name.

    Returns:
        The path below the server's URL.

    """
    return f"/api/v1/namespaces/{quote(namespace, safe='')}/serviceaccounts/{quote(account, safe='')}"
