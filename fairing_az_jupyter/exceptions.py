"""The tree of errors. An error that the user can fix is a `FairingAzureError`; anything else is a bug with a traceback.

class                                code                    exit code
FairingAzureError                    error                   1
 +- InputError                       input                   3   the request can't be carried out as it is
 |   +- SettingsError                settings                    a setting is missing or breaks its rule
 |   |   +- InvalidSettingsError     (settings)                  one or more values break their rules
 |   +- ParameterError               parameter                   a notebook parameter is unknown or has the wrong type
 |   +- NotebookFileError            notebook-file               the notebook can't be read, parsed or written
 |   +- ContextError                 context                     the build context can't be made from these files
 |   +- ProfileError                 profile                     a profile is missing, or its file is broken
 |   +- CommandLineError             command-line            2   a command can't be parsed (`frontends.grammar`)
 +- ExecutionError                   execution               4   something was started and has failed
 |   +- BuildFailedError             build-failed                an image could not be built
 |   +- JobFailedError               job-failed                  a training job ended with an error
 |   +- EndpointError                endpoint                    an endpoint did not start, or no longer exists
 |   +- RunFailedError               run-failed                  a notebook run failed, usually in a cell
 |   +- RunCancelledError            run-cancelled           130 a notebook run was cancelled
 +- InstallationError                installation            5   something has to be installed first
 |   +- FairingNotInstalledError     fairing-not-installed       Kubeflow Fairing itself (also a ModuleNotFoundError)
 |   +- PackageMissingError          package-missing             a package that Fairing needs (also an ImportError)
 +- ServiceError                     service                 6   the cluster or an Azure service failed to do it
     +- UnreachableError             unreachable                 no answer: no route, no name, TLS, a timeout, a proxy
     +- CredentialError              credential                  the credential is wrong, expired or missing
     +- NotAllowedError              not-allowed                 the identity lacks the permission
     +- NotFoundError                not-found                   the object does not exist
     +- ConflictError                conflict                    the object exists, has changed, or breaks a rule
     +- ThrottledError               throttled                   too many requests, even after waiting

A class without an exit code has that of its parent; a code in brackets is inherited. An error may be raised with a
finer `code`. Only an `ExecutionError` may lack a hint: a cancelled run, for example, needs nothing from the user.
"""

from __future__ import annotations

from typing import Any, ClassVar


class FairingAzureError(Exception):
    """An error that the user can fix.

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
    """The request can't be carried out as it is."""

    code = "input"
    exit_code = 3


class SettingsError(InputError):
    """A setting's value is missing or breaks its rule."""

    code = "settings"


class ParameterError(InputError):
    """A notebook parameter is unknown or of the wrong type."""

    code = "parameter"


class NotebookFileError(InputError):
    """The notebook can't be read, parsed or written."""

    code = "notebook-file"


class ContextError(InputError):
    """The build context can't be made from these files."""

    code = "context"


class ProfileError(InputError):
    """A profile is missing, or its file is broken."""

    code = "profile"


class ExecutionError(FairingAzureError):
    """Something was started and has failed.

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
    raised: str = ""
    """What its class or function has raised, as the type's name and the message; empty where that is not known."""
    traceback: tuple[str, ...] = ()
    """The lines of that exception's traceback, oldest first."""


class EndpointError(ExecutionError):
    """An endpoint did not start, or no longer exists."""

    code = "endpoint"


class RunFailedError(ExecutionError):
    """A notebook run failed, usually because a cell raised an exception.

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
    """The service did not answer: no route, no name, TLS, a timeout, or a proxy's page."""

    code = "unreachable"


class CredentialError(ServiceError):
    """The credential is wrong, has expired, or is missing."""

    code = "credential"


class NotAllowedError(ServiceError):
    """The identity lacks the permission; whether the object exists is unknown."""

    code = "not-allowed"


class NotFoundError(ServiceError):
    """The object does not exist."""

    code = "not-found"


class ConflictError(ServiceError):
    """The object already exists, has changed meanwhile, or breaks a rule of the service."""

    code = "conflict"


class ThrottledError(ServiceError):
    """There were too many requests, even after waiting as the service asked."""

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
