"""Filling the parameters cell from inside its own notebook: what it would be, for the user to take over."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from IPython.core.interactiveshell import InteractiveShell

    from fairing_az_jupyter.parameters import FillPlan
    from fairing_az_jupyter.services import Session

__all__ = ["Offer", "offer"]

_TAKE_OVER = "Replace the parameters cell with this one, and run it"


@dataclasses.dataclass(frozen=True)
class Offer:
    """What the parameters cell would be.

    Args:
        source: Its source; empty if nothing would change.
        diff: What changes, as a unified diff.
        sentence: What the user has to do, in one sentence.
        warnings: What the user should know besides, one sentence each.

    """

    source: str
    diff: str
    sentence: str
    warnings: tuple[str, ...] = ()


def offer(ipython: InteractiveShell, session: Session) -> Offer:
    """Return what filling the running notebook's parameters cell would make of it; nothing is written.

    The cell is that of the notebook's file where the kernel knows it, else the last one that has set such names.

    Args:
        ipython: The notebook's shell.
        session: What is filled in.

    Raises:
        InputError: There is nothing to fill in, or a value breaks its rule.

    """
    from fairing_az_jupyter import services  # noqa: PLC0415 - loading the extension stays light
    from fairing_az_jupyter.fairing.upstream.notebook_name import get_notebook_path  # noqa: PLC0415 - as above

    path = get_notebook_path()
    if path is not None:
        plan = _plan_of_file(session, path)
        if plan is not None:
            return _offer(plan, f"{_TAKE_OVER}. '{path.name}' was not changed")
    source = _last_source(ipython.user_ns.get("In") or ())
    where = _TAKE_OVER if source else "Tag this cell 'parameters' and run it"
    return _offer(services.plan_cell_fill(session, source), where)


def _plan_of_file(session: Session, path: Path) -> FillPlan | None:
    """Return the plan for a notebook's file; None where it has no parameters cell, or can't be read as it is now."""
    from fairing_az_jupyter import parameters, services  # noqa: PLC0415 - as above
    from fairing_az_jupyter.exceptions import NotebookFileError  # noqa: PLC0415 - as above

    try:
        if not parameters.read_parameters(str(path)).cells:
            return None
        return services.plan_fill(session, str(path))
    except NotebookFileError:
        # It may never have been saved.
        return None


def _last_source(executed: Iterable[object]) -> str:
    """Return the source of the last executed cell that sets what a parameters cell sets; empty if there is none."""
    from fairing_az_jupyter import parameters  # noqa: PLC0415 - as above
    from fairing_az_jupyter.services.parameters_cell import text_of_cell  # noqa: PLC0415 - as above
    from fairing_az_jupyter.settings import cell_fields, notebook_names  # noqa: PLC0415 - as above

    names = notebook_names()
    wanted = {names[field] for field in cell_fields()}
    for source in reversed([str(each) for each in executed]):
        if not any(name in source for name in wanted):
            continue
        try:
            found = parameters.read_parameters_text(text_of_cell(source)).names
        except InputError:
            continue
        if wanted & set(found):
            return source
    return ""


def _offer(plan: FillPlan, sentence: str) -> Offer:
    if not plan.changed:
        return Offer("", "", "The parameters cell already has these values. Nothing to change.", plan.warnings)
    # Papermill adds a cell of its own; the one that the user looks after comes first.
    return Offer(plan.edits[0].after, plan.diff(), f"{sentence}.", plan.warnings)
