"""What is still named, by the records of this home and by what is there in the cluster."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.records.provenance.named import named_by_deleted, named_by_records
from fairing_az_jupyter.services.launches import LOCAL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairing_az_jupyter.fairing.cluster.connections import Launcher
    from fairing_az_jupyter.fairing.inventory.in_use import InUse
    from fairing_az_jupyter.records.provenance.named import Named
    from fairing_az_jupyter.services.session import Session

__all__ = ["BEGINNING", "Known", "known", "looked_at"]

BEGINNING = "A launch is just beginning or an image is being built: {} are left alone until then."


@dataclasses.dataclass(frozen=True)
class Known:
    """What is named, and what was.

    Args:
        records: What the records name.
        deleted: What records of this home named that were deleted.
        running: What objects in the cluster name.

    """

    records: Named
    deleted: Named
    running: InUse

    @property
    def is_changing(self) -> bool:
        """Whether something is being launched, of which it is not known yet what it will name."""
        return bool(self.records.beginning) or self.running.builds

    def names_folder(self, folder: str) -> bool:
        """Tell whether a folder below `runs/` or `outputs/` is named."""
        return folder in self.records.folders or self.running.has(folder)


def known(session: Session, launcher: Launcher) -> Known:
    """Return what is named.

    Args:
        session: The settings in force, the records and the cluster.
        launcher: The cluster and the namespace.

    Raises:
        InputError: A record can't be read, so that nobody knows what it names.
        ServiceError: The cluster does not tell.

    """
    from fairing_az_jupyter.fairing.inventory.in_use import find_in_use  # noqa: PLC0415 - most commands need none

    # The cluster last: what has been launched since the records were read is there.
    records, deleted = named_by_records(session.store), named_by_deleted(session.store)
    return Known(records, deleted, find_in_use(launcher))


@contextlib.contextmanager
def looked_at(session: Session) -> Iterator[Launcher]:
    """Open the cluster: what runs there is not deleted.

    Args:
        session: The settings in force, the records and the cluster.

    Yields:
        The cluster, its registry and its storage account.

    Raises:
        InputError: LocalBackend was chosen.
        ServiceError: The cluster can't be reached.

    """
    if session.is_local:
        raise InputError(
            f"{LOCAL} They leave nothing in the cluster.",
            hint="To look there, choose its backend: --backend KubeflowAzureBackend",
            code="local-backend",
        )
    with session.cluster() as launcher:
        yield launcher
