"""Finds the class or the function that is to be launched: in a Python file, in a notebook, or among its own names."""

from __future__ import annotations

import contextlib
import difflib
import importlib.machinery
import importlib.util
import inspect
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import cloudpickle

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.fairing.tasks.declared_tasks import check_declared
from fairing_az_jupyter.fairing.tasks.notebook_definitions import (
    file_of_cell,
    read_definitions,
    run_definitions,
    wanted,
)
from fairing_az_jupyter.models import TaskInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = ["load_task", "tasks_in"]

_SPELLING = "Write FILE.py:CLASS, or FILE.ipynb:CLASS"
_FUNCTION = "Only a class can be deployed."
_SIGNATURES = {"train": "train(self)", "predict": "predict(self, X, feature_names=None)"}


def load_task(task: str, method: Literal["train", "predict"], names: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - the user's own
    """Return a class, or a function that takes no arguments.

    Args:
        task: `FILE.py:NAME`, `FILE.ipynb:NAME`, or a name of `names`. Of a notebook only what it defines is run.
        method: The method that a class needs: `train` or `predict`. With `predict` it has to be a class.
        names: The notebook's variables; None where there is no notebook.

    Raises:
        InputError: The file or name does not exist, the file can't be run, or what has the name can't be launched.

    """
    file, colon, name = task.rpartition(":")
    if colon and file:
        is_notebook = file.lower().endswith(".ipynb")
        loaded = _loaded_notebook(file, check_declared(file, name, method)) if is_notebook else _loaded(file)
        found, where = _named(loaded, name, f"'{file}'")
    elif names is None or colon or task.endswith((".py", ".ipynb")):
        hint = f"{_SPELLING}, with the file that defines the class."
        raise InputError(f"'{task[:100]}' names no class in a file.", hint=hint, code="task")
    else:
        found, where = _named(names, task, "this notebook")
    if inspect.isclass(found):
        if not callable(getattr(found, method, None)):
            does = "trained" if method == "train" else "deployed"
            raise InputError(
                f"Class '{name}' in {where} has no method '{method}', so it can't be {does}.",
                hint=f"Give it one: def {_SIGNATURES[method]}",
                code="task",
            )
        return found
    if method == "train" and inspect.isfunction(found):
        return found
    what = "class" if method == "predict" else "class or function"
    raise InputError(
        f"'{name}' in {where} is not a {what} but {type(found).__name__}, so it can't be launched.",
        hint=f"Choose a {what} that the {'notebook' if not file else 'file'} defines.",
        code="task",
    )


def tasks_in(names: Mapping[str, Any]) -> tuple[TaskInfo, ...]:
    """List the classes and functions among a notebook's variables that may be launched, the latest last.

    Args:
        names: The notebook's variables.

    Returns:
        What the notebook has defined itself, and what it has imported from below the working directory.

    """
    own = str(names.get("__name__", "__main__"))
    found = (
        _task(name, value)
        for name, value in tuple(names.items())
        if not name.startswith("_")
        and (inspect.isclass(value) or inspect.isfunction(value))
        and _is_users(value.__module__, own)
    )
    return tuple(task for task in found if task is not None)


def _is_users(module: str, own: str) -> bool:
    if module == own:
        return True
    file = getattr(sys.modules.get(module), "__file__", None)
    if not isinstance(file, str) or {"site-packages", "dist-packages"} & set(Path(file).parts):
        return False
    return Path(file).resolve().is_relative_to(Path.cwd().resolve())


def _task(name: str, value: Any) -> TaskInfo | None:  # noqa: ANN401 - the user's own
    if inspect.isclass(value):
        can_train, can_deploy = (callable(getattr(value, method, None)) for method in ("train", "predict"))
        missing = [_SIGNATURES[method] for method, can in (("train", can_train), ("predict", can_deploy)) if not can]
        reason = f"It has no {missing[0]}." if missing else ""
        return TaskInfo(name, name, "class", can_train, can_deploy, reason) if can_train or can_deploy else None
    with contextlib.suppress(ValueError, TypeError):
        needed = [
            each
            for each in inspect.signature(value).parameters.values()
            if each.default is each.empty and each.kind not in {each.VAR_POSITIONAL, each.VAR_KEYWORD}
        ]
        return None if needed else TaskInfo(name, name, "function", can_train=True, can_deploy=False, reason=_FUNCTION)
    return None


def _named(names: Mapping[str, Any], name: str, where: str) -> tuple[Any, str]:
    if name in names:
        return names[name], where
    near = difflib.get_close_matches(name, [each for each in names if not each.startswith("_")], n=1)
    launchable = sorted(_launchable(names))
    there = f"It defines: {', '.join(launchable[:10])}." if launchable else "It defines no class or function."
    raise InputError(
        f"'{name[:100]}' not found in {where}.{f' Did you mean {near[0]!r}?' if near else ''}",
        hint=there if where != "this notebook" else "Run the cell that defines it first.",
        code="task",
    )


def _launchable(names: Mapping[str, Any]) -> Iterable[str]:
    module = names.get("__name__")
    for name, value in names.items():
        if (inspect.isclass(value) or inspect.isfunction(value)) and value.__module__ == module:
            yield name


def _loaded(file: str) -> Mapping[str, Any]:
    """Run a Python file and return its names; its classes are pickled by value, so the job needs no such module."""
    path = Path(file)
    if not path.is_file():
        raise InputError(f"Python file '{file}' not found.", hint=f"{_SPELLING}; check its path.", code="task")
    # Of its own, so that train.py or json.py takes no other module's place.
    name = f"fairing_task_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or not isinstance(spec.loader, importlib.machinery.SourceFileLoader):
        raise InputError(f"'{file}' is not a Python file.", hint=f"{_SPELLING}.", code="task")
    spec.loader = _FromSource(name, str(path))
    module = importlib.util.module_from_spec(spec)
    execute = spec.loader.exec_module
    _execute(file, module, lambda: execute(module), "Run it by itself to see the error: python " + file)
    return vars(module)


class _FromSource(importlib.machinery.SourceFileLoader):
    """Compiles a file as it is now: bytecode is taken for new by the file's size and second, and leaves a folder."""

    def get_code(self, fullname: str) -> types.CodeType:
        """Return the code of the file."""
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def _loaded_notebook(file: str, name: str) -> Mapping[str, Any]:
    """Run what a notebook defines, as far as a class or function of it needs it, and return its names."""
    definitions = read_definitions(file)
    module = types.ModuleType(f"fairing_task_{Path(file).stem}")
    statements = wanted(definitions.statements, name)
    hint = "Only the notebook's definitions are run. Run its cells in Jupyter to see what they need."
    _execute(file, module, lambda: run_definitions(file, definitions, statements, vars(module)), hint)
    return vars(module)


def _execute(file: str, module: types.ModuleType, run: Callable[[], None], hint: str) -> None:
    """Run a file as a module that is pickled by value: the job needs no such module.

    Raises:
        InputError: It can't be run.

    """
    sys.modules[module.__name__] = module
    problem = ""
    with _importable_beside(Path(file)):
        try:
            run()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever the user's own code raises, sys.exit() included
            problem = f"{type(error).__name__}: {error}".rstrip(": ") + _line_of(error, file)
    if problem:
        del sys.modules[module.__name__]
        raise InputError(f"'{file}' can't be run: {problem}.", hint=hint, code="task")
    cloudpickle.register_pickle_by_value(module)


def _line_of(error: BaseException, file: str) -> str:
    """Return where in the file an error was raised, as the end of a sentence."""
    at, trace = "", error.__traceback__
    cell = file_of_cell(file, 0).removesuffix("0")
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if name.startswith(cell):
            at = f"cell {name.removeprefix(cell)}, line {trace.tb_lineno}"
        elif Path(name).resolve() == Path(file).resolve():
            at = f"line {trace.tb_lineno}"
        trace = trace.tb_next
    # A syntax error tells it by itself.
    return "" if not at or isinstance(error, SyntaxError) else f" ({at})"


@contextlib.contextmanager
def _importable_beside(path: Path) -> Iterator[None]:
    """Let a file import what lies beside it, as it does when Python runs it."""
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(folder)
