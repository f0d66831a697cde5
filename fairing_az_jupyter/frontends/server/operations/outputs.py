"""What runs have written: listed, copied to where their notebook is, and downloaded."""

from __future__ import annotations

import posixpath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter import services
from fairing_az_jupyter.exceptions import FairingAzureError, InputError
from fairing_az_jupyter.frontends.server.operations.calls import StreamedFile
from fairing_az_jupyter.frontends.server.operations.run_views import found_run, view
from fairing_az_jupyter.outputs.fetching import EXISTS

if TYPE_CHECKING:
    from fairing_az_jupyter.frontends.server.operations.calls import Call


def listed(call: Call) -> dict[str, Any]:
    """List what a run has written."""
    return services.list_outputs(services.Session(), found_run(call).id).to_dict()


def fetch(call: Call) -> dict[str, Any]:
    """Copy files that a run has written into the folder of its notebook, or another one."""
    info, wanted = found_run(call), call.body
    folder = _folder(call, view(info, call.contents)["notebook_path"])
    session = services.Session()
    chosen = services.list_outputs(session, info.id, names=wanted.files).files
    hidden = {} if call.contents.hidden else {file.name: file for file in chosen if _is_hidden(file.name)}
    names = [file.name for file in chosen if file.name not in hidden]
    files = [
        _became(file.name, file.size, "rejected", "it is hidden, and Jupyter shows no hidden files")
        for file in hidden.values()
    ]
    if names:
        fetched = services.fetch_outputs(
            session,
            info.id,
            names,
            _path_of(call, folder),
            overwrite=wanted.overwrite,
            progress=lambda _have, _whole: _stop_if_cancelled(call),
        )
        files += [
            _became(file.name, file.size, file.outcome, file.reason, call.contents.path_of(str(file.path.absolute())))
            for file in fetched.files
        ]
    return {"folder": folder, "files": files}


def file(call: Call) -> StreamedFile:
    """Return a file that a run has written."""
    opened = services.open_output(services.Session(), found_run(call).id, call.query.name)
    return StreamedFile(opened.pieces, opened.file.size, opened.file.name.rpartition("/")[2])


def _is_hidden(name: str) -> bool:
    """Return whether Jupyter would neither show a file nor let it be written."""
    return any(part.startswith(".") for part in name.split("/"))


def _became(name: str, size: int, outcome: str, reason: str, path: str | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "size": size,
        "outcome": outcome,
        "reason": reason,
        "replaceable": reason == EXISTS,
        "contents_path": path,
    }


def _folder(call: Call, notebook: str | None) -> str:
    """Return the folder in the contents that files are copied to; empty for the contents' own."""
    if call.body.folder is not None:
        return str(call.body.folder).strip("/")
    if notebook is None:
        raise InputError(
            "The notebook of this run is not among the files that Jupyter shows, so its folder is unknown.",
            hint="Choose a folder for the files.",
            code="output-folder",
        )
    return posixpath.dirname(notebook)


def _path_of(call: Call, folder: str) -> Path:
    # By a file in it, which need not be there: the folder may be the contents' own.
    inside = call.contents.place(posixpath.join(folder, "file"), what="folder")
    return Path(inside).parent


def _stop_if_cancelled(call: Call) -> None:
    if call.cancelled.is_set():
        raise FairingAzureError("The copying was cancelled.", hint="Copy again: it continues.", code="cancelled")
