"""The error tree: whatever a user can mend is a `FairingAzureError`; anything else is a bug and keeps its traceback.

FairingAzureError            code, message, hint, exit_code
 +- InputError               exit 3: what was asked for can't be done as it stands
 |   +- SettingsError        a setting's value is missing or breaks its rule
 |   +- ParameterError       a notebook parameter is unknown or of the wrong type
 |   +- NotebookFileError    the notebook can't be read, understood or written
 |   +- ContextError         the build context can't be made from these files
 |   +- ProfileError         a profile is missing, or its file is broken
 +- ExecutionError           exit 4: what was started has failed
 |   +- BuildFailedError     an image could not be built
 |   +- JobFailedError       a training job ended with an error
 |   +- EndpointError        an endpoint did not start, or has gone
 |   +- RunFailedError       a notebook run has failed, most often in a cell
 |   +- RunCancelledError    a notebook run was cancelled (exit 130)
 +- InstallationError        exit 5: something has to be installed first
     +- FairingNotInstalledError   Kubeflow Fairing itself (also a ModuleNotFoundError)
     +- PackageMissingError        a package that a part of Fairing needs (also an ImportError)
"""

from __future__ import annotations

from typing import Any, ClassVar


class FairingAzureError(Exception):
    """An error that the user can mend.

    Args:
        message: What failed, which object, where, and why it matters. Never a secret value.
        hint: What to type or change next.
        code: A stable identifier for programs; the class's own unless a case needs a finer one.

    """

    code: str = "error"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        """Return the message and the hint as one text."""
        separator = "" if self.message.endswith("\n") else " "
        return f"{self.message}{separator}{self.hint}".rstrip()

    @property
    def in_one_line(self) -> str:
        """The message in one line; of the lines of a log that it quotes (`  | ...`) only the last one."""
        lines = self.message.splitlines()
        quoted = [line[4:].strip() for line in lines if line.startswith("  | ") and line[4:].strip()]
        said = " ".join(" ".join(line for line in lines if not line.startswith("  | ")).split())
        if not quoted:
            return said
        whole, period, _ = said.rpartition(". ")
        return f"{f'{whole}.' if period and said.endswith(':') else said} {quoted[-1]}"

    def to_dict(self) -> dict[str, str]:
        """Return the form that REST answers and `--json` print."""
        return {"code": self.code, "message": self.message, "hint": self.hint}


class InputError(FairingAzureError):
    """What was asked for can't be done as it stands."""

    code = "input"
    exit_code = 3


class SettingsError(InputError):
    """A setting's value is missing or breaks its rule."""

    code = "settings"


class ParameterError(InputError):
    """A notebook parameter is unknown or of the wrong type."""

    code = "parameter"


class NotebookFileError(InputError):
    """The notebook can't be read, understood or written."""

    code = "notebook-file"


class ContextError(InputError):
    """The build context can't be made from these files."""

    code = "context"


class ProfileError(InputError):
    """A profile is missing, or its file is broken."""

    code = "profile"


class ExecutionError(FairingAzureError):
    """What was started has failed.

    Args:
        message: See `FairingAzureError`.
        hint: See `FairingAzureError`.
        returncode: The exit code of the process that failed, where there is one.
        last_lines: The last lines that it printed, oldest first.
        image: The image that can't be pulled, where that is what has failed.

    """

    code = "execution"
    exit_code = 4

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        code: str | None = None,
        returncode: int | None = None,
        last_lines: tuple[str, ...] = (),
        image: str = "",
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.returncode = returncode
        self.last_lines = last_lines
        self.image = image


class BuildFailedError(ExecutionError):
    """An image could not be built."""

    code = "build-failed"


class JobFailedError(ExecutionError):
    """A training job ended with an error."""

    code = "job-failed"


class EndpointError(ExecutionError):
    """An endpoint did not start, or has gone."""

    code = "endpoint"


class RunFailedError(ExecutionError):
    """A notebook run has failed, most often because a cell raised.

    Args:
        message: See `FairingAzureError`.
        cell: The position of the cell that failed, from 1; None if none did.
        source: The code of that cell.
        traceback: All lines of its traceback, oldest first.
        **more: See `ExecutionError`.

    """

    code = "run-failed"

    def __init__(
        self,
        message: str,
        *,
        cell: int | None = None,
        source: str = "",
        traceback: tuple[str, ...] = (),
        **more: Any,  # noqa: ANN401 - handed on
    ) -> None:
        super().__init__(message, **more)
        self.cell = cell
        self.source = source
        self.traceback = traceback


class RunCancelledError(ExecutionError):
    """A notebook run was cancelled."""

    code = "run-cancelled"
    exit_code = 130


class ServiceError(FairingAzureError):
    """The cluster or an Azure service did not do what was asked.

    Args:
        message: See `FairingAzureError`.
        hint: See `FairingAzureError`.
        service: Which one: `kubernetes`, `entra`, `arm`, `blob` or `registry`.
        status: The HTTP status that it answered with, if it answered.
        said: What it said, without secret values, where that may be longer than what the message shows of it.

    """

    code = "service"
    exit_code = 6

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        code: str | None = None,
        service: str = "",
        status: int | None = None,
        said: str = "",
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.service = service
        self.status = status
        self.said = said


class UnreachableError(ServiceError):
    """There is no answer, or not from the service: no route, no name, TLS, a time-out, a proxy's page."""

    code = "unreachable"


class CredentialError(ServiceError):
    """Who asks is not believed: the credential is wrong, has expired, or is missing."""

    code = "credential"


class NotAllowedError(ServiceError):
    """Who asks is known and may not; that says nothing about what is there."""

    code = "not-allowed"


class NotFoundError(ServiceError):
    """What is asked for is not there."""

    code = "not-found"


class ConflictError(ServiceError):
    """It is there already, has changed meanwhile, or breaks a rule of the service."""

    code = "conflict"


class ThrottledError(ServiceError):
    """There were too many requests, also after waiting as the service asked."""

    code = "throttled"


class InstallationError(FairingAzureError):
    """Something has to be installed first."""

    code = "installation"
    exit_code = 5


class FairingNotInstalledError(InstallationError, ModuleNotFoundError):
    """Kubeflow Fairing itself is not installed."""

    code = "fairing-not-installed"


class PackageMissingError(InstallationError, ImportError):
    """A package that a part of Fairing needs is not installed."""

    code = "package-missing"
