"""What every front end calls: settings, fill, check, secrets, launches, run. The rules stand here and below, once."""

from __future__ import annotations

from fairing_az_jupyter.services.background.start import start_launch, start_run
from fairing_az_jupyter.services.checks import (
    attach_pull_secret,
    check,
    create_secrets,
    describe_secrets,
    subject_of,
)
from fairing_az_jupyter.services.cluster_runs.follow import follow_cluster_batch, follow_cluster_run
from fairing_az_jupyter.services.cluster_runs.found_launches import list_cluster_launches
from fairing_az_jupyter.services.cluster_runs.launch import (
    ClusterBatch,
    ClusterPoint,
    cluster_settings,
    plan_cluster_run,
    settings_in_cell,
    start_on_cluster,
)
from fairing_az_jupyter.services.cluster_runs.records import launched_with
from fairing_az_jupyter.services.cluster_runs.sweeps import describe_cluster_sweep, resume_on_cluster
from fairing_az_jupyter.services.endpoints import ask_endpoint as test_endpoint
from fairing_az_jupyter.services.endpoints import list_endpoints
from fairing_az_jupyter.services.example import copy_example
from fairing_az_jupyter.services.keeping.blobs import prune_blobs
from fairing_az_jupyter.services.keeping.images import prune_images
from fairing_az_jupyter.services.keeping.sweeps import delete_sweeps, prune_sweeps
from fairing_az_jupyter.services.launch_planning import launch_environment, plan_launch
from fairing_az_jupyter.services.launches import (
    LOCAL,
    OrphanedResources,
    cleanup,
    delete,
    deploy,
    describe_launch,
    launch_logs,
    list_everyones_launches,
    list_launches,
    local_launches,
    predict,
    train,
)
from fairing_az_jupyter.services.outputs.launch_outputs import fetch_outputs, kept_files, list_outputs, open_output
from fairing_az_jupyter.services.parameters_cell import plan_cell_fill, plan_fill
from fairing_az_jupyter.services.planning import default_output, describe_parameters, plan_run
from fairing_az_jupyter.services.runs import (
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
from fairing_az_jupyter.services.session import Session, save_profile
from fairing_az_jupyter.services.sweeps import (
    cancel_sweep,
    describe_sweep,
    keep_sweep,
    list_sweeps,
    plan_sweep,
    plot_sweep,
    resume_sweep,
    run_sweep,
    sweep_points,
)
from fairing_az_jupyter.services.tasks import launchable, list_tasks

__all__ = [
    "LOCAL",
    "ClusterBatch",
    "ClusterPoint",
    "OrphanedResources",
    "Session",
    "attach_pull_secret",
    "cancel_run",
    "cancel_sweep",
    "check",
    "cleanup",
    "cluster_settings",
    "compare_runs",
    "copy_example",
    "create_secrets",
    "default_output",
    "delete",
    "delete_sweeps",
    "deploy",
    "describe_cluster_sweep",
    "describe_launch",
    "describe_parameters",
    "describe_run",
    "describe_secrets",
    "describe_sweep",
    "fetch_outputs",
    "follow_cluster_batch",
    "follow_cluster_run",
    "keep_sweep",
    "kept_files",
    "launch_environment",
    "launch_logs",
    "launchable",
    "launched_with",
    "list_cluster_launches",
    "list_endpoints",
    "list_everyones_launches",
    "list_launches",
    "list_outputs",
    "list_runs",
    "list_sweeps",
    "list_tasks",
    "local_launches",
    "open_output",
    "plan_cell_fill",
    "plan_cluster_run",
    "plan_fill",
    "plan_launch",
    "plan_retry",
    "plan_run",
    "plan_sweep",
    "plot_sweep",
    "predict",
    "prune_blobs",
    "prune_images",
    "prune_runs",
    "prune_sweeps",
    "resume_on_cluster",
    "resume_sweep",
    "run",
    "run_events",
    "run_log",
    "run_notebook",
    "run_sweep",
    "save_profile",
    "settings_in_cell",
    "start_launch",
    "start_on_cluster",
    "start_run",
    "subject_of",
    "sweep_points",
    "test_endpoint",
    "train",
]
