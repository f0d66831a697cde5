"""The process that speaks to MLflow: `python -m fairing_az_jupyter.tracking.mlflow_process`.

It reads tasks as JSON lines from standard input, and answers each on standard output: with lines that have `progress`
while it takes long, then with one that has `done`, or `failed` with what went wrong. It ends with its input, or when it
has nothing to do for a minute. The tracking server is that of MLFLOW_TRACKING_URI, its credentials are MLflow's own
variables: https://mlflow.org/docs/latest/self-hosting/security/basic-http-auth/.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from fairing_az_jupyter.outputs.manifest import FILES_FOLDER
from fairing_az_jupyter.outputs.paths import collision_key, unsafe
from fairing_az_jupyter.outputs.stored import LocalOutputs
from fairing_az_jupyter.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fairing_az_jupyter.outputs.stored import StoredOutputs

OUTPUTS = "outputs"
"""The folder of a run's artifacts that has the files that a job has written."""

_IDLE_SECONDS = 60.0
# https://github.com/mlflow/mlflow/blob/v3.17.2/mlflow/utils/validation.py
_MOST_AT_ONCE = 100
_RUNS = "runs:/"


def main() -> None:
    """Carry out what standard input asks for, up to its end."""
    source, answers = _own_streams()
    # They are MLflow's own for tables that nobody makes here; without them it is imported in half the time.
    for name in ("numpy", "pandas", "scipy", "sklearn"):
        sys.modules[name] = None  # type: ignore[assignment] # so that their import fails
    tasks: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(source, tasks), daemon=True).start()
    try:
        worker = _Worker(answers)
    except Exception as error:  # noqa: BLE001 - whatever a broken installation raises
        _answer(answers, failed=_explained(error))
        return
    _answer(answers, ready=os.getpid())
    for name in ("numpy", "pandas"):
        # Our own clients may need them.
        sys.modules.pop(name, None)
    while True:
        try:
            task = tasks.get(timeout=_IDLE_SECONDS)
        except queue.Empty:
            return
        if task is None:
            return
        try:
            _answer(answers, id=task["id"], done=worker.carry_out(task))
        except Exception as error:  # noqa: BLE001 - whatever MLflow, its plugins and their SDKs raise
            _answer(answers, id=task["id"], failed=_explained(error))


class _Worker:
    """Carries out tasks with MLflow's client.

    Args:
        answers: Where progress is written.

    """

    def __init__(self, answers: TextIO) -> None:
        from mlflow import MlflowClient, artifacts, entities, exceptions  # noqa: PLC0415 - it takes seconds

        self._client = MlflowClient()
        self._artifacts, self._entities, self._exceptions = artifacts, entities, exceptions
        self._answers = answers
        self._task = 0

    def carry_out(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """Carry out a task, and return what it has come to."""
        self._task = task["id"]
        tasks: dict[str, Callable[..., dict[str, Any]]] = {
            "start": self._start,
            "log": self._log,
            "end": self._end,
            "discard": self._discard,
            "check": self._check,
            "fetch": self._fetch,
        }
        return tasks[task["do"]](**task["with"])

    def _start(
        self, run: str, experiment: str, tags: dict[str, str], params: dict[str, str], began: int
    ) -> dict[str, Any]:
        """Begin a run, or take up one that was begun by another process."""
        known = None
        if run:
            with contextlib.suppress(self._exceptions.MlflowException):
                known = self._client.get_run(run)
        if known is not None and known.info.lifecycle_stage == "active":
            self._client.update_run(run, status="RUNNING")
            self._tag(run, tags)
            since = [self._client.get_metric_history(run, name)[-1].timestamp for name in known.data.metrics]
            return {**self._names(known.info), "reported_until": max(since, default=0)}
        made = self._client.create_run(self._experiment(experiment), start_time=began, tags=tags)
        items = list(params.items())
        for first in range(0, len(items), _MOST_AT_ONCE):
            chunk = [self._entities.Param(*each) for each in items[first : first + _MOST_AT_ONCE]]
            self._client.log_batch(made.info.run_id, params=chunk)
        return {**self._names(made.info), "reported_until": 0}

    def _experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(self._client.create_experiment(name))
            except self._exceptions.MlflowException:
                # Another launch may have made it meanwhile.
                found = self._client.get_experiment_by_name(name)
                if found is None:
                    raise
        return str(found.experiment_id)

    @staticmethod
    def _names(info: Any) -> dict[str, Any]:  # noqa: ANN401 - MLflow's
        return {"run_id": info.run_id, "experiment_id": info.experiment_id}

    def _log(self, run: str, metrics: list[tuple[str, float, int, int]], tags: dict[str, str]) -> dict[str, Any]:
        values = [self._entities.Metric(name, float(value), time, step) for name, value, time, step in metrics]
        self._client.log_batch(run, metrics=values)
        self._tag(run, tags)
        return {}

    def _tag(self, run: str, tags: Mapping[str, str]) -> None:
        try:
            self._tag_all(run, tags)
        except self._exceptions.RestException:
            # Azure ML keeps some of MLflow's own to itself: https://github.com/mlflow/mlflow-export-import/issues/78
            self._tag_all(run, {name: value for name, value in tags.items() if not name.startswith("mlflow.")})

    def _tag_all(self, run: str, tags: Mapping[str, str]) -> None:
        items = [self._entities.RunTag(name, value) for name, value in tags.items()]
        for first in range(0, len(items), _MOST_AT_ONCE):
            self._client.log_batch(run, tags=items[first : first + _MOST_AT_ONCE])

    def _end(
        self, run: str, status: str, tags: dict[str, str], outputs: dict[str, Any] | None, register: str
    ) -> dict[str, Any]:
        """Send the files of a run and end it; that files or the registration have failed is part of the answer."""
        self._tag(run, tags)
        done: dict[str, Any] = {"files": 0}
        try:
            if outputs is not None:
                done["files"] = self._send(run, outputs)
            if register:
                done["version"] = self._register(run, register, done["files"])
        except Exception as error:  # noqa: BLE001 - as in `main`: the run is to be ended anyway
            done["problem"] = _explained(error)
        self._client.set_terminated(run, status)
        return done

    def _send(self, run: str, where: Mapping[str, Any]) -> int:
        """Send files one after the other, each from a file of this machine; return how many there were."""
        count = 0
        with _opened(where) as outputs, tempfile.TemporaryDirectory(prefix="fairing-az-mlflow-") as scratch:
            files = outputs.manifest.written
            for file, pieces in outputs.read_all(files):
                self._progress(file.size)
                folder, _, name = file.path.rpartition("/")
                if "folder" in where:
                    # It is checked that it is the job's, and sent from where it lies.
                    for _piece in pieces:
                        pass
                    path = Path(where["folder"], FILES_FOLDER, *file.path.split("/"))
                else:
                    path = Path(scratch, name)
                    with path.open("wb") as copy:
                        copy.writelines(pieces)
                    self._progress(file.size)
                self._client.log_artifact(run, str(path), f"{OUTPUTS}/{folder}".rstrip("/"))
                if "folder" not in where:
                    path.unlink()
                count += 1
        return count

    def _register(self, run: str, name: str, files: int) -> str:
        if not files:
            msg = "the job has written no file"
            raise ValueError(msg)
        with contextlib.suppress(self._exceptions.MlflowException):
            # One of that name may exist; anything else fails again below.
            self._client.create_registered_model(name)
        made = self._client.create_model_version(
            name, f"{_RUNS}{run}/{OUTPUTS}", run_id=run, await_creation_for=0, tags={"fairing_az_jupyter.run": run}
        )
        return str(made.version)

    def _discard(self, run: str) -> dict[str, Any]:
        self._client.delete_run(run)
        return {}

    def _check(self) -> dict[str, Any]:
        """Ask for something that whoever registers models may read."""
        self._client.search_registered_models(max_results=1)
        return {}

    def _fetch(self, model: str, version: str, alias: str, to: str) -> dict[str, Any]:
        """Copy the files of a model's version into a folder, one after the other."""
        number = version or str(self._client.get_model_version_by_alias(model, alias).version)
        found = self._client.get_model_version(model, number)
        source = str(self._client.get_model_version_download_uri(model, number))
        run, _, folder = source.removeprefix(_RUNS).partition("/") if source.startswith(_RUNS) else ("", "", source)
        files: dict[str, int] = {}
        seen: set[str] = set()
        with tempfile.TemporaryDirectory(prefix=".mlflow-", dir=to) as scratch:
            for place, path, size in self._listed(run, folder, ""):
                problem = unsafe(path) or ("occurs twice" if collision_key(path) in seen else "")
                if problem:
                    msg = f"its file {path[:200]!r} {problem}"
                    raise ValueError(msg)
                seen.add(collision_key(path))
                self._progress(size)
                own = Path(scratch, str(len(files)))
                own.mkdir()
                if run:
                    got = Path(self._client.download_artifacts(run, place, str(own)))
                else:
                    got = Path(self._artifacts.download_artifacts(artifact_uri=place, dst_path=str(own)))
                if own.resolve() not in got.resolve().parents or got.is_symlink() or not got.is_file():
                    msg = f"its file {path[:200]!r} is not a plain file"
                    raise ValueError(msg)
                target = Path(to, *path.split("/"))
                target.parent.mkdir(parents=True, exist_ok=True)
                files[path] = got.stat().st_size
                got.replace(target)
                shutil.rmtree(own, ignore_errors=True)
        return {"version": number, "run_id": str(found.run_id or ""), "files": files}

    def _listed(self, run: str, place: str, path: str) -> Iterator[tuple[str, str, int]]:
        """Yield the files below a folder: where each is, its path in the model, and its size."""
        client, artifacts = self._client, self._artifacts
        for entry in client.list_artifacts(run, place) if run else artifacts.list_artifacts(artifact_uri=place):
            # Of what the server says only the last part is taken: where it lies is known.
            name = str(entry.path).rstrip("/").rpartition("/")[2]
            own = f"{path}/{name}".lstrip("/")
            if unsafe(own):
                yield place, own, 0
            elif entry.is_dir:
                yield from self._listed(run, f"{place.rstrip('/')}/{name}".lstrip("/"), own)
            else:
                yield f"{place.rstrip('/')}/{name}".lstrip("/"), own, int(entry.file_size or 0)

    def _progress(self, size: int) -> None:
        _answer(self._answers, id=self._task, progress=size)


@contextlib.contextmanager
def _opened(where: Mapping[str, Any]) -> Iterator[StoredOutputs]:
    """Open the files that a job has written, here or in Blob Storage."""
    if "folder" in where:
        yield LocalOutputs(Path(where["folder"]))
        return
    from fairing_az_jupyter.outputs.blobs import BlobPlace  # noqa: PLC0415 - loads Azure's clients

    outputs = BlobPlace(where["url"], Settings.model_validate(where["settings"])).opened()
    try:
        yield outputs
    finally:
        outputs.close()


def _explained(error: Exception) -> dict[str, Any]:
    """Return what went wrong; no secret of the environment is in it."""
    status = getattr(error, "get_http_status_code", None)
    code = getattr(error, "error_code", None) or type(error).__name__
    text = " ".join(str(getattr(error, "message", None) or error).split())
    for name, value in os.environ.items():
        if name.startswith("MLFLOW_TRACKING_") and name != "MLFLOW_TRACKING_URI" and len(value) > 3:  # noqa: PLR2004
            text = text.replace(value, "***")
    return {"code": str(code), "status": status() if callable(status) else 0, "message": text[:500]}


def _own_streams() -> tuple[TextIO, TextIO]:
    """Take standard input and output for the tasks alone: nothing that MLflow prints may get at them."""
    source = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    sys.stdout = sys.stderr
    return source, answers


def _read(source: TextIO, tasks: queue.SimpleQueue[dict[str, Any] | None]) -> None:
    with contextlib.suppress(OSError, ValueError):
        for line in source:
            tasks.put(json.loads(line))
    tasks.put(None)


def _answer(answers: TextIO, **said: Any) -> None:  # noqa: ANN401 - JSON
    try:
        answers.write(json.dumps(said) + "\n")
        answers.flush()
    except OSError:
        # Nobody is there any more.
        os._exit(1)


if __name__ == "__main__":
    main()
