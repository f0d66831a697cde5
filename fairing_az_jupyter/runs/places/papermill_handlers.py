"""Places that papermill has handlers for (`s3://`, `gs://`, a plug-in's own ...), with errors that say what to do."""

from __future__ import annotations

import importlib.util
import re
from typing import TYPE_CHECKING, Any, TypeVar

from fairing_az_jupyter.clients.azure.blob.urls import BlobUrl
from fairing_az_jupyter.clients.web_files import read_web_file
from fairing_az_jupyter.exceptions import (
    FairingAzureError,
    InputError,
    NotFoundError,
    PackageMissingError,
    ServiceError,
)
from fairing_az_jupyter.runs import papermill_import
from fairing_az_jupyter.runs.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["need", "paths", "read", "write"]

T = TypeVar("T")

# The module that papermill's own handler imports, and what brings it: papermill's setup and iorw.py.
_PACKAGES = {
    "s3": ("boto3", "papermill[s3]"),
    "adl": ("azure.datalake.store", "papermill[azure]"),
    "gs": ("gcsfs", "papermill[gcs]"),
    "hdfs": ("pyarrow", "papermill[hdfs]"),
}
# Blob Storage, as other drivers have it.
_OTHER_SPELLINGS = frozenset({"abfs", "abfss", "wasb", "wasbs"})
_GITHUB = ("github", "papermill[github]")
_NOT_FOUND = re.compile(
    r"\b(?:404|NoSuchKey|NoSuchBucket|not found|does not exist|no such (?:file|object))\b", re.IGNORECASE
)
# Whatever follows the question mark of a URL may be a signature.
_QUERY = re.compile(r"(?<=\S)\?\S*")


def need(path: str, shown: str) -> None:
    """Reject a place that papermill has no handler for, or whose handler lacks a package.

    Args:
        path: The URL.
        shown: The URL as it may be shown.

    Raises:
        InputError: No handler exists.
        PackageMissingError: A package is not installed.

    """
    _handler(path, shown)


def read(path: str, shown: str) -> bytes:
    """Read a file.

    Args:
        path: The URL.
        shown: The URL as it may be shown.

    Returns:
        Its bytes.

    Raises:
        FairingAzureError: It can't be read.

    """
    handler = _handler(path, shown)
    if _is_plain_web(handler):
        # papermill's handler waits for ever, and takes the page that tells of a failure for the file.
        return read_web_file(path)
    content = _translated(lambda: handler.read(path), "read", shown)
    if isinstance(content, (bytes, bytearray, memoryview)):
        return bytes(content)
    # Some give lines.
    text = content if isinstance(content, str) else "".join(content)
    return text.encode("utf-8", "surrogatepass")


def write(path: str, shown: str, data: bytes) -> None:
    """Write a file.

    Args:
        path: The URL.
        shown: The URL as it may be shown.
        data: Its bytes, which have to be UTF-8 text.

    Raises:
        FairingAzureError: It can't be written.

    """
    handler = _handler(path, shown)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(
            f"Can't write '{shown}': only UTF-8 text can be written there.",
            hint="Write it to a file on this computer, or to abs://.",
            code="no-text",
        ) from None
    _translated(lambda: handler.write(text, path), "write", shown)


def paths(path: str, shown: str) -> list[str]:
    """List what is there.

    Args:
        path: The URL that theirs begin with.
        shown: The URL as it may be shown.

    Returns:
        The URLs, or what the handler has for names, in order.

    Raises:
        FairingAzureError: It can't be listed.

    """
    handler = _handler(path, shown)
    return sorted(str(each) for each in _translated(lambda: list(handler.listdir(path)), "list", shown))


def _handler(path: str, shown: str) -> Any:  # noqa: ANN401 - papermill has no class for them
    papermill_import.import_papermill()
    from papermill.iorw import LocalHandler, papermill_io  # noqa: PLC0415 - slow to import

    handler = papermill_io.get_handler(path)
    if isinstance(handler, LocalHandler):
        scheme = path.partition("://")[0]
        if scheme.lower() in _OTHER_SPELLINGS:
            # Its rejection says how it is written.
            BlobUrl.parse(path)
        known = sorted({each for each, _ in papermill_io._handlers if each.endswith("://")})  # noqa: SLF001 - it has no other way
        raise InputError(
            f"Can't use '{shown}': {scheme}:// is not supported.",
            hint=f"Use a file on this computer, or one of {', '.join(known)}; other schemes need a papermill plug-in.",
            code="unknown-scheme",
        )
    # A plug-in for a scheme of papermill's own has needs of its own.
    kind = handler if isinstance(handler, type) else type(handler)
    if kind.__module__.partition(".")[0] == "papermill":
        _need_package(_GITHUB if kind.__name__ == "GithubHandler" else _PACKAGES.get(path.partition("://")[0]), shown)
    return handler


def _need_package(package: tuple[str, str] | None, shown: str) -> None:
    if package is None:
        return
    try:
        installed = importlib.util.find_spec(package[0]) is not None
    except (ImportError, ValueError):
        installed = False
    if not installed:
        raise _missing(package[0], package[1], shown)


def _missing(module: str, install: str, shown: str) -> PackageMissingError:
    return PackageMissingError(
        f"Can't use '{shown}': the package {module} is not installed; papermill needs it to read and write there.",
        hint=f"pip install '{install}'",
    )


def _is_plain_web(handler: object) -> bool:
    from papermill.iorw import HttpHandler  # noqa: PLC0415 - as above

    return handler is HttpHandler


def _translated(call: Callable[[], T], verb: str, shown: str) -> T:
    """Call a handler, and turn whatever it raises into an error of ours."""
    from papermill.exceptions import PapermillException, PapermillOptionalDependencyException  # noqa: PLC0415 - as above

    try:
        return call()
    except FairingAzureError:
        raise
    except PapermillOptionalDependencyException as error:
        text = str(error)
        found = re.search(r"The (\S+) optional dependency is missing.*?pip install (\S+)", text)
        failed: FairingAzureError = (
            _missing(found[1], found[2], shown)
            if found
            else InputError(
                f"Can't {verb} '{shown}': {_plain(text)}",
                hint="Install the package that papermill names, or use a file on this computer.",
                code="place",
            )
        )
    except ImportError as error:
        module = error.name or "a package"
        failed = PackageMissingError(
            f"Can't {verb} '{shown}': {module} is not installed.", hint=f"pip install {error.name or '...'}"
        )
    except PapermillException as error:
        failed = InputError(
            f"Can't {verb} '{shown}': {_plain(str(error))}", code="place", hint="Choose another location."
        )
    except Exception as error:  # noqa: BLE001 - each service's package has exceptions of its own
        reason = _plain(f"{type(error).__name__}: {error}")
        kind = NotFoundError if isinstance(error, FileNotFoundError) or _NOT_FOUND.search(reason) else ServiceError
        failed = kind(
            f"Can't {verb} '{shown}': {reason}",
            hint="Check the URL and the login that its package uses.",
            service=shown.partition("://")[0],
        )
    # Outside of the except blocks: what a package says in its traceback may be a signature.
    raise failed


def _plain(text: str) -> str:
    return one_line(_QUERY.sub("", text)).rstrip(".") + "."
