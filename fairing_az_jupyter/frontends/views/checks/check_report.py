"""The results of checks as text: rows and a report in a terminal, and a document in JSON."""

from __future__ import annotations

import dataclasses
import os
import shlex
import shutil
import textwrap
import unicodedata
from typing import TYPE_CHECKING, TextIO, get_args

from fairing_az_jupyter.models import CheckStatus, Fix

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from io import TextIOBase

    from fairing_az_jupyter.models import CheckResult

ATTENTION = frozenset({"fail", "unknown", "warn"})
"""The statuses that the user has to look at."""

STATUSES: tuple[CheckStatus, ...] = get_args(CheckStatus)
SYMBOLS: dict[CheckStatus, str] = {"pass": "✓", "warn": "!", "fail": "✗", "skipped": "-", "unknown": "?"}
_ASCII_SYMBOLS: dict[CheckStatus, str] = {**SYMBOLS, "pass": "+", "fail": "x"}
_COLOURS: dict[CheckStatus, str] = {"pass": "32", "warn": "33", "fail": "1;31", "skipped": "2", "unknown": "35"}
_VERDICTS = {
    "pass": "Ready to launch.",
    "fail": "A launch would fail.",
    "unknown": "Some checks got no answer, so a launch may fail.",
}
# A warning may be about what nobody can see from here, such as what the nodes' own identity may pull.
_WARNED = "Ready to launch, with warnings."
AT_ONCE = "To create everything that is missing"
_MADE = {
    "azcreds": ("secrets", "create", "--azure"),
    "acrcreds": ("secrets", "create", "--acr"),
    "pull secret": ("secrets", "attach"),
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
        ascii: Whether symbols outside ASCII are replaced.

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
    return Style(max(width, _NARROWEST), colour=colour, ascii=not _can_write("".join(SYMBOLS.values()), encoding))


def in_order(results: Iterable[CheckResult]) -> list[CheckResult]:
    """Return results in the order in which they are read; checks finish in any order."""
    return sorted(results, key=lambda result: result.position)


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
    """Return all in one line: how many checks have which status, the worst first, and what that means for a launch."""
    found = counts(results)
    checks = "1 check" if len(results) == 1 else f"{len(results)} checks"
    status = overall(results)
    verdict = _WARNED if status == "pass" and found["warn"] else _VERDICTS[status]
    return f"{checks}: {', '.join(_counted(results)) or 'none to run'}. {verdict}"


def _counted(results: Iterable[CheckResult]) -> Iterator[str]:
    results = list(results)
    found = counts(results)
    words = {"fail": "failed", "unknown": "unknown", "warn": "warning", "pass": "passed", "skipped": "skipped"}
    for status, word in words.items():
        if number := found[status]:
            plural = "s" if status == "warn" and number > 1 else ""
            yield f"{number} {word}{plural}{_need(number, results) if status == 'skipped' else ''}"


def _need(skipped: int, results: Iterable[CheckResult]) -> str:
    """Say what skipped checks wait for where it is the cluster itself."""
    cluster = next((result.status for result in results if result.check == "cluster"), "pass")
    return f" ({'needs' if skipped == 1 else 'need'} the cluster)" if cluster in {"fail", "unknown"} else ""


def row(result: CheckResult, style: Style, *, verbose: bool = False) -> Iterator[str]:
    """Yield one result as lines for a terminal: status, title, message.

    Args:
        result: The result.
        style: How to show it.
        verbose: Whether to say also what was looked at.

    """
    texts = [line(result.message), *([f"Checked: {line(result.looked_at)}."] if verbose and result.looked_at else [])]
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
    """Yield what needs attention, each with why it matters and how to fix it, and the summary.

    Args:
        results: All results.
        style: How to show them.
        notebook: Whether commands are typed into a cell.

    """
    for result in in_order(results):
        if result.status in ATTENTION:
            yield ""
            yield from _attention(result, style, notebook=notebook)
    yield ""
    remedy = at_once(results)
    if remedy is not None:
        yield from (f"{AT_ONCE}:", f"  {typed(remedy, notebook=notebook)}", "")
    yield from _wrapped(summary(results), style.width)


def at_once(results: Iterable[CheckResult]) -> Fix | None:
    """Return the one command that creates everything that is missing, where it would take several otherwise.

    Args:
        results: The results.

    Returns:
        `secrets create` if checks fail whose first remedies each create a part of it; None if it does no more than one
        of these, or if they have not the same settings.

    """
    parts: dict[tuple[str, ...], set[str]] = {}
    for result in results:
        best = result.fixes[0] if result.status == "fail" and result.fixes else None
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
    return Fix("fairing-azure", shlex.join([program, "secrets", "create", *which, *sources]))


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
    looked_at = f"Checked: {line(result.looked_at)}." if result.looked_at else ""
    texts = [part for text in (line(result.message), line(result.why), looked_at) for part in _fitted(text, style)]
    yield from (f"{margin}{part}" for part in (*others, *texts))
    for number, remedy in enumerate(remedies_of(result, notebook=notebook)):
        lead = "or" if number else "To fix it"
        if remedy.tool == "text":
            yield from (f"{margin}{part}" for part in _fitted(f"{lead}: {line(remedy.command)}", style))
        else:
            # Never wrapped: it is there to be copied.
            yield f"{margin}{lead}:"
            yield f"{margin}  {typed(remedy, notebook=notebook)}"


def remedies_of(result: CheckResult, *, notebook: bool) -> list[Fix]:
    """Return a result's remedies; in a notebook those first that a cell can run.

    Args:
        result: The result.
        notebook: Whether they are typed into a cell.

    """
    return sorted(result.fixes, key=lambda fix: notebook and not fix.magic)


def typed(fix: Fix, *, notebook: bool) -> str:
    """Return what to type, in a notebook's cell or in a terminal."""
    return line((notebook and fix.magic) or fix.command)


def line(text: str) -> str:
    """Return a text as one line without control characters: it may quote what a server has sent."""
    kept = "".join(letter if letter.isprintable() else " " for letter in text if unicodedata.category(letter) != "Cf")
    return " ".join(kept.split())


def _fitted(text: str, style: Style) -> list[str]:
    return _wrapped(text, style.width - _STATUS_WIDTH)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def _badge(status: CheckStatus, style: Style) -> str:
    shown = f"{(_ASCII_SYMBOLS if style.ascii else SYMBOLS)[status]} {status}"
    gap = " " * (_STATUS_WIDTH - len(shown))
    return f"\x1b[{_COLOURS[status]}m{shown}\x1b[0m{gap}" if style.colour else f"{shown}{gap}"


def _can_write(text: str, encoding: str | None) -> bool:
    try:
        text.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
