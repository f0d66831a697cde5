"""The Python source of one cell as IPython runs it: magics are masked, so that Python's own parser reads the rest."""

from __future__ import annotations

import ast
import re
import warnings
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

# Python's own line breaks; str.splitlines knows more of them.
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_BREAK = re.compile(r"\r\n|\r|\n")
_CELL_MAGIC = re.compile(r"%%([\w.]+|!)")
# Cell magics that run their body as Python in the notebook's own namespace.
_PYTHON_CELL_MAGICS = frozenset({"capture", "prun", "time"})
# Where a line may begin what only IPython understands (IPython.core.inputtransformer2).
_MAGIC = re.compile(
    r"""
    (?P<escape> [ \t]* [%!?,;/] )              # %magic  !shell  ?help  ,quote  ;quote  /call
    | (?P<assign> [^=#\r\n]+ = [ \t]* [!%] )   # files = !ls   out = %magic
    | (?P<help> [^#\r\n]* \? [ \t]* (?:\#|$) ) # name?  name??
    """,
    re.VERBOSE,
)


class CellCodeError(Exception):
    """A cell's source can't be understood as Python.

    Args:
        reason: What is wrong, as the end of a sentence that begins with the cell.
        hint: What to change.
        line: The line in the cell, counted from 1, or None where no single line is to blame.

    """

    def __init__(self, reason: str, hint: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.line = line


@dataclass(frozen=True)
class CellCode:
    """A parsed cell.

    Args:
        source: The source as the notebook has it.
        masked: The same, character for character, with every magic replaced by a name or a comment of the same length.
        tree: The syntax tree of `masked`.
        magics: Where the masked line magics begin, as offsets of characters, and where they end.

    """

    source: str
    masked: str
    tree: ast.Module
    magics: dict[int, int]

    @cached_property
    def lines(self) -> list[str]:
        """The lines of the masked source, each with its line break."""
        return split_lines(self.masked)

    @cached_property
    def line_starts(self) -> list[int]:
        """The offset at which each line begins, and that of the end."""
        return list(accumulate(map(len, self.lines), initial=0))

    @cached_property
    def newline(self) -> str:
        """The line break that the cell uses first; a plain line feed where it has none."""
        found = _BREAK.search(self.source)
        return found[0] if found else "\n"

    @cached_property
    def runs_as_one(self) -> bool:
        """Whether Python compiles the cell as a whole (IPython compiles statement by statement)."""
        return _compile_error(self.tree) is None

    def start(self, node: ast.stmt | ast.expr) -> int:
        """Return the offset of a node's first character."""
        return self._offset(node.lineno, node.col_offset)

    def end(self, node: ast.stmt | ast.expr) -> int:
        """Return the offset behind a node's last character; a magic ends behind its continued lines."""
        end = self._offset(node.end_lineno or node.lineno, node.end_col_offset or 0)
        return self._magic_ends.get(end, end)

    def line_of(self, offset: int) -> int:
        """Return the index of the line that holds the character before an offset."""
        return max(0, bisect_left(self.line_starts, offset) - 1)

    @cached_property
    def _magic_ends(self) -> dict[int, int]:
        # Python sees the first line only: the others are blank in the masked source.
        return {start + len(_bare(split_lines(self.masked[start:end])[0])): end for start, end in self.magics.items()}

    def _offset(self, line: int, column: int) -> int:
        text = self.lines[line - 1]
        # The columns of ast count bytes of UTF-8.
        return self.line_starts[line - 1] + (column if text.isascii() else len(text.encode()[:column].decode()))


def split_lines(source: str) -> list[str]:
    r"""Split at Python's line breaks (`\n`, `\r\n` and `\r` only) and keep them."""
    return _LINE.findall(source)


def parse_quietly(source: str) -> ast.Module:
    """Parse without the warnings that Python prints about escapes such as backslash-d: they are the author's affair.

    Raises:
        SyntaxError: The source is not Python, or too deeply nested.

    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (ValueError, MemoryError, RecursionError) as error:
        raise SyntaxError(str(error) or "too deeply nested") from error


def parse_cell(source: str) -> CellCode:
    """Parse a cell's source.

    Args:
        source: The source of one code cell.

    Returns:
        The parsed cell.

    Raises:
        CellCodeError: The cell is written in another language (`%%bash`), has a syntax error, or holds characters that
            no Python source may hold.

    """
    _check_characters(source)
    lines = split_lines(source)
    _mask_cell_magics(lines)
    starts = list(accumulate(map(len, lines), initial=0))
    candidates = [index for index, line in enumerate(lines) if _MAGIC.match(_bare(line))]
    magics: dict[int, int] = {}
    while True:
        try:
            tree = parse_quietly("".join(lines))
            break
        except SyntaxError as error:
            at = _culprit(error, candidates)
            if at is None:
                raise _syntax_error(error) from None
            candidates.remove(at)
            column, last = _mask_magic(lines, at)
            magics[starts[at] + column] = starts[last] + len(_bare(lines[last]))
    code = CellCode(source, "".join(lines), tree, magics)
    masked_by_mistake = set(magics) - {code.start(node) for node in ast.walk(tree) if isinstance(node, ast.Name)}
    if masked_by_mistake:
        raise CellCodeError("has a syntax error", _SYNTAX_HINT, code.line_of(min(masked_by_mistake) + 1) + 1)
    for statement in tree.body:
        broken = _compile_error(ast.Module([statement], []))
        if broken is not None:
            raise _syntax_error(broken)
    return code


_SYNTAX_HINT = "Fix or remove that line in the notebook, and run this again."


def _check_characters(source: str) -> None:
    if "\0" in source:
        line = len(_BREAK.findall(source[: source.index("\0")])) + 1
        raise CellCodeError("holds a NUL character, which Python rejects", _SYNTAX_HINT, line)
    try:
        source.encode()
    except UnicodeEncodeError as error:
        line = len(_BREAK.findall(source[: error.start])) + 1
        raise CellCodeError("holds half a surrogate pair, which Python rejects", _SYNTAX_HINT, line) from None


def _mask_cell_magics(lines: list[str]) -> None:
    """Turn the `%%time` lines that begin the cell into comments: they are not statements of the code that they run."""
    for index, line in enumerate(lines):
        found = _CELL_MAGIC.match(line)
        if found:
            if found[1] not in _PYTHON_CELL_MAGICS:
                raise CellCodeError(
                    f"begins with {found[0]}, so it is not Python code of the notebook",
                    "Remove the tag 'parameters' from that cell, or remove its first line.",
                    index + 1,
                )
            lines[index] = "#" + "_" * (len(_bare(line)) - 1) + _line_end(line)
        elif line.strip():
            return


def _mask_magic(lines: list[str], at: int) -> tuple[int, int]:
    """Replace a magic by a name of the same length, and the lines that continue it by blanks.

    Returns:
        The column at which the magic begins, and the index of its last line.

    """
    line = lines[at]
    found = _MAGIC.match(_bare(line))
    column = len(line) - len(line.lstrip(" \t"))
    if found and found["assign"]:
        column = found.end() - 1
    last = at
    while _bare(lines[last]).endswith("\\") and last + 1 < len(lines):
        last += 1
    lines[at] = line[:column] + "_" * (len(_bare(line)) - column) + _line_end(line)
    for index in range(at + 1, last + 1):
        lines[index] = " " * len(_bare(lines[index])) + _line_end(lines[index])
    return column, last


def _culprit(error: SyntaxError, candidates: list[int]) -> int | None:
    """Return the magic to mask next: the one that Python stumbled over, or the nearest before it."""
    line = (error.lineno or 1) - 1
    return max((index for index in candidates if index <= line), default=None)


def _syntax_error(error: SyntaxError) -> CellCodeError:
    return CellCodeError(f"has a syntax error ({error.msg})", _SYNTAX_HINT, error.lineno)


def _compile_error(tree: ast.Module) -> SyntaxError | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # IPython allows await at the top level.
            compile(tree, "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except SyntaxError as error:
        return error
    except (ValueError, MemoryError, RecursionError) as error:
        return SyntaxError(str(error) or "too deeply nested")
    return None


def _bare(line: str) -> str:
    return line.rstrip("\r\n")


def _line_end(line: str) -> str:
    return line[len(_bare(line)) :]
