"""Sweeps as they were asked for, with every point checked as if it were a run of its own; nothing is written here."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter import parameters
from fairing_az_jupyter.exceptions import FairingAzureError, InputError, ParameterError
from fairing_az_jupyter.records import layout
from fairing_az_jupyter.services.planning import plan_run
from fairing_az_jupyter.services.remote_files import downloaded, read_notebook
from fairing_az_jupyter.sweeps.plans import SweepPlan, SweepPoint, key_of, run_id
from fairing_az_jupyter.sweeps.points import Axis, GivenPoint, GivenPoints, PointsRequest, Range, gather

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fairing_az_jupyter.models import RunRequest
    from fairing_az_jupyter.services.session import Session


@dataclasses.dataclass(frozen=True)
class PlannedSweep:
    """A sweep that could begin, and the notebook that its points run.

    Args:
        plan: The sweep.
        notebook: The notebook's bytes.

    """

    plan: SweepPlan
    notebook: bytes


def plan_sweep(
    session: Session,
    notebook: str,
    points: PointsRequest,
    *,
    pairs: Sequence[tuple[str, str]] = (),
    values: Mapping[str, object] | None = None,
    parameters_file: str | None = None,
    output_folder: str | None = None,
    **options: Any,  # noqa: ANN401 - handed on to plan_run
) -> PlannedSweep:
    """Return the sweep that was asked for, with every point checked; nothing is written.

    Args:
        session: The settings in force, the records and the cluster.
        notebook: Path or URL of the notebook.
        points: Which points it has.
        pairs: Parameters of all points, as texts.
        values: Parameters of all points, as Python has them.
        parameters_file: Path or URL of a YAML or JSON file with parameters of all points.
        output_folder: Folder or URL that gets the executed notebooks, by the numbers of their points; None for the
            records only.
        **options: `from_run`, and arguments of `RunRequest`: see `plan_run`.

    Raises:
        InputError: A point can't run as it was asked for; the message names it. Or there are no points, or too many.

    """
    from fairing_az_jupyter.runs.places.addresses import is_remote, shown  # noqa: PLC0415 - with all that reads elsewhere

    given = _given(session, points)
    _check_conflicts(given, [*(name for name, _ in pairs), *(values or {})])
    places = session.places()
    try:
        data = read_notebook(places, notebook)
    finally:
        places.close()
    named = shown(notebook)
    absolute = notebook if is_remote(notebook) else os.path.abspath(notebook)  # noqa: PTH100 - links stay
    created = time.time()
    sweep = layout.new_run_id(named, created)
    with _snapshot(data) as copy, contextlib.ExitStack() as here:
        if parameters_file is not None:
            parameters_file = here.enter_context(downloaded(session, parameters_file))
        base = {"parameters_file": parameters_file, "snapshot": copy, **options}
        planner = _Planner(session, notebook, tuple(pairs), values or {}, base)
        requests, notes = planner.plan(given)
        requests = [
            _settled(request, absolute, shown(absolute), _output(output_folder, number))
            for number, request in enumerate(requests, start=1)
        ]
        _check_start(requests[0], copy)
    plan = SweepPlan(
        sweep,
        named,
        given.kind,
        given.varied,
        tuple(SweepPoint(number, run_id(sweep, number), request) for number, request in enumerate(requests, start=1)),
        seed=given.seed,
        notes=(*given.notes, *notes),
        created=created,
    )
    return PlannedSweep(plan, data)


def sweep_points(
    *,
    grid: Sequence[Sequence[str]] = (),
    choices: Sequence[Sequence[str]] = (),
    ranges: Sequence[Sequence[str]] = (),
    **others: Any,  # noqa: ANN401 - handed on to PointsRequest
) -> PointsRequest:
    """Return the points that a command line asks for.

    Args:
        grid: For each parameter its name and its values.
        choices: Likewise.
        ranges: For each parameter its name, the smallest and the largest number, and `log` or `int` or both.
        **others: See `PointsRequest`.

    Raises:
        ParameterError: A range can't be understood.

    """
    return PointsRequest(
        grid=[Axis(words[0], words[1:]) for words in grid],
        choices=[Axis(words[0], words[1:]) for words in choices],
        ranges=[Range.parse(words) for words in ranges],
        **others,
    )


class _Planner:
    """Plans one point after the other, with what all of them have in common."""

    def __init__(
        self,
        session: Session,
        notebook: str,
        pairs: tuple[tuple[str, str], ...],
        values: Mapping[str, object],
        base: dict[str, Any],
    ) -> None:
        self._session = session
        self._notebook, self._pairs, self._values, self._base = notebook, pairs, values, base

    def plan(self, given: GivenPoints) -> tuple[list[RunRequest], list[str]]:
        """Return the requests of all points that differ, and what to tell of the others."""
        from fairing_az_jupyter.runs.places.addresses import shown  # noqa: PLC0415 - as above

        read = parameters.read_parameters(self._base["snapshot"], shown=shown(self._notebook))
        declared = {name: said.type for name, said in read.declared.items()}
        found: dict[str, RunRequest] = {}
        for number, point in enumerate(given.points, start=1):
            request = self._checked(point, number, given, read.values, declared)
            key = key_of(request.parameters)
            found.setdefault(key if given.distinct else f"{number}", request)
        folded = len(given.points) - len(found)
        several = "point is" if folded == 1 else "points are"
        notes = [f"{folded} {several} duplicates and run only once."] if folded else []
        return list(found.values()), notes

    def _checked(
        self,
        point: GivenPoint,
        number: int,
        given: GivenPoints,
        defaults: Mapping[str, object],
        declared: Mapping[str, str],
    ) -> RunRequest:
        from fairing_az_jupyter.runs.parameters.types import value_of_file, value_of_text  # noqa: PLC0415 - as above

        values = {**self._values, **point.values}
        if given.kind == "list":
            # YAML takes 1e-3 for a text; where the notebook's own value is a number, it is intended as one.
            values = {
                name: value_of_text(name, value, defaults, declared)
                if isinstance(value, str) and type(defaults.get(name)) in {int, float}
                else value_of_file(name, value, defaults, declared)
                for name, value in values.items()
            }
        # A value counts before a text, and what a point says before what all have in common.
        named = {name for name, _ in point.pairs}
        values = {name: value for name, value in values.items() if name not in named}
        try:
            return plan_run(
                self._session, self._notebook, pairs=(*self._pairs, *point.pairs), values=values, **self._base
            )
        except FairingAzureError as error:
            common = self._problem_of_all()
            if common is not None and common.message == error.message:
                raise
            where = f" ({point.origin})" if point.origin else ""
            kind = ParameterError if isinstance(error, ParameterError) else InputError
            whole = " Of whole numbers: --range NAME LOW HIGH int" if given.kind == "sample" else ""
            raise kind(
                f"Point {number} of {len(given.points)}{where}: {error.message}",
                hint=f"{error.hint}{whole}",
                code=error.code,
            ) from error

    def _problem_of_all(self) -> FairingAzureError | None:
        """Return what is wrong without any point."""
        try:
            plan_run(self._session, self._notebook, pairs=self._pairs, values=self._values, **self._base)
        except FairingAzureError as error:
            return error
        return None


def _given(session: Session, points: PointsRequest) -> GivenPoints:
    """Return the points that were asked for, whose files may be elsewhere."""
    with contextlib.ExitStack() as here:
        shown: dict[str, str] = {}
        changes: dict[str, str] = {}
        for field in ("list_file", "csv_file"):
            path = getattr(points, field)
            if path is not None:
                changes[field] = here.enter_context(downloaded(session, path))
                shown[changes[field]] = path
        return gather(dataclasses.replace(points, **changes), shown=shown)  # type: ignore[arg-type]


def _check_conflicts(given: GivenPoints, fixed: Sequence[str]) -> None:
    both = [name for name in given.varied if name in fixed]
    if both and given.distinct:
        raise ParameterError(
            f"'{both[0]}' is varied by the sweep and also has a fixed value.",
            hint=f"Omit one of them: -p {both[0]} gives it to all points.",
            code="sweep-points",
        )


def _settled(request: RunRequest, notebook: str, shown: str, output: str | None) -> RunRequest:
    """Return a request that means the same in whatever folder the sweep is gone on with."""
    from fairing_az_jupyter.runs.places.addresses import is_remote  # noqa: PLC0415 - as above

    cwd = request.cwd
    if cwd is not None:
        cwd = os.path.abspath(cwd)  # noqa: PTH100 - links stay
    elif is_remote(notebook):
        cwd = str(Path.cwd())
    return dataclasses.replace(request, notebook=shown, cwd=cwd, output=output)


def _output(folder: str | None, number: int) -> str | None:
    from fairing_az_jupyter.runs.places.addresses import is_remote  # noqa: PLC0415 - as above

    if folder is None:
        return None
    base = folder.rstrip("/") if is_remote(folder) else os.path.abspath(folder)  # noqa: PTH100 - links stay
    return f"{base}/{number:04d}.ipynb"


def _check_start(request: RunRequest, copy: str) -> None:
    """Reject what would fail in every run: a kernel that is not there, limits, the working directory."""
    from fairing_az_jupyter.runs.execution.checks import plan  # noqa: PLC0415 - as above

    plan(dataclasses.replace(request, output=None), copy)


@contextlib.contextmanager
def _snapshot(data: bytes) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="fairing-az-") as folder:
        copy = Path(folder) / "notebook.ipynb"
        copy.write_bytes(data)
        yield str(copy)
