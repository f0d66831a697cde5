"""Builds an image in the cluster: Kaniko in a Job, from a context in Blob storage that it may read for one hour.

Sources: https://github.com/osscontainertools/kaniko#additional-flags for Kaniko's options, and
https://kubernetes.io/docs/concepts/workloads/pods/init-containers/ for the order of the two containers.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import json
import logging
import re
from typing import TYPE_CHECKING, Any, cast

from fairing_az_jupyter.clients.kube.followed import LogLine, Terminated
from fairing_az_jupyter.exceptions import ExecutionError, FairingAzureError, NotFoundError
from fairing_az_jupyter.fairing import ownership
from fairing_az_jupyter.fairing.build_errors import build_failed
from fairing_az_jupyter.fairing.cluster_events import Shown
from fairing_az_jupyter.fairing.dockerfiles import FILE_NAME as DOCKERFILE
from fairing_az_jupyter.fairing.pod_objects import PREFIX, Placement, finished_pod, job, labels_of, new_name
from fairing_az_jupyter.fairing.standins import LOGGER_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from fairing_az_jupyter.clients.hidden import Hidden
    from fairing_az_jupyter.clients.kube.followed import Event
    from fairing_az_jupyter.fairing.launcher import Launcher

__all__ = ["BuildOrder", "build_in_cluster"]

logger = logging.getLogger(LOGGER_NAME)

IMAGE = f"{PREFIX}image"
"""The label that tells which image a build makes: its tag."""

_CONTAINER = "kaniko"
_WORKSPACE = "/workspace"
_CONTEXT = f"{_WORKSPACE}/context.tar.gz"
_LINK = "link"
_LONGEST_SECONDS = 3600
_GONE_SECONDS = 5.0
# https://pkg.go.dev/github.com/sirupsen/logrus#TextFormatter: what `--log-format=text` gives.
_LOGGED = re.compile(r'time="[^"]*" level=(?P<level>\w+) msg=(?P<message>".*")')
_ENOUGH_LINES = 20
# By Python, which every base image has: a builder's own image has no shell. What it says never holds the link.
_FETCH = f"""\
import os, sys, time, urllib.error, urllib.request
for left in reversed(range(4)):
    try:
        with urllib.request.urlopen(os.environ["CONTEXT_LINK"], timeout=60) as answer, open("{_CONTEXT}", "wb") as file:
            while part := answer.read(1 << 20):
                file.write(part)
        break
    except urllib.error.HTTPError as error:
        said = f"HTTP Error {{error.code}}: {{error.headers.get('x-ms-error-code') or error.reason}}"
        left = left if error.code >= 500 or error.code == 429 else 0
    except OSError as error:
        said = str(getattr(error, "reason", error))
    if not left:
        sys.exit(f"The build context can't be read: {{said}}")
    time.sleep(4 - left)
"""


@dataclasses.dataclass(frozen=True)
class BuildOrder:
    """An image that is to be built.

    Args:
        image: Its whole name, with its tag.
        tag: The tag, which is the same for the same image.
        base: The base image, whose Python also fetches the context.
        dockerfile: Where the Dockerfile is in the context.
        options: Further options of Kaniko.
        placement: Where the pod may run, and what of the pod's specification the user has set besides.

    """

    image: str
    tag: str
    base: str
    dockerfile: str = DOCKERFILE
    options: tuple[str, ...] = ()
    placement: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def build_in_cluster(launcher: Launcher, order: BuildOrder, link: Callable[[], Hidden]) -> str:
    """Build an image and push it; show the build's lines as they come, and leave nothing of it in the cluster.

    A build of the same image that runs already, as after an interrupt, is followed to its end in place of a second one.

    Args:
        launcher: The cluster, and in whose name pods run there.
        order: What to build.
        link: Makes the link by which the context can be read; called only if there is something to build.

    Returns:
        The digest of the image's manifest; empty where the builder did not tell.

    Raises:
        BuildFailedError: The build can't start, or has failed; nothing of it is left.
        ServiceError: The cluster does not do what is asked; the build may go on there.

    """
    name = _running(launcher, order.tag)
    if name:
        logger.warning("A build of the same image runs already: %s is followed to its end.", name)
    else:
        name = new_name("build")
        try:
            _start(launcher, order, name, link())
        except KeyboardInterrupt:
            logger.warning("Interrupted, but %s may have been started. %s", name, _how_to_go_on(launcher, name))
            raise
        logger.warning("The build %s launched.", name)
    with ownership.caring_for(name):
        return _followed(launcher, order, name)


def _start(launcher: Launcher, order: BuildOrder, name: str, link: Hidden) -> None:
    target, workloads = launcher.target, launcher.workloads
    labels = {**labels_of("build", name, target.owner), IMAGE: order.tag}
    pod = finished_pod(_pod(launcher, order, name), target, _placement(launcher), ends=True)
    body = job(name, pod, target, kind="build", labels=labels, annotations=ownership.mark(), deadline=_LONGEST_SECONDS)
    metadata = {"name": name, "namespace": target.namespace, "labels": labels}
    secret = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata}
    # Before the Job: its pod would not start without.
    workloads.create({**secret, "stringData": {_LINK: link.reveal()}})
    try:
        made = workloads.create(body)
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": made["metadata"]["uid"]}
        # So that it goes with the Job, whatever becomes of this process.
        workloads.apply({**secret, "metadata": {**metadata, "ownerReferences": [owner]}})
    except BaseException:
        with contextlib.suppress(FairingAzureError):
            workloads.delete("Job", name)
        with contextlib.suppress(FairingAzureError):
            workloads.delete("Secret", name)
        raise


def _pod(launcher: Launcher, order: BuildOrder, name: str) -> dict[str, Any]:
    workspace = {"name": "workspace", "mountPath": _WORKSPACE}
    login = {"name": "registry-login", "mountPath": "/kaniko/.docker", "readOnly": True}
    secret = launcher.settings.registry_secret_name
    item = {"key": ".dockerconfigjson", "path": "config.json"}
    link = {"name": "CONTEXT_LINK", "valueFrom": {"secretKeyRef": {"name": name, "key": _LINK}}}
    return {
        **order.placement,
        "initContainers": [
            {
                "name": "context",
                "image": order.base,
                "command": ["python", "-c", _FETCH],
                "env": [link],
                "volumeMounts": [workspace],
            }
        ],
        "containers": [
            {
                "name": _CONTAINER,
                "image": launcher.settings.builder_image,
                "args": [
                    f"--context=tar://{_CONTEXT}",
                    f"--dockerfile={order.dockerfile}",
                    f"--destination={order.image}",
                    "--digest-file=/dev/termination-log",
                    "--log-format=text",
                    *order.options,
                ],
                "volumeMounts": [workspace, login],
            }
        ],
        "volumes": [
            {"name": "workspace", "emptyDir": {}},
            {"name": "registry-login", "secret": {"secretName": secret, "items": [item]}},
        ],
    }


def _placement(launcher: Launcher) -> Placement:
    return Placement(cpu=launcher.settings.build_cpu, memory=launcher.settings.build_memory)


def _running(launcher: Launcher, tag: str) -> str:
    """Return the name of a Job that builds this image now; empty if there is none."""
    for found in launcher.workloads.list("Job", {f"{PREFIX}kind": "build", IMAGE: tag}):
        status, metadata = found.get("status") or {}, found["metadata"]
        ended = any(
            condition.get("type") in {"Complete", "Failed", "FailureTarget", "SuccessCriteriaMet"}
            and condition.get("status") == "True"
            for condition in status.get("conditions") or ()
        )
        if not ended and "deletionTimestamp" not in metadata:
            return str(metadata["name"])
    return ""


def _followed(launcher: Launcher, order: BuildOrder, name: str) -> str:
    shown, digest = Shown(_CONTAINER, printed=False), ""
    last: dict[str, collections.deque[str]] = {}
    namespace = launcher.target.namespace
    try:
        events = cast("Generator[Event, None, None]", launcher.workloads.follow("Job", name))
        with contextlib.closing(events):
            for event in events:
                if isinstance(event, LogLine):
                    event = event._replace(text=_said(event.text))  # noqa: PLW2901 - the same line, as it is shown
                    last.setdefault(event.container, collections.deque(maxlen=_ENOUGH_LINES)).append(event.text)
                elif isinstance(event, Terminated) and event.container == _CONTAINER and event.exit_code == 0:
                    digest = event.message.strip()
                shown.show(event)
    except (ExecutionError, NotFoundError) as error:
        _delete(launcher, name)
        if isinstance(error, NotFoundError):
            # Who else has followed it has deleted it at its end; whether it was well is seen in the registry.
            return ""
        # The lines of the container that has failed: it is the last one that has printed anything.
        lines = list(last.values())[-1] if last else ()
        raise build_failed(order.image, error, lines, f"Job {name} in namespace '{namespace}'") from None
    except BaseException as error:
        why = "Interrupted" if isinstance(error, KeyboardInterrupt) else "It is followed no longer"
        logger.warning("%s, but the build goes on. %s", why, _how_to_go_on(launcher, name))
        raise
    _delete(launcher, name, wait=_GONE_SECONDS)
    return digest


def _said(line: str) -> str:
    """Return what Kaniko says without time and level, where it is no more than information."""
    found = _LOGGED.fullmatch(line)
    if found is None:
        return line
    # Go quotes as JSON does, but for what no message of Kaniko's holds.
    with contextlib.suppress(ValueError):
        text = str(json.loads(found["message"]))
        return text if found["level"] == "info" else f"{found['level']}: {text}"
    return line


def _how_to_go_on(launcher: Launcher, name: str) -> str:
    namespace = launcher.target.namespace
    return (
        f"The same launch, made again, follows it to its end. Delete it: fairing-azure delete {name}, or "
        f"kubectl -n {namespace} delete job {name}"
    )


def _delete(launcher: Launcher, name: str, wait: float = 0.0) -> None:
    try:
        launcher.workloads.delete("Job", name, wait=wait)
        # Where its owner was never written.
        launcher.workloads.delete("Secret", name)
    except ExecutionError:
        logger.info("Build %s is being deleted.", name)
    except FairingAzureError as error:
        logger.warning("%s So build %s has ended and is still there. %s", error, name, _how_to_go_on(launcher, name))
