"""The results of a check as a Python object that a notebook shows as a table."""

from __future__ import annotations

from fairing_az_jupyter.frontends.views.checks import check_report, check_report_html
from fairing_az_jupyter.frontends.views.results import ShownOnce
from fairing_az_jupyter.models import CheckResult


class CheckResults(ShownOnce, list[CheckResult]):
    """A list of results: `.ok`, `.failed` and `.unknown` group them; a notebook shows it as a table."""

    @property
    def ok(self) -> bool:
        """Whether nothing fails and every check got an answer."""
        return check_report.overall(self) == "pass"

    @property
    def failed(self) -> list[CheckResult]:
        """The results of the checks that fail."""
        return [result for result in self if result.status == "fail"]

    @property
    def unknown(self) -> list[CheckResult]:
        """The results of the checks that got no answer."""
        return [result for result in self if result.status == "unknown"]

    def in_order(self) -> CheckResults:
        """Return the results in the order in which they are read."""
        return CheckResults(check_report.in_order(self))

    def shown(self, *, running: bool = False, stopped: bool = False) -> dict[str, str]:
        """Return the table by MIME type.

        Args:
            running: Whether there are more results to come.
            stopped: Whether there would have been more, but the user has stopped the check.

        """
        instead = f"Checking: {len(self)} done so far." if running else ""
        instead = f"Cancelled after {len(self)} check{'' if len(self) == 1 else 's'}." if stopped else instead
        return {
            "text/html": check_report_html.html(self, instead=instead),
            "text/plain": check_report.plain(self, instead=instead),
        }
