"""A notebook's parameters as a list for people and programs: name, value, type, help."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.parameters.cell_declarations import Declaration

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from fairing_az_jupyter.parameters.filling import CellReading

HIDDEN = "'(hidden)'"
"""Stands, as a Python literal, where a notebook's own value looks like a secret."""


@dataclass(frozen=True)
class ParameterInfo:
    """One parameter of a notebook.

    Args:
        name: Its name.
        default: The notebook's own value as Python, on one line; "" where it has none, or none that is written out.
        type: The type that the cell declares for it, as written; "" where it declares none.
        help: The comment behind its assignment; "" where there is none.
        is_setting: Whether it is a setting of this project.

    """

    name: str
    default: str = ""
    type: str = ""
    help: str = ""
    is_setting: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the form that REST answers and `--json` print."""
        return asdict(self)


def describe(
    cell: CellReading, settings: Collection[str], is_secret: Callable[[str, object], bool]
) -> tuple[ParameterInfo, ...]:
    """List the parameters of a notebook.

    Args:
        cell: What its parameters cell says.
        settings: The names of this project's settings in a notebook.
        is_secret: Tells by its name and its value, or its text where that is not a literal, whether a value may be
            shown.

    Returns:
        The parameters, in the order of the cell.

    """
    found = []
    for name in cell.names:
        said = cell.declared.get(name, Declaration())
        # By its text, too: an expression may hold what no literal shows.
        hidden = is_secret(name, cell.values.get(name, said.default)) or is_secret("", said.default)
        default = HIDDEN if said.default and hidden else said.default
        help_text = "" if is_secret("", said.help) else said.help
        found.append(ParameterInfo(name, default, said.type, help_text, name in settings))
    return tuple(found)
