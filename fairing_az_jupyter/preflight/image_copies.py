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
    from fairing_az_jupyter.preflight.context import Subject

__all__ = ["copied", "own_host"]


def own_host(subject: Subject) -> str:
    """Return the host of the registry of the settings; empty where that is not usable.

    Args:
        subject: What is checked.

    """
    registry = "" if "docker_registry" in subject.broken else subject.settings.docker_registry or ""
    return registry_host(registry) if registry else ""


def copied(subject: Subject, field: str, image: str) -> tuple[Fix, ...]:
    """Return what copies an image into the registry of the settings and names it in its setting.

    Args:
        subject: What is checked.
        field: The setting that names the image.
        image: The image.

    """
    host, name = own_host(subject), notebook_names()[field]
    found = ImageReference.parse(image)
    if found.host == host:
        return ()
    if cloud_of_registry(host) is None:
        return (fix_commands.text(f"Copy the image to a reachable registry, and set {name} to the copy."),)
    copy, kept = found.import_into(host)
    return (fix_commands.az(*copy), fix_commands.change_setting(subject, field, kept))
