"""The results of checks as people read them: rows and a report in a terminal, a table in a notebook, and JSON."""

from __future__ import annotations

import dataclasses
import os
import shlex
import shutil
import textwrap
import unicodedata
from html import escape
from typing import TYPE_CHECKING, TextIO, get_args

from fairing_az_jupyter.models import CheckStatus, Cure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from io import TextIOBase

    from fairing_az_jupyter.models import CheckResult

STATUSES: tuple[CheckStatus, ...] = get_args(CheckStatus)
_ORDER = (
    "settings",
    "fairing",
    "python",
    "cluster",
    "cluster.namespace",
    "cluster.service-account",
    "cluster.pull-secret",
    "permissions.jobs",
    "permissions.pods",
    "permissions.endpoints",
    "permissions.prepare",
    "cluster.quota",
    "cluster.nodes",
    "azure.secret",
    "azure.secret-keys",
    "azure.token",
    "azure.secret-expiry",
    "azure.clock",
    "azure.resource-group",
    "storage.account",
    "storage.access",
    "storage.probe",
    "registry.secret",
    "registry.secret-login",
    "registry.pull",
    "registry.push",
    "endpoint.istio",
    "endpoint.kserve",
)
_GROUPS = ("settings", "fairing", "python", "cluster", "permissions", "azure", "storage", "registry", "endpoint")
_SYMBOLS: dict[CheckStatus, str] = {"pass": "✓", "warn": "!", "fail": "✗", "skipped": "-", "unknown": "?"}
_ASCII_SYMBOLS: dict[CheckStatus, str] = {**_SYMBOLS, "pass": "+", "fail": "x"}
_COLOURS: dict[CheckStatus, str] = {"pass": "32", "warn": "33", "fail": "1;31", "skipped": "2", "unknown": "35"}
_VERDICTS = {
    "pass": "Nothing stands in the way of a launch.",
    "fail": "A launch would fail.",
    "unknown": "Whether a launch works could not be found out.",
}
_STATUS_WIDTH = 11
_TITLE_WIDTH = 42
_NARROWEST = 40
_ENDLESS = 100_000
_PLAIN_WIDTH = 100


@dataclasses.dataclass(frozen=True)
class Style:
    """How a terminal shows results.

    Args:
        width: Columns to wrap texts to; commands are never wrapped.
        colour: Whether status words are coloured.
        ascii: Whether symbols that are no ASCII are replaced.

    """

    width: int = _PLAIN_WIDTH
    colour: bool = False
    ascii: bool = False


def style_for(stream: TextIO | TextIOBase, encoding: str | None) -> Style:
    """Return how to write to a stream.

    Args:
        stream: Where results are written.
        encoding: Its encoding; None if it is not known.

    Returns:
        Wrapped to the terminal's width (COLUMNS overrules it), coloured only in a terminal and where neither NO_COLOR
        (https://no-color.org) nor TERM=dumb forbids it. Without a terminal nothing is wrapped.

    """
    terminal = stream.isatty()
    width = shutil.get_terminal_size(fallback=(80 if terminal else _ENDLESS, 24)).columns
    if not terminal and not os.environ.get("COLUMNS"):
        width = _ENDLESS
    colour = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Style(max(width, _NARROWEST), colour=colour, ascii=not _can_write("".join(_SYMBOLS.values()), encoding))


def in_order(results: Iterable[CheckResult]) -> list[CheckResult]:
    """Return results in the order in which they are read; checks finish in the order of chance."""
    return sorted(results, key=_place)


def _place(result: CheckResult) -> tuple[int, int]:
    group = result.check.partition(".")[0]
    return (
        _GROUPS.index(group) if group in _GROUPS else len(_GROUPS),
        _ORDER.index(result.check) if result.check in _ORDER else len(_ORDER),
    )


def counts(results: Iterable[CheckResult]) -> dict[str, int]:
    """Return how many results have each status, also where it is none."""
    found: dict[str, int] = dict.fromkeys(STATUSES, 0)
    for result in results:
        found[result.status] += 1
    return found


def overall(results: Iterable[CheckResult]) -> CheckStatus:
    """Return `fail` if any check fails, else `unknown` if anything could not be found out, else `pass`."""
    found = counts(results)
    return "fail" if found["fail"] else "unknown" if found["unknown"] else "pass"


def document(results: Iterable[CheckResult]) -> dict[str, object]:
    """Return results as `--json` prints them: all of them in order, how many of each status, and the overall status."""
    ordered = in_order(results)
    return {
        "results": [result.to_dict() for result in ordered],
        "summary": counts(ordered),
        "status": overall(ordered),
    }


def summary(results: Sequence[CheckResult]) -> str:
    """Return all in one line."""
    told = ", ".join(f"{number} {status}" for status, number in counts(results).items() if number) or "nothing to check"
    checks = "1 check" if len(results) == 1 else f"{len(results)} checks"
    return f"{checks}: {told}. {_VERDICTS[overall(results)]}"


def row(result: CheckResult, style: Style, *, verbose: bool = False) -> Iterator[str]:
    """Yield one result as lines for a terminal: status, title, message.

    Args:
        result: The result.
        style: How to show it.
        verbose: Whether to say also what was looked at.

    """
    texts = [line(result.message), *([f"Looked at {line(result.looked_at)}."] if verbose and result.looked_at else [])]
    title = line(result.title)
    aside = _STATUS_WIDTH + _TITLE_WIDTH
    if len(title) <= _TITLE_WIDTH - 2 and style.width - aside >= _NARROWEST:
        wrapped = [part for text in texts for part in _wrapped(text, style.width - aside)]
        yield f"{_badge(result.status, style)}{title:<{_TITLE_WIDTH}}{wrapped[0] if wrapped else ''}".rstrip()
        yield from (f"{'':{aside}}{part}" for part in wrapped[1:])
    else:
        first, *others = _wrapped(title, style.width - _STATUS_WIDTH) or [""]
        yield f"{_badge(result.status, style)}{first}".rstrip()
        parts = [part for text in texts for part in _wrapped(text, style.width - _STATUS_WIDTH)]
        yield from (f"{'':{_STATUS_WIDTH}}{part}" for part in (*others, *parts))


def report(results: Sequence[CheckResult], style: Style, *, notebook: bool = False) -> Iterator[str]:
    """Yield what needs attention, each with why and its cures, and the summary.

    Args:
        results: All results.
        style: How to show them.
        notebook: Whether cures are typed into a cell.

    """
    for result in in_order(results):
        if result.status in {"fail", "unknown", "warn"}:
            yield ""
            yield from _attention(result, style, notebook=notebook)
    yield ""
    cure = at_once(results)
    if cure is not None:
        yield from (f"{_AT_ONCE}:", f"  {typed(cure, notebook=notebook)}", "")
    yield from _wrapped(summary(results), style.width)


def at_once(results: Iterable[CheckResult]) -> Cure | None:
    """Return the one command that makes all that is missing, where it would take several otherwise.

    Args:
        results: The results.

    Returns:
        `secrets create` if checks fail whose best cures make one part of what it makes; None if it does no more than
        one of these, or if they have not the same settings.

    """
    parts: dict[tuple[str, ...], set[str]] = {}
    for result in results:
        best = result.cures[0] if result.status == "fail" and result.cures else None
        words = shlex.split(best.command) if best is not None and best.tool == "fairing-azure" else []
        made = next((part for part, action in _MADE.items() if words[1 : 1 + len(action)] == list(action)), None)
        if made is not None:
            parts.setdefault((words[0], *words[1 + len(_MADE[made]) :]), set()).add(made)
    if len(parts) != 1:
        return None
    ((program, *sources), made_by_one) = next(iter(parts.items()))
    if len(made_by_one) == 1 or "--replace" in sources:
        return None
    which = () if "azcreds" in made_by_one else ("--acr",)
    return Cure("fairing-azure", shlex.join([program, "secrets", "create", *which, *sources]))


def plain(results: Sequence[CheckResult], *, instead: str = "") -> str:
    """Return results as plain text for a notebook: the rows, what needs attention, and the summary.

    Args:
        results: The results so far.
        instead: What to say where they are not complete, in place of what all of them mean.

    """
    style = Style()
    rows = [part for result in in_order(results) for part in row(result, style)]
    rest = [instead] if instead else report(results, style, notebook=True)
    return "\n".join([*rows, *rest])


def _attention(result: CheckResult, style: Style, *, notebook: bool) -> Iterator[str]:
    margin = f"{'':{_STATUS_WIDTH}}"
    title, *others = _wrapped(f"{line(result.title)} ({result.check})", style.width - _STATUS_WIDTH)
    yield f"{_badge(result.status, style)}{title}"
    looked_at = f"Looked at {line(result.looked_at)}." if result.looked_at else ""
    texts = [part for text in (line(result.message), line(result.why), looked_at) for part in _fitted(text, style)]
    yield from (f"{margin}{part}" for part in (*others, *texts))
    for number, cure in enumerate(_cures(result, notebook=notebook)):
        lead = "or" if number else "To mend it"
        if cure.tool == "text":
            yield from (f"{margin}{part}" for part in _fitted(f"{lead}: {line(cure.command)}", style))
        else:
            # Never wrapped: it is there to be copied.
            yield f"{margin}{lead}:"
            yield f"{margin}  {typed(cure, notebook=notebook)}"


def _cures(result: CheckResult, *, notebook: bool) -> list[Cure]:
    """Return the cures; in a notebook those first that a cell can run."""
    return sorted(result.cures, key=lambda cure: notebook and not cure.magic)


def typed(cure: Cure, *, notebook: bool) -> str:
    """Return what to type, in a notebook's cell or in a terminal."""
    return line((notebook and cure.magic) or cure.command)


def line(text: str) -> str:
    """Return a text as one line without control characters: it may quote what a server has sent."""
    kept = "".join(letter if letter.isprintable() else " " for letter in text if unicodedata.category(letter) != "Cf")
    return " ".join(kept.split())


def _fitted(text: str, style: Style) -> list[str]:
    return _wrapped(text, style.width - _STATUS_WIDTH)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def _badge(status: CheckStatus, style: Style) -> str:
    shown = f"{(_ASCII_SYMBOLS if style.ascii else _SYMBOLS)[status]} {status}"
    gap = " " * (_STATUS_WIDTH - len(shown))
    return f"\x1b[{_COLOURS[status]}m{shown}\x1b[0m{gap}" if style.colour else f"{shown}{gap}"


def _can_write(text: str, encoding: str | None) -> bool:
    try:
        text.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


_AT_ONCE = "To make all that is missing at once"
_MADE = {
    "azcreds": ("secrets", "create", "--azure"),
    "acrcreds": ("secrets", "create", "--acr"),
    "pull secret": ("secrets", "attach"),
}
_CELL = "text-align:left;vertical-align:top;padding:0.3em 0.8em 0.3em 0;white-space:normal;font-weight:inherit"
_BADGE = "display:inline-block;border:1px solid currentColor;border-radius:0.3em;padding:0 0.4em;white-space:nowrap"
_EMPHASIS: dict[CheckStatus, str] = {
    "pass": "opacity:0.75",
    "warn": "font-weight:bold",
    "fail": "font-weight:bold;border-width:2px",
    "skipped": "opacity:0.6;border-style:dashed",
    "unknown": "font-weight:bold;border-style:dotted",
}
_COMMAND = "display:block;white-space:pre-wrap;word-break:break-word;user-select:all"


def html(results: Sequence[CheckResult], *, instead: str = "") -> str:
    """Return results as a table for a notebook; it takes its colours from the page.

    Args:
        results: The results so far.
        instead: What to say where they are not complete, in place of what all of them mean.

    """
    told = instead or summary(results)
    heads = "".join(
        f'<th scope="col" style="{_CELL};font-weight:bold">{head}</th>' for head in ("Status", "Check", "Found")
    )
    rows = "".join(_html_row(result) for result in in_order(results))
    cure = None if instead else at_once(results)
    rest = "" if cure is None else _html_cure(cure, _AT_ONCE)
    return (
        '<div class="fairing-az-check"><table style="border-collapse:collapse;text-align:left">'
        f'<caption style="caption-side:top;text-align:left;color:inherit">{escape(told)}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>{rest}</div>"
    )


def _html_row(result: CheckResult) -> str:
    badge = f'<span style="{_BADGE};{_EMPHASIS[result.status]}">{_SYMBOLS[result.status]} {result.status}</span>'
    found = [f"<div>{escape(line(result.message))}</div>"]
    if result.status in {"fail", "unknown", "warn"}:
        found.append(f'<div style="opacity:0.8">{escape(line(result.why))}</div>')
        cures = enumerate(_cures(result, notebook=True))
        found.extend(_html_cure(cure, "or" if number else "To mend it") for number, cure in cures)
    return (
        f'<tr><td style="{_CELL}">{badge}</td><th scope="row" style="{_CELL}">{escape(line(result.title))}'
        f'<div style="opacity:0.6;font-size:smaller">{escape(line(result.looked_at))}</div></th>'
        f'<td style="{_CELL}">{"".join(found)}</td></tr>'
    )


def _html_cure(cure: Cure, lead: str) -> str:
    if cure.tool == "text":
        return f"<div>{lead}: {escape(line(cure.command))}</div>"
    return f'<div>{lead}:<code style="{_COMMAND}">{escape(typed(cure, notebook=True))}</code></div>'
