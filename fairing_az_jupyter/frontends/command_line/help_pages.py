"""The help: all commands in groups, and each with its arguments, options, settings and examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import click

from fairing_az_jupyter.frontends.command_line.setting_flags import declared, fields_of, setting_flags
from fairing_az_jupyter.operations.declaration import EXIT_CODES, PROGRAM, Section
from fairing_az_jupyter.operations.registry import GROUPS, in_group, operations
from fairing_az_jupyter.operations.words import Argument, Option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairing_az_jupyter.operations.declaration import Field, Operation

__all__ = ["arguments_of", "of_group", "of_operation", "options_of", "overview", "usage"]

_WIDTH = 100
_GAP = 26
"""Columns of the flags; what a longer one does starts on a line of its own."""


def overview(program: str) -> str:
    """Return the list of all commands.

    Args:
        program: What the user types before a command.

    """
    in_cell = program != PROGRAM
    page = click.HelpFormatter(width=_WIDTH)
    page.write_usage(program, "COMMAND ...", "usage: ")
    page.write_paragraph()
    page.write_text("Train and serve a model from a notebook on Kubeflow on Azure, or on this machine.")
    known = operations("magic" if in_cell else "terminal")
    for section in get_args(Section):
        rows = dict(_row(each) for each in known if each.section == section)
        if rows:
            with page.section(section):
                page.write_dl(list(rows.items()))
    page.write_paragraph()
    page.write_text(f"Help and examples of a command: {program} help COMMAND")
    if not in_cell:
        with page.section("exit codes"):
            page.write_dl([(str(code), meaning) for code, meaning in EXIT_CODES.items()])
    return page.getvalue()


def _row(operation: Operation[Any]) -> tuple[str, str]:
    if not operation.group:
        return operation.name, operation.about
    inside = ", ".join(each.action for each in in_group(operation.group))
    return operation.group, f"{GROUPS.get(operation.group, '')} ({inside})".strip()


def of_group(group: str, program: str) -> str:
    """Return the commands that begin with the same word.

    Args:
        group: That word.
        program: What the user types before it.

    """
    page = click.HelpFormatter(width=_WIDTH)
    page.write_usage(f"{program} {group}", "ACTION ...", "usage: ")
    page.write_paragraph()
    page.write_text(GROUPS.get(group, ""))
    with page.section("actions"):
        page.write_dl([(each.action, each.about) for each in in_group(group)])
    page.write_paragraph()
    page.write_text(f"Help and examples of an action: {program} help {group} ACTION")
    return page.getvalue()


def of_operation(operation: Operation[Any], program: str) -> str:
    """Return all that can be typed behind a command, with examples.

    Args:
        operation: The command.
        program: What the user types before it.

    """
    in_cell = program != PROGRAM
    page = click.HelpFormatter(width=_WIDTH)
    page.write_usage(f"{program} {operation.name}", usage(operation, in_cell=in_cell), "usage: ")
    page.write_paragraph()
    page.write_text(operation.about)
    arguments = arguments_of(operation)
    if arguments:
        with page.section("arguments"):
            page.write_dl(arguments, col_max=_GAP)
    for title, rows in options_of(operation).items():
        with page.section(title):
            page.write_dl(rows, col_max=_GAP)
    examples = operation.examples_for(in_cell=in_cell)
    if examples:
        page.write("\nexamples:\n")
        page.write("".join(f"  {example.typed(program)}\n" for example in examples))
    return page.getvalue()


def usage(operation: Operation[Any], *, in_cell: bool) -> str:
    """Return what stands behind a command's name, in short.

    Args:
        operation: The command.
        in_cell: Whether it is typed into a cell.

    """
    parts = ["[OPTIONS]"]
    for field in _arguments(operation):
        shown = f"{field.word.metavar} ..." if field.kind == "many" else field.word.metavar
        parts.append(shown if operation.needs(field, in_cell=in_cell) else f"[{shown}]")
    return " ".join(parts)


def arguments_of(operation: Operation[Any]) -> list[tuple[str, str]]:
    """Return the arguments of a command with what they are.

    Args:
        operation: The command.

    """
    return [(field.word.metavar, field.word.about) for field in _arguments(operation)]


def options_of(operation: Operation[Any]) -> dict[str, list[tuple[str, str]]]:
    """Return the options of a command with what they do, by the headings that they stand under.

    Args:
        operation: The command.

    """
    found: dict[str, list[tuple[str, str]]] = {"options": []}
    for field in operation.typed_fields:
        if isinstance(field.word, Option):
            found.setdefault(field.word.group or "options", []).append(_option(field, field.word))
    found["options"] += [
        ("--json", "print JSON for programs"),
        ("--debug", "show where in the program an error has come from"),
        ("-h, --help", "show this help"),
    ]
    for field_name in fields_of(operation):
        shown = declared()[field_name]
        about = f"{shown['description']} ({shown['notebook_name']})"
        found.setdefault(f"settings: {shown['group']}", []).append((_setting(field_name), about))
    return found


def _arguments(operation: Operation[Any]) -> Iterator[Field]:
    return (field for field in operation.typed_fields if isinstance(field.word, Argument))


def _option(field: Field, word: Option) -> tuple[str, str]:
    value = f"[{'|'.join(field.choices)}]" if field.choices else word.metavar
    value = f"{value} ..." if word.words == "several" and not field.nested else value
    return f"{', '.join(word.flags)}{f' {value}' if value else ''}", word.about


def _setting(name: str) -> str:
    flags = setting_flags(name)
    if len(flags) > 1:
        return " / ".join(flags)
    choices = declared()[name].get("enum")
    return f"{flags[0]} {f'[{chr(124).join(choices)}]' if choices else 'VALUE'}"
