"""Runs of jupyter-scheduler's jobs, where that is installed: schedules come from there, runs and records from here.

Enable it in `jupyter_server_config.py`:

    c.Scheduler.execution_manager_class = "fairing_az_jupyter.frontends.scheduler.FairingExecutionManager"

Nothing else of this package imports this module.
"""

from __future__ import annotations

import ast
import contextlib
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter import services
from fairing_az_jupyter.exceptions import ExecutionError, FairingAzureError, PackageMissingError, RunCancelledError

try:
    from jupyter_scheduler.exceptions import SchedulerError
    from jupyter_scheduler.executors import DefaultExecutionManager
    from jupyter_scheduler.models import JobFeature, Status
    from jupyter_scheduler.orm import Job
    from jupyter_scheduler.utils import get_utc_timestamp
except ModuleNotFoundError as missing:
    raise PackageMissingError(
        f"The Python package '{missing.name}' is not installed. Scheduled runs need jupyter-scheduler.",
        hint="Install it where Jupyter Server runs: python -m pip install jupyter-scheduler",
    ) from missing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairing_az_jupyter.models import RunEvent

__all__ = ["FairingExecutionManager", "values_of"]

_NOTEBOOK = "ipynb"
# jupyter_scheduler.orm.Job.status_message: databases other than SQLite reject a longer text.
_LONGEST_MESSAGE = 1024
_FEATURES = frozenset({"job_name", "parameters", "output_formats", "stop_job", "delete_job"})


class FairingExecutionManager(DefaultExecutionManager):  # type: ignore[misc] # it is untyped
    """Runs a job's notebook as `fairing-azure run` does: its parameters are checked, and a record is kept."""

    def execute(self) -> None:
        """Run the notebook, and leave its outputs where jupyter-scheduler looks for them, also after a failure.

        Raises:
            FairingAzureError: The run can't be started, or has failed.

        """
        job, paths = self.model, self.staging_paths
        quoted, typed = values_of(job.parameters or {})
        executed = str(paths[_NOTEBOOK]) if _NOTEBOOK in (job.output_formats or ()) else None
        session = services.Session()
        request = services.plan_run(session, str(paths["input"]), values=quoted, pairs=typed, output=executed)
        try:
            services.run(session, request, _nobody_listens)
        except BaseException:
            # What has failed is the run, whatever can't be written about it.
            with contextlib.suppress(Exception):
                self._keep_outputs(request.output)
            raise
        self._keep_outputs(request.output)

    def on_failure(self, e: Exception) -> None:
        """Note why a job has failed, or that its run was cancelled.

        Args:
            e: Why.

        """
        message = str(e) if isinstance(e, FairingAzureError) else f"{type(e).__name__}: {e}"
        ended = {
            "status": Status.STOPPED if isinstance(e, RunCancelledError) else Status.FAILED,
            "status_message": message[:_LONGEST_MESSAGE],
            "end_time": get_utc_timestamp(),
        }
        with self.db_session() as session:
            session.query(Job).filter(Job.job_id == self.job_id).update(ended)
            session.commit()
        if isinstance(e, FairingAzureError):
            sys.stderr.write(f"{message}\n")
        else:
            traceback.print_exception(e)

    # jupyter-scheduler calls both on the class, and hands it over itself: they can't be class methods.
    def supported_features(cls) -> dict[JobFeature, bool]:  # noqa: N805
        """Return which features of jobs there are."""
        return {feature: feature.value in _FEATURES for feature in JobFeature}

    def validate(cls, input_path: str) -> bool:  # noqa: N805
        """Reject a job whose notebook can't be run, when it is created.

        Args:
            input_path: The notebook.

        Raises:
            SchedulerError: It can't be read or understood.

        """
        try:
            services.describe_parameters(services.Session(), input_path)
        except FairingAzureError as error:
            raise SchedulerError(str(error)) from error
        return True

    def _keep_outputs(self, executed: str | None) -> None:
        """Write the executed notebook in the other formats that were asked for, if a cell of it was run."""
        import nbformat  # noqa: PLC0415 - papermill has loaded it

        if executed is None or not Path(executed).is_file():
            return
        self.add_side_effects_files(str(Path(self.staging_paths["input"]).parent))
        others = [name for name in self.model.output_formats or () if name != _NOTEBOOK]
        read = nbformat.read(executed, as_version=4)  # type: ignore[no-untyped-call]
        try:
            self.create_output_files(self.model.copy(update={"output_formats": others}), read)
        except Exception as error:
            raise ExecutionError(
                f"The notebook ran, but its output can't be converted to {' or '.join(others)}: "
                f"{type(error).__name__}: {error}. The executed notebook is '{executed}'.",
                hint="Free disk space, or choose other output formats for the job.",
                code="job-outputs",
            ) from error


def values_of(parameters: Mapping[str, Any]) -> tuple[dict[str, object], list[tuple[str, str]]]:
    """Return a job's parameters as a run takes them.

    jupyter-scheduler's own runs write each value as it is into a line of Python, where texts have quotes. What has
    quotes is a text here as well; anything else is read as the notebook's parameters cell declares it.

    Args:
        parameters: The job's parameters.

    Returns:
        Those in quotes, by name, without the quotes; and the others as they were typed.

    """
    quoted: dict[str, object] = {}
    typed: list[tuple[str, str]] = []
    for name, value in parameters.items():
        try:
            read = ast.literal_eval(str(value).strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            read = None
        if isinstance(read, str):
            quoted[name] = read
        else:
            typed.append((name, str(value)))
    return quoted, typed


def _nobody_listens(_event: RunEvent) -> None:
    """Leave an event to the record."""
