"""Measure everything that is promised, and print it as one table.

    python benchmarks/run.py [FILE] [NAME ...]

Writes the table to FILE too. NAMEs choose modules, such as `imports` for bench_imports.py.
"""

from __future__ import annotations

import importlib
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import fairing_az_jupyter.fairing  # noqa: F401 - Fairing's own names, which the modules here import

if TYPE_CHECKING:
    from collections.abc import Sequence

    from table import Row

HERE = Path(__file__).parent
TITLES = ("what", "ours", "against", "theirs", "promised", "seen", "kept")
BOUNDS = {"ratio": "ratio at most {}", "speedup": "at least {} times faster", "difference": "at most {} {unit} more"}


def main(arguments: Sequence[str]) -> int:
    """Run the chosen benchmarks; the exit code is 1 if a promise was not kept."""
    chosen = arguments[1:] or sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    rows: list[Row] = []
    for name in chosen:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        rows += importlib.import_module(f"bench_{name}").rows()
    table = "\n".join(_lines(rows))
    print(table)
    if arguments:
        Path(arguments[0]).write_text(table + "\n", encoding="utf-8")
    return 0 if all(row.kept for row in rows) else 1


def _lines(rows: Sequence[Row]) -> list[str]:
    cells = [TITLES, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(TITLES))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in cells
    ]
    ruler = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    machine = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    return [machine, "", lines[0], ruler, *lines[1:]]


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.name,
        _amount(row.ours, row.unit),
        row.against,
        _amount(row.theirs, row.unit),
        BOUNDS[row.kind].format(row.promise, unit=row.unit),
        f"{row.figure:.2f}",
        "yes" if row.kept else "NO",
    )


def _amount(value: float, unit: str) -> str:
    counted = unit not in {"s", "MB"} and float(value).is_integer()
    return f"{value:.0f} {unit}" if counted else f"{value:.3f} {unit}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
