"""The metrics that a training prints: read from its lines, and drawn as a small SVG that follows the theme."""

from __future__ import annotations

import dataclasses
import math
import re
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["MetricSeries", "svg"]

# XGBoost: "[12]\tvalid-rmse:0.5"; LightGBM: "[12]\tvalid_0's l2: 0.5".
_ROUND = re.compile(r"^\s*\[(\d{1,9})\]\s+(.+)$")
# "epoch 3: loss=0.5", "Step 10, loss: 0.5", "iteration=7 auc 0.9", and Keras's own heading "Epoch 3/10".
_STEP = re.compile(r"\b(?:epoch|iteration|iter|step|round)\b[\s=:#]*(\d{1,9})(?!\d)(?:\s*/\s*\d+)?", re.IGNORECASE)
# What builds an image counts its own steps: "Step 2/5 : FROM python:3.10".
_BUILD_STEP = re.compile(r"^\s*step \d+/\d+ ?: [A-Z]+ ", re.IGNORECASE)
_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
# A name begins where a word does, and has an end: each letter of a long line is looked at a few times only.
_NAME = r"(?<![\w@./-])([A-Za-z_][\w'@./-]{0,60}(?: [A-Za-z_][\w@./-]{0,60})?)"
_VALUE = re.compile(rf"{_NAME}\s*[:=]\s*({_NUMBER})(?![\w.])")
_LONGEST_LINE = 2000
_MOST_SERIES = 6
_MOST_POINTS = 800
_NO_METRIC = frozenset({"epoch", "iteration", "iter", "step", "round", "time", "eta", "lr", "elapsed"})

_WIDTH, _HEIGHT = 480, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 8, 8, 22
# Okabe and Ito's colours, which also the colour-blind tell apart, on light and on dark ground; dashes say the same.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_DASHES = ("", "6 3", "2 3", "8 3 2 3", "12 4", "1 2")


@dataclasses.dataclass
class MetricSeries:
    """Collects the values of metrics from lines; each series keeps at most 800 points, spread over all of it."""

    points: dict[str, list[tuple[int, float]]] = dataclasses.field(default_factory=dict)
    """The values of each metric: pairs of step and value."""

    _heading: int | None = None
    _every: dict[str, int] = dataclasses.field(default_factory=dict)
    _seen: dict[str, int] = dataclasses.field(default_factory=dict)

    def add(self, line: str) -> bool:
        """Read one line of a training's output.

        Args:
            line: The line; a line without a metric at a step is ignored.

        Returns:
            Whether it had a value.

        """
        found = False
        for name, step, value in self._read(line[:_LONGEST_LINE]):
            if name not in self.points and len(self.points) >= _MOST_SERIES:
                continue
            found = True
            self._keep(name, step, value)
        return found

    @property
    def last(self) -> Mapping[str, float]:
        """The last value of each metric."""
        return {name: points[-1][1] for name, points in self.points.items()}

    def worth_drawing(self) -> bool:
        """Tell whether there is more than one value of any metric."""
        return any(len(points) > 1 for points in self.points.values())

    def _read(self, line: str) -> Iterator[tuple[str, int, float]]:
        if _BUILD_STEP.match(line):
            return
        in_round = _ROUND.match(line)
        if in_round is not None:
            step, rest = int(in_round[1]), in_round[2]
        else:
            named = _STEP.search(line)
            if named is not None:
                step, rest = int(named[1]), line[: named.start()] + " " + line[named.end() :]
                self._heading = step if not _VALUE.search(rest) else None
            elif self._heading is not None:
                step, rest = self._heading, line
            else:
                return
        for name, text in _VALUE.findall(rest):
            value = float(text)
            if name.lower() not in _NO_METRIC and math.isfinite(value):
                yield name, step, value

    def _keep(self, name: str, step: int, value: float) -> None:
        points = self.points.setdefault(name, [])
        seen = self._seen[name] = self._seen.get(name, 0) + 1
        if points and points[-1][0] == step:
            # A progress bar writes its step again and again.
            points[-1] = (step, value)
            return
        every = self._every.setdefault(name, 1)
        if len(points) >= _MOST_POINTS:
            del points[1::2]
            every = self._every[name] = 2 * every
        if points and seen % every:
            # The last value is always there.
            points[-1] = (step, value)
        else:
            points.append((step, value))


def svg(series: MetricSeries) -> str:
    """Return a plot of metrics over their steps.

    Args:
        series: The metrics.

    Returns:
        An `<svg>` whose texts and axes have the colour of the text around it.

    """
    drawn = {name: points for name, points in series.points.items() if len(points) > 1}
    steps = [step for points in drawn.values() for step, _ in points]
    values = [value for points in drawn.values() for _, value in points]
    first, last, low, high = min(steps), max(steps), min(values), max(values)
    if low == high:
        low, high = low - abs(low or 1.0) / 2, high + abs(high or 1.0) / 2

    def place(step: int, value: float) -> str:
        x = _LEFT + (_WIDTH - _LEFT - _RIGHT) * (step - first) / max(last - first, 1)
        y = _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - (value - low) / (high - low))
        return f"{x:.1f},{y:.1f}"

    foot = _HEIGHT - _BOTTOM
    parts = [
        f'<path d="M{_LEFT} {_TOP}V{foot}H{_WIDTH - _RIGHT}" fill="none" stroke="currentColor" opacity="0.4"/>',
        _text(_LEFT - 6, _TOP + 8, f"{high:.5g}", "end"),
        _text(_LEFT - 6, foot, f"{low:.5g}", "end"),
        _text(_LEFT, _HEIGHT - 6, str(first), "start"),
        _text(_WIDTH - _RIGHT, _HEIGHT - 6, str(last), "end"),
    ]
    for number, points in enumerate(drawn.values()):
        dash = f' stroke-dasharray="{_DASHES[number]}"' if _DASHES[number] else ""
        line = " ".join(place(step, value) for step, value in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{_COLOURS[number]}" stroke-width="2"{dash}/>')
    label = escape(f"{', '.join(drawn)} from step {first} to step {last}", quote=True)
    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}"'
    plot = f'<svg {size} role="img" aria-label="{label}" style="max-width:100%;height:auto">{"".join(parts)}</svg>'
    return f"<div>{plot}</div><div>{_legend(list(drawn), series.last)}</div>"


def _text(x: int, y: int, text: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="11" fill="currentColor">{text}</text>'


def _legend(names: Sequence[str], last: Mapping[str, float]) -> str:
    entries = []
    for number, name in enumerate(names):
        dash = f' stroke-dasharray="{_DASHES[number]}"' if _DASHES[number] else ""
        line = f'<line x1="0" y1="5" x2="24" y2="5" stroke="{_COLOURS[number]}" stroke-width="2"{dash}/>'
        mark = f'<svg width="24" height="10" aria-hidden="true">{line}</svg>'
        entries.append(
            f'<span style="margin-right:1.2em;white-space:nowrap">{mark} {escape(name)} {last[name]:.6g}</span>'
        )
    return "".join(entries)
