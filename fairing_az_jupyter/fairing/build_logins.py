"""What a build logs in to registries with: tokens for its own repositories and its own time, and for nothing else."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.images import ImageReference
from fairing_az_jupyter.clients.oci.docker_config import docker_config_of, registry_host
from fairing_az_jupyter.fairing.build_pods import LONGEST_SECONDS

if TYPE_CHECKING:
    from fairing_az_jupyter.clients.hidden import Hidden
    from fairing_az_jupyter.fairing.build_pods import BuildOrder
    from fairing_az_jupyter.fairing.launcher import Launcher

__all__ = ["build_login"]


def build_login(launcher: Launcher, order: BuildOrder) -> Hidden:
    """Make the docker config of one build.

    It allows to pull and push in the repositories of the image and of Kaniko's cache, and to pull the base image. What
    requirements.txt installs can read it while it is installed, so it holds as little as it can: for a registry with a
    token service, such as ACR, a token that lives as long as the build may last (ACR's live 75 minutes); for another
    one the login to that one host.

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
        host: launcher.registry(host).entry_for(repositories, LONGEST_SECONDS) for host, repositories in rights.items()
    }
    return docker_config_of({host: entry for host, entry in found.items() if entry is not None})
