"""The single writes that prepare a namespace: each can be checked by the API server first, and repeated."""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from fairing_az_jupyter.exceptions import FairingAzureError
from fairing_az_jupyter.models import SecretChange

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairing_az_jupyter.clients.kube.cluster import Cluster
    from fairing_az_jupyter.clients.secret_values import SecretValue

__all__ = ["AccountWrite", "SecretWrite", "Stopped", "Untouched", "Write", "reworded", "write_all"]

_Error = TypeVar("_Error", bound=FairingAzureError)


class Stopped(KeyboardInterrupt):
    """The user has stopped it; the text says what was written by then."""


class Write(Protocol):
    """Something that is to be done to one object."""

    def do(self, cluster: Cluster, *, dry_run: bool, replace: bool) -> SecretChange:
        """Do it.

        Args:
            cluster: Where.
            dry_run: Whether the API server is only to check it.
            replace: Whether a Secret that can't be changed may be deleted and made anew.

        Returns:
            What became of the object.

        Raises:
            ServiceError: The cluster rejects the request.

        """


@dataclass(frozen=True)
class SecretWrite:
    """A Secret that is to hold some values.

    Args:
        name: Its name.
        type: Its type.
        values: The values by key.
        keys: The keys whose values differ from those that are there.
        annotations: Annotations of ours, without their prefix.

    """

    name: str
    type: str
    values: Mapping[str, SecretValue]
    keys: tuple[str, ...]
    annotations: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def do(self, cluster: Cluster, *, dry_run: bool, replace: bool) -> SecretChange:
        """See `Write`."""
        outcome = cluster.apply_secret(
            self.name, self.type, self.values, dry_run=dry_run, annotations=self.annotations, replace=replace
        )
        keys = () if outcome == "unchanged" else self.keys
        return SecretChange("Secret", self.name, cluster.namespace, outcome, keys)


@dataclass(frozen=True)
class Untouched:
    """A Secret that stays as it is.

    Args:
        name: Its name.
        note: Why, in one sentence.

    """

    name: str
    note: str

    def do(self, cluster: Cluster, *, dry_run: bool, replace: bool) -> SecretChange:  # noqa: ARG002 - as all writes
        """See `Write`."""
        return SecretChange("Secret", self.name, cluster.namespace, "unchanged", (), self.note)


@dataclass(frozen=True)
class AccountWrite:
    """A service account whose pods are to pull images with a Secret.

    Args:
        name: Its name.
        secret: The Secret's name.
        note: What else the user should know, in one sentence.

    """

    name: str
    secret: str
    note: str = ""

    def do(self, cluster: Cluster, *, dry_run: bool, replace: bool) -> SecretChange:  # noqa: ARG002 - as all writes
        """See `Write`."""
        was_missing = cluster.add_pull_secret(self.name, self.secret, dry_run=dry_run)
        outcome: Literal["updated", "unchanged"] = "updated" if was_missing else "unchanged"
        return SecretChange("ServiceAccount", self.name, cluster.namespace, outcome, (), self.note)


def write_all(writes: Sequence[Write], cluster: Cluster, *, replace: bool) -> list[SecretChange]:
    """Do all writes, one after the other.

    Args:
        writes: What is to be done; the API server should have checked all of it.
        cluster: Where.
        replace: Whether a Secret that can't be changed may be deleted and made anew.

    Returns:
        What became of each object.

    Raises:
        FairingAzureError: One has failed; the message names what was written before.
        Stopped: The user has stopped it; likewise.

    """
    done: list[SecretChange] = []
    for write in writes:
        try:
            done.append(write.do(cluster, dry_run=False, replace=replace))
        except FairingAzureError as error:  # noqa: PERF203 - three turns
            written = _written(done)
            if not written:
                raise
            raise reworded(
                error,
                f"{error.message.strip()} Written before that: {written}.",
                f"{error.hint} Then run the same command again: it is safe and completes the rest.",
            ) from None
        except KeyboardInterrupt:
            # The call that was interrupted may have reached the cluster anyway.
            reported = f"Written before that: {_written(done) or 'nothing'}; the object being written may exist, too."
            msg = f"{reported} Run the same command again: it is safe and completes the rest."
            raise Stopped(msg) from None
    return done


def _written(changes: Sequence[SecretChange]) -> str:
    return " and ".join(f"{change.kind} '{change.name}'" for change in changes if change.outcome != "unchanged")


def reworded(error: _Error, message: str, hint: str) -> _Error:
    """Return the same error with other words.

    Args:
        error: The error.
        message: Its new message.
        hint: Its new hint.

    Returns:
        A copy, without the traceback.

    """
    reported = copy.copy(error)
    reported.message, reported.hint, reported.args = message, hint.strip(), (message,)
    return reported
