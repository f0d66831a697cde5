"""Endpoints of Fairing's own that serve what a job has written: `PredictionEndpoint(Model, from_job=job)`."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.fairing.outcomes import LaunchedJob
from fairing_az_jupyter.outputs.sources import FileSource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["source_of", "taking_job"]


def taking_job(make: Callable[..., None]) -> Callable[..., None]:
    """Return the constructor of Fairing's `PredictionEndpoint` so that it also takes `from_job` and `from_files`.

    `from_job` is what `TrainJob.submit()` has returned; its files go into the endpoint's working folder without passing
    through this notebook. `from_files` chooses some of them by name or pattern.

    Args:
        make: The constructor.

    """

    @functools.wraps(make)
    def make_endpoint(
        endpoint: Any,  # noqa: ANN401 - Fairing is untyped
        *words: Any,  # noqa: ANN401
        from_job: Any = None,  # noqa: ANN401
        from_files: str | Sequence[str] = (),
        **named: Any,  # noqa: ANN401
    ) -> None:
        source = source_of(from_job, from_files)
        make(endpoint, *words, **named)
        if source is None:
            return
        if not hasattr(endpoint.builder, "source"):
            raise InputError(
                f"'{type(endpoint.builder).__name__}' can't put the files of a job into an image, so from_job has no "
                "meaning with it.",
                hint="Use LocalBackend or KubeflowAzureBackend; or fetch the files, and name them in input_files.",
                code="from-job",
            )
        endpoint.builder.source = source

    return make_endpoint


def source_of(given: Any, names: str | Sequence[str] = ()) -> FileSource | None:  # noqa: ANN401 - whatever a notebook has
    """Return the files that an endpoint is to get from a job; None where no job is given.

    Args:
        given: What `submit()` or the magic has returned, the `TrainJob` that was submitted, or files already found.
        names: Which files; none for all.

    Raises:
        InputError: It is not a job, or was not submitted.

    """
    chosen = (names,) if isinstance(names, str) else tuple(names)
    if given is None:
        if chosen:
            raise InputError("from_files chooses files of a job, and no job is given.", hint="Give from_job, too.")
        return None
    if isinstance(given, FileSource):
        return given
    # The task that was submitted has its job, and what the magic returns has it for its name.
    found = next(
        (each for each in (given, getattr(given, "job", None), getattr(given, "name", None)) if _is_job(each)), None
    )
    if found is None:
        raise InputError(
            f"from_job is {given!r:.100}, which is not a job that this notebook has launched.",
            hint="Give what TrainJob.submit() has returned. By the name of a run or a job: "
            "from_job=fairing_az_jupyter.files_of(NAME), or %fairing_azure deploy CLASS --from NAME",
            code="from-job",
        )
    return FileSource(found.record or str(found), found.opened, chosen)


def _is_job(value: object) -> bool:
    return isinstance(value, LaunchedJob)
