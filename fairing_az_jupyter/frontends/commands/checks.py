"""`check` in a terminal, and its results for whoever shows them."""

from __future__ import annotations

import dataclasses
import itertools
import shlex
import sys
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.frontends.command_line.setting_flags import fields_of, setting_flag
from fairing_az_jupyter.frontends.commands.wording import in_place
from fairing_az_jupyter.frontends.terminal.output import OutputLostError, print_json
from fairing_az_jupyter.frontends.views.checks import check_report
from fairing_az_jupyter.models import Fix
from fairing_az_jupyter.operations.registry import find
from fairing_az_jupyter.settings import notebook_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairing_az_jupyter.frontends.terminal.output import Output
    from fairing_az_jupyter.models import CheckResult, CheckStatus
    from fairing_az_jupyter.operations.calls import Call
    from fairing_az_jupyter.operations.setup.check import Check

_EXIT_CODES: dict[CheckStatus, int] = {"pass": 0, "fail": 7, "unknown": 8}


def check(call: Call[Check], _output: Output) -> int:
    """Check everything that a launch needs; rows appear as results are found.

    Args:
        call: The command.

    Returns:
        The exit code: 0 if nothing fails, 7 if something does, 8 if nothing does but something is unknown.

    """
    if call.json:
        results = list(results_of(call))
        try:
            print_json(check_report.document(results))
            sys.stdout.flush()
        except OutputLostError as lost:
            # Who closes the pipe early still learns from the exit code whether anything fails.
            if not lost.reader_gone:
                raise
    else:
        results = shown_as_found(call, verbose=call.request.verbose)
    return _EXIT_CODES[check_report.overall(results)]


def shown_as_found(call: Call[Any], *, verbose: bool = False, notebook: bool = False) -> list[CheckResult]:
    """Check, print each result when it is found and at the end what needs attention.

    Args:
        call: The command; what counts of it are its session and its caller.
        verbose: Whether to say what each check has looked at.
        notebook: Whether fixes are typed into IPython.

    Returns:
        The results, in the order in which they are read.

    """
    # Standard output may stand behind a wrapper that knows no encoding.
    encoding = getattr(sys.stdout, "encoding", None) or getattr(sys.__stdout__, "encoding", None)
    style = check_report.style_for(sys.stdout, encoding)
    results: list[CheckResult] = []
    for result in results_of(call):
        results.append(result)
        sys.stdout.writelines(f"{row}\n" for row in check_report.row(result, style, verbose=verbose))
        sys.stdout.flush()
    sys.stdout.writelines(f"{part}\n" for part in check_report.report(results, style, notebook=notebook))
    return check_report.in_order(results)


def results_of(call: Call[Any]) -> Iterator[CheckResult]:
    """Check, and yield each result when it is found; its fixes work for who has typed the command.

    Args:
        call: The command; what counts of it are its session and its caller.

    """
    from fairing_az_jupyter import services  # noqa: PLC0415 - each command imports what it needs: help stays quick

    return (
        dataclasses.replace(result, fixes=tuple(dict.fromkeys(_fitting(fix, call) for fix in result.fixes)))
        for result in services.check(call.session)
    )


def _fitting(fix: Fix, call: Call[Any]) -> Fix:
    """Return a fix that has the same settings in force as the check had, and an effect where it is typed."""
    if fix.tool == "text":
        return dataclasses.replace(fix, command=in_place(fix.command, call.caller.program))
    if fix.tool != "fairing-azure":
        return fix
    program, *words = shlex.split(fix.command)
    profile = call.session.profile
    if words[:1] == ["secrets"]:
        return dataclasses.replace(fix, command=shlex.join([program, *words, *_sources(call, " ".join(words[:2]))]))
    if not call.caller.in_terminal and (words[:1] == ["fill"] or words[:2] == ["profile", "set"]):
        # A cell does not write into notebooks, and the notebook's variables win over every profile.
        fields = {setting_flag(field): name for field, name in notebook_names().items()}
        given = itertools.pairwise(words)
        lines = "; ".join(f"{fields[flag]} = {value!r}" for flag, value in given if flag in fields)
        cell = f"the parameters cell{f' of {call.notebook}' if call.notebook else ''}"
        return Fix("text", f"Write into {cell}, and run it: {lines}")
    if words[:3] == ["profile", "set", "NAME"] and profile:
        return dataclasses.replace(fix, command=shlex.join([program, *words[:2], profile, *words[3:]]))
    return fix


def _sources(call: Call[Any], command: str) -> Iterator[str]:
    """Yield the words that say where the settings of another command come from: from where this one's do."""
    operation = find(command)
    if call.notebook is not None:
        yield call.notebook
    if call.session.profile is not None:
        yield from ("--profile", call.session.profile)
    for field, value in call.session.given.items():
        if operation is not None and field in fields_of(operation):
            yield from (setting_flag(field), str(value))
