"""Secret values of tests hold one word, so that it can be searched for in everything that is written."""

from __future__ import annotations

import traceback

MARK = "MARKED"


def printed(error: BaseException, *, variables: bool = False) -> str:
    """Return all that an exception and whatever it came from would print.

    Args:
        error: The exception.
        variables: Also the local variables of our functions, which some tools print with a traceback.

    """
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    text = ""
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        text += f"{each}\n{each!r}\n{each.args!r}\n{vars(each)!r}\n"
        text += "".join(traceback.format_exception_only(type(each), each))
        if variables:
            frames = (frame for frame, _line in traceback.walk_tb(each.__traceback__))
            ours = (frame for frame in frames if "fairing_az_jupyter" in frame.f_code.co_filename)
            text += "".join(repr(frame.f_locals) for frame in ours)
        waiting += [each.__cause__, each.__context__]
    return text
