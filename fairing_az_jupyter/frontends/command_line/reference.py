"""The reference page of all commands: `python -m fairing_az_jupyter.frontends.command_line.reference`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, get_args

from fairing_az_jupyter.frontends.command_line.help_pages import arguments_of, options_of, usage
from fairing_az_jupyter.operations.declaration import EXIT_CODES, MAGIC, PROGRAM, Section
from fairing_az_jupyter.operations.registry import operations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairing_az_jupyter.operations.declaration import Operation

__all__ = ["page"]

_HEAD = f"""\
# Commands

Everything that can be typed in a terminal (`{PROGRAM}`) and in a cell (`{MAGIC}`, after
`%load_ext fairing_az_jupyter`). `{PROGRAM} help COMMAND` shows the same. This page is written by
`python -m fairing_az_jupyter.frontends.command_line.reference`.

Settings, such as `--docker-registry`, can be given to the commands that read them; [settings.md](settings.md) describes
each. Every command takes `--json` (the answer as JSON, errors too), `--debug` and `--help`.
"""
_ALWAYS = (0, 1, 2, 130)


def page() -> str:
    """Return the page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD
    yield "| exit code | meaning |"
    yield "|---|---|"
    yield from (f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items())
    for section in get_args(Section):
        yield f"\n## {section}"
        for operation in operations():
            if operation.section == section:
                yield from _of(operation)


def _of(operation: Operation[Any]) -> Iterator[str]:
    yield f"\n### {operation.name}\n"
    yield operation.about
    in_cell = "terminal" not in operation.places
    yield f"\n```\n{MAGIC if in_cell else PROGRAM} {operation.name} {usage(operation, in_cell=in_cell)}\n```\n"
    rows = arguments_of(operation)
    for title, options in options_of(operation).items():
        if not title.startswith("settings: "):
            rows += [row for row in options if row[0].split()[0] not in {"--json", "--debug", "-h,"}]
    if rows:
        yield "| | |"
        yield "|---|---|"
        yield from (f"| `{what.replace('|', chr(92) + '|')}` | {about} |" for what, about in rows)
        yield ""
    yield f"Settings: {_settings(operation)}. Where: {_places(operation)}. Exit codes: {_exit_codes(operation)}.\n"
    yield "```"
    for example in operation.examples:
        programs = (MAGIC,) if example.where == "cell" else (PROGRAM,)
        yield from (example.typed(program) for program in programs)
    yield "```"


def _settings(operation: Operation[Any]) -> str:
    read = operation.sources.settings
    if not read:
        return "none"
    return "all" if "*" in read else ", ".join(f"`--{field.replace('_', '-')}`" for field in read)


def _places(operation: Operation[Any]) -> str:
    names = {"terminal": "terminal", "magic": "cell", "server": f"REST (`{_route(operation)}`)"}
    return ", ".join(name for place, name in names.items() if place in operation.places)


def _route(operation: Operation[Any]) -> str:
    if operation.route is not None:
        return f"{operation.route.method} {operation.route.path}"
    return f"POST operations/{operation.name.replace(' ', '-')}"


def _exit_codes(operation: Operation[Any]) -> str:
    return ", ".join(str(code) for code in sorted({*_ALWAYS, *operation.exit_codes}))


if __name__ == "__main__":
    sys.stdout.write(page())
