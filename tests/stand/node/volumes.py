"""Makes a pod's volumes as folders: emptyDir, Secret, ConfigMap, downward API, projected, hostPath."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import environment
from .environment import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    Find = Callable[[str, str], "Object | None"]
    Token = Callable[[dict[str, Any]], str]

Object = dict[str, Any]
_DEFAULT_MODE = 0o644
_READ_ONLY = frozenset({"secret", "configMap", "downwardAPI", "projected"})


class VolumeError(Exception):
    """A volume can't be made; the text is a kubelet's."""


def make(volume: Object, folder: Path, pod: Object, address: str, find: Find, token: Token) -> Path:
    """Make one volume and return its folder.

    Args:
        volume: Its specification.
        folder: Where to make it.
        pod: The pod.
        address: The pod's address.
        find: Returns a Secret or ConfigMap by kind and name, None if there is none.
        token: Returns a token of the pod's service account, from the source's specification.

    Raises:
        VolumeError: Something that it needs is missing.

    """
    kind = next((key for key in volume if key != "name"), "emptyDir")
    if kind == "hostPath":
        return Path(volume[kind]["path"])
    if kind not in {"emptyDir", *_READ_ONLY}:
        msg = f'MountVolume.SetUp failed for volume "{volume["name"]}" : the test stand has no volumes of kind {kind}'
        raise VolumeError(msg)
    group = pod["spec"].get("securityContext", {}).get("fsGroup")
    place = folder / volume["name"]
    place.mkdir(parents=True, exist_ok=True)
    # What umask takes away is put back: any user of the container may write there.
    place.chmod(0o777)
    if group is not None:
        os.chown(place, -1, group)
        place.chmod(0o2777)
    if kind == "emptyDir":
        return place
    source = volume[kind] or {}
    mode = source.get("defaultMode", _DEFAULT_MODE)
    parts = source.get("sources", []) if kind == "projected" else [{kind: source}]
    try:
        for part in parts:
            for path, (content, own) in _files(part, pod, address, find, token).items():
                _write(place / path, content, own if own is not None else mode, group)
    except ConfigError as error:
        msg = f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}'
        raise VolumeError(msg) from None
    return place


def mounts(container: Object, volumes: dict[str, tuple[Object, Path]]) -> list[str]:
    """Return podman's options for a container's mounts."""
    options = []
    for mount in container.get("volumeMounts", []):
        volume, source = volumes[mount["name"]]
        if mount.get("subPath"):
            source = source / mount["subPath"]
            if not source.exists():
                source.mkdir(parents=True)
                source.chmod(0o777)
        read_only = mount.get("readOnly") or _READ_ONLY & set(volume)
        options.append(
            f"--mount=type=bind,source={source},target={mount['mountPath']},ro={'true' if read_only else 'false'}"
        )
    return options


def _files(source: Object, pod: Object, address: str, find: Find, token: Token) -> dict[str, tuple[bytes, int | None]]:
    if "serviceAccountToken" in source:
        asked = source["serviceAccountToken"]
        return {asked["path"]: (token(asked).encode(), 0o644)}
    if "downwardAPI" in source:
        items = source["downwardAPI"].get("items", [])
        return {
            item["path"]: (environment.field(item["fieldRef"]["fieldPath"], pod, address).encode(), item.get("mode"))
            for item in items
            if "fieldRef" in item
        }
    kind = "Secret" if "secret" in source else "ConfigMap"
    reference = source["secret" if kind == "Secret" else "configMap"]
    held = environment.contents(kind, reference, find)
    if "items" not in reference:
        return {key: (value, None) for key, value in held.items()}
    missing = [item["key"] for item in reference["items"] if item["key"] not in held]
    if missing and not reference.get("optional"):
        msg = f"references non-existent {kind.lower()} key: {missing[0]}"
        raise ConfigError(msg)
    return {item["path"]: (held[item["key"]], item.get("mode")) for item in reference["items"] if item["key"] in held}


def _write(path: Path, content: bytes, mode: int, group: int | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"..{path.name}.new")
    unfinished.write_bytes(content)
    unfinished.chmod(mode | 0o040 if group is not None else mode)
    if group is not None:
        os.chown(unfinished, -1, group)
    unfinished.replace(path)
