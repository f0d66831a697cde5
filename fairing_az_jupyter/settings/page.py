"""The reference page of the settings, written from their declaration: `python -m fairing_az_jupyter.settings.page`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.settings.declaration import Settings, declarations

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEAD = """\
# Settings

<!-- Written by: python -m fairing_az_jupyter.settings.page > docs/settings.md -->

Each setting has one name in Python, profiles and forms (`docker_registry`), and one in the notebook and in the
environment (`DOCKER_REGISTRY`). Where several sources have a value, the highest wins:

1. an argument of the call or command,
2. the notebook's cell tagged `parameters`,
3. the environment,
4. the active profile,
5. the cluster (the namespace),
6. the default.

`fairing-azure settings --explain` says where each value comes from. Of the settings below, those marked *in every
parameters cell* are written there by Fill; the others only where the cell has them already. Where a setting may be
empty, an empty text and the text `None` mean the same.

Secret values are never settings: what looks like a key, password, token or connection string is rejected.
"""


def reference_page(model: type[Settings] = Settings) -> str:
    """Write the reference page of all settings in Markdown.

    Args:
        model: The settings' model.

    Returns:
        The page, with a heading for each group and each setting.

    """
    declared = declarations(model)
    rows = "".join(
        f"| [`{field}`](#{field}) | `{each['notebook_name']}` | {_default(each)} |\n"
        for field, each in declared.items()
    )
    parts = [_HEAD, f"| setting | name in the notebook | default |\n|---|---|---|\n{rows}"]
    for group in dict.fromkeys(each["group"] for each in declared.values()):
        parts.append(f"## {group}\n")
        parts += [_section(field, each) for field, each in declared.items() if each["group"] == group]
    return "\n".join(parts)


def _section(field: str, declared: Mapping[str, Any]) -> str:
    lines = [f"### {field}", ""]
    lines += [declared["description"], ""] if "description" in declared else []
    lines.append(
        f"- Name: `{declared['notebook_name']}`" + ", in every parameters cell" * (declared["cell"] == "always")
    )
    lines.append(f"- Default: {_default(declared)}")
    if "enum" in declared:
        lines.append(f"- Values: {', '.join(f'`{choice}`' for choice in declared['enum'])}")
    elif declared["rule"]:
        source = f" ([source]({declared['rule_source']}))" if declared["rule_source"] else ""
        lines.append(f"- Rule: {declared['rule']}{source}")
    if declared["needed_on"]:
        lines.append(f"- Needed to launch on: {', '.join(f'`{backend}`' for backend in declared['needed_on'])}")
    if declared.get("examples"):
        lines.append(f"- Example: `{declared['notebook_name']} = {declared['examples'][0]!r}`")
    return "\n".join([*lines, ""])


def _default(declared: Mapping[str, Any]) -> str:
    return f"`{declared['default']!r}`" if "default" in declared else "none: required"


if __name__ == "__main__":
    sys.stdout.write(reference_page())
