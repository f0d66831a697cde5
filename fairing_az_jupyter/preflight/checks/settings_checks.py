"""Are the settings valid and complete: no placeholder left, nothing missing that the backend needs?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairing_az_jupyter.preflight import fix_commands
from fairing_az_jupyter.preflight.runner import Check, Finding
from fairing_az_jupyter.settings import declarations, missing_for_launch, notebook_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairing_az_jupyter.models import Fix
    from fairing_az_jupyter.preflight.context import CheckContext


def checks(context: CheckContext) -> list[Check]:
    """Return the check of the settings.

    Args:
        context: What is checked.

    """
    looked_at = f"the settings in force{f' for {context.notebook}' if context.notebook else ''}"
    return [
        Check(
            "settings",
            "Settings",
            "A job is built from them; a placeholder or a typo only shows minutes later, in a failed pod.",
            looked_at,
            lambda _: _settings(context, looked_at),
        )
    ]


def _settings(context: CheckContext, looked_at: str) -> Finding:
    names = notebook_names()
    missing = [field for field in missing_for_launch(context.settings) if field not in context.broken]
    problems = [*context.broken.values()]
    if missing:
        listed = ", ".join(names[field] for field in missing)
        problems.append(
            f"{context.settings.backend} needs {listed}, which {'is' if len(missing) == 1 else 'are'} empty."
        )
    if not problems:
        return Finding(
            "pass", looked_at, f"All {len(names)} settings are valid, and {context.settings.backend} has all it needs."
        )
    code = "settings-invalid" if context.broken else "settings-missing"
    return Finding("fail", looked_at, " ".join(problems), tuple(_fixes(context, missing)), code=code)


def _fixes(context: CheckContext, missing: list[str]) -> Iterator[Fix]:
    declared = declarations()
    wanted = [field for field in (*context.broken, *missing) if field in declared]
    # A command would have to choose for the user.
    switches = [field for field in wanted if declared[field].get("type") == "boolean"]
    given = [field for field in wanted if field not in switches]
    if given:
        # Where nothing can be suggested there is a placeholder, which every command of ours rejects.
        flags = [
            word
            for flag, field in ((_flag(field), field) for field in given)
            for word in (flag, context.suggestions.get(field) or f"<{flag[2:]}>")
        ]
        yield _command(context, *flags)
    for field in switches:
        flag = _flag(field)
        yield fix_commands.text(
            f"Set {notebook_names()[field]} to True or False: {_command(context, flag).command}, or --no-{flag[2:]}."
        )
    others = [field for field in context.broken if field not in switches and context.hints.get(field)]
    for hint in dict.fromkeys(context.hints[field] for field in others):
        yield fix_commands.text(hint)


def _flag(field: str) -> str:
    return f"--{field.replace('_', '-')}"


def _command(context: CheckContext, *flags: str) -> Fix:
    if context.notebook:
        return fix_commands.ours("fill", context.notebook, *flags)
    return fix_commands.ours("profile", "set", "NAME", *flags)
