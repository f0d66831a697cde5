"""What every benchmark hands over: one row of the table that `make bench` prints."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Row:
    """Two figures that were measured in the same run, and the ratio that was promised of them.

    Args:
        name: What was measured.
        ours: Our figure, in `unit`.
        theirs: The figure that it is held against, in `unit`.
        against: What that other figure is.
        unit: The unit of both, such as `s` or `MB`.
        promise: The bound on the promised figure.
        kind: What the bound is on: `ratio` (ours / theirs, at most), `speedup` (theirs / ours, at least)
            or `difference` (ours - theirs, at most, in `unit`).

    """

    name: str
    ours: float
    theirs: float
    against: str
    unit: str
    promise: float
    kind: str = "ratio"

    @property
    def figure(self) -> float:
        """The figure that the promise is about."""
        if self.kind == "difference":
            return self.ours - self.theirs
        return self.theirs / self.ours if self.kind == "speedup" else self.ours / self.theirs

    @property
    def kept(self) -> bool:
        """Whether the promise was kept in this run."""
        return self.figure >= self.promise if self.kind == "speedup" else self.figure <= self.promise
