"""A sweep with nothing left open: every point with its run's identifier and request."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.models import RunRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FORMAT = 1


@dataclasses.dataclass(frozen=True)
class SweepPoint:
    """One point of a sweep.

    Args:
        number: Its number, from 1.
        run: The identifier of its run, so that there can be one record of it only.
        request: The run.

    """

    number: int
    run: str
    request: RunRequest


@dataclasses.dataclass(frozen=True)
class SweepPlan:
    """A sweep with every point checked.

    Args:
        id: Its identifier, in the form of a run's.
        notebook: The notebook as it was named.
        kind: Where its points come from: `grid`, `list`, `csv` or `sample`.
        varied: The names of the parameters that the points give, in order.
        points: The points.
        seed: The seed of a sample; None without one.
        notes: What a user should know of the points.
        created: When it was planned, in seconds since 1970-01-01 UTC.

    """

    id: str
    notebook: str
    kind: str
    varied: tuple[str, ...]
    points: tuple[SweepPoint, ...]
    seed: int | None = None
    notes: tuple[str, ...] = ()
    created: float = 0.0

    def runs(self) -> list[tuple[str, RunRequest]]:
        """Return the identifier and the request of every run, for whatever executes them."""
        return [(point.run, point.request) for point in self.points]

    def to_dict(self) -> dict[str, object]:
        """Return the plan as values that any JSON parser reads; what all points have in common stands there once."""
        requests = [point.request.to_dict() for point in self.points]
        shared = _shared([dict(point.request.parameters) for point in self.points])
        return {
            "format": FORMAT,
            "id": self.id,
            "created": self.created,
            "notebook": self.notebook,
            "kind": self.kind,
            "seed": self.seed,
            "varied": list(self.varied),
            "notes": list(self.notes),
            "request": {**requests[0], "output": None, "parameters": shared},
            "points": [
                {
                    "point": point.number,
                    "run": point.run,
                    "output": point.request.output,
                    "parameters": {key: value for key, value in point.request.parameters.items() if key not in shared},
                }
                for point in self.points
            ],
        }

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> SweepPlan:
        """Return the plan that `to_dict` has given.

        Raises:
            KeyError: A part is missing.
            TypeError: A part is something else.

        """
        base = RunRequest.from_dict(found["request"])
        points = tuple(
            SweepPoint(
                int(point["point"]),
                str(point["run"]),
                dataclasses.replace(
                    base, output=point["output"], parameters={**base.parameters, **point["parameters"]}
                ),
            )
            for point in found["points"]
        )
        return cls(
            id=str(found["id"]),
            notebook=str(found["notebook"]),
            kind=str(found["kind"]),
            varied=tuple(found["varied"]),
            points=points,
            seed=found.get("seed"),
            notes=tuple(found.get("notes") or ()),
            created=float(found.get("created") or 0.0),
        )


def run_id(sweep: str, number: int, attempt: int = 1) -> str:
    """Return the identifier of a point's run.

    Args:
        sweep: The sweep's identifier.
        number: The point's number.
        attempt: Which of its runs: 1, or more where one that had ended is run again.

    """
    return f"{sweep}-{number:04d}" + (f"-r{attempt}" if attempt > 1 else "")


def attempt_of(run: str, sweep: str, number: int) -> int:
    """Return which of a point's runs one is; 0 if it is none of them."""
    first = run_id(sweep, number)
    if run == first:
        return 1
    rest = run.removeprefix(f"{first}-r")
    return int(rest) if rest != run and rest.isascii() and rest.isdigit() else 0


def key_of(parameters: Mapping[str, object]) -> str:
    """Return what two points have in common that are the same: 1, 1.0 and True are not."""
    return json.dumps(parameters, sort_keys=True, default=repr)


def _shared(given: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """Return the parameters that all have, with the same values."""
    first = given[0]
    return {
        name: value
        for name, value in first.items()
        if all(name in other and key_of({"": other[name]}) == key_of({"": value}) for other in given)
    }
