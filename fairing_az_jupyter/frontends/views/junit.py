"""A run as JUnit XML, which CI systems show as tests: a test case for each cell.

The elements and attributes are those of Ant's JUnit task, which Azure Pipelines, GitLab and Jenkins read, as
https://llg.cubic.org/docs/junit/ describes them.
"""

from __future__ import annotations

import os
import re
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import FairingAzureError, InputError, RunFailedError
from fairing_az_jupyter.files import replace_file
from fairing_az_jupyter.records.log_text import without_ansi

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

    from fairing_az_jupyter.models import RunEvent, RunRequest

_LONGEST_OUTPUT = 100_000
_LONGEST_NAME = 200
_UNFINISHED = "The run did not finish: its process was killed, or its machine stopped."
# XML 1.0, "Characters": what may not stand in a document, not even as a reference.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class JUnitReport:
    """Listens to a run and writes the report when it has ended, whichever way.

    From the beginning there is a report of a run that has not ended: one that is killed leaves no older report behind,
    and none that looks like success.

    Args:
        path: The file; None for no report.
        notebook: The notebook as it is named.

    """

    def __init__(self, path: str | None, notebook: str) -> None:
        self._path = None if path is None else Path(os.path.realpath(path))
        self._named = path
        self._begin = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(self._begin))
        self._suite = ET.Element("testsuite", name=_text(notebook), timestamp=stamp)
        self._class = _text(Path(notebook).name.removesuffix(".ipynb")) or "notebook"
        self._case: ET.Element | None = None
        self._ended = False
        self._seconds = 0.0
        self._printed = _Tail()

    def __enter__(self) -> Self:
        """Make sure that the file can be written.

        Raises:
            InputError: It can't.

        """
        # A pipe or a device takes one document only.
        if self._path is not None and (self._path.is_file() or not self._path.exists() or self._path.is_dir()):
            unfinished = self._add_case("run")
            _fail(unfinished, _UNFINISHED, "unfinished", _UNFINISHED)
            self._write()
            self._suite.remove(unfinished)
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: TracebackType | None) -> None:
        if self._path is None:
            return
        if error is not None:
            self._note_error(error)
        elif self._suite.find("testcase") is None:
            self._add_case("run", time.time() - self._begin)
        self._close_case()
        try:
            self._write()
        except InputError as unwritten:
            if error is None:
                raise
            # The run's own error is what its user has to know first.
            sys.stderr.write(f"{unwritten}\n")

    def of(self, request: RunRequest) -> None:
        """Name the run's parameters in the report.

        Args:
            request: The run, once it is planned.

        """
        if request.parameters:
            properties = ET.Element("properties")
            self._suite.insert(0, properties)
            for name, value in request.parameters.items():
                ET.SubElement(properties, "property", name=_text(name), value=_text(str(value)))

    def not_started(self, message: str) -> None:
        """Report a run that was not started.

        Args:
            message: Why, in one sentence.

        """
        if self._path is not None:
            _fail(self._add_case("run"), message, "not-started", message)

    def listening(self, show: Callable[[RunEvent], None]) -> Callable[[RunEvent], None]:
        """Return a listener that notes what happens and hands it on.

        Args:
            show: Who else listens.

        """
        if self._path is None:
            return show

        def listener(event: RunEvent) -> None:
            self._note(event)
            show(event)

        return listener

    def _note(self, event: RunEvent) -> None:
        if event.kind == "cell-started":
            self._close_case()
            name = f"[{event.cell}] {event.text or ''}".strip()
            self._case, self._ended, self._seconds = self._add_case(name[:_LONGEST_NAME]), False, 0.0
        elif event.kind == "output":
            self._printed.add(event.text or "")
        elif event.kind in {"cell-retried", "cell-finished", "cell-failed"} and self._case is not None:
            self._seconds += event.duration or 0.0
            self._case.set("time", f"{self._seconds:.3f}")
            self._ended = event.kind != "cell-retried"
            if event.kind == "cell-retried":
                self._printed.add(f"\nThe cell failed and is being retried: {event.message}\n")
            elif event.kind == "cell-failed":
                _fail(self._case, event.message or "", "cell-failed", event.message or "")

    def _note_error(self, error: BaseException) -> None:
        """Say at the cell that was being executed, or at the run where none was, why the run has failed."""
        case = self._case
        if case is None or (self._ended and case.find("failure") is None):
            self._close_case()
            case = self._case = self._add_case("run")
        known = isinstance(error, FairingAzureError)
        message = error.message if isinstance(error, FairingAzureError) else f"{type(error).__name__}: {error}"
        lines = error.traceback if isinstance(error, RunFailedError) else ()
        text = "\n".join(lines) or str(error) or message
        code = error.code if isinstance(error, FairingAzureError) else type(error).__name__
        _fail(case, message if known or str(error) else type(error).__name__, code, text)

    def _add_case(self, name: str, seconds: float = 0.0) -> ET.Element:
        return ET.SubElement(
            self._suite, "testcase", classname=self._class, name=_text(name), time=f"{max(seconds, 0.0):.3f}"
        )

    def _close_case(self) -> None:
        if self._case is not None and (printed := self._printed.text):
            ET.SubElement(self._case, "system-out").text = _text(printed)
        self._case, self._printed = None, _Tail()

    def _write(self) -> None:
        if self._path is None:
            return
        cases, failures = self._suite.findall("testcase"), self._suite.findall("testcase/failure")
        counts = {"tests": str(len(cases)), "failures": str(len(failures)), "errors": "0", "skipped": "0"}
        counts["time"] = f"{max(time.time() - self._begin, 0.0):.3f}"
        self._suite.attrib.update(counts)
        root = ET.Element("testsuites", counts)
        root.append(self._suite)
        data = ET.tostring(root, encoding="utf-8", xml_declaration=True)
        try:
            if self._path.exists() and not self._path.is_file():
                self._path.write_bytes(data)
            else:
                replace_file(self._path, data, mode=0o644)
        except (OSError, ValueError) as error:
            why = (error.strerror if isinstance(error, OSError) else None) or error
            raise InputError(
                f"The JUnit report '{self._named}' can't be written: {why}.",
                hint="Name a file in an existing folder: --junit FILE",
                code="junit",
            ) from error


class _Tail:
    """The end of what was printed; a cell may print more than a report can hold."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._size = 0
        self._cut = 0

    def add(self, text: str) -> None:
        self._parts.append(text)
        self._size += len(text)
        if self._size > 2 * _LONGEST_OUTPUT:
            self._shorten()

    @property
    def text(self) -> str:
        self._shorten()
        kept = without_ansi(self._parts[0])
        return f"[The first {self._cut} characters are omitted.]\n{kept}" if self._cut else kept

    def _shorten(self) -> None:
        whole = "".join(self._parts)
        kept = whole[-_LONGEST_OUTPUT:]
        self._cut += len(whole) - len(kept)
        self._parts, self._size = [kept], len(kept)


def _fail(case: ET.Element, message: str, code: str, text: str) -> None:
    """Say why a test case has failed, in place of what was said before."""
    for earlier in case.findall("failure"):
        case.remove(earlier)
    ET.SubElement(case, "failure", message=_text(message), type=_text(code)).text = _text(text[-_LONGEST_OUTPUT:])


def _text(text: str) -> str:
    return _NO_XML.sub("\ufffd", without_ansi(text))
