"""What a finding about builds means for a launch that may need none."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairing_az_jupyter.preflight.context import CheckContext
    from fairing_az_jupyter.preflight.runner import Finding

__all__ = ["only_some_launches"]


def only_some_launches(context: CheckContext, finding: Finding) -> Finding:
    """Return a finding about builds: no failure where a launch may well need none.

    Args:
        context: What is checked.
        finding: What was found about builds.

    """
    if finding.status != "fail" or not context.may_build_nothing:
        return finding
    message = f"{finding.message} Launches whose requirements.txt is not empty would fail; others need no build."
    return dataclasses.replace(finding, status="warn", message=message)
