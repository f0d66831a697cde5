"""What a sweep has come to: a row for each point, also as CSV, and which is the best."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import re
from collections import Counter
from typing import TYPE_CHECKING, Literal

from fairing_az_jupyter.exceptions import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairing_az_jupyter.models import Metric, RunInfo
    from fairing_az_jupyter.sweeps.plans import SweepPlan

Goal = Literal["min", "max"]
MISSING = "missing"
"""The state of a point that has not run."""

_MORE_IS_BETTER = re.compile(
    r"acc|auc|roc|r2|r_2|r\^2|f1|f_1|score|precision|recall|iou|dice|mcc|kappa|reward|gain|ndcg"
)
# As in neg_log_loss: what is a loss though it sounds otherwise.
_LESS_IS_BETTER = re.compile(r"loss|err|rmse|mse|mae|mape|brier|perplexity")
_COLUMNS = ("point", "run", "state", "duration", "error")


@dataclasses.dataclass(frozen=True)
class SweepRow:
    """One point of a sweep.

    Args:
        point: Its number.
        run: Its newest run; empty if it has none.
        state: The run's state, or `missing`.
        parameters: The values that the point gives, by name.
        metrics: What the notebook has reported, by name.
        duration: Seconds that the run took; None before its end.
        error: Why it has failed; empty if it has not.

    """

    point: int
    run: str
    state: str
    parameters: Mapping[str, object]
    metrics: Mapping[str, Metric]
    duration: float | None = None
    error: str = ""


@dataclasses.dataclass(frozen=True)
class SweepTable:
    """A sweep and all of its points.

    Args:
        sweep: Its identifier.
        notebook: The notebook as it was named.
        state: `running` if a process executes it, `done` if every point has ended, else `incomplete`.
        kind: Where its points come from.
        parameters: The names of what is varied.
        metrics: The names of what any run has reported, in the order in which it first was.
        rows: The points.
        seed: The seed of a sample; None without one.
        notes: What a user should know of the points.
        created: When it was planned, in seconds since 1970-01-01 UTC.
        folder: Where it is kept.

    """

    sweep: str
    notebook: str
    state: str
    kind: str
    parameters: tuple[str, ...]
    metrics: tuple[str, ...]
    rows: tuple[SweepRow, ...]
    seed: int | None = None
    notes: tuple[str, ...] = ()
    created: float = 0.0
    folder: str = ""

    @property
    def counts(self) -> dict[str, int]:
        """How many points are in each state."""
        return dict(Counter(row.state for row in self.rows))

    def sorted_by(self, name: str, goal: Goal | None = None) -> SweepTable:
        """Return the table in another order; rows without such a value come last.

        Args:
            name: A parameter, a metric, `point`, `duration` or `state`.
            goal: `max` for the largest first; None for the best of a metric first, and the smallest of all else.

        Raises:
            InputError: The column does not exist.

        """
        self._need(name, (*self.parameters, *self.metrics, "point", "duration", "state"), "column")
        reverse = (goal or (goal_of(name) if name in self.metrics else "min")) == "max"
        known = [row for row in self.rows if self.value(row, name) is not None]
        rest = [row for row in self.rows if self.value(row, name) is None]
        ordered = sorted(known, key=lambda row: _order(self.value(row, name)), reverse=reverse)
        return dataclasses.replace(self, rows=(*ordered, *rest))

    def metric(self, name: str | None = None) -> str | None:
        """Return a metric with numbers: the one of that name, else the first that there is.

        Raises:
            InputError: No run has reported one of that name, or it is not a number.

        """
        numeric = [
            each for each in self.metrics if any(number_of(row.metrics.get(each)) is not None for row in self.rows)
        ]
        if name is None:
            return numeric[0] if numeric else None
        self._need(name, self.metrics, "metric")
        if name not in numeric:
            raise InputError(
                f"What the runs of '{self.sweep}' report as '{name}' is not a number.",
                hint=f"Metrics with numbers: {', '.join(numeric) or 'none'}.",
                code="sweep-metric",
            )
        return name

    def best(self, metric: str, goal: Goal | None = None) -> SweepRow | None:
        """Return the point that succeeded with the best value; None if there is none.

        Args:
            metric: The metric.
            goal: Whether less or more is better; None to tell by the name.

        """
        rows = [row for row in self.rows if row.state == "succeeded" and number_of(row.metrics.get(metric)) is not None]
        choose = max if (goal or goal_of(metric)) == "max" else min
        return choose(rows, key=lambda row: number_of(row.metrics.get(metric)) or 0.0) if rows else None

    def goal(self, metric: str) -> Goal:
        """Return whether less or more of a metric is better, as far as its name tells."""
        return goal_of(metric)

    def value(self, row: SweepRow, name: str) -> object:
        """Return what stands in a column of a row; None if nothing does."""
        if name in self.parameters:
            return row.parameters.get(name)
        return row.metrics.get(name) if name in self.metrics else getattr(row, name)

    def csv(self) -> str:
        """Return the table as CSV: the point, its run, its state, parameters, metrics, seconds, and its error."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        # A metric may be called as a parameter is.
        twice = {*self.parameters, *_COLUMNS}
        metrics = [f"metric.{name}" if name in twice else name for name in self.metrics]
        names = [f"parameter.{name}" if name in _COLUMNS else name for name in self.parameters]
        writer.writerow([*_COLUMNS[:3], *names, *metrics, *_COLUMNS[3:]])
        for row in self.rows:
            parameters = (_cell(row.parameters.get(name, "")) for name in self.parameters)
            reported = (_cell(row.metrics.get(name, "")) for name in self.metrics)
            duration = "" if row.duration is None else f"{row.duration:.3f}"
            writer.writerow([row.point, row.run, row.state, *parameters, *reported, duration, row.error])
        return text.getvalue()

    def to_dict(self) -> dict[str, object]:
        """Return the table as values that any JSON parser reads."""
        return {
            "sweep": self.sweep,
            "notebook": self.notebook,
            "state": self.state,
            "kind": self.kind,
            "seed": self.seed,
            "notes": list(self.notes),
            "created": self.created,
            "folder": self.folder,
            "counts": self.counts,
            "parameters": list(self.parameters),
            "metrics": list(self.metrics),
            "rows": [
                {**dataclasses.asdict(row), "parameters": dict(row.parameters), "metrics": dict(row.metrics)}
                for row in self.rows
            ],
        }

    def _need(self, name: str, known: tuple[str, ...], what: str) -> None:
        if name not in known:
            raise InputError(
                f"The sweep '{self.sweep}' has no {what} '{name}'.",
                hint=f"There is: {', '.join(known) or 'none yet'}.",
                code=f"sweep-{what}",
            )


def tabulate(plan: SweepPlan, runs: Mapping[int, RunInfo], *, worked_on: bool, folder: str) -> SweepTable:
    """Return what a sweep has come to so far.

    Args:
        plan: The sweep.
        runs: The newest run of each point that has any, by number.
        worked_on: Whether a process executes it.
        folder: Where it is kept.

    """
    rows = tuple(
        _row(point.number, point.request.parameters, plan.varied, runs.get(point.number)) for point in plan.points
    )
    ended = all(point.number in runs and runs[point.number].has_ended for point in plan.points)
    return SweepTable(
        plan.id,
        plan.notebook,
        "running" if worked_on else "done" if ended else "incomplete",
        plan.kind,
        plan.varied,
        tuple(dict.fromkeys(name for row in rows for name in row.metrics)),
        rows,
        seed=plan.seed,
        notes=plan.notes,
        created=plan.created,
        folder=folder,
    )


def goal_of(metric: str) -> Goal:
    """Return whether more or less of a metric is better, as far as its name tells; less where it does not."""
    name = metric.casefold()
    return "max" if _MORE_IS_BETTER.search(name) and not _LESS_IS_BETTER.search(name) else "min"


def number_of(value: object) -> float | None:
    """Return a value as a finite number; None if it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def _row(number: int, parameters: Mapping[str, object], varied: tuple[str, ...], info: RunInfo | None) -> SweepRow:
    given = {name: parameters[name] for name in varied if name in parameters}
    if info is None:
        return SweepRow(number, "", MISSING, given, {})
    error = str((info.error or {}).get("message", ""))
    return SweepRow(number, info.id, info.state, given, info.metrics, info.duration, error)


def _order(value: object) -> tuple[int, float, str]:
    number = number_of(value)
    return (0, number, "") if number is not None else (1, 0.0, str(value))


def _cell(value: object) -> str:
    return "" if value is None else str(value)
