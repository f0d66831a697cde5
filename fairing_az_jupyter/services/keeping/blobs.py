"""Blobs of launches that nothing names any more: counted first, then deleted by the hundred."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from typing import TYPE_CHECKING, Literal

from fairing_az_jupyter.exceptions import InputError, NotAllowedError, NotFoundError, ServiceError
from fairing_az_jupyter.services.keeping.names import BEGINNING, known, looked_at
from fairing_az_jupyter.settings import notebook_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from fairing_az_jupyter.clients.azure.blob.files import BlobFiles
    from fairing_az_jupyter.clients.azure.blob.transfers import FoundBlob
    from fairing_az_jupyter.services.keeping.names import Known
    from fairing_az_jupyter.services.session import Session

__all__ = ["OLD_SECONDS", "Amount", "PrunedBlobs", "prune_blobs"]

OLD_SECONDS = 7 * 86_400.0
"""What is younger stays, unless the user says otherwise."""

Verdict = Literal["unused", "named", "young", "others"]

_KINDS = ("runs", "outputs", "contexts")
_LEFT: tuple[Verdict, ...] = ("others", "young", "named")
_CONTEXTS = "contexts"
_MANIFEST = "manifest.json"
_BATCH = 1024
_FAILED_IN_A_ROW = 2
_MOST_PROBLEMS = 20
_CHANGED = "ConditionNotMet"


@dataclasses.dataclass(frozen=True)
class Amount:
    """How much there is of something.

    Args:
        folders: Folders of launches; of contexts, blobs.
        blobs: Blobs.
        size: Bytes.

    """

    folders: int = 0
    blobs: int = 0
    size: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.folders + other.folders, self.blobs + other.blobs, self.size + other.size)


@dataclasses.dataclass(frozen=True)
class PrunedBlobs:
    """What there is below `runs/`, `outputs/` and `contexts/`, and what became of it.

    Args:
        where: The container's URL.
        unused: What is to be deleted, by the kind.
        others: What belongs to others, or to nobody who is known, and is not to be deleted.
        young: What nothing names and is not old enough.
        named: What a record or something that is running names.
        deleted: What was deleted.
        changed: Blobs that have been written since they were looked at, and so are kept.
        problems: Why blobs could not be deleted, by their names; the first ones.
        failed: How many could not be deleted.
        note: What could not be looked at, in one sentence; empty if everything could.

    """

    where: str
    unused: Mapping[str, Amount] = dataclasses.field(default_factory=dict)
    others: Amount = Amount()
    young: Amount = Amount()
    named: Amount = Amount()
    deleted: Amount = Amount()
    changed: int = 0
    problems: Mapping[str, str] = dataclasses.field(default_factory=dict)
    failed: int = 0
    note: str = ""

    @property
    def chosen(self) -> Amount:
        """All that is to be deleted."""
        return sum(self.unused.values(), Amount())

    def to_dict(self) -> dict[str, object]:
        """Return it as values that any JSON parser reads."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class _Folder:
    kind: str
    name: str
    blobs: list[FoundBlob]

    @property
    def amount(self) -> Amount:
        return Amount(1, len(self.blobs), sum(blob.size for blob in self.blobs))


def prune_blobs(
    session: Session,
    *,
    older_than: float | None = None,
    everyone: bool = False,
    agree: Callable[[PrunedBlobs], bool] | None = None,
) -> PrunedBlobs:
    """Delete blobs of launches that no record of this home and nothing in the namespace names.

    A folder goes as a whole or stays. It is this home's own if a record that was deleted here has named it; a build
    context if its metadata name this namespace and owner. Whatever else there is may be named by records of others.

    Args:
        session: The settings in force, the records and the cluster.
        older_than: Only what was written longer ago, in seconds; None for a week.
        everyone: Whether what belongs to others is included, or to nobody who is known.
        agree: Gets what was found and says whether it is to be deleted; None means that nothing is.

    Returns:
        What was found, and what became of it.

    Raises:
        InputError: LocalBackend was chosen, no storage account is set, or a record can't be read.
        ServiceError: The cluster or Blob Storage does not do what is asked. What was deleted stays deleted; once more
            continues.

    """
    from fairing_az_jupyter.clients.azure.blob.files import BlobFiles  # noqa: PLC0415 - loads the clients

    with looked_at(session) as launcher, contextlib.closing(BlobFiles(launcher.azure)) as files:
        account = launcher.settings.azure_storage_account
        if not account:
            name = notebook_names()["azure_storage_account"]
            raise InputError(
                f"No storage account is set, so there are no blobs to look at: {name} is not set.",
                hint="Name it: --azure-storage-account ACCOUNT",
                code="no-account",
            )
        where = _container_url(launcher.azure.cloud.blob_url(account))
        since = time.time() - (OLD_SECONDS if older_than is None else older_than)
        sender = launcher.sender
        rule = _Rule(known(session, launcher), since, everyone=everyone, sender=sender)
        found = _counted(files, where, rule)
        if agree is None or not agree(found) or not found.chosen.blobs:
            return found
        # What was launched while the user was asked is not deleted.
        rule = dataclasses.replace(rule, known=known(session, launcher))
        return _deleted(files, found, rule)


@dataclasses.dataclass(frozen=True)
class _Rule:
    """Tells what may go.

    Args:
        known: What is named.
        since: What was written after this time stays.
        everyone: Whether what belongs to others may go.
        sender: Who sends contexts here.

    """

    known: Known
    since: float
    everyone: bool
    sender: str

    def verdict(self, folder: _Folder) -> Verdict:
        """Tell what is to become of a folder."""
        is_context = folder.kind == _CONTEXTS
        if (is_context and self.known.is_changing) or (not is_context and self.known.names_folder(folder.name)):
            return "named"
        if is_context:
            own = bool(self.sender) and all(blob.owner == self.sender for blob in folder.blobs)
        else:
            own = folder.name in self.known.deleted.folders
        if not own and not self.everyone:
            return "others"
        if max(blob.modified.timestamp() for blob in folder.blobs) > self.since:
            return "young"
        return "unused"


def _counted(files: BlobFiles, where: str, rule: _Rule) -> PrunedBlobs:
    amounts: dict[Verdict, Amount] = {}
    unused: dict[str, Amount] = {}
    for folder in _folders(files, where):
        verdict = rule.verdict(folder)
        amounts[verdict] = amounts.get(verdict, Amount()) + folder.amount
        if verdict == "unused":
            unused[folder.kind] = unused.get(folder.kind, Amount()) + folder.amount
    others, young, named = (amounts.get(verdict, Amount()) for verdict in _LEFT)
    note = BEGINNING.format("build contexts") if rule.known.is_changing else ""
    return PrunedBlobs(where, unused, others, young, named, note=note)


def _deleted(files: BlobFiles, found: PrunedBlobs, rule: _Rule) -> PrunedBlobs:
    deletion = _Deletion(files, found.where)
    for folder in _folders(files, found.where):
        if rule.verdict(folder) == "unused":
            deletion.take(folder)
    deletion.flush()
    return dataclasses.replace(
        found,
        deleted=deletion.deleted,
        changed=deletion.changed,
        problems=deletion.problems,
        failed=deletion.failed,
    )


class _Deletion:
    """Deletes folders, some hundred blobs at a time; what fails does not keep the others."""

    def __init__(self, files: BlobFiles, where: str) -> None:
        self._files, self._where = files, where
        self._waiting: list[FoundBlob] = []
        self._in_a_row = self._folders = 0
        self.deleted = Amount()
        self.changed = self.failed = 0
        self.problems: dict[str, str] = {}

    def take(self, folder: _Folder) -> None:
        """Delete a folder: its list of files first, so that nothing half is offered as whole."""
        # In an account with folders of its own, a folder is a blob, too, and goes after what is in it.
        order = sorted(folder.blobs, key=lambda blob: (-blob.name.count("/"), not blob.name.endswith(_MANIFEST)))
        self._waiting += order
        self._folders += 1
        if len(self._waiting) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Delete what waits.

        Raises:
            ServiceError: That is not allowed, or has failed several times in a row.

        """
        blobs, self._waiting = self._waiting, []
        folders, self._folders = self._folders, 0
        if not blobs:
            return
        try:
            left = self._files.delete_many(self._where, blobs)
        except NotAllowedError:
            raise
        except ServiceError as error:
            self._in_a_row += 1
            if self._in_a_row >= _FAILED_IN_A_ROW:
                error.message += f" {self.deleted.blobs} blobs were deleted before."
                raise
            self._note({blob.name: error.message for blob in blobs})
            return
        self._in_a_row = 0
        changed = {name for name, why in left.items() if why == _CHANGED}
        self.changed += len(changed)
        self._note({name: why for name, why in left.items() if name not in changed})
        gone = [blob for blob in blobs if blob.name not in left]
        self.deleted += Amount(folders, len(gone), sum(blob.size for blob in gone))

    def _note(self, problems: Mapping[str, str]) -> None:
        self.failed += len(problems)
        for name, why in problems.items():
            if len(self.problems) < _MOST_PROBLEMS:
                self.problems[name] = why


def _folders(files: BlobFiles, where: str) -> Iterator[_Folder]:
    """Yield the folders of launches with their blobs; memory holds one of them, and a page of the list."""
    for kind in _KINDS:
        name = ""
        blobs: list[FoundBlob] = []
        for blob in _blobs(files, f"{where}{kind}/"):
            own = blob.name.partition("/")[2].partition("/")[0]
            if own != name and blobs:
                yield _Folder(kind, name.partition(".")[0] if kind == _CONTEXTS else name, blobs)
                blobs = []
            name = own
            blobs.append(blob)
        if blobs:
            yield _Folder(kind, name.partition(".")[0] if kind == _CONTEXTS else name, blobs)


def _blobs(files: BlobFiles, url: str) -> Iterable[FoundBlob]:
    try:
        for page in files.pages(url):
            yield from page
    except NotFoundError as error:
        # Nothing has been launched with this account yet.
        if error.code == "no-such-account":
            raise


def _container_url(endpoint: str) -> str:
    from fairing_az_jupyter.clients.azure.blob.storage import CONTAINER  # noqa: PLC0415 - loads the clients
    from fairing_az_jupyter.clients.azure.blob.urls import SCHEME  # noqa: PLC0415 - likewise

    return f"{SCHEME}{endpoint.partition('://')[2]}/{CONTAINER}/"
