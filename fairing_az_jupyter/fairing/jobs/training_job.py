"""Runs a training job in the cluster, shows its output as it comes, and raises what has gone wrong."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any, cast

from kubeflow.fairing.deployers.deployer import DeployerInterface

from fairing_az_jupyter.clients.kube.objects.facts import entries, mapping
from fairing_az_jupyter.clients.kube.watching.events import Notice
from fairing_az_jupyter.exceptions import (
    ExecutionError,
    FairingAzureError,
    JobFailedError,
    NotAllowedError,
    NotFoundError,
)
from fairing_az_jupyter.fairing.cluster import ownership
from fairing_az_jupyter.fairing.cluster.event_log import Shown, print_line, reported_after_deletion
from fairing_az_jupyter.fairing.cluster.manifests import PREFIX, finished_pod, job, labels_of, new_name
from fairing_az_jupyter.fairing.cluster.outputs_pod import WantedOutputs
from fairing_az_jupyter.fairing.cluster.own_events import emit_end, emit_start
from fairing_az_jupyter.fairing.cluster.pod_spec import plain_spec
from fairing_az_jupyter.fairing.jobs.job_outputs import OutputsAccess, outputs_access
from fairing_az_jupyter.fairing.jobs.noted_errors import with_noted_error
from fairing_az_jupyter.fairing.jobs.noting import NotedLaunch, note_of
from fairing_az_jupyter.fairing.outcomes import JobOutputs, LaunchedJob
from fairing_az_jupyter.fairing.recording.current import continue_record, leave_running
from fairing_az_jupyter.fairing.upstream.stand_ins import LOGGER_NAME
from fairing_az_jupyter.launch_events import Interrupted, Launched, Phases, publish
from fairing_az_jupyter.outputs.blobs import BlobPlace

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from fairing_az_jupyter.clients.kube.watching.events import Event
    from fairing_az_jupyter.clients.secret_values import SecretValue
    from fairing_az_jupyter.fairing.cluster.connections import Launcher

logger = logging.getLogger(LOGGER_NAME)

_GONE_SECONDS = 5.0
_GIVEN_UP = frozenset({"Failed", "FailureTarget"})
# How a job starts that keeps its files: it says nothing to who launches.
_OUR_OWN = frozenset({"Suspended", "Resumed"})


class ClusterJob(DeployerInterface):  # type: ignore[misc] # Fairing is untyped
    """Runs a training job as a Kubernetes Job of one pod at a time.

    A pod that the cluster takes away, such as with its node, is replaced; a program that fails is started again as
    often as the setting `retries` says. The program then begins anew: of what it has written before, its checkpoints
    are there.

    The files that the program writes are kept in the Storage account, where the image is one of our builders: others
    have no program that sends them.

    Args:
        launcher: The cluster, and in whose name pods run there.
        pod_spec_mutators: Functions that change the pod's specification, as Fairing calls them.
        deadline: Seconds after which the job is ended, over all its pods; None for none.
        outputs: Which of the files that it writes are kept; None for no outputs, and no result either.

    """

    def __init__(
        self,
        launcher: Launcher,
        pod_spec_mutators: Sequence[Callable[..., object]] | None = None,
        *,
        deadline: int | None = None,
        outputs: WantedOutputs | None = WantedOutputs(),  # noqa: B008 - it can't be changed
    ) -> None:
        self._launcher = launcher
        self._mutators = tuple(pod_spec_mutators or ())
        self._deadline, self._wanted = deadline, outputs
        self._access: OutputsAccess | None = None
        self._outputs: JobOutputs | None = None
        self._job: dict[str, Any] = {}
        self._shown: Shown | None = None
        self._noted: NotedLaunch | None = None
        self._container = ""
        self._runs = False
        self.name = ""

    def deploy(self, pod_spec: Any) -> LaunchedJob:  # noqa: ANN401 - Fairing is untyped
        """Run the job to its end and print its output line by line as it comes; the Job is deleted then.

        Args:
            pod_spec: The pod's specification from the builder's `generate_pod_spec()`; it is not changed.

        Returns:
            The job's name, which also knows the last 1,000 lines, and how its files are read.

        Raises:
            InputError: There is nothing to run, or the cluster rejects the Job as it is.
            JobFailedError: It can't start, or its command ended with another exit code than 0.
            ServiceError: The cluster does not do what is asked; the job may continue there.

        """
        target = self._launcher.target
        spec = plain_spec(pod_spec, self._mutators, target.namespace)
        pod = finished_pod(spec, target, self._launcher.placement, ends=True)
        self._container, self._shown = str(pod["containers"][0].get("name") or ""), None
        retries = self._launcher.placement.retries
        program = str(getattr(pod_spec, "job_program", "")) if pod["containers"][0].get("command") else ""
        kept = {"outputs": self._wanted.arguments()} if program and self._wanted else {}
        task = ownership.digest_of_task({**pod, "deadline": self._deadline, "retries": retries, **kept})
        with Phases() as phases:
            self._access = self._outputs = None
            if program and self._wanted is not None:
                self._access = outputs_access(self._launcher, program, self._wanted, self._deadline)
            if (lines := self._picked_up(task, phases)) is not None:
                return LaunchedJob(self.name, lines, self._outputs, place=self._place)
            self.name = new_name("job")
            labels = {ownership.TASK: task, **ownership.of_this_launch()}
            marks = ownership.mark()
            own = self._access.pod(pod, self.name) if self._access else pod
            body = job(
                self.name, own, target, labels=labels, annotations=marks, deadline=self._deadline, retries=retries
            )
            # So no Secret is ever there without its Job, whenever this process is ended.
            body["spec"] |= {"suspend": True} if self._access else {}
            links = self._access.links(self.name) if self._access else {}
            lines = self._launched(body, links, phases)
            return LaunchedJob(self.name, lines, self._outputs, place=self._place)

    @property
    def _place(self) -> BlobPlace | None:
        """Where the files of the job are; None where none are kept."""
        return BlobPlace.of_launch(self._launcher.settings, self.name) if self._outputs else None

    def get_logs(self) -> None:
        """Print what the job has printed; of one that still runs because it was interrupted, to its end.

        Raises:
            FairingAzureError: Nothing has been deployed yet; also as `deploy`.

        """
        if not self.name:
            raise FairingAzureError("Nothing has been deployed yet.", hint="Call deploy() first.")
        if self._runs:
            with Phases() as phases:
                self._follow(phases)
            return
        for line in self._shown.lines if self._shown else ():
            print_line(line)

    def _launched(self, body: dict[str, Any], links: Mapping[str, SecretValue], phases: Phases) -> tuple[str, ...]:
        phases.begin("schedule")
        # From before it is there: the same launch in another thread would take it for one that nobody follows.
        with ownership.caring_for(self.name):
            try:
                self._job = self._launcher.workloads.create(body)
                emit_start(self._launcher, self._job)
                if self._access is not None:
                    self._outputs = self._access.start(self._job, links)
                self._runs = True
                logger.warning("The job %s launched.", self.name)
                self._publish_name()
            except KeyboardInterrupt:
                leave_running(self.name, self._launcher.target.namespace)
                self._report_remaining("Interrupted, but the job may have been launched", interrupted=True)
                raise
            return self._follow(phases)

    def _picked_up(self, task: str, phases: Phases) -> tuple[str, ...] | None:
        """Follow a job that does the same and that nobody follows any more; None if there is none.

        One that has failed meanwhile is not taken: it is deleted, and the task gets another try.
        """
        workloads, owner = self._launcher.workloads, labels_of("job", "", self._launcher.target.owner)
        own = {name: owner[name] for name in (f"{PREFIX}kind", f"{PREFIX}owner") if name in owner}
        try:
            alike = workloads.list("Job", {**own, ownership.TASK: task})
        except NotAllowedError:
            return None
        for found in alike:
            release = ownership.claim(workloads, "Job", found)
            if release is None:
                continue
            with contextlib.ExitStack() as cared:
                cared.callback(release)
                self.name = str(found["metadata"]["name"])
                if _has_given_up(found):
                    logger.warning("The job %s does the same and has failed: it is replaced.", self.name)
                    self._delete()
                    continue
                logger.warning("The job %s does the same and is still running: waiting for it.", self.name)
                continue_record(str(mapping(found["metadata"].get("labels")).get(f"{PREFIX}run", "")))
                self._publish_name()
                self._job = found
                self._outputs = self._access.resume(found) if self._access else None
                self._runs = True
                try:
                    return self._follow(phases)
                except NotFoundError as error:
                    # Kubernetes deletes a job some time after its end.
                    if self._shown is not None and self._shown.lines:
                        raise
                    phases.fail(error)
                    logger.warning("The job %s no longer exists: it is launched again.", self.name)
        return None

    def _follow(self, phases: Phases) -> tuple[str, ...]:
        """Show the job to its end and delete it; return its last lines."""
        place = self._place
        self._noted = NotedLaunch(self._launcher, place, note_of(self._job, self._launcher)) if place else None
        renewing = self._access.renewing(self._job) if self._access and self._outputs else contextlib.nullcontext()
        with ownership.caring_for(self.name), renewing:
            return self._watched(phases)

    def _watched(self, phases: Phases) -> tuple[str, ...]:
        shown = self._shown = Shown(
            self._container,
            printed=True,
            started=lambda: phases.begin("run"),
            replaced=lambda: phases.begin("schedule"),
            launch=self.name,
        )
        phases.begin("schedule")
        try:
            stream = self._launcher.workloads.follow("Job", self.name, waits=self._launcher.waits)
            events = cast("Generator[Event, None, None]", stream)
            # Closed here and not by and by: a notebook keeps the traceback of an interrupt, and all that hangs on it.
            with contextlib.closing(events):
                for event in events:
                    if not (self._outputs and isinstance(event, Notice) and event.reason in _OUR_OWN):
                        shown.show(event)
        except JobFailedError as error:
            phases.fail(error)
            emit_end(self._launcher, self._job, f"It failed: {error.message}")
            self._delete()
            reported_after_deletion(error, self.name, shown.lines)
            with_noted_error(error, self.name, self._launcher, self._place)
            if self._noted is not None:
                self._noted.end("failed", error.raised)
            raise error from None
        except NotFoundError:
            # Interrupted before, and deleted meanwhile.
            self._runs = False
            raise
        except BaseException as error:
            interrupted = isinstance(error, KeyboardInterrupt)
            leave_running(self.name, self._launcher.target.namespace)
            why = "Interrupted" if interrupted else "It is no longer watched"
            self._report_remaining(f"{why}, but the job is still running", interrupted=interrupted)
            raise
        # Also where it was over before its start was seen.
        phases.begin("run")
        kept = self._access.kept(self.name) if self._access and self._outputs else ""
        phases.say(f"Job {self.name}. {kept}" if kept else f"Job {self.name}")
        phases.finish()
        emit_end(self._launcher, self._job, kept or "It succeeded.")
        self._delete(wait=_GONE_SECONDS)
        if self._noted is not None:
            self._noted.end("succeeded")
        logger.info("Job %s succeeded.%s", self.name, f" {kept}" if kept else "")
        return shown.lines

    def _delete(self, wait: float = 0.0) -> None:
        """Delete the Job; where that fails there is a warning, and the outcome counts."""
        self._runs = False
        try:
            self._launcher.workloads.delete("Job", self.name, wait=wait)
        except ExecutionError:
            logger.info("Job %s is being deleted.", self.name)
        except FairingAzureError as error:
            self._report_remaining(f"{error} The job has ended but still exists")
        except KeyboardInterrupt:
            self._report_remaining("Interrupted, but the job has ended and may still exist", interrupted=True)
            raise

    def _publish_name(self) -> None:
        publish(Launched("job", self.name, self._launcher.target.namespace))

    def _report_remaining(self, what: str, *, interrupted: bool = False) -> None:
        namespace = self._launcher.target.namespace
        follow = f"kubectl -n {namespace} logs -f job/{self.name}"
        delete = f"fairing-azure delete {self.name}, or kubectl -n {namespace} delete job {self.name}"
        where = f"job {self.name} in namespace '{namespace}'"
        again = "Run the same launch again to wait for it."
        message = f"{what}: {where}. {again} Or follow it: {follow}. Delete it: {delete}"
        logger.warning("%s", message)
        if interrupted:
            publish(Interrupted(message, remains=True))


def _has_given_up(found: Mapping[str, Any]) -> bool:
    """Tell whether a Job has failed, or will have when its pods are gone.

    Its count of failed pods does not say so: others run in the place of those that were taken away or tried again.
    Source: https://kubernetes.io/docs/concepts/workloads/controllers/job/#terminal-job-conditions
    """
    conditions = entries(mapping(found.get("status")).get("conditions"))
    return any(each.get("type") in _GIVEN_UP and each.get("status") == "True" for each in conditions)
