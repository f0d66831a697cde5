"""The whole check with 200 ms on every call, against its slowest single check run alone with what that builds on."""

from __future__ import annotations

import logging
import statistics
import time
import uuid
from typing import TYPE_CHECKING

from table import Row

from fairing_az_jupyter.preflight.checklist import all_checks
from fairing_az_jupyter.preflight.runner import run_checks
from tests.preflight.scene import Scene
from tests.stand import close_shared, shared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairing_az_jupyter.models import CheckResult
    from fairing_az_jupyter.preflight.runner import Check

DELAY_MILLISECONDS = 200
RUNS = 5
CANDIDATES = 3
PROMISE = 1.3
LONGEST = 15.0
SERVICES = ("kubernetes", "entra", "arm", "blob", "registry", "public")


def rows() -> list[Row]:
    """Measure both, turn by turn, on the real servers; then let everything hang."""
    logging.disable(logging.WARNING)
    stand = shared()
    try:
        with stand.names.here():
            setup = stand.correct_setup(f"bench-{uuid.uuid4().hex[:8]}")
            scene = Scene.of(stand, setup)
            _timed(all_checks(scene.subject()))  # loads what is loaded once
            fronts = [getattr(stand, f"{service}_front") for service in SERVICES]
            for front in fronts:
                front.delay(DELAY_MILLISECONDS)
            _, results = _timed(all_checks(scene.subject()))
            slowest = sorted(results, key=lambda result: result.duration)[-CANDIDATES:]
            whole: list[float] = []
            alone: dict[str, list[float]] = {result.check: [] for result in slowest}
            for _ in range(RUNS):
                whole.append(_timed(all_checks(scene.subject()))[0])
                for name, times in alone.items():
                    times.append(_timed(_alone(name, all_checks(scene.subject())))[0])
            medians = {name: statistics.median(times) for name, times in alone.items()}
            name = max(medians, key=lambda each: medians[each])
            hanging = []
            for front in fronts:
                stand.reset()
                front.hang()
                hanging.append(_timed(all_checks(scene.subject()))[0])
            stand.reset()
    finally:
        logging.disable(logging.NOTSET)
        close_shared()
    return [
        Row(
            "check everything, 200 ms more on each call",
            statistics.median(whole),
            medians[name],
            f"{name} alone",
            "s",
            PROMISE,
        ),
        Row("check everything while a service hangs", max(hanging), LONGEST, "15 s", "s", 1.0),
    ]


def _timed(checks: Sequence[Check]) -> tuple[float, list[CheckResult]]:
    start = time.perf_counter()
    results = list(run_checks(checks))
    return time.perf_counter() - start, results


def _alone(name: str, checks: Sequence[Check]) -> list[Check]:
    """Return a check and all that it builds on."""
    known = {check.id: check for check in checks}
    wanted, waiting = dict[str, "Check"](), [name]
    while waiting:
        check = known[waiting.pop()]
        wanted[check.id] = check
        waiting += check.awaits
    return list(wanted.values())


if __name__ == "__main__":
    for row in rows():
        print(f"{row.name}: {row.ours:.3f} {row.unit}, {row.against}: {row.theirs:.3f} {row.unit}, {row.figure:.2f}")
