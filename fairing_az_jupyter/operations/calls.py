"""A command as it was asked for: its request, the session that it works with, and who has asked."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from fairing_az_jupyter.operations.declaration import PROGRAM, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fairing_az_jupyter.models import Question
    from fairing_az_jupyter.services import Session

__all__ = ["Call", "Caller"]

R = TypeVar("R", bound=Request)


@dataclasses.dataclass(frozen=True)
class Caller:
    """Who has typed a command.

    Args:
        ask: Asks that person.
        variables: The settings that the notebook's own variables hold, by their names there; they count as its
            parameters cell where no other notebook is named.
        program: What that person types before a command.
        present: Whether there is such a person for certain: questions may then be asked also beside a file.
        names: All of the notebook's own variables, in which a task may be named; None where there is no notebook.
        warn: Gets a sentence that does not stop the command.

    """

    ask: Callable[[Question], str]
    variables: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    program: str = PROGRAM
    present: bool = False
    names: Mapping[str, Any] | None = None
    warn: Callable[[str], object] = lambda _note: None

    @property
    def in_terminal(self) -> bool:
        """Whether the command line was used."""
        return self.program == PROGRAM


@dataclasses.dataclass(frozen=True)
class Call(Generic[R]):
    """One command that was asked for.

    Args:
        request: What was asked for, checked.
        session: The settings in force, the records and the cluster.
        caller: Who has asked.
        notebook: The notebook that was named as a source of settings; None for none.
        json: Whether the answer is for programs.

    """

    request: R
    session: Session
    caller: Caller
    notebook: str | None = None
    json: bool = False
