"""Lets a job in the cluster keep what it writes: links to its blobs, a key for its result, and both renewed in time."""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.clients.azure.blob.storage import CONTAINER
from fairing_az_jupyter.clients.kube.objects.facts import mapping
from fairing_az_jupyter.clients.kube.objects.kinds import name_of, uid_of
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import FairingAzureError
from fairing_az_jupyter.fairing.cluster.outputs_pod import (
    LINKS,
    WantedOutputs,
    has_outputs,
    outputs_secret,
    secret_name,
    with_outputs,
)
from fairing_az_jupyter.fairing.job_program.checkpoints import CHECKPOINTS
from fairing_az_jupyter.fairing.job_program.job import KEY
from fairing_az_jupyter.fairing.outcomes import JobOutputs
from fairing_az_jupyter.fairing.upstream.stand_ins import LOGGER_NAME
from fairing_az_jupyter.outputs.listing import kept_sizes
from fairing_az_jupyter.outputs.manifest import MANIFEST, Manifest
from fairing_az_jupyter.settings import notebook_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fairing_az_jupyter.clients.azure.blob.storage import BlobStore
    from fairing_az_jupyter.fairing.cluster.connections import Launcher

    Object = Mapping[str, Any]

__all__ = ["OutputsAccess", "outputs_access"]

logger = logging.getLogger(LOGGER_NAME)

_PREFIX = "outputs/"
# Source: https://learn.microsoft.com/rest/api/storageservices/create-user-delegation-sas: at most seven days.
_LONGEST_HOURS = 7 * 24.0
# A deadline counts from the start of a job; what its pod still has to send at the end comes after that.
_MARGIN_HOURS = 1.0
# The part of their time that links are used for.
_RENEWED_AFTER = 0.5
# Where links could not be renewed, it is soon tried again.
_AGAIN_SECONDS = 300.0
_KEY_BYTES = 32
_LIST_SECONDS = 2.0


def outputs_access(
    launcher: Launcher, program: str, wanted: WantedOutputs, deadline: int | None
) -> OutputsAccess | None:
    """Return what lets jobs keep their files; None, with a warning, where no Storage account is set, or can be used.

    Args:
        launcher: The cluster and the Storage account.
        program: The path of the program in the job's image that sends files.
        wanted: Which files are kept.
        deadline: Seconds after which a job is ended; None for none.

    Raises:
        ServiceError: The Storage account can't be used, and the builder uses it as well.

    """
    if not launcher.settings.azure_storage_account:
        name = notebook_names()["azure_storage_account"]
        logger.warning("The files that the job writes will not be kept: %s is not set.", name)
        return None
    try:
        store = launcher.contexts
        store.ensure_container(CONTAINER)
    except FairingAzureError as error:
        if launcher.settings.builder != "acr-tasks":
            raise
        # Nothing else of such a launch needs the account, and no check has looked at it.
        logger.warning("The files that the job writes will not be kept: %s", error)
        return None
    hours = _LONGEST_HOURS
    if deadline is not None:
        hours = min(hours, (deadline + launcher.waits.node) / 3600 + _MARGIN_HOURS)
    return OutputsAccess(launcher, store, program, wanted, hours)


class OutputsAccess:
    """Gives jobs what they need to keep their files.

    Args:
        launcher: The cluster.
        store: The Storage account.
        program: The path of the program in the job's image that sends files.
        wanted: Which files are kept.
        hours: How long links are valid.

    """

    def __init__(self, launcher: Launcher, store: BlobStore, program: str, wanted: WantedOutputs, hours: float) -> None:
        self._launcher, self._store = launcher, store
        self._program, self.wanted, self.hours = program, wanted, hours

    def pod(self, pod: Object, job: str) -> dict[str, Any]:
        """Return a pod's specification with all that it takes.

        Args:
            pod: The specification; it is not changed.
            job: The name of its Job.

        """
        return with_outputs(pod, job, self._program, self.wanted)

    def links(self, job: str) -> dict[str, SecretValue]:
        """Return links that write the blobs of a job, and, of its checkpoint alone, one that reads it, too.

        Args:
            job: The Job's name.

        Raises:
            ServiceError: No key to sign with can be had.

        """
        place = f"{_PREFIX}{job}/"
        found = {name: self._store.write_sas(CONTAINER, f"{place}{name}", self.hours) for name in LINKS}
        if self.wanted.checkpoints:
            found[CHECKPOINTS] = self._store.read_write_sas(CONTAINER, f"{place}{CHECKPOINTS}", self.hours)
        return found

    def start(self, job: Object, links: Mapping[str, SecretValue]) -> JobOutputs:
        """Give a suspended Job what it needs, and start it; where that fails, nothing of it is left.

        Args:
            job: The Job, as the cluster has it.
            links: Its links, made before it was: what is in their way is known before anything is created.

        Returns:
            Where its files will be, and the key that signs its result.

        Raises:
            ServiceError: The cluster does not do it.

        """
        name = name_of(job)
        try:
            return self._started(job, links)
        except BaseException:
            try:
                self._launcher.workloads.delete("Job", name, uid=uid_of(job))
            except FairingAzureError as error:
                logger.warning("%s Job %s still exists. Delete it: fairing-azure delete %s", error, name, name)
            raise

    def resume(self, job: Object) -> JobOutputs | None:
        """Give a Job of a process that has ended new links, and start it if that process could not.

        Args:
            job: The Job, as it was listed.

        Returns:
            As `start`; None for a Job whose files are not kept.

        Raises:
            ServiceError: It was not started, and can't be.

        """
        if not has_outputs(job):
            return None
        name = name_of(job)
        if mapping(job.get("spec")).get("suspend"):
            return self._started(job, self.links(name))
        key: SecretValue | None = None
        try:
            # Its pod may have read it.
            key = self._launcher.cluster.read_secret(secret_name(name)).data.get(KEY)
            self._apply(job, self.links(name), None)
        except FairingAzureError as error:
            # What it has may last.
            logger.info("The links of job %s could not be renewed: %s", name, error)
        return JobOutputs(name, key)

    def kept(self, job: str) -> str:
        """Return how much a job that has ended has kept, as a sentence; empty where that is nothing, or not known.

        Args:
            job: The Job's name.

        """
        name = f"{_PREFIX}{job}/{MANIFEST}"
        # The files are there, whether their list can be read now or not.
        with contextlib.suppress(FairingAzureError):
            return kept_sizes(Manifest.parse(self._store.read_small(CONTAINER, name, _LIST_SECONDS), where=name))
        return ""

    @contextlib.contextmanager
    def renewing(self, job: Object) -> Iterator[None]:
        """Renew a job's links whenever half of their time is over, as long as the context lasts.

        Args:
            job: The Job.

        """
        over = threading.Event()

        def renew() -> None:
            seconds = self.hours * 3600 * _RENEWED_AFTER
            while not over.wait(seconds):
                seconds = self.hours * 3600 * _RENEWED_AFTER
                try:
                    self._apply(job, self.links(name_of(job)), None)
                except FairingAzureError as error:
                    logger.info("The links of job %s could not be renewed: %s", name_of(job), error)
                    seconds = min(seconds, _AGAIN_SECONDS)

        thread = threading.Thread(target=renew, name=f"links of {name_of(job)}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()

    def _started(self, job: Object, links: Mapping[str, SecretValue]) -> JobOutputs:
        key = SecretValue(secrets.token_hex(_KEY_BYTES))
        self._apply(job, links, key)
        place = {"name": name_of(job), "namespace": self._launcher.target.namespace, "uid": uid_of(job)}
        body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": place, "spec": {"suspend": False}}
        self._launcher.workloads.apply(body)
        return JobOutputs(name_of(job), key)

    def _apply(self, job: Object, links: Mapping[str, SecretValue], key: SecretValue | None) -> None:
        self._launcher.workloads.apply(
            outputs_secret(job, {name: link.reveal() for name, link in links.items()}, key.reveal() if key else "")
        )
