"""What a record's files are called, and how runs are named.

runs/
  index.jsonl                          what has ended, for a quick list; may be deleted at any time
  deleted.jsonl                        what deleted records named in Blob Storage and the registry, a line each
  20261122-184429.123-prices-7f3a/
    request.json                       what was asked for; never changed
    notebook.ipynb                     the notebook as it was then
    status.json                        the state, its error, what was reported; replaced as a whole
    events.jsonl                       what happened, a line each
    log.txt                            what the cells printed
    executed.ipynb                     the executed notebook, as far as it has come
    cancel                             there once somebody wants the run to stop
    delete                             there once somebody wants the endpoint deleted that the run keeps alive
    provenance.json                    what it was made of: code, data, image, packages, settings; who and where
    packages.json                      the installed packages and their versions
    code.pickle                        the class or function that a launch on this machine was made of
    outputs/                           what the job has written
    process.log                        what the process has printed that executes it in the background
    outputs/                           what its job has written: manifest.json, and files/ with the files
    claim-1                            the process that executes it; claim-2 after a loss
"""

from __future__ import annotations

import re
import secrets
import time
from pathlib import PurePosixPath, PureWindowsPath
from urllib.parse import urlsplit

RUN_VARIABLE = "FAIRING_AZURE_RUN"
"""The environment variable that names the run whose notebook a process executes, or was started by."""
SWEEP_VARIABLE = "FAIRING_AZURE_SWEEP"
"""The environment variable that names the sweep of that run."""

REQUEST = "request.json"
STATUS = "status.json"
EVENTS = "events.jsonl"
LOG = "log.txt"
NOTEBOOK = "notebook.ipynb"
EXECUTED = "executed.ipynb"
CANCEL = "cancel"
DELETE = "delete"
PROVENANCE = "provenance.json"
PACKAGES = "packages.json"
CODE = "code.pickle"
OUTPUTS = "outputs"
PROCESS_LOG = "process.log"
OUTPUTS = "outputs"
CLAIM = "claim-"
INDEX = "index.jsonl"
DELETED = "deleted.jsonl"
SWEEPS = "sweeps"
NEW = ".new-"
"""How a folder is called as long as its record is not whole; such a folder is none yet."""
GONE = ".gone-"
"""How a folder is called while it is being deleted."""

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
_SLUG_LENGTH = 24


def new_run_id(notebook: str, now: float | None = None, *, name: str = "") -> str:
    """Return an identifier for a run of a notebook: runs in the order of their names are in the order of time.

    Args:
        notebook: The notebook's path or URL.
        name: What the run is called after; empty for the notebook.
        now: Seconds since 1970-01-01 UTC; None for now.

    """
    now = time.time() if now is None else now
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
    return f"{stamp}.{int(now * 1000) % 1000:03d}-{slug(name or notebook)}-{secrets.token_hex(2)}"


def slug(notebook: str) -> str:
    """Return a notebook's name as it may stand in the name of a folder on any system."""
    path = urlsplit(notebook).path if "://" in notebook else notebook
    name = PurePosixPath(PureWindowsPath(path).name).stem
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:_SLUG_LENGTH].strip("-")
    return plain or "run"


def is_run_id(name: str) -> bool:
    """Return whether a record may be called so."""
    return bool(_RUN_ID.fullmatch(name)) and name not in {INDEX, DELETED, SWEEPS}
