"""The commands that take away what no record names any more, after sizes and a question."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import InputError, ServiceError
from fairing_az_jupyter.frontends.commands import answers
from fairing_az_jupyter.frontends.commands.agreeing import agreed, need_answer
from fairing_az_jupyter.frontends.terminal.output import print_answer, print_json
from fairing_az_jupyter.frontends.views import keeping as tables
from fairing_az_jupyter.frontends.views.checks import check_report
from fairing_az_jupyter.operations.notebooks.runs import PRUNE

if TYPE_CHECKING:
    from fairing_az_jupyter.frontends.terminal.output import Output
    from fairing_az_jupyter.operations.calls import Call
    from fairing_az_jupyter.operations.launches.cleanup import Cleanup
    from fairing_az_jupyter.operations.notebooks.runs import PruneRuns
    from fairing_az_jupyter.services.keeping.blobs import PrunedBlobs
    from fairing_az_jupyter.services.keeping.images import FoundImage, PrunedImages

__all__ = ["prune", "prune_blobs", "prune_images"]


def prune(call: Call[PruneRuns], _output: Output) -> int:
    """Delete records, or what is left of launches in Blob Storage."""
    if call.request.cluster:
        return prune_blobs(call)
    found = answers.answer_of(PRUNE, call)
    print_answer(found.document, found.text(), as_json=call.json)
    return found.exit_code


def prune_blobs(call: Call[PruneRuns]) -> int:
    """Delete blobs of launches that nothing names, after their sizes and a question.

    Args:
        call: The command.

    Raises:
        InputError: There is nobody to ask, or records were selected, too.
        ServiceError: Not all of it could be deleted.

    """
    from fairing_az_jupyter import services  # noqa: PLC0415 - each command imports what it needs: help stays quick

    wanted = call.request
    if wanted.state is not None:
        raise InputError(
            "--state selects records, and --cluster takes away what no record names.",
            hint="Delete the records first, without --cluster.",
            code="prune",
        )
    need_answer(call)

    def agree(found: PrunedBlobs) -> bool:
        if call.json:
            return True
        _write(tables.lines_of_blobs(found))
        amount = found.chosen
        return bool(amount.blobs) and (wanted.yes or agreed(tables.of_amount(amount, "these "), call))

    agreeing = None if wanted.dry_run else agree
    done = services.prune_blobs(call.session, older_than=wanted.older_than, everyone=wanted.everyone, agree=agreeing)
    if call.json:
        print_json({**done.to_dict(), "dry_run": wanted.dry_run})
        return ServiceError.exit_code if done.failed else 0
    if wanted.dry_run:
        _write(tables.lines_of_blobs(done))
    _write(tables.outcome_of_blobs(done, dry_run=wanted.dry_run))
    if done.failed:
        raise _not_all(done.failed, "blob", "runs prune --cluster", "blob")
    return 0


def prune_images(call: Call[Cleanup]) -> int:
    """Delete images of launches that nothing names, after their sizes and a question.

    Args:
        call: The command.

    Raises:
        InputError: There is nobody to ask.
        ServiceError: Not all of them could be deleted.

    """
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    wanted = call.request
    need_answer(call)

    def agree(found: PrunedImages) -> bool:
        if call.json:
            return True
        _write(tables.lines_of_images(found))
        number = len(found.chosen)
        what = "this image" if number == 1 else f"these {number} images"
        return bool(number) and (wanted.yes or agreed(what, call))

    def report(image: FoundImage) -> None:
        if image.problem and not call.json:
            _write([f"{image.name} could not be deleted: {check_report.line(image.problem)}"])

    agreeing = None if wanted.dry_run else agree
    done = services.prune_images(
        call.session, older_than=wanted.older_than, everyone=wanted.everyone, agree=agreeing, report=report
    )
    failed = sum(image.outcome == "failed" for image in done.chosen)
    if call.json:
        print_json({**done.to_dict(), "dry_run": wanted.dry_run})
        return ServiceError.exit_code if failed else 0
    if wanted.dry_run:
        _write(tables.lines_of_images(done))
    _write(tables.outcome_of_images(done, dry_run=wanted.dry_run))
    if failed:
        raise _not_all(failed, "image", "cleanup --images", "registry")
    return 0


def _write(lines: list[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)


def _not_all(number: int, what: str, command: str, service: str) -> ServiceError:
    plural = "" if number == 1 else "s"
    return ServiceError(
        f"{number} {what}{plural} could not be deleted; see the reason{plural} above.",
        hint=f"Try again: fairing-azure {command}",
        code="prune",
        service=service,
    )
