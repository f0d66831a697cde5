"""Where in the program an error has come from, for `--debug`: places and kinds of errors, and no value of any kind."""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["asked_for", "show"]


def asked_for(line: str) -> bool:
    """Tell whether a line asks for it, also one that can't be understood.

    Args:
        line: What was typed.

    """
    return "--debug" in line.split()


def show(error: BaseException) -> None:
    """Write to standard error where an error and those behind it have come from.

    The messages of those behind it are left out: a library's may quote an address with its key.

    Args:
        error: The error; its own message is shown by the caller.

    """
    sys.stderr.writelines(f"{line}\n" for line in _lines(error))
    sys.stderr.flush()


def _lines(error: BaseException) -> Iterator[str]:
    chain: list[BaseException] = []
    behind: BaseException | None = error
    while behind is not None and behind not in chain:
        chain.append(behind)
        behind = behind.__cause__ or (None if behind.__suppress_context__ else behind.__context__)
    for number, each in enumerate(reversed(chain)):
        kind = f"{type(each).__module__}.{type(each).__qualname__}"
        yield f"{'which led to ' if number else ''}{kind}, raised at (the last call is the last line):"
        for frame in traceback.extract_tb(each.__traceback__):
            yield f"  {frame.filename}:{frame.lineno} in {frame.name}"
