#!/usr/bin/env python3
"""Print a JUnit report as a table in Markdown, as the summary of a run of GitHub Actions shows it.

    python ci/junit_table.py junit.xml >> "$GITHUB_STEP_SUMMARY"

A report that is not there, since the notebook was not run or was run as a sweep, is one sentence.
"""

from __future__ import annotations

import html
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

_LONGEST = 300


def cell(text: str) -> str:
    """Return a text as one cell of a table: in one line, with nothing that Markdown would take for its own."""
    line = " ".join(text.split())
    line = line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
    return html.escape(line).translate({ord(each): f"&#{ord(each)};" for each in "|`*_[]\\"})


def table(file: Path) -> str:
    """Return the table of a report, a row for each of its tests."""
    if not file.is_file():
        return "There is no report: the notebook was not run, or as a sweep.\n"
    rows = ["| | cell | seconds | |", "|---|---|---:|---|"]
    for case in ET.parse(file).getroot().iter("testcase"):  # noqa: S314 - written by this run itself
        problem = next((part for part in case if part.tag in {"failure", "error"}), None)
        state = "failed" if problem is not None else "skipped" if case.find("skipped") is not None else "passed"
        said = "" if problem is None else problem.get("message") or problem.text or ""
        rows.append(f"| {state} | {cell(case.get('name', ''))} | {cell(case.get('time', ''))} | {cell(said)} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr] # a text stream, where it is a script
    sys.stdout.write(table(Path(sys.argv[1])))
