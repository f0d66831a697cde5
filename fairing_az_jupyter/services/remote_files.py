"""Notebooks and parameters files that are not on this machine."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import InputError, NotebookFileError
from fairing_az_jupyter.services.session import settings_in_force

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fairing_az_jupyter.runs.places.addresses import Places


def open_places(notebook: Mapping[str, Any] | None = None) -> Places:
    """Return how files elsewhere are reached, with the settings in force.

    Args:
        notebook: Parameters of a notebook, which count as its settings; None if there is none.

    """
    from fairing_az_jupyter.runs.places.addresses import Places  # noqa: PLC0415 - loads the clients

    return Places(lambda: settings_in_force(notebook=notebook or None).settings)


def read_notebook(places: Places, notebook: str) -> bytes:
    """Return a notebook's bytes, wherever it is.

    Args:
        places: How notebooks elsewhere are read.
        notebook: Its path or URL.

    Raises:
        FairingAzureError: It can't be read.

    """
    try:
        return places.read(notebook)
    except InputError as error:
        raise NotebookFileError(error.message.replace("file '", "notebook '", 1), hint=error.hint) from error


@contextlib.contextmanager
def brought_here(path: str) -> Iterator[str]:
    """Have a file that may be elsewhere as one of this machine's.

    Args:
        path: A path or a URL.

    Yields:
        The path itself, or that of a copy which is gone afterwards.

    Raises:
        FairingAzureError: It can't be read.

    """
    from fairing_az_jupyter.runs.places.addresses import is_remote, shown  # noqa: PLC0415 - as above

    if not is_remote(path):
        yield path
        return
    places = open_places()
    try:
        data = places.read(path)
    finally:
        places.close()
    with tempfile.TemporaryDirectory(prefix="fairing-az-") as folder:
        copy = Path(folder) / (Path(shown(path)).name or "file")
        copy.write_bytes(data)
        yield str(copy)
