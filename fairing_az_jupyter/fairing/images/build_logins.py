"""What a build logs in to registries with: tokens for its own repositories and its own time, and for nothing else."""

from __future__ import annotations

import collections
import logging
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.oci.auth.docker_config import docker_config_of, registry_host
from fairing_az_jupyter.clients.oci.images import ImageReference
from fairing_az_jupyter.fairing.images.build_pods import LONGEST_SECONDS
from fairing_az_jupyter.fairing.upstream.stand_ins import LOGGER_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairing_az_jupyter.clients.oci.registry import Registry
    from fairing_az_jupyter.clients.secret_values import SecretValue
    from fairing_az_jupyter.fairing.cluster.connections import Launcher
    from fairing_az_jupyter.fairing.images.build_pods import BuildOrder

__all__ = ["build_login"]

logger = logging.getLogger(LOGGER_NAME)


def build_login(launcher: Launcher, order: BuildOrder) -> SecretValue:
    """Make the docker config of one build.

    It allows to pull and push in the repositories of the image and of Kaniko's cache, and to pull the base image. What
    requirements.txt installs can read it while it is installed, so it holds as little as it can: for a registry with a
    token service, such as ACR, a token that lives as long as the build may last (ACR's live 75 minutes). The login
    itself is only handed on for the image's registry, and only where that has no token service. A base image in another
    registry whose tokens don't live as long is pulled without a login, and the log says so.

    Args:
        launcher: The registries, each with the login of the registry Secret where that has one.
        order: What is to be built.

    Returns:
        The JSON text.

    Raises:
        ServiceError: A registry does not answer, or issues no token.

    """
    rights: dict[str, dict[str, str]] = collections.defaultdict(dict)
    base, image = ImageReference.parse(order.base), ImageReference.parse(order.image)
    rights[registry_host(base.host)][base.repository] = "pull"
    own = rights[registry_host(image.host)]
    own[image.repository] = "pull,push"
    if order.cache:
        own[order.cache] = "pull,push"
    found = {
        host: _entry(launcher.registry(host), repositories, own=host == registry_host(image.host))
        for host, repositories in rights.items()
    }
    return docker_config_of({host: entry for host, entry in found.items() if entry is not None})


def _entry(registry: Registry, rights: Mapping[str, str], *, own: bool) -> SecretValue | None:
    """Return what the config has for one registry; None for nothing, so that it is asked without a login."""
    if registry.credential.anonymous:
        return None
    issued = registry.token_for(rights)
    if own and issued is None:
        return registry.login_entry()
    if issued is not None and (own or issued[1] >= LONGEST_SECONDS):
        if issued[1] < LONGEST_SECONDS:
            logger.warning(
                "Tokens of registry '%s' expire after %.0f s, so a build that takes longer can't push its image. "
                "The password is not passed to the build.",
                registry.host,
                issued[1],
            )
        return issued[0]
    logger.warning(
        "The build pulls %s from registry '%s' without a login: the registry issues no token that lasts for the "
        "build, and the password is not passed to the build. If the image is private, copy it to the registry that "
        "you push to.",
        ", ".join(sorted(rights)),
        registry.host,
    )
    return None
