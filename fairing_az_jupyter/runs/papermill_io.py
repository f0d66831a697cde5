"""Plain `papermill abs://... abs://...` with the credential that everything else uses; loaded by papermill's start.

A URL with a shared access signature goes to papermill's own handler unchanged: what worked without this continues.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fairing_az_jupyter.runs.places.addresses import Places
    from fairing_az_jupyter.settings import Settings

__all__ = ["AbsHandler"]


class AbsHandler:
    """Reads and writes `abs://`, as papermill asks its handlers of the entry point group `papermill.io` to."""

    _lock = threading.Lock()
    _places: Places | None = None

    @classmethod
    def read(cls, path: str) -> str:
        """Return a blob's text.

        Args:
            path: Its URL.

        Raises:
            FairingAzureError: It can't be read, or is not text.

        """
        if _has_signature(path):
            return str(_papermill_s_own().read(path))
        content = cls._opened().read(path)
        try:
            # A byte order mark is nothing that papermill could read.
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            from fairing_az_jupyter.exceptions import NotebookFileError  # noqa: PLC0415 - likewise

            raise NotebookFileError(
                f"'{cls.pretty_path(path)}' is not a notebook: byte {error.start} is not UTF-8.",
                hint="Save it again as a notebook, in UTF-8.",
            ) from None

    @classmethod
    def write(cls, buf: str | bytes, path: str) -> None:
        """Write a blob.

        Args:
            buf: All of its text.
            path: Its URL.

        Raises:
            FairingAzureError: It can't be written.

        """
        if _has_signature(path):
            _papermill_s_own().write(buf, path)
            return
        # Half a surrogate pair, as a cell may print it, is not a reason to lose the notebook.
        data = buf.encode("utf-8", "backslashreplace") if isinstance(buf, str) else bytes(buf)
        cls._opened().write(path, data)

    @classmethod
    def listdir(cls, path: str) -> list[Any]:
        """List what begins with a URL.

        Args:
            path: The URL.

        Returns:
            The blobs' URLs.

        Raises:
            FairingAzureError: They can't be listed.

        """
        if _has_signature(path):
            return list(_papermill_s_own().listdir(path))
        return list(cls._opened().list(path))

    @classmethod
    def pretty_path(cls, path: str) -> str:
        """Return a URL as papermill may show it: without a signature.

        Args:
            path: The URL.

        """
        from fairing_az_jupyter.runs.places.addresses import shown  # noqa: PLC0415 - papermill loads this module at its start

        return shown(path)

    @classmethod
    def _opened(cls) -> Places:
        from fairing_az_jupyter.runs.places.addresses import Places  # noqa: PLC0415 - likewise

        with cls._lock:
            if cls._places is None:
                cls._places = Places(_settings_in_force)
            return cls._places


def _has_signature(path: str) -> bool:
    return "?" in path


def _papermill_s_own() -> Any:  # noqa: ANN401 - papermill is untyped
    from papermill.iorw import ABSHandler  # noqa: PLC0415 - likewise

    from fairing_az_jupyter.runs import papermill_import  # noqa: PLC0415 - likewise

    papermill_import.with_blobs()
    return ABSHandler()


def _settings_in_force() -> Settings:
    from fairing_az_jupyter.settings import of_process, sources  # noqa: PLC0415 - likewise

    # A setting that can't be used, such as an image's, does not matter for a file.
    return sources.resolve_usable(**of_process.source_values())[0].settings
