"""Is this machine's clock right? Tokens, signatures and certificates are good for a time only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.azure.errors import LARGEST_SKEW
from fairing_az_jupyter.preflight import fix_commands
from fairing_az_jupyter.preflight.runner import Check, Finding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairing_az_jupyter.preflight.context import CheckContext

_LOOKED_AT = "this machine's clock, against that of Microsoft Entra ID"
_WORTH_REPORTING = 60.0


def checks(_context: CheckContext) -> list[Check]:
    """Return the check of the clock, which asks nobody: the answer that brought the token has the time in it.

    Args:
        _context: What is checked.

    """
    return [
        Check(
            "azure.clock",
            "Clock",
            "Azure rejects tokens and signatures if the clock is wrong.",
            _LOOKED_AT,
            _clock,
            needs=("azure.token",),
        )
    ]


def _clock(given: Mapping[str, Finding]) -> Finding:
    ahead = given["azure.token"].value.clock_difference()
    if ahead is None:
        return Finding("skipped", _LOOKED_AT, "Skipped: another program fetched the token.", unseen=True)
    if abs(ahead) <= _WORTH_REPORTING:
        return Finding("pass", _LOOKED_AT, "The two clocks differ by less than a minute.")
    message = f"This machine's clock is {abs(ahead) / 60:.0f} min {'ahead of' if ahead > 0 else 'behind'} Azure's."
    fix = fix_commands.text("Correct the clock of this machine, on AKS of the node (date --utc shows it).")
    wrong = abs(ahead) > LARGEST_SKEW
    return Finding("fail" if wrong else "warn", _LOOKED_AT, message, (fix,), code="clock-skew")
