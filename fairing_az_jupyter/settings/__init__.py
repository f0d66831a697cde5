"""Every setting: its declaration, where its value comes from, and the profiles that keep values."""

from __future__ import annotations

from fairing_az_jupyter.settings.declaration import Settings, declarations, may_be_empty
from fairing_az_jupyter.settings.errors import InvalidSettingsError
from fairing_az_jupyter.settings.values import (
    cell_fields,
    check_launch,
    check_values,
    field_for,
    from_notebook,
    missing_for_launch,
    notebook_names,
    to_notebook,
)

__all__ = [
    "InvalidSettingsError",
    "Settings",
    "cell_fields",
    "check_launch",
    "check_values",
    "declarations",
    "field_for",
    "from_notebook",
    "may_be_empty",
    "missing_for_launch",
    "notebook_names",
    "to_notebook",
]
