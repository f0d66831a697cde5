"""The project speaks plain English: its own dialect of earlier times is gone from texts, docstrings and names."""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
from typing import NamedTuple

import pytest

from fairing_az_jupyter.preflight.checklist import all_checks
from fairing_az_jupyter.preflight.context import CheckContext
from fairing_az_jupyter.settings import Settings
from tests.conftest import REPOSITORY

PACKAGE = REPOSITORY / "fairing_az_jupyter"

# Each with what to write in its place, which the failure names.
BANNED = {
    r"\b[Mm]end(?:s|ed|ing|able)?\b": "fix, fixed, fixable",
    r"\b[Cc]ure[sd]?\b": "fix, remedy",
    r"\b[Tt]roubles?\b": "problem, failure reason",
    r"\b[Rr]efus(?:e|es|ed|al|als|ing)\b": "reject, rejection, error",
    r"\btold\b": "report, message, event",
    r"\b[Ll]eftovers?\b": "orphaned resources",
    r"\b[Pp]atience\b": "timeout, deadline",
    r"(?<!here )\b(?:is|are|was|were) no (?!longer\b|more\b|less\b|limit\b|different\b)\w+": "is not a ...",
    r"(?:^|[.:;!?] |\n)There (?:is|are|was|were) no\b": "... not found, no ... exists",
    r"\b[Gg]o(?:es|ing)? on\b": "is still running, continue",
    r"\bby now\b": "(nothing; or already)",
    r"\ball the same\b": "anyway, or nothing",
    r"\b(?:is|are|as|was|were) meant\b": "what is meant, in plain words",
    r"\blives?_here\b": "is_local",
    r"\bTake all back\b": "Discard",
    r"\bChoose none\b": "Clear",
}
# What users met, and found odd; each has a better sentence since.
SENTENCES = (
    "None if the Storage account exists; the region to create it in if it does not.",
    "It answers nobody any more",
    "This can't be taken back",
    "others can't be",
    "settings are typed here",
    "Nothing to fill in by now",
    "There is no way to a cluster from here",
    "Not checked, for it builds on",
    "and close to one that is",
    "It was given as an argument.",
    "nothing that no launch has made",
    "what launches have left and nobody needs",
    "The endpoint is reached as meant",
    "Way to the blobs",
    "Secrets may be prepared",
    "to life",
    "tells it all",
    "that is what the run has failed of",
)


class Allowed(NamedTuple):
    """A pattern that is not a fault.

    Args:
        pattern: With the words around it, so that nothing else matches.
        reason: Why.

    """

    pattern: str
    reason: str


ALLOWED = (
    Allowed(r"connection refused|refused (?:the )?connection|refused or reset connections", "the network's own word"),
    Allowed(r"(?<![\w-])\w+(?:-\w+)*-refused\b|^refused$", "an error's code, which programs read"),
    Allowed(r"Clean up leftovers: ", "the documented sentence for `cleanup`, in prose"),
    Allowed(r'^leftovers$|"leftovers"', "a key of `cleanup --json`, which programs read"),
    Allowed(r"--follow|--meant", "options"),
)
ALLOWED_RX = re.compile("|".join(f"(?:{each.pattern})" for each in ALLOWED), re.MULTILINE)
# Being rewritten; taken out of here one by one as that is done.
LATER = ()


def faults(text):
    """Return what is wrong with a text: the words found, each with what to write in its place."""
    rest = ALLOWED_RX.sub("", text)
    found = [
        f"{match[0].strip()!r} -> {instead}"
        for pattern, instead in BANNED.items()
        for match in re.finditer(pattern, rest)
    ]
    return found + [f"{sentence!r}" for sentence in SENTENCES if sentence in rest]


def is_later(path):
    return path.relative_to(REPOSITORY).as_posix().startswith(LATER)


def sources():
    return [path for path in sorted(PACKAGE.rglob("*.py")) if not is_later(path)]


def texts_of(path):
    """Yield line and text of each string in a Python file; fields of an f-string become a mark."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parts = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in ast.walk(node)
        if part is not node
    }
    for node in ast.walk(tree):
        if id(node) in parts:
            continue
        if isinstance(node, ast.JoinedStr):
            values = (part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
            yield node.lineno, "".join(map(str, values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def comments_of(path):
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def names_of(path):
    """Yield line and words of each name that a Python file binds."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr


def words(name):
    """`find_leftovers` and `LeftOver` as words."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ").strip()


def report(path, found):
    return [
        f"{path.relative_to(REPOSITORY)}:{line} {'; '.join(wrong)}" for line, text in found if (wrong := faults(text))
    ]


def test_the_strings_and_docstrings_of_the_package_are_plain():
    assert [fault for path in sources() for fault in report(path, texts_of(path))] == []


def test_the_comments_of_the_package_are_plain():
    assert [fault for path in sources() for fault in report(path, comments_of(path))] == []


def test_the_names_of_the_package_are_plain():
    found = [
        fault for path in sources() for fault in report(path, ((line, words(name)) for line, name in names_of(path)))
    ]

    assert found == []


def test_the_names_of_modules_are_plain():
    assert [fault for path in sources() for fault in faults(words(path.stem))] == []


def test_what_settings_say_of_themselves_is_plain():
    described = json.dumps(Settings.model_json_schema(), ensure_ascii=False)

    assert faults(described) == []


def test_titles_and_reasons_of_checks_are_plain():
    checks = all_checks(CheckContext(Settings()))

    assert checks
    assert [fault for check in checks for fault in faults(f"{check.title}. {check.why}")] == []


@pytest.mark.parametrize(
    "page", [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))], ids=lambda page: page.name
)
def test_the_pages_are_plain(page):
    if is_later(page):
        assert page.exists()
        return

    lines = enumerate(page.read_text(encoding="utf-8").split("\n"), 1)
    assert report(page, lines) == []


def test_the_texts_of_the_side_panel_are_plain():
    """String literals and JSX text in TypeScript, and the schemas of JupyterLab's settings."""
    folder = REPOSITORY / "labextension"
    files = [*sorted((folder / "src").rglob("*.ts*")), *sorted((folder / "schema").glob("*.json"))]
    literal = re.compile(
        r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"|`(?:[^`\\]|\\.)*`|(?<=>)[^<>{}]*[a-z][^<>{}]*(?=<)"
    )
    assert files

    found = []
    for path in files:
        if is_later(path) or "generated" in path.parts:
            continue
        text = path.read_text(encoding="utf-8")
        found += report(path, ((text.count("\n", 0, each.start()) + 1, each[0]) for each in literal.finditer(text)))
    assert found == []


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("Mend HTTPS_PROXY", "fix"),
        ("'0' is no port", "is not a"),
        ("There is no such command", "not found"),
        ("the build goes on", "continue"),
        ("Not checked, for it builds on 'X' (fail).", "Not checked, for it builds on"),
    ],
)
def test_the_dialect_is_found(text, instead):
    assert any(instead in fault for fault in faults(text))


@pytest.mark.parametrize(
    "text", ["there is no notebook", "it is no longer there", "refused the connection", "port-refused"]
)
def test_plain_english_is_not(text):
    assert faults(text) == []
