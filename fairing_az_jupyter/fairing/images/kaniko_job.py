"""Builds an image in the cluster: Kaniko in a Job, whose link to its context and whose login end with its time."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import json
import logging
import re
from typing import TYPE_CHECKING, cast

from fairing_az_jupyter.clients.kube.objects.facts import entries, mapping
from fairing_az_jupyter.clients.kube.objects.kinds import name_of, uid_of
from fairing_az_jupyter.clients.kube.watching.events import Disrupted, LogLine, Notice, Retried, Terminated
from fairing_az_jupyter.exceptions import ConflictError, ExecutionError, FairingAzureError, NotFoundError, ServiceError
from fairing_az_jupyter.fairing.cluster import ownership
from fairing_az_jupyter.fairing.cluster.event_log import Shown
from fairing_az_jupyter.fairing.context.requirements import without_secrets
from fairing_az_jupyter.fairing.images.build_access import Access, Renewal, give_access
from fairing_az_jupyter.fairing.images.build_errors import build_failed
from fairing_az_jupyter.fairing.images.build_logins import build_login
from fairing_az_jupyter.fairing.images.build_pods import (
    CONTAINER,
    BuildOrder,
    build_name,
    build_object,
    images_of,
)
from fairing_az_jupyter.fairing.upstream.stand_ins import LOGGER_NAME
from fairing_az_jupyter.launch_events import Interrupted, Launched, Phases, publish

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from fairing_az_jupyter.clients.kube.objects.facts import Object
    from fairing_az_jupyter.clients.kube.watching.events import Event
    from fairing_az_jupyter.clients.secret_values import SecretValue
    from fairing_az_jupyter.fairing.cluster.connections import Launcher

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
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_ENOUGH_LINES = 20


def build_in_cluster(
    launcher: Launcher, order: BuildOrder, link: Callable[[], SecretValue], phases: Phases | None = None
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
        ServiceError: The cluster does not do what is asked; the build may continue there.

    """
    phases = phases or Phases()
    # Before anything is packed or sent: what it raises is known without that.
    build_object(order, launcher.settings, launcher.target, launcher.placement)

    def access() -> Access:
        # The login last: packing and sending takes its time, and a token is counted from its making.
        made = link()
        found = Access(made, build_login(launcher, order))
        phases.begin("build")
        return found

    def renewed(before: Access | None) -> Access:
        if before is not None:
            return dataclasses.replace(before, login=build_login(launcher, order))
        found = access()
        phases.say(f"Image {order.image}")
        return found

    build, own = _have(launcher, order, build_name(order.image), access)
    phases.begin("build")
    phases.say(f"Image {order.image}")
    with ownership.caring_for(name_of(build)):
        return _watched(launcher, order, build, Renewal(launcher, build, own, renewed))


def _have(
    launcher: Launcher, order: BuildOrder, name: str, access: Callable[[], Access]
) -> tuple[Object, Access | None]:
    """Return the Job that makes an image, and what it was given here, if anything.

    Its name is the image's, so that there is one, whoever asks at once.
    """
    own: Access | None = None
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
            publish(Launched("build", name, launcher.target.namespace))
            return made, own
        if _is_over(found):
            # What ended unseen, or is being deleted: its image is not there, or nobody would have asked.
            with contextlib.suppress(ConflictError):
                launcher.workloads.delete("Job", name, uid=uid_of(found), wait=_OLD_SECONDS)
            continue
        logger.warning("A build of the same image is already running: waiting for %s.", name)
        publish(Launched("build", name, launcher.target.namespace))
        if not mapping(found.get("spec")).get("suspend"):
            return found, None
        # Who has made it was ended before it could start it, or is about to.
        own = own or access()
        if _start_theirs(launcher, found, own, may_fail=left > 0):
            return found, own
    raise ConflictError(
        f"Job '{name}' in namespace '{launcher.target.namespace}', which builds image '{order.image}', is repeatedly "
        "created and deleted by another process.",
        hint=f"Find out which: kubectl -n {launcher.target.namespace} get job {name} -o yaml. Then launch again.",
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
    except KeyboardInterrupt as stopped:
        _report_remaining(stopped, f"but {name} may have been created. {_how_to_resume(launcher, name)}")
        raise


def _report_remaining(error: BaseException, what: str) -> None:
    """Tell what is left of a build that is not followed any more."""
    interrupted = isinstance(error, KeyboardInterrupt)
    message = f"{'Interrupted' if interrupted else 'It is no longer watched'}, {what}"
    logger.warning("%s", message)
    if interrupted:
        publish(Interrupted(message, remains=True))


def _start_own(launcher: Launcher, made: Object, access: Access) -> None:
    """Start a Job that this process has made; where that fails, nothing of it is left."""
    name = name_of(made)
    try:
        _start(launcher, made, access)
    except BaseException:
        try:
            launcher.workloads.delete("Job", name, uid=uid_of(made))
        except FairingAzureError as error:
            logger.warning("%s Build %s still exists. %s", error, name, _how_to_resume(launcher, name))
        raise


def _start_theirs(launcher: Launcher, found: Object, access: Access, *, may_fail: bool) -> bool:
    """Start a Job that another process has made; return whether it is still there, as far as this may fail.

    Packing and sending takes its time: meanwhile the other process may have started it, and deleted it at its end.
    """
    now = _found(launcher, name_of(found))
    if may_fail and (now is None or uid_of(now) != uid_of(found) or _is_over(now)):
        return False
    try:
        _start(launcher, found, access)
    except (ConflictError, NotFoundError):
        if not may_fail:
            raise
        return False
    return True


def _start(launcher: Launcher, made: Object, access: Access) -> None:
    """Give a Job what it may reach, and start it; again does no harm."""
    give_access(launcher, made, access)
    place = {"name": name_of(made), "namespace": launcher.target.namespace, "uid": uid_of(made)}
    spec = {"suspend": False}
    launcher.workloads.apply({"apiVersion": "batch/v1", "kind": "Job", "metadata": place, "spec": spec})


def _watched(launcher: Launcher, order: BuildOrder, build: Object, renewal: Renewal) -> str:
    name, digest, failed = name_of(build), "", ("", "")
    shown = Shown(CONTAINER, printed=False, launch=name)
    # By pod and container.
    last: dict[tuple[str, str], collections.deque[str]] = {}
    namespace = launcher.target.namespace
    try:
        stream = launcher.workloads.follow("Job", name, waits=launcher.waits)
        events = cast("Generator[Event, None, None]", stream)
        with contextlib.closing(events):
            for event in events:
                renewal.see(event)
                if isinstance(event, LogLine):
                    event = event._replace(text=_said(event.text))  # noqa: PLW2901 - the same line, as it is shown
                    of = (event.pod, event.container)
                    last.setdefault(of, collections.deque(maxlen=_ENOUGH_LINES)).append(event.text)
                elif isinstance(event, (Disrupted, Retried)):
                    # What the pod before has printed says nothing about the end of the next one, which may have begun.
                    gone = event.pod if isinstance(event, Disrupted) else event.diagnosis.pod
                    last = {of: lines for of, lines in last.items() if of[0] != gone}
                    failed = ("", "") if failed[0] == gone else failed
                elif isinstance(event, Terminated) and event.exit_code:
                    failed = (event.pod, event.container)
                elif isinstance(event, Terminated) and event.container == CONTAINER:
                    digest = event.message.strip() if _DIGEST.fullmatch(event.message.strip()) else ""
                if not (isinstance(event, Notice) and event.reason in _OUR_OWN):
                    shown.show(event)
    except (ExecutionError, NotFoundError) as error:
        _delete(launcher, build)
        if isinstance(error, NotFoundError):
            # Who else has followed it has deleted it at its end; whether it was well is seen in the registry.
            return ""
        # Of the container that has failed; of the last one that has printed anything where none has ended.
        lines = last.get(failed, ()) if failed[1] else list(last.values())[-1] if last else ()
        where = f"Job {name} in namespace '{namespace}'"
        raise build_failed(order.image, error, lines, where, images_of(build), waited=renewal.waited) from None
    except BaseException as error:
        _report_remaining(error, f"but the build is still running. {_how_to_resume(launcher, name)}")
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


def _how_to_resume(launcher: Launcher, name: str) -> str:
    namespace = launcher.target.namespace
    return (
        f"Run the same launch again to wait for it. Delete it: fairing-azure delete {name}, or kubectl -n {namespace} "
        f"delete job {name}"
    )


def _delete(launcher: Launcher, build: Object, wait: float = 0.0) -> None:
    name = name_of(build)
    try:
        # This one only: somebody else may be building the same image anew.
        launcher.workloads.delete("Job", name, wait=wait, uid=uid_of(build))
    except (ConflictError, ExecutionError):
        logger.info("Build %s is being deleted.", name)
    except FairingAzureError as error:
        logger.warning("%s Build %s has ended but still exists. %s", error, name, _how_to_resume(launcher, name))
