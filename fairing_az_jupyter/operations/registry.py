"""All operations, in the order in which one needs them."""

from __future__ import annotations

import contextlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.operations.launches.cleanup import CLEANUP
from fairing_az_jupyter.operations.launches.delete import DELETE
from fairing_az_jupyter.operations.launches.deploy import DEPLOY
from fairing_az_jupyter.operations.launches.fetch import FETCH
from fairing_az_jupyter.operations.launches.logs import LOGS
from fairing_az_jupyter.operations.launches.predict import PREDICT
from fairing_az_jupyter.operations.launches.status import STATUS
from fairing_az_jupyter.operations.launches.train import TRAIN
from fairing_az_jupyter.operations.notebooks import runs, sweeps
from fairing_az_jupyter.operations.notebooks.fill import FILL
from fairing_az_jupyter.operations.notebooks.run import LAUNCH, RUN
from fairing_az_jupyter.operations.setup import profiles, secrets, tool
from fairing_az_jupyter.operations.setup.check import CHECK
from fairing_az_jupyter.operations.setup.settings import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fairing_az_jupyter.operations.declaration import Operation, Place

__all__ = ["GROUPS", "declared", "find", "in_group", "operations"]

GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "secrets": "Make, renew and show the Secrets that a launch needs; values come from a prompt, the environment "
        "or a file.",
        "profile": "Keep named sets of settings.",
        "runs": "Look after the records of runs: every run of a notebook leaves one.",
        "sweep": "Run a notebook at many points: a grid, a list, a CSV file, or a random sample.",
    }
)
"""What the commands of two words are about, by the first of them."""

_DECLARED: list[Operation[Any]] = [
    CHECK,
    secrets.CREATE,
    secrets.ROTATE,
    secrets.ATTACH,
    secrets.SHOW,
    SETTINGS,
    profiles.LIST,
    profiles.SHOW,
    profiles.SET,
    profiles.REMOVE,
    profiles.USE,
    FILL,
    TRAIN,
    DEPLOY,
    RUN,
    LAUNCH,
    STATUS,
    LOGS,
    FETCH,
    PREDICT,
    DELETE,
    CLEANUP,
    runs.LIST,
    runs.SHOW,
    runs.LOGS,
    runs.CANCEL,
    runs.RETRY,
    runs.COMPARE,
    runs.PRUNE,
    sweeps.RUN,
    sweeps.RESUME,
    sweeps.LIST,
    sweeps.SHOW,
    sweeps.CANCEL,
    sweeps.DELETE,
    sweeps.PRUNE,
    tool.PANEL,
    tool.EXAMPLE,
    tool.HELP,
    tool.INSTALL_FAIRING,
    tool.COMPLETION,
]


def operations(place: Place | None = None) -> tuple[Operation[Any], ...]:
    """Return the operations.

    Args:
        place: Only those of this place; None for all.

    """
    return tuple(each for each in _DECLARED if place is None or place in each.places)


def find(name: str) -> Operation[Any] | None:
    """Return the operation of a name; None if there is none.

    Args:
        name: The whole name, such as `runs show`.

    """
    return next((each for each in _DECLARED if each.name == name), None)


def in_group(group: str) -> tuple[Operation[Any], ...]:
    """Return the operations of a group; none where the word is none."""
    return tuple(each for each in _DECLARED if each.group == group)


@contextlib.contextmanager
def declared(operation: Operation[Any]) -> Iterator[None]:
    """Add an operation for as long as the context lasts; every front end has it at once.

    Args:
        operation: The operation.

    Raises:
        ValueError: There is one of that name.

    """
    if find(operation.name) is not None:
        msg = f"an operation '{operation.name}' is declared already"
        raise ValueError(msg)
    _DECLARED.append(operation)
    try:
        yield
    finally:
        _DECLARED.remove(operation)
