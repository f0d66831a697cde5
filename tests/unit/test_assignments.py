"""One cell's source: which edit sets a name, and that nothing else changes."""

from __future__ import annotations

import pytest

from fairing_az_jupyter.parameters.assignment_edits import fill_source
from fairing_az_jupyter.parameters.assignments import find_bindings
from fairing_az_jupyter.parameters.cell_code import CellCodeError, parse_cell

NEW = {"A": "new"}

IN_PLACE = {
    "a plain assignment": ("A = 1\n", "A = 'new'\n"),
    "no spaces": ("A=1", "A='new'"),
    "a trailing comment": ("A = 1  # keep me\n", "A = 'new'  # keep me\n"),
    "a type comment": ("A = 1  # type: int\n", "A = 'new'  # type: int\n"),
    "an annotation": ("A: int = 1\n", "A: int = 'new'\n"),
    "an annotation without a value": ("A: str  # the name\n", "A: str = 'new'  # the name\n"),
    "a parenthesised annotation": ("A: (str)\n", "A: (str) = 'new'\n"),
    "behind a semicolon": ("x = 1; A = 2; y = 3\n", "x = 1; A = 'new'; y = 3\n"),
    "before a lone semicolon": ("A = 2;\n", "A = 'new';\n"),
    "double quotes stay": ('A = "old"\n', 'A = "new"\n'),
    "a raw string": ('A = r"\\d"\n', 'A = "new"\n'),
    "triple quotes": ("A = '''one\ntwo\n'''\nB = 2\n", "A = 'new'\nB = 2\n"),
    "an f-string": ("A = f'{x!r:>{width}}'  # c\n", "A = 'new'  # c\n"),
    "an f-string over lines": ("A = f'''{x}\n{y}'''\n", "A = 'new'\n"),
    "implicit concatenation": ("A = ('a'\n     'b')\n", "A = ('new')\n"),
    "parentheses with comments": ("A = (  # one\n  1  # two\n)\n", "A = (  # one\n  'new'  # two\n)\n"),
    "a list over lines": ("A = [\n  1,  # one\n  2,\n]  # end\n", "A = 'new'  # end\n"),
    "a lambda": ("A = lambda x: x\n", "A = 'new'\n"),
    "a bare tuple": ("A = 1, 2\n", "A = 'new'\n"),
    "a backslash": ("A = \\\n  1\n", "A = \\\n  'new'\n"),
    "None": ("A = None\n", "A = 'new'\n"),
    "non-ASCII text on the line": ("é = 'ü€😀'; A = 'ß'; ö = 1\n", "é = 'ü€😀'; A = 'new'; ö = 1\n"),
    "tabs": ("A\t=\t1\t# c\n", "A\t=\t'new'\t# c\n"),
    "Windows line ends": ("x = 1\r\nA = 2\r\n", "x = 1\r\nA = 'new'\r\n"),
    "old Mac line ends": ("x = 1\rA = 2\r", "x = 1\rA = 'new'\r"),
    "a form feed is no line break": ("x = 'a\x0cb'\n\x0cA = 2\n", "x = 'a\x0cb'\n\x0cA = 'new'\n"),
    "U+2028 is no line break": ("x = 'a\u2028b'; A = 2\n", "x = 'a\u2028b'; A = 'new'\n"),
    "a tuple": ("A, B = 1, 2\n", "A, B = 'new', 2\n"),
    "a list of targets": ("[B, A] = (1, 2)\n", "[B, A] = (1, 'new')\n"),
    "a nested tuple": ("(B, (A, C)), D = [1, (2, 3)], 4\n", "(B, (A, C)), D = [1, ('new', 3)], 4\n"),
    "the last of two": ("A = 1\nA = 2\n", "A = 1\nA = 'new'\n"),
    "a shell capture": ("A = !ls -la\nB = 1\n", "A = 'new'\nB = 1\n"),
    "a shell capture over lines": ("A = !ls \\\n  -la\nB = 1\n", "A = 'new'\nB = 1\n"),
    "a magic's result": ("A = %env HOME\n", "A = 'new'\n"),
    "a name of a comprehension": ("A = 1\nx = [A for A in range(3)]\n", "A = 'new'\nx = [A for A in range(3)]\n"),
    "a name of a function": ("A = 1\ndef f(A):\n    A = 2\n", "A = 'new'\ndef f(A):\n    A = 2\n"),
    "an annotation after the value": ("A = 1\nA: int\n", "A = 'new'\nA: int\n"),
}

BEHIND = {
    "an augmented assignment": ("A = 1\nA += 1\nx = 2\n", "A = 1\nA += 1\nA = 'new'\nx = 2\n"),
    "a deletion": ("A = 1\ndel A\n", "A = 1\ndel A\nA = 'new'\n"),
    "an import": ("import A\nx = 1", "import A\nA = 'new'\nx = 1"),
    "an import of a submodule": ("import A.b\n", "import A.b\nA = 'new'\n"),
    "an import by another name": ("from x import y as A  # c\n", "from x import y as A  # c\nA = 'new'\n"),
    "a star import": ("A = 1\nfrom x import *\ny = 1\n", "A = 1\nfrom x import *\nA = 'new'\ny = 1\n"),
    "a function": ("def A():\n    return 1\n\n\nx = 1\n", "def A():\n    return 1\nA = 'new'\n\n\nx = 1\n"),
    "a class": ("class A: pass\n", "class A: pass\nA = 'new'\n"),
    "a for loop": ("for A in x: pass; y = 1\nz = 1\n", "for A in x: pass; y = 1\nA = 'new'\nz = 1\n"),
    "a with block": ("with x as A:\n\tpass\n", "with x as A:\n\tpass\nA = 'new'\n"),
    "an except block": ("try:\n  f()\nexcept E as A:\n  pass", "try:\n  f()\nexcept E as A:\n  pass\nA = 'new'"),
    "a walrus": ("print(A := 5)\n", "print(A := 5)\nA = 'new'\n"),
    "a walrus in a comprehension": ("[A := i for i in x]\n", "[A := i for i in x]\nA = 'new'\n"),
    "a match": ("match x:\n  case {'k': A}: pass\n", "match x:\n  case {'k': A}: pass\nA = 'new'\n"),
    "a match with the rest": ("match x:\n  case {**A}: pass\n", "match x:\n  case {**A}: pass\nA = 'new'\n"),
    "an if block": ("A = 1\nif x:\n    A = 2\n", "A = 1\nif x:\n    A = 2\nA = 'new'\n"),
    "a chain": ("A = B = 1\n", "A = B = 1\nA = 'new'\n"),
    "a starred target": ("*A, B = 1, 2\n", "*A, B = 1, 2\nA = 'new'\n"),
    "an unpacked call": ("A, B = f()\n", "A, B = f()\nA = 'new'\n"),
    "a tuple of another length": ("A, B = (*x, 1)\n", "A, B = (*x, 1)\nA = 'new'\n"),
    "a global of a function": (
        "def f():\n  global A\n  A = 1\n\nf()\nx = 1\n",
        "def f():\n  global A\n  A = 1\n\nf()\nA = 'new'\nx = 1\n",
    ),
    "another statement on the line": ("import A; x = 1  # c\n", "import A; A = 'new'; x = 1  # c\n"),
    "the last statement on the line": ("x = 1; A += 1;  # c\ny = 2", "x = 1; A += 1;  # c\nA = 'new'\ny = 2"),
    "a continued line": ("import A \\\n; x = 1\n", "import A \\\n; x = 1\nA = 'new'\n"),
    "Windows line ends": ("import A\r\nx = 1\r\n", "import A\r\nA = 'new'\r\nx = 1\r\n"),
    "no line end": ("import A  # c", "import A  # c\nA = 'new'"),
    "a walrus that another name holds": ("B = (A := 5)\n", "B = (A := 5)\nA = 'new'\n"),
    "a timed statement": ("%time A = f()\n", "%time A = f()\nA = 'new'\n"),
    "another notebook that runs": ("A = 1\n%run other.ipynb\n", "A = 1\n%run other.ipynb\nA = 'new'\n"),
}

COMMENTED = {
    "a comment": ("# A = 'x'\n", "A = 'new'\n"),
    "no space": ("#A='x'", "A='new'"),
    "a note": ("#   A = 'x'  # a note\n", "A = 'new'  # a note\n"),
    "an annotation": ('# A: str = "x"\n', 'A: str = "new"\n'),
    "the last one": ("# A = 1\n# A = 2\nx = 1\n", "# A = 1\nA = 'new'\nx = 1\n"),
    "the one with the value": ('# A = 1\n# A = "new"  # c\n# A = 3\n', '# A = 1\nA = "new"  # c\n# A = 3\n'),
    "Windows line ends": ("# A = 1\r\nx = 1\r\n", "A = 'new'\r\nx = 1\r\n"),
    "behind a star import": ("from x import *\n# A = 1\n", "from x import *\nA = 'new'\n"),
    "a live one decides": ("# A = 1\nA = 2\n# A = 3\n", "# A = 1\nA = 'new'\n# A = 3\n"),
    "behind %%time": ("%%time\n# A = 1\n", "%%time\nA = 'new'\n"),
}

APPENDED = {
    "nothing": ("", "A = 'new'"),
    "no line end": ("x = 1", "x = 1\nA = 'new'"),
    "a line end": ("x = 1\n", "x = 1\nA = 'new'\n"),
    "Windows line ends": ("x = 1\r\ny = 2", "x = 1\r\ny = 2\r\nA = 'new'"),
    "old Mac line ends": ("x = 1\ry = 2\r", "x = 1\ry = 2\rA = 'new'\r"),
    "a comment at the end": ("x = 1  # A", "x = 1  # A\nA = 'new'"),
    "a comment inside a string": ("x = '''\n# A = 1\n'''\n", "x = '''\n# A = 1\n'''\nA = 'new'\n"),
    "a comment inside brackets": ("x = [\n# A = 1\n]\n", "x = [\n# A = 1\n]\nA = 'new'\n"),
    "a comment inside a block": (
        "if x:\n  y = 1\n# A = 1\n  z = 1\n",
        "if x:\n  y = 1\n# A = 1\n  z = 1\nA = 'new'\n",
    ),
    "an indented comment": ("if x:\n  y = 1\n  # A = 1\n", "if x:\n  y = 1\n  # A = 1\nA = 'new'\n"),
    "a comment under a decorator": ("@d\n# A = 1\ndef f(): pass\n", "@d\n# A = 1\ndef f(): pass\nA = 'new'\n"),
    "a comment that is prose": ("# A = the name of it\n", "# A = the name of it\nA = 'new'\n"),
    "a comment with a placeholder": ("# A = <name>.azurecr.io\n", "# A = <name>.azurecr.io\nA = 'new'\n"),
    "a comment of two statements": ("# A = 1; B = 2\n", "# A = 1; B = 2\nA = 'new'\n"),
    "a comment that begins a list": ("# A = [\n#   1]\n", "# A = [\n#   1]\nA = 'new'\n"),
    "a comment before a future import": (
        "# A = 1\nfrom __future__ import annotations\n",
        "# A = 1\nfrom __future__ import annotations\nA = 'new'\n",
    ),
    "a comment on a continued line": ("x = 1 \\\n# A = 1\n", "x = 1 \\\n# A = 1\nA = 'new'\n"),
    "a shell command's continued line": ("!echo \\\n# A = 1\nx = 1\n", "!echo \\\n# A = 1\nx = 1\nA = 'new'\n"),
    "a longer name": ("AA = 1\n# A_ = 1\n", "AA = 1\n# A_ = 1\nA = 'new'\n"),
    "another case": ("a = 1\n", "a = 1\nA = 'new'\n"),
    "an attribute": ("x.A = 1\n", "x.A = 1\nA = 'new'\n"),
    "a class's own name": ("class C:\n  A = 1\n", "class C:\n  A = 1\nA = 'new'\n"),
    "magics": ("%load_ext x\n!pip install 'it\nobj?\n?obj\n", "%load_ext x\n!pip install 'it\nobj?\n?obj\nA = 'new'\n"),
    "a cell magic that runs Python": ("%%capture\n%%time\nx = 1\n", "%%capture\n%%time\nx = 1\nA = 'new'\n"),
    "a magic in a block": ("if x:\n    !ls\n", "if x:\n    !ls\nA = 'new'\n"),
    "modulo is no magic": ("x = (5\n% 3)\n", "x = (5\n% 3)\nA = 'new'\n"),
    "await": ("await f()\n", "await f()\nA = 'new'\n"),
    "a regular expression's escape": ("x = '\\d'\n", "x = '\\d'\nA = 'new'\n"),
}

CASES = [
    pytest.param(before, after, id=f"{group}: {name}")
    for group, cases in (
        ("in place", IN_PLACE),
        ("behind", BEHIND),
        ("uncommented", COMMENTED),
        ("appended", APPENDED),
    )
    for name, (before, after) in cases.items()
]


@pytest.mark.parametrize(("before", "after"), CASES)
def test_a_name_is_set_by_the_smallest_edit(before, after):
    assert fill_source(before, NEW).text == after


@pytest.mark.parametrize("after", [pytest.param(case.values[1], id=case.id) for case in CASES])
def test_setting_a_name_again_changes_nothing(after):
    assert fill_source(after, NEW).text == after


@pytest.mark.parametrize(
    "source",
    [
        "A = 'new'",
        'A = "new"',
        "A = 'n' 'ew'",
        "A = '''new'''",
        "A = r'new'",
        "A: str = ('new')",
        "A = B = 'new'",
        "A, B = 'new', f()",
        "x = 1; A = 'new'; A: str",
    ],
)
def test_a_name_that_already_has_the_value_is_left_alone(source):
    assert fill_source(source, NEW).text == source


@pytest.mark.parametrize(
    ("old", "value", "new"),
    [
        ("1", True, "True"),
        ("True", 1, "1"),
        ("1", 1.0, "1.0"),
        ("0.0", -0.0, "-0.0"),
        ("(1,)", [1], "[1]"),
        ("[1]", (1,), "(1,)"),
        ("{1: 2}", {True: 2}, "{True: 2}"),
        ("''", None, "None"),
    ],
)
def test_an_equal_value_of_another_type_is_written(old, value, new):
    assert fill_source(f"A = {old}", {"A": value}).text == f"A = {new}"


def test_several_names_behind_one_star_import_keep_their_order():
    filled = fill_source("from x import *\ny = 1\n", {"A": 1, "B": 2, "C": 3})
    assert filled.text == "from x import *\nA = 1\nB = 2\nC = 3\ny = 1\n"


def test_several_appended_names_keep_their_order():
    assert fill_source("x = 1", {"B": 1, "A": 2}).text == "x = 1\nB = 1\nA = 2"


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("x = 1\ny = (2\n", 2),
        ("x = 1\r\ny = = 2\r\n", 2),
        ("if x:\nA = 1\n", 2),
        ("  A = 1\nx = 2\n", 1),
        ("A = 1\0\n", 1),
        ("x = 1\nA = '\ud800'\n", 2),
        ("x = '''\n%d\n'''\ny = = 1\n", 4),
        ("x = 1\nreturn x\n", 2),
        ("<<<<<<< HEAD\nA = 1\n", 1),
        ("%%bash\nA=1\n", 1),
        ("\n%%html\n<p>\n", 2),
        ("%%writefile x.py\nA = 1\n", 1),
    ],
)
def test_a_cell_that_is_no_python_is_refused_with_the_line(source, line):
    with pytest.raises(CellCodeError) as caught:
        fill_source(source, NEW)
    assert caught.value.line == line
    assert caught.value.hint


def test_too_deep_a_nesting_is_an_error_and_no_crash():
    with pytest.raises(CellCodeError):
        fill_source("x = " + "(" * 5000 + ")" * 5000, NEW)


def values_of(source):
    return find_bindings(parse_cell(source)).values()


def names_of(source):
    return find_bindings(parse_cell(source)).names


def test_values_are_those_of_the_last_binding_where_it_is_a_literal():
    source = (
        "A = 1\nB = A\nC, D = 'x', [1]\nE = F = None\nA = 2\nG = 1\nG += 1\nH: int = 3\nI = float('-inf')\nJ = {1}\n"
    )
    assert values_of(source) == {
        "A": 2,
        "C": "x",
        "D": [1],
        "E": None,
        "F": None,
        "H": 3,
        "I": float("-inf"),
        "J": {1},
    }


def test_names_are_all_that_the_cell_binds_or_declares():
    source = "import a.b\nfrom c import d as e\nf: int\ng = h()\ndef i(j): k = 1\nl = 1\ndel l\n[m for m in g]\n"
    assert names_of(source) == ("a", "e", "g", "i", "f")


def test_a_star_import_leaves_no_value_before_it_certain():
    assert values_of("A = 1\nfrom x import *\nB = 2\n") == {"B": 2}


def test_a_conditional_value_is_not_certain():
    assert values_of("A = 1\nif x:\n    A = 2\n") == {}
