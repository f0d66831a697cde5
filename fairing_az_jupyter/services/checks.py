"""What would make a launch fail, and the Secrets that it needs."""

from __future__ import annotations

import dataclasses
import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import FairingAzureError
from fairing_az_jupyter.settings import declarations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from fairing_az_jupyter.models import CheckResult, Question, SecretChange, SecretState
    from fairing_az_jupyter.preflight.context import CheckContext, Planned
    from fairing_az_jupyter.services.session import Session
    from fairing_az_jupyter.settings.sources import Resolved

Object = dict[str, Any]


def check(session: Session) -> Iterator[CheckResult]:
    """Check everything that a launch needs, and yield each result as it is found.

    What is checked is what `KubeflowAzureBackend` needs, unless `LocalBackend` was chosen somewhere, or nothing was
    set at all outside a cluster.

    Args:
        session: The settings in force, the records and the cluster.

    Returns:
        One result for each check, in the order of time.

    Raises:
        InputError: A source of settings can't be read. A value that breaks its rule is a result.

    """
    from fairing_az_jupyter.preflight.checklist import all_checks  # noqa: PLC0415 - most commands need none
    from fairing_az_jupyter.preflight.runner import run_checks  # noqa: PLC0415 - likewise

    return run_checks(all_checks(_context(session)))


def create_secrets(  # noqa: PLR0913 - each is a word that a user may say
    session: Session,
    *,
    azure: bool = True,
    acr: bool = True,
    only_secret: bool = False,
    from_env: bool = False,
    from_file: str | None = None,
    ask: Callable[[Question], str] | None = None,
    expires: str | None = None,
    dry_run: bool = False,
    verify: bool = True,
    replace: bool = False,
) -> tuple[SecretChange, ...]:
    """Make the Secrets that a launch needs, or renew them; safe to repeat.

    Args:
        session: The settings in force, the records and the cluster.
        azure: Make the Secret with the service principal.
        acr: Make the Secret with the registry's login, and name it in the service account.
        only_secret: Renew the client secret in the Secrets that are there, and nothing else.
        from_env: Take the values from environment variables.
        from_file: Take the values from this file, and what it lacks from the environment; `-` is standard input.
        ask: Asks the user for what is missing; None where there is nobody to ask.
        expires: The day on which the client secret expires, as YYYY-MM-DD.
        dry_run: Let the server check everything, and change nothing.
        verify: Reject a client secret that Microsoft Entra ID does not accept.
        replace: Delete a Secret that can't be changed, and make it anew.

    Returns:
        What became of each object, or would become of it.

    Raises:
        InputError: A value is missing or has not its form; nothing was written.
        ServiceError: The cluster or Microsoft Entra ID rejected the request; the message tells what was written, if
            anything.
        KeyboardInterrupt: The user has stopped it; likewise.

    """
    from fairing_az_jupyter.setup import (  # noqa: PLC0415 - only who creates Secrets needs them
        principal,
        secrets,
        writes,
    )

    try:
        return secrets.create_secrets(
            _context(session),
            azure=azure,
            acr=acr,
            only_secret=only_secret,
            read=lambda needed, keepable: principal.gather(
                environ=os.environ if from_env or from_file is not None else None,
                file=from_file,
                ask=ask,
                needed=needed,
                keepable=keepable,
                expires=expires,
            ),
            dry_run=dry_run,
            verify=verify,
            replace=replace,
        )
    except FairingAzureError as error:
        reported = writes.reworded(error, error.message, error.hint)
    # Without the frames of the calls: they hold what was to be written, and some tools print every local variable.
    raise reported


def attach_pull_secret(session: Session, *, dry_run: bool = False) -> tuple[SecretChange, ...]:
    """Name the registry's Secret in the service account, beside those that it names already.

    Args:
        session: The settings in force, the records and the cluster.
        dry_run: Let the server check it, and change nothing.

    Returns:
        What became of the service account, or would become of it.

    Raises:
        ServiceError: The cluster rejected the request.

    """
    from fairing_az_jupyter.setup import secrets  # noqa: PLC0415 - most commands need none

    return secrets.attach_pull_secret(_context(session), dry_run=dry_run)


def describe_secrets(session: Session) -> tuple[SecretState, ...]:
    """Tell what there is of the Secrets and the service account; never a value.

    Args:
        session: The settings in force, the records and the cluster.

    Returns:
        One state for each object.

    Raises:
        ServiceError: The cluster can't be asked.

    """
    from fairing_az_jupyter.setup import secrets  # noqa: PLC0415 - most commands need none

    return secrets.describe_secrets(_context(session))


def subject_of(
    resolved: Resolved, errors: Iterable[Mapping[str, str]], environ: Mapping[str, str], notebook: str | None = None
) -> CheckContext:
    """Return what is to be checked.

    Args:
        resolved: The settings in force.
        errors: What is wrong with those that can't be used, as `resolve_usable` tells it.
        environ: The environment.
        notebook: Path of the notebook whose parameters cell counts.

    Returns:
        The context. Its backend is `KubeflowAzureBackend` where none was chosen, and there is a cluster around or
        anything was said about Azure.

    """
    from fairing_az_jupyter.fairing.upstream import installation  # noqa: PLC0415 - most commands need none
    from fairing_az_jupyter.preflight.context import CheckContext  # noqa: PLC0415 - likewise

    entries = {error["field"] or error["name"]: error for error in errors}
    settings = resolved.settings
    chosen = resolved.given.get("backend") or "backend" in entries
    azure = any(
        declared["group"] == "Azure" and resolved.given.get(field) for field, declared in declarations().items()
    )
    if not chosen and (azure or entries or "KUBERNETES_SERVICE_HOST" in environ):
        settings = settings.model_copy(update={"backend": "KubeflowAzureBackend"})
    context = CheckContext(
        settings,
        broken={field: entry["message"] for field, entry in entries.items()},
        hints={field: entry["hint"] for field, entry in entries.items()},
        suggestions={field: entry["suggestion"] for field, entry in entries.items() if entry["suggestion"]},
        notebook=notebook,
        environ=environ,
        fairing=installation.installed_version(),
        installs=_asks_for_something(Path(notebook).parent if notebook is not None else Path.cwd()),
    )
    return dataclasses.replace(context, planned=lambda kind, namespace: _planned(context, kind, namespace))


def _planned(context: CheckContext, kind: Planned, namespace: str) -> tuple[Object, ...]:
    """Return what a launch would make of a kind: first of all its pod, then what makes the pod."""
    from fairing_az_jupyter.fairing.cluster.manifests import PREFIX, Target, service  # noqa: PLC0415 - likewise
    from fairing_az_jupyter.fairing.images.build_pods import build_secret  # noqa: PLC0415 - most commands need none
    from fairing_az_jupyter.fairing.planned_pods import made_by_kserve, planned_objects  # noqa: PLC0415 - most commands need none

    settings = context.settings
    target = Target(namespace, settings.service_account, settings.registry_secret_name)
    in_cluster = "KUBERNETES_SERVICE_HOST" in context.environ
    architecture = context.platform(in_cluster=in_cluster).partition("/")[2]
    found: list[Object] = []
    for body in planned_objects(settings, target, architecture=architecture):
        if body["metadata"]["labels"][f"{PREFIX}kind"] != kind:
            continue
        found += [_pod_of(body), body]
        if body["kind"] == "Deployment":
            public = settings.service_type == "LoadBalancer"
            found.append(service(body["metadata"]["name"], target, public=public))
        if body["kind"] == "InferenceService":
            found += made_by_kserve(body, target)
        if kind == "build":
            found.append(build_secret(body, "", "{}"))
    return tuple(found)


def _pod_of(body: Object) -> Object:
    """Return the pod that an object's controller would make, to be judged by itself.

    It names its owner as a controller's pod does, because some policies reject a pod without one, such as Azure's
    BlockNakedPods. No object of that name and UID has to be there.
    """
    from fairing_az_jupyter.fairing.planned_pods import predictor_pod  # noqa: PLC0415 - most commands need none

    metadata = body["metadata"]
    name = {"name": f"{metadata['name']}-dry", "namespace": metadata["namespace"]}
    version, owner = ("batch/v1", "Job") if body["kind"] == "Job" else ("apps/v1", "ReplicaSet")
    # Without blockOwnerDeletion, which takes a right on the owner's finalizers.
    by = {"apiVersion": version, "kind": owner, "name": metadata["name"], "uid": str(uuid.uuid4()), "controller": True}
    if body["kind"] == "InferenceService":
        # What KServe hands on: the predictor but for its own fields, the labels and the annotations.
        template: Object = {"metadata": metadata, "spec": predictor_pod(body)}
    else:
        template = body["spec"]["template"]
    marks = {part: template["metadata"][part] for part in ("labels", "annotations") if part in template["metadata"]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**marks, **name, "ownerReferences": [by]},
        "spec": template["spec"],
    }


def _asks_for_something(folder: Path) -> bool:
    """Tell whether a folder has a requirements.txt that asks for something to be installed."""
    from fairing_az_jupyter.fairing.context import requirements  # noqa: PLC0415 - most commands need none

    try:
        content = (folder / "requirements.txt").read_bytes()
    except (OSError, ValueError):
        return False
    return requirements.asks_for_something(requirements.requirements_text(content))


def _context(session: Session) -> CheckContext:
    resolved, errors = session.usable
    return subject_of(resolved, errors, os.environ, session.notebook if isinstance(session.notebook, str) else None)
