"""What the layers hand each other: plain, frozen records with a form for JSON."""

from __future__ import annotations

from fairing_az_jupyter.models.checks import (
    CheckResult,
    CheckStatus,
    Fix,
    Question,
    SecretChange,
    SecretState,
)
from fairing_az_jupyter.models.launches import (
    Deployed,
    EndpointInfo,
    LaunchInfo,
    LaunchKind,
    LaunchLine,
    LaunchOrigin,
    LaunchState,
    OrphanedResource,
    Prediction,
    TaskInfo,
)
from fairing_az_jupyter.models.runs import (
    ENDED,
    OUTPUT_LIMIT,
    PHASES,
    Metric,
    RunEvent,
    RunEventKind,
    RunInfo,
    RunKind,
    RunPlace,
    RunRequest,
    RunResult,
    RunState,
)

__all__ = [
    "ENDED",
    "OUTPUT_LIMIT",
    "PHASES",
    "CheckResult",
    "CheckStatus",
    "Deployed",
    "EndpointInfo",
    "Fix",
    "LaunchInfo",
    "LaunchKind",
    "LaunchLine",
    "LaunchOrigin",
    "LaunchState",
    "Metric",
    "OrphanedResource",
    "Prediction",
    "Question",
    "RunEvent",
    "RunEventKind",
    "RunInfo",
    "RunKind",
    "RunPlace",
    "RunRequest",
    "RunResult",
    "RunState",
    "SecretChange",
    "SecretState",
    "TaskInfo",
]
