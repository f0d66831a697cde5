"""What deployers hand back and raise, whatever they deploy to."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import EndpointError, JobFailedError, NotFoundError
from fairing_az_jupyter.fairing.processes.child import describe_exit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import BinaryIO

    from typing_extensions import Self

    from fairing_az_jupyter.clients.secret_values import SecretValue
    from fairing_az_jupyter.outputs.listing import OutputFiles
    from fairing_az_jupyter.outputs.stored import OutputsPlace, StoredOutputs

_KILLED = 137
# Of `job_program.job`, which is not loaded for its exit code.
_NOT_SENT = 75


@dataclasses.dataclass(frozen=True)
class JobOutputs:
    """What it takes to read what a job has written.

    Args:
        name: The launch's name, by which its files are found.
        key: What has signed its result, where that is a pickle; None if it is not known.

    """

    name: str
    key: SecretValue | None


class LaunchedJob(str):
    """What `TrainJob.submit()` returns: the job's name, as upstream, which also knows what the job printed and wrote.

    Args:
        name: The job's name.
        lines: What it has printed, without line ends, oldest first; of a long output the end.
        outputs: What it takes to read its result; None where nothing is known of it.
        place: Where the files are that it has written; None where none are kept.

    """

    __slots__ = ("lines", "outputs", "place", "record")
    lines: tuple[str, ...]
    outputs: JobOutputs | None
    place: OutputsPlace | None
    record: str
    """The identifier of the launch's record; empty where there is none."""

    def __new__(
        cls,
        name: str,
        lines: Sequence[str] = (),
        outputs: JobOutputs | None = None,
        *,
        place: OutputsPlace | None = None,
    ) -> Self:
        """Return the name, knowing the lines and the place of the files."""
        job = super().__new__(cls, name)
        job.lines = tuple(lines)
        job.record = ""
        job.outputs = outputs
        job.place = place
        return job

    def __reduce__(self) -> tuple[Any, ...]:
        # The key among the outputs is a secret, which is not pickled.
        return type(self), (str(self), self.lines), (None, {"place": self.place, "record": self.record})

    @property
    def output(self) -> str:
        """The printed lines as one text."""
        return "\n".join(self.lines)

    @property
    def files(self) -> OutputFiles:
        """The files that it has written, each with `name` and `size`; none where nothing was kept.

        Raises:
            FairingAzureError: It can't be determined.

        """
        from fairing_az_jupyter.outputs.listing import NOT_ENDED, OutputFiles, left_out_note  # noqa: PLC0415 - as below

        try:
            with self.opened() as outputs:
                manifest = outputs.manifest
        except NotFoundError as error:
            if error.code != "nothing-kept":
                raise
            return OutputFiles(note=error.message)
        unfinished = "" if manifest.complete else NOT_ENDED
        return OutputFiles(manifest.written, " ".join(filter(None, (left_out_note(manifest.left_out), unfinished))))

    @property
    def result(self) -> Any:  # noqa: ANN401 - whatever the job has returned
        """What `train()` or the function has returned: plain data, NumPy's and pandas' own as they were, others too.

        Objects of other kinds come as pickles, which are read only where this launch has signed them. None where
        nothing was returned.

        Raises:
            InputError: It was signed by another launch, or this one's key is not known any more.
            FairingAzureError: It can't be read, or nothing was kept.

        """
        from fairing_az_jupyter.outputs.results import decode_result  # noqa: PLC0415 - as below

        with self.opened() as outputs:
            found = outputs.manifest.result
            if found is None:
                return None
            data = b"".join(outputs.read(found["path"]))
        key = self.outputs.key if self.outputs is not None else None
        return decode_result(found["kind"], data, digest=found.get("digest"), key=key)

    def fetch(self, *names: str, to: str | Path = ".", overwrite: bool = False) -> tuple[Path, ...]:
        """Copy files that it has written into a folder, with their sub-folders.

        Args:
            names: Which: names, patterns such as `*.png`, or folders; none for all.
            to: The folder; it is made if it is not there.
            overwrite: Whether files are replaced that exist and differ.

        Returns:
            Where the files are.

        Raises:
            InputError: A name stands for no file; or a file exists and differs, and then the others are there.
            FairingAzureError: They can't be read, or nothing was kept.

        """
        from fairing_az_jupyter.outputs.fetching import fetch  # noqa: PLC0415 - as below

        with self.opened() as outputs:
            fetched = fetch(outputs, names, Path(to).expanduser(), overwrite=overwrite)
        problem = fetched.problem("overwrite=True")
        if problem is not None:
            raise problem
        return fetched.paths

    def open(self, name: str) -> BinaryIO:
        """Open a file that it has written, to read any part of it: of a large one only that is transferred.

        Args:
            name: The file's name, as `files` has it.

        Raises:
            InputError: The file does not exist.
            FairingAzureError: It can't be read, or nothing was kept.

        """
        outputs = self._known_place().opened()
        try:
            file = outputs.open(name)
        except BaseException:
            outputs.close()
            raise
        weakref.finalize(file, outputs.close)
        return file

    @contextlib.contextmanager
    def opened(self) -> Iterator[StoredOutputs]:
        """Open the files that it has written, for as long as the context lasts.

        Raises:
            NotFoundError: None are kept (code `nothing-kept`).
            FairingAzureError: They can't be reached.

        """
        outputs = self._known_place().opened()
        try:
            yield outputs
        finally:
            outputs.close()

    def _known_place(self) -> OutputsPlace:
        if self.place is None:
            # Fairing's hook loads this module, and most processes need nothing of this.
            from fairing_az_jupyter.outputs.stored import nothing_kept  # noqa: PLC0415

            raise nothing_kept(f"the job '{self}' was launched without a place for them")
        return self.place


def job_failed(
    name: str, returncode: int | None, lines: Sequence[str], where: str, raised: Mapping[str, Any] | None = None
) -> JobFailedError:
    """Return the error for a job whose command has failed.

    Args:
        name: The job.
        returncode: The command's exit code.
        lines: The last lines that it printed.
        where: Where the rest of its output can be read.
        raised: What the task has raised, as its outcome says; None where that is not known.

    """
    error = JobFailedError(
        f"Job '{name}' failed with {describe_exit(returncode)}.{_shown(lines)}",
        hint=f"{_fix(returncode, lines)}The whole output: {where}",
        returncode=returncode,
        last_lines=tuple(lines),
    )
    if raised is not None:
        error.raised, error.traceback = _named(raised), tuple(map(str, raised.get("traceback") or ()))
    return error


def _named(raised: Mapping[str, Any]) -> str:
    module, kind, message = (str(raised.get(name) or "") for name in ("module", "type", "message"))
    whole = kind if module in {"", "builtins", "__main__"} else f"{module}.{kind}"
    return f"{whole}: {message}" if message else whole


def endpoint_failed(name: str, what: str, returncode: int | None, lines: Sequence[str], where: str) -> EndpointError:
    """Return the error for an endpoint that did not become ready; arguments as of `job_failed`.

    Args:
        name: The endpoint's class.
        what: What happened, as the rest of a sentence.
        returncode: The server's exit code, if it has ended.
        lines: The last lines that it printed.
        where: Where the rest of its output can be read.

    """
    return EndpointError(
        f"The endpoint of '{name}' {what}.{_shown(lines)}",
        hint=f"{_fix(returncode, lines)}The whole output: {where}",
        returncode=returncode,
        last_lines=tuple(lines),
    )


def _shown(lines: Sequence[str]) -> str:
    return f" Its last lines:\n{chr(10).join(f'  | {line}' for line in lines)}\n" if lines else " It printed nothing."


def _fix(returncode: int | None, lines: Sequence[str]) -> str:
    """Return what to change, where the output tells it, as a sentence with a blank behind it."""
    text = "\n".join(lines)
    missing = re.search(r"No module named '([\w.]+)'", text)
    if missing:
        package = missing.group(1).partition(".")[0]
        return f"Add the package that has '{package}' to requirements.txt and install it here as well. "
    lost = re.search(r"No such file or directory: '([^']+)'", text)
    if lost:
        return (
            f"The job sees only what input_files names: add '{lost.group(1)}' there if it is a file of yours. What an "
            "earlier job has written, an endpoint gets by from_job, or deploy --from JOB. "
        )
    other = re.search(r"The Python version (\S+) mismatches\s+with Python (\S+) in the local environment", text)
    if other:
        from fairing_az_jupyter.settings.naming import python_image  # noqa: PLC0415 - loads pydantic

        return (
            f"The class is pickled with the notebook's Python, {other[2]}, and the base image has {other[1]}: set "
            f"base_image to one with {other[2]}, such as {python_image(other[2])}. "
        )
    if returncode == _NOT_SENT and "The files of this job could not be sent" in text:
        return (
            "The program itself has succeeded; only its files could not be sent. Check the Storage account: "
            "fairing-azure check. "
        )
    if returncode == _KILLED:
        return "It probably ran out of memory: request more memory, or use less data. "
    return ""
