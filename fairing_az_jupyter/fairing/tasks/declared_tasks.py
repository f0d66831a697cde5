"""The classes and functions of a file that may be launched, as its text tells: nothing of it is run."""

from __future__ import annotations

import ast
import dataclasses
import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.fairing.tasks.notebook_definitions import read_definitions
from fairing_az_jupyter.models import TaskInfo
from fairing_az_jupyter.parameters.cell_code import parse_quietly

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["check_declared", "declared_tasks"]

_SPELLING = "Write FILE.py:CLASS, or FILE.ipynb:CLASS"
_SIGNATURES = {"train": "train(self)", "predict": "predict(self, X, feature_names=None)"}
# Classes of Python itself from which none of the two methods can come.
_BARE = frozenset(
    {"object", "ABC", "Enum", "Exception", "Generic", "NamedTuple", "Protocol", "TypedDict", "dict", "list"}
)


@dataclasses.dataclass(frozen=True)
class _Declared:
    """What a file says at its top level.

    Args:
        nodes: The last definition of each class and function, by name.
        bound: All names that get a value, those of `nodes` among them.
        open: Whether further names may come from `from X import *`.
        unread: The cells that could not be read, and why.

    """

    nodes: Mapping[str, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]
    bound: frozenset[str]
    open: bool
    unread: Mapping[int, str]


def declared_tasks(path: str, text: str | None = None) -> tuple[TaskInfo, ...]:
    """List the classes and functions of a file that may be launched, in the order of the file.

    Args:
        path: The .py or .ipynb file; tasks are called by its name.
        text: Its text; None to read the file.

    Raises:
        InputError: It is neither, can't be read, or is not Python.

    """
    declared = _declared(path, text)
    found = (_task(path, name, node, declared) for name, node in declared.nodes.items() if not name.startswith("_"))
    return tuple(task for task in found if task is not None)


def check_declared(path: str, name: str | None, method: Literal["train", "predict"]) -> str:
    """Reject a task that a file does not define, as far as its text tells.

    Args:
        path: The .py or .ipynb file.
        name: The class or function; None for the only one that there is.
        method: The method that a class needs: with `predict` it has to be a class.

    Returns:
        The task's name.

    Raises:
        InputError: The file can't be read; or it defines no such task, or none that can be launched so.

    """
    declared = _declared(path, None)
    if not name:
        return _only(path, declared, method)
    if name not in declared.bound:
        if declared.open:
            return name
        raise _missing(path, name, declared)
    node = declared.nodes.get(name)
    if node is None:
        return name
    does = "trained" if method == "train" else "deployed"
    if not isinstance(node, ast.ClassDef):
        if method == "predict":
            raise InputError(
                f"'{name}' in '{path}' is a function; only a class can be deployed.",
                hint=f"Choose a class with the method {_SIGNATURES[method]}.",
                code="task",
            )
        problem = "" if node.decorator_list else _problem_of_function(node)
        if problem:
            raise InputError(
                f"Function '{name}' in '{path}' can't be {does}: {problem}",
                hint="Give its arguments default values, or put the call into a function without any.",
                code="task",
            )
    elif _has(node, method, declared) is False and not node.decorator_list:
        raise InputError(
            f"Class '{name}' in '{path}' has no method '{method}', so it can't be {does}.",
            hint=f"Give it one: def {_SIGNATURES[method]}",
            code="task",
        )
    return name


def _only(path: str, declared: _Declared, method: str) -> str:
    tasks = [task for name, node in declared.nodes.items() if (task := _task(path, name, node, declared)) is not None]
    fit = [task.name for task in tasks if (task.can_train if method == "train" else task.can_deploy)]
    if len(fit) == 1:
        return fit[0]
    raise InputError(
        f"'{path}' defines {len(fit) or 'nothing'} that can be {'trained' if method == 'train' else 'deployed'}"
        f"{f': {chr(44).join(fit[:10])}' if fit else ''}.",
        hint=f"Choose one: {path}:{fit[0]}" if fit else f"It needs a class with the method {_SIGNATURES[method]}.",
        code="task",
    )


def _missing(path: str, name: str, declared: _Declared) -> InputError:
    near = difflib.get_close_matches(name, declared.nodes, n=1)
    known = ", ".join([each for each in declared.nodes if not each.startswith("_")][:10])
    unread = "; ".join(f"cell {number} {why}" for number, why in list(declared.unread.items())[:3])
    return InputError(
        f"'{name[:100]}' not found in "
        f"'{path}'.{f' Did you mean {near[0]!r}?' if near else ''}{f' Left out: {unread}.' if unread else ''}",
        hint=f"It defines: {known}." if known else "It defines no class or function.",
        code="task",
    )


def _declared(path: str, text: str | None) -> _Declared:
    suffix = Path(path).suffix.lower()
    if suffix == ".ipynb":
        found = read_definitions(path, text)
        nodes = [statement.node for statement in found.statements]
        bound = frozenset().union(*(statement.binds for statement in found.statements))
        return _of(nodes, bound, found.unread)
    if suffix != ".py":
        raise InputError(
            f"'{path}' is neither a Python file nor a notebook, so it defines nothing that can be launched.",
            hint=f"{_SPELLING}, with the file that defines the class.",
            code="task",
        )
    tree = _parsed(path, text)
    found_names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    found_names |= {
        (alias.asname or alias.name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    inner = {node.name for node in _conditional(tree.body)}
    return _of(tree.body, frozenset(found_names | inner), {})


def _of(nodes: Sequence[ast.stmt], bound: frozenset[str], unread: Mapping[int, str]) -> _Declared:
    defined = {
        node.name: node for node in nodes if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
    }
    star = any(isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node in nodes)
    return _Declared(defined, bound | defined.keys(), star, unread)


def _conditional(body: Iterable[ast.stmt]) -> Iterable[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield what a file defines within `if`, `try` and the like."""
    for node in body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node
            continue
        for part in ("body", "orelse", "finalbody"):
            yield from _conditional(getattr(node, part, ()))
        for handler in getattr(node, "handlers", ()):
            yield from _conditional(handler.body)


def _parsed(path: str, text: str | None) -> ast.Module:
    try:
        if text is not None:
            return parse_quietly(text.removeprefix("\ufeff"))
        if not Path(path).is_file():
            raise InputError(f"Python file '{path}' not found.", hint=f"{_SPELLING}; check its path.", code="task")
        # Python's own rules for the encoding of a file hold for bytes only.
        return ast.parse(Path(path).read_bytes(), path)
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        raise InputError(
            f"'{path}'{line} is not valid Python: {error.msg}.",
            hint=f"Run it by itself to see the error: python {path}",
            code="task",
        ) from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(f"'{path}' can't be read: {why}.", hint=f"{_SPELLING}.", code="task") from None


def _task(
    path: str, name: str, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, declared: _Declared
) -> TaskInfo | None:
    # A launch works in the folder of its file.
    whole = f"{Path(path).name}:{name}"
    if not isinstance(node, ast.ClassDef):
        problem = _problem_of_function(node)
        why = problem or "A function can be trained; only a class can be deployed."
        return TaskInfo(whole, name, "function", can_train=not problem, can_deploy=False, reason=why)
    has = {method: _has(node, method, declared) for method in _SIGNATURES}
    missing = [_SIGNATURES[method] for method, there in has.items() if there is False]
    reason = f"It has no method {' and no method '.join(missing)}." if missing else ""
    if None in has.values():
        bases = ", ".join(ast.unparse(base) for base in node.bases)
        reason = f"Methods inherited from {bases} are checked at launch."
    return TaskInfo(whole, name, "class", has["train"] is not False, has["predict"] is not False, reason)


def _has(node: ast.ClassDef, method: str, declared: _Declared, seen: frozenset[str] = frozenset()) -> bool | None:
    """Tell whether a class has a method; None where that hangs on a class that another file defines."""
    for each in node.body:
        if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)) and each.name == method:
            return True
        if isinstance(each, (ast.Assign, ast.AnnAssign)):
            targets = each.targets if isinstance(each, ast.Assign) else [each.target]
            if any(isinstance(target, ast.Name) and target.id == method for target in targets):
                return True
    known: bool | None = False
    for base in node.bases:
        name = ast.unparse(base).partition("[")[0].rpartition(".")[2]
        parent = declared.nodes.get(name)
        if isinstance(parent, ast.ClassDef) and name not in seen:
            inherited = _has(parent, method, declared, seen | {name})
        else:
            inherited = False if name in _BARE or name in seen else None
        if inherited:
            return True
        known = None if inherited is None else known
    return known


def _problem_of_function(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Return why a function can't be trained; empty if it can."""
    if isinstance(node, ast.AsyncFunctionDef):
        return "It is asynchronous, and a job would not wait for it."
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    needed = positional[: len(positional) - len(arguments.defaults)]
    needed += [each for each, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if value is None]
    if not needed:
        return ""
    return f"It needs arguments ({', '.join(each.arg for each in needed)}), and a job calls it without any."
