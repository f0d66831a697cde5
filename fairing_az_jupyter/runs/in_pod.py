"""What the container of a notebook's Job runs: one run of a batch, with its record sent to Blob Storage.

`python -m fairing_az_jupyter.runs.in_pod abs://.../batch.json`; which run it is, JOB_COMPLETION_INDEX says.
Source: https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from fairing_az_jupyter.exceptions import FairingAzureError, InputError, RunCancelledError
from fairing_az_jupyter.models import ENDED, RunRequest
from fairing_az_jupyter.records import RunStore
from fairing_az_jupyter.records.log_text import LogText
from fairing_az_jupyter.runs.execution.mirroring import LAST_ERROR, RecordSender, read_state, resume
from fairing_az_jupyter.runs.places.addresses import Places
from fairing_az_jupyter.settings import sources

if TYPE_CHECKING:
    from types import FrameType

    from fairing_az_jupyter.models import RunEvent
    from fairing_az_jupyter.settings import Settings

INDEX = "JOB_COMPLETION_INDEX"
_ENDED_BY_SIGNAL = 143
# In a run's state: how often it has failed so far.
_FAILURES = "failures"
_INTERRUPTED_SECONDS = 15.0
"""How long the end of a run is tried to be sent when the pod has to go."""


def main(arguments: list[str] | None = None) -> int:
    """Run one notebook of a batch.

    Args:
        arguments: The URL of the batch's document; None for those of the process.

    Returns:
        0 if the run has succeeded, now or before; 1 if not, so that Kubernetes counts it as failed.

    """
    words = sys.argv[1:] if arguments is None else arguments
    # A container's first process ignores what it has no handler for.
    signal.signal(signal.SIGTERM, _leave)
    places = Places(_settings)
    try:
        if len(words) != 1:
            raise InputError(f"One URL is expected, but {len(words)} were given.", hint="Give the URL of the batch.")
        index = _index(os.environ.get(INDEX, ""))
        return run_index(places, words[0], index, Path.cwd(), retries=_settings().retries)
    except FairingAzureError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        places.close()


def run_index(places: Places, url: str, index: int, folder: Path, *, retries: int = 0) -> int:
    """Run the notebook that stands at a place of a batch.

    Args:
        places: How Blob Storage is reached.
        url: The batch's document: `runs`, a list of `run` (an identifier), `record` (where the record's files go)
            and `request`.
        index: The place, from 0.
        folder: The folder with the notebook and its files.
        retries: How often Kubernetes starts the run again after it has failed.

    Returns:
        As `main`.

    Raises:
        FairingAzureError: The batch, or the record there, can't be read or written.

    """
    run, prefix, request = _asked(json.loads(places.read(url)), url, index)
    with tempfile.TemporaryDirectory(prefix="fairing-az-run-") as scratch:
        os.chdir(_writable(folder, Path(scratch)))
        content = Path(request.notebook).read_bytes()
        store = RunStore(Path(scratch) / "runs")
        record = store.create(dataclasses.replace(request, kernel_name=_kernel(request, content)), content, run=run)
        before = resume(places, prefix, record)
        if before in ENDED:
            sys.stdout.write(f"Run {run} has already {before}: nothing to do.\n")
            return 0 if before == "succeeded" else 1
        failures = int(read_state(places, prefix).get(_FAILURES) or 0) if before and retries else 0
        return _run(places, store, record, prefix, retries=retries, failures=failures)


def _run(places: Places, store: RunStore, record: Path, prefix: str, *, retries: int, failures: int) -> int:
    from fairing_az_jupyter.runs.recorded import explained, run_recorded  # noqa: PLC0415 - loads papermill

    problem: FairingAzureError | None = None
    facts = {_FAILURES: failures} if retries else {}
    with RecordSender(places, record, prefix, facts) as sender:
        try:
            sender.look()
            report = functools.partial(_report, LogText())
            run_recorded(store, record, report, places=places, cancels=(sender.cancel,))
        except FairingAzureError as error:
            problem = error
        finally:
            # Now it goes to its end, whoever says that the pod has to go.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
    interrupted = isinstance(problem, RunCancelledError) and not sender.cancel.is_set()
    # Nobody wanted this run to stop: Kubernetes takes the pod away, and may start another one that runs it anew.
    # So does it with a run that has failed, as long as it has retries left.
    again = problem is not None and not isinstance(problem, RunCancelledError) and failures < retries
    changes: dict[str, Any] = {"state": "lost", "ended": None, "error": None} if interrupted or again else {}
    if retries:
        changes |= {_FAILURES: failures + again, LAST_ERROR: None}
    if again and problem is not None:
        # Attempts that were killed, as for their memory, only Kubernetes has counted: this may have been the last one.
        changes[LAST_ERROR] = explained(problem)
    sender.send_end(changes, **({"seconds": _INTERRUPTED_SECONDS} if interrupted else {}))
    if problem is not None:
        sys.stderr.write(f"{problem}\n")
    return 0 if problem is None else 1


def _asked(batch: Any, url: str, index: int) -> tuple[str, str, RunRequest]:  # noqa: ANN401 - parsed JSON
    try:
        asked = batch["runs"][index]
        return str(asked["run"]), str(asked["record"]), RunRequest.from_dict(asked["request"])
    except (KeyError, IndexError, TypeError) as error:
        raise InputError(
            f"'{url}' has no run with the number {index}.",
            hint="Launch it again: fairing-azure run NOTEBOOK --on-cluster",
            code="batch",
        ) from error


def _kernel(request: RunRequest, content: bytes) -> str | None:
    """Return the kernel to use: a Python notebook's own name for it is that of the machine it was written on."""
    metadata: Any = {}
    with contextlib.suppress(ValueError, AttributeError):
        metadata = json.loads(content).get("metadata") or {}
    spec, info = (metadata.get(key) if isinstance(metadata, dict) else None for key in ("kernelspec", "language_info"))
    languages = [part.get(key) for part, key in ((spec, "language"), (info, "name")) if isinstance(part, dict)]
    in_python = next((str(name).lower() for name in languages if name), "python") == "python"
    return request.kernel_name or ("python3" if in_python else None)


def _writable(folder: Path, scratch: Path) -> Path:
    """Return a folder in which a notebook can leave files: its own, or a copy where the image's user may not write."""
    if os.access(folder, os.W_OK):
        return folder
    return Path(shutil.copytree(folder, scratch / "notebook"))


def _report(text: LogText, event: RunEvent) -> None:
    said = text.of(event)
    if said:
        sys.stdout.write(said)
        sys.stdout.flush()


def _index(text: str) -> int:
    if not text.isdigit():
        raise InputError(
            f"{INDEX} is {text!r}, so the run of this pod is unknown.",
            hint="Start it as an Indexed Job: fairing-azure run NOTEBOOK --on-cluster",
            code="no-index",
        )
    return int(text)


@functools.cache
def _settings() -> Settings:
    return sources.resolve(environ=sources.environment_values(os.environ), cluster=sources.cluster_values()).settings


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    # Before the run has begun there is nothing to save.
    raise SystemExit(_ENDED_BY_SIGNAL)


if __name__ == "__main__":
    sys.exit(main())
