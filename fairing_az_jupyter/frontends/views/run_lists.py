"""A list of runs: a row for each, distinguishable at a glance, as wide as the terminal."""

from __future__ import annotations

import dataclasses
import time
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from fairing_az_jupyter.frontends.views.checks import check_report
from fairing_az_jupyter.frontends.views.runs import short, value
from fairing_az_jupyter.frontends.views.tables import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairing_az_jupyter.models import RunInfo

__all__ = ["cut", "lines_of_runs", "of_runs", "short_time"]

_TITLES = ("RUN", "NAME", "STATE", "WHEN", "TOOK", "RESULT")
_GAP = 2
_LONGEST_NAME = 40
_SHORTEST_NAME = 16
_LONGEST_RESULT = 200
_SHORTEST_RESULT = 20
_MINUTE, _HOUR = 60, 3600
_MARK = "  | "
"""What an error quotes output with."""


@dataclasses.dataclass(frozen=True)
class _Row:
    run: str
    name: str
    state: str
    when: str
    took: str
    result: str
    error: str

    def cells(self, name: int, result: int) -> tuple[str, ...]:
        """Return its cells, with the widest two cut."""
        found = self.error or self.result or "-"
        return self.run, cut(self.name, name), self.state, self.when, self.took, short(found, max(result, 4))


def of_runs(infos: Sequence[RunInfo], *, note: str = "", empty: str = "No runs recorded.") -> Table:
    """Return runs, as they come.

    Args:
        infos: The runs.
        note: What else there is to say.
        empty: What to say where there is none.

    """
    rows = [row.cells(_LONGEST_NAME, _LONGEST_RESULT) for row in _rows(infos)]
    return Table(_TITLES, rows, [note] if note else [], empty)


def lines_of_runs(infos: Sequence[RunInfo], columns: int) -> list[str]:
    """Return runs as lines for a terminal; an error that its row has no room for stands below it.

    Args:
        infos: The runs.
        columns: The width of the terminal.

    """
    rows = _rows(infos)
    fixed = ([row.run, row.state, row.when, row.took] for row in rows)
    titles = [_TITLES[0], *_TITLES[2:5]]
    taken = sum(max(map(len, column)) for column in zip(titles, *fixed, strict=True)) + _GAP * (len(_TITLES) - 1)
    left = columns - taken
    longest = max((len(row.name) for row in rows), default=0)
    needed = max((len(row.result) for row in rows if not row.error), default=0)
    name = max(_SHORTEST_NAME, min(longest, _LONGEST_NAME, left - min(max(needed, len(_TITLES[-1])), _SHORTEST_RESULT)))
    result = max(len(_TITLES[-1]), left - name)
    head, *lines = Table(_TITLES, [row.cells(name, result) for row in rows]).lines() or [""]
    shown = [head]
    for row, line in zip(rows, lines, strict=True):
        if len(row.error) <= result:
            shown.append(line)
            continue
        shown.append(line.removesuffix(short(row.error, result)).rstrip())
        shown.append(f"  {short(check_report.line(row.error), max(columns - _GAP, _SHORTEST_RESULT))}")
    return shown


def _rows(infos: Sequence[RunInfo]) -> list[_Row]:
    handles = _handles(infos)
    return [
        _Row(
            handles[info.id],
            _name(info),
            info.state,
            short_time(info.created),
            _took(info),
            _result(info),
            _error(info),
        )
        for info in infos
    ]


def _handles(infos: Sequence[RunInfo]) -> dict[str, str]:
    """Return the ends of identifiers that tell them apart, as every command takes them; whole parts of each."""
    parts = {info.id: info.id.split("-") for info in infos}
    ends: dict[str, str] = {}
    for info in infos:
        own = parts[info.id]
        # Of a sweep's point, the number alone would be that of many.
        count = 1 + sum(part != info.sweep.rpartition("-")[2] for part in own[-2:]) if info.sweep else 1
        others = [each for name, each in parts.items() if name != info.id]
        while count < len(own) and any(each[-count:] == own[-count:] for each in others):
            count += 1
        ends[info.id] = "-".join(own[-count:])
    return ends


def _name(info: RunInfo) -> str:
    """Return what the user calls a run, or what was run."""
    if info.name:
        return info.name
    if info.task:
        return f"{info.kind} {info.task}"
    file = PurePosixPath(PureWindowsPath(info.notebook.partition("?")[0]).name)
    stem = file.stem if file.suffix == ".ipynb" else file.name
    return f"{stem} #{info.point}" if info.sweep and info.point is not None else stem


def short_time(seconds: float) -> str:
    """Return a time as a list has it: without its year if that is this one.

    Args:
        seconds: Since 1970-01-01 UTC.

    """
    try:
        then, now = time.localtime(seconds), time.localtime()
    except (ValueError, OverflowError, OSError):
        return "-"  # somebody has edited the record
    return time.strftime("%m-%d %H:%M" if then.tm_year == now.tm_year else "%Y-%m-%d", then)


def _took(info: RunInfo) -> str:
    seconds = info.duration
    if seconds is None:
        if not info.started or info.state != "running":
            return "-"
        seconds = max(0.0, time.time() - info.started)
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    if seconds < _HOUR:
        return f"{minutes}m {rest:02d}s"
    return f"{minutes // _MINUTE}h {minutes % _MINUTE:02d}m"


def _result(info: RunInfo) -> str:
    """Return what a run reported first, how far it has come, or what it has made."""
    if info.unattended:
        return f"not watched: job {info.job}"
    if info.metrics:
        return ", ".join(f"{name}={value(each)}" for name, each in info.metrics.items())
    if info.state == "running" and info.cells:
        return f"cell {info.cell or 0}/{info.cells}"
    return info.endpoint


def _error(info: RunInfo) -> str:
    """Return the last line of what went wrong: what a job has raised, or the last line of quoted output."""
    error = info.error or {}
    raised = str(error.get("raised") or "").strip()
    if raised:
        return " ".join(check_report.line(raised).split())
    message = str(error.get("message") or "")
    quoted = [line.removeprefix(_MARK).strip() for line in message.splitlines() if line.startswith(_MARK)]
    last = next((line for line in reversed(quoted) if line), "")
    return " ".join(check_report.line(last or message).split())


def cut(text: str, longest: int) -> str:
    """Return a name without its middle where it is too long: names often differ at their end.

    Args:
        text: The name.
        longest: Characters at most.

    """
    text = check_report.line(text)
    if len(text) <= longest:
        return text
    end = (longest - 3) // 2
    return f"{text[: longest - 3 - end]}...{text[len(text) - end :]}"
