"""ACR Tasks: Azure itself builds an image from a build context in Blob Storage and pushes it to the registry.

Sources: https://learn.microsoft.com/rest/api/containerregistry/registries/schedule-run, .../runs/get and
.../runs/cancel (version 2019-06-01-preview), and
https://learn.microsoft.com/azure/container-registry/container-registry-tasks-overview.
"""

from __future__ import annotations

import logging
import re
import time
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from fairing_az_jupyter.clients.azure.arm import ArmCalls
from fairing_az_jupyter.clients.azure.clouds import CLOUDS
from fairing_az_jupyter.clients.azure.errors import Asked
from fairing_az_jupyter.clients.azure.resources import ResourceManager
from fairing_az_jupyter.clients.azure.run_log import Mask, RunLog
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import (
    BuildFailedError,
    ConflictError,
    NotAllowedError,
    ServiceError,
    ThrottledError,
    UnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from azure.core.credentials import TokenCredential
    from typing_extensions import Self

    from fairing_az_jupyter.clients.azure.clouds import AzureCloud
    from fairing_az_jupyter.clients.azure.resources import Registry

__all__ = ["ROLE", "AcrTasks"]

ROLE = "Container Registry Tasks Contributor"
"""The built-in role that may build.

Source: https://learn.microsoft.com/azure/container-registry/container-registry-rbac-built-in-roles-directory-reference.
"""

logger = logging.getLogger(__name__)

_VERSION = "2019-06-01-preview"
# The first that knows `credentials.sourceRegistry.identity`, without which a run in a registry with repository
# permissions (ABAC) may neither pull nor push there. Source: https://learn.microsoft.com/azure/container-registry/
# container-registry-rbac-abac-repository-permissions, "Effects of enabling ABAC on ACR Tasks".
_ABAC_VERSION = "2025-03-01-preview"
# Seconds that Azure takes for a run's own limit.
_LEAST_LIMIT, _LARGEST_LIMIT = 300, 28800
_ENDED = frozenset({"succeeded", "failed", "error", "timeout", "canceled"})
_SHORTEST_PAUSE, _LONGEST_PAUSE, _PAUSE_AFTER_FAILURE = 1.0, 3.0, 10.0
# A run continues while Azure does not answer; only after so many seconds without a word of it is it given up.
_TIMEOUT = 120.0
# The log, and the digest, may come a little later than the end of the run that they tell of.
_AFTER_THE_END = 15.0
# Who interrupts a build waits for no more than this.
_UNTIL_CANCELLED = 6.0
_SHOWN_LINES = 20
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PASSWORD_IN_URL = re.compile(r"://[^/\s@]+@")
_TASKS_OFF = "TasksOperationsNotAllowed"
_OTHER_BUILDER = "Set builder to layered or kaniko: these build in the cluster."
_WHY = "Azure builds the image there."
# Source: https://aka.ms/acr/firewall; the words are the registry's to an agent whose address it does not let in.
_FIREWALL = re.compile(r"client with IP .* is not allowed access", re.IGNORECASE)
_FIXES = (
    (
        r"(?:No matching distribution found for|Could not find a version that satisfies the requirement) ([^\s(]+)",
        "Correct '{0}' in requirements.txt: the package index has no such version for the base image's Python.",
    ),
    (
        r"manifest for (\S+) not found|pull access denied for ([^\s,]+)|manifest unknown",
        "Set base_image to an existing image that Azure may pull: a public one, or one of this registry.",
    ),
    (
        r"failed to download context",
        (
            "Azure could not fetch the build context: allow it in the storage account's firewall (az storage account "
            "update --name ACCOUNT --default-action Allow), or set builder to layered or kaniko."
        ),
    ),
)
_BY_STATUS = {
    "timeout": "Install fewer or smaller packages, or set base_image to an image that already has them.",
    "canceled": "It was cancelled; launch again to build it.",
    "error": "Azure failed: launch again, or set builder to layered or kaniko.",
}


class AcrTasks:
    """Builds images in one registry, by Azure.

    Args:
        credential: `ChosenCredential.credential`.
        subscription_id: The subscription that the registry is in.
        cloud: The Azure cloud; the public one if None.
        login_server: The registry's host; a path after it is passed over.
        assignee: The identity's client id, for texts.
        timeout: Seconds for one attempt of a call.
        deadline: Seconds for all attempts of a call.
        ca_bundle: A file with the certificate authorities to trust; None for those of `requests`.

    """

    def __init__(
        self,
        credential: TokenCredential,
        subscription_id: str,
        cloud: AzureCloud | None,
        login_server: str,
        *,
        assignee: str = "",
        timeout: float = 10.0,
        deadline: float = 30.0,
        ca_bundle: str | None = None,
    ) -> None:
        cloud = cloud or CLOUDS["AzurePublicCloud"]
        self.host = login_server.partition("/")[0].lower()
        self._assignee = assignee
        self._cloud = cloud.name
        self._limits: dict[str, Any] = {"timeout": timeout, "deadline": deadline, "ca_bundle": ca_bundle}
        self._resources = ResourceManager(credential, subscription_id, cloud, assignee=assignee or None, **self._limits)
        self._subscription = subscription_id
        self._calls = ArmCalls(credential, self._resources.endpoint, cloud.arm_scope, **self._limits)
        self._registry: Registry | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def build(
        self,
        *,
        context: SecretValue,
        image: str,
        dockerfile: str = "Dockerfile",
        arguments: Mapping[str, str] = MappingProxyType({}),
        seconds: int = 3600,
        report: Callable[[str], object] | None = None,
    ) -> str:
        """Have an image built and pushed, and wait for it.

        Whoever stops waiting, as by Ctrl-C, cancels the run.

        Args:
            context: The link to the build context, a tar.gz in Blob Storage (`ContextStore.link`).
            image: Repository and tag in the registry, such as `team/model:1`; the registry's own name may stand before.
            dockerfile: The Dockerfile's path in the context.
            arguments: The build arguments. What has a password in a URL is kept out of the log.
            seconds: How long it may take, with the wait for an agent; Azure ends any build after 28,800 s.
            report: Is called with each line of the log, once and in order, while the build is running.

        Returns:
            The digest of the image that was pushed.

        Raises:
            BuildFailedError: The build has failed, took too long, or was cancelled by somebody else.
            NotAllowedError: This identity, or nobody in this subscription or network, may build there.
            NotFoundError: The registry does not exist.
            ServiceError: Azure did not do what was asked.

        """
        registry = self._found()
        name = image.removeprefix(f"{self.host}/")
        end = time.monotonic() + seconds
        request = self._request(registry, context, name, dockerfile, arguments, seconds)
        run = self._schedule(registry, request, name)
        log = RunLog(
            lambda: self._log_link(run),
            Mask(context, filter(_has_password, arguments.values())),
            report or (lambda _line: None),
            self._limits,
        )
        try:
            properties = self._follow(run, log, end, seconds)
        except BaseException:
            self._cancel(run)
            raise
        finally:
            log.close()
        return self._digest(run, properties, log)

    def close(self) -> None:
        """Close the connections."""
        self._calls.close()
        self._resources.close()

    def _found(self) -> Registry:
        registry = self._registry = self._registry or self._find()
        if registry.public_network_access.lower() == "disabled":
            raise self._blocked("it is reached by private endpoints only, and Azure's build agents are outside")
        return registry

    def _find(self) -> Registry:
        try:
            return self._resources.registry(self.host)
        except NotAllowedError as unseen:
            if unseen.code != "registry-not-visible":
                raise
            raise NotAllowedError(
                f"{unseen.message} To build there, the identity needs the role '{ROLE}'.",
                hint=f"az acr show --name {self.host.partition('.')[0]} --query id prints ID; then type: "
                f'az role assignment create --assignee {self._assignee or "<assignee>"} --role "{ROLE}" --scope ID',
                code=unseen.code,
                service="arm",
            ) from None

    def _request(
        self,
        registry: Registry,
        context: SecretValue,
        name: str,
        dockerfile: str,
        arguments: Mapping[str, str],
        seconds: int,
    ) -> dict[str, Any]:
        request: dict[str, Any] = {
            "type": "DockerBuildRequest",
            "sourceLocation": _Unshown(context.reveal()),
            "imageNames": [name],
            "isPushEnabled": True,
            "dockerFilePath": dockerfile,
            "platform": {"os": "Linux", "architecture": "amd64"},
            "timeout": int(min(max(seconds, _LEAST_LIMIT), _LARGEST_LIMIT)),
            "arguments": [
                {"name": key, "value": _Unshown(value), "isSecret": _has_password(value)}
                for key, value in arguments.items()
            ],
        }
        if registry.role_mode == "abac":
            request["credentials"] = {"sourceRegistry": {"identity": "[caller]"}}
        return request

    def _schedule(self, registry: Registry, request: dict[str, Any], name: str) -> _Run:
        version = _ABAC_VERSION if registry.role_mode == "abac" else _VERSION
        asked = self._asked(f"build the image '{name}' in the registry '{self.host}' by ACR Tasks", registry.id)
        url = self._calls.url(f"{registry.id}/scheduleRun", version)
        try:
            # Sent again after an answer that was lost, it may run twice: both push the same image under the same name.
            answer = self._calls.send("POST", url, asked, body=request, expected=("properties", dict))[2]
        except ConflictError as rejected:
            # An error of ours tells the service's code in its message and nowhere else.
            if _TASKS_OFF not in rejected.message:
                raise
            why = "Azure does not run ACR Tasks in this subscription, for example because it runs on free credits"
            raise self._blocked(why, rejected.status) from None
        except KeyboardInterrupt:
            logger.warning(
                "Interrupted while the build of '%s' was handed to Azure, which may still run it. az acr task "
                "list-runs --registry %s shows it; az acr task cancel-run --registry %s --run-id ID ends it.",
                name,
                registry.name,
                registry.name,
            )
            raise
        identifier = str(answer["properties"].get("runId") or answer.get("name") or "")
        if not identifier:
            raise ServiceError(
                f"Can't {asked.action}: Azure accepted it without returning the run's id. {_WHY}",
                hint=f"az acr task list-runs --registry {registry.name} shows it; launch again.",
                code="no-run",
                service="arm",
            )
        run = _Run(identifier, name, registry, version)
        logger.info("Azure builds the image '%s' as run %s; it starts when an agent is free.", run.name, run.id)
        return run

    def _follow(self, run: _Run, log: RunLog, end: float, seconds: int) -> dict[str, Any]:
        """Tell the log until the run has ended; return what Azure knows of it then."""
        last_seen, pause = time.monotonic(), _SHORTEST_PAUSE
        while True:
            reported = log.read()
            try:
                properties = self._look(run)
                last_seen = time.monotonic()
                pause = _SHORTEST_PAUSE if reported else min(pause * 1.5, _LONGEST_PAUSE)
            except ServiceError as error:
                if not _passes(error) or time.monotonic() - last_seen > _TIMEOUT:
                    raise
                properties = {}
                pause = _PAUSE_AFTER_FAILURE
            if _status(properties) in _ENDED:
                return self._completed(run, log, properties)
            if time.monotonic() >= end:
                log.finish()
                raise _failed(run, f"did not finish within {seconds} s", log.lines, "timeout", _BY_STATUS["timeout"])
            time.sleep(max(0.0, min(pause, end - time.monotonic())))

    def _completed(self, run: _Run, log: RunLog, properties: dict[str, Any]) -> dict[str, Any]:
        """Wait for the rest of the log, and for the digest of what was pushed."""
        end = time.monotonic() + _AFTER_THE_END
        while True:
            log.read(at_once=True)
            lacking = _status(properties) == "succeeded" and not _pushed(properties, run.image)
            if (log.complete or log.unreadable) and not lacking:
                break
            if time.monotonic() >= end:
                break
            time.sleep(_SHORTEST_PAUSE)
            if lacking:
                try:
                    properties = self._look(run)
                except ServiceError as error:
                    if not _passes(error):
                        raise
        log.finish()
        return properties

    def _digest(self, run: _Run, properties: dict[str, Any], log: RunLog) -> str:
        status = _status(properties)
        if status == "succeeded":
            digest = _pushed(properties, run.image)
            if digest:
                return digest
            raise ServiceError(
                f"Azure has built the image '{run.name}' (run {run.id}) but did not return its digest, so the image "
                "to start is unknown.",
                hint=f"az acr manifest list-metadata --registry {run.registry.name} --name "
                f"{run.image.partition(':')[0]} shows it; launch again.",
                code="no-digest",
                service="arm",
            )
        if any(_FIREWALL.search(line) for line in log.lines):
            raise self._blocked("its network rules (its firewall) do not allow Azure's build agents")
        fix = _fix(log.lines)
        if not fix and run.registry.role_mode == "abac" and re.search(r"(?i)denied|unauthorized", "\n".join(log.lines)):
            fix = (
                f'az role assignment create --assignee {self._assignee or "<assignee>"} --role "Container Registry '
                f'Repository Writer" --scope {run.registry.id} allows it to push: this registry uses repository roles.'
            )
        fix = (
            fix
            or _BY_STATUS.get(status)
            or f"az acr task logs --registry {run.registry.name} --run-id {run.id} prints all of it."
        )
        raise _failed(run, f"ended as '{properties.get('status')}'", log.lines, status, fix)

    def _look(self, run: _Run, end: float | None = None) -> dict[str, Any]:
        asked = self._asked(f"follow the build of '{run.name}' (run {run.id})", run.registry.id)
        url = self._calls.url(run.path, run.version)
        answer = self._calls.send("GET", url, asked, expected=("properties", dict), end=end)[2]
        properties: dict[str, Any] = answer["properties"]
        return properties

    def _log_link(self, run: _Run) -> SecretValue:
        asked = self._asked(f"get the log of the build of '{run.name}' (run {run.id})", run.registry.id)
        url = self._calls.url(f"{run.path}/listLogSasUrl", run.version)
        return SecretValue(str(self._calls.send("POST", url, asked, expected=("logLink", str))[2]["logLink"]))

    def _cancel(self, run: _Run) -> None:
        """End a run that nobody waits for; what can't be ended is logged, and raises nothing."""
        end = time.monotonic() + _UNTIL_CANCELLED
        asked = self._asked(f"cancel the build of '{run.name}' (run {run.id})", run.registry.id)
        try:
            if self._has_ended(run, end):
                return
            self._calls.send("POST", self._calls.url(f"{run.path}/cancel", run.version), asked, end=end)
        except ServiceError as error:
            # The answer that is documented has no body, and is then taken for one of something else.
            if error.code == "not-the-service" and self._ends(run, end):
                return
            logger.warning(
                "The build of '%s' is still running in Azure as run %s. %s To cancel it: az acr task cancel-run "
                "--registry %s --run-id %s",
                run.name,
                run.id,
                error.message,
                run.registry.name,
                run.id,
            )

    def _ends(self, run: _Run, end: float) -> bool:
        while time.monotonic() < end:
            try:
                if self._has_ended(run, end):
                    return True
            except ServiceError:
                return False
            time.sleep(_SHORTEST_PAUSE / 2)
        return False

    def _has_ended(self, run: _Run, end: float) -> bool:
        return _status(self._look(run, end)) in _ENDED

    def _asked(self, action: str, scope: str) -> Asked:
        names = {"cloud": self._cloud, "subscription": self._subscription, "scope": scope, "role": ROLE}
        if self._assignee:
            names |= {"assignee": self._assignee, "client_id": self._assignee}
        return Asked("arm", action, urlsplit(self._calls.endpoint).netloc, why=_WHY, names=names)

    def _blocked(self, why: str, status: int | None = None) -> NotAllowedError:
        return NotAllowedError(
            f"ACR Tasks can't build in the registry '{self.host}': {why}.",
            hint=_OTHER_BUILDER,
            code="tasks-blocked",
            service="arm",
            status=status,
        )


@dataclass(frozen=True)
class _Run:
    """One run of ACR Tasks.

    Args:
        id: Its id.
        image: Repository and tag.
        registry: The registry that it runs in.
        version: The version of the REST API to ask for it.

    """

    id: str
    image: str
    registry: Registry
    version: str

    @property
    def name(self) -> str:
        """The image's whole name."""
        return f"{self.registry.login_server}/{self.image}"

    @property
    def path(self) -> str:
        """Its resource id."""
        return f"{self.registry.id}/runs/{quote(self.id, safe='')}"


class _Unshown(str):
    """A text for a request's body that tracebacks with local variables, as IPython's verbose ones, do not show."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "(hidden)"


def _has_password(value: str) -> bool:
    return bool(_PASSWORD_IN_URL.search(value))


def _status(properties: Mapping[str, Any]) -> str:
    return str(properties.get("status") or "").lower()


def _passes(error: ServiceError) -> bool:
    """Tell whether a failed look at a run says nothing of the run, and may pass."""
    broken = error.status is not None and error.status >= 500  # noqa: PLR2004 - RFC 9110
    return isinstance(error, ThrottledError | UnreachableError) or broken


def _pushed(properties: Mapping[str, Any], image: str) -> str:
    """Find the digest of what a run has pushed under a name; "" where Azure does not tell it."""
    repository, _, tag = image.partition(":")
    for each in properties.get("outputImages") or []:
        if not isinstance(each, dict):
            continue
        named = str(each.get("repository") or "").lower(), str(each.get("tag") or "")
        digest = str(each.get("digest") or "")
        if named == (repository.lower(), tag or "latest") and _DIGEST.fullmatch(digest):
            return digest
    return ""


def _fix(lines: Iterable[str]) -> str:
    text = "\n".join(lines)
    for pattern, fix in _FIXES:
        found = re.search(pattern, text)
        if found:
            return fix.format(*(group or "" for group in found.groups()))
    return ""


def _failed(run: _Run, what: str, lines: Iterable[str], status: str, fix: str) -> BuildFailedError:
    message = (
        f"The build of the image '{run.name}' by ACR Tasks {what} (run {run.id} of the registry '{run.registry.name}')."
    )
    last = tuple(lines)[-_SHOWN_LINES:]
    if last:
        shown = "".join(f"\n  {line}" for line in last)
        message = f"{message} Its last lines:{shown}\n"
    codes = {"timeout": "build-timeout", "canceled": "build-cancelled"}
    return BuildFailedError(message, hint=fix, code=codes.get(status), last_lines=last)
