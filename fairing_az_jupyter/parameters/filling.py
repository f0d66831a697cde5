"""The parameters cell of a notebook: read it, plan an edit of it, apply that edit to the file.

The parameters cell is the first code cell with the tag `parameters` (papermill's convention,
https://papermill.readthedocs.io/en/latest/usage-parameterize.html). An edit changes the lines that it has to and leaves
every other byte of the file as it is.
"""

from __future__ import annotations

import contextlib
import difflib
import itertools
import keyword
import os
import unicodedata
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import NotebookFileError, ParameterError
from fairing_az_jupyter.parameters.assignment_edits import assignment, fill_source
from fairing_az_jupyter.parameters.assignments import find_bindings
from fairing_az_jupyter.parameters.cell_code import CellCode, CellCodeError, parse_cell, split_lines
from fairing_az_jupyter.parameters.cell_declarations import Declaration, find_declarations
from fairing_az_jupyter.parameters.import_cells import position_behind_imports
from fairing_az_jupyter.parameters.literals import write_literal
from fairing_az_jupyter.parameters.notebook_edits import new_cell_splice, source_splices
from fairing_az_jupyter.parameters.notebook_files import decode, digest_of, read_bytes, replace_bytes
from fairing_az_jupyter.parameters.notebook_text import CellText, NotebookText, read_notebook
from fairing_az_jupyter.parameters.text_edits import EditedSource, Splice, apply_splices

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

PARAMETERS_TAG = "parameters"
INJECTED_TAG = "injected-parameters"


@dataclass(frozen=True)
class ParametersCell:
    """A cell that sets parameters.

    Args:
        index: Its position in the notebook, from 0.
        id: Its id; None before nbformat 4.5.
        tag: `parameters`, or `injected-parameters` where papermill added it.

    """

    index: int
    id: str | None
    tag: str


@dataclass(frozen=True)
class CellReading:
    """What the parameter cells of a notebook say.

    Args:
        cells: These cells, in order.
        values: The value of each name that is a Python literal once all of them have run.
        names: All names that they bind, also to something else than a literal.
        declared: What they say about each name besides: its type, its help, and how its value is written.

    """

    cells: tuple[ParametersCell, ...] = ()
    values: dict[str, object] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    declared: dict[str, Declaration] = field(default_factory=dict)


@dataclass(frozen=True)
class CellEdit:
    """The edit of one cell.

    Args:
        cell_index: Its position, from 0, in the notebook as it is afterwards.
        cell_id: Its id; None before nbformat 4.5.
        before: Its source as it is; empty for a new cell.
        after: Its source afterwards.
        created: Whether it is a new cell.

    """

    cell_index: int
    cell_id: str | None
    before: str
    after: str
    created: bool


@dataclass(frozen=True)
class FillPlan:
    """What a fill will change.

    Args:
        edits: The cells that change, in order.
        before_digest: The SHA-256 of the file that the plan was made from, in hexadecimal.
        new_text: The whole text of the notebook afterwards.
        changed: Whether anything changes.
        warnings: What the user should know, one sentence each.

    """

    edits: tuple[CellEdit, ...]
    before_digest: str
    new_text: str = field(repr=False)
    changed: bool
    warnings: tuple[str, ...] = ()

    def diff(self) -> str:
        """Return a unified diff of the cells' sources; empty where nothing changes."""
        lines: list[str] = []
        for edit in self.edits:
            name = f"cell {edit.cell_index + 1}" + (f" (id {edit.cell_id})" if edit.cell_id else "")
            before = [line.rstrip("\r\n") for line in split_lines(edit.before)]
            after = [line.rstrip("\r\n") for line in split_lines(edit.after)]
            old = "no cell" if edit.created else f"{name}, before"
            lines += difflib.unified_diff(before, after, old, f"{name}, after", lineterm="")
        return "".join(f"{line}\n" for line in lines)

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold: everything but the text of the whole notebook, and the diff."""
        return {
            "changed": self.changed,
            "before_digest": self.before_digest,
            "edits": [asdict(edit) for edit in self.edits],
            "warnings": list(self.warnings),
            "diff": self.diff(),
        }


def read_parameters(path: str | os.PathLike[str], *, shown: str | None = None) -> CellReading:
    """Read the parameter cells of a notebook file.

    Args:
        path: The notebook.
        shown: Its name in messages, where the file is a copy of it; None for the path.

    Returns:
        The cells, names and values; nothing of each where no cell is tagged.

    Raises:
        NotebookFileError: The file can't be read or is not a Python notebook, or such a cell has a syntax error.

    """
    name = os.fspath(path) if shown is None else shown
    where = f"notebook {name!r}"
    return _read(decode(read_bytes(path, shown=name), where), where)


def read_parameters_text(text: str) -> CellReading:
    """Read the parameter cells of a notebook's text; see `read_parameters`."""
    return _read(text, "notebook")


def plan_fill(path: str | os.PathLike[str], values: Mapping[str, object]) -> FillPlan:
    """Plan how to set parameters in a notebook file; nothing is written.

    Args:
        path: The notebook.
        values: The value of each name: a str, int, float, bool or None, or a list, tuple or dict of them.

    Returns:
        The plan. Without a tagged cell, it adds one behind the cells of imports that the notebook begins with.

    Raises:
        NotebookFileError: The file can't be read or is not a Python notebook, or a cell to edit has a syntax error.
        ParameterError: A name is not a Python name, or a value has no Python literal.

    """
    where = f"notebook {os.fspath(path)!r}"
    data = read_bytes(path)
    return _plan(decode(data, where), digest_of(data), values, where)


def plan_fill_text(text: str, values: Mapping[str, object]) -> FillPlan:
    """Plan how to set parameters in a notebook's text; see `plan_fill`."""
    try:
        digest = digest_of(text.encode())
    except UnicodeEncodeError as error:
        raise NotebookFileError(
            f"The notebook's text holds half a surrogate pair at character {error.start}: it can't be stored as UTF-8.",
            hint="Write that character again in the notebook.",
        ) from None
    return _plan(text, digest, values, "notebook")


def apply_fill(path: str | os.PathLike[str], plan: FillPlan) -> bool:
    """Write a planned fill to the notebook file, in one step.

    Args:
        path: The notebook that the plan was made from.
        plan: The plan.

    Returns:
        Whether the file was written; False where there is nothing to change.

    Raises:
        NotebookFileError: The file has changed since the plan was made, is read-only, or can't be written. It is then
            as it was.

    """
    if not plan.changed:
        return False
    replace_bytes(path, plan.new_text.encode(), expected_digest=plan.before_digest)
    return True


def _read(text: str, where: str) -> CellReading:
    notebook = read_notebook(text, where)
    values: dict[str, object] = {}
    names: dict[str, None] = {}
    declared: dict[str, Declaration] = {}
    cells = _tagged(notebook)
    carried: dict[str, None] = {}
    for cell, _tag in cells:
        code = _code(notebook, cell, where)
        bindings = find_bindings(code, carried)
        carried |= dict.fromkeys(bindings.deferred)
        found = bindings.values()
        # A later cell decides, also where it binds a name to something that is not a literal.
        values = {name: value for name, value in values.items() if not bindings.mentions(name)}
        for name, binding in bindings.explicit.items():
            if binding.deletes:
                names.pop(name, None)
        values |= found
        names |= dict.fromkeys(bindings.names)
        # What papermill injects repeats the value only: the type and the help still hold.
        for name, said in find_declarations(code, bindings).items():
            declared[name] = declared.get(name, Declaration()).updated(said)
    return CellReading(
        tuple(ParametersCell(cell.position, cell.id, tag) for cell, tag in cells),
        {name: values[name] for name in names if name in values},
        tuple(names),
        {name: declared[name] for name in names},
    )


def _plan(text: str, digest: str, values: Mapping[str, object], where: str) -> FillPlan:
    wanted = _checked_values(values)
    notebook = read_notebook(text, where)
    tagged = _tagged(notebook) if wanted else []
    main = next((cell for cell, tag in tagged if tag == PARAMETERS_TAG), None)
    splices: list[Splice] = []
    edits: list[CellEdit] = []
    warnings: list[str] = []
    created_at = len(notebook.cells)
    if main is None and wanted:
        created_at = min([position_behind_imports(notebook), *(cell.position for cell, _tag in tagged)])
        new = _new_cell(notebook, created_at, wanted)
        edits.append(new)
        splices.append(new_cell_splice(notebook, created_at, new.after, new.cell_id or ""))
    carried: dict[str, None] = {}
    for cell, tag in tagged:
        values_here = wanted
        bindings = find_bindings(_code(notebook, cell, where), carried)
        if cell is not main:
            values_here = {name: value for name, value in wanted.items() if bindings.mentions(name)}
            if values_here:
                warnings.append(
                    f"{_name(cell)}, tagged {tag!r}, sets {', '.join(values_here)} too. It gets the same "
                    f"{'value' if len(values_here) == 1 else 'values'}, so that the whole notebook uses them."
                )
        edited = _filled(notebook, cell, values_here, where, carried)
        carried |= dict.fromkeys(bindings.deferred)
        if edited.splices:
            index = cell.position + (1 if cell.position >= created_at else 0)
            edits.append(CellEdit(index, cell.id, edited.original, edited.text, created=False))
            splices += source_splices(notebook, cell, edited)
    new_text = apply_splices(text, splices) if splices else text
    return FillPlan(tuple(edits), digest, new_text, changed=bool(splices), warnings=tuple(warnings))


def _checked_values(values: Mapping[str, object]) -> dict[str, object]:
    """Return the values by the names that Python gives them, once all are fit to be written."""
    checked: dict[str, object] = {}
    for given, value in values.items():
        # Python compares names in this form (PEP 3131).
        name = unicodedata.normalize("NFKC", given) if isinstance(given, str) else ""
        if not name.isidentifier() or keyword.iskeyword(name) or name == "__debug__":
            raise ParameterError(
                f"{given!r} is not a name that Python can assign to.",
                hint="Use letters, digits and underscores, not a digit first, and no Python keyword.",
            )
        if name in checked:
            raise ParameterError(
                f"Parameter {name!r} is given twice: Python takes {given!r} for the same name.", hint="Give it once."
            )
        write_literal(name, value)
        checked[name] = value
    return checked


def _tagged(notebook: NotebookText) -> list[tuple[CellText, str]]:
    """Return the code cells that set parameters, each with the tag that says so."""
    found: list[tuple[CellText, str]] = []
    for cell in notebook.cells:
        tags = cell.tags
        tag = next((tag for tag in (PARAMETERS_TAG, INJECTED_TAG) if tag in tags), None) if tags else None
        if tag is not None and cell.is_code:
            found.append((cell, tag))
    return found


def _new_cell(notebook: NotebookText, position: int, values: Mapping[str, object]) -> CellEdit:
    source = "\n".join(assignment(name, value) for name, value in values.items())
    cell_id = None
    if notebook.has_cell_ids:
        taken = {cell.id for cell in notebook.cells}
        numbered = (f"{PARAMETERS_TAG}-{number}" for number in itertools.count(2))
        cell_id = next(name for name in itertools.chain([PARAMETERS_TAG], numbered) if name not in taken)
    return CellEdit(position, cell_id, "", source, created=True)


def _code(notebook: NotebookText, cell: CellText, where: str) -> CellCode:
    with _naming(cell, where):
        return parse_cell(notebook.source_of(cell))


def _filled(
    notebook: NotebookText, cell: CellText, values: Mapping[str, object], where: str, carried: Collection[str]
) -> EditedSource:
    with _naming(cell, where):
        return fill_source(notebook.source_of(cell), values, carried)


@contextlib.contextmanager
def _naming(cell: CellText, where: str) -> Iterator[None]:
    """Say which cell of which notebook an error is about."""
    try:
        yield
    except CellCodeError as error:
        line = f", line {error.line}" if error.line is not None else ""
        raise NotebookFileError(
            f"{_name(cell)}{line}, of the {where} {error.reason}. Nothing was changed.", hint=error.hint
        ) from None


def _name(cell: CellText) -> str:
    text = str(cell)
    return text[0].upper() + text[1:]
