"""The kinds of objects that a launch makes: where the API has them, and what messages say about calls for them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fairing_az_jupyter.clients.kube.objects.asking import Asked
from fairing_az_jupyter.clients.kube.objects.facts import entries, mapping
from fairing_az_jupyter.exceptions import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairing_az_jupyter.clients.kube.objects.facts import Object

# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


@dataclass(frozen=True)
class Kind:
    """One kind of object.

    Args:
        name: As in an object's `kind`.
        version: As in an object's `apiVersion`.
        plural: As in paths and in roles.

    """

    name: str
    version: str
    plural: str

    def collection(self, namespace: str) -> str:
        """Return the path of all objects of this kind in a namespace; of all namespaces where that is empty."""
        root = "/api/" if self.version == "v1" else "/apis/"
        if not namespace:
            return f"{root}{self.version}/{self.plural}"
        return f"{root}{self.version}/namespaces/{quote(namespace, safe='')}/{self.plural}"

    def path(self, namespace: str, name: str) -> str:
        """Return one object's path.

        Raises:
            InputError: The name is none: it would lead to another object.

        """
        return f"{self.collection(namespace)}/{quote(checked_name(name, self.name), safe='')}"

    def asked(self, verb: str, namespace: str, name: str = "") -> Asked:
        """Return what a message says about a call; without a name it is about all of them."""
        what = f"{self.name} '{name}'" if name else f"the {self.name}s"
        return Asked(verb, what, self.plural, namespace)

    def change(self, verb: str, namespace: str, name: str, sent: Object) -> AskedChange:
        """Return what a message says about a change, with what is sent so that no value of it is quoted."""
        return AskedChange(verb, f"{self.name} '{name}'", self.plural, namespace, hidden=True, sent=sent)


@dataclass(frozen=True)
class AskedChange(Asked):
    """A change that is asked for.

    Args:
        verb: See `Asked`.
        what: See `Asked`.
        resource: See `Asked`.
        namespace: See `Asked`.
        hidden: See `Asked`.
        sent: The object that is sent; the values of its environment variables are kept out of messages.

    """

    sent: Mapping[str, Any] = field(default_factory=dict, repr=False)


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("Job", "batch/v1", "jobs"),
        Kind("Deployment", "apps/v1", "deployments"),
        Kind("ReplicaSet", "apps/v1", "replicasets"),
        Kind("Service", "v1", "services"),
        Kind("Pod", "v1", "pods"),
        Kind("Secret", "v1", "secrets"),
        Kind("Event", "v1", "events"),
        Kind("InferenceService", "serving.kserve.io/v1beta1", "inferenceservices"),
    )
}


def kind_named(name: str) -> Kind:
    """Return the kind of that name.

    Args:
        name: As in an object's `kind`.

    Raises:
        InputError: It is none of those that a launch makes.

    """
    kind = KINDS.get(name)
    if kind is None:
        raise InputError(
            f"{str(name)[:60]!r} is not a kind of object that a launch creates.",
            hint=f"Those are {', '.join(KINDS)}.",
            code="kind",
        )
    return kind


def kind_of(body: Object) -> Kind:
    """Return an object's kind, after a look at whether it is a whole object.

    Args:
        body: The object, with `kind`, `apiVersion` and `metadata`.

    Raises:
        InputError: One of them is missing or wrong.

    """
    kind = kind_named(str(body.get("kind") or ""))
    if body.get("apiVersion") != kind.version:
        raise InputError(
            f"A {kind.name} has apiVersion {str(body.get('apiVersion'))[:60]!r}; {kind.version!r} is expected.",
            hint=f"Write apiVersion: {kind.version}",
            code="api-version",
        )
    metadata = mapping(body.get("metadata"))
    if not metadata.get("name") and not metadata.get("generateName"):
        raise InputError(f"{kind.name} without a name.", hint="Give it metadata.name.", code="name")
    return kind


def checked_name(name: str, what: str) -> str:
    """Return a name that is one.

    Args:
        name: The name.
        what: The kind of object, for the message.

    Raises:
        InputError: It is none.

    """
    if _NAME.fullmatch(name) and ".." not in name:
        return name
    raise InputError(
        (
            f"{name[:60]!r} is not a valid name of a {what}: names have lower-case letters, digits, hyphens and full "
            "stops."
        ),
        hint="Check the spelling.",
        code="name",
    )


def label_selector(labels: Mapping[str, str]) -> str:
    """Return the query for objects with these labels.

    Args:
        labels: Values by name.

    """
    return ",".join(f"{name}={value}" for name, value in labels.items())


def pod_selector(owner: Object) -> str:
    """Return the query for the pods of an object.

    Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors

    Args:
        owner: A Job, Deployment, ReplicaSet, Service or InferenceService.

    Returns:
        The label selector; empty where the object has none, which would mean all pods.

    """
    metadata, selector = mapping(owner.get("metadata")), mapping(mapping(owner.get("spec")).get("selector"))
    if owner.get("kind") == "InferenceService":
        return f"serving.kserve.io/inferenceservice={metadata.get('name')}"
    if owner.get("kind") == "Service":
        return label_selector(selector)
    parts = [label_selector(mapping(selector.get("matchLabels")))]
    for rule in entries(selector.get("matchExpressions")):
        key, values = rule.get("key"), ",".join(str(value) for value in rule.get("values") or [])
        words = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key}
        parts.append(str(words.get(str(rule.get("operator")), f"!{key}")))
    return ",".join(part for part in parts if part)


def name_of(thing: Object) -> str:
    """Return an object's name, or an empty text."""
    return str(mapping(thing.get("metadata")).get("name") or "")


def uid_of(thing: Object) -> str:
    """Return an object's uid, or an empty text."""
    return str(mapping(thing.get("metadata")).get("uid") or "")
