"""What an image's configuration says once a layer is added to it.

Sources: https://github.com/opencontainers/image-spec/blob/main/config.md (rootfs, history, config), and
https://docs.docker.com/reference/dockerfile/#understand-how-cmd-and-entrypoint-interact (who sets an entrypoint resets
the command).
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.clients.oci.manifests import damaged
from fairing_az_jupyter.exceptions import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

_NO_TIME = "1970-01-01T00:00:00Z"
_PORT = re.compile(r"([0-9]{1,5})(?:/(tcp|udp|sctp))?")
_HIGHEST_PORT = 65535


@dataclass(frozen=True)
class ConfigChanges:
    """What is to be different from the base image; None and nothing leave the base's as it is.

    Args:
        env: Environment variables, put in the place of the base's of the same names.
        working_dir: The working directory, an absolute path.
        entrypoint: The program that is started; the base's command does not belong to it and is then dropped.
        cmd: Its arguments, or the program where there is no entrypoint.
        user: Who runs it, such as `1000:100`.
        labels: Labels, put in the place of the base's of the same names.
        exposed_ports: Ports, such as `8080` or `8080/tcp`, besides the base's.
        created: When the image was made; the base's time by default, so that the same inputs give the same image.

    """

    env: Mapping[str, str] = field(default_factory=dict)
    working_dir: str | None = None
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    user: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    exposed_ports: tuple[str, ...] = ()
    created: datetime | None = None


def changed(
    config: dict[str, Any], changes: ConfigChanges, *, diff_id: str, created_by: str, layers: int, name: str
) -> dict[str, Any]:
    """Return an image's configuration with one layer and some changes more.

    Args:
        config: The base's configuration; not changed.
        changes: What is to be different.
        diff_id: The digest of the layer's tar before compression.
        created_by: What the image's history says about the layer.
        layers: How many layers the base's manifest has.
        name: The base image, for errors.

    Returns:
        The new configuration; what is not known here is kept.

    Raises:
        InputError: The base is damaged, or a change is none that an image can have.

    """
    _check(changes, created_by)
    made = copy.deepcopy(config)
    diff_ids = _diff_ids(made, layers, name)
    made["rootfs"] = {**made["rootfs"], "diff_ids": [*diff_ids, diff_id]}
    reported = made.get("created")
    created = reported if isinstance(reported, str) and reported else _NO_TIME
    if changes.created is not None:
        created = _rfc3339(changes.created)
    made["created"] = created
    _write_history(made, created, created_by, len(diff_ids), name)
    settings = made.get("config") or {}
    if not isinstance(settings, dict):
        raise damaged(name, "its 'config' is not an object")
    made["config"] = _settings(settings, changes, name)
    return made


def merged_env(entries: list[str], new: Mapping[str, str]) -> list[str]:
    """Put environment variables in the place of those with the same names; new ones go to the end.

    Args:
        entries: `NAME=value` each, as an image has them.
        new: By name.

    Returns:
        All entries; each new name once.

    """
    made: list[str] = []
    written: set[str] = set()
    for entry in entries:
        variable = entry.partition("=")[0]
        if variable not in new:
            made.append(entry)
        elif variable not in written:
            made.append(f"{variable}={new[variable]}")
            written.add(variable)
    return made + [f"{variable}={value}" for variable, value in new.items() if variable not in written]


def _settings(base: dict[str, Any], changes: ConfigChanges, name: str) -> dict[str, Any]:
    made = dict(base)
    if changes.env:
        entries = made.get("Env") or []
        if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
            raise damaged(name, "its environment is not a list of strings")
        made["Env"] = merged_env(entries, changes.env)
    if changes.entrypoint is not None:
        made["Entrypoint"] = list(changes.entrypoint)
        made.pop("Cmd", None)
    if changes.cmd is not None:
        made["Cmd"] = list(changes.cmd)
    if changes.working_dir is not None:
        made["WorkingDir"] = changes.working_dir
    if changes.user is not None:
        made["User"] = changes.user
    ports: dict[str, Any] = {port if "/" in port else f"{port}/tcp": {} for port in changes.exposed_ports}
    for key, new in (("Labels", changes.labels), ("ExposedPorts", ports)):
        if new:
            present = made.get(key) or {}
            if not isinstance(present, dict):
                raise damaged(name, f"its '{key}' are not an object")
            made[key] = {**present, **new}
    return made


def _diff_ids(config: dict[str, Any], layers: int, name: str) -> list[str]:
    rootfs = config.get("rootfs")
    diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if diff_ids is None and isinstance(rootfs, dict):  # how Go writes an empty list
        diff_ids = []
    if not isinstance(diff_ids, list) or not all(isinstance(one, str) for one in diff_ids):
        raise damaged(name, "its configuration does not list its layers")
    if len(diff_ids) != layers:
        raise damaged(name, f"its manifest has {layers} layers, its configuration {len(diff_ids)}")
    return diff_ids


def _write_history(config: dict[str, Any], created: str, created_by: str, layers: int, name: str) -> None:
    """Add an entry where that keeps history and layers in step; who reads both counts on it."""
    history = config.get("history") or []
    if not isinstance(history, list) or not all(isinstance(entry, dict) for entry in history):
        raise damaged(name, "its history is not a list")
    if sum(not entry.get("empty_layer") for entry in history) == layers:
        config["history"] = [*history, {"created": created, "created_by": created_by}]


def _rfc3339(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise _wrong("the time 'created' names no time zone", "Write it as datetime.now(timezone.utc).")
    return moment.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def _check(changes: ConfigChanges, created_by: str) -> None:
    for variable in changes.env:
        if not variable or "=" in variable:
            raise _wrong(f"{variable!r} is not a name of an environment variable", "Give it a name without '='.")
    if changes.working_dir is not None and not changes.working_dir.startswith("/"):
        raise _wrong(f"the working directory {changes.working_dir!r} is not an absolute path", "Start it with '/'.")
    for arguments in (changes.entrypoint, changes.cmd):
        if isinstance(arguments, str):
            raise _wrong("the entrypoint and the command have to be lists of strings", "Write ('python', 'train.py').")
    for port in changes.exposed_ports:
        number = _PORT.fullmatch(port)
        if number is None or not 1 <= int(number[1]) <= _HIGHEST_PORT:
            raise _wrong(f"{port!r} is not a port", "Write it as 8080 or 8080/tcp.")
    texts = [created_by, changes.working_dir or "", changes.user or "", *(changes.entrypoint or ())]
    texts += [*(changes.cmd or ()), *changes.env, *changes.env.values(), *changes.labels, *changes.labels.values()]
    if any("\0" in text for text in texts):
        raise _wrong("a text has a NUL character", "Remove it from the environment, the command or the labels.")


def _wrong(problem: str, hint: str) -> InputError:
    return InputError(f"The image can't be built: {problem}.", hint=hint, code="image-changes")
