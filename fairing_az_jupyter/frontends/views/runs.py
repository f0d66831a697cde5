"""Records of runs as tables for people: a list, one with all that is known, and several beside each other."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from fairing_az_jupyter.frontends.views import check_report
from fairing_az_jupyter.frontends.views.tables import Table, of_facts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fairing_az_jupyter.models import RunInfo
    from fairing_az_jupyter.records.comparing import RunTable

__all__ = ["lines_of_run", "of_comparison", "of_run", "of_runs", "short", "value", "visible", "when"]

_LONGEST_VALUE = 60


def of_runs(infos: Iterable[RunInfo], *, note: str = "", empty: str = "No runs recorded.") -> Table:
    """Return runs, as they come.

    Args:
        infos: The runs.
        note: What else there is to say.
        empty: What to say where there is none.

    """
    rows = [(i.id, i.state, when(i.created), _took(i), _where(i), _outcome(i)) for i in infos]
    return Table(("RUN", "STATE", "CREATED", "DURATION", "CELL", "RESULT"), rows, [note] if note else [], empty)


def of_comparison(compared: RunTable) -> Table:
    """Return runs beside each other: the parameters that differ, and what they reported."""
    rows = [
        (info.id, *(value(each) for each in row), _took(info), info.state)
        for info, row in zip(compared.runs, compared.rows, strict=True)
    ]
    return Table(("RUN", *compared.parameters, *compared.metrics, "DURATION", "STATE"), rows)


def of_run(info: RunInfo) -> Table:
    """Return all that is known of a run."""
    named = {
        f"{title} {name}": value(each, longest=None)
        for title, values in (("Parameter", info.parameters), ("Metric", info.metrics))
        for name, each in values.items()
    }
    facts = of_facts({**_facts(info), **named})
    return Table(facts.titles, facts.rows, [check_report.line(text) for text in _rest(info) if text])


def lines_of_run(info: RunInfo) -> list[str]:
    """Return all that is known of a run as lines for a terminal."""
    lines = of_facts(_facts(info)).lines()
    for title, values in (("Parameters", info.parameters), ("Metrics", info.metrics)):
        if values:
            rows = (check_report.line(f"{name} = {value(each, longest=None)}") for name, each in values.items())
            lines += ["", f"{title}:", *(f"  {text}" for text in rows)]
    rest = _rest(info)
    return [*lines, "", *rest] if rest else lines


def when(seconds: float) -> str:
    """Return a time as people read it here.

    Args:
        seconds: Since 1970-01-01 UTC.

    """
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
    except (ValueError, OverflowError, OSError):
        return "-"  # somebody has edited the record


def value(found: object, longest: int | None = _LONGEST_VALUE) -> str:
    """Return a parameter's or a metric's value for people.

    Args:
        found: The value.
        longest: Characters at most; None for all of them.

    """
    text = f"{found:.6g}" if isinstance(found, float) else "-" if found is None else str(found)
    return text if longest is None else short(text, longest)


def short(text: str, longest: int = _LONGEST_VALUE) -> str:
    """Return a text, cut off where it is too long.

    Args:
        text: The text.
        longest: Characters at most.

    """
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def visible(line: str) -> str:
    """Return a line as it is, but for what would do something to the terminal."""
    return "".join(letter if letter.isprintable() or letter == "\t" else " " for letter in line)


def _facts(info: RunInfo) -> dict[str, str]:
    return {
        "Run": info.id,
        "State": info.state,
        "Notebook" if info.kind == "notebook" else "File": info.notebook,
        "Task": f"{info.task} ({info.kind})" if info.task else "",
        "Endpoint": f"{info.endpoint} {info.url}".strip(),
        "Output": info.output or "",
        "Created": when(info.created),
        "Duration": _took(info) if info.started else "",
        "Cell": _where(info) if info.cells else "",
        "Attempt": str(info.attempt) if info.attempt > 1 else "",
        "Retry of": info.retry_of,
        "Sweep": f"{info.sweep}, point {info.point}" if info.sweep else "",
        "Job": f"{info.job} in namespace {info.namespace}" if info.job else "",
        "Record": info.folder,
    }


def _rest(info: RunInfo) -> Sequence[str]:
    """Return why a run has not ended well, as lines."""
    lines: list[str] = []
    if info.state == "lost":
        lines += ["The process of this run ended without a result: it was killed, or its machine stopped."]
        lines += [f"Run it again: fairing-azure runs retry {info.id}"]
    if info.error:
        lines += [*([""] if lines else []), *_failure(info.error)]
    return lines


def _failure(error: Mapping[str, object]) -> list[str]:
    lines = [check_report.line(str(error[name])) for name in ("message", "hint") if error.get(name)]
    source, traceback = error.get("source"), error.get("traceback")
    if source:
        lines += ["", f"Cell {error.get('cell')}:", *(f"  {visible(line)}" for line in str(source).splitlines())]
    if isinstance(traceback, (list, tuple)) and traceback:
        lines += ["", "Traceback:", *(f"  {visible(str(line))}" for line in traceback)]
    return lines


def _took(info: RunInfo) -> str:
    if info.duration is not None:
        return f"{info.duration:.1f} s"
    return f"{time.time() - info.started:.0f} s so far" if info.started and info.state == "running" else "-"


def _where(info: RunInfo) -> str:
    return f"{info.cell or 0}/{info.cells}" if info.cells else "-"


def _outcome(info: RunInfo) -> str:
    if info.error:
        return short(str(info.error.get("message", "")))
    return short(", ".join(f"{name}={value(each)}" for name, each in info.metrics.items())) or "-"
