"""What the magics return: plain Python objects that a notebook shows as tables, once."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from typing import BinaryIO

    from fairing_az_jupyter.fairing.outcomes import LaunchedJob
    from fairing_az_jupyter.frontends.views.launch import LaunchView
    from fairing_az_jupyter.frontends.views.tables import Table
    from fairing_az_jupyter.models import RunInfo
    from fairing_az_jupyter.outputs.listing import OutputFiles

__all__ = ["NotebookRun", "Results", "ShownOnce", "TrainedJob", "Values"]

T = TypeVar("T")


class ShownOnce:
    """What a magic has shown already as it went on; it is not shown again as the cell's result."""

    on_screen = False
    """Whether the cell that is being run shows this already."""

    def shown(self) -> dict[str, str]:
        """Return it by MIME type."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return self.shown()["text/plain"]

    def _repr_html_(self) -> str:
        return self.shown()["text/html"]

    def _ipython_display_(self) -> None:
        if not self.on_screen:
            raise NotImplementedError  # IPython then shows it in its usual way


class _WithTable(ShownOnce):
    table: Table

    def shown(self) -> dict[str, str]:
        """Return the table by MIME type."""
        return {"text/html": self.table.html(), "text/plain": self.table.plain()}


class Results(_WithTable, list[T], Generic[T]):
    """A list of what was found, such as launches, runs or predictions.

    Args:
        found: What was found.
        table: How it is shown.

    """

    def __init__(self, found: Iterable[T], table: Table) -> None:
        list.__init__(self, found)
        self.table = table

    __hash__ = None  # as of every list


class Values(_WithTable, dict[str, Any]):
    """Values by their names, such as settings in force.

    Args:
        found: What was found.
        table: How it is shown.

    """

    def __init__(self, found: Mapping[str, Any], table: Table) -> None:
        dict.__init__(self, found)
        self.table = table

    __hash__ = None  # as of every dictionary


@dataclasses.dataclass(repr=False, eq=False)
class TrainedJob(ShownOnce):
    """A job that has trained.

    Args:
        name: Its name.
        backend: The backend that it ran on.
        lines: The last lines that it has printed.
        metrics: The metrics that it has printed: pairs of step and value, by name.
        seconds: How long it took.
        log: The file with all that it has printed; None where there is none.
        view: What was seen of it.
        record: The identifier of its record; empty where there is none.

    """

    name: str
    backend: str
    lines: tuple[str, ...]
    metrics: Mapping[str, list[tuple[int, float]]]
    seconds: float
    log: Path | None
    view: LaunchView
    record: str = ""
    state = "succeeded"

    @property
    def output(self) -> str:
        """The last lines as one text."""
        return "\n".join(self.lines)

    @property
    def files(self) -> OutputFiles:
        """The files that it has written; see `LaunchedJob`."""
        return self._launched.files

    @property
    def result(self) -> Any:  # noqa: ANN401 - whatever the job has returned
        """What it has returned; see `LaunchedJob`."""
        return self._launched.result

    def fetch(self, *names: str, to: str | Path = ".", overwrite: bool = False) -> tuple[Path, ...]:
        """Copy files that it has written into a folder; see `LaunchedJob`.

        Args:
            names: Which: names, patterns such as `*.png`, or folders; none for all.
            to: The folder; it is made if it is not there.
            overwrite: Whether files are replaced that exist and differ.

        """
        return self._launched.fetch(*names, to=to, overwrite=overwrite)

    def open(self, name: str) -> BinaryIO:
        """Open a file that it has written; see `LaunchedJob`.

        Args:
            name: The file's name, as `files` has it.

        """
        return self._launched.open(name)

    @property
    def _launched(self) -> LaunchedJob:
        from fairing_az_jupyter.fairing.outcomes import LaunchedJob  # noqa: PLC0415 - whoever has one has it loaded

        return self.name if isinstance(self.name, LaunchedJob) else LaunchedJob(self.name)

    def __str__(self) -> str:
        """Return the job's name, as Fairing's `submit()` does."""
        return self.name

    def shown(self) -> dict[str, str]:
        """Return its summary by MIME type."""
        return {"text/html": self.view.html(), "text/plain": self.view.plain()}


@dataclasses.dataclass(repr=False, eq=False)
class NotebookRun(ShownOnce):
    """A run of a notebook that has ended well.

    Args:
        info: All that is known of it.
        view: What was seen of it.

    """

    info: RunInfo
    view: LaunchView

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a RunInfo has
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.info, name)

    def shown(self) -> dict[str, str]:
        """Return its summary by MIME type."""
        return {"text/html": self.view.html(), "text/plain": self.view.plain()}
