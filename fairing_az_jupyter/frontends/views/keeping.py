"""What nothing names any more, with its sizes, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairing_az_jupyter.frontends.views.checks.check_report import line
from fairing_az_jupyter.frontends.views.runs import when
from fairing_az_jupyter.frontends.views.tables import Table
from fairing_az_jupyter.outputs.listing import readable_size

if TYPE_CHECKING:
    from fairing_az_jupyter.services.keeping.blobs import Amount, PrunedBlobs
    from fairing_az_jupyter.services.keeping.images import PrunedImages

__all__ = ["lines_of_blobs", "lines_of_images", "of_amount", "outcome_of_blobs", "outcome_of_images"]

_MOST_ROWS = 40


def of_amount(amount: Amount, before: str = "") -> str:
    """Return an amount of blobs, for people.

    Args:
        amount: The amount.
        before: What stands before their number.

    """
    blobs = f"{amount.blobs:,} blob{'' if amount.blobs == 1 else 's'}"
    return f"{before if amount.blobs != 1 else before and 'this '}{blobs} ({readable_size(amount.size)})"


def lines_of_blobs(found: PrunedBlobs) -> list[str]:
    """Return what is to be deleted in Blob Storage, by its kind, and what is left out.

    Args:
        found: The blobs.

    """
    rows = [
        (f"{kind}/", f"{amount.folders:,}", f"{amount.blobs:,}", readable_size(amount.size))
        for kind, amount in found.unused.items()
    ]
    notes = [
        f"Left out: {of_amount(amount)} {why}"
        for amount, why in (
            (found.young, "that no record names and that are not old enough; see --older-than."),
            (found.others, "that others may need; see them with --everyone --dry-run."),
        )
        if amount.blobs
    ]
    table = Table(("WHERE", "LAUNCHES", "BLOBS", "SIZE"), rows, (), f"Nothing to delete in {found.where}")
    return [*table.lines(), *notes, *([line(found.note)] if found.note else [])]


def outcome_of_blobs(done: PrunedBlobs, *, dry_run: bool) -> list[str]:
    """Return what became of blobs.

    Args:
        done: The blobs.
        dry_run: Whether nothing was to be deleted.

    """
    lines = [f"{line(name)} could not be deleted: {line(why)}" for name, why in done.problems.items()]
    if done.failed > len(lines):
        lines.append(f"... and {done.failed - len(lines)} more could not be deleted.")
    if done.changed:
        lines.append(f"{done.changed} were written meanwhile, and stay.")
    if done.deleted.blobs:
        return [*lines, f"{of_amount(done.deleted)} deleted."]
    if done.chosen.blobs:
        lines.append(f"Nothing was deleted{': this was a dry run' if dry_run else ''}.")
    return lines


def lines_of_images(found: PrunedImages) -> list[str]:
    """Return the images that are to be deleted, and what is left out.

    Args:
        found: The images.

    """
    rows = [(image.name, readable_size(image.size), when(image.used) if image.used else "-") for image in found.chosen]
    shown = rows[:_MOST_ROWS]
    notes = [f"... and {len(rows) - len(shown)} more"] if len(rows) > len(shown) else []
    if rows:
        images = "1 image" if len(rows) == 1 else f"{len(rows)} images"
        notes.append(f"{images} in {found.registry}; {readable_size(found.freed)} of it is in no other image.")
    for number, why in (
        (found.young, "that no record names and that are not old enough, or of unknown age; see --older-than."),
        (found.others, "that others may need; see them with --everyone --dry-run."),
    ):
        if number:
            notes.append(f"Left out: {number} image{'' if number == 1 else 's'} {why}")
    table = Table(("IMAGE", "SIZE", "LAST USE"), shown, (), f"No images to delete in {found.registry}.")
    return [*table.lines(), *notes, *([line(found.note)] if found.note else [])]


def outcome_of_images(done: PrunedImages, *, dry_run: bool) -> list[str]:
    """Return what became of images.

    Args:
        done: The images.
        dry_run: Whether nothing was to be deleted.

    """
    deleted = sum(image.outcome == "deleted" for image in done.chosen)
    if deleted:
        return [f"{deleted} image{'' if deleted == 1 else 's'} deleted; the registry frees their layers by itself."]
    if any(image.outcome == "found" for image in done.chosen):
        return [f"Nothing was deleted{': this was a dry run' if dry_run else ''}."]
    return []
