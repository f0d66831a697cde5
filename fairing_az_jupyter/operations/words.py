"""How a field of a request stands on a command line: as an argument, or as an option with its flags."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core.core_schema import CoreSchema

__all__ = [
    "LONGEST_NAME",
    "Age",
    "Argument",
    "Completes",
    "Name",
    "NoOutputs",
    "Option",
    "Outputs",
    "Word",
    "age_option",
    "outputs_of",
]

LONGEST_NAME = 120
"""Characters of the user's own name for a run or a launch."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_AGE = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")

Completes = Literal[
    "", "file", "folder", "notebook", "data", "task", "launch", "run", "output", "profile", "parameter", "command"
]
"""What completion offers in a place, beside the choices that its type has."""


@dataclasses.dataclass(frozen=True)
class Word:
    """What stands beside a field's type.

    Args:
        metavar: What the value is called in help and errors, such as `NAME`; empty for an option without a value.
        about: What it is, in one phrase; also its description in the OpenAPI document.
        takes: What a value may be, for errors that must not repeat it, such as `a whole number, 0 or more`.
        completes: What completion offers.

    """

    metavar: str
    about: str
    takes: str = ""
    completes: Completes = ""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Let the field's JSON schema have its description."""
        found: dict[str, Any] = handler(schema)
        return {**found, "description": f"{self.about[:1].upper()}{self.about[1:]}."}


@dataclasses.dataclass(frozen=True)
class Argument(Word):
    """A value without a flag; where the field is a list, the rest of the words."""


@dataclasses.dataclass(frozen=True)
class Option(Word):
    """A value behind a flag; where the field is true or false, the flag alone.

    Args:
        flags: The flags, the one that help shows first in front: `("--tail",)` or `("-n", "--limit")`.
        words: How many words one flag takes: 1, 2 for a pair, or `several` for all up to the next flag. Where the
            field is a list, the flag may be given again.
        group: The heading in the help; empty for `options`.

    """

    flags: tuple[str, ...] = ()
    words: Literal[1, 2, "several"] = 1
    group: str = ""

    @property
    def flag(self) -> str:
        """The long flag, as errors name it."""
        return next((flag for flag in self.flags if flag.startswith("--")), self.flags[0])


def flag(*flags: str, about: str, group: str = "") -> Option:
    """Return an option without a value: a field that is true or false.

    Args:
        flags: Its flags.
        about: What it does.
        group: As of `Option`.

    """
    return Option("", about, flags=flags, group=group)


def option(
    *flags: str,
    metavar: str,
    about: str,
    takes: str = "",
    completes: Completes = "",
    words: Literal[1, 2, "several"] = 1,
    group: str = "",
) -> Option:
    """Return an option with a value; the arguments are those of `Option`."""
    return Option(metavar, about, takes, completes, flags, words, group)


def argument(metavar: str, about: str, *, takes: str = "", completes: Completes = "") -> Argument:
    """Return an argument; the arguments are those of `Word`."""
    return Argument(metavar, about, takes, completes)


def age_option(flag: str, *, about: str) -> Option:
    """Return an option whose value is an age.

    Args:
        flag: Its flag.
        about: What it is.

    """
    return option(flag, metavar="AGE", about=about, takes="a time such as 30d, 12h or 45m")


def _age(value: Any) -> Any:  # noqa: ANN401 - as it was given
    if not isinstance(value, str):
        return value
    match = _AGE.fullmatch(value.strip().lower())
    if match is None:
        msg = "it is not a time such as 30d, 12h or 45m"
        raise ValueError(msg)
    return float(match[1]) * _UNITS[match[2]]


Age = Annotated[float, BeforeValidator(_age)]
"""An age in seconds, also as `30d`, `12h` or `45m`."""


def _one_line(text: str) -> str:
    found = " ".join(text.split())
    if not found.isprintable() or len(found) > LONGEST_NAME:
        msg = f"it has to be one line of at most {LONGEST_NAME} characters"
        raise ValueError(msg)
    return found


Name = Annotated[
    str,
    AfterValidator(_one_line),
    option("--name", metavar="NAME", about="what you call it, for the list of runs"),
]
"""The user's own name for a run or a launch."""

Outputs = Annotated[
    tuple[str, ...],
    option(
        "--outputs",
        metavar="GLOB",
        about="keep only the written files that match, such as '*.dat' 'plots/**' (default: all; a notebook's only "
        "where it runs in the cluster)",
        words="several",
    ),
]
"""Which of the files that a launch writes are kept."""

NoOutputs = Annotated[bool, flag("--no-outputs", about="keep none of the written files")]
"""Whether none of them is."""


def outputs_of(outputs: tuple[str, ...], no_outputs: bool) -> bool | tuple[str, ...]:  # noqa: FBT001 - as it was typed
    """Return which files are kept, as backends take it.

    Args:
        outputs: The globs that were given.
        no_outputs: Whether none is wanted.

    """
    return False if no_outputs else outputs or True
