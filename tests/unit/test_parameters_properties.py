"""What holds of every fill: other bytes stay, running the notebook gives the values, a second fill changes nothing."""

from __future__ import annotations

import json
import re
import types

import nbformat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager

from fairing_az_jupyter.parameters import plan_fill_text, read_parameters_text
from fairing_az_jupyter.parameters.assignment_edits import fill_source

NAMES = ("A", "B", "PARÄM")

# NAME and OTHER are replaced by parameter names; every statement runs in the namespace that `run` makes.
STATEMENTS = (
    "NAME = 1",
    'NAME = "text"  # type: str',
    "NAME: int = 3",
    "NAME: 'str'",
    "NAME: (list)  # a list",
    "NAME, OTHER = 1, 2",
    "[NAME, (x, OTHER)] = ['é', (2, [3])]",
    "NAME = OTHER = 'both'",
    "NAME = 'a'\nNAME *= 2",
    "NAME = 1; del NAME",
    "try:\n    del NAME\nexcept NameError:\n    pass",
    "import os as NAME",
    "import os.path as OTHER, sys as NAME; x = 1",
    "from os import path as NAME  # comment",
    "from os.path import *",
    "def NAME(OTHER=1):\n    OTHER = 2\n    return OTHER",
    "@staticmethod\ndef NAME():\n\treturn 1",
    "class NAME:\n    OTHER = 1",
    "for NAME in range(3): pass; OTHER = 1",
    "with open('/dev/null') as NAME:\n    pass",
    "try:\n    1 / 0\nexcept ZeroDivisionError as NAME:\n    pass",
    "(NAME := 5)",
    "x = (NAME := 5) + 1; y = 2",
    "if x:\n    NAME = 1\n# NAME = 'between'\nelse:\n    NAME = 2",
    "match {'k': [1, 2]}:\n    case {'k': [NAME, *OTHER]}:\n        pass",
    "[NAME := i for i in range(3)]",
    "[NAME for NAME in range(3)]",
    "lambda NAME: NAME",
    "def f():\n    global NAME\n    NAME = 7",
    "f()",
    "# NAME = 'commented'",
    "#NAME=1  # with a note",
    "#   NAME: float = 4",
    "# NAME = the thing to set",
    "## NAME = 2",
    "'''\n# NAME = 1\n'''",
    "x = [\n# NAME = 1\n]",
    "x = 1 \\\n# NAME = 5",
    "NAME = (\n  'a'  # first\n  'b'\n)",
    "NAME = f'{x!r:>{10}}' 'é'",
    "NAME = lambda: (yield)",
    "NAME = '''\nlong é text\n'''; OTHER = 'ü'  # ö",
    "*NAME, OTHER = 1, 2, 3",
    "NAME, *OTHER = 1, 2",
    "NAME = 1;",
    "NAME = 1 ; OTHER = -2.5 ;  # end",
    "NAME = {'a': [1, (2,)], 'b': None}",
    "NAME = float('nan')",
    "NAME = 1 if x else 2",
    "NAME = OTHER",
    "x.NAME = 1; x.y = 2",
    "print('%d' % 5, end='')",
    "\x0cNAME = 6",
    "",
    "   ",
    "# just a comment",
    "%load_ext something",
    "!pip install 'it",
    "x = !ls -la",
    "NAME = !ls \\\n  -la",
    "NAME = %env HOME",
    "os?",
    "?NAME",
    "%time NAME = 8",
    "%run other.py",
    "if x:\n    !echo NAME = 1\n    NAME = 2",
    "!echo \\\n# NAME = 9",
)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.text(alphabet="aé'\"\\\n\r\u2028\x00\ud800😀"),
)
parameter_values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.one_of(st.text(max_size=3), st.integers(), st.booleans()), inner, max_size=3),
    ),
    max_leaves=6,
)
fills = st.dictionaries(st.sampled_from(NAMES), parameter_values, min_size=1)


@st.composite
def sources(draw):
    newline = draw(st.sampled_from(["\n", "\n", "\r\n", "\r"]))
    names = st.permutations(NAMES)
    parts = draw(st.lists(st.sampled_from(STATEMENTS), max_size=6))
    chosen = []
    for part in parts:
        first, second, _third = draw(names)
        chosen.append(part.replace("NAME", first).replace("OTHER", second))
    head = draw(
        st.sampled_from(["", "", "", "%%time\n", "\n%%capture\n%%time\n", "from __future__ import annotations\n"])
    )
    end = draw(st.sampled_from(["", "\n", "\n\n", "\n  "]))
    return (head + "\n".join(chosen) + end).replace("\n", newline)


def as_stored(draw, source):
    form = draw(st.sampled_from(["text", "lines", "pieces"]))
    if form == "text":
        return source
    if form == "lines":
        return source.splitlines(keepends=True)
    cuts = sorted(draw(st.lists(st.integers(0, len(source)), max_size=4)))
    return [source[start:end] for start, end in zip([0, *cuts], [*cuts, len(source)], strict=True)]


@st.composite
def notebooks(draw):
    """Return a notebook's bytes."""
    minor = draw(st.sampled_from([0, 2, 4, 5]))
    major = draw(st.sampled_from([3, 4, 4, 4]))
    tags = draw(
        st.lists(
            st.sampled_from([None, None, ["parameters"], ["x", "parameters"], ["injected-parameters"]]), max_size=5
        )
    )
    cells = []
    for number, tag in enumerate(tags):
        kind = "code" if tag else draw(st.sampled_from(["code", "markdown"]))
        source = draw(sources()) if kind == "code" else draw(st.text(max_size=20))
        cell = {"cell_type": kind, "metadata": {} if tag is None else {"tags": tag, "né": "\u2028"}}
        stored = as_stored(draw, source)
        if kind == "code" and major == 3:
            cell |= {"language": "python", "outputs": [], "collapsed": False, "input": stored}
        elif kind == "code":
            cell |= {"execution_count": None, "outputs": [], "source": stored}
        else:
            cell["source"] = stored
        if (major, minor) >= (4, 5):
            cell["id"] = f"cell-{number}"
        order = draw(st.permutations(list(cell)))
        cells.append({key: cell[key] for key in order})
    notebook = {"metadata": {}, "nbformat": major, "nbformat_minor": minor if major == 4 else 0}
    if major == 4:
        notebook["cells"] = cells
    else:
        cut = draw(st.integers(0, len(cells)))
        notebook["worksheets"] = draw(
            st.sampled_from([[{"cells": cells}], [{"cells": cells[:cut]}, {"metadata": {}, "cells": cells[cut:]}]])
        )
        notebook["metadata"]["name"] = ""
    notebook = {key: notebook[key] for key in draw(st.permutations(list(notebook)))}
    indent = draw(st.sampled_from([1, 1, 2, 0, "\t", None]))
    compact = [(", ", ": "), (",", ":")] if indent is None else [(",", ": "), (",", ":")]
    text = json.dumps(
        notebook, indent=indent, ensure_ascii=draw(st.booleans()), separators=draw(st.sampled_from(compact))
    )
    text = text.replace("\n", draw(st.sampled_from(["\n", "\r\n"]))) + draw(st.sampled_from(["", "\n", "\r\n"]))
    return (draw(st.sampled_from(["", "\ufeff"])) + text).encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def cells_of(text):
    notebook = json.loads(text.removeprefix("\ufeff"))
    sheets = notebook.get("worksheets", [notebook])
    return [cell for sheet in sheets for cell in sheet["cells"]]


def source_of(cell):
    stored = cell["input"] if "input" in cell else cell["source"]
    return stored if isinstance(stored, str) else "".join(stored)


class Shell:
    """What IPython's transformed source calls."""

    def __init__(self, namespace):
        self.namespace = namespace

    def system(self, _command):
        return None

    def getoutput(self, _command):
        return ["a line"]

    def run_line_magic(self, name, line, *_):
        if name == "time":
            exec(line, self.namespace)  # noqa: S102 - the test's own source
        return "a result"

    def run_cell_magic(self, _name, _line, cell):
        run(cell, self.namespace)


def run(source, namespace):
    transformed = TransformerManager().transform_cell(re.sub(r"\r\n|\r", "\n", source))
    exec(compile(transformed, "<cell>", "exec", dont_inherit=True), namespace)  # noqa: S102 - the test's own source


def ran(text):
    """Run all tagged cells from top to bottom, as a kernel does."""
    namespace = dict.fromkeys(NAMES, "s") | {"x": types.SimpleNamespace(), "f": lambda: None}
    namespace["get_ipython"] = lambda: Shell(namespace)
    for cell in cells_of(text):
        if {"parameters", "injected-parameters"} & set(cell["metadata"].get("tags", ())):
            run(source_of(cell), namespace)
    return namespace


def same(left, right):
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return repr(left) == repr(right)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return repr(sorted(left.items(), key=repr)) == repr(sorted(right.items(), key=repr))
    return left == right


def runs(text):
    try:
        ran(text)
    except Exception:  # noqa: BLE001 - a random cell may fail on its own account
        return False
    return True


# The limit of time is pytest's; what is slow here is making notebooks, not filling them.
examples = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def raw_cells(text):
    """Return the span of each cell in the text, found without the code under test."""
    decoder = json.JSONDecoder()
    found = []
    for match in re.finditer(r'"cells"\s*:\s*\[', text):
        at = match.end()
        while True:
            at = re.compile(r"[\s,]*").match(text, at).end()
            if text[at] == "]":
                break
            _cell, end = decoder.raw_decode(text, at)
            found.append((at, end))
            at = end
    return found


def outside(text, cells):
    """Return the text around some cells, given by index."""
    spans = raw_cells(text)
    pieces = []
    at = 0
    for index in sorted(cells):
        start, end = spans[index]
        pieces.append(text[at:start])
        at = end
    return [*pieces, text[at:]]


@examples
@given(text=notebooks(), values=fills)
def test_fill_keeps_every_byte_outside_the_cells_that_it_edits(text, values):
    plan = plan_fill_text(text, values)
    edited = {edit.cell_index for edit in plan.edits}
    if any(edit.created for edit in plan.edits):
        before = [text[start:end] for start, end in raw_cells(text)]
        after = [plan.new_text[start:end] for start, end in raw_cells(plan.new_text)]
        created = next(edit.cell_index for edit in plan.edits if edit.created)
        del after[created]
        kept = [index for index in range(len(before)) if index + (index >= created) not in edited]
        assert [after[index] for index in kept] == [before[index] for index in kept]
    else:
        assert outside(plan.new_text, edited) == outside(text, edited)


@examples
@given(text=notebooks(), values=fills)
def test_fill_changes_nothing_but_the_source_of_a_cell(text, values):
    plan = plan_fill_text(text, values)
    after = cells_of(plan.new_text)
    for edit in plan.edits:
        assert source_of(after[edit.cell_index]) == edit.after
    after = [
        cell for index, cell in enumerate(after) if not any(e.created and e.cell_index == index for e in plan.edits)
    ]
    assert [without_source(cell) for cell in after] == [without_source(cell) for cell in cells_of(text)]


def without_source(cell):
    return {key: value for key, value in cell.items() if key not in {"source", "input"}}


@examples
@given(text=notebooks(), values=fills)
def test_running_a_filled_notebook_gives_the_values(text, values):
    plan = plan_fill_text(text, values)
    if not runs(text):
        return
    namespace = ran(plan.new_text)
    for name, value in values.items():
        assert same(namespace[name], value), (name, value, namespace[name])


@examples
@given(text=notebooks(), values=fills)
def test_a_second_fill_changes_nothing(text, values):
    once = plan_fill_text(text, values)
    twice = plan_fill_text(once.new_text, values)
    assert not twice.changed
    assert twice.new_text == once.new_text
    assert twice.edits == ()
    read = read_parameters_text(once.new_text)
    for name, value in values.items():
        assert same(read.values[name], value)


@examples
@given(text=notebooks(), values=fills)
def test_a_valid_notebook_stays_valid(text, values):
    before = json.loads(text.removeprefix("\ufeff"))
    try:
        nbformat.validate(before)
    except nbformat.ValidationError:
        return
    nbformat.validate(json.loads(plan_fill_text(text, values).new_text.removeprefix("\ufeff")))


def run_cell(source):
    namespace = dict.fromkeys(NAMES, "s") | {"x": types.SimpleNamespace(), "f": lambda: None}
    namespace["get_ipython"] = lambda: Shell(namespace)
    run(source, namespace)
    return namespace


@examples
@given(source=sources(), values=fills)
def test_running_a_filled_cell_gives_the_values(source, values):
    filled = fill_source(source, values)
    try:
        run_cell(source)
    except Exception:  # noqa: BLE001 - a random cell may fail on its own account
        return
    namespace = run_cell(filled.text)
    for name, value in values.items():
        assert same(namespace[name], value), (name, value, namespace[name])
