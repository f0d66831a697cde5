"""Train and serve a model from a notebook on Kubeflow on Azure."""

from __future__ import annotations

TYPE_CHECKING = False  # not typing's: every interpreter of this environment loads this module at its start
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from IPython.core.interactiveshell import InteractiveShell

    from fairing_az_jupyter.models import RunEvent, RunResult

__all__ = ["__version__", "report", "run"]

__version__ = "0.1.0"


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """Do what `%load_ext fairing_az_jupyter` asks for: make Fairing's own names importable.

    Args:
        ipython: The shell that loads the extension.

    """
    from fairing_az_jupyter.frontends.magics import load  # noqa: PLC0415 - a hook: the package itself stays light

    load(ipython)


def report(name: str, value: object) -> None:
    """Report a value of a notebook's run, such as a metric of the model; it stands in the run's record.

    Args:
        name: What it is called, such as `rmse`.
        value: A number (also one of NumPy's), a text, True, False or None. Of several the last one counts.

    Raises:
        InputError: The name is empty or too long, or the value is something else.

    """
    from fairing_az_jupyter.reporting import report as tell  # noqa: PLC0415 - the package itself stays light

    tell(name, value)


def run(
    notebook: str,
    parameters: Mapping[str, object] | None = None,
    *,
    output: str | None = None,
    on_event: Callable[[RunEvent], None] | None = None,
    **options: Any,  # noqa: ANN401 - handed on
) -> RunResult:
    """Run a notebook with parameters, by papermill, and keep a record of it, as `fairing-azure run` does.

    Args:
        notebook: Path of the notebook, or an `abs://` URL.
        parameters: Values for its parameters, by name; checked against the cell tagged `parameters`.
        output: Path or `abs://` URL of the executed notebook; None for one beside the notebook.
        on_event: Called with each event as it happens.
        **options: `kernel_name`, `cwd`, `cell_timeout`, `deadline` (seconds), `output_limit` (bytes) as in
            `RunRequest`; `parameters_file`, `profile`; `runs_folder`, where the record is kept.

    Returns:
        What the run has come to; its `run` is the record's identifier.

    Raises:
        InputError: The run can't be started as it was asked for.
        ExecutionError: A cell raised, the kernel died, or the run was cancelled.

    """
    from fairing_az_jupyter.manager import run_notebook  # noqa: PLC0415 - the package itself stays light

    return run_notebook(notebook, parameters or {}, output=output, on_event=on_event, **options)
