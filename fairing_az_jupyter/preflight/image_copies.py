"""How an image is copied into the registry of the settings, and named there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.azure.clouds import cloud_of_registry
from fairing_az_jupyter.clients.oci.auth.docker_config import registry_host
from fairing_az_jupyter.clients.oci.references import ImageReference
from fairing_az_jupyter.preflight import fix_commands
from fairing_az_jupyter.settings import notebook_names

if TYPE_CHECKING:
    from fairing_az_jupyter.models import Fix
    from fairing_az_jupyter.preflight.context import CheckContext

__all__ = ["copied", "own_host"]


def own_host(context: CheckContext) -> str:
    """Return the host of the registry of the settings; empty where that is not usable.

    Args:
        context: What is checked.

    """
    registry = "" if "docker_registry" in context.broken else context.settings.docker_registry or ""
    return registry_host(registry) if registry else ""


def copied(context: CheckContext, field: str, image: str) -> tuple[Fix, ...]:
    """Return what copies an image into the registry of the settings and names it in its setting.

    Args:
        context: What is checked.
        field: The setting that names the image.
        image: The image.

    """
    host, name = own_host(context), notebook_names()[field]
    found = ImageReference.parse(image)
    if found.host == host:
        return ()
    if cloud_of_registry(host) is None:
        return (fix_commands.text(f"Copy the image to a reachable registry, and set {name} to the copy."),)
    copy, kept = found.import_into(host)
    return (fix_commands.az(*copy), fix_commands.change_setting(context, field, kept))
