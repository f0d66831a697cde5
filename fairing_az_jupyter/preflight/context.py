"""What is checked: the settings in force, where we are, and how long a service may take to answer."""

from __future__ import annotations

import dataclasses
import os
import sys
from typing import TYPE_CHECKING, Literal

from fairing_az_jupyter.clients.azure.clouds import AzureCloud, cloud_named
from fairing_az_jupyter.machine import SERVICE_ACCOUNT_FOLDER, image_platform
from fairing_az_jupyter.preflight.runner import Finding
from fairing_az_jupyter.settings import notebook_names
from fairing_az_jupyter.settings.naming import python_image

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from fairing_az_jupyter.settings import Settings

Planned = Literal["job", "build", "endpoint"]
"""What a launch makes in the cluster."""


@dataclasses.dataclass(frozen=True)
class CheckContext:
    """What is checked.

    Args:
        settings: The settings in force; a field in `broken` has its default here, which is not to be used.
        broken: What is wrong with each setting that can't be used, by field: one sentence, without a secret.
        hints: What to do about each of them, by field; may have fewer.
        suggestions: The value that was probably intended for each of them, by field; may have fewer.
        notebook: The notebook whose parameters cell counts; None where none was named.
        environ: The environment.
        service_account_folder: Where a pod has its service account's token, certificates and namespace.
        python: The notebook's own Python, as (major, minor).
        fairing: The version of Kubeflow Fairing that is installed; None where it is not.
        timeout: Seconds for one attempt of a call.
        deadline: Seconds for all attempts of a call.
        planned: Returns the objects that a launch would make of a kind in a namespace, first of all its pod; None where
            nobody can say, so that they are not tried.
        installs: Whether a requirements.txt asks for something to be installed, so that also the builder `layered` has
            something to build.

    """

    settings: Settings
    broken: Mapping[str, str] = dataclasses.field(default_factory=dict)
    hints: Mapping[str, str] = dataclasses.field(default_factory=dict)
    suggestions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    notebook: str | None = None
    # Not in the repr: it may hold secrets.
    environ: Mapping[str, str] = dataclasses.field(default_factory=lambda: dict(os.environ), repr=False)
    service_account_folder: Path = SERVICE_ACCOUNT_FOLDER
    python: tuple[int, int] = (sys.version_info.major, sys.version_info.minor)
    fairing: str | None = None
    timeout: float = 4.0
    deadline: float = 9.0
    planned: Callable[[Planned, str], Sequence[Mapping[str, Any]]] | None = dataclasses.field(default=None, repr=False)
    installs: bool = True

    @property
    def cloud(self) -> AzureCloud:
        """The Azure cloud of the settings."""
        return cloud_named(self.settings.azure_cloud)

    @property
    def builds_in_cluster(self) -> bool:
        """Whether a pod in the cluster builds images, where something has to be built."""
        return self.settings.builder != "acr-tasks"

    @property
    def may_build_nothing(self) -> bool:
        """Whether a launch is made without a build as far as can be seen, though others may need one."""
        return self.settings.builder == "layered" and not self.installs

    def default_image(self, field: str) -> str:
        """Return the image that a setting stands for where it is not set.

        Args:
            field: `base_image` or `builder_image`.

        """
        if field == "base_image":
            return python_image("{}.{}".format(*self.python))
        return str(type(self.settings).model_fields[field].default)

    def image(self, field: str) -> str:
        """Return the image that a setting stands for.

        Args:
            field: `base_image` or `builder_image`.

        """
        return getattr(self.settings, field) or self.default_image(field)

    def platform(self, *, in_cluster: bool) -> str:
        """Return what images are made for, as a launch from here makes them.

        Args:
            in_cluster: Whether this is a pod of the cluster, whose nodes are then of this machine's kind.

        """
        return image_platform(of_this_machine=in_cluster and self.builds_in_cluster)

    def unusable(self, *fields: str, looks_at: str) -> Finding | None:
        """Return the finding of a check that can't begin because a setting that it needs is missing or broken.

        Args:
            fields: The settings that it needs.
            looks_at: What the check looks at.

        Returns:
            A finding `skipped` that names the first such setting; None if all are usable.

        """
        for field in fields:
            if field in self.broken or getattr(self.settings, field) in (None, ""):
                name = notebook_names()[field]
                return Finding("skipped", looks_at, f"Skipped: {name} is not set to a usable value.")
        return None
