"""Builds an image in the cluster: Kaniko in a Job, whose link to its context and whose login end with its time."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import json
import logging
import re
from typing import TYPE_CHECKING, cast

from fairing_az_jupyter.clients.kube.facts import entries, mapping
from fairing_az_jupyter.clients.kube.followed import LogLine, Notice, Terminated
from fairing_az_jupyter.clients.kube.objects import name_of, uid_of
from fairing_az_jupyter.exceptions import ConflictError, ExecutionError, FairingAzureError, NotFoundError, ServiceError
from fairing_az_jupyter.fairing import ownership
from fairing_az_jupyter.fairing.build_errors import build_failed
from fairing_az_jupyter.fairing.build_logins import build_login
from fairing_az_jupyter.fairing.build_pods import (
    CONTAINER,
    LINK_KEY,
    LOGIN_KEY,
    BuildOrder,
    build_name,
    build_object,
)
from fairing_az_jupyter.fairing.cluster_events import Shown
from fairing_az_jupyter.fairing.requirements import without_secrets
from fairing_az_jupyter.fairing.standins import LOGGER_NAME
from fairing_az_jupyter.reporting import Phases

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from fairing_az_jupyter.clients.hidden import Hidden
    from fairing_az_jupyter.clients.kube.facts import Object
    from fairing_az_jupyter.clients.kube.followed import Event
    from fairing_az_jupyter.fairing.launcher import Launcher

__all__ = ["BuildOrder", "build_in_cluster"]

logger = logging.getLogger(LOGGER_NAME)

_GONE_SECONDS = 5.0
# A pod that is deleted gets 30 s to end by itself.
_OLD_SECONDS = 45.0
_TRIES = 5
_SERVER_ERROR = 500
# How a build starts: it says nothing to who launches.
_OUR_OWN = frozenset({"Suspended", "Resumed"})
_ENDS = frozenset({"Complete", "Failed", "FailureTarget", "SuccessCriteriaMet"})
# https://pkg.go.dev/github.com/sirupsen/logrus#TextFormatter: what `--log-format=text` gives.
_LOGGED = re.compile(r'time="[^"]*" level=(?P<level>\w+) msg=(?P<message>".*")')
_ENOUGH_LINES = 20


@dataclasses.dataclass(frozen=True)
class _Access:
    """What a build may reach, and for its own time only.

    Args:
        link: The link by which its context can be read.
        login: The docker config with which it pulls and pushes.

    """

    link: Hidden
    login: Hidden


def build_in_cluster(
    launcher: Launcher, order: BuildOrder, link: Callable[[], Hidden], phases: Phases | None = None
) -> str:
    """Build an image and push it; show the build's lines as they come, and leave nothing of it in the cluster.

    A build of the same image that runs already, as after an interrupt, is followed to its end in place of a second one.

    Args:
        launcher: The cluster, and in whose name pods run there.
        order: What to build.
        link: Makes the link by which the context can be read; called only if there is something to build.
        phases: The launch's phases, of which the build becomes one once the context is where it can be read.

    Returns:
        The digest of the image's manifest; empty where the builder did not tell.

    Raises:
        InputError: Pods have to keep to the Pod Security Standard `restricted`, which Kaniko can't.
        BuildFailedError: The build can't start, or has failed; nothing of it is left.
        ServiceError: The cluster does not do what is asked; the build may go on there.

    """
    phases = phases or Phases()
    # Before anything is packed or sent: what it raises is known without that.
    build_object(order, launcher.settings, launcher.target, launcher.placement)

    def access() -> _Access:
        # The login last: packing and sending takes its time, and a token is counted from its making.
        made = link()
        found = _Access(made, build_login(launcher, order))
        phases.begin("build")
        return found

    build = _have(launcher, order, build_name(order.image), access)
    phases.begin("build")
    phases.say(f"Image {order.image}")
    with ownership.caring_for(name_of(build)):
        return _followed(launcher, order, build)


def _have(launcher: Launcher, order: BuildOrder, name: str, access: Callable[[], _Access]) -> Object:
    """Return the Job that makes an image; its name is the image's, so that there is one, whoever asks at once."""
    own: _Access | None = None
    for left in reversed(range(_TRIES)):
        found = _found(launcher, name)
        if found is None:
            # Before anything is there: packing and sending takes its time, and may be interrupted.
            own = own or access()
            made = _make(launcher, order, name, may_fail=left > 0)
            if made is None:
                continue
            _start_own(launcher, made, own)
            logger.warning("The build %s launched.", name)
            return made
        if _is_over(found):
            # What ended unseen, or is being deleted: its image is not there, or nobody would have asked.
            with contextlib.suppress(ConflictError):
                launcher.workloads.delete("Job", name, uid=uid_of(found), wait=_OLD_SECONDS)
            continue
        logger.warning("A build of the same image runs already: %s is followed to its end.", name)
        if mapping(found.get("spec")).get("suspend"):
            # Who has made it was ended before it could start it.
            _start(launcher, found, access())
        return found
    raise ConflictError(
        f"Job '{name}' in namespace '{launcher.target.namespace}', which is to build image '{order.image}', is made "
        "and deleted by somebody else again and again.",
        hint=f"See who: kubectl -n {launcher.target.namespace} get job {name} -o yaml. Then launch again.",
        code="build-contended",
        service="kubernetes",
    )


def _found(launcher: Launcher, name: str) -> Object | None:
    try:
        return launcher.workloads.get("Job", name)
    except NotFoundError as error:
        if error.code != NotFoundError.code:
            raise
        return None


def _is_over(found: Object) -> bool:
    conditions = entries(mapping(found.get("status")).get("conditions"))
    ended = any(each.get("type") in _ENDS and each.get("status") == "True" for each in conditions)
    return ended or "deletionTimestamp" in mapping(found.get("metadata"))


def _make(launcher: Launcher, order: BuildOrder, name: str, *, may_fail: bool) -> Object | None:
    """Create the Job, to be started when its pod has what it needs; None if that is to be tried again.

    So it is where somebody else was faster, and where the API server stumbled: its name is the same the next time.
    """
    body = build_object(order, launcher.settings, launcher.target, launcher.placement, ownership.mark())
    try:
        return launcher.workloads.create(body)
    except ServiceError as error:
        if not may_fail or (error.code != "already-exists" and (error.status or 0) < _SERVER_ERROR):
            raise
        return None
    except KeyboardInterrupt:
        logger.warning("Interrupted, but %s may have been made. %s", name, _how_to_go_on(launcher, name))
        raise


def _start_own(launcher: Launcher, made: Object, access: _Access) -> None:
    """Start a Job that this process has made; where that fails, nothing of it is left."""
    name = name_of(made)
    try:
        _start(launcher, made, access)
    except BaseException:
        try:
            launcher.workloads.delete("Job", name, uid=uid_of(made))
        except FairingAzureError as error:
            logger.warning("%s So build %s is still there. %s", error, name, _how_to_go_on(launcher, name))
        raise


def _start(launcher: Launcher, made: Object, access: _Access) -> None:
    """Give a Job what it may reach, in a Secret that goes with it, and start it; again does no harm."""
    metadata, name, uid = mapping(made["metadata"]), name_of(made), uid_of(made)
    place = {"name": name, "namespace": launcher.target.namespace}
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": uid}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {**place, "labels": dict(mapping(metadata.get("labels"))), "ownerReferences": [owner]},
        "stringData": {LINK_KEY: access.link.reveal(), LOGIN_KEY: access.login.reveal()},
    }
    launcher.workloads.apply(secret)
    spec = {"suspend": False}
    launcher.workloads.apply({"apiVersion": "batch/v1", "kind": "Job", "metadata": {**place, "uid": uid}, "spec": spec})


def _followed(launcher: Launcher, order: BuildOrder, build: Object) -> str:
    name, shown, digest, failed = name_of(build), Shown(CONTAINER, printed=False), "", ""
    last: dict[str, collections.deque[str]] = {}
    namespace = launcher.target.namespace
    try:
        events = cast("Generator[Event, None, None]", launcher.workloads.follow("Job", name))
        with contextlib.closing(events):
            for event in events:
                if isinstance(event, LogLine):
                    event = event._replace(text=_said(event.text))  # noqa: PLW2901 - the same line, as it is shown
                    last.setdefault(event.container, collections.deque(maxlen=_ENOUGH_LINES)).append(event.text)
                elif isinstance(event, Terminated) and event.exit_code:
                    failed = event.container
                elif isinstance(event, Terminated) and event.container == CONTAINER:
                    digest = event.message.strip()
                if not (isinstance(event, Notice) and event.reason in _OUR_OWN):
                    shown.show(event)
    except (ExecutionError, NotFoundError) as error:
        _delete(launcher, build)
        if isinstance(error, NotFoundError):
            # Who else has followed it has deleted it at its end; whether it was well is seen in the registry.
            return ""
        # Of the container that has failed; of the last one that has printed anything where none has ended.
        lines = last.get(failed, ()) if failed else list(last.values())[-1] if last else ()
        raise build_failed(order.image, error, lines, f"Job {name} in namespace '{namespace}'") from None
    except BaseException as error:
        why = "Interrupted" if isinstance(error, KeyboardInterrupt) else "It is followed no longer"
        logger.warning("%s, but the build goes on. %s", why, _how_to_go_on(launcher, name))
        raise
    _delete(launcher, build, wait=_GONE_SECONDS)
    return digest


def _said(line: str) -> str:
    """Return what Kaniko says without time and level, where it only informs, and without credentials."""
    line = without_secrets(line)
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


def _delete(launcher: Launcher, build: Object, wait: float = 0.0) -> None:
    name = name_of(build)
    try:
        # This one only: somebody else may be building the same image anew.
        launcher.workloads.delete("Job", name, wait=wait, uid=uid_of(build))
    except (ConflictError, ExecutionError):
        logger.info("Build %s is being deleted.", name)
    except FairingAzureError as error:
        logger.warning("%s So build %s has ended and is still there. %s", error, name, _how_to_go_on(launcher, name))
