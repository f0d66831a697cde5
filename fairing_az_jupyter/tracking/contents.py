"""What is reported of a launch: its parameters, tags and metrics, as MLflow takes them."""

from __future__ import annotations

import json
import math
import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.records.provenance.files import read_provenance
from fairing_az_jupyter.settings.naming import looks_secret, names_secret
from fairing_az_jupyter.tracking.place import cell_values
from fairing_az_jupyter.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fairing_az_jupyter.models import Metric, RunRequest, RunState
    from fairing_az_jupyter.settings import Settings

__all__ = ["STATUSES", "beginning_tags", "ending_tags", "metric_name", "number", "params", "reported_tag"]

PREFIX = "fairing_az_jupyter."

STATUSES: Mapping[RunState, str] = {"succeeded": "FINISHED", "failed": "FAILED", "cancelled": "KILLED"}
"""MLflow's words for how a launch has ended."""

# What decides what a job computes, or how long it takes. Names of accounts and Secrets say nothing of a model.
_SETTINGS = ("base_image", "builder", "cpu", "cpu_limit", "gpus", "memory", "node_selector", "retries", "spot")

# https://github.com/mlflow/mlflow/blob/v3.17.2/mlflow/utils/validation.py: names, and how long values may be.
_ODD = re.compile(r"[^\w\-. :/]")
_LONGEST_NAME = 250
_LONGEST_PARAM = 6000
_LONGEST_TAG = 5000


def metric_name(name: str) -> str:
    """Return the name of a metric or parameter as MLflow takes it: `map@50` becomes `map_50`.

    Args:
        name: Its name here.

    """
    return _ODD.sub("_", name)[:_LONGEST_NAME].strip("/") or "_"


def number(value: Metric) -> float | None:
    """Return a reported value as a number; None where it is none, as with a text.

    Args:
        value: What was reported.

    """
    if isinstance(value, (int, float)):
        return float(value) if abs(value) <= float.fromhex("0x1.fp1023") else None
    if isinstance(value, str):
        # Records have NaN and infinity as texts.
        try:
            odd = float(value)
        except ValueError:
            return None
        return None if math.isfinite(odd) else odd
    return None


def params(request: RunRequest, record: Path, settings: Settings) -> dict[str, str]:
    """Return the parameters of a launch: a notebook's, or the settings that matter for a training.

    Args:
        request: The launch.
        record: The folder of its record.
        settings: The settings in force.

    """
    given: dict[str, Any] = {"backend": settings.backend}
    if request.kind == "notebook":
        given |= cell_values(request, record)
    else:
        given |= {"task": request.task, **request.parameters}
        given |= {name: getattr(settings, name) for name in _SETTINGS} if settings.backend != "LocalBackend" else {}
    if request.input_files:
        given["input_files"] = list(request.input_files)
    found = {metric_name(name): _text(value) for name, value in given.items() if not names_secret(name)}
    return {name: value[:_LONGEST_PARAM] for name, value in found.items() if value and not looks_secret(value)}


def beginning_tags(request: RunRequest, record: Path, facts: Mapping[str, Any], parent: str) -> dict[str, str]:
    """Return what is known of a launch when it begins.

    Args:
        request: The launch.
        record: The folder of its record.
        facts: `sweep`, `point` and so on, as its record has them.
        parent: The MLflow run of its sweep; empty for none.

    """
    source = PurePath(request.notebook.replace("\\", "/")).name
    sort = "NOTEBOOK" if request.kind == "notebook" else "JOB"
    tags = {
        "mlflow.runName": request.name or record.name,
        "mlflow.source.name": f"{source}:{request.task}" if request.task else source,
        "mlflow.source.type": sort,
        "mlflow.parentRunId": parent,
        f"{PREFIX}run": record.name,
        f"{PREFIX}kind": request.kind,
        f"{PREFIX}version": __version__,
    }
    tags |= {f"{PREFIX}{name}": _text(facts.get(name)) for name in ("sweep", "point", "retry_of", "parent")}
    return _checked(tags)


def ending_tags(record: Path) -> dict[str, str]:
    """Return what has been found out about a launch by its end: the git commit, the image, the digests.

    Args:
        record: The folder of its record.

    """
    made_of = read_provenance(record)
    git = made_of.git
    tags = {
        "mlflow.user": made_of.user,
        "mlflow.source.git.commit": "" if git is None else git.commit,
        f"{PREFIX}git_changed": "" if git is None else str(git.dirty).lower(),
        "mlflow.docker.image.uri": made_of.image,
        "mlflow.docker.image.id": made_of.image_digest,
    }
    names = ("code", "context", "python", "packages", "machine", "namespace", "job", "endpoint")
    tags |= {f"{PREFIX}{name}": getattr(made_of, name) for name in names}
    tags |= {f"{PREFIX}input.{each.path}": each.sha256 for each in made_of.inputs[:20]}
    return _checked(tags)


def reported_tag(name: str, value: Metric) -> dict[str, str]:
    """Return the tag for a reported value that is a text.

    Args:
        name: Its name.
        value: The value.

    """
    return _checked({f"{PREFIX}reported.{name}": _text(value)})


def _checked(tags: Mapping[str, str]) -> dict[str, str]:
    return {metric_name(n): v[:_LONGEST_TAG] for n, v in tags.items() if v and not looks_secret(v)}


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        return str(value)
