"""A request as the operations get it, and what they make of the sources of settings in it."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter import parameters
from fairing_az_jupyter.exceptions import FairingAzureError
from fairing_az_jupyter.services import Session

if TYPE_CHECKING:
    import threading
    from collections.abc import Generator, Iterator

    from fairing_az_jupyter.frontends.server.contents_paths import Contents
    from fairing_az_jupyter.frontends.server.inputs import Notebook, Sources


@dataclasses.dataclass(frozen=True)
class Call:
    """One request, with its parts checked.

    Args:
        body: The body, as the route's model; None where there is none.
        query: The query, likewise.
        names: What stands in the path.
        contents: The files that Jupyter shows.
        base_url: Where Jupyter Server is, with a slash at the end.
        cancelled: Set when nobody waits for the answer any more.

    """

    # Not in the repr: it may hold secrets.
    body: Any = dataclasses.field(repr=False)
    query: Any
    names: dict[str, str]
    contents: Contents
    base_url: str
    cancelled: threading.Event


@dataclasses.dataclass(frozen=True)
class FileAnswer:
    """A file that is answered as it is.

    Args:
        path: The file.
        name: What it is called when it is downloaded.

    """

    path: Path
    name: str


@dataclasses.dataclass(frozen=True)
class StreamedFile:
    """A file that is answered as it comes from elsewhere.

    Args:
        pieces: Its bytes; closed when nobody wants them any more.
        size: How many they are.
        name: What it is called when it is downloaded.

    """

    pieces: Generator[bytes, None, None]
    size: int
    name: str


def session_of(call: Call, sources: Sources) -> Session:
    """Return what an operation works with: the sources of settings in its request.

    Args:
        call: The request.
        sources: Its sources.

    Returns:
        The session; its notebook is a path, or the variables of the parameters cell as it is in the editor.

    Raises:
        FairingAzureError: The notebook is not there, or can't be understood.

    """
    if sources.notebook is None:
        return Session(sources.values, profile=sources.profile)
    with notebook_file(call, sources.notebook) as path:
        edited = sources.notebook.content is not None
        notebook = parameters.read_parameters(path).values if edited else path
    return Session(sources.values, notebook=notebook, profile=sources.profile)


@contextlib.contextmanager
def notebook_file(call: Call, notebook: Notebook) -> Iterator[str]:
    """Have a notebook as a file: itself, or a copy of what is in the editor.

    Args:
        call: The request.
        notebook: The notebook.

    Yields:
        The file's path. A copy is gone afterwards; errors name the notebook in its place.

    Raises:
        FairingAzureError: The notebook is not there, or what was done with it has failed.

    """
    if notebook.content is None:
        yield call.contents.file(notebook.path)
        return
    place = call.contents.place(notebook.path, what="notebook")
    with tempfile.TemporaryDirectory(prefix="fairing-az-") as folder:
        copy = Path(folder) / "notebook.ipynb"
        copy.write_text(notebook.content, encoding="utf-8", errors="backslashreplace", newline="")
        try:
            yield str(copy)
        except FairingAzureError as error:
            error.message = error.message.replace(str(copy), place)
            error.hint = error.hint.replace(str(copy), place)
            raise
