"""What deployers hand back and raise, whatever they deploy to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import EndpointError, JobFailedError
from fairing_az_jupyter.fairing.processes.child import describe_exit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Self

_KILLED = 137


class LaunchedJob(str):
    """What `TrainJob.submit()` returns: the job's name, as upstream, which also knows what the job has printed.

    Args:
        name: The job's name.
        lines: What it has printed, without line ends, oldest first; of a long output the end.

    """

    __slots__ = ("lines",)
    lines: tuple[str, ...]

    def __new__(cls, name: str, lines: Sequence[str] = ()) -> Self:
        """Return the name, knowing the lines."""
        job = super().__new__(cls, name)
        job.lines = tuple(lines)
        return job

    @property
    def output(self) -> str:
        """The printed lines as one text."""
        return "\n".join(self.lines)


def job_failed(name: str, returncode: int | None, lines: Sequence[str], where: str) -> JobFailedError:
    """Return the error for a job whose command has failed.

    Args:
        name: The job.
        returncode: The command's exit code.
        lines: The last lines that it printed.
        where: Where the rest of its output can be read.

    """
    return JobFailedError(
        f"Job '{name}' failed with {describe_exit(returncode)}.{_shown(lines)}",
        hint=f"{_fix(returncode, lines)}The whole output: {where}",
        returncode=returncode,
        last_lines=tuple(lines),
    )


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
        return f"The job sees only what input_files names: add '{lost.group(1)}' there if it is a file of yours. "
    other = re.search(r"The Python version (\S+) mismatches\s+with Python (\S+) in the local environment", text)
    if other:
        from fairing_az_jupyter.settings.naming import python_image  # noqa: PLC0415 - loads pydantic

        return (
            f"The class is pickled with the notebook's Python, {other[2]}, and the base image has {other[1]}: set "
            f"base_image to one with {other[2]}, such as {python_image(other[2])}. "
        )
    if returncode == _KILLED:
        return "It probably ran out of memory: request more memory, or use less data. "
    return ""
