"""Imports papermill without what no run needs of it, which takes four fifths of the time.

- nbformat's validator imports jsonschema, and that compiles the grammar of RFC 3987 for a format of text that no schema
  of a notebook names (nbformat/v4/*.schema.json). It does without where the package with the grammar is missing. That
  holds for a whole process, so it is done only in those of this package.
- papermill imports azure.storage.blob for `abs://`, which this package reads and writes by itself.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_GRAMMAR = "rfc3987_syntax"
_BLOBS = "papermill.abs"

_own = False


def in_own_process() -> None:
    """Say that this process runs no code of a user that may want jsonschema whole."""
    global _own  # noqa: PLW0603 - it is said once, where a process begins
    _own = True


def import_papermill() -> None:
    """Import papermill, unless it has been already."""
    if "papermill" in sys.modules:
        return
    unneeded = [_BLOBS, *([_GRAMMAR] if _own and "jsonschema" not in sys.modules else [])]
    with _missing(unneeded):
        importlib.import_module("papermill")


def with_blobs() -> None:
    """Let papermill's own handler of `abs://` have its store of blobs."""
    from papermill import iorw  # noqa: PLC0415 - slow to import

    iorw.AzureBlobStore = importlib.import_module(_BLOBS).AzureBlobStore


@contextlib.contextmanager
def _missing(names: list[str]) -> Iterator[None]:
    """Let imports of modules fail as if they were not installed, until the context ends."""
    absent = [name for name in names if name not in sys.modules]
    # Source: https://docs.python.org/3/reference/import.html#the-module-cache
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type] # None means that there is none
    try:
        yield
    finally:
        for name in absent:
            sys.modules.pop(name, None)
