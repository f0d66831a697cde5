"""The results of checks as a table in a notebook: what needs attention first, the rest behind one click."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from fairing_az_jupyter.frontends.views.checks.check_report import (
    AT_ONCE,
    ATTENTION,
    SYMBOLS,
    at_once,
    in_order,
    line,
    remedies_of,
    summary,
    typed,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fairing_az_jupyter.models import CheckResult, CheckStatus, Fix

_CELL = "text-align:left;vertical-align:top;padding:0.3em 0.8em 0.3em 0;white-space:normal;font-weight:inherit"
_BADGE = "display:inline-block;border:1px solid currentColor;border-radius:0.3em;padding:0 0.4em;white-space:nowrap"
# JupyterLab's themes name their colours; elsewhere there are two that can be read on light and on dark ground. The word
# and the frame say the same without any colour.
_EMPHASIS: dict[CheckStatus, str] = {
    "pass": "opacity:0.75",
    "warn": "font-weight:bold;color:var(--jp-warn-color0,#b26a00)",
    "fail": "font-weight:bold;border-width:2px;color:var(--jp-error-color0,#d9432f)",
    "skipped": "opacity:0.6;border-style:dashed",
    "unknown": "font-weight:bold;border-style:dotted",
}
_COMMAND = "display:block;white-space:pre-wrap;word-break:break-word;user-select:all"


def html(results: Sequence[CheckResult], *, instead: str = "") -> str:
    """Return results as a table for a notebook.

    Args:
        results: The results so far.
        instead: What to say where they are not complete, in place of what all of them mean.

    """
    ordered = in_order(results)
    attention = [result for result in ordered if result.status in ATTENTION]
    others = [result for result in ordered if result.status not in ATTENTION]
    remedy = None if instead else at_once(results)
    parts = [f"<div>{escape(instead or summary(results))}</div>"]
    if attention:
        parts.append(_table(attention))
    if remedy is not None:
        parts.append(_remedy(remedy, AT_ONCE))
    if others:
        # Open while nothing needs attention: then these rows are all there is to see.
        heading = f"<summary>{_counted(others, attention)}</summary>"
        parts.append(f"<details{'' if attention else ' open'}>{heading}{_table(others)}</details>")
    return f'<div class="fairing-az-check">{"".join(parts)}</div>'


def _counted(others: Sequence[CheckResult], attention: Sequence[CheckResult]) -> str:
    which = "other check" if attention else "check"
    return f"{len(others)} {which}{'' if len(others) == 1 else 's'}"


def _table(results: Iterable[CheckResult]) -> str:
    heads = "".join(
        f'<th scope="col" style="{_CELL};font-weight:bold">{head}</th>' for head in ("Status", "Check", "Result")
    )
    rows = "".join(_row(result) for result in results)
    style = "border-collapse:collapse;text-align:left;margin-left:0"
    return f'<table style="{style}"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'


def _row(result: CheckResult) -> str:
    badge = f'<span style="{_BADGE};{_EMPHASIS[result.status]}">{SYMBOLS[result.status]} {result.status}</span>'
    found = [f"<div>{escape(line(result.message))}</div>"]
    if result.status in ATTENTION:
        found.append(f'<div style="opacity:0.8">{escape(line(result.why))}</div>')
        remedies = enumerate(remedies_of(result, notebook=True))
        found.extend(_remedy(remedy, "or" if number else "To fix it") for number, remedy in remedies)
    return (
        f'<tr><td style="{_CELL}">{badge}</td><th scope="row" style="{_CELL}">{escape(line(result.title))}'
        f'<div style="opacity:0.6;font-size:smaller">{escape(line(result.looked_at))}</div></th>'
        f'<td style="{_CELL}">{"".join(found)}</td></tr>'
    )


def _remedy(remedy: Fix, lead: str) -> str:
    if remedy.tool == "text":
        return f"<div>{lead}: {escape(line(remedy.command))}</div>"
    return f'<div>{lead}:<code style="{_COMMAND}">{escape(typed(remedy, notebook=True))}</code></div>'
