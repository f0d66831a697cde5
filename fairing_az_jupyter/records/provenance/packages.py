"""The packages that are installed beside this one."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# https://packaging.python.org/en/latest/specifications/name-normalization/
_SEPARATORS = re.compile(r"[-_.]+")
_NAME = re.compile(r"^Name:[ \t]*(\S+)[ \t]*\r?$", re.MULTILINE)
_VERSION = re.compile(r"^Version:[ \t]*(\S+)[ \t]*\r?$", re.MULTILINE)


@functools.cache
def installed_packages() -> Mapping[str, str]:
    """Return the versions of the packages that this process can import, by their normalized names.

    They are listed once in a process.
    """
    found: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        with contextlib.suppress(Exception):  # one that is half removed, or whose file is not UTF-8
            # `metadata` parses the whole description: for some hundred packages that takes ten times as long.
            text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
            head = text.replace("\r\n", "\n").partition("\n\n")[0]
            name, version = _NAME.search(head), _VERSION.search(head)
            if name and version:
                # Of two on the path, Python imports the first.
                found.setdefault(_SEPARATORS.sub("-", name[1]).lower(), version[1])
    return dict(sorted(found.items()))
