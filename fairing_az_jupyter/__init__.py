"""Train and serve a model from a notebook on Kubeflow on Azure."""

from __future__ import annotations

from fairing_az_jupyter.version import __version__

TYPE_CHECKING = False  # not typing's: every interpreter with the start-up file loads this module
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from IPython.core.interactiveshell import InteractiveShell

    from fairing_az_jupyter.models import RunEvent, RunResult
    from fairing_az_jupyter.outputs.sources import FileSource
    from fairing_az_jupyter.sweeps.table import SweepTable

__all__ = ["__version__", "files_of", "report", "run", "sweep"]


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """Do what `%load_ext fairing_az_jupyter` asks for: make Fairing's own names importable.

    Args:
        ipython: The shell that loads the extension.

    """
    from fairing_az_jupyter.frontends.magics.extension import load  # noqa: PLC0415 - a hook: the package itself stays light

    load(ipython)


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Say where the side panel's assets are, for `jupyter labextension develop`."""
    return [{"src": "labextension", "dest": "fairing-az-jupyter"}]


def _jupyter_server_extension_points() -> list[dict[str, object]]:
    """Say which application Jupyter Server is to load."""
    from fairing_az_jupyter.frontends.server.app import FairingAzureApp  # noqa: PLC0415 - a hook, as above

    return [{"module": "fairing_az_jupyter", "app": FairingAzureApp}]


def report(name: str, value: object) -> None:
    """Report a value of a notebook's run, such as a metric of the model; it stands in the run's record.

    Args:
        name: What it is called, such as `rmse`.
        value: A number (also one of NumPy's), a text, True, False or None. Of several the last one counts.

    Raises:
        InputError: The name is empty or too long, or the value is something else.

    """
    from fairing_az_jupyter.metrics import report as tell  # noqa: PLC0415 - the package itself stays light

    tell(name, value)


def files_of(launch: str, *names: str, profile: str | None = None, runs_folder: str | None = None) -> FileSource:
    """Return the files that an earlier launch has written, to deploy with: `PredictionEndpoint(Model, from_job=...)`.

    Args:
        launch: A run's identifier, a part of one that no other has, `last`, or a job's name, as `fetch` takes it.
        *names: Which files: paths, patterns or folders; none for all.
        profile: A profile whose settings lead to the storage account.
        runs_folder: Where the records are; None for the usual place.

    Raises:
        InputError: The launch does not exist, has failed or not ended, or has written no such files.
        NotFoundError: Nothing was kept of it.
        FairingAzureError: The files can't be reached.

    """
    from fairing_az_jupyter.services import Session  # noqa: PLC0415 - the package itself stays light
    from fairing_az_jupyter.services.outputs.sources import source_of_launch  # noqa: PLC0415 - likewise

    return source_of_launch(Session(profile=profile, runs_folder=runs_folder), launch, names)


def run(
    notebook: str,
    parameters: Mapping[str, object] | None = None,
    *,
    output: str | None = None,
    on_event: Callable[[RunEvent], None] | None = None,
    profile: str | None = None,
    runs_folder: str | None = None,
    **options: Any,  # noqa: ANN401 - handed on
) -> RunResult:
    """Run a notebook with parameters, by papermill, and keep a record of it, as `fairing-azure run` does.

    Args:
        notebook: Path of the notebook, or an `abs://` URL.
        parameters: Values for its parameters, by name; checked against the cell tagged `parameters`.
        output: Path or `abs://` URL of the executed notebook; None for one beside the notebook.
        on_event: Called with each event as it happens.
        profile: A profile whose settings are parameters too.
        runs_folder: Where the record is kept; None for the usual place.
        **options: `kernel_name`, `cwd`, `cell_timeout`, `deadline` (seconds), `output_limit` (bytes) as in
            `RunRequest`; `parameters_file`.

    Returns:
        What the run has come to; its `run` is the record's identifier.

    Raises:
        InputError: The run can't be started as it was asked for.
        ExecutionError: A cell raised, the kernel died, or the run was cancelled.

    """
    from fairing_az_jupyter.services import Session, run_notebook  # noqa: PLC0415 - the package itself stays light

    session = Session(profile=profile, runs_folder=runs_folder)
    return run_notebook(session, notebook, parameters or {}, output=output, on_event=on_event, **options)


def sweep(
    notebook: str,
    parameters: Mapping[str, object] | None = None,
    *,
    profile: str | None = None,
    runs_folder: str | None = None,
    **options: Any,  # noqa: ANN401 - handed on
) -> SweepTable:
    """Run a notebook at many points, each with a record of its own, as `fairing-azure sweep run` does.

    Args:
        notebook: Path of the notebook, or an `abs://` URL.
        parameters: Values for the parameters of all points, by name.
        profile: A profile whose settings are parameters too.
        runs_folder: Where the records are kept; None for the usual place.
        **options: Which points: one of `grid` (values by name), `points` (a list of mappings, or a YAML or JSON file),
            `csv` (a file), and `sample` (how many) with `ranges` (low and high by name, then `log` or `int`),
            `choices` and `seed`. How: `jobs`, `stop_after`, `output_folder`, `on_event`; and what `run` takes.

    Returns:
        A row for each point: its parameters, what its run has reported, how it ended. `csv()` is it as text.

    Raises:
        InputError: A point can't be run as it was asked for; nothing has run.
        ExecutionError: The sweep was cancelled, or has stopped after failures. Runs that fail do not raise.

    """
    from fairing_az_jupyter.services import Session, run_sweep  # noqa: PLC0415 - the package itself stays light

    return run_sweep(Session(profile=profile, runs_folder=runs_folder), notebook, parameters or {}, **options)
