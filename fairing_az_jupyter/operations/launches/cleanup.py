"""`cleanup`: orphaned resources of launches, and images that nothing names."""

from __future__ import annotations

from typing import Annotated

from fairing_az_jupyter.operations.declaration import CLUSTER, Example, Operation, Request, Sources
from fairing_az_jupyter.operations.words import Age, age_option, flag

__all__ = ["CLEANUP", "Cleanup"]


class Cleanup(Request):
    """How much of it, and whether to ask."""

    yes: Annotated[bool, flag("-y", "--yes", about="do not ask")] = False
    dry_run: Annotated[bool, flag("-n", "--dry-run", about="show what would be deleted, delete nothing")] = False
    all: Annotated[
        bool,
        flag(
            "--all", about="also what may be in use: running jobs, and endpoints that Kubeflow Fairing made by itself"
        ),
    ] = False
    everyone: Annotated[bool, flag("--everyone", about="also what belongs to others, or to nobody")] = False
    images: Annotated[
        bool,
        flag("--images", about="instead of that: images of launches that no record and nothing in the cluster names"),
    ] = False
    older_than: Annotated[
        Age | None, age_option("--older-than", about="with --images: only what was of use longer ago (default: 30d)")
    ] = None


CLEANUP = Operation(
    "cleanup",
    "Clean up leftovers: finished jobs and builds, incomplete endpoints, old Secrets.",
    Cleanup,
    section="Look after launches",
    sources=Sources(settings=(*CLUSTER, "docker_registry"), notebook="option", records=True),
    excluding=("all", "images"),
    examples=(
        Example("cleanup --dry-run"),
        Example("cleanup --yes"),
        Example("cleanup --images --older-than 30d --dry-run"),
    ),
)
