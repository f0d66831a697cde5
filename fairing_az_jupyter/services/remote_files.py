"""Notebooks and parameters files that are not on this machine."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import InputError, NotebookFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairing_az_jupyter.runs.places.addresses import Places
    from fairing_az_jupyter.services.session import Session


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
def downloaded(session: Session, path: str) -> Iterator[str]:
    """Have a file that may be elsewhere as one of this machine's.

    Args:
        session: The settings in force, the records and the cluster.
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
    places = session.places()
    try:
        data = places.read(path)
    finally:
        places.close()
    with tempfile.TemporaryDirectory(prefix="fairing-az-") as folder:
        copy = Path(folder) / (Path(shown(path)).name or "file")
        copy.write_bytes(data)
        yield str(copy)
