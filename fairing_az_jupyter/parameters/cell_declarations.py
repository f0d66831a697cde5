"""What one cell says about its names besides their values: the type, the help text, and how the value is written.

It is what `papermill.inspect_notebook` shows, read from the syntax tree instead of by a pattern: a `#` within a text is
no comment, and a value may continue over lines.
"""

from __future__ import annotations

import ast
import contextlib
import re
import tokenize
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairing_az_jupyter.parameters.assignments import Bindings
    from fairing_az_jupyter.parameters.cell_code import CellCode

_TYPE_COMMENT = re.compile(r"type:\s*")
# For type checkers only: it says that there is no type.
_NO_TYPE = re.compile(r"ignore(?:\[.*\])?$")
_BLOCKS = (ast.If, ast.For, ast.While, ast.With, ast.Try)


@dataclass(frozen=True)
class Declaration:
    """What a cell says about one name.

    Args:
        type: Its type as written, without quotes; "" where none is declared.
        help: The comment behind its assignment, without the type; "" where there is none.
        default: Its value as Python, on one line; "" where the cell gives it none, or none that is written out.

    """

    type: str = ""
    help: str = ""
    default: str = ""

    def updated(self, later: Declaration) -> Declaration:
        """Return what holds when a later assignment follows: its value, and what it says anew."""
        return Declaration(later.type or self.type, later.help or self.help, later.default)


def find_declarations(code: CellCode, bindings: Bindings) -> dict[str, Declaration]:
    """Find what a cell says about the names that it binds or declares.

    The type is that of the annotation (`NAME: type = value`), or else of a comment behind the assignment, at the end of
    its last line: `# type: TYPE help`. Source: `papermill.translators.PythonTranslator.inspect`.

    Args:
        code: The parsed cell.
        bindings: What it binds.

    Returns:
        One entry for each name that the cell mentions.

    """
    found: dict[str, Declaration] = {}
    comments = _comments(code)
    # Of several statements in one line, the comment belongs to the last.
    last_in_line = {statement.end_lineno: statement for statement in _statements(code.tree.body)}
    for statement in _statements(code.tree.body):
        is_last = last_in_line[statement.end_lineno] is statement
        comment = comments.get(statement.end_lineno or 0, "") if is_last else ""
        said, help_text = _taken_apart(comment)
        for name, annotation in _targets(statement):
            written = _annotation_text(code, annotation) if annotation is not None else said
            found[name] = found.get(name, Declaration()).updated(Declaration(written, help_text))
    for name in bindings.names:
        last = bindings.last(name)
        default = _source_of(code, last.value) if last is not None and last.value is not None else ""
        said_of = found.get(name, Declaration())
        found[name] = Declaration(said_of.type, said_of.help, default)
    return {name: found[name] for name in bindings.names}


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the simple statements that run in the notebook's own namespace, in order."""
    for statement in body:
        if not isinstance(statement, _BLOCKS):
            yield statement
            continue
        for block in ("body", "handlers", "orelse", "finalbody"):
            for inner in getattr(statement, block, ()):
                yield from _statements(inner.body if isinstance(inner, ast.ExceptHandler) else [inner])


def _targets(statement: ast.stmt) -> list[tuple[str, ast.expr | None]]:
    match statement:
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
            return [(name, annotation)]
        case ast.Assign(targets=targets):
            return [(target.id, None) for target in targets if isinstance(target, ast.Name)]
    return []


def _comments(code: CellCode) -> dict[int, str]:
    """Return the comment of each line, without its `#`, by the line's number from 1."""
    # One kind of line break, which every release's tokenizer knows.
    lines = iter([line.rstrip("\r\n") + "\n" for line in code.lines])
    found: dict[int, str] = {}
    # Python's parser has accepted the cell; what its tokenizer says besides is of no matter.
    with contextlib.suppress(tokenize.TokenError, SyntaxError):
        for token in tokenize.generate_tokens(lambda: next(lines, "")):
            if token.type == tokenize.COMMENT:
                found[token.start[0]] = token.string[1:].strip()
    return found


def _taken_apart(comment: str) -> tuple[str, str]:
    """Return the type and the help text of a comment."""
    marked = _TYPE_COMMENT.match(comment)
    if marked is None:
        return "", comment
    rest = comment[marked.end() :]
    end = _end_of_type(rest)
    written = rest[:end].strip()
    return "" if _NO_TYPE.match(written) else _unquoted(written), rest[end:].strip()


def _end_of_type(text: str) -> int:
    """Return where a type ends: at the first blank outside brackets and quotes that no `|` stands beside."""
    depth, quote = 0, ""
    for at, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "[]":
            depth += 1 if character == "[" else -1
        elif character.isspace() and depth <= 0 and not (text[:at].rstrip() + " ").endswith("| "):
            behind = text[at:].lstrip()
            if not behind.startswith("|"):
                return at
    # A bracket or a quote that nothing closes is not a type's: it goes as far as papermill would read it.
    return len(text) if depth <= 0 and not quote else len(text.partition(" ")[0])


def _annotation_text(code: CellCode, node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return " ".join(node.value.split())
    return " ".join(code.source[code.start(node) : code.end(node)].split())


def _unquoted(text: str) -> str:
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1].strip() if quoted else text


def _source_of(code: CellCode, node: ast.expr) -> str:
    """Return an expression on one line, as it is written where that is one line; "" where only IPython reads it."""
    if code.start(node) in code.magics:
        return ""
    text = code.source[code.start(node) : code.end(node)]
    if len(text.splitlines()) <= 1:
        return text
    try:
        return ast.unparse(node)
    except RecursionError:
        return ""
