"""Who has launched what, and whether that process still looks after it.

A notebook's kernel may be restarted, or its cell interrupted, while its job runs on in the cluster. The same launch,
made again, has to find that job; a job that another process still follows has to be left alone.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import threading
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter import machine
from fairing_az_jupyter.clients.kube.objects.kinds import kind_named
from fairing_az_jupyter.exceptions import ConflictError, FairingAzureError, NotFoundError
from fairing_az_jupyter.fairing.cluster.manifests import PREFIX, origin_labels
from fairing_az_jupyter.fairing.recording.current import origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fairing_az_jupyter.clients.kube.workloads import Workloads

__all__ = ["PROCESS", "TASK", "caring_for", "claim", "digest_of_task", "is_abandoned", "mark", "of_this_launch"]

PROCESS = f"{PREFIX}process"
"""The annotation that tells which process has launched an object."""

TASK = f"{PREFIX}task"
"""The label that is the same for two launches of the same thing."""

_LABEL_LENGTH = 40
_TRIES = 3

_cared_for: dict[str, int] = {}
_lock = threading.Lock()


def mark() -> dict[str, str]:
    """Return the annotation that names this process."""
    return {PROCESS: machine.process_name()}


def of_this_launch() -> dict[str, str]:
    """Return the labels that tell which notebook, record and sweep the launch of this thread belongs to."""
    return origin_labels(**dataclasses.asdict(origin()))


def digest_of_task(spec: Mapping[str, Any]) -> str:
    """Return a label's value that tells what is run: the same specification gives the same.

    Args:
        spec: The pod's specification.

    """
    text = json.dumps(spec, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_LABEL_LENGTH]


@contextlib.contextmanager
def caring_for(name: str) -> Iterator[None]:
    """Note that this process looks after an object as long as the context lasts.

    Args:
        name: The object's name.

    """
    with _lock:
        _cared_for[name] = _cared_for.get(name, 0) + 1
    try:
        yield
    finally:
        _let_go(name)


def claim(workloads: Workloads, kind: str, found: Mapping[str, Any]) -> Callable[[], None] | None:
    """Look after an object that nobody looks after any more; of several processes that try, one gets it.

    Args:
        workloads: The namespace.
        kind: Its kind.
        found: The object, as it was listed.

    Returns:
        What ends the looking after; None if somebody looks after it, or it has gone or is going.

    """
    name = str(found["metadata"]["name"])
    with _lock:
        if name in _cared_for or not _is_left(found["metadata"]):
            return None
        _cared_for[name] = 1
    release = functools.partial(_let_go, name)
    try:
        taken = _took(workloads, kind, found["metadata"])
    except BaseException:
        release()
        raise
    if taken:
        return release
    release()
    return None


def _took(workloads: Workloads, kind: str, metadata: Mapping[str, Any]) -> bool:
    """Write this process's mark on an object as it was seen: if another one was quicker, that is a conflict."""
    for _ in range(_TRIES):
        if not _is_left(metadata):
            return False
        seen = {key: metadata[key] for key in ("name", "uid", "resourceVersion")}
        body = {"apiVersion": kind_named(kind).version, "kind": kind, "metadata": {**seen, "annotations": mark()}}
        try:
            workloads.apply(body)
        except ConflictError:
            # Its status may have changed as well.
            try:
                metadata = workloads.get(kind, seen["name"])["metadata"]
            except NotFoundError:
                return False
        except FairingAzureError:
            # Who may not write on it can follow it anyway.
            return True
        else:
            return True
    return False


def _is_left(metadata: Mapping[str, Any]) -> bool:
    """Tell whether an object stays, and its process is gone."""
    return "deletionTimestamp" not in metadata and _is_gone(metadata.get("annotations") or {})


def _let_go(name: str) -> None:
    with _lock:
        _cared_for[name] -= 1
        if not _cared_for[name]:
            del _cared_for[name]


def is_abandoned(name: str, annotations: Mapping[str, Any]) -> bool:
    """Tell whether nobody looks after an object any more.

    Args:
        name: Its name.
        annotations: Its annotations.

    Returns:
        True if the process that has launched it was one of this machine's and is gone, or is this one and no longer
        follows it. False if it may still be looked after, as by a process on another machine.

    """
    with _lock:
        if name in _cared_for:
            return False
    return _is_gone(annotations)


def _is_gone(annotations: Mapping[str, Any]) -> bool:
    """Tell whether the process that has launched something was one of this machine's, and is this one or gone."""
    launched_by = str(annotations.get(PROCESS) or "")
    return machine.is_this(launched_by) or machine.is_gone(launched_by)
