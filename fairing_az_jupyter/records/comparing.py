"""What tells runs apart: the parameters that differ, what they reported, how they ended."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairing_az_jupyter.models import RunInfo

MISSING = "-"


@dataclasses.dataclass(frozen=True)
class RunTable:
    """Runs beside each other.

    Args:
        runs: The runs.
        parameters: The names of parameters that are not the same in all.
        metrics: The names of what any has reported, in the order in which it first was.
        rows: For each run its parameters, then its metrics, in the order of the names; None where it has none.

    """

    runs: tuple[RunInfo, ...]
    parameters: tuple[str, ...]
    metrics: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]

    def to_dict(self) -> dict[str, object]:
        """Return the table as values that any JSON parser reads."""
        return {
            "parameters": list(self.parameters),
            "metrics": list(self.metrics),
            "runs": [run.to_dict() for run in self.runs],
        }


def compare(runs: Sequence[RunInfo], *, parameters: Sequence[str] | None = None) -> RunTable:
    """Put runs beside each other.

    Args:
        runs: The runs.
        parameters: The names of the parameters to show; None for those that are not the same in all.

    Returns:
        The table.

    """
    names = list(dict.fromkeys(name for run in runs for name in run.parameters))
    shown = tuple(parameters) if parameters is not None else tuple(name for name in names if _differs(runs, name))
    metrics = tuple(dict.fromkeys(name for run in runs for name in run.metrics))
    rows = tuple(
        (*(run.parameters.get(name) for name in shown), *(run.metrics.get(name) for name in metrics)) for run in runs
    )
    return RunTable(tuple(runs), shown, metrics, rows)


def _differs(runs: Sequence[RunInfo], name: str) -> bool:
    values = [(name in run.parameters, repr(run.parameters.get(name))) for run in runs]
    return any(value != values[0] for value in values)
