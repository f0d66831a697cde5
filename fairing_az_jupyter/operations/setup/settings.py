"""`settings`: those in force, and where each comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fairing_az_jupyter.operations.declaration import ALL, Example, Operation, Request, Sources
from fairing_az_jupyter.operations.words import flag

if TYPE_CHECKING:
    from fairing_az_jupyter.operations.calls import Call

__all__ = ["SETTINGS", "ShowSettings", "explained", "schema"]


class ShowSettings(Request):
    """How much is said."""

    explain: Annotated[bool, flag("--explain", about="say where each value comes from, and what it overrides")] = False
    # Not `schema`: pydantic's models have a method of that name.
    as_schema: Annotated[bool, flag("--schema", about="print the JSON schema of all settings")] = False


def explained(call: Call[ShowSettings]) -> list[dict[str, Any]]:
    """Return each setting in force: field, value, source, and what it overrides.

    Args:
        call: The command.

    """
    return [each.to_dict() for each in call.session.resolved.explain()]


def schema() -> dict[str, Any]:
    """Return the JSON schema of all settings."""
    from fairing_az_jupyter.settings import Settings  # noqa: PLC0415 - each command imports what it needs

    return Settings.model_json_schema()


SETTINGS = Operation(
    "settings",
    "Show the settings in force.",
    ShowSettings,
    section="Set up",
    sources=Sources(settings=ALL, notebook="argument"),
    exit_codes=(3,),
    examples=(Example("settings --explain", "cell"), Example("settings train.ipynb --explain", "terminal")),
)
