"""Runs what Kubeflow Fairing has pickled, as its own `function_shim.py` does, and notes what it returns or raises.

Stand-alone, beside the user's files (see `CONTAINER_FILES` of `job.py`):

    python /app/fairing_az_task.py --serialized_fn_file /app/pickled_fn.p --python_version 3.11

The output and the exit code are those of `function_shim.py` of Kubeflow Fairing 1.0.2. What the function or `train()`
has returned, and what it has raised, is noted in the folder that the variable FAIRING_AZ_OUTCOME names, if it is set.
A result that is neither true nor false, such as an array, is printed; `function_shim.py` fails with it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import sys
import traceback
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from fairing_az_jupyter.fairing.job_program.result_files import NotKeptError, write_result
else:  # beside the user's files
    from fairing_az_result_files import NotKeptError, write_result

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SHIM = "function_shim.py"
"""The program of Kubeflow Fairing in whose place this one is started."""

OUTCOME_VARIABLE = "FAIRING_AZ_OUTCOME"
KEY_VARIABLE = "FAIRING_AZ_RESULT_KEY"

_LONGEST_MESSAGE = 10_000
_MOST_LINES = 200
_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType)


def main(arguments: Sequence[str]) -> None:
    """Run the task."""
    logging.basicConfig(format="%(message)s")
    logging.getLogger().setLevel(logging.INFO)
    parser = argparse.ArgumentParser(description="Shim for calling a serialized function")
    parser.add_argument("--serialized_fn_file", action="store")
    parser.add_argument("--python_version", action="store")
    options = parser.parse_args(arguments)
    folder, key_file = os.environ.pop(OUTCOME_VARIABLE, ""), os.environ.pop(KEY_VARIABLE, "")
    try:
        check_python(options.python_version)
        result = call(options.serialized_fn_file)
        if folder:
            _note(folder, result, key_file)
        if _is_shown(result):
            print(result)  # noqa: T201 - the job's output
    except BaseException as error:
        if folder and not (isinstance(error, SystemExit) and not error.code):
            _write(folder, {"result": None, "error": described(error)})
        raise


def check_python(wanted: str) -> None:
    """Make sure that this Python is the one that has pickled the task.

    Args:
        wanted: Its version, such as 3.11.

    Raises:
        RuntimeError: It is another one.

    """
    own = ".".join(map(str, sys.version_info[:2]))
    if wanted != own:
        # Word for word as Fairing: what shows job errors looks for it.
        raise RuntimeError(
            "The Python version "
            + own
            + " mismatches \
                           with Python "
            + wanted
            + " in the local environment."
        )


def call(path: str) -> Any:  # noqa: ANN401 - the user's
    """Return what a pickled function, or `train()` of a pickled class, returns.

    Args:
        path: The file with the pickle.

    Raises:
        RuntimeError: It is neither a function nor a class with a method `train`.

    """
    import cloudpickle  # noqa: PLC0415 - Fairing puts it beside this file

    with open(path, "rb") as file:  # noqa: PTH123 - pathlib is not loaded
        task = cloudpickle.load(file)
    if isinstance(task, _FUNCTIONS):
        return task()
    if isinstance(task, type) and hasattr(task, "train"):
        return task().train()
    raise RuntimeError(
        "Object must of type function or a \
                               class but got "
        + str(type(task))
    )


def described(error: BaseException) -> dict[str, Any]:
    """Return an exception as plain data.

    Args:
        error: The exception.

    Returns:
        Its `type`, `module`, `message` and `traceback`; of the latter the lines from the task on.

    """
    kind = type(error)
    lines: list[str] = []
    with contextlib.suppress(Exception):
        own = error.__traceback__
        while own is not None and own.tb_frame.f_code.co_filename == __file__:
            own = own.tb_next
        for part in traceback.format_exception(kind, error, own):
            lines += part.rstrip("\n").split("\n")
    return {
        "type": kind.__qualname__,
        "module": kind.__module__,
        "message": _text(error)[:_LONGEST_MESSAGE],
        "traceback": lines[-_MOST_LINES:],
    }


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - the user's own __str__
        return ""


def _is_shown(result: Any) -> bool:  # noqa: ANN401 - the user's
    try:
        return bool(result)
    except Exception:  # noqa: BLE001 - an array, a table
        return True


def _note(folder: str, result: Any, key_file: str) -> None:  # noqa: ANN401 - the user's
    """Note what was returned; where it can't be kept there is a message, and nothing fails."""
    found = None
    if result is not None:
        try:
            found = write_result(result, folder, _key(key_file))
        except NotKeptError as error:
            _say(f"What the task returned (a {type(result).__qualname__}) was not kept: {error}")
    _write(folder, {"result": found, "error": None})


def _key(path: str) -> bytes:
    with contextlib.suppress(OSError), open(path, "rb") as file:  # noqa: PTH123 - as above
        return file.read().strip()
    return b""


def _write(folder: str, outcome: Mapping[str, Any]) -> None:
    path = os.path.join(folder, "outcome.json")  # noqa: PTH118 - as above
    try:
        with open(f"{path}.new", "w", encoding="utf-8") as file:  # noqa: PTH123 - as above
            json.dump(outcome, file)
        os.replace(f"{path}.new", path)  # noqa: PTH105 - as above
    except OSError as error:
        _say(f"The task's end could not be noted: {error.strerror}")


def _say(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"fairing-az-jupyter: {text}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
