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
from fairing_az_jupyter.manager.recorded_runs import (
    cancel_run,
    compare_runs,
    describe_run,
    list_runs,
    plan_retry,
    prune_runs,
    run,
    run_events,
    run_log,
    run_notebook,
)
from fairing_az_jupyter.manager.running import default_output, describe_parameters, plan_run

__all__ = [
    "LOCAL",
    "Leftovers",
    "attach_pull_secret",
    "cancel_run",
    "check",
    "cleanup",
    "compare_runs",
    "create_secrets",
    "default_output",
    "delete",
    "deploy",
    "describe_launch",
    "describe_parameters",
    "describe_run",
    "describe_secrets",
    "launch_logs",
    "list_launches",
    "list_runs",
    "lives_here",
    "plan_fill",
    "plan_launch",
    "plan_retry",
    "plan_run",
    "predict",
    "prune_runs",
    "run",
    "run_events",
    "run_log",
    "run_notebook",
    "save_profile",
    "settings_in_force",
    "subject_of",
    "train",
]
