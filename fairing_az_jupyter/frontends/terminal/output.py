"""Standard output and standard error as they may be: closed, full, without a reader, or in an encoding of the past."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import sys
from typing import TYPE_CHECKING, TextIO

from fairing_az_jupyter.operations.declaration import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Sequence

_STANDARD_STREAMS = 3


class OutputLostError(Exception):
    """What was written to standard output can't reach anybody.

    Args:
        reason: What the operating system says.

    """

    def __init__(self, reason: OSError) -> None:
        super().__init__(f"Standard output can't be written: {reason.strerror or reason}.")
        self.reader_gone = isinstance(reason, BrokenPipeError)


class Output(io.TextIOBase):
    """Standard output that reports when it is lost, and takes and drops whatever is written afterwards.

    Args:
        stream: Where to write; None if the process was started without it.

    """

    def __init__(self, stream: TextIO | None) -> None:
        super().__init__()
        self._stream = stream
        self._lost = False
        self.optional = False
        """Whether the command continues without its output: the loss is then reported on standard error."""

    def writable(self) -> bool:
        """Return True, as of every output."""
        return True

    def fileno(self) -> int:
        """Return the descriptor of the stream behind it."""
        if self._stream is None:
            raise io.UnsupportedOperation("fileno")
        return self._stream.fileno()

    def isatty(self) -> bool:
        """Return whether a person sees it at once."""
        return self._stream is not None and self._stream.isatty()

    def write(self, text: str) -> int:
        """Write a text.

        Args:
            text: The text.

        Returns:
            Its length.

        Raises:
            OutputLostError: It can't be written, and the command needs it.

        """
        if not self._lost:
            try:
                if self._stream is None:
                    raise OSError(errno.EBADF, "it is closed")  # noqa: TRY301 - one way to be lost
                self._stream.write(text)
            except OSError as error:
                self._lose(error)
        return len(text)

    def flush(self) -> None:
        """Hand on what was written.

        Raises:
            OutputLostError: It can't be written, and the command needs it.

        """
        if self._stream is not None and not self._lost:
            try:
                self._stream.flush()
            except OSError as error:
                self._lose(error)

    def _lose(self, reason: OSError) -> None:
        self._lost = True
        if self._stream is not None:
            # Python writes the rest at its end, and must not complain about it once more.
            with contextlib.suppress(OSError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._stream.fileno())
                os.close(nowhere)
        lost = OutputLostError(reason)
        if not self.optional:
            raise lost from reason
        if not lost.reader_gone:
            report(f"{lost} The run continues without it.")


def prepare() -> Output:
    """Make the standard streams fit for any text and any descriptor, and return standard output.

    Returns:
        What to write to. Characters that its encoding does not have are written as escapes.

    """
    # The next file that is opened would get the number of a closed stream, and then what others write to that stream.
    with contextlib.suppress(OSError):
        while (opened := os.open(os.devnull, os.O_RDWR)) < _STANDARD_STREAMS:
            os.set_inheritable(opened, True)  # noqa: FBT003 - it takes no keywords
        os.close(opened)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    return Output(sys.stdout)


def report(text: str) -> None:
    """Write one line to standard error, if there is one.

    Args:
        text: The line, without the program's name.

    """
    # Without standard error there is no reader.
    with contextlib.suppress(OSError, AttributeError):
        sys.stderr.write(f"{PROGRAM}: {text}\n")
        sys.stderr.flush()


def warn(note: str) -> None:
    """Write a warning to standard error, if there is one.

    Args:
        note: What does not stop the command.

    """
    report(f"warning: {note}")


def report_lines(lines: Sequence[str]) -> None:
    """Write several lines to standard error, if there is one; the explanation above the line that `report` writes.

    Args:
        lines: The lines.

    """
    with contextlib.suppress(OSError, AttributeError):
        sys.stderr.writelines(f"{line}\n" for line in lines)
        sys.stderr.flush()


def print_answer(document: object, lines: Sequence[str], *, as_json: bool) -> None:
    """Write an answer to standard output.

    Args:
        document: The answer for programs.
        lines: The answer for people.
        as_json: Which of them.

    """
    if as_json:
        print_json(document)
    else:
        sys.stdout.write("".join(f"{line}\n" for line in lines))


def print_json(document: object) -> None:
    """Write one JSON document to standard output.

    Args:
        document: The document.

    """
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def print_line(document: object) -> None:
    """Write one JSON document in one line, at once.

    Args:
        document: The document.

    """
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()
