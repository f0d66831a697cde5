"""A double for ACR Tasks that does what it says: it fetches the context by its link, builds with buildah, and pushes.

Sources of the answers: the pages of https://learn.microsoft.com/rest/api/containerregistry (version 2019-06-01-preview)
that each names, with the examples in https://github.com/Azure/azure-rest-api-specs, specification/containerregistry.
The log's own words are those that users have shown in https://github.com/Azure/azure-cli/issues/27253,
https://github.com/Azure/acr-build/issues/10 and https://github.com/MicrosoftDocs/azure-docs/issues/46056; what stands
between them is buildah's where Azure has Docker's.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from . import refusals
from .programs import binaries
from .programs.base_image import base_image, base_image_is_ready
from .web import Answer, json_answer

if TYPE_CHECKING:
    from pathlib import Path

    from .stand import Stand
    from .web import Request

Object = dict[str, Any]

_KIND = "Microsoft.ContainerRegistry/registries"
_PATH = re.compile(
    rf"(?P<registry>.*/providers/{re.escape(_KIND)}/[^/]+)/"
    r"(?:(?P<schedule>scheduleRun)|runs/(?P<run>[^/]+)(?:/(?P<verb>listLogSasUrl|cancel))?)",
    re.IGNORECASE,
)
_CALLER_VERSION = "2025-03-01-preview"
_CONTAINER = "container-logs"
_LIMITS = range(300, 28801)  # Seconds: `timeout` of DockerBuildRequest.
_BUNDLE_AT = "/run/stand-ca.pem"  # Where containers of the stand's node find it, too.
_LOG_EVERY, _LINES_AT_ONCE = 0.1, 5000
_ENDED = frozenset({"Succeeded", "Failed", "Canceled", "Error", "Timeout"})


class BuildError(Exception):
    """A run ends as failed; the text stands in its log."""


def _now() -> str:
    return datetime.now(timezone.utc).isoformat().replace("+00:00", "Z")


@dataclass
class Run:
    """One run; `lines` are all that its log has.

    Args:
        id: As Azure counts them: `ca1` and so on.
        registry: The registry's resource.
        request: The DockerBuildRequest.
        credentials: Whom it pulls and pushes as: user and password.

    """

    id: str
    registry: Object
    request: Object = field(repr=False)
    credentials: tuple[str, str] | None = field(repr=False)
    status: str = "Queued"
    digest: str = ""
    lines: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None
    created: str = field(default_factory=_now)
    finished: str = ""

    @property
    def host(self) -> str:
        """The registry's login server."""
        return str(self.registry["properties"]["loginServer"])

    @property
    def image(self) -> str:
        """Repository and tag."""
        name = str(self.request["imageNames"][0])
        return name if ":" in name else f"{name}:latest"


def needed(method: str, path: str) -> tuple[str, str] | None:
    """Return the action that a call about tasks needs, and the registry's id; None if it is about something else."""
    found = _PATH.fullmatch(path)
    if found is None or (method == "GET") != bool(found["run"] and not found["verb"]):
        return None
    if found["schedule"]:
        return f"{_KIND}/scheduleRun/action", found["registry"]
    return f"{_KIND}/runs/{found['verb']}/action" if found["verb"] else f"{_KIND}/runs/read", found["registry"]


def attach(stand: Stand) -> Tasks:
    """Let the stand's Resource Manager answer for ACR Tasks; safe to repeat.

    Raises:
        MissingError: Images can't be built here.

    """
    if stand.arm.tasks is None:
        stand.arm.tasks = Tasks(stand)
    return stand.arm.tasks


class Tasks:
    """Runs of ACR Tasks, each in a thread of its own; tests set how it behaves.

    Args:
        stand: Where it finds contexts, keeps logs, and pushes.

    Raises:
        MissingError: Images can't be built here.

    """

    def __init__(self, stand: Stand) -> None:
        for program in ("buildah", "unshare"):
            if shutil.which(program) is None:
                msg = f"{program} is needed to build images: apt-get install buildah util-linux"
                raise binaries.MissingError(msg)
        if sys.platform != "linux" or os.geteuid() != 0:
            msg = "Building images needs Linux and root's rights. Run the tests in a container."
            raise binaries.MissingError(msg)
        self.runs: dict[str, Run] = {}
        self.reset()
        self._stand = stand
        self._folder = stand.folder / "acr-tasks"
        self._folder.mkdir()
        self._numbers = itertools.count(1)
        self._apps: dict[str, tuple[str, str, str]] = {}
        self._account = stand.blob.take()
        stand.names.add(f"{self._account}.blob.core.windows.net", stand.blob_front.port)
        self._logs = self._log_container()
        self._environment = self._for_buildah()

    @property
    def marks(self) -> tuple[str, ...]:
        """The secrets of the service's own: the key of its logs, and what it pushes with."""
        return (self._stand.blob.accounts[self._account], *(password for _, password, _ in self._apps.values()))

    def answer(self, request: Request, registry: str, oid: str) -> Answer | None:
        """Answer one request of somebody who may make it; None where there is no such registry."""
        resource = self._stand.arm.resources.get(registry.lower())
        found = _PATH.fullmatch(request.path.rstrip("/"))
        if resource is None or found is None:
            return None
        if found["schedule"]:
            return self._schedule(request, resource, oid)
        run = self.runs.get(found["run"])
        if run is None or run.registry["id"] != resource["id"]:
            return refusals.arm(404, request, "RunNotFound", f"The run '{found['run']}' was not found.")
        verb = (found["verb"] or "").lower()
        if verb == "listlogsasurl":
            # https://learn.microsoft.com/rest/api/containerregistry/runs/get-log-sas-url
            return json_answer(200, {"logLink": self._log_link(run)})
        if verb == "cancel":
            # https://learn.microsoft.com/rest/api/containerregistry/runs/cancel : 200 or 202, neither with a body
            self._end(run, "Canceled")
            return Answer(self.cancel_status)
        # https://learn.microsoft.com/rest/api/containerregistry/runs/get
        return json_answer(200, _resource(run))

    def reset(self) -> None:
        """End all builds, and behave as usual again."""
        self.queue_seconds, self.log_lag, self.log_link_seconds, self.cancel_status = 0.2, 0.0, 3600.0, 202
        for run in self.runs.values():
            self._end(run, "Canceled")

    def _schedule(self, request: Request, registry: Object, oid: str) -> Answer:
        # https://learn.microsoft.com/rest/api/containerregistry/registries/schedule-run
        body = request.json()
        problem = _problem(body)
        if problem:
            return refusals.arm(400, request, "BadRequest", problem)
        run = Run(f"ca{next(self._numbers)}", registry, body, self._credentials(request, registry, body, oid))
        self.runs[run.id] = run
        threading.Thread(target=self._work, args=(run,), name=f"run {run.id}", daemon=True).start()
        return json_answer(200, _resource(run))

    def _credentials(self, request: Request, registry: Object, body: Object, oid: str) -> tuple[str, str] | None:
        """Give the run an identity of its own; with repository permissions (ABAC), no more than the caller may.

        https://learn.microsoft.com/azure/container-registry/container-registry-rbac-abac-repository-permissions ,
        "Effects of enabling ABAC on ACR Tasks, Quick Tasks, Quick Builds, and Quick Runs".
        """
        role = "AcrPush"
        if registry["properties"]["roleAssignmentMode"] == "AbacRepositoryPermissions":
            role = "Container Registry Repository Writer"
            source = (body.get("credentials") or {}).get("sourceRegistry") or {}
            as_caller = source.get("identity") == "[caller]" and request.query["api-version"] >= _CALLER_VERSION
            may = self._stand.arm.allows(oid, f"{_KIND}/repositories/content/write", registry["id"], data=True)
            if not (as_caller and may):
                return None
        if registry["id"] not in self._apps:
            client, password = str(uuid.uuid4()), f"MARK-{secrets.token_hex(16)}"
            app = self._stand.entra.register(str(uuid.uuid4()), client, password)
            self._stand.arm.assign(app.oid, role, registry["id"])
            self._apps[registry["id"]] = (client, password, app.oid)
        return self._apps[registry["id"]][:2]

    def _work(self, run: Run) -> None:
        time.sleep(self.queue_seconds)
        if run.status in _ENDED:
            return
        began, folder = time.monotonic(), self._folder / run.id
        log = self._logs.get_blob_client(_log_name(run))
        log.create_append_blob()
        run.status = "Running"
        status, problem = "Succeeded", ""
        try:
            folder.mkdir()
            self._build(run, log, folder)
        except BuildError as error:
            status, problem = "Failed", "failed during run, err: exit status 1"
            _say(run, log, str(error))
        except Exception:  # noqa: BLE001 - whoever runs the tests has to see a mistake of the stand
            traceback.print_exc()
            status, problem = "Error", "the test stand itself has failed"
        shutil.rmtree(folder, ignore_errors=True)
        self._end(run, status)
        # Nothing says that a run's status and its log are ready together.
        time.sleep(self.log_lag)
        with suppress(Exception):
            took = round(time.monotonic() - began)
            ending = f"was successful after {took}s" if not problem else f"failed after {took}s. Error: {problem}"
            _say(run, log, "", f"Run ID: {run.id} {ending}")
            words = {"Succeeded": "successful", "Failed": "failed", "Error": "internalerror", "Canceled": "canceled"}
            log.set_blob_metadata({"Complete": words[run.status]})

    def _build(self, run: Run, log: Any, folder: Path) -> None:
        context = folder / "context"
        context.mkdir()
        _say(run, log, f"{_moment()} Downloading source code...")
        self._fetch(run, folder / "context.tar.gz", context)
        _say(
            run, log, f"{_moment()} Finished downloading source code", f"{_moment()} Setting up Docker configuration..."
        )
        _say(run, log, f"{_moment()} Successfully set up Docker configuration")
        _say(run, log, f"{_moment()} Logging in to registry: {run.host}")
        self._log_in(run, folder / "auth.json")
        _say(run, log, f"{_moment()} Successfully logged into {run.host}")
        name = f"{run.host}/{run.image}"
        arguments = [f"--build-arg={each['name']}={each['value']}" for each in run.request.get("arguments") or []]
        build = ["bud", "--isolation=chroot", "--format=docker", "--layers=false", *arguments, f"--tag={name}"]
        build += [f"--file={run.request['dockerFilePath']}", f"--volume={self._stand.authority.bundle}:{_BUNDLE_AT}:ro"]
        self._step("build", [*build, str(context)], run, log, folder)
        push = ["push", "--compression-level=1", f"--digestfile={folder / 'digest'}", name]
        self._step("push", push, run, log, folder)
        run.digest = (folder / "digest").read_text().strip()

    def _fetch(self, run: Run, archive: Path, context: Path) -> None:
        import requests

        link = run.request["sourceLocation"]
        try:
            answer = requests.get(link, timeout=60, verify=str(self._stand.authority.bundle))
        except requests.RequestException:
            answer = None
        if answer is None or answer.status_code != 200:
            msg = "failed to download context. Please check if the URL is incorrect."
            raise BuildError(msg)
        archive.write_bytes(answer.content)
        done = subprocess.run(["tar", "-xzf", archive, "-C", context], capture_output=True, timeout=120, check=False)
        if done.returncode:
            msg = "failed to extract the source code: it is no tar.gz"
            raise BuildError(msg)

    def _log_in(self, run: Run, file: Path) -> None:
        properties = run.registry["properties"]
        restricted = (properties.get("networkRuleSet") or {}).get("defaultAction") == "Deny"
        if restricted or properties["publicNetworkAccess"] == "Disabled":
            msg = (
                "failed to login, ran out of retries: failed to set docker credentials: Error response from daemon: "
                f"Get \"https://{run.host}/v2/\": denied: client with IP '203.0.113.5' is not allowed access. Refer "
                "https://aka.ms/acr/firewall to grant access."
            )
            raise BuildError(msg)
        auths = {}
        if run.credentials is not None:
            auths[run.host] = {"auth": base64.b64encode(":".join(run.credentials).encode()).decode()}
        file.touch(mode=0o600)
        file.write_text(json.dumps({"auths": auths}))

    def _step(self, step: str, arguments: list[str], run: Run, log: Any, folder: Path) -> None:
        """Run buildah, with mounts of its own so that none outlives it."""
        limit = run.request.get("timeout", 3600)
        where = "Working directory: '', Network: ''"
        _say(run, log, f"{_moment()} Executing step ID: {step}. Timeout(sec): {limit}, {where}")
        _say(run, log, f"{_moment()} Launching container with name: {step}")
        verb, *options = arguments
        command = ["unshare", "--mount", "buildah", verb, f"--authfile={folder / 'auth.json'}", *options]
        output = folder / f"{step}.log"
        with output.open("wb") as written:
            run.process = process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=subprocess.STDOUT,
                env=self._environment,
                cwd=folder / "context",
                start_new_session=True,
            )
        self._stand.guard.watch(process.pid)
        try:
            if run.status in _ENDED:
                self._kill(run)
            _pass_on(process, output, run, log)
            code = process.wait()
        finally:
            self._kill(run)
            process.wait()
            self._stand.guard.forget(process.pid)
        if code:
            _say(run, log, f"{_moment()} Container failed during run: {step}. No retries remaining.")
            msg = f"failed to run step ID: {step}: exit status {code}"
            raise BuildError(msg)
        _say(run, log, f"{_moment()} Successfully executed container: {step}")

    def _end(self, run: Run, status: str) -> None:
        if run.status not in _ENDED:
            run.status, run.finished = status, _now()
        self._kill(run)

    @staticmethod
    def _kill(run: Run) -> None:
        process = run.process
        if process is not None and process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def _log_link(self, run: Run) -> str:
        from azure.storage.blob import BlobSasPermissions, generate_blob_sas

        now, name = datetime.now(timezone.utc), _log_name(run)
        token = generate_blob_sas(
            account_name=self._account,
            container_name=_CONTAINER,
            blob_name=name,
            account_key=self._stand.blob.accounts[self._account],
            permission=BlobSasPermissions(read=True),
            start=now - timedelta(minutes=15),
            expiry=now + timedelta(seconds=self.log_link_seconds),
            protocol="https",
        )
        return f"https://{self._account}.blob.core.windows.net/{_CONTAINER}/{name}?{token}"

    def _log_container(self) -> Any:
        from azure.storage.blob import BlobServiceClient

        service = BlobServiceClient(
            self._stand.blob.account_url(self._account),
            credential=self._stand.blob.accounts[self._account],
            connection_verify=str(self._stand.authority.bundle),
        )
        container = service.get_container_client(_CONTAINER)
        container.create_container()
        return container

    def _for_buildah(self) -> dict[str, str]:
        # The node's own modules are many, and this double is not always needed.
        from .node.containers import write_settings
        from .node.relay import NameProxy

        stores = [base_image() / "store"] if base_image_is_ready() else []
        settings = write_settings(self._folder / "buildah", stores)
        proxy = NameProxy(self._stand.names.environment()["STAND_HOSTS"])
        return {
            "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
            "HOME": str(self._folder),
            "TMPDIR": str(self._folder),
            "SSL_CERT_FILE": str(self._stand.authority.bundle),
            # buildah hands it on to what a Dockerfile runs, which so finds the stand's package index.
            "HTTPS_PROXY": proxy.url,
            **settings,
        }


def _problem(body: Object) -> str:
    if body.get("type") != "DockerBuildRequest":
        return "The test stand builds by DockerBuildRequest only."
    for name in ("dockerFilePath", "platform", "sourceLocation", "imageNames"):
        if not body.get(name):
            return f"The required property '{name}' is missing from the request."
    if body.get("timeout", 3600) not in _LIMITS:
        return "The property 'timeout' must be between 300 and 28800."
    return ""


def _resource(run: Run) -> Object:
    properties: Object = {
        "runId": run.id,
        "status": run.status,
        "provisioningState": "Succeeded" if run.status in _ENDED else "Running",
        "runType": "QuickBuild",
        "createTime": run.created,
        "lastUpdatedTime": _now(),
        "platform": {"os": "linux", "architecture": "amd64"},
        "agentConfiguration": {"cpu": 2},
        "isArchiveEnabled": False,
    }
    if run.finished:
        properties["finishTime"] = run.finished
    if run.status == "Succeeded":
        repository, _, tag = run.image.rpartition(":")
        image = {"registry": run.host, "repository": repository, "tag": tag, "digest": run.digest}
        properties["outputImages"] = [image]
    name = f"{run.registry['id']}/runs/{run.id}"
    return {"id": name, "name": run.id, "type": f"{_KIND}/runs", "properties": properties}


def _pass_on(process: subprocess.Popen[bytes], output: Path, run: Run, log: Any) -> None:
    """Keep what a process writes into a file until it ends: buildah loses lines where a pipe is full for a moment."""
    rest = b""
    with output.open("rb") as file:
        running = True
        while running:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_LOG_EVERY)
                running = False
            rest += file.read()
            if not running and rest and not rest.endswith(b"\n"):
                rest += b"\n"
            *lines, rest = rest.split(b"\n")
            for start in range(0, len(lines), _LINES_AT_ONCE):
                _say(run, log, *(line.decode("utf-8", "replace") for line in lines[start : start + _LINES_AT_ONCE]))


def _say(run: Run, log: Any, *lines: str) -> None:
    """Append lines to a log; they end as Azure's do."""
    run.lines += lines
    log.append_block("".join(f"{line}\r\n" for line in lines).encode())


def _log_name(run: Run) -> str:
    return f"logs/{run.registry['name']}/{run.id}/rawtext.log"


def _moment() -> str:
    return datetime.now(timezone.utc).strftime("%Y/%m/%d %H:%M:%S")
