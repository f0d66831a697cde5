"""A run as JUnit XML, which CI systems show as tests: a test case for each cell."""

from __future__ import annotations

import re
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
# XML 1.0, "Characters": what may not stand in a document, not even as a reference.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class JUnitReport:
    """Listens to a run and writes the report when it has ended, whichever way.

    Args:
        path: The file; None for no report.
        request: The run.

    """

    def __init__(self, path: str | None, request: RunRequest) -> None:
        self._path = None if path is None else Path(path)
        self._suite = ET.Element("testsuite", name=_text(request.notebook))
        self._request = request
        self._case: ET.Element | None = None
        self._printed: list[str] = []
        self._begin = time.time()

    def __enter__(self) -> Self:
        """Make sure that the file can be written.

        Raises:
            InputError: It can't.

        """
        if self._path is not None:
            self._write()
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: TracebackType | None) -> None:
        if self._path is None:
            return
        self._close_case()
        cases = self._suite.findall("testcase")
        if error is not None and not self._suite.findall("testcase/failure"):
            # It failed without a cell: before the first, or between two.
            self._add_failure(self._add_case("run", 0.0), error)
        elif error is None and not cases:
            self._add_case("run", time.time() - self._begin)
        self._write()

    def listening(self, show: Callable[[RunEvent], None]) -> Callable[[RunEvent], None]:
        """Return a listener that notes what happens and hands it on.

        Args:
            show: Who else listens.

        """
        if self._path is None:
            return show

        def tell(event: RunEvent) -> None:
            self._note(event)
            show(event)

        return tell

    def _note(self, event: RunEvent) -> None:
        if event.kind == "cell-started":
            self._close_case()
            self._case = self._add_case(f"[{event.cell}] {event.text or ''}", 0.0)
        elif event.kind == "output":
            self._printed.append(event.text or "")
        elif event.kind in {"cell-finished", "cell-failed"} and self._case is not None:
            self._case.set("time", f"{event.duration or 0.0:.3f}")
            if event.kind == "cell-failed":
                failure = ET.SubElement(self._case, "failure", message=_text(event.message or ""))
                failure.text = _text("".join(self._printed)[-_LONGEST_OUTPUT:])

    def _add_case(self, name: str, seconds: float) -> ET.Element:
        classname = Path(self._request.notebook).name.removesuffix(".ipynb")
        return ET.SubElement(
            self._suite, "testcase", classname=_text(classname), name=_text(name.strip()), time=f"{seconds:.3f}"
        )

    def _add_failure(self, case: ET.Element, error: BaseException) -> None:
        told = error.message if isinstance(error, FairingAzureError) else type(error).__name__
        failure = ET.SubElement(case, "failure", message=_text(told))
        lines = error.traceback if isinstance(error, RunFailedError) else ()
        failure.text = _text("\n".join(lines) or str(error))

    def _close_case(self) -> None:
        if self._case is not None and self._printed:
            ET.SubElement(self._case, "system-out").text = _text("".join(self._printed)[-_LONGEST_OUTPUT:])
        self._case, self._printed = None, []

    def _write(self) -> None:
        if self._path is None:
            return
        cases, failures = self._suite.findall("testcase"), self._suite.findall("testcase/failure")
        self._suite.set("tests", str(len(cases)))
        self._suite.set("failures", str(len(failures)))
        self._suite.set("time", f"{time.time() - self._begin:.3f}")
        properties = self._suite.find("properties")
        if properties is None and self._request.parameters:
            properties = ET.Element("properties")
            self._suite.insert(0, properties)
            for name, value in self._request.parameters.items():
                ET.SubElement(properties, "property", name=_text(name), value=_text(str(value)))
        root = ET.Element("testsuites")
        root.append(self._suite)
        try:
            replace_file(self._path, ET.tostring(root, encoding="utf-8", xml_declaration=True), mode=0o644)
        except OSError as error:
            raise InputError(
                f"The JUnit report '{self._path}' can't be written: {error.strerror or error}.",
                hint="Name another file: --junit FILE, in a folder that is there.",
                code="junit",
            ) from error


def _text(text: str) -> str:
    return _NO_XML.sub("\ufffd", without_ansi(text))
