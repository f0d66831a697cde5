"""Which points a sweep has: a grid, a list, the rows of a CSV file, or a random sample."""

from __future__ import annotations

import dataclasses
import itertools
import math
import random
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import InputError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairing_az_jupyter.sweeps.point_files import Row

MOST_POINTS = 10_000
"""So many runs can still be listed within a second."""

_DRAWS_PER_POINT = 50
_DIGITS = 6
_MODES = ("log", "int")


@dataclasses.dataclass(frozen=True)
class Axis:
    """One parameter and the values that it takes.

    Args:
        name: The parameter.
        values: Its values: texts as typed on a command line, or values as Python has them.
        typed: Whether they are texts that the notebook's cell says how to read.

    """

    name: str
    values: Sequence[object]
    typed: bool = True


@dataclasses.dataclass(frozen=True)
class Range:
    """One parameter and the numbers among which its values are drawn.

    Args:
        name: The parameter.
        low: The smallest number.
        high: The largest; it is drawn too.
        log: Whether each order of magnitude is as likely as any other.
        whole: Whether whole numbers are drawn.

    """

    name: str
    low: float
    high: float
    log: bool = False
    whole: bool = False

    @classmethod
    def parse(cls, words: Sequence[str]) -> Range:
        """Return the range that a command line tells: NAME LOW HIGH, and `log` or `int` or both.

        Raises:
            ParameterError: A word is missing, is not a number, or is not known.

        """
        usage = "Write: --range NAME LOW HIGH, with 'log' or 'int' or both behind it."
        if len(words) < 3:  # noqa: PLR2004 - name, low and high
            raise ParameterError("A range needs a name and two numbers.", hint=usage, code="sweep-points")
        name, *bounds = words[:3]
        unknown = [word for word in words[3:] if word not in _MODES]
        if unknown:
            raise ParameterError(
                f"The range of '{name}' can't be '{unknown[0]}'; it can be log or int.", hint=usage, code="sweep-points"
            )
        try:
            low, high = (_number(text) for text in bounds)
        except ValueError:
            raise ParameterError(
                f"The range of '{name}' goes from '{bounds[0]}' to '{bounds[1]}'; both have to be finite numbers.",
                hint=usage,
                code="sweep-points",
            ) from None
        return cls(name, low, high, log="log" in words[3:], whole="int" in words[3:])

    def check(self) -> None:
        """Raise a ParameterError if nothing can be drawn from it."""
        flaw = ""
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            flaw = "its ends have to be finite numbers"
        elif self.low > self.high:
            flaw = "the smaller number comes first"
        elif self.log and self.low <= 0:
            flaw = "a logarithmic range has numbers above 0 only"
        elif self.whole and math.ceil(self.low) > math.floor(self.high):
            flaw = "it contains no whole number"
        if flaw:
            raise ParameterError(
                f"Nothing can be drawn from the range of '{self.name}', {self.low:g} to {self.high:g}: {flaw}.",
                hint="Write: --range NAME LOW HIGH [log] [int]",
                code="sweep-points",
            )

    def draw(self, chance: random.Random) -> float | int:
        """Return one number of the range."""
        if self.whole and not self.log:
            return chance.randint(math.ceil(self.low), math.floor(self.high))
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        drawn = chance.uniform(low, high)
        number = math.exp(drawn) if self.log else drawn
        if self.whole:
            return min(max(round(number), math.ceil(self.low)), math.floor(self.high))
        # More digits than anybody reads would stand in every table.
        return min(max(float(f"{number:.{_DIGITS}g}"), self.low), self.high)


@dataclasses.dataclass(frozen=True)
class PointsRequest:
    """The points as they were asked for; exactly one of the four kinds.

    Args:
        grid: Each combination of the values of these.
        rows: A list of parameters by name.
        list_file: A YAML or JSON file with such a list.
        csv_file: A CSV file: a header with names, a row for each point.
        sample: How many points to draw from `ranges` and `choices`.
        ranges: What numbers are drawn from.
        choices: What other values are drawn from.
        seed: Makes the same draw again; None for a new one.

    """

    grid: Sequence[Axis] = ()
    rows: Sequence[Mapping[str, object]] | None = None
    list_file: str | None = None
    csv_file: str | None = None
    sample: int | None = None
    ranges: Sequence[Range] = ()
    choices: Sequence[Axis] = ()
    seed: int | None = None


@dataclasses.dataclass(frozen=True)
class GivenPoint:
    """One point before the notebook has said what its texts mean.

    Args:
        pairs: Names and texts, as `-p` has them.
        values: Values by name.
        origin: Where it stands, such as `points.csv, line 3`.

    """

    pairs: tuple[tuple[str, str], ...] = ()
    values: Mapping[str, object] = dataclasses.field(default_factory=dict)
    origin: str = ""


@dataclasses.dataclass(frozen=True)
class GivenPoints:
    """All points of a sweep as they were given.

    Args:
        kind: `grid`, `list`, `csv` or `sample`.
        points: The points.
        varied: The names that any point gives, in order.
        seed: The seed of a sample.
        notes: What a user should know of them.
        distinct: Whether two points that turn out the same are one.

    """

    kind: str
    points: tuple[GivenPoint, ...]
    varied: tuple[str, ...]
    seed: int | None = None
    notes: tuple[str, ...] = ()
    distinct: bool = False


def gather(asked: PointsRequest, *, shown: Mapping[str, str] | None = None) -> GivenPoints:
    """Return the points that were asked for.

    Args:
        asked: What was asked for; its files are read here.
        shown: What messages call the files, by path, where they are copies.

    Raises:
        InputError: Nothing says which points, several things do, there are none or too many, or a file can't be read.

    """
    given = {
        "--grid": bool(asked.grid),
        "--list": asked.rows is not None or asked.list_file is not None,
        "--csv": asked.csv_file is not None,
        "--sample": asked.sample is not None,
    }
    named = [name for name, is_given in given.items() if is_given]
    if asked.sample is None and (asked.ranges or asked.choices):
        raise InputError(
            "Ranges and choices need a sample, but none is requested.",
            hint="Give the number of points to draw: --sample N",
            code="sweep-points",
        )
    if len(named) != 1:
        raise InputError(
            f"A sweep gets its points from one source, but {' and '.join(named)} are given."
            if named
            else "The sweep has no points.",
            hint="Give one of: --grid NAME V1 V2 ..., --list FILE, --csv FILE, or --sample N with --range or --choice.",
            code="sweep-points",
        )
    from fairing_az_jupyter.sweeps.point_files import Row, read_csv, read_list  # noqa: PLC0415 - loads YAML

    names = shown or {}
    if asked.grid:
        found = _grid(asked.grid)
    elif asked.sample is not None:
        found = _sample(asked.sample, asked.ranges, asked.choices, asked.seed)
    elif asked.csv_file is not None:
        found = _listed("csv", read_csv(asked.csv_file, names.get(asked.csv_file, asked.csv_file)))
    elif asked.list_file is not None:
        found = _listed("list", read_list(asked.list_file, names.get(asked.list_file, asked.list_file)))
    else:
        found = _listed("list", [Row(dict(row), "") for row in asked.rows or ()])
    if not found.points:
        raise InputError("The sweep has no points.", hint="Give it at least one.", code="sweep-points")
    return found


def _grid(axes: Sequence[Axis]) -> GivenPoints:
    _check_axes([axis.name for axis in axes], "--grid")
    for axis in axes:
        _check_values(axis, "--grid")
    _check_number(math.prod(len(axis.values) for axis in axes))
    points = tuple(_of([(axis, value) for axis, value in zip(axes, values, strict=True)]) for values in _product(axes))
    return GivenPoints("grid", points, tuple(axis.name for axis in axes), distinct=True)


def _product(axes: Sequence[Axis]) -> itertools.product[tuple[object, ...]]:
    return itertools.product(*(axis.values for axis in axes))


def _sample(number: int, ranges: Sequence[Range], choices: Sequence[Axis], seed: int | None) -> GivenPoints:
    if number < 1:
        raise InputError(
            f"A sample of {number} points can't be drawn.", hint="Ask for at least one.", code="sweep-points"
        )
    _check_number(number)
    names = [*(each.name for each in ranges), *(each.name for each in choices)]
    if not names:
        raise InputError(
            "The sample has no range or choice to draw from.",
            hint="Add --range NAME LOW HIGH [log] [int], or --choice NAME V1 V2 ...",
            code="sweep-points",
        )
    _check_axes(names, "--range and --choice")
    for each in ranges:
        each.check()
    for axis in choices:
        _check_values(axis, "--choice")
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    chance = random.Random(seed)  # noqa: S311 - a sample that can be drawn again, no secret
    drawn: dict[str, GivenPoint] = {}
    for _ in range(number * _DRAWS_PER_POINT):
        chosen = [(axis, axis.values[chance.randrange(len(axis.values))]) for axis in choices]
        numbers = [(Axis(each.name, (), typed=False), each.draw(chance)) for each in ranges]
        point = _of([*numbers, *chosen])
        drawn.setdefault(repr((sorted(point.values.items()), point.pairs)), point)
        if len(drawn) == number:
            break
    notes = () if len(drawn) == number else (f"Only {len(drawn)} different points were found instead of {number}.",)
    return GivenPoints("sample", tuple(drawn.values()), tuple(names), seed, notes, distinct=True)


def _listed(kind: str, rows: Sequence[Row]) -> GivenPoints:
    _check_number(len(rows))
    points = tuple(
        GivenPoint(tuple((name, str(value)) for name, value in row.values.items()), {}, row.origin)
        if kind == "csv"
        else GivenPoint((), row.values, row.origin)
        for row in rows
    )
    return GivenPoints(kind, points, tuple(dict.fromkeys(name for row in rows for name in row.values)))


def _of(chosen: Sequence[tuple[Axis, object]]) -> GivenPoint:
    return GivenPoint(
        tuple((axis.name, str(value)) for axis, value in chosen if axis.typed),
        {axis.name: value for axis, value in chosen if not axis.typed},
    )


def _check_axes(names: Sequence[str], option: str) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ParameterError(f"The sweep varies '{twice}' twice.", hint=f"Give it once: {option}", code="sweep-points")


def _check_values(axis: Axis, option: str) -> None:
    if not axis.values:
        raise ParameterError(
            f"The sweep is to vary '{axis.name}', but no value is given for it.",
            hint=f"Write: {option} {axis.name} V1 V2 ...",
            code="sweep-points",
        )


def _check_number(number: int) -> None:
    if number > MOST_POINTS:
        raise InputError(
            f"The sweep has {number:,} points; {MOST_POINTS:,} are the most.",
            hint="Give fewer values, or draw some of them: --sample N",
            code="sweep-points",
        )


def _number(text: str) -> float:
    try:
        return int(text)
    except ValueError:
        value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value
