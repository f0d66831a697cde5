"""From what was typed behind `--from` to the files that an endpoint serves: the place that tells sources apart."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.outputs.sources import FileSource
from fairing_az_jupyter.services.outputs.lookup import found_run, opened_outputs
from fairing_az_jupyter.tracking.models import fetch_model, is_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fairing_az_jupyter.outputs.stored import StoredOutputs
    from fairing_az_jupyter.services.session import Session

__all__ = ["resolve_source", "source_of_launch"]


def resolve_source(session: Session, given: str, names: Sequence[str] = ()) -> FileSource | None:
    """Return the files that an endpoint is to get, once it is certain that it can have them.

    Args:
        session: The settings in force, the records and the cluster.
        given: A run's identifier, a part of one that no other has, `last`, a job's name, or a version of a
            model in MLflow, `models:/NAME/3` or `models:/NAME@ALIAS`; empty for no files.
        names: Which of the files: paths, patterns or folders; none for all.

    Returns:
        The files, by the launch's own name; None where none are asked for.

    Raises:
        InputError: The launch does not exist (code `launch-unknown`), has failed, or has deployed itself; also as
            `FileSource.files`.
        NotFoundError: Nothing was kept of it (code `nothing-kept`).
        FairingAzureError: The files can't be reached.

    """
    if not given:
        if names:
            raise InputError(
                "--from-files chooses files of a job, and no job is given.",
                hint="Give the job, too: --from JOB",
                code="from-job",
            )
        return None
    if is_model(given):
        # By its number: an alias may name another version when the launch is repeated.
        model = fetch_model(session.settings, given)
        source = FileSource(model.name, model.opened, tuple(names))
        _ = source.files
        return source
    return source_of_launch(session, given, names)


def source_of_launch(session: Session, launch: str, names: Sequence[str] = ()) -> FileSource:
    """Return the files that a launch has written; arguments and errors are those of `resolve_source`."""
    source = _of_launch(session, launch, tuple(names))
    # Read now: whoever waits for a build should not wait for an error.
    _ = source.files
    return source


def _of_launch(session: Session, given: str, names: tuple[str, ...]) -> FileSource:
    info = found_run(session, given)
    if info is None:
        return FileSource(given, lambda: _opened(session, given), names)
    if info.kind == "deploy":
        before = session.store.request(info.id).from_job
        raise InputError(
            f"'{info.id}' has deployed an endpoint, and written no files.",
            hint=f"Name the run or the job of a training, such as the one that it was deployed from: --from {before}"
            if before
            else "Name the run or the job of a training: fairing-azure runs list",
            code="source-empty",
        )
    if info.state in {"failed", "cancelled"}:
        what = "has failed" if info.state == "failed" else "was cancelled"
        raise InputError(
            f"The run '{info.id}' {what}, so its files may not be what it was to write.",
            hint=f"Run it again (fairing-azure runs retry {info.id}), and deploy from that run. If its files are good, "
            f"fetch them (fairing-azure fetch {info.id}) and name them with --input-files.",
            code="source-failed",
        )
    # The newest may be another one when the files are read.
    return FileSource(info.id, lambda: _opened(session, info.id), names)


@contextlib.contextmanager
def _opened(session: Session, launch: str) -> Iterator[StoredOutputs]:
    with opened_outputs(session, launch) as (_, outputs):
        yield outputs
