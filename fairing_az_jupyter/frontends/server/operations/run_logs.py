"""What runs have printed, and the notebooks that they have left."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.frontends.server.operations.calls import FileAnswer
from fairing_az_jupyter.frontends.server.operations.run_views import found_run
from fairing_az_jupyter.records import RunStore, layout
from fairing_az_jupyter.records.log_lines import log_lines

if TYPE_CHECKING:
    from fairing_az_jupyter.frontends.server.operations.calls import Call


def window(call: Call) -> dict[str, Any]:
    """Read lines of a log."""
    # The state first: what was printed before the end is then counted for certain.
    info = found_run(call)
    lines = log_lines(_folder(info.id, info.folder) / layout.LOG).window(call.query.first, call.query.count)
    ended = info.has_ended or info.state == "lost"
    return {"first": lines.first, "lines": list(lines.lines), "total": lines.total, "ended": ended}


def search(call: Call) -> dict[str, Any]:
    """Look for a text in a log, as far as one step goes."""
    info, wanted = found_run(call), call.query
    lines = log_lines(_folder(info.id, info.folder) / layout.LOG)
    found = lines.search(wanted.text, wanted.first, backward=wanted.backward, ignore_case=wanted.ignore_case)
    return {"line": found.line, "scanned_to": found.scanned_to}


def file(call: Call) -> FileAnswer:
    """Return a log as a file."""
    info = found_run(call)
    path = _folder(info.id, info.folder) / layout.LOG
    if not path.is_file():
        raise _nothing(info.id, "printed anything")
    return FileAnswer(path, f"{info.id}.log.txt")


def notebook(call: Call) -> FileAnswer:
    """Return the executed notebook as a file: that of the record, as far as it has come."""
    info = found_run(call)
    path = _folder(info.id, info.folder) / layout.EXECUTED
    if not path.is_file():
        shown = call.contents.path_of(info.output)
        if shown is None:
            raise _nothing(info.id, "executed a cell")
        path = Path(call.contents.file(shown))
    return FileAnswer(path, f"{info.id}.executed.ipynb")


def _folder(run: str, kept: str) -> Path:
    """Return where a run's files are: of one whose end is noted elsewhere, what came before is in the record."""
    folder = RunStore.open().folder(run)
    return folder if folder.is_dir() else Path(kept)


def _nothing(run: str, what: str) -> InputError:
    return InputError(f"Run '{run}' has not {what} yet.", hint="Open the run to see its progress.", code="run-no-log")
