"""The engine that papermill finds by its name, `papermill --engine fairing_azure`: it keeps a record of the run.

papermill loads this module whenever it is imported itself, so it imports nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any


def __getattr__(name: str) -> None:
    """Answer papermill, which asks for the engine before it is made if this module is imported before papermill."""
    if name != "RecordingEngine":
        raise AttributeError(name)


# ruff: noqa: E402 - the answer has to be there when papermill asks
from papermill.engines import NBClientEngine, papermill_engines

from fairing_az_jupyter.runs.execution.watch import ENGINE_NAME

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from fairing_az_jupyter.runs.execution.watch import Watch


class RecordingEngine(NBClientEngine):  # type: ignore[misc]
    """papermill's engine, with a record of the run, cells that are skipped or tried again, and limits."""

    @classmethod
    def execute_notebook(
        cls,
        nb: NotebookNode,
        kernel_name: str,
        *arguments: Any,  # noqa: ANN401 - papermill has no types
        watch: Watch | None = None,
        **options: Any,  # noqa: ANN401 - papermill has no types
    ) -> Any:  # noqa: ANN401 - papermill has no types
        """Execute a notebook that papermill has prepared; in a record of its own unless there is one already.

        Args:
            nb: The notebook.
            kernel_name: The kernel.
            *arguments: papermill's own.
            watch: What this package's own runs bring along; None if papermill was called by somebody else.
            **options: papermill's own.

        """
        if watch is None:
            from fairing_az_jupyter.runs.recorded import run_for_papermill  # noqa: PLC0415 - see above

            def work(watch: Watch) -> Any:  # noqa: ANN401 - papermill has no types
                return super(RecordingEngine, cls).execute_notebook(nb, kernel_name, *arguments, watch=watch, **options)

            return run_for_papermill(nb, kernel_name, work, options)
        nb.metadata.papermill["input_path"] = watch.notebook
        nb.metadata.papermill["output_path"] = watch.output
        return super().execute_notebook(nb, kernel_name, *arguments, watch=watch, **options)

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,  # noqa: ANN401 - papermill has no types
        kernel_name: str,  # noqa: ARG003 - it runs already
        *,
        watch: Watch,
        execution_timeout: int | None = None,
        **options: Any,  # noqa: ANN401 - papermill has no types
    ) -> None:
        """Execute the cells of a notebook that papermill has prepared."""
        from fairing_az_jupyter.runs.execution.engine import run_prepared  # noqa: PLC0415 - see above

        traits: dict[str, object] = {
            name: options[name] for name in ("log_output", "stdout_file", "stderr_file") if name in options
        }
        run_prepared(nb_man, watch, {"timeout": execution_timeout, **traits})


# In the place of the answer above.
papermill_engines.register(ENGINE_NAME, RecordingEngine)
