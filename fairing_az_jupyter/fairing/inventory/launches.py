"""Looks after what was launched in the cluster, known by its labels: lists it, shows its output, deletes it."""

from __future__ import annotations

import concurrent.futures
import contextlib
import difflib
import time
from typing import TYPE_CHECKING, Any, cast

from fairing_az_jupyter.clients.kube.diagnosis.pods import containers
from fairing_az_jupyter.clients.kube.objects.facts import mapping
from fairing_az_jupyter.clients.kube.objects.kinds import name_of, uid_of
from fairing_az_jupyter.clients.kube.watching.events import LogLine
from fairing_az_jupyter.clients.kube.workloads import Workloads
from fairing_az_jupyter.exceptions import (
    ConflictError,
    EndpointError,
    ExecutionError,
    FairingAzureError,
    InputError,
    NotAllowedError,
    NotFoundError,
)
from fairing_az_jupyter.fairing.cluster.event_log import Shown
from fairing_az_jupyter.fairing.cluster.manifests import MANAGED_BY, PREFIX
from fairing_az_jupyter.fairing.inventory.states import (
    FAIRINGS,
    Launch,
    Part,
    endpoint_launch,
    inference_launch,
    job_launch,
    kind_of_launch,
    kserve_labels,
)
from fairing_az_jupyter.fairing.upstream.stand_ins import fairing_logging
from fairing_az_jupyter.models import LaunchLine

if TYPE_CHECKING:
    import threading
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

    from fairing_az_jupyter.clients.kube.watching.events import Event
    from fairing_az_jupyter.clients.kube.workloads import Propagation
    from fairing_az_jupyter.fairing.cluster.connections import Launcher
    from fairing_az_jupyter.models import LaunchInfo

    Object = Mapping[str, Any]

__all__ = [
    "delete_launches",
    "described",
    "find_everywhere",
    "find_launch",
    "find_launches",
    "group_of",
    "lines",
    "watched_lines",
]

_AT_ONCE = 6
_GONE_SECONDS = 60.0
_LOOK_SECONDS = 0.3
_KINDS = ("Job", "Deployment", "Service", "InferenceService", "Pod")
_LAUNCHED_AS = {"job": ("Job", "Pod"), "endpoint": ("Deployment", "Service", "Pod"), "build": ("Job", "Pod")}


def find_launches(launcher: Launcher) -> tuple[Launch, ...]:
    """Return everything that was launched in the namespace and is there, the oldest first.

    Args:
        launcher: The cluster and the namespace.

    Raises:
        ServiceError: The cluster does not do what is asked.

    """
    return _launches_of(_objects(launcher.workloads), launcher.workloads)


def find_everywhere(launcher: Launcher) -> tuple[tuple[Launch, ...], str]:
    """Return everything that was launched in all namespaces, the oldest first.

    Args:
        launcher: The cluster and the namespace.

    Returns:
        The launches; and why only those of the one namespace could be looked at, or an empty text.

    Raises:
        ServiceError: The cluster does not do what is asked.

    """
    try:
        found = _objects(launcher.workloads, everywhere=True)
    except NotAllowedError as error:
        why = f"Only namespace '{launcher.workloads.namespace}' could be looked at: {error.message}"
        return find_launches(launcher), why
    launches: list[Launch] = []
    for namespace in sorted({_namespace_of(thing) for things in found.values() for thing in things}):
        with Workloads(launcher.cluster, namespace=namespace) as workloads:
            own = {kind: [each for each in found[kind] if _namespace_of(each) == namespace] for kind in found}
            launches += _launches_of(own, workloads)
    return tuple(sorted(launches, key=_by_age)), ""


def _launches_of(found: Mapping[str, list[Object]], workloads: Workloads) -> tuple[Launch, ...]:
    """Return the launches that the objects of one namespace are."""
    pods = found["Pod"]
    launches = [job_launch(each, pods) for each in found["Job"]]
    launches += [_inference_launch(workloads, each) for each in found["InferenceService"]]
    services = {group_of(each): each for each in found["Service"] if kind_of_launch(each) is not None}
    deployments = {group_of(each): each for each in found["Deployment"] if kind_of_launch(each) is not None}
    for group in {**deployments, **services}:
        deployment, service = deployments.get(group), services.get(group)
        if _is_half_hidden(workloads, deployment, service):
            continue
        launches.append(endpoint_launch(deployment, service, pods))
    return tuple(sorted(filter(None, launches), key=_by_age))


def _by_age(launch: Launch) -> tuple[str, str]:
    return launch.info.created, launch.info.name


def _namespace_of(thing: Object) -> str:
    return str(mapping(thing.get("metadata")).get("namespace") or "")


def group_of(thing: Object) -> str:
    """Return what the objects of one launch have in common.

    Args:
        thing: One of them.

    """
    labels = mapping(mapping(thing.get("metadata")).get("labels"))
    return str(labels.get(f"{PREFIX}launch") or labels.get("fairing-id") or name_of(thing))


def find_launch(launcher: Launcher, name: str, launches: Iterable[Launch] | None = None) -> Launch:
    """Return what was launched by a name.

    Args:
        launcher: The cluster and the namespace.
        name: The name.
        launches: Everything that was launched, where that is known.

    Raises:
        NotFoundError: Nothing was; what has this name anyway was made by something else.

    """
    known = find_launches(launcher) if launches is None else tuple(launches)
    for launch in known:
        if name in launch.names:
            return launch
    namespace = launcher.target.namespace
    kind = _kind_of_others(launcher, name)
    if kind:
        raise NotFoundError(
            f"{kind} '{name}' in namespace '{namespace}' was not created by a launch, so it is not deleted.",
            hint=f"Manage it yourself: kubectl -n {namespace} get {kind.lower()} {name}",
            code="not-launched",
            service="kubernetes",
        )
    near = difflib.get_close_matches(name, [launch.info.name for launch in known], n=3, cutoff=0.6)
    suggestion = f" Did you mean {' or '.join(repr(each) for each in near)}?" if near else ""
    raise NotFoundError(
        f"No launch named '{name[:100]}' found in namespace '{namespace}'.{suggestion}",
        hint="List the launches: fairing-azure status",
        service="kubernetes",
    )


def described(launcher: Launcher, launch: Launch) -> LaunchInfo:
    """Return a launch with all that the cluster's events tell about it.

    Args:
        launcher: The cluster and the namespace.
        launch: The launch.

    Raises:
        NotFoundError: It has gone meanwhile.

    """
    workloads, (main, *others) = launcher.workloads, launch.parts
    pods = workloads.list("Pod", launch.pod_labels)
    names = {launch.info.name, *(name_of(pod) for pod in pods)}
    events: list[Object] = []
    # Without leave to read events, the objects' own words have to do.
    with contextlib.suppress(NotAllowedError):
        for event in workloads.list("Event"):
            about = str(mapping(event.get("involvedObject")).get("name") or "")
            if about in names or about.rpartition("-")[0] == launch.info.name:
                events.append(event)
    thing = workloads.get(main.kind, main.name)
    if main.kind == "Job":
        found = job_launch(thing, pods, events)
    elif main.kind == "InferenceService":
        found = _inference_launch(workloads, thing, events)
    else:
        rest = {each.kind: workloads.get(each.kind, each.name) for each in others}
        deployment, service = (thing, rest.get("Service")) if main.kind == "Deployment" else (None, thing)
        found = endpoint_launch(deployment, service, pods, events)
    return launch.info if found is None else found.info


def lines(launcher: Launcher, launch: Launch, *, tail: int | None = None) -> Iterator[LaunchLine]:
    """Yield what the pods of a launch have printed so far, pod by pod and container by container.

    Args:
        launcher: The cluster and the namespace.
        launch: The launch.
        tail: How many lines of each container at most, from the end; None means all.

    Yields:
        The lines, oldest first.

    Raises:
        ServiceError: The cluster does not do what is asked.

    """
    pods = sorted(
        launcher.workloads.list("Pod", launch.pod_labels),
        key=lambda pod: str(mapping(pod.get("metadata")).get("creationTimestamp")),
    )
    for pod in pods:
        for status, _ in containers(pod):
            name = str(status.get("name") or "")
            # One that has not started has no log yet, and a pod that goes takes its log with it.
            with contextlib.suppress(ConflictError, NotFoundError):
                for text in launcher.workloads.log(name_of(pod), name, tail=tail):
                    yield LaunchLine(name_of(pod), name, text, main=name == launch.container)


def watched_lines(
    launcher: Launcher, launch: Launch, *, tail: int | None = None, cancelled: threading.Event | None = None
) -> Iterator[LaunchLine]:
    """Yield what the pods of a launch print, as they print it; what the cluster does is reported on Fairing's logger.

    Args:
        launcher: The cluster and the namespace.
        launch: The launch. A job or build is followed to its end, an endpoint until the iterator is closed.
        tail: How many lines of each container, of those that it has printed already; None means all.
        cancelled: Ends the following from another thread, also while nothing is printed.

    Yields:
        The lines.

    Raises:
        ExecutionError: It has failed, can't start, or was deleted.
        ServiceError: The cluster does not do what is asked.

    """
    main = launch.parts[0]
    if main.kind == "Service":
        raise EndpointError(
            f"Endpoint '{launch.info.name}' has no pods whose output could be shown: its Deployment no longer exists.",
            hint=f"Delete the rest of it: fairing-azure delete {launch.info.name}",
            code="no-deployment",
        )
    # Counted, and not reported by their times: the clocks of nodes differ from this one.
    skipped: dict[tuple[str, str], int] = {}
    if tail is not None:
        for line in lines(launcher, launch):
            skipped[line.pod, line.container] = skipped.get((line.pod, line.container), 0) + 1
        skipped = {where: max(0, number - tail) for where, number in skipped.items()}
    fairing_logging()
    shown = Shown(launch.container, printed=False, launch=launch.info.name)
    stream = launcher.workloads.follow(main.kind, main.name, waits=launcher.waits, cancel=cancelled)
    events = cast("Generator[Event, None, None]", stream)
    with contextlib.closing(events):
        for event in events:
            if not isinstance(event, LogLine):
                shown.show(event)
            elif skipped.get((event.pod, event.container), 0):
                skipped[event.pod, event.container] -= 1
            else:
                yield LaunchLine(event.pod, event.container, event.text, main=event.container == launch.container)


def delete_launches(
    launcher: Launcher, names: Sequence[str], *, seconds: float = _GONE_SECONDS
) -> tuple[LaunchInfo, ...]:
    """Delete launches with all that belongs to them, and wait until their pods are gone.

    Args:
        launcher: The cluster and the namespace.
        names: Their names; if one of them is none, nothing is deleted.
        seconds: How long to wait for the pods of one.

    Returns:
        What was deleted.

    Raises:
        NotFoundError: Nothing was launched by one of the names.
        ExecutionError: Something was asked to go and is still there.
        ServiceError: The cluster does not do what is asked. The others have been deleted.

    """
    known = find_launches(launcher)
    wanted = {launch.info.name: launch for launch in (find_launch(launcher, name, known) for name in names)}
    problems = {name: _problem_of_deleting(launcher, launch, seconds) for name, launch in wanted.items()}
    deleted = tuple(launch.info for name, launch in wanted.items() if problems[name] is None)
    problem = next(filter(None, problems.values()), None)
    if problem is not None:
        if deleted:
            problem.message += f" Deleted: {', '.join(info.name for info in deleted)}."
        raise problem
    return deleted


def _is_half_hidden(workloads: Workloads, deployment: Object | None, service: Object | None) -> bool:
    """Tell whether the other half of an endpoint is there, and its labels were taken away: then it is somebody's own.

    Without a look it would seem to be broken, and `cleanup` would take away what serves. The halves of Fairing's own
    endpoints have names that say nothing of each other, and are never cleaned up unasked.
    """
    one = deployment if service is None else service if deployment is None else None
    if one is None or (kind_of_launch(one) or ("", ""))[1] != "fairing-az-jupyter":
        return False
    try:
        workloads.get("Service" if service is None else "Deployment", name_of(one))
    except NotFoundError:
        return False
    return True


def _inference_launch(workloads: Workloads, inference: Object, events: Iterable[Object] = ()) -> Launch | None:
    labels = kserve_labels(inference)
    pods, services = (workloads.list(kind, labels) for kind in ("Pod", "Service"))
    return inference_launch(inference, pods, services, events)


def _kind_of_others(launcher: Launcher, name: str) -> str:
    """Return the kind of an object that has a name and was not launched; empty if there is none to be seen."""

    def exists(kind: str) -> bool:
        try:
            launcher.workloads.get(kind, name)
        except (InputError, NotFoundError, NotAllowedError):
            return False
        return True

    return next((kind for kind in _KINDS if kind != "Pod" and exists(kind)), "")


def _problem_of_deleting(launcher: Launcher, launch: Launch, seconds: float) -> FairingAzureError | None:
    """Delete a launch with all its parts, whatever becomes of the others; return the first thing that went wrong."""
    workloads, (main, *others) = launcher.workloads, launch.parts

    def delete(part: Part, wait: float, propagation: Propagation = "Foreground") -> FairingAzureError | None:
        try:
            workloads.delete(part.kind, part.name, uid=part.uid, wait=wait, propagation=propagation)
        except ConflictError:
            # Another one has taken the name since: what was to be deleted is gone.
            return None
        except FairingAzureError as error:
            return error
        return None

    problems = [*(delete(part, 0.0) for part in others), delete(main, seconds)]
    if launch.info.kind == "build" and launch.info.origin == "fairing-az-jupyter":
        # The link to the build's context; it goes with its Job, unless the owner could not be noted. Nothing depends on
        # a Secret: in the foreground it would only stay until the garbage collector has looked.
        problems.append(delete(Part("Secret", launch.info.name, ""), 0.0, "Background"))
    if main.kind == "InferenceService":
        problems.append(_problem_of_pods(launcher, launch, seconds))
    return next(filter(None, problems), None)


def _problem_of_pods(launcher: Launcher, launch: Launch, seconds: float) -> FairingAzureError | None:
    """Wait until the pods are gone, where the object above them does not wait for them."""
    end = time.monotonic() + seconds
    try:
        while launcher.workloads.list("Pod", launch.pod_labels):
            if time.monotonic() >= end:
                namespace = launch.info.namespace
                return ExecutionError(
                    f"Endpoint '{launch.info.name}' in namespace '{namespace}' was deleted, but its pods still exist "
                    f"after {seconds:g} s.",
                    hint=f"List what is left: kubectl -n {namespace} get pods",
                    code="not-gone",
                )
            time.sleep(_LOOK_SECONDS)
    except FairingAzureError as error:
        return error
    return None


def _objects(workloads: Workloads, *, everywhere: bool = False) -> dict[str, list[Object]]:
    """Return the objects of launches by kind; of a kind that may not be there, or not be looked at, none."""
    wanted: list[tuple[str, Mapping[str, str]]] = [(kind, MANAGED_BY) for kind in _KINDS]
    wanted += [(kind, {name: value}) for (name, value), what in FAIRINGS.items() for kind in _LAUNCHED_AS[what]]

    def listed(what: tuple[str, Mapping[str, str]]) -> tuple[Object, ...]:
        try:
            return workloads.list(*what, everywhere=everywhere)
        except (NotFoundError, NotAllowedError):
            # A cluster without KServe; the server says 'forbidden' also of what it does not have.
            if what[0] != "InferenceService":
                raise
            return ()

    with concurrent.futures.ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="launches") as pool:
        found = list(pool.map(listed, wanted))
    by_kind: dict[str, dict[str, Object]] = {kind: {} for kind in _KINDS}
    for (kind, _), things in zip(wanted, found, strict=True):
        by_kind[kind].update({uid_of(thing): thing for thing in things})
    return {kind: list(things.values()) for kind, things in by_kind.items()}
