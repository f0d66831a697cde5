"""What every front end calls: settings, fill, check, secrets, launches, run. The rules stand here and below, once."""

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
from fairing_az_jupyter.manager.launching import (
    LOCAL,
    Leftovers,
    cleanup,
    delete,
    deploy,
    describe_launch,
    launch_logs,
    list_launches,
    lives_here,
    plan_launch,
    predict,
    train,
)
from fairing_az_jupyter.manager.running import default_output, plan_run, run

__all__ = [
    "LOCAL",
    "Leftovers",
    "attach_pull_secret",
    "check",
    "cleanup",
    "create_secrets",
    "default_output",
    "delete",
    "deploy",
    "describe_launch",
    "describe_secrets",
    "launch_logs",
    "list_launches",
    "lives_here",
    "plan_fill",
    "plan_launch",
    "plan_run",
    "predict",
    "run",
    "save_profile",
    "settings_in_force",
    "subject_of",
    "train",
]
