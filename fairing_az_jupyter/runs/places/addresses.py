"""Where notebooks and parameters files are read and written: this machine, `abs://`, and what else papermill knows.

a path                        this machine's file
abs://ACCOUNT.blob.../C/N     Azure Blob Storage, with the credential of the settings
http://, https://             read only
s3://, gs://, adl://, ...     papermill's handler of that scheme, its own or a plug-in's
"""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.azure.access import AzureAccess
from fairing_az_jupyter.clients.azure.blob.files import BlobFiles
from fairing_az_jupyter.clients.azure.blob.urls import SCHEME, BlobUrl
from fairing_az_jupyter.exceptions import FairingAzureError, InputError, NotFoundError
from fairing_az_jupyter.machine import SERVICE_ACCOUNT_FOLDER
from fairing_az_jupyter.runs.places import local_files, papermill_handlers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fairing_az_jupyter.clients.secret_values import SecretValue
    from fairing_az_jupyter.settings import Settings

__all__ = ["Places", "is_remote", "shown"]

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_LOGIN = re.compile(r"(?<=://)[^/@]*@")
_WEB = ("http://", "https://")


def is_remote(path: str) -> bool:
    """Tell whether a path names something that is not a file of this machine.

    Args:
        path: A path or a URL.

    """
    return _URL.match(path) is not None


def shown(path: str) -> str:
    """Return a path as it may be shown and recorded: a URL without its query and without a login in it.

    Args:
        path: A path or a URL.

    """
    if not is_remote(path):
        return path
    without = BlobUrl.shown(path)
    return _LOGIN.sub("", without if _is_blob(path) else without.partition("#")[0])


class Places:
    """Reads and writes whole files, wherever they are; safe to use from several threads.

    Args:
        settings: Gives the settings in force, whose credential is used for `abs://`; asked when there is need of it.
        environ: The environment.
        service_account_folder: Where a pod has its service account's token, certificates and namespace.

    """

    def __init__(
        self,
        settings: Callable[[], Settings],
        environ: Mapping[str, str] | None = None,
        *,
        service_account_folder: Path = SERVICE_ACCOUNT_FOLDER,
    ) -> None:
        self._settings = settings
        self._environ = os.environ if environ is None else environ
        self._folder = service_account_folder
        self._opened: list[tuple[Settings, AzureAccess, BlobFiles]] = []
        self._lock = threading.Lock()

    def read(self, path: str) -> bytes:
        """Read a file.

        Args:
            path: A path or a URL.

        Returns:
            Its bytes.

        Raises:
            FairingAzureError: It can't be read.

        """
        if not is_remote(path):
            return local_files.read(path)
        if _is_blob(path):
            return self._blobs().read(path)
        return papermill_handlers.read(path, shown(path))

    def read_range(self, url: str, start: int, length: int, *, etag: str) -> bytes:
        """Read a part of one state of a blob.

        Args:
            url: An `abs://` URL.
            start: Its first byte.
            length: How many bytes; at least 1.
            etag: The state: as the blob's ETag was.

        Returns:
            The bytes, at least one; fewer than were asked for where the connection was cut.

        Raises:
            ConflictError: The blob has changed (code `blob-changed`).
            FairingAzureError: It can't be read.

        """
        return self._blobs().read_range(url, start, length, etag=etag)

    def write(self, path: str, data: bytes) -> None:
        """Write a file: as a whole, or, where the place allows that, not at all.

        Args:
            path: A path or a URL.
            data: Its bytes; UTF-8 text where papermill's handlers write it.

        Raises:
            FairingAzureError: It can't be written.

        """
        if not is_remote(path):
            local_files.write(path, data)
        elif _is_blob(path):
            self._blobs().write(path, data)
        else:
            _need_writable(path)
            papermill_handlers.write(path, shown(path), data)

    def write_link(self, url: str, hours: float) -> SecretValue:
        """Make a link by which one blob can be created and written, and nothing else; see `BlobFiles.write_link`.

        Args:
            url: An `abs://` URL.
            hours: How long the link is valid.

        Raises:
            FairingAzureError: None can be made.

        """
        return self._blobs().write_link(url, hours)

    def exists(self, path: str) -> bool:
        """Tell whether a file is there.

        Args:
            path: A path or a URL.

        Raises:
            FairingAzureError: It can't be determined.

        """
        if not is_remote(path):
            return Path(path).exists()
        if _is_blob(path):
            return self._blobs().exists(path)
        try:
            # Papermill's handlers have no other way.
            self.read(path)
        except NotFoundError:
            return False
        return True

    def list(self, prefix: str) -> list[str]:
        """List files: all below a folder, or those whose paths begin with a text.

        Args:
            prefix: A folder, or what paths begin with.

        Returns:
            Their paths or URLs, in order.

        Raises:
            FairingAzureError: They can't be listed.

        """
        if not is_remote(prefix):
            return local_files.paths(prefix)
        if _is_blob(prefix):
            return [blob.url for blob in self._blobs().list(prefix)]
        return papermill_handlers.paths(prefix, shown(prefix))

    def name(self, path: str) -> str:
        """Return a file's own name, without its folder.

        Args:
            path: A path or a URL.

        """
        if not is_remote(path):
            return Path(path).name
        return shown(path).partition("://")[2].rstrip("/").rpartition("/")[2]

    def display(self, path: str) -> str:
        """Return a path as it may be shown and recorded: a URL without its query and without a login in it.

        Args:
            path: A path or a URL.

        """
        return shown(path)

    def check_readable(self, path: str) -> None:
        """Reject at once what can't be a file to read.

        Args:
            path: A path or a URL. What is there is not asked.

        Raises:
            FairingAzureError: The URL is none, or a package for it is missing.

        """
        if _is_blob(path):
            BlobUrl.parse(path)
        elif is_remote(path) and not path.lower().startswith(_WEB):
            papermill_handlers.need(path, shown(path))

    def check_writable(self, path: str) -> None:
        """Make sure that a file elsewhere could be written, as far as that can be determined without leaving one there.

        A container of Blob Storage is made if it is not there. Of this machine's files nothing is asked.

        Args:
            path: A path or a URL.

        Raises:
            FairingAzureError: It could not be written.

        """
        if not is_remote(path):
            return
        if _is_blob(path):
            self._blobs().check_writable(path)
        else:
            _need_writable(path)
            papermill_handlers.need(path, shown(path))

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            opened, self._opened = self._opened, []
        for _, access, files in opened:
            files.close()
            access.close()

    def _blobs(self) -> BlobFiles:
        """Return the files in Blob Storage by the settings in force."""
        settings = self._settings()
        with self._lock:
            # Those of older settings may be in use still.
            known = next((files for used, _, files in self._opened if used == settings), None)
            if known is None:
                access = AzureAccess(settings, environ=self._environ, service_account_folder=self._folder)
                known = BlobFiles(access)
                self._opened.append((settings, access, known))
            return known


def _is_blob(path: str) -> bool:
    return path[: len(SCHEME)].lower() == SCHEME


def _need_writable(path: str) -> None:
    if not path.lower().startswith(_WEB):
        return
    there = shown(path)
    host, _, rest = there.partition("://")[2].partition("/")
    hint = "Use a file on this computer, or abs://ACCOUNT.blob.core.windows.net/CONTAINER/NAME.ipynb."
    try:
        BlobUrl.parse(f"{SCHEME}{host}/{rest}")
    except FairingAzureError:
        pass
    else:
        hint = f"Write abs://{host}/{rest}"
    raise InputError(f"'{there}' can't be written: files on the web are read-only.", hint=hint, code="read-only-place")
