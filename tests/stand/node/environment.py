"""What a container finds in its environment, from its specification; pure functions on plain data.

Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#environment-variables
"""

from __future__ import annotations

import base64
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Object = dict[str, Any]
_REFERENCE = re.compile(r"\$(\$|\((?P<name>[-._a-zA-Z][-._a-zA-Z0-9]*)\))")
_SUBSCRIPT = re.compile(r"metadata\.(?P<map>labels|annotations)\['(?P<key>[^']+)'\]")
_UNITS: dict[str, Decimal] = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate(("k", "M", "G", "T", "P", "E"), 1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate(("K", "M", "G", "T", "P", "E"), 1)},
}


class ConfigError(Exception):
    """What a container needs from a Secret or a ConfigMap is not there; the text is a kubelet's."""


def quantity(text: str) -> Decimal:
    """Read a quantity such as `500m` or `1Gi`; cores or bytes."""
    number = re.match(r"[+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?", text)
    if number is None:
        msg = f"{text!r} is no quantity"
        raise ValueError(msg)
    return Decimal(number[0]) * _UNITS[text[number.end() :]]


def expand(text: str, known: Mapping[str, str]) -> str:
    """Replace `$(NAME)` by its value if there is one, and `$$` by `$`."""

    def replaced(found: re.Match[str]) -> str:
        if found[1] == "$":
            return "$"
        return known.get(found["name"], found[0])

    return _REFERENCE.sub(replaced, text)


def variables(
    container: Object, pod: Object, address: str, find: Callable[[str, str], Object | None]
) -> dict[str, str]:
    """Return a container's variables.

    Args:
        container: Its specification.
        pod: Its pod.
        address: The pod's address.
        find: Returns a Secret or ConfigMap by kind and name, None if there is none.

    Raises:
        ConfigError: A Secret, a ConfigMap or a key is missing and not optional.

    """
    result: dict[str, str] = {}
    for source in container.get("envFrom", []):
        for kind, name in (("Secret", "secretRef"), ("ConfigMap", "configMapRef")):
            if name in source:
                held = texts(kind, source[name], find)
                result |= {source.get("prefix", "") + key: text for key, text in held.items()}
    for entry in container.get("env", []):
        value = _value(entry, container, pod, address, find)
        if value is not None:
            result[entry["name"]] = expand(value, result) if "value" in entry else value
    return result


def field(path: str, pod: Object, address: str) -> str:
    """Return a field of the pod by its path."""
    found = _SUBSCRIPT.fullmatch(path)
    if found:
        return str(pod["metadata"].get(found["map"], {}).get(found["key"], ""))
    if path in {"metadata.labels", "metadata.annotations"}:
        values = pod["metadata"].get(path.partition(".")[2], {})
        return "\n".join(f'{key}="{value}"' for key, value in sorted(values.items()))
    if path in {"status.podIP", "status.podIPs"}:
        return address
    if path in {"status.hostIP", "status.hostIPs"}:
        return "127.0.0.1"
    part, _, name = path.partition(".")
    return str(pod[part].get(name, ""))


def resource(reference: Object, container: Object) -> str:
    """Return a limit or request of the container, in the unit of its divisor."""
    part, _, name = reference["resource"].partition(".")
    text = container.get("resources", {}).get(part, {}).get(name, "0")
    divisor = quantity(reference.get("divisor") or "1") or Decimal(1)
    return str(int(-(-quantity(text) // divisor)))


def contents(kind: str, reference: Object, find: Callable[[str, str], Object | None]) -> dict[str, bytes]:
    """Return what a Secret or ConfigMap holds; nothing if it is missing and optional."""
    name = reference.get("secretName") or reference["name"]
    found = find(kind, name)
    if found is None:
        if reference.get("optional"):
            return {}
        msg = f'{kind.lower()} "{name}" not found'
        raise ConfigError(msg)
    binary = found.get("data", {}) if kind == "Secret" else found.get("binaryData", {})
    result = {key: base64.b64decode(value) for key, value in binary.items()}
    if kind == "ConfigMap":
        result |= {key: value.encode() for key, value in found.get("data", {}).items()}
    return result


def texts(kind: str, reference: Object, find: Callable[[str, str], Object | None]) -> dict[str, str]:
    """Return what a Secret or ConfigMap holds, as text."""
    return {key: value.decode(errors="surrogateescape") for key, value in contents(kind, reference, find).items()}


def _value(
    entry: Object, container: Object, pod: Object, address: str, find: Callable[[str, str], Object | None]
) -> str | None:
    source = entry.get("valueFrom")
    if source is None:
        return str(entry.get("value", ""))
    if "fieldRef" in source:
        return field(source["fieldRef"]["fieldPath"], pod, address)
    if "resourceFieldRef" in source:
        return resource(source["resourceFieldRef"], container)
    kind, reference = (
        ("Secret", source["secretKeyRef"]) if "secretKeyRef" in source else ("ConfigMap", source["configMapKeyRef"])
    )
    held = texts(kind, reference, find)
    if reference["key"] in held:
        return held[reference["key"]]
    if reference.get("optional"):
        return None
    msg = f"couldn't find key {reference['key']} in {kind} {pod['metadata']['namespace']}/{reference['name']}"
    raise ConfigError(msg)
