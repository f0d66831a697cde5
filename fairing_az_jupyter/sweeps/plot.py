"""A sweep as a picture: a metric over each parameter that was varied."""

from __future__ import annotations

import io
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import InputError, PackageMissingError
from fairing_az_jupyter.files import replace_file
from fairing_az_jupyter.sweeps.table import MISSING, goal_of, number_of

if TYPE_CHECKING:
    from fairing_az_jupyter.sweeps.table import Goal, SweepRow, SweepTable

FORMATS = (".png", ".svg", ".pdf")

_COLUMNS = 3
_MOST_PANELS = 12
_PANEL = (4.4, 3.5)
_DECADES = 100.0
"""Values of which the largest is so many times the smallest are shown on a logarithmic axis."""
_LONGEST_LABEL = 18
_MOST_UPRIGHT = 5
_BLUE, _ORANGE, _GREY = "#3069a8", "#d1581c", "#5a5f66"


def plot(table: SweepTable, path: str, *, metric: str | None = None, goal: Goal | None = None) -> Path:
    """Draw a metric over each parameter of a sweep, a panel each, with the best point marked.

    Args:
        table: The sweep.
        path: The picture: `.png`, `.svg` or `.pdf`.
        metric: The metric; None for the first that has numbers.
        goal: Whether less or more of it is better; None to tell by its name.

    Returns:
        The picture's path.

    Raises:
        InputError: There is nothing to draw, or the file can't be written.
        PackageMissingError: matplotlib is not installed: it comes with the extra `plot`.

    """
    target = Path(path)
    if target.suffix.lower() not in FORMATS:
        raise InputError(
            f"The picture '{path}' has an unsupported format.",
            hint=f"Use one of: {', '.join(FORMATS)}",
            code="sweep-plot",
        )
    chosen = table.metric(metric)
    if chosen is None:
        raise InputError(
            f"No run of the sweep '{table.sweep}' has reported a number, so there is nothing to plot.",
            hint="Report one in the notebook: from fairing_az_jupyter import report; report('rmse', value)",
            code="sweep-plot",
        )
    figure = _draw(table, chosen, goal or goal_of(chosen))
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=150, format=target.suffix.lower()[1:])
    try:
        replace_file(target.resolve(), drawn.getvalue(), mode=0o644)
    except OSError as error:
        raise InputError(
            f"The picture '{path}' can't be written: {error.strerror or error}.",
            hint="Choose a file in a writable folder.",
            code="sweep-plot",
        ) from error
    return target


def _draw(table: SweepTable, metric: str, goal: Goal) -> Any:  # noqa: ANN401 - matplotlib's figure, loaded here only
    # Neither pyplot nor a backend of its own: whoever draws besides in this process sees nothing of it.
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - slow to import, and an extra
    except ImportError as error:
        raise PackageMissingError(
            f"The sweep '{table.sweep}' can't be plotted: matplotlib can't be imported in {sys.prefix} ({error}).",
            hint="Install it: pip install 'fairing-az-jupyter[plot]'",
        ) from error
    names = [name for name in table.parameters if len({repr(row.parameters.get(name)) for row in table.rows}) > 1]
    names = (names or list(table.parameters))[:_MOST_PANELS]
    columns = min(_COLUMNS, len(names))
    lines = math.ceil(len(names) / columns)
    figure = Figure(figsize=(max(6.4, _PANEL[0] * columns), _PANEL[1] * lines + 0.7), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False, sharey=True)
    rows = [row for row in table.rows if row.state == "succeeded" and number_of(row.metrics.get(metric)) is not None]
    best = table.best(metric, goal)
    heights = [number_of(row.metrics[metric]) or 0.0 for row in rows]
    for place in range(lines * columns):
        panel = panels[place // columns][place % columns]
        if place >= len(names):
            panel.set_axis_off()
            continue
        _panel(panel, names[place], metric, rows, best)
        if _spans_decades(heights):
            panel.set_yscale("log")
        if place % columns == 0:
            panel.set_ylabel(_short(metric))
    figure.suptitle(_title(table, metric, goal, best, len(rows)), fontsize=11)
    return figure


def _panel(panel: Any, name: str, metric: str, rows: list[SweepRow], best: SweepRow | None) -> None:  # noqa: ANN401 - matplotlib's
    values = [row.parameters.get(name) for row in rows]
    heights = [number_of(row.metrics[metric]) for row in rows]
    numbers = [number for value in values if (number := number_of(value)) is not None]
    numeric = bool(rows) and len(numbers) == len(values)
    labels = [] if numeric else list(dict.fromkeys(str(row.parameters.get(name)) for row in rows))
    places: list[float] = numbers if numeric else [float(labels.index(str(value))) for value in values]
    panel.scatter(places, heights, s=34, color=_BLUE, alpha=0.65, linewidths=0)
    if best is not None and best in rows:
        at = rows.index(best)
        panel.scatter(
            places[at], heights[at], s=150, marker="*", color=_ORANGE, edgecolors="white", linewidths=0.8, zorder=3
        )
    if numeric:
        if _spans_decades(numbers):
            panel.set_xscale("log")
        elif all(number.is_integer() for number in numbers):
            from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - already loaded

            panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    else:
        crowded = len(labels) > _MOST_UPRIGHT
        panel.set_xticks(range(len(labels)), [_short(label) for label in labels], rotation=40 if crowded else 0)
        panel.set_xlim(-0.6, max(len(labels) - 0.4, 0.6))
    panel.set_xlabel(_short(name))
    panel.grid(visible=True, alpha=0.25, linewidth=0.6)
    panel.tick_params(labelsize=9, colors=_GREY, labelcolor="black")
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)


def _title(table: SweepTable, metric: str, goal: Goal, best: SweepRow | None, drawn: int) -> str:
    failed = sum(row.state == "failed" for row in table.rows)
    missing = sum(row.state == MISSING for row in table.rows)
    counted = [f"{drawn} of {len(table.rows)} points"]
    counted += [f"{failed} failed"] if failed else []
    counted += [f"{missing} not run"] if missing else []
    first = _plain(f"{Path(table.notebook).name}: {_short(metric)} ({', '.join(counted)})")
    if best is None:
        return first
    where = ", ".join(f"{name}={_value(value)}" for name, value in list(best.parameters.items())[:4])
    word = "highest" if goal == "max" else "lowest"
    return f"{first}\n" + _plain(f"\u2605 {word}: {_value(best.metrics.get(metric))} at {where}")


def _spans_decades(numbers: list[float]) -> bool:
    return bool(numbers) and min(numbers) > 0 and max(numbers) / min(numbers) >= _DECADES


def _value(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else _cut(str(value))


def _short(text: str) -> str:
    return _plain(_cut(text))


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_LABEL else f"{line[: _LONGEST_LABEL - 3]}..."


def _plain(text: str) -> str:
    """Return a text in which matplotlib sees no formula."""
    return text.replace("$", r"\$")
