"""The cell tagged `parameters`: read it, plan an edit of it, apply the edit to the file."""

from __future__ import annotations

from fairing_az_jupyter.parameters.declared_types import DeclaredType, read_type
from fairing_az_jupyter.parameters.described import ParameterInfo, describe
from fairing_az_jupyter.parameters.filling import (
    INJECTED_TAG,
    PARAMETERS_TAG,
    CellEdit,
    CellReading,
    FillPlan,
    ParametersCell,
    apply_fill,
    plan_fill,
    plan_fill_text,
    read_parameters,
    read_parameters_text,
)

__all__ = [
    "INJECTED_TAG",
    "PARAMETERS_TAG",
    "CellEdit",
    "CellReading",
    "DeclaredType",
    "FillPlan",
    "ParameterInfo",
    "ParametersCell",
    "apply_fill",
    "describe",
    "plan_fill",
    "plan_fill_text",
    "read_parameters",
    "read_parameters_text",
    "read_type",
]
