"""What a command is, declared once: command line, magic, completion, REST route, help and reference page follow."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict

from fairing_az_jupyter.operations.words import Argument, Word, argument, option

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fairing_az_jupyter.operations.calls import Call

__all__ = [
    "ALL",
    "CLUSTER",
    "EVERYWHERE",
    "EXIT_CODES",
    "MAGIC",
    "PROGRAM",
    "SOURCE_NOTEBOOK",
    "Example",
    "Field",
    "Operation",
    "Request",
    "Route",
    "Section",
    "Sources",
]

PROGRAM = "fairing-azure"
"""What is typed in a terminal before a command."""
MAGIC = "%fairing_azure"
"""What is typed in a cell before a command."""

EXIT_CODES: Mapping[int, str] = {
    0: "done",
    1: "an error of this program; please report it as a bug",
    2: "the command line can't be understood",
    3: "invalid input: a setting, a parameter, a file",
    4: "a cell, a job or an endpoint failed",
    5: "something has to be installed first",
    6: "an error of the cluster or Azure",
    7: "at least one check failed: a launch would fail",
    8: "no check failed, but at least one got no answer",
    130: "cancelled",
}
"""Every exit code of the command line, and what it means."""

Place = Literal["terminal", "magic", "server"]
Section = Literal["Set up", "Launch", "Look after launches", "Runs and sweeps", "This tool"]
"""The headings of the list of commands, in this order."""

EVERYWHERE: frozenset[Place] = frozenset({"terminal", "magic", "server"})
"""All places."""
ALL = ("*",)
"""Every setting."""
SOURCE_NOTEBOOK = "source_notebook"
"""The field that names a notebook as a source of settings; a request may have a `notebook` of its own."""
CLUSTER = ("backend", "namespace")
"""The settings that say where to look."""


class Request(BaseModel):
    """What a command takes; it never shows what it was given."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)


R = TypeVar("R", bound=Request)


@dataclasses.dataclass(frozen=True)
class Example:
    """One line that can be typed.

    Args:
        words: What stands behind the program.
        where: Whether it is for a terminal, for a cell, or for both.
        assigned: In a cell: the variable that keeps the result; empty for none.

    """

    words: str
    where: Literal["both", "terminal", "cell"] = "both"
    assigned: str = ""

    def typed(self, program: str) -> str:
        """Return the whole line.

        Args:
            program: What the user types before a command.

        """
        return f"{f'{self.assigned} = ' if self.assigned else ''}{program} {self.words}"


@dataclasses.dataclass(frozen=True)
class Sources:
    """Where the settings of a command come from, and which of them it reads.

    Args:
        settings: The settings that it reads, by field; `ALL`, or none. They, and no others, are its flags.
        notebook: How a notebook is named whose parameters cell counts: as an argument, with `--notebook`, or not.
        profile: Whether `--profile` names a profile; None for wherever there are settings.
        records: Whether `--runs-folder` says where the records are.

    """

    settings: tuple[str, ...] = ()
    notebook: Literal["", "argument", "option"] = ""
    profile: bool | None = None
    records: bool = False

    @property
    def has_profile(self) -> bool:
        """Whether `--profile` names a profile."""
        return bool(self.settings) if self.profile is None else self.profile

    @property
    def fields(self) -> tuple[Field, ...]:
        """How the sources are typed, in the order of the help."""
        found = []
        if self.notebook:
            found.append(_source(SOURCE_NOTEBOOK, _NOTEBOOK_WORDS[self.notebook]))
        if self.has_profile:
            found.append(_source("profile", _PROFILE))
        if self.records:
            found.append(_source("runs_folder", _RUNS_FOLDER))
        return tuple(found)


@dataclasses.dataclass(frozen=True)
class Route:
    """How the REST interface has a command.

    Args:
        path: The path below the prefix.
        action: What Jupyter's authorizer is asked for.
        method: The HTTP method.
        status: The HTTP status of success.

    """

    path: str
    action: Literal["read", "write", "execute"] = "execute"
    method: str = "POST"
    status: int = 200


@dataclasses.dataclass(frozen=True)
class Field:
    """A field of a request, and how it is typed.

    Args:
        name: Its name.
        word: How it stands on a command line.
        required: Whether it has to be given.
        kind: `switch` for true or false, `many` for a list, `one` for anything else.
        nested: Whether it is a list of lists or of pairs, one for each time that its flag is given.
        choices: What it may be, where that is a short list.
        default: What it is unless it is given.

    """

    name: str
    word: Word
    required: bool
    kind: Literal["switch", "one", "many"]
    nested: bool
    choices: tuple[str, ...]
    default: Any


@dataclasses.dataclass(frozen=True)
class Operation(Generic[R]):
    """One command.

    Args:
        name: What is typed: one word, or a group's and its own, such as `runs show`.
        about: What it does, in one sentence.
        request: What it takes.
        run: Carries it out and returns what was found or made: a record or a list of them, a mapping, or text; None
            where each front end has a way of its own to show what happens meanwhile.
        section: Where the list of commands has it.
        sources: Where its settings come from.
        examples: Lines that can be typed.
        answer: The type of what `run` returns, for the OpenAPI document.
        route: How the REST interface has it; None for `POST operations/NAME`, if it is there at all.
        places: Where it exists.
        streams: Whether its JSON is one document a line, printed as things happen.
        exit_codes: The codes that it can end with, beside 0, 1, 2 and 130.
        excluding: Fields of which at most one may be given.
        one_of: Fields of which exactly one has to be given.
        needed_in_terminal: Fields that may be left out in a cell only, where the notebook says it.
        same_in_cell: Whether it does the same in a cell, so that a hint may name it there in the cell's form.

    """

    name: str
    about: str
    request: type[R]
    run: Callable[[Call[R]], Any] | None = None
    section: Section = "This tool"
    sources: Sources = Sources()
    examples: tuple[Example, ...] = ()
    answer: Any = None
    route: Route | None = None
    places: frozenset[Place] = frozenset({"terminal", "magic"})
    streams: bool = False
    exit_codes: tuple[int, ...] = (3, 6)
    excluding: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    needed_in_terminal: tuple[str, ...] = ()
    same_in_cell: bool = True

    @property
    def group(self) -> str:
        """The first word of two; empty where there is one."""
        return self.name.partition(" ")[0] if " " in self.name else ""

    @property
    def action(self) -> str:
        """The second word of two; empty where there is one."""
        return self.name.partition(" ")[2]

    @property
    def first_word(self) -> str:
        """What is typed first: the group, or the name."""
        return self.group or self.name

    @functools.cached_property
    def fields(self) -> tuple[Field, ...]:
        """The fields of its request, arguments first."""
        found = [_field(name, info) for name, info in self.request.model_fields.items()]
        typed = [field for field in found if field is not None]
        return tuple(sorted(typed, key=lambda field: not isinstance(field.word, Argument)))

    @functools.cached_property
    def typed_fields(self) -> tuple[Field, ...]:
        """All that can be typed but for settings: the fields of its request, and those that name its sources."""
        return (*self.fields, *self.sources.fields)

    def needs(self, field: Field, *, in_cell: bool) -> bool:
        """Tell whether a field has to be given.

        Args:
            field: The field.
            in_cell: Whether it is typed into a cell.

        """
        return field.required or (not in_cell and field.name in self.needed_in_terminal)

    def examples_for(self, *, in_cell: bool) -> tuple[Example, ...]:
        """Return its examples for a cell, or for a terminal."""
        other = "terminal" if in_cell else "cell"
        return tuple(example for example in self.examples if example.where != other)


_COUNTS = "a notebook whose parameters cell counts"
_NOTEBOOK_WORDS: Mapping[str, Word] = {
    "argument": argument("NOTEBOOK", _COUNTS, completes="notebook"),
    "option": option("--notebook", metavar="NOTEBOOK", about=_COUNTS, completes="notebook"),
}
_PROFILE = option("--profile", metavar="NAME", about="take settings from this profile", completes="profile")
_RUNS_FOLDER = option(
    "--runs-folder",
    metavar="FOLDER",
    about="where the records of runs are (default: FAIRING_AZURE_RUNS, or below Jupyter's data folder)",
    completes="folder",
)


def _source(name: str, word: Word) -> Field:
    return Field(name, word, required=False, kind="one", nested=False, choices=(), default=None)


def _field(name: str, info: Any) -> Field | None:  # noqa: ANN401 - pydantic's FieldInfo
    word = next((each for each in info.metadata if isinstance(each, Word)), None)
    if word is None:
        return None
    annotation = info.annotation
    is_list = get_origin(annotation) in {list, tuple}
    kind: Literal["switch", "one", "many"] = "switch" if annotation is bool else "many" if is_list else "one"
    nested = is_list and get_origin(get_args(annotation)[0]) in {list, tuple}
    return Field(name, word, info.is_required(), kind, nested, _choices(annotation), info.get_default())


def _choices(annotation: Any) -> tuple[str, ...]:  # noqa: ANN401 - any type
    if get_origin(annotation) is Literal:
        return tuple(str(each) for each in get_args(annotation))
    return tuple(choice for each in get_args(annotation) for choice in _choices(each))
