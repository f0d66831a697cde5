"""`check` and `secrets` in a terminal; in a notebook `secrets` is the same."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import re
import shlex
import sys
from typing import TYPE_CHECKING

from fairing_az_jupyter.frontends.commands import settings
from fairing_az_jupyter.frontends.grammar import parser
from fairing_az_jupyter.frontends.grammar.parts import setting_flag
from fairing_az_jupyter.frontends.grammar.usage_errors import CommandLineError
from fairing_az_jupyter.frontends.terminal.output import OutputLostError
from fairing_az_jupyter.frontends.views import check_report
from fairing_az_jupyter.frontends.views import tables as result_tables
from fairing_az_jupyter.frontends.views.results import Results
from fairing_az_jupyter.models import Fix
from fairing_az_jupyter.settings import notebook_names

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from fairing_az_jupyter.frontends.commands.settings import Caller
    from fairing_az_jupyter.models import CheckResult, CheckStatus, SecretChange

_EXIT_CODES: dict[CheckStatus, int] = {"pass": 0, "fail": 7, "unknown": 8}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def check(parsed: argparse.Namespace, caller: Caller) -> int:
    """Check everything that a launch needs; rows appear as results are found.

    Args:
        parsed: The command line.
        caller: Who has typed it.

    Returns:
        The exit code: 0 if nothing fails, 7 if something does, 8 if nothing does but something is unknown.

    """
    if parsed.json:
        results = list(results_of(parsed, caller))
        try:
            settings.print_json(check_report.document(results))
            sys.stdout.flush()
        except OutputLostError as lost:
            # Who closes the pipe early still learns from the exit code whether anything fails.
            if not lost.reader_gone:
                raise
    else:
        results = shown_as_found(parsed, caller)
    return _EXIT_CODES[check_report.overall(results)]


def shown_as_found(parsed: argparse.Namespace, caller: Caller, *, notebook: bool = False) -> list[CheckResult]:
    """Check, print each result when it is found and at the end what needs attention.

    Args:
        parsed: The command line.
        caller: Who has typed it.
        notebook: Whether cures are typed into IPython.

    Returns:
        The results, in the order in which they are read.

    """
    # Standard output may stand behind a wrapper that knows no encoding.
    encoding = getattr(sys.stdout, "encoding", None) or getattr(sys.__stdout__, "encoding", None)
    style = check_report.style_for(sys.stdout, encoding)
    results: list[CheckResult] = []
    for result in results_of(parsed, caller):
        results.append(result)
        sys.stdout.writelines(f"{row}\n" for row in check_report.row(result, style, verbose=parsed.verbose))
        sys.stdout.flush()
    sys.stdout.writelines(f"{part}\n" for part in check_report.report(results, style, notebook=notebook))
    return check_report.in_order(results)


def results_of(parsed: argparse.Namespace, caller: Caller) -> Iterator[CheckResult]:
    """Check, and yield each result when it is found; its cures work for who has typed the command."""
    from fairing_az_jupyter import services  # noqa: PLC0415 - each command imports what it needs: help stays quick

    found = services.check(settings.session_of(parsed, caller))
    return (
        dataclasses.replace(result, fixes=tuple(dict.fromkeys(_fitting(fix, parsed, caller) for fix in result.fixes)))
        for result in found
    )


def _fitting(fix: Fix, parsed: argparse.Namespace, caller: Caller) -> Fix:
    """Return a cure that has the same settings in force as the check had, and an effect where it is typed."""
    if fix.tool == "text":
        return dataclasses.replace(fix, command=settings.as_typed(fix.command, caller.program))
    if fix.tool != "fairing-azure":
        return fix
    program, *words = shlex.split(fix.command)
    if words[:1] == ["secrets"]:
        return dataclasses.replace(fix, command=shlex.join([program, *words, *_sources(parsed)]))
    if caller.program != parser.PROGRAM and (words[:1] == ["fill"] or words[:2] == ["profile", "set"]):
        # A cell does not write into notebooks, and the notebook's variables win over every profile.
        fields = {setting_flag(field): name for field, name in notebook_names().items()}
        given = itertools.pairwise(words)
        lines = "; ".join(f"{fields[flag]} = {value!r}" for flag, value in given if flag in fields)
        cell = f"the parameters cell{f' of {parsed.notebook}' if parsed.notebook else ''}"
        return Fix("text", f"Write into {cell}, and run it: {lines}")
    if words[:3] == ["profile", "set", "NAME"] and parsed.profile:
        return dataclasses.replace(fix, command=shlex.join([program, *words[:2], parsed.profile, *words[3:]]))
    return fix


def _sources(parsed: argparse.Namespace) -> Iterator[str]:
    """Yield the words of a command line that say where settings come from."""
    if parsed.notebook is not None:
        yield parsed.notebook
    if parsed.profile is not None:
        yield from ("--profile", parsed.profile)
    for field, value in parser.explicit_settings(parsed).items():
        yield from (setting_flag(field), value)


def secrets_of(parsed: argparse.Namespace, caller: Caller) -> settings.Answer:
    """Make, renew, attach or show the Secrets.

    Args:
        parsed: The command line.
        caller: Who has typed it; is asked for values that neither environment nor file has to give.

    """
    from fairing_az_jupyter import services  # noqa: PLC0415

    session = settings.session_of(parsed, caller)
    if parsed.action == "show":
        states = services.describe_secrets(session)
        document = {"secrets": [state.to_dict() for state in states]}
        return settings.Answer(document, Results(states, result_tables.of_secrets(states)))
    if parsed.action == "attach":
        changes = services.attach_pull_secret(session, dry_run=parsed.dry_run)
    else:
        rotate = parsed.action == "rotate"
        both = rotate or parsed.azure == parsed.acr
        asking = not parsed.from_env and (parsed.from_file is None or (caller.present and parsed.from_file != "-"))
        changes = services.create_secrets(
            session,
            azure=both or parsed.azure,
            acr=both or parsed.acr,
            only_secret=rotate,
            from_env=parsed.from_env,
            from_file=parsed.from_file,
            ask=caller.ask if asking else None,
            expires=_day(parsed.expires),
            dry_run=parsed.dry_run,
            verify=not parsed.unverified,
            replace=not rotate and parsed.replace,
        )
    return _changed(parsed, changes, caller.program)


secrets = settings.printing(secrets_of)


def _day(text: str | None) -> str | None:
    """Return a day as it was given; an error does not repeat it."""
    if text is None:
        return None
    try:
        sound = _DAY.fullmatch(text) is not None and bool(dt.date.fromisoformat(text))
    except ValueError:
        sound = False
    if not sound:
        raise CommandLineError("--expires is followed by something that is no day.", hint="Write: --expires YYYY-MM-DD")
    return text


def _changed(parsed: argparse.Namespace, changes: Sequence[SecretChange], program: str) -> settings.Answer:
    changes = [dataclasses.replace(each, note=settings.as_typed(each.note, program)) for each in changes]
    lines = [each for change in changes for each in _change_lines(change, dry_run=parsed.dry_run)]
    if parsed.dry_run:
        lines.append("Nothing was changed: this was a dry run.")
    elif any(change.outcome != "unchanged" for change in changes):
        lines.append(f"See whether all is well now: {program} check")
    else:
        lines.append("Nothing had to be changed.")
    document = {"changes": [change.to_dict() for change in changes], "dry_run": parsed.dry_run}
    return settings.Answer(document, Results(changes, result_tables.Table((), (), lines)), lines)


def _change_lines(change: SecretChange, *, dry_run: bool) -> list[str]:
    would = "would be " if dry_run and change.outcome != "unchanged" else ""
    keys = f" ({', '.join(change.keys)})" if change.keys else ""
    told = f"{change.kind} {change.name} in namespace {change.namespace}: {would}{change.outcome}{keys}"
    return [check_report.line(told), *([f"  {check_report.line(change.note)}"] if change.note else [])]
