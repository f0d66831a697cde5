"""How each point of a sweep stands, and what is to be done about it: everything else follows from the records."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fairing_az_jupyter import machine
from fairing_az_jupyter.records import layout
from fairing_az_jupyter.sweeps.plans import attempt_of, run_id
from fairing_az_jupyter.sweeps.pruned import kept_ends

if TYPE_CHECKING:
    from fairing_az_jupyter.models import RunInfo
    from fairing_az_jupyter.records import RunStore
    from fairing_az_jupyter.sweeps.plans import SweepPlan, SweepPoint

Action = Literal["begin", "begin-again", "await", "leave"]


@dataclasses.dataclass(frozen=True)
class Step:
    """What is to be done about one point.

    Args:
        point: The point.
        action: `begin` a run, `begin-again` one that was lost, `await` one that another process executes, or
            `leave` it as it has ended.
        run: The run's identifier.
        retry_of: The run that it repeats; empty if none.

    """

    point: SweepPoint
    action: Action
    run: str
    retry_of: str = ""


def newest_runs(store: RunStore, plan: SweepPlan) -> dict[int, RunInfo]:
    """Return the newest run of each point that has any, by the points' numbers; also one whose record was deleted.

    Args:
        store: The records.
        plan: The sweep.

    Raises:
        InputError: The records can't be read.

    """
    points = {point.number for point in plan.points}
    return _newest([*store.list(sweep=plan.id), *kept_ends(store, plan.id)], plan.id, points)


def _newest(runs: list[RunInfo], sweep: str, points: set[int]) -> dict[int, RunInfo]:
    found: dict[int, tuple[int, RunInfo]] = {}
    for info in runs:
        number = info.point
        if number is None or number not in points:
            continue
        attempt = attempt_of(info.id, sweep, number)
        if attempt > found.get(number, (0, None))[0]:
            found[number] = (attempt, info)
    return {number: info for number, (_, info) in found.items()}


def step_of(plan: SweepPlan, point: SweepPoint, info: RunInfo | None, *, retry_failed: bool = False) -> Step:
    """Return what is to be done about a point.

    What has ended is left alone, with two exceptions: with `retry_failed`, what has not succeeded gets a new record;
    and so does always what stopped with its sweep, for nobody has decided that this point is not wanted.

    Args:
        plan: The sweep.
        point: The point.
        info: Its newest run; None if it has none.
        retry_failed: Whether to run again what has failed or was cancelled.

    """
    if info is None:
        return Step(point, "begin", point.run)
    if not info.has_ended:
        return Step(point, "begin-again" if is_left(info) else "await", info.id)
    stopped = info.state == "cancelled" and not (Path(info.folder) / layout.CANCEL).exists()
    if stopped or (retry_failed and info.state != "succeeded"):
        attempt = attempt_of(info.id, plan.id, point.number) + 1
        return Step(point, "begin", run_id(plan.id, point.number, attempt), info.id)
    return Step(point, "leave", info.id)


def is_left(info: RunInfo) -> bool:
    """Tell whether a run that has not ended has nobody who executes it any more.

    Who makes the record of a sweep's run executes it himself, so that one that waits for a process that is gone is
    found out at once.
    """
    if info.state != "waiting" or info.place != "here":
        return info.state == "lost"
    with contextlib.suppress(OSError, ValueError, AttributeError):
        made_by = json.loads((Path(info.folder) / layout.REQUEST).read_bytes()).get("asked_by")
        return machine.is_gone(str(made_by or ""))
    return False
