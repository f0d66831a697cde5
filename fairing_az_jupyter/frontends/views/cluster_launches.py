"""The trainings of a namespace as a table: a row for each, in 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairing_az_jupyter.frontends.views.checks import check_report
from fairing_az_jupyter.frontends.views.run_lists import cut, short_time
from fairing_az_jupyter.frontends.views.runs import short
from fairing_az_jupyter.frontends.views.tables import Table
from fairing_az_jupyter.outputs.listing import printable, readable_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairing_az_jupyter.models import ClusterLaunch

__all__ = ["lines_of_cluster_launches", "of_cluster_launches"]

_TITLES = ("JOB", "CLASS", "STATE", "WHO", "WHEN", "SIZE")
_EMPTY = "No training was launched in this namespace whose files are kept."
_LONGEST = 40
_GAP = 2
_SHORTEST = 8


def of_cluster_launches(found: Sequence[ClusterLaunch], notes: Sequence[str] = ()) -> Table:
    """Return launches, as they come.

    Args:
        found: The launches.
        notes: What else there is to say.

    """
    errors = [f"{each.name}: {_raised(each)}" for each in found if each.raised]
    return Table(_TITLES, [_cells(each, _LONGEST, _LONGEST) for each in found], [*errors, *notes], _EMPTY)


def lines_of_cluster_launches(found: Sequence[ClusterLaunch], columns: int) -> list[str]:
    """Return launches as lines for a terminal; what one has raised stands below it.

    Args:
        found: The launches.
        columns: The width of the terminal.

    """
    rows = [_cells(each, _LONGEST, _LONGEST) for each in found]
    widths = [max(len(row[at]) for row in [_TITLES, *rows]) for at in range(len(_TITLES))]
    left = columns - sum(widths[at] for at in (0, 2, 4, 5)) - _GAP * (len(_TITLES) - 1)
    who = min(widths[3], max(_SHORTEST, left // 2, left - widths[1]))
    task = min(widths[1], max(_SHORTEST, left - who))
    head, *lines = Table(_TITLES, [_cells(each, task, who) for each in found], (), _EMPTY).lines()
    shown = [head]
    for each, line in zip(found, lines, strict=False):
        shown.append(line)
        if each.raised:
            shown.append(f"  {short(_raised(each), max(columns - _GAP, _SHORTEST))}")
    return shown


def _cells(found: ClusterLaunch, task: int, who: int) -> tuple[str, ...]:
    what = found.label or found.task or found.notebook or "-"
    owner = f"{found.owner or '-'}{' (you)' if found.own else ''}"
    size = "-" if found.size is None else readable_size(found.size)
    return (
        found.name,
        cut(printable(what), task),
        found.state,
        cut(printable(owner), who),
        short_time(found.created),
        size,
    )


def _raised(found: ClusterLaunch) -> str:
    return " ".join(check_report.line(found.raised).split())
