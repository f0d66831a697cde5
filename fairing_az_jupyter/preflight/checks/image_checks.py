"""Can the images be had that a launch starts from: the base image, and the one that builds run in?

Asked by a HEAD, which Docker Hub does not count as a pull (https://docs.docker.com/docker-hub/usage/pulls/). Which
platforms an image has takes a GET; it is left out for Docker Hub's official images, which all have linux/amd64 but for
the tags of Windows (https://github.com/docker-library/official-images#multiple-architectures) and what a digest names.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from typing import TYPE_CHECKING, Literal

from fairing_az_jupyter.clients.azure.clouds import cloud_of_registry
from fairing_az_jupyter.clients.oci.auth.docker_config import SECRET_KEY, parse_docker_config, registry_host
from fairing_az_jupyter.clients.oci.images import ImageReference, ImageStore
from fairing_az_jupyter.clients.oci.registry import Registry
from fairing_az_jupyter.exceptions import (
    CredentialError,
    FairingAzureError,
    InputError,
    NotAllowedError,
    NotFoundError,
    ThrottledError,
    UnreachableError,
)
from fairing_az_jupyter.preflight import fix_commands
from fairing_az_jupyter.preflight.builds import only_some_launches
from fairing_az_jupyter.preflight.image_copies import copied, own_host
from fairing_az_jupyter.preflight.runner import Check, Finding, from_error
from fairing_az_jupyter.settings import notebook_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fairing_az_jupyter.clients.kube.cluster import Cluster
    from fairing_az_jupyter.clients.kube.objects.facts import StoredSecret
    from fairing_az_jupyter.clients.oci.auth.docker_config import Login
    from fairing_az_jupyter.models import Fix
    from fairing_az_jupyter.preflight.context import CheckContext

__all__ = ["checks"]

Field = Literal["base_image", "builder_image"]

_HUB = registry_host("docker.io")
_OFFICIAL = "library/"
_WINDOWS = re.compile(r"windowsservercore|nanoserver")
# What is silent for so long is most likely closed: a firewall drops what it does not let through.
_SECONDS = 5.0
_AFTER = ("cluster", "cluster.service-account", "registry.secret")


def checks(context: CheckContext) -> list[Check]:
    """Return the checks of the images: the builder's only where a pod in the cluster builds.

    Args:
        context: What is checked.

    """
    base = Check(
        "image.base",
        "Base image available",
        "A launch reads the base image before it builds anything.",
        "the base image",
        lambda given: _base(context, given),
        after=_after(context, "base_image"),
    )
    builder = Check(
        "image.builder",
        "Builder image available",
        "A build in the cluster runs in it; on a node that can't pull it, the build waits and then fails.",
        "the image of the builder",
        lambda given: _builder(context, given),
        after=_after(context, "builder_image"),
    )
    return [base, builder] if context.builds_in_cluster else [base]


def _after(context: CheckContext, field: Field) -> tuple[str, ...]:
    """Return what an image's check waits for: whether its registry lets anybody in, if that is the settings' own."""
    return (*_AFTER, "registry.pull") if _is_own(context, field) else _AFTER


def _is_own(context: CheckContext, field: Field) -> bool:
    try:
        host = ImageReference.parse(context.image(field)).host
    except InputError:
        return False
    return field not in context.broken and host == own_host(context)


def _base(context: CheckContext, given: Mapping[str, Finding]) -> Finding:
    looked_at = _looked_at(context, "base_image")
    if skipped := _skipped(context, "base_image", given, looked_at):
        return skipped
    reference = ImageReference.parse(context.image("base_image"))
    login = _login_in(given["registry.secret"].value, reference.host)
    try:
        return _had(context, "base_image", reference, login, given, looked_at)
    except UnreachableError as error:
        return _base_unreached(context, reference, error, looked_at)
    except (CredentialError, NotAllowedError) as error:
        if login is None and given["registry.secret"].unseen:
            return from_error(error, looked_at)
        found = _not_given(context, "base_image", reference, error, looked_at)
        return _of_others(found) if _others_ask(context, reference) else found


def _base_unreached(
    context: CheckContext, reference: ImageReference, error: UnreachableError, looked_at: str
) -> Finding:
    more = (*copied(context, "base_image", str(reference)), *_hint(error))
    if _others_ask(context, reference):
        return _of_others(Finding("warn", looked_at, error.message, more, code="image-unreachable-here"))
    silent = from_error(error, looked_at)
    if silent.status == "unknown":
        message = f"{error.message} A launch asks it for the base image with a longer timeout."
        return dataclasses.replace(silent, message=message, fixes=more)
    # This process asks that registry in a launch, too: what rejects a connection now most likely will then.
    message = f"{error.message} A launch needs the base image from it and would fail."
    return Finding("fail", looked_at, message, more, code="image-unreachable")


def _others_ask(context: CheckContext, base: ImageReference) -> bool:
    """Tell whether only whoever builds asks for the base image: its digest needs no look-up, and no layer is added."""
    return base.digest is not None and context.settings.builder != "layered"


def _of_others(found: Finding) -> Finding:
    message = f"{found.message} Only the build pulls this image, from another place and with its own logins."
    return dataclasses.replace(found, status="warn", message=message)


def _builder(context: CheckContext, given: Mapping[str, Finding]) -> Finding:
    looked_at = _looked_at(context, "builder_image")
    if skipped := _skipped(context, "builder_image", given, looked_at):
        return skipped
    reference = ImageReference.parse(context.image("builder_image"))
    try:
        found = _pulled(context, reference, given, looked_at)
    except UnreachableError as error:
        found = _node_alone_pulls(context, reference, error, given, looked_at)
    return only_some_launches(context, found)


def _pulled(context: CheckContext, reference: ImageReference, given: Mapping[str, Finding], looked_at: str) -> Finding:
    """Try the logins that a build's pod has, one after the other, as a node does."""
    *logins, last = _logins(given, reference.host)
    for login in logins:
        with contextlib.suppress(CredentialError, NotAllowedError):
            return _had(context, "builder_image", reference, login, given, looked_at)
    try:
        return _had(context, "builder_image", reference, last, given, looked_at)
    except (CredentialError, NotAllowedError) as error:
        return _by_nobody(context, reference, error, given, looked_at)


def _by_nobody(
    context: CheckContext,
    reference: ImageReference,
    rejected: CredentialError | NotAllowedError,
    given: Mapping[str, Finding],
    looked_at: str,
) -> Finding:
    """Return what it means that no login of a build's pod may read the builder's image."""
    if given["registry.secret"].unseen:
        return from_error(rejected, looked_at)
    if cloud_of_registry(reference.host) is not None:
        message = (
            f"{rejected.message} The nodes may still be able to pull it with their own identity (az aks update "
            "--attach-acr), which can't be checked from here."
        )
        attach = ("aks", "check-acr", "--resource-group", "GROUP", "--name", "CLUSTER", "--acr", reference.host)
        return Finding("warn", looked_at, message, (fix_commands.az(*attach),), code="image-by-node")
    return _not_given(context, "builder_image", reference, rejected, looked_at)


def _logins(given: Mapping[str, Finding], host: str) -> Iterator[Login | None]:
    """Yield the logins for a registry of the Secrets that a pod of a launch names, and at last none."""
    own = _login_in(given["registry.secret"].value, host)
    if own is not None:
        yield own
    cluster: Cluster | None = given["cluster"].value
    read = getattr(given["registry.secret"].value, "name", "")
    for name in given["cluster.service-account"].value or ():
        if cluster is None or name == read:
            continue
        try:
            login = _login_in(cluster.read_secret(name), host)
        except FairingAzureError:
            continue
        if login is not None:
            yield login
    yield None


def _had(
    context: CheckContext,
    field: Field,
    reference: ImageReference,
    login: Login | None,
    given: Mapping[str, Finding],
    looked_at: str,
) -> Finding:
    """Look an image up; raise what keeps it from being read.

    Raises:
        FairingAzureError: The registry does not say.

    """
    cluster: Cluster | None = given["cluster"].value
    wanted = context.platform(in_cluster=cluster is not None and cluster.in_cluster)
    seconds = min(context.deadline, _SECONDS)
    registry = Registry(
        reference.host,
        username=login.username if login else None,
        password=login.password if login else None,
        timeout=seconds,
        deadline=seconds,
    )
    with registry:
        store = ImageStore(registry, timeout=seconds, deadline=seconds)
        digest = store.has(reference.repository, reference.reference)
        if digest is None:
            return _absent(context, field, reference, looked_at)
        if wanted != "linux/amd64" or not _is_for_all(reference):
            try:
                store.resolve(reference, wanted)
            except NotFoundError as error:
                return _other_platform(context, field, error, looked_at)
            except InputError as error:
                return from_error(error, looked_at, (_default(context, field),))
            except ThrottledError:
                pass
    return Finding("pass", looked_at, f"Found: {digest[:19]}…, for {wanted}.")


def _is_for_all(reference: ImageReference) -> bool:
    """Tell whether an image is known to have linux/amd64."""
    official = reference.host == _HUB and reference.repository.startswith(_OFFICIAL)
    return official and reference.digest is None and not _WINDOWS.search(reference.reference)


def _absent(context: CheckContext, field: Field, reference: ImageReference, looked_at: str) -> Finding:
    name = notebook_names()[field]
    message = (
        f"Registry '{reference.host}' has no image '{reference.repository}:{reference.reference}', given by {name}."
        if getattr(context.settings, field)
        else f"Registry '{reference.host}' has no image '{reference.repository}:{reference.reference}'."
    )
    default = context.default_image(field)
    return Finding(
        "fail", looked_at, message, (_default(context, field), *copied(context, field, default)), code="image-absent"
    )


def _other_platform(context: CheckContext, field: Field, error: NotFoundError, looked_at: str) -> Finding:
    code = "image-platform" if error.code == "platform" else error.code
    default = context.default_image(field)
    more = (_default(context, field), *copied(context, field, default), *_hint(error))
    return Finding("fail", looked_at, error.message, more, code=code)


def _not_given(
    context: CheckContext, field: Field, reference: ImageReference, error: FairingAzureError, looked_at: str
) -> Finding:
    """Return the failure for an image that its registry does not give; some say so of one that is not there."""
    secret = context.settings.registry_secret_name
    name = notebook_names()[field]
    message = f"{error.message} {name} is '{reference}'; Secret '{secret}' has no login for it."
    add = fix_commands.text(f"Check the image's name, or add a login for '{reference.host}' to Secret '{secret}'.")
    more = (_default(context, field), *copied(context, field, str(reference)), add)
    return Finding("fail", looked_at, message, more, code="image-not-given")


def _node_alone_pulls(
    context: CheckContext,
    reference: ImageReference,
    error: UnreachableError,
    given: Mapping[str, Finding],
    looked_at: str,
) -> Finding:
    """Return what it means that a registry is not reached which only the nodes have to reach."""
    cluster: Cluster | None = given["cluster"].value
    more = (*copied(context, "builder_image", str(reference)), *_hint(error))
    if cluster is None or not cluster.in_cluster:
        message = f"{error.message} The cluster's nodes pull the builder's image; whether they can reach it is unknown."
        return Finding("warn", looked_at, message, more, code="image-unreachable-here")
    message = (
        f"{error.message} This is a pod of the cluster, so its nodes, which pull the builder's image, probably can't "
        "reach it either."
    )
    return Finding("fail", looked_at, message, more, code="image-unreachable")


def _skipped(context: CheckContext, field: Field, given: Mapping[str, Finding], looked_at: str) -> Finding | None:
    """Return the finding of an image that is not looked at: its name is broken, or its registry was judged."""
    if field in context.broken:
        return context.unusable(field, looks_at=looked_at)
    try:
        ImageReference.parse(context.image(field))
    except InputError as error:
        return from_error(error, looked_at, (_default(context, field),))
    pull = given.get("registry.pull")
    if pull is not None and pull.status not in {"pass", "warn"}:
        return Finding(
            "skipped", looked_at, f"Skipped: it is in the registry checked by registry.pull ({pull.status})."
        )
    return None


def _default(context: CheckContext, field: Field) -> Fix:
    return fix_commands.change_setting(context, field, context.default_image(field))


def _login_in(secret: StoredSecret | None, host: str) -> Login | None:
    if secret is None or SECRET_KEY not in secret.data:
        return None
    try:
        return parse_docker_config(secret.data[SECRET_KEY], host=host).find(host)
    except FairingAzureError:
        return None


def _hint(error: FairingAzureError) -> tuple[Fix, ...]:
    # `DOCKER_REGISTRY` is what most hints of a registry are about; this one is another.
    return (fix_commands.text(error.hint),) if error.hint and "DOCKER_REGISTRY" not in error.hint else ()


def _looked_at(context: CheckContext, field: Field) -> str:
    return f"image {context.image(field)}" if field not in context.broken else f"the setting {notebook_names()[field]}"
