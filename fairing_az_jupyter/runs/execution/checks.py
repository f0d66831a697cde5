"""What is wrong with a run is reported before a kernel starts and before anything is written."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import InputError, NotebookFileError
from fairing_az_jupyter.runs.cell_tags import check_tags
from fairing_az_jupyter.runs.parameters.values import check_plain, reject_secrets
from fairing_az_jupyter.runs.places.addresses import is_remote, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairing_az_jupyter.models import RunRequest

_NEWEST_FORMAT = 4
_NATIVE_KERNEL = "python3"


@dataclasses.dataclass(frozen=True)
class RunPlan:
    """A run request with nothing left open.

    Args:
        source: Path of the file that is read.
        notebook: The notebook as it was named, which the executed one records.
        output: Path or URL of the executed notebook; None if it stands in the run's record only.
        session_name: The notebook's absolute path, or its URL.
        cwd: Absolute path of the kernel's working directory.
        kernel_name: Name of an installed kernel spec.
        language: The kernel's language.
        cell_timeout: Seconds that one cell may take, whole as nbclient wants them.
        variables: Variables of the kernel's environment, beside those of this process.

    """

    source: str
    notebook: str
    output: str | None
    session_name: str
    cwd: str
    kernel_name: str
    language: str
    cell_timeout: int | None
    variables: Mapping[str, str] = dataclasses.field(default_factory=dict)


def plan(request: RunRequest, source: str | None = None) -> RunPlan:
    """Check a run request, and settle what it leaves open.

    Args:
        request: The run as it was asked for.
        source: A file with the notebook's bytes; None to read the notebook itself.

    Returns:
        The run as it will be.

    Raises:
        NotebookFileError: The notebook can't be read or is none, or the output can't be written.
        ParameterError: A parameter's value can't stand in a notebook.
        InputError: The kernel, the working directory or a time limit is not usable.

    """
    reject_secrets(request.parameters)
    check_plain(request.parameters)
    _check_limits(request)
    if source is None:
        _reject_urls(request)
    remote = is_remote(request.notebook)
    notebook = request.notebook if remote else _local_path(request.notebook, "notebook to run")
    output = request.output
    if output is not None and not is_remote(output):
        output = _local_path(output, "executed notebook")
    metadata = _read_metadata(source or notebook, request.notebook)
    session_name = notebook if remote else str(_absolute(notebook))
    cwd = _working_directory(request, notebook)
    kernel_name, language = _kernel(request.kernel_name, metadata, request.notebook)
    if output is not None and not is_remote(output):
        _check_output(None if remote else notebook, output)
    return RunPlan(
        source=source or notebook,
        notebook=notebook,
        output=output,
        session_name=session_name,
        cwd=cwd,
        kernel_name=kernel_name,
        language=language,
        cell_timeout=None if request.cell_timeout is None else math.ceil(request.cell_timeout),
    )


def _reject_urls(request: RunRequest) -> None:
    for what, path in (("notebook to run", request.notebook), ("executed notebook", request.output)):
        if path is not None and is_remote(path):
            raise NotebookFileError(
                f"The {what} is '{shown(path)}', which is not a local path.", hint="Use a file on this computer."
            )


def _check_limits(request: RunRequest) -> None:
    limits = {
        "cell time limit": request.cell_timeout,
        "start time limit": request.start_timeout,
        "deadline": request.deadline,
        "output limit": request.output_limit,
    }
    for name, value in limits.items():
        if value is not None and not (math.isfinite(value) and value > 0):
            unit = "bytes" if name == "output limit" else "seconds"
            raise InputError(
                f"The {name} is {value} {unit}; it has to be more than 0.",
                hint=f"Give it in {unit}, or none.",
            )


def _working_directory(request: RunRequest, notebook: str) -> str:
    """Return where the kernel works: beside a file, and for what is not a file where this process does."""
    if request.cwd is not None:
        cwd = _absolute(request.cwd)
    else:
        cwd = Path.cwd() if is_remote(notebook) else _absolute(notebook).parent
    if not cwd.is_dir():
        raise InputError(
            f"The working directory '{cwd}' is not a folder, so the kernel can't start in it.",
            hint="Create it, or choose another.",
        )
    return str(cwd)


def _absolute(path: str) -> Path:
    """Return the absolute path without `..`; links stay, as the files of a linked folder lie beside the link."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - `Path.resolve` would follow the links


def _local_path(path: str, what: str) -> str:
    """Return a path that papermill takes for a local file, and for nothing else."""
    if "\0" in path or not Path(path).name.split("?", maxsplit=1)[0].endswith((".ipynb", ".json")):
        raise NotebookFileError(
            f"The {what} is {path!r}; the name of a notebook ends in '.ipynb', with no '?' in it.",
            hint="Give the path of a notebook file.",
        )
    # papermill reads what begins with a dash from standard input.
    return f"{os.curdir}{os.sep}{path}" if path.startswith("-") else path


def _read_metadata(path: str, named: str) -> dict[str, Any]:
    """Return the notebook's own metadata, once it is clear that papermill can load the notebook."""
    try:
        text = Path(path).read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise NotebookFileError(
            f"Notebook '{named}' not found.", hint=f"Check the path; the current folder is '{Path.cwd()}'."
        ) from None
    except OSError as error:
        raise NotebookFileError(
            f"The notebook '{named}' can't be read: {error.strerror or error}.", hint="Give a notebook file."
        ) from error
    except UnicodeDecodeError as error:
        raise NotebookFileError(
            f"'{named}' is not a notebook: byte {error.start} is not UTF-8.",
            hint="Save it again as a notebook, in UTF-8.",
        ) from error
    if text.startswith("\ufeff"):
        raise NotebookFileError(
            f"The notebook '{named}' begins with a byte order mark (BOM), so papermill can't read it.",
            hint="Open it in Jupyter and save it, or save it as UTF-8 without the mark.",
        )
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f"line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise NotebookFileError(
            f"'{named}' is not a notebook: it is not JSON ({where}).", hint="Save it again from Jupyter."
        ) from error
    flaw = _flaw(content)
    if flaw:
        raise NotebookFileError(f"'{named}' is not a notebook: {flaw}.", hint="Save it again from Jupyter.")
    check_tags(content.get("cells", ()), named)
    metadata: dict[str, Any] = content["metadata"]
    return metadata


def _flaw(content: object) -> str:
    """Return what keeps papermill from loading a notebook, empty if nothing does."""
    number = content.get("nbformat") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(number, int):
        return "it has no format number 'nbformat'"
    if number > _NEWEST_FORMAT:
        return f"its format {number} is newer than {_NEWEST_FORMAT}, the newest known here"
    if not isinstance(content.get("metadata"), dict):
        return "it has no 'metadata'"
    if number < _NEWEST_FORMAT:
        return "" if isinstance(content.get("worksheets"), list) else "it has no 'worksheets'"
    if not isinstance(content.get("cells"), list):
        return "it has no list of 'cells'"
    flaws = (_cell_flaw(cell) for cell in content["cells"])
    return next((f"cell {place} has {flaw}" for place, flaw in enumerate(flaws, start=1) if flaw), "")


def _cell_flaw(cell: object) -> str:
    if not isinstance(cell, dict) or not isinstance(cell.get("cell_type"), str):
        return "no 'cell_type'"
    if not isinstance(cell.get("metadata"), dict):
        return "no 'metadata'"
    if not isinstance(cell["metadata"].get("tags", []), list):
        return "'tags' that are not a list"
    source = cell.get("source")
    lines = [source] if isinstance(source, str) else source
    return "" if isinstance(lines, list) and all(isinstance(line, str) for line in lines) else "no 'source'"


def _kernel(wanted: str | None, metadata: dict[str, Any], notebook: str) -> tuple[str, str]:
    """Return the name and the language of the kernel to use.

    A notebook that names no kernel (a tool has made it) runs on this Python's own, unless it says that it is
    written in another language.
    """
    from fairing_az_jupyter.runs.execution.kernelspecs import language_of  # noqa: PLC0415 - loads ZeroMQ

    spec, info = (metadata.get(key) for key in ("kernelspec", "language_info"))
    named = spec.get("name") if isinstance(spec, dict) else None
    language = info.get("name") if isinstance(info, dict) else None
    name = wanted or named or (_NATIVE_KERNEL if language in {None, "python"} else None)
    if not name:
        raise InputError(
            f"The notebook '{notebook}' is written in {language} and names no kernel to run it.",
            hint="Choose one: --kernel NAME. `jupyter kernelspec list` shows those that are installed.",
            code="kernel",
        )
    asked_by = "asked for" if wanted else f"that '{notebook}' names"
    return name, language_of(name, asked_by) or language or "python"


def _check_output(notebook: str | None, output: str) -> None:
    """Reject an output that would replace the notebook itself, or can't be written; leave no trace."""
    target = Path(output)
    folder = _absolute(output).parent
    if not folder.is_dir():
        raise NotebookFileError(
            f"The folder '{folder}' of the executed notebook '{output}' does not exist.",
            hint=f"Create it: mkdir -p '{folder}'",
        )
    if target.is_dir():
        raise NotebookFileError(
            f"The executed notebook can't be written to '{output}': that is a folder.",
            hint=f"Choose a file in it: '{target / Path(notebook or 'executed.ipynb').name}'.",
        )
    if notebook is not None and target.exists() and target.samefile(notebook):
        raise NotebookFileError(
            f"The executed notebook would overwrite the notebook '{notebook}'.",
            hint="Choose another output: --output PATH.",
        )
    fresh = not (target.exists() or target.is_symlink())
    try:
        # Opening is the only sure test: root, network shares and read-only mounts all have rules of their own.
        os.close(os.open(output, os.O_WRONLY | os.O_CREAT, 0o666))
        if fresh:
            target.unlink()
    except OSError as error:
        raise NotebookFileError(
            f"The executed notebook can't be written to '{output}': {error.strerror or error}.",
            hint="Choose another output in a writable folder: --output PATH.",
        ) from error
