"""What every front end calls: settings, fill, check, secrets, run. The rules stand here and below, once."""

from __future__ import annotations

from fairing_az_jupyter.manager.checking import (
    attach_pull_secret,
    check,
    create_secrets,
    describe_secrets,
    subject_of,
)
from fairing_az_jupyter.manager.configuring import save_profile, settings_in_force
from fairing_az_jupyter.manager.filling import plan_fill
from fairing_az_jupyter.manager.running import default_output, plan_run, run

__all__ = [
    "attach_pull_secret",
    "check",
    "create_secrets",
    "default_output",
    "describe_secrets",
    "plan_fill",
    "plan_run",
    "run",
    "save_profile",
    "settings_in_force",
    "subject_of",
]
