"""Text of kernels and notebooks, made fit for one-line messages."""

from __future__ import annotations

from fairing_az_jupyter.records.log_text import without_ansi

LAST_LINES = 20
"""How many lines of a traceback or a log an error carries."""

_LONGEST = 300


def one_line(text: str) -> str:
    """Return `text` in one line of at most 300 characters, without terminal codes."""
    line = " ".join(without_ansi(text).split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."


def first_line(source: str) -> str:
    """Return the first line of a cell's code that says something, and is not a comment if there is another."""
    lines = [line.strip() for line in source.splitlines() if line.strip()]
    return one_line(next((line for line in lines if not line.startswith("#")), lines[0] if lines else ""))


def lines_of(text: str) -> tuple[str, ...]:
    """Return the lines of `text` that say something, without terminal codes."""
    return tuple(line.rstrip() for line in without_ansi(text).splitlines() if line.strip())


def last_lines(text: str) -> tuple[str, ...]:
    """Return the last lines of `text` that say something, oldest first, without terminal codes."""
    return lines_of(text)[-LAST_LINES:]
