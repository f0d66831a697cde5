"""Records of runs as tables for people: a list, one with all that is known, and several beside each other."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from fairing_az_jupyter.frontends.views.checks import check_report
from fairing_az_jupyter.frontends.views.tables import Table, of_facts
from fairing_az_jupyter.outputs.listing import readable_size
from fairing_az_jupyter.records.comparing import MISSING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairing_az_jupyter.models import InputFile, Provenance, RunInfo
    from fairing_az_jupyter.records.comparing import Difference, RunTable
    from fairing_az_jupyter.services.outputs.launch_outputs import KeptFiles

__all__ = ["lines_of_run", "of_comparison", "of_run", "short", "value", "visible", "when"]

_LONGEST_VALUE = 60
_PAIR = 2
_DIGEST = 12
_SHOWN_INPUTS = 5
_CHANGES = ("added", "removed", "changed")


def of_comparison(compared: RunTable) -> Table:
    """Return runs beside each other: the parameters that differ, what they reported, and what they were made of."""
    rows = [
        (info.id, *(value(each) for each in row), _took(info), info.state)
        for info, row in zip(compared.runs, compared.rows, strict=True)
    ]
    titles = ("RUN", *compared.parameters, *compared.metrics, "DURATION", "STATE")
    return Table(titles, rows, lines_of_differences(compared))


def lines_of_differences(compared: RunTable) -> list[str]:
    """Return what runs were made of, as far as it is not the same in all, as lines."""
    known = len(compared.runs) - len(compared.unknown)
    lines = [f"{run} does not tell what it was made of." for run in compared.unknown]
    if known < _PAIR:
        return lines
    if not compared.differences:
        return [*lines, "Code, data, image, packages and settings are the same."]
    counts: Counter[tuple[str, str]] = Counter((each.aspect, each.change) for each in compared.differences)
    same = []
    for aspect in ("code", "data", "image", "packages", "settings"):
        parts = [f"{counts[aspect, change]} {change}" for change in _CHANGES if counts[aspect, change]]
        if parts:
            lines.append(f"{aspect.capitalize()}: {', '.join(parts)}")
        else:
            same.append(aspect)
    if same:
        lines.append(f"The same: {', '.join(same)}")
    changes = [
        f"{each.aspect} {each.name}: {' -> '.join(_made(each, found) for found in each.values)}"
        for each in compared.differences
    ]
    return [*lines, *map(check_report.line, changes)]


def of_run(info: RunInfo, made: Provenance | None = None, kept: KeptFiles | None = None) -> Table:
    """Return all that is known of a run.

    Args:
        info: The run.
        made: What it was made of; None where that is not known.
        kept: What was kept of the files that it has written; None likewise.

    """
    named = {
        f"{title} {name}": value(each, longest=None)
        for title, values in (("Parameter", info.parameters), ("Metric", info.metrics))
        for name, each in values.items()
    }
    facts = of_facts({**_facts(info), **_kept(info, kept), **_made_of(made), **named})
    return Table(facts.titles, facts.rows, [check_report.line(text) for text in _rest(info) if text])


def lines_of_run(info: RunInfo, made: Provenance | None = None, kept: KeptFiles | None = None) -> list[str]:
    """Return all that is known of a run as lines for a terminal; arguments as of `of_run`."""
    lines = of_facts({**_facts(info), **_kept(info, kept), **_made_of(made)}).lines()
    for title, values in (("Parameters", info.parameters), ("Metrics", info.metrics)):
        if values:
            rows = (check_report.line(f"{name} = {value(each, longest=None)}") for name, each in values.items())
            lines += ["", f"{title}:", *(f"  {text}" for text in rows)]
    rest = _rest(info)
    return [*lines, "", *rest] if rest else lines


def when(seconds: float) -> str:
    """Return a time as people read it here.

    Args:
        seconds: Since 1970-01-01 UTC.

    """
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
    except (ValueError, OverflowError, OSError):
        return "-"  # somebody has edited the record


def value(found: object, longest: int | None = _LONGEST_VALUE) -> str:
    """Return a parameter's or a metric's value for people.

    Args:
        found: The value.
        longest: Characters at most; None for all of them.

    """
    text = f"{found:.6g}" if isinstance(found, float) else "-" if found is None else str(found)
    return text if longest is None else short(text, longest)


def short(text: str, longest: int = _LONGEST_VALUE) -> str:
    """Return a text, cut off where it is too long.

    Args:
        text: The text.
        longest: Characters at most.

    """
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def visible(line: str) -> str:
    """Return a line as it is, but for what would do something to the terminal."""
    return "".join(letter if letter.isprintable() or letter == "\t" else " " for letter in line)


def _facts(info: RunInfo) -> dict[str, str]:
    return {
        "Run": info.id,
        "Name": info.name,
        "State": info.state,
        "Notebook" if info.kind == "notebook" else "File": info.notebook,
        "Task": f"{info.task} ({info.kind})" if info.task else "",
        "Endpoint": f"{info.endpoint} {info.url}".strip(),
        "Output": info.output or "",
        "Created": when(info.created),
        "Duration": _took(info) if info.started else "",
        "Cell": _where(info) if info.cells else "",
        "Attempt": str(info.attempt) if info.attempt > 1 else "",
        "Retry of": info.retry_of,
        "Sweep": f"{info.sweep}, point {info.point}" if info.sweep else "",
        "Launched by": info.parent,
        "Job": _job(info),
        "Record": info.folder,
    }


def _kept(info: RunInfo, kept: KeptFiles | None) -> dict[str, str]:
    """Return what was kept of the files that a run has written, and how to get at them."""
    if kept is None:
        return {}
    fetch = f"fairing-azure fetch {info.id}"
    found = f"see which: {fetch} --list"
    if kept.files is not None:
        number = f"{kept.files} file{'' if kept.files == 1 else 's'}, {readable_size(kept.size)}"
        found = f"{number}: {fetch}" if kept.files else "none"
    return {"Files": found, "Left out": kept.note}


def _made_of(made: Provenance | None) -> dict[str, str]:
    if made is None:
        return {}
    digest = f" ({made.image_digest.removeprefix('sha256:')[:_DIGEST]})" if made.image_digest else ""
    return {
        "Code": made.code[:_DIGEST],
        "Commit": str(made.git or ""),
        "Image": f"{made.image}{digest}",
        "Inputs": _files(made.inputs),
        "From job": f"{made.from_job}: {_files(made.from_files)}".removesuffix(": "),
        "Python": made.python,
        "User": f"{made.user} on {made.machine}" if made.user and made.machine else made.user or made.machine,
    }


def _files(files: Sequence[InputFile]) -> str:
    shown = [f"{each.path} ({each.size} bytes, {each.sha256[:_DIGEST]})" for each in files[:_SHOWN_INPUTS]]
    more = len(files) - len(shown)
    return ", ".join([*shown, *([f"{more} more"] if more else [])])


def _job(info: RunInfo) -> str:
    where = f" in namespace {info.namespace}" if info.namespace else ""
    return f"{info.job}{where}{f' at {info.server}' if info.server else ''}" if info.job else ""


def _rest(info: RunInfo) -> Sequence[str]:
    """Return why a run has not ended well, as lines."""
    lines: list[str] = []
    if info.state == "lost":
        lines += ["The process of this run ended without a result: it was killed, or its machine stopped."]
        if info.job and info.namespace:
            lines += [f"Its job may still be running in the cluster: fairing-azure status {info.job}"]
        lines += [f"Run it again: fairing-azure runs retry {info.id}"]
    if info.unattended:
        lines += ["No process follows this launch; its job is still running in the cluster, or was when it was left."]
        lines += [f"See its job: fairing-azure status {info.job}. Wait for it: make the same launch again."]
    if info.error:
        lines += [*([""] if lines else []), *_failure(info.error)]
    return lines


def _failure(error: Mapping[str, object]) -> list[str]:
    lines = [check_report.line(str(error[name])) for name in ("message", "hint") if error.get(name)]
    source, traceback = error.get("source"), error.get("traceback")
    if source:
        lines += ["", f"Cell {error.get('cell')}:", *(f"  {visible(line)}" for line in str(source).splitlines())]
    if isinstance(traceback, (list, tuple)) and traceback:
        lines += ["", "Traceback:", *(f"  {visible(str(line))}" for line in traceback)]
    return lines


def _took(info: RunInfo) -> str:
    if info.duration is not None:
        return f"{info.duration:.1f} s"
    return f"{time.time() - info.started:.0f} s so far" if info.started and info.state == "running" else "-"


def _where(info: RunInfo) -> str:
    return f"{info.cell or 0}/{info.cells}" if info.cells else "-"


def _made(difference: Difference, found: str | None) -> str:
    """Return what a run was made of, shortened as far as it still differs from others."""
    if found is None:
        return MISSING
    digest, _, size = found.partition(" ")
    if difference.aspect == "data" and size.isdigit():
        return f"{digest[:_DIGEST]} ({size} bytes)"
    if difference.name == "digest":
        return found.removeprefix("sha256:")[:_DIGEST]
    return short(found)
