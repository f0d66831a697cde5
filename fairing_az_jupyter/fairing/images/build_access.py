"""What a build in the cluster may reach: the link to its context and its login, in a Secret that goes with its Job."""

from __future__ import annotations

import dataclasses
import logging
import time
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.kube.objects.kinds import name_of
from fairing_az_jupyter.clients.kube.watching.events import (
    Disrupted,
    LogLine,
    Notice,
    Problem,
    Retried,
    Started,
    Terminated,
)
from fairing_az_jupyter.exceptions import FairingAzureError
from fairing_az_jupyter.fairing.images.build_pods import build_secret
from fairing_az_jupyter.fairing.upstream.stand_ins import LOGGER_NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairing_az_jupyter.clients.kube.objects.facts import Object
    from fairing_az_jupyter.clients.kube.watching.events import Event
    from fairing_az_jupyter.clients.secret_values import SecretValue
    from fairing_az_jupyter.fairing.cluster.connections import Launcher

__all__ = ["Access", "Renewal", "give_access"]

logger = logging.getLogger(LOGGER_NAME)

# A token of ACR lives for 75 minutes, and a build may take 60 of them once it has its node. What lasts is reported
# every five minutes, so a pod that starts finds a token that is not much older than that.
_RENEWED_SECONDS = 240.0


@dataclasses.dataclass(frozen=True)
class Access:
    """What a build may reach, and for its own time only.

    Args:
        link: The link by which its context can be read; it lives as long as the Job may.
        login: The docker config with which it pulls and pushes.

    """

    link: SecretValue
    login: SecretValue


def give_access(launcher: Launcher, build: Object, access: Access) -> None:
    """Give a Job what it may reach, in a Secret that goes with it; again does no harm.

    Args:
        launcher: The cluster.
        build: The Job.
        access: What it may reach.

    Raises:
        ServiceError: The cluster does not take it.

    """
    launcher.workloads.apply(build_secret(build, access.link.reveal(), access.login.reveal()))


class Renewal:
    """Keeps the Secret of a build fresh while its pod has still to start: a long wait for a node costs no build.

    The kubelet reads the Secret when the pod starts. It is renewed before, while the pod waits, and not at that moment,
    which would be a race. A build that nobody follows keeps what it was given last.

    Args:
        launcher: The cluster.
        build: The Job.
        access: What it was given by this process just now; None where another one has given it something.
        made: Makes what it may reach anew, from what it was given before.

    """

    def __init__(
        self, launcher: Launcher, build: Object, access: Access | None, made: Callable[[Access | None], Access]
    ) -> None:
        self._launcher, self._build, self._access, self._made = launcher, build, access, made
        self._given = time.monotonic() if access is not None else float("-inf")
        self._has_started = False
        self._waits_since: float | None = time.monotonic()
        self._waited = 0.0

    @property
    def waited(self) -> float:
        """How many seconds the build has waited for a node so far, as far as this process has seen."""
        return self._waited + (0.0 if self._waits_since is None else time.monotonic() - self._waits_since)

    def see(self, event: Event) -> None:
        """Take an event of the build.

        Args:
            event: The event.

        """
        now = time.monotonic()
        if isinstance(event, (Disrupted, Retried)):
            self._has_started, self._waits_since, self._waited = False, now, self.waited
        elif isinstance(event, (Started, LogLine, Terminated)):
            self._has_started = True
        is_scheduled = isinstance(event, Notice) and event.reason == "Scheduled"
        if is_scheduled or self._has_started:
            self._waited, self._waits_since = self.waited, None
        is_news = is_scheduled or isinstance(event, (Problem, Disrupted))
        if is_news and not self._has_started and now - self._given >= _RENEWED_SECONDS:
            self._renew()

    def _renew(self) -> None:
        try:
            self._access = self._made(self._access)
            give_access(self._launcher, self._build, self._access)
        except FairingAzureError as error:
            # What it has may last; the next time is soon.
            logger.info("The credentials of build %s could not be renewed: %s", name_of(self._build), error)
        self._given = time.monotonic()
