"""How what a check has found is fixed from the panel: as the check's own command does."""

from __future__ import annotations

import dataclasses
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairing_az_jupyter.models import CheckResult

__all__ = ["FixRequest", "fix_request_of"]


@dataclasses.dataclass(frozen=True)
class FixRequest:
    """What the panel can do about a failed check.

    Args:
        attach: Name the registry's Secret in the service account, and nothing else.
        azure: Make the Secret with the service principal.
        acr: Make the Secret with the registry's login.
        only_secret: Renew the client secret alone.
        replace: Delete a Secret that can't be changed, and create it again.

    """

    attach: bool = False
    azure: bool = False
    acr: bool = False
    only_secret: bool = False
    replace: bool = False


def fix_request_of(result: CheckResult) -> FixRequest | None:
    """Return how the panel can fix what a check has found.

    A command such as `fairing-azure secrets create --acr` is read, so that the panel does what the command would do.

    Args:
        result: What the check has found.

    Returns:
        What to do; None if the panel can't fix it.

    """
    if not result.mendable:
        return None
    for fix in result.cures:
        words = shlex.split(fix.command) if fix.tool == "fairing-azure" else []
        if words[1:2] != ["secrets"]:
            continue
        action, flags = words[2] if len(words) > 2 else "", set(words[3:])  # noqa: PLR2004 - program, group, action
        if action == "attach":
            return FixRequest(attach=True)
        if action in {"create", "rotate"}:
            azure, acr = "--azure" in flags, "--acr" in flags
            return FixRequest(
                azure=azure or not acr,
                acr=acr or not azure,
                only_secret=action == "rotate",
                replace="--replace" in flags,
            )
    return None
