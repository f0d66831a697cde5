"""What tells runs apart: what they were made of, the parameters that differ, what they reported, how they ended."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

from fairing_az_jupyter.models import Provenance

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fairing_az_jupyter.models import RunInfo

MISSING = "-"

Aspect = Literal["code", "data", "image", "packages", "settings"]
Change = Literal["added", "removed", "changed"]

_FIELDS: Sequence[tuple[Aspect, str, Callable[[Provenance], object]]] = (
    ("code", "digest", lambda made: made.code),
    ("code", "commit", lambda made: made.git),
    ("data", "job", lambda made: made.from_job),
    ("image", "name", lambda made: made.image),
    ("image", "digest", lambda made: made.image_digest),
    ("packages", "python", lambda made: made.python),
)


@dataclasses.dataclass(frozen=True)
class Made:
    """What one run was made of.

    Args:
        provenance: What its record tells.
        packages: The versions of the installed packages, by name.

    """

    provenance: Provenance = dataclasses.field(default_factory=Provenance)
    packages: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Difference:
    """Something that runs were made of and that is not the same in all.

    Args:
        aspect: What it belongs to.
        name: What it is: `digest`, `commit`, the path of a file, the name of a package or of a setting.
        change: What has become of it from the first run to the last.
        values: What each run has; None where it has none, or its record does not tell.

    """

    aspect: Aspect
    name: str
    change: Change
    values: tuple[str | None, ...]

    def to_dict(self) -> dict[str, object]:
        """Return the difference as values that any JSON parser reads."""
        return {**dataclasses.asdict(self), "values": list(self.values)}


@dataclasses.dataclass(frozen=True)
class RunTable:
    """Runs beside each other.

    Args:
        runs: The runs.
        parameters: The names of parameters that are not the same in all.
        metrics: The names of what any has reported, in the order in which it first was.
        rows: For each run its parameters, then its metrics, in the order of the names; None where it has none.
        differences: What they were made of, as far as it is not the same in all.
        unknown: The runs whose records do not tell what they were made of.

    """

    runs: tuple[RunInfo, ...]
    parameters: tuple[str, ...]
    metrics: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    differences: tuple[Difference, ...] = ()
    unknown: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Return the table as values that any JSON parser reads."""
        return {
            "parameters": list(self.parameters),
            "metrics": list(self.metrics),
            "runs": [run.to_dict() for run in self.runs],
            "differences": [each.to_dict() for each in self.differences],
            "unknown": list(self.unknown),
        }


def compare(
    runs: Sequence[RunInfo], *, parameters: Sequence[str] | None = None, made: Sequence[Made] | None = None
) -> RunTable:
    """Put runs beside each other.

    Args:
        runs: The runs.
        parameters: The names of the parameters to show; None for those that are not the same in all.
        made: What each run was made of; None where that does not matter.

    Returns:
        The table.

    """
    names = list(dict.fromkeys(name for run in runs for name in run.parameters))
    shown = tuple(parameters) if parameters is not None else tuple(name for name in names if _differs(runs, name))
    metrics = tuple(dict.fromkeys(name for run in runs for name in run.metrics))
    rows = tuple(
        (*(run.parameters.get(name) for name in shown), *(run.metrics.get(name) for name in metrics)) for run in runs
    )
    if made is None:
        return RunTable(tuple(runs), shown, metrics, rows)
    nothing = Provenance()
    unknown = tuple(run.id for run, each in zip(runs, made, strict=True) if each.provenance == nothing)
    return RunTable(tuple(runs), shown, metrics, rows, tuple(_differences(made)), unknown)


def _differs(runs: Sequence[RunInfo], name: str) -> bool:
    values = [(name in run.parameters, repr(run.parameters.get(name))) for run in runs]
    return any(value != values[0] for value in values)


def _differences(made: Sequence[Made]) -> list[Difference]:
    provenances = [each.provenance for each in made]
    found = [_difference(aspect, name, [value(each) for each in provenances]) for aspect, name, value in _FIELDS]
    found += _by_name(
        "data",
        [
            {file.path: f"{file.sha256} {file.size}" for file in (*each.inputs, *each.from_files)}
            for each in provenances
        ],
    )
    # A run that does not tell its packages has not removed them all.
    if all(each.packages for each in made):
        found += _by_name("packages", [each.packages for each in made])
    found += _by_name("settings", [each.settings for each in provenances])
    order: Sequence[Aspect] = ("code", "data", "image", "packages", "settings")
    return sorted((each for each in found if each is not None), key=lambda each: order.index(each.aspect))


def _by_name(aspect: Aspect, values: Sequence[Mapping[str, object]]) -> list[Difference | None]:
    names = sorted({name for each in values for name in each})
    return [_difference(aspect, name, [each.get(name) for each in values]) for name in names]


def _difference(aspect: Aspect, name: str, values: Sequence[object]) -> Difference | None:
    texts = tuple(None if value in (None, "") else str(value) for value in values)
    if len(set(texts)) < 2:  # noqa: PLR2004 - no two differ
        return None
    change: Change = "changed"
    if texts[0] is None or texts[-1] is None:
        change = "added" if texts[0] is None else "removed"
    return Difference(aspect, name, change, texts)
