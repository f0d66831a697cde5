"""Notebook runs that the cluster is to execute: planned, their image built, and launched as one Indexed Job."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter import machine, parameters
from fairing_az_jupyter.exceptions import FairingAzureError, InputError, NotebookFileError
from fairing_az_jupyter.records import layout
from fairing_az_jupyter.services.cluster_runs.records import JobRecords
from fairing_az_jupyter.services.planning import plan_run
from fairing_az_jupyter.services.remote_files import downloaded, read_notebook
from fairing_az_jupyter.settings import check_values, notebook_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fairing_az_jupyter.fairing.cluster.connections import Launcher
    from fairing_az_jupyter.fairing.images.notebook_image import NotebookFiles
    from fairing_az_jupyter.models import RunRequest
    from fairing_az_jupyter.records import RunStore
    from fairing_az_jupyter.runs.places.addresses import Places
    from fairing_az_jupyter.services.session import Session
    from fairing_az_jupyter.settings import Settings

__all__ = [
    "ClusterBatch",
    "ClusterPoint",
    "cluster_settings",
    "plan_cluster_run",
    "settings_in_cell",
    "start_on_cluster",
]


@dataclasses.dataclass(frozen=True)
class ClusterPoint:
    """One run of a batch.

    Args:
        request: The run.
        run: Its identifier; None for a new one. A record of that name that has not ended is taken over.
        facts: What else its record says: `sweep`, `point`, `retry_of`.

    """

    request: RunRequest
    run: str | None = None
    facts: Mapping[str, object] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class ClusterBatch:
    """Runs that were launched as one Job.

    Args:
        job: The Job's name.
        namespace: Its namespace.
        runs: The runs' identifiers, in the order of their numbers in the Job.
        image: What they run in.

    """

    job: str
    namespace: str
    runs: tuple[str, ...]
    image: str


def cluster_settings(session: Session, request_parameters: Mapping[str, object]) -> Settings:
    """Return the settings to launch a notebook's runs with.

    Args:
        session: The settings in force, the records and the cluster.
        request_parameters: The notebook's parameters, which count as its cell.

    Raises:
        FairingAzureError: A source can't be read, or a value in force breaks its rule.

    """
    cell = {name: value for name, value in request_parameters.items() if value is not None}
    return session.with_given({**session.given, "backend": "KubeflowAzureBackend"}).with_cell(cell or None).settings


def settings_in_cell(session: Session, notebook: str) -> dict[str, Any]:
    """Return those of some settings that a notebook's parameters cell names: they are parameters of its runs, too.

    Args:
        session: The settings in force, the records and the cluster.
        notebook: The notebook.

    Raises:
        InputError: A value breaks its rule, or the notebook can't be read.

    """
    given = check_values(session.given)
    with downloaded(session, notebook) as path:
        return _named_by(parameters.read_parameters(path, shown=notebook), given)


def plan_cluster_run(
    session: Session,
    notebook: str,
    *,
    cwd: str | None = None,
    **options: Any,  # noqa: ANN401 - handed on to plan_run
) -> tuple[RunRequest, Settings]:
    """Return a run that the cluster is to execute, with every parameter checked, and the settings to launch it with.

    Args:
        session: The settings in force, the records and the cluster.
        notebook: The notebook.
        cwd: Has to be None: no folder of this machine is there.
        **options: See `plan_run`.

    Raises:
        InputError: As `plan_run`.

    """
    if cwd is not None:
        raise InputError(
            f"The working directory '{cwd}' is a folder of this machine, and the notebook runs in the cluster.",
            hint="Omit --cwd: the notebook works in its own folder there. Pass the files it needs with --input-files.",
            code="cwd-on-cluster",
        )
    given = check_values(session.given)
    with downloaded(session, notebook) as path:
        cell = parameters.read_parameters(path, shown=notebook)
    request = plan_run(session.with_given(_named_by(cell, given)), notebook, **options)
    return request, cluster_settings(session.with_given(given), {**cell.values, **request.parameters})


def _named_by(cell: parameters.CellReading, given: Mapping[str, Any]) -> dict[str, Any]:
    names = notebook_names()
    return {field: value for field, value in given.items() if names[field] in cell.names}


def start_on_cluster(
    session: Session,
    points: Sequence[ClusterPoint],
    settings: Settings,
    *,
    input_files: Sequence[str] = (),
    max_failed: int | None = None,
    content: bytes | None = None,
) -> ClusterBatch:
    """Launch runs of one notebook as one Job: one image, and each run a pod of it.

    Args:
        session: The settings in force, the records and the cluster.
        points: The runs; of the same notebook all of them.
        settings: What to launch them with; `parallelism` says how many run at once.
        input_files: Files and folders in the notebook's folder that it needs; its requirements.txt goes with it.
        max_failed: After how many failed runs no further one is begun; None to begin them all.
        content: The notebook's bytes; None to read them now.

    Returns:
        The Job.

    Raises:
        InputError: They can't be launched as asked for.
        BuildFailedError: The image can't be built.
        ServiceError: The cluster or an Azure service does not do what is asked. The records tell it, too.

    """
    from fairing_az_jupyter.fairing.cluster.connections import Launcher  # noqa: PLC0415 - loads the clients
    from fairing_az_jupyter.fairing.upstream.stand_ins import fairing_logging  # noqa: PLC0415 - loads Fairing

    fairing_logging()
    notebooks = {point.request.notebook for point in points}
    if len(notebooks) != 1:
        raise InputError(
            f"{len(notebooks)} notebooks were given for one Job, which runs one notebook.",
            hint="Launch a Job for each.",
            code="notebooks",
        )
    places = session.with_cell(points[0].request.parameters).places()
    earlier = points[0].request.as_it_was
    try:
        if content is None:
            kept = session.store.folder(earlier) / layout.NOTEBOOK
            content = read_notebook(places, str(kept) if earlier else points[0].request.notebook)
        with Launcher(settings) as launcher:
            start = _Start(session.store, launcher, tuple(input_files))
            return start.launch(points, content, max_failed)
    finally:
        places.close()


class _Start:
    """One launch, from the records to the Job."""

    def __init__(self, store: RunStore, launcher: Launcher, input_files: tuple[str, ...]) -> None:
        from fairing_az_jupyter.clients.azure.blob.storage import CONTAINER  # noqa: PLC0415 - loads the clients
        from fairing_az_jupyter.fairing.jobs.notebook_jobs import job_name  # noqa: PLC0415 - loads Fairing
        from fairing_az_jupyter.outputs.blobs import PREFIX  # noqa: PLC0415 - loads the clients

        self._store, self._launcher, self._files = store, launcher, input_files
        settings = launcher.settings
        self._job, self._namespace = job_name(), launcher.cluster.namespace
        host = f"{settings.azure_storage_account}.{launcher.azure.cloud.blob_suffix}"
        self._there = f"abs://{host}/{CONTAINER}/runs/"
        self._outputs = f"abs://{host}/{CONTAINER}/{PREFIX}"

    def launch(self, points: Sequence[ClusterPoint], content: bytes, max_failed: int | None) -> ClusterBatch:
        from fairing_az_jupyter.fairing.cluster.manifests import origin_labels  # noqa: PLC0415 - loads the clients
        from fairing_az_jupyter.fairing.jobs import notebook_jobs  # noqa: PLC0415 - loads Fairing
        from fairing_az_jupyter.runs.places.addresses import Places  # noqa: PLC0415 - loads the clients

        requests = [_absolute(point.request) for point in points]
        names = [
            self._record(index, point, request, content)
            for index, (point, request) in enumerate(zip(points, requests, strict=True))
        ]
        settings = self._launcher.settings
        places = Places(lambda: settings)
        created = False
        try:
            files = _notebook_files(requests[0], content, self._files)
            made_of, spec = self._image(requests[0], files)
            # Makes the account where that is to be made, and tells at once what keeps from writing there.
            self._launcher.contexts  # noqa: B018 - opened by being asked for
            batch = f"{self._there}{self._job}/batch.json"
            runs = [
                {
                    "run": name,
                    "record": f"{self._there}{name}/",
                    "outputs": self._outputs_of(name, request),
                    "request": _for_pod(request, files.name).to_dict(),
                }
                for name, request in zip(names, requests, strict=True)
            ]
            document = {"runs": runs, "made_of": {**made_of, "job": self._job}}
            places.write(batch, json.dumps(document, indent=1).encode())
            run, sweep = names[0] if len(names) == 1 else "", str(points[0].facts.get("sweep") or "")
            labels = origin_labels(files.name, run, sweep)
            wanted = notebook_jobs.NotebookJob(self._job, batch, len(names), settings.parallelism, max_failed, labels)
            created = True
            notebook_jobs.start_job(self._launcher, wanted, spec)
        except BaseException as error:
            self._give_up(places, names, error, created=created)
            raise
        finally:
            places.close()
        made = {fact: made_of[fact] for fact in ("image", "image_digest")}
        for name in names:
            self._store.note(name, {"launched": True, **made})
        return ClusterBatch(self._job, self._namespace, tuple(names), str(made_of["image"]))

    def _outputs_of(self, name: str, request: RunRequest) -> str:
        """Return where the files go that a run writes; empty where none is to be kept."""
        return f"{self._outputs}{name}/" if request.outputs is not False else ""

    def _image(self, request: RunRequest, files: NotebookFiles) -> tuple[dict[str, Any], dict[str, Any]]:
        """Have the image in the registry: built, or, of a run that is repeated as it was, that one's."""
        from fairing_az_jupyter.fairing.images import notebook_image  # noqa: PLC0415 - loads Fairing

        if not request.as_it_was:
            return notebook_image.build_image(self._launcher, files)
        return notebook_image.recorded_image(self._launcher, self._store.folder(request.as_it_was))

    def _record(self, index: int, point: ClusterPoint, request: RunRequest, content: bytes) -> str:
        from fairing_az_jupyter.runs.places.addresses import shown  # noqa: PLC0415 - as above
        from fairing_az_jupyter.runs.recorded import begin  # noqa: PLC0415 - as above

        status = {
            "place": "cluster",
            "job": self._job,
            "namespace": self._namespace,
            "index": index,
            "server": self._launcher.cluster.connection.address,
            "settings": {
                **self._launcher.settings.model_dump(mode="json", exclude_defaults=True),
                "namespace": self._namespace,
            },
            "input_files": [os.path.abspath(name) for name in self._files],  # noqa: PTH100 - links stay
            "process": machine.process_name(),
            "launched": False,
        }
        named = dataclasses.replace(request, notebook=shown(request.notebook))
        name = point.run or layout.new_run_id(request.notebook)
        status |= {"record": f"{self._there}{name}/", "outputs": self._outputs_of(name, request)}
        try:
            return begin(self._store, named, content, run=name, status=status, **point.facts).name
        except FileExistsError:
            # Planned before, by a process that has gone.
            self._store.note(name, {"state": "waiting", **status})
            return name

    def _give_up(self, places: Places, names: Iterable[str], error: BaseException, *, created: bool) -> None:
        records = JobRecords(self._store, self._launcher, places, self._job)
        if created:
            # The answer to its creation may have been lost.
            records.delete_job()
        reported = {"code": "internal", "message": f"{type(error).__name__}: {error}"}
        state = "failed" if isinstance(error, Exception) else "cancelled"
        if isinstance(error, FairingAzureError):
            reported = error.to_dict()
        elif state == "cancelled":
            reported = {"code": "run-cancelled", "message": "The run was cancelled before its Job was created."}
        for name in names:
            records.finish(name, {"state": state, "ended": time.time(), "error": {"hint": "", **reported}})


def _absolute(request: RunRequest) -> RunRequest:
    """Return a request whose output means the same from any working directory: another process may write it.

    Raises:
        NotebookFileError: It could not be written, which nobody should learn only at the end.

    """
    from fairing_az_jupyter.runs.places.addresses import is_remote  # noqa: PLC0415 - loads the clients

    output = request.output
    if output is None or is_remote(output):
        return request
    folder = os.path.dirname(os.path.abspath(output))  # noqa: PTH100, PTH120 - links stay
    if not os.access(folder, os.W_OK):
        raise NotebookFileError(
            f"The folder '{folder}' of the executed notebook does not exist, or you may not write to it.",
            hint="Choose another output: --output PATH",
        )
    return dataclasses.replace(request, output=os.path.abspath(output))  # noqa: PTH100 - links stay


def _for_pod(request: RunRequest, name: str) -> RunRequest:
    from fairing_az_jupyter.runs.places.addresses import is_remote  # noqa: PLC0415 - as above

    output = request.output if request.output is not None and is_remote(request.output) else None
    return dataclasses.replace(request, notebook=name, output=output, cwd=None, as_it_was="")


def _notebook_files(request: RunRequest, content: bytes, input_files: tuple[str, ...]) -> NotebookFiles:
    from fairing_az_jupyter.fairing.images.notebook_image import NotebookFiles  # noqa: PLC0415 - loads Fairing
    from fairing_az_jupyter.runs.places.addresses import is_remote, shown  # noqa: PLC0415 - as above

    remote = is_remote(request.notebook)
    name = Path(shown(request.notebook)).name
    # A notebook from a record has its files where it had them then.
    beside = request.cwd or ("" if remote else os.path.dirname(request.notebook))  # noqa: PTH120 - links stay
    folder = Path(os.path.abspath(beside))  # noqa: PTH100 - likewise
    return NotebookFiles(name, content, folder, input_files, has_requirements=not remote)
