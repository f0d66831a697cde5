"""The commands that run a notebook at many points, and show what came of it."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import InputError, RunFailedError
from fairing_az_jupyter.files import replace_file
from fairing_az_jupyter.frontends.commands.runs import reject_cluster_only
from fairing_az_jupyter.frontends.terminal import output as terminal
from fairing_az_jupyter.frontends.views.checks import check_report
from fairing_az_jupyter.operations.notebooks.sweeps import ResumeSweep

if TYPE_CHECKING:
    from fairing_az_jupyter.frontends.terminal.output import Output
    from fairing_az_jupyter.models import RunInfo
    from fairing_az_jupyter.operations.calls import Call
    from fairing_az_jupyter.operations.notebooks.sweeps import RunSweep, ShowSweep
    from fairing_az_jupyter.sweeps.execution import SweepEvent
    from fairing_az_jupyter.sweeps.table import SweepRow, SweepTable

_BEST = 5
_LONGEST_VALUE = 40


def run(call: Call[RunSweep], output: Output) -> int:
    """Run a notebook at many points."""
    from fairing_az_jupyter import services  # noqa: PLC0415 - each command imports what it needs: help stays quick

    asked, session = call.request, call.session
    if not asked.on_cluster:
        reject_cluster_only(asked)
    fields = ("grid", "choices", "ranges", "list_file", "csv_file", "sample", "seed")
    points = services.sweep_points(**{name: getattr(asked, name) for name in fields})
    earlier = services.describe_run(session, asked.from_run).parameters if asked.from_run else None
    # The Job's own settings need no place in the parameters cell.
    given = services.settings_in_cell(session, asked.notebook) if asked.on_cluster else session.given
    sweep = services.plan_sweep(
        session.with_given(given),
        asked.notebook,
        points,
        pairs=asked.parameters,
        parameters_file=asked.parameters_file,
        output_folder=asked.output_folder,
        from_run=earlier,
        kernel_name=asked.kernel,
        cwd=asked.cwd,
        cell_timeout=asked.cell_timeout,
        deadline=asked.deadline,
        output_limit=asked.output_limit,
        outputs=asked.kept,
    )
    return _carry_out(call, output, services.keep_sweep(session, sweep))


def resume(call: Call[ResumeSweep], output: Output) -> int:
    """Run what is missing of a sweep."""
    return _carry_out(call, output, call.request.name)


def _carry_out(call: Call[RunSweep] | Call[ResumeSweep], output: Output, name: str) -> int:
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    # What counts are the records: the sweep continues, whoever has stopped to listen.
    output.optional = True
    asked, session = call.request, call.session
    before = services.describe_sweep(session, name)
    begin = time.monotonic()
    if asked.on_cluster:
        table = _on_cluster(call, before)
    else:
        table = services.resume_sweep(
            session,
            before.sweep,
            _json_line if call.json else _Lines(before).show,
            jobs=asked.jobs,
            stop_after=asked.stop_after,
            retry_failed=_retries(asked),
        )
    if call.json:
        terminal.print_line({"result": table.to_dict()})
    else:
        sys.stdout.writelines(f"{line}\n" for line in _concluded(table, time.monotonic() - begin))
    failed = [row for row in table.rows if row.state not in {"succeeded", "cancelled"}]
    if failed:
        first = failed[0]
        raise RunFailedError(
            f"{len(failed)} of {len(table.rows)} points of the sweep '{table.sweep}' have not succeeded. "
            f"Point {first.point}: {check_report.line(first.error) or first.state}",
            hint=f"See all: fairing-azure sweep show {table.sweep}. Run them again: "
            f"fairing-azure sweep resume {table.sweep} --retry-failed",
            code="sweep-failures",
        )
    return 0


def _retries(asked: RunSweep | ResumeSweep) -> bool:
    return isinstance(asked, ResumeSweep) and asked.retry_failed


def _on_cluster(call: Call[RunSweep] | Call[ResumeSweep], before: SweepTable) -> SweepTable:
    """Let the cluster execute what is missing of a sweep, and follow it."""
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    asked = call.request
    lines = _Lines(before)
    show = (lambda info: terminal.print_line({"ended": info.to_dict()})) if call.json else lines.ended
    try:
        return services.resume_on_cluster(
            call.session,
            before.sweep,
            show,
            input_files=asked.input_files,
            stop_after=asked.stop_after,
            retry_failed=_retries(asked),
            report=lambda said: terminal.report_lines([said]),
        )
    except KeyboardInterrupt:
        terminal.report_lines(
            [
                f"What was launched is still running in the cluster. See it: fairing-azure sweep show {before.sweep}",
                f"Follow it: fairing-azure sweep resume {before.sweep} --on-cluster",
            ]
        )
        raise


def _json_line(event: SweepEvent) -> None:
    terminal.print_line({"event": event.to_dict()})


class _Lines:
    """Prints a line for each run that has ended.

    Args:
        table: The sweep before.

    """

    def __init__(self, table: SweepTable) -> None:
        self._table = table

    def show(self, event: SweepEvent) -> None:
        """Print what an event says."""
        place = f"[{event.ended:>{len(str(event.points))}}/{event.points}]"
        if event.kind == "sweep-started":
            self._begin(event)
        elif event.kind == "run-ended" and event.info is not None:
            _print(f"{place} {self._outcome(event.info)}")
        elif event.kind == "run-lost":
            _print(f"{place} point {event.point}: {event.message}")

    def ended(self, info: RunInfo) -> None:
        """Print how a run has ended that the cluster has executed."""
        _print(self._outcome(info))

    def _begin(self, event: SweepEvent) -> None:
        table = self._table
        points = "1 point" if event.points == 1 else f"{event.points} points"
        seed = "" if table.seed is None else f", seed {table.seed}"
        ended = f", {event.ended} of them ended before" if event.ended else ""
        _print(f"Sweep {table.sweep}: {points} of {table.notebook}{seed}{ended}.")
        for note in table.notes:
            _print(note)

    def _outcome(self, info: RunInfo) -> str:
        given = " ".join(f"{name}={_value(info.parameters.get(name))}" for name in self._table.parameters)
        if info.state == "succeeded":
            outcome = " ".join(f"{name}={_value(value)}" for name, value in info.metrics.items())
        else:
            outcome = f"{info.state}: {check_report.line(str((info.error or {}).get('message', '')))}".rstrip(": ")
        took = "" if info.duration is None else f"{info.duration:.1f} s"
        return "  ".join(part for part in (given, outcome, took) if part)


def _concluded(table: SweepTable, seconds: float) -> list[str]:
    counts = ", ".join(f"{number} {state}" for state, number in table.counts.items())
    lines = ["", f"{len(table.rows)} points: {counts}. It took {seconds:.1f} s."]
    metric = table.metric()
    if metric is not None:
        goal = table.goal(metric)
        rows = [row for row in table.sorted_by(metric).rows if row.state == "succeeded"][:_BEST]
        lines += [f"The {'highest' if goal == 'max' else 'lowest'} {metric}:"]
        lines += [f"  {line}" for line in _table_lines(table, rows)]
    lines += [f"All of them: fairing-azure sweep show {table.sweep} [--csv FILE] [--plot FILE.png]"]
    return lines


def show(call: Call[ShowSweep], _output: Output) -> int:
    """Show a sweep as a table."""
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    asked = call.request
    table = services.describe_cluster_sweep(call.session, asked.name, report=terminal.report)
    if asked.metric:
        table.metric(asked.metric)
    if asked.sort:
        table = table.sorted_by(asked.sort, asked.goal)
    written = []
    if asked.plot:
        written.append(str(services.plot_sweep(table, asked.plot, metric=asked.metric, goal=asked.goal)))
    if asked.csv == "-":
        sys.stdout.write(table.csv())
        return 0
    if asked.csv:
        _write_csv(asked.csv, table.csv())
        written.append(asked.csv)
    lines = _described(table, asked) + [f"Written: {path}" for path in written]
    terminal.print_answer({"sweep": table.to_dict(), "written": written}, lines, as_json=call.json)
    return 0


def _described(table: SweepTable, asked: ShowSweep) -> list[str]:
    counts = ", ".join(f"{number} {state}" for state, number in table.counts.items())
    seed = "" if table.seed is None else f", seed {table.seed}"
    lines = [
        f"Sweep {table.sweep} of {table.notebook} ({table.kind}{seed}): {table.state}, {counts}.",
        *table.notes,
        "",
    ]
    lines += _table_lines(table, table.rows)
    failed = [row for row in table.rows if row.error]
    lines += ["", *(f"Point {row.point}: {check_report.line(row.error)}" for row in failed)] if failed else []
    metric = table.metric(asked.metric)
    best = None if metric is None else table.best(metric, asked.goal)
    if metric is not None and best is not None:
        word = "Highest" if (asked.goal or table.goal(metric)) == "max" else "Lowest"
        lines += ["", f"{word} {metric}: point {best.point}, run {best.run}"]
    if table.state == "incomplete":
        lines += ["", f"Run what is missing: fairing-azure sweep resume {table.sweep}"]
    return lines


def _write_csv(path: str, text: str) -> None:
    target = Path(path)
    try:
        replace_file(Path(target.resolve()), text.encode("utf-8", "backslashreplace"), mode=0o644)
    except OSError as error:
        raise InputError(
            f"The table can't be written to '{path}': {error.strerror or error}.",
            hint="Name a file in a folder that you may write to.",
            code="sweep-csv",
        ) from error


def _table_lines(table: SweepTable, rows: tuple[SweepRow, ...] | list[SweepRow]) -> list[str]:
    titles = ("POINT", *table.parameters, *table.metrics, "TOOK", "STATE")
    cells = [
        [
            str(row.point),
            *(_value(row.parameters.get(name)) for name in table.parameters),
            *(_value(row.metrics.get(name)) for name in table.metrics),
            "-" if row.duration is None else f"{row.duration:.1f} s",
            row.state,
        ]
        for row in rows
    ]
    lines = [[check_report.line(cell) for cell in line] for line in (titles, *cells)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(titles))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def _value(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else "-" if value is None else str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
