"""How a Secret becomes what is wanted, and keeps what is not ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fairing_az_jupyter.clients.kube.objects.asking import Asked
from fairing_az_jupyter.clients.kube.objects.facts import MANAGED_BY, PREFIX, encoded, mapping
from fairing_az_jupyter.clients.kube.transport.calls import MERGE_PATCH
from fairing_az_jupyter.clients.kube.writes.patches import Outcome, Write, change
from fairing_az_jupyter.exceptions import ConflictError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairing_az_jupyter.clients.kube.objects.facts import Object
    from fairing_az_jupyter.clients.kube.transport.calls import ApiCalls, Deadline
    from fairing_az_jupyter.clients.secret_values import SecretValue

_CONFLICT = 409
# `kubectl apply` keeps a copy of the whole object there, which is wrong once the object is another one.
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(frozen=True)
class WantedSecret:
    """A Secret as it shall be; keys, labels and annotations that are not named stay as they are.

    Args:
        namespace: Its namespace.
        name: Its name.
        type: Its type.
        values: Its values by key.
        annotations: Annotations of ours, without their prefix.

    """

    namespace: str
    name: str
    type: str
    values: Mapping[str, SecretValue]
    annotations: Mapping[str, str]

    @property
    def collection(self) -> str:
        """The path of the namespace's Secrets."""
        return f"/api/v1/namespaces/{quote(self.namespace, safe='')}/secrets"

    @property
    def path(self) -> str:
        """The Secret's own path."""
        return f"{self.collection}/{quote(self.name, safe='')}"

    def asked(self, verb: str) -> Asked:
        """Return what a message says about a call for it."""
        return Asked(verb, f"Secret '{self.name}'", "secrets", self.namespace, hidden=True)


def apply_secret(calls: ApiCalls, wanted: WantedSecret, *, dry_run: bool, replace: bool) -> Outcome:
    """Make a Secret be as wanted.

    Args:
        calls: The API server.
        wanted: What is wanted.
        dry_run: Whether the server is only to check it.
        replace: Whether one that can't be changed may be deleted and made anew.

    Returns:
        What became of it, or would become of it.

    Raises:
        ConflictError: There is one that can't be changed.
        ServiceError: See `exceptions.py`.

    """
    deadline = calls.deadline()
    fixed: list[Object] = []

    def decide(current: Object | None) -> Write | None:
        if current is None:
            return Write("POST", wanted.collection, wanted.asked("create"), _new(wanted), outcome="created")
        changes = _changes(current, wanted)
        obstacle = _obstacle(current, wanted) if changes or _type(current) != wanted.type else ""
        if not obstacle:
            return None if not changes else _patch(current, wanted, changes)
        if not replace:
            raise ConflictError(
                f"Secret '{wanted.name}' in namespace '{wanted.namespace}' {obstacle}, which can't be changed. The "
                f"required type is '{wanted.type}'.",
                hint=(
                    f"Allow it to be replaced, or delete it: kubectl -n {wanted.namespace} delete secret {wanted.name}"
                ),
                code="secret-fixed",
                service="kubernetes",
                status=_CONFLICT,
            )
        fixed.append(current)
        return None

    outcome = change(calls, deadline, lambda: _look(calls, wanted, deadline), decide, dry_run=dry_run)
    if not fixed:
        return outcome
    _replace(calls, wanted, fixed[-1], deadline, dry_run=dry_run)
    return "updated"


def _look(calls: ApiCalls, wanted: WantedSecret, deadline: Deadline) -> Object | None:
    try:
        return calls.call("GET", wanted.path, wanted.asked("get"), deadline=deadline)
    except NotFoundError:
        return None


def _type(secret: Object) -> str:
    return str(secret.get("type") or "Opaque")


def _obstacle(current: Object, wanted: WantedSecret) -> str:
    if _type(current) != wanted.type:
        return f"has the type '{_type(current)}'"
    return "is marked as immutable" if current.get("immutable") else ""


def _changes(current: Object, wanted: WantedSecret) -> dict[str, dict[str, str]]:
    """Return what of the values and annotations differs from what is wanted."""
    data, metadata = mapping(current.get("data")), mapping(current.get("metadata"))
    annotations = mapping(metadata.get("annotations"))
    values = {key: encoded(value) for key, value in wanted.values.items()}
    found = {
        "data": {key: value for key, value in values.items() if data.get(key) != value},
        "annotations": {name: value for name, value in _annotations(wanted).items() if annotations.get(name) != value},
    }
    return {part: changed for part, changed in found.items() if changed}


def _patch(current: Object, wanted: WantedSecret, changes: Mapping[str, Mapping[str, str]]) -> Write:
    metadata: dict[str, Any] = {"resourceVersion": mapping(current.get("metadata")).get("resourceVersion")}
    body: dict[str, Any] = {"metadata": metadata}
    if "annotations" in changes:
        metadata["annotations"] = changes["annotations"]
    if "data" in changes:
        body["data"] = changes["data"]
    return Write("PATCH", wanted.path, wanted.asked("patch"), body, MERGE_PATCH)


def _annotations(wanted: WantedSecret) -> dict[str, str]:
    return {f"{PREFIX}{name}": value for name, value in wanted.annotations.items()}


def _new(wanted: WantedSecret, former: Object | None = None) -> dict[str, Any]:
    """Return the object to create; what others have put into a former one comes along."""
    metadata = mapping((former or {}).get("metadata"))
    labels = {**mapping(metadata.get("labels")), MANAGED_BY[0]: MANAGED_BY[1]}
    annotations = {**mapping(metadata.get("annotations")), **_annotations(wanted)}
    annotations.pop(_LAST_APPLIED, None)
    data = {**mapping((former or {}).get("data")), **{key: encoded(value) for key, value in wanted.values.items()}}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": wanted.name,
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": list(metadata.get("ownerReferences") or []),
        },
        "type": wanted.type,
        "data": data,
    }


def _replace(calls: ApiCalls, wanted: WantedSecret, former: Object, deadline: Deadline, *, dry_run: bool) -> None:
    """Delete a Secret and make it anew; put the former one back if the new one is rejected after all."""
    body = _new(wanted, former)
    # A name that is free: the server would reject the real one, without looking at the rest.
    trial = {**body, "metadata": {**body["metadata"], "name": f"{wanted.name[:240]}-trial"}}
    calls.call(
        "POST", wanted.collection, wanted.asked("create"), deadline=deadline, query={"dryRun": "All"}, body=trial
    )
    before = mapping(former.get("metadata"))

    def delete(current: Object | None) -> Write | None:
        now = mapping((current or {}).get("metadata"))
        if current is None or now.get("uid") != before.get("uid"):
            return None
        conditions = {"uid": now.get("uid"), "resourceVersion": before.get("resourceVersion")}
        options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": conditions}
        if dry_run:
            # Where there is a body, the server does not look at the query's dryRun, and deletes.
            options["dryRun"] = ["All"]
        return Write("DELETE", wanted.path, wanted.asked("delete"), options)

    change(calls, deadline, lambda: _look(calls, wanted, deadline), delete, dry_run=dry_run)
    if dry_run:
        return

    def create(current: Object | None) -> Write | None:
        if current is None:
            return Write("POST", wanted.collection, wanted.asked("create"), body, outcome="created")
        changes = _changes(current, wanted)
        return _patch(current, wanted, changes) if changes else None

    try:
        change(calls, deadline, lambda: _look(calls, wanted, deadline), create, dry_run=False)
    except BaseException:
        _restore(calls, wanted, former)
        raise


def _restore(calls: ApiCalls, wanted: WantedSecret, former: Object) -> None:
    metadata = mapping(former.get("metadata"))
    kept = {name: metadata[name] for name in ("name", "labels", "annotations", "ownerReferences") if name in metadata}
    body = {**{key: value for key, value in former.items() if key != "metadata"}, "metadata": kept}
    # With time of its own: what has failed may have used up the rest.
    deadline = calls.deadline()
    write = Write("POST", wanted.collection, wanted.asked("create"), body, outcome="created")
    change(
        calls,
        deadline,
        lambda: _look(calls, wanted, deadline),
        lambda current: write if current is None else None,
        dry_run=False,
    )
