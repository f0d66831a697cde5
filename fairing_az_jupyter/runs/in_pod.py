"""What the container of a notebook's Job runs: one run of a batch, with its record sent to Blob Storage.

`services.cluster_runs.pod abs://.../batch.json` is the program; which run it is, JOB_COMPLETION_INDEX says. The files
that the notebook writes are kept by what that program gives: nothing is known of it here but `Keeper`.
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
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from fairing_az_jupyter.exceptions import FairingAzureError, InputError, RunCancelledError, RunFailedError
from fairing_az_jupyter.models import ENDED, Provenance, RunRequest
from fairing_az_jupyter.records import RunStore
from fairing_az_jupyter.records.errors import explained
from fairing_az_jupyter.records.log_text import LogText
from fairing_az_jupyter.runs import papermill_import
from fairing_az_jupyter.runs.execution.mirroring import LAST_ERROR, RecordSender, read_state, resume
from fairing_az_jupyter.runs.places.addresses import Places
from fairing_az_jupyter.settings import sources
from fairing_az_jupyter.settings.quantities import amount

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

    from typing_extensions import Self

    from fairing_az_jupyter.models import RunEvent
    from fairing_az_jupyter.settings import Settings

INDEX = "JOB_COMPLETION_INDEX"
_ENDED_BY_SIGNAL = 143
# In a run's state: how often it has failed so far.
_FAILURES = "failures"
# In a run's state: what was kept of the files that it has written.
_KEPT = "kept"
_INTERRUPTED_SECONDS = 15.0
"""How long the end of a run is tried to be sent when the pod has to go."""
_HURRIED_SECONDS = 35.0
"""How long files are sent then: with the kernel's end before and the record's after, a pod's 60 seconds are over."""
_NOT_SENT_CODE = "outputs-not-sent"
_NOT_SENT = 75
"""The exit code where the run has succeeded, and its files could not be sent; as of a training's program."""


@dataclasses.dataclass(frozen=True)
class WantedFiles:
    """Which of the files that a run writes are kept.

    Args:
        patterns: Globs, relative to the working folder; None for all files.
        limit: The bytes that all of them may have.

    """

    patterns: tuple[str, ...] | None
    limit: int


@dataclasses.dataclass(frozen=True)
class Kept:
    """What was kept of the files that a run has written.

    Args:
        files: How many.
        size: Their bytes.
        note: What was not kept, and why; empty where nothing is missing.
        is_whole: False where not all could be sent that were to be kept.

    """

    files: int
    size: int
    note: str = ""
    is_whole: bool = True

    def to_dict(self) -> dict[str, object]:
        """Return it as a run's state has it."""
        return {"files": self.files, "size": self.size, **({"note": self.note} if self.note else {})}


class Keeper(Protocol):
    """Keeps the files that a run writes in its working folder, as a context around it."""

    @property
    def hurried(self) -> bool:
        """Whether the pod has to go."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave nothing behind in the pod."""

    def hurry(self, seconds: float) -> None:
        """Have all be over in so many seconds."""

    def finish(self, *, complete: bool) -> Kept:
        """Send what is left when the run has ended, by itself or not."""


@dataclasses.dataclass(frozen=True)
class _Asked:
    """One run of a batch: its identifier, where its record and its files go, the request, and what it is made of."""

    run: str
    record: str
    outputs: str
    request: RunRequest
    made_of: Provenance

    def wanted(self) -> WantedFiles:
        """Return which files are kept."""
        patterns = self.request.outputs
        return WantedFiles(None if isinstance(patterns, bool) else patterns, int(amount(_settings().outputs_limit)))


def main(arguments: list[str] | None = None, keeping: Callable[..., Keeper] | None = None) -> int:
    """Run one notebook of a batch.

    Args:
        arguments: The URL of the batch's document; None for those of the process.
        keeping: As of `run_index`.

    Returns:
        0 if the run has succeeded, now or before; 75 if only its files could not be sent; 1 if it has not, so that
        Kubernetes counts it as failed.

    """
    words = sys.argv[1:] if arguments is None else arguments
    # A container's first process ignores what it has no handler for.
    signal.signal(signal.SIGTERM, _leave)
    papermill_import.in_own_process()
    places = Places(_settings)
    try:
        if len(words) != 1:
            raise InputError(f"One URL is expected, but {len(words)} were given.", hint="Give the URL of the batch.")
        index = _index(os.environ.get(INDEX, ""))
        return run_index(places, words[0], index, Path.cwd(), retries=_settings().retries, keeping=keeping)
    except FairingAzureError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        places.close()


def run_index(
    places: Places,
    url: str,
    index: int,
    folder: Path,
    *,
    retries: int = 0,
    keeping: Callable[..., Keeper] | None = None,
) -> int:
    """Run the notebook that stands at a place of a batch.

    Args:
        places: How Blob Storage is reached.
        url: The batch's document: `runs`, a list of `run` (an identifier), `record` (where the record's files go),
            `outputs` (where what it writes goes; empty where none is kept) and `request`; and `made_of`, what is known
            of their image, as `Provenance` has it.
        index: The place, from 0.
        folder: The folder with the notebook and its files.
        retries: How often Kubernetes starts the run again after it has failed.
        keeping: Makes what keeps the files that the run writes, of `places`, their place, the working folder and
            `WantedFiles`; None to keep none.

    Returns:
        As `main`.

    Raises:
        FairingAzureError: The batch, or the record there, can't be read or written.

    """
    asked = _asked(json.loads(places.read(url)), url, index)
    run, prefix, request = asked.run, asked.record, asked.request
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
        with _kept_by(keeping, places, asked) as keeper:
            return _run(places, store, record, asked, keeper, retries=retries, failures=failures)


def _kept_by(
    keeping: Callable[..., Keeper] | None, places: Places, asked: _Asked
) -> contextlib.AbstractContextManager[Keeper | None]:
    """Return what keeps the files of a run whose working folder this is; nothing where none are to be kept."""
    if keeping is not None and asked.outputs:
        try:
            return keeping(places, asked.outputs, Path.cwd(), asked.wanted())
        except OSError as error:
            sys.stderr.write(f"The files that this run writes will not be kept: {error.strerror}\n")
    return contextlib.nullcontext()


def _run(
    places: Places, store: RunStore, record: Path, asked: _Asked, keeper: Keeper | None, *, retries: int, failures: int
) -> int:
    from fairing_az_jupyter.runs.recorded import run_recorded  # noqa: PLC0415 - loads papermill

    problem: FairingAzureError | None = None
    facts = {_FAILURES: failures} if retries else {}
    with RecordSender(places, record, asked.record, facts) as sender:
        try:
            sender.look()
            report = functools.partial(_report, LogText())
            cancels = (sender.cancel,)
            run_recorded(store, record, report, places=places, cancels=cancels, made_of=asked.made_of, tracked=False)
        except FairingAzureError as error:
            problem = error
        finally:
            # Now it goes to its end, whoever says that the pod has to go.
            signal.signal(signal.SIGTERM, signal.SIG_IGN if keeper is None else _hurrying(keeper))
    end = _End(problem, interrupted=isinstance(problem, RunCancelledError) and not sender.cancel.is_set())
    if keeper is not None:
        if end.interrupted:
            keeper.hurry(_HURRIED_SECONDS)
            # Before the files: a node that goes may not leave the time for them.
            with contextlib.suppress(FairingAzureError):
                sender.send_end(end.changes(failures, retries), seconds=_INTERRUPTED_SECONDS)
        end = end.with_files(keeper.finish(complete=not end.interrupted), hurried=keeper.hurried)
    sender.send_end(end.changes(failures, retries), **({"seconds": _INTERRUPTED_SECONDS} if end.interrupted else {}))
    for said in (end.problem, end.kept.note if end.kept is not None and end.kept.is_whole else ""):
        sys.stderr.write(f"{said}\n" if said else "")
    return end.code


def _hurrying(keeper: Keeper) -> Callable[[int, FrameType | None], None]:
    return lambda _number, _frame: keeper.hurry(_HURRIED_SECONDS)


@dataclasses.dataclass(frozen=True)
class _End:
    """How a run has ended in this pod.

    Args:
        problem: Why it has not succeeded; None if it has.
        interrupted: Whether nobody wanted it to stop: Kubernetes takes the pod away, and may start another one that
            runs it anew.
        kept: What was kept of its files; None where none were to be.

    """

    problem: FairingAzureError | None
    interrupted: bool = False
    kept: Kept | None = None

    @property
    def code(self) -> int:
        if self.problem is None:
            return 0
        return _NOT_SENT if self.problem.code == _NOT_SENT_CODE else 1

    def with_files(self, kept: Kept, *, hurried: bool) -> _End:
        """Return the end of the run with that of its files: without them it has not succeeded."""
        if kept.is_whole or self.problem is not None:
            return dataclasses.replace(self, kept=kept)
        return _End(_not_sent(kept.note), interrupted=hurried, kept=kept)

    def changes(self, failures: int, retries: int) -> dict[str, Any]:
        """Return what the state there says differently from the one here.

        Args:
            failures: How often the run has failed before.
            retries: How often Kubernetes starts it again after it has failed.

        """
        # As with a pod that is taken away, Kubernetes starts another one as long as there are retries left.
        failed = self.problem is not None and not isinstance(self.problem, RunCancelledError)
        again = failed and not self.interrupted and failures < retries
        changes: dict[str, Any] = {}
        if self.interrupted or again:
            changes = {"state": "lost", "ended": None, "error": None}
        elif self.problem is not None and self.code == _NOT_SENT:
            changes = {"state": "failed", "error": explained(self.problem)}
        if self.kept is not None:
            changes[_KEPT] = self.kept.to_dict()
        if retries:
            changes |= {_FAILURES: failures + again, LAST_ERROR: None}
        if again and self.problem is not None:
            # Attempts that were killed, as for their memory, only Kubernetes has counted: this may have been the last.
            changes[LAST_ERROR] = explained(self.problem)
        return changes


def _not_sent(note: str) -> RunFailedError:
    return RunFailedError(
        f"{note} The notebook itself has succeeded; only its files are missing.",
        hint="Check the Storage account: fairing-azure check. Then run it again.",
        code=_NOT_SENT_CODE,
    )


def _asked(batch: Any, url: str, index: int) -> _Asked:  # noqa: ANN401 - parsed JSON
    try:
        asked = batch["runs"][index]
        request = RunRequest.from_dict(asked["request"])
        made_of = Provenance.from_dict(batch.get("made_of") or {})
        return _Asked(str(asked["run"]), str(asked["record"]), str(asked.get("outputs") or ""), request, made_of)
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
