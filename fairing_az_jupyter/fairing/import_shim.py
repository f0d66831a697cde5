"""Makes the unmodified Fairing 1.0.2 importable on today's libraries.

Fairing's own modules are loaded by a loader of ours that gives them a private `__import__`. Through it they see
placeholders for packages that are gone, postpone their parts for other clouds until somebody uses them, and log below
their own logger instead of configuring the root logger. No other module in the process sees any of this.
"""

from __future__ import annotations

import builtins
import importlib
import sys
import types
import warnings
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import FairingNotInstalledError
from fairing_az_jupyter.fairing.upstream.stand_ins import Deferred, KernelIfRunning, Placeholder, fairing_logging

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ROOT = "kubeflow.fairing"

# Parts of Fairing that a launch on Azure or on this machine never runs, and what makes them slow to import.
_POSTPONED = frozenset(
    f"{ROOT}.{name}"
    for name in (
        "builders.append.append",  # containerregistry, httplib2
        "builders.cluster.azurestorage_context",  # azure.storage.file
        "builders.cluster.cos_context",  # ibm_boto3
        "builders.cluster.gcs_context",  # google.cloud.storage
        "builders.cluster.minio_context",  # boto3
        "builders.cluster.s3_context",  # boto3
        "builders.docker.docker",  # docker
        "builders.podman.podman",
        "cloud.aws",
        "cloud.azure",
        "cloud.docker",
        "cloud.gcp",
        "cloud.ibm_cloud",
        "cloud.k8s",
        "cloud.storage",
        "deployers.gcp.gcp",  # googleapiclient
        "deployers.kfserving.kfserving",
        "deployers.pytorchjob.pytorchjob",
        "deployers.tfjob.tfjob",
        "preprocessors.converted_notebook",  # nbconvert
    )
)

# Packages that Fairing imports and that need not be there, each with what to install if its user wants that part.
_GONE: Mapping[str, str] = {
    "azure.common": "azure-common",
    "azure.mgmt.storage": "azure-mgmt-storage",
    "azure.storage.file": "azure-storage-file",
    "boto3": "boto3",
    "botocore": "boto3",
    "containerregistry": "httplib2",  # part of Fairing's own wheel
    "docker": "docker",
    "fire": "fire",
    "google.auth": "google-auth",
    "google.cloud": "google-cloud-storage",
    "googleapiclient": "google-api-python-client",
    "httplib2": "httplib2",
    "ibm_boto3": "ibm-cos-sdk",
    "ibm_botocore": "ibm-cos-sdk",
    "kfserving": "kfserving",
    "kubeflow.pytorchjob": "kubeflow-pytorchjob",
    "kubeflow.tfjob": "kubeflow-tfjob",
    "notebook.notebookapp": "notebook<7",
}


def find_fairing() -> ModuleSpec | None:
    """Return where Fairing is installed, without importing it; None if it is not.

    Fairing lives below a namespace that other distributions share: a `kubeflow` package which hides it in another
    folder of `sys.path` is looked past.
    """
    folders = [str(Path(entry or ".") / "kubeflow") for entry in sys.path]
    return PathFinder.find_spec(ROOT, folders)


def find(fullname: str, path: Sequence[str] | None, target: types.ModuleType | None) -> ModuleSpec | None:
    """Return the spec of one of Fairing's modules, to be loaded by our loader; None if it is not on the path."""
    spec = PathFinder.find_spec(fullname, path, target)
    if spec is None and fullname == ROOT:
        spec = find_fairing()
    if spec is not None and isinstance(spec.loader, SourceFileLoader):
        spec.loader = _FairingLoader(spec.loader.name, spec.loader.path)
    return spec


def not_installed(fullname: str) -> FairingNotInstalledError:
    """Return the error for an import of Fairing, or of the namespace that it lies in, where there is none."""
    error = FairingNotInstalledError(
        f"No module named '{fullname}': Kubeflow Fairing is not installed in {sys.prefix}.",
        hint="Install it: fairing-azure install-fairing",
    )
    error.name = fullname
    return error


class _FairingLoader(SourceFileLoader):
    def source_to_code(self, data: Any, path: Any, *, _optimize: int = -1) -> types.CodeType:  # type: ignore[override]  # noqa: ANN401
        # Sources of 2020 compare with `is` to literals: Python warns its user, who can't change them.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return super().source_to_code(data, path, _optimize=_optimize)

    def exec_module(self, module: types.ModuleType) -> None:
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": _import_for_fairing}
        super().exec_module(module)
        finish = _FINISH.get(module.__name__)
        if finish is not None:
            finish(module)


def _import_for_fairing(
    name: str,
    globals_: Mapping[str, object] | None = None,
    locals_: Mapping[str, object] | None = None,
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> Any:  # noqa: ANN401
    """Stand in for `__import__` in Fairing's modules, which import by absolute names only."""
    names = tuple(fromlist or ())
    if name == "logging":
        return fairing_logging()
    if name == "ipykernel" and not names:
        return KernelIfRunning()
    if name in _POSTPONED and name not in sys.modules and names:
        return types.SimpleNamespace(**{item: Deferred(name, item) for item in names})
    if any(f"{name}.{item}" in _POSTPONED for item in names):
        return types.SimpleNamespace(**{item: _part(name, item) for item in names})
    package = next((_GONE[gone] for gone in _GONE if name == gone or name.startswith(f"{gone}.")), None)
    if package is None:
        return builtins.__import__(name, globals_, locals_, fromlist or (), level)
    return _real_or_placeholder(name, names, package)


def _part(package: str, item: str) -> object:
    name = f"{package}.{item}"
    if name in _POSTPONED and name not in sys.modules:
        return Deferred(name)
    return importlib.import_module(name)


def _real_or_placeholder(name: str, names: tuple[str, ...], package: str) -> object:
    try:
        module = builtins.__import__(name, fromlist=names)
    except ImportError as error:
        gone = isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}.")
        reason = "is not installed" if gone else f"can't be imported ({error})"
        return Placeholder(name if names else name.partition(".")[0], package, reason)
    missing = [item for item in names if not hasattr(module, item)]
    if not missing:
        return module
    return types.SimpleNamespace(
        **{
            item: Placeholder(f"{name}.{item}", package, "is not installed")
            if item in missing
            else getattr(module, item)
            for item in names
        }
    )


def _add_backends(module: types.ModuleType) -> None:
    from fairing_az_jupyter.fairing import backends  # noqa: PLC0415

    for backend in backends.BACKENDS:
        setattr(module, backend.__name__, backend)


def _replace_context_source(module: types.ModuleType) -> None:
    from fairing_az_jupyter.fairing.upstream.storage_context_source import StorageContextSource  # noqa: PLC0415

    vars(module)["StorageContextSource"] = StorageContextSource


def _replace_notebook_name(module: types.ModuleType) -> None:
    from fairing_az_jupyter.fairing.upstream.notebook_name import get_notebook_name  # noqa: PLC0415

    vars(module)["get_notebook_name"] = get_notebook_name


def _make_payloads_last(module: types.ModuleType) -> None:
    from fairing_az_jupyter.fairing.upstream import pickling  # noqa: PLC0415

    vars(module)["cloudpickle"] = pickling.for_fairing()
    _take_predictors(module)


def _take_predictors(module: types.ModuleType) -> None:
    from fairing_az_jupyter.fairing.upstream.prediction_endpoint import taking_predictors  # noqa: PLC0415

    vars(module)["get_execution_obj_type"] = taking_predictors(module.get_execution_obj_type)


def _patch_tasks(module: types.ModuleType) -> None:
    from fairing_az_jupyter.fairing.recording.sources import taking_job  # noqa: PLC0415
    from fairing_az_jupyter.fairing.recording.tasks import keeping_words, recorded  # noqa: PLC0415
    from fairing_az_jupyter.fairing.upstream.prediction_endpoint import making_endpoint, predict_nparray, replacing  # noqa: PLC0415

    task, job, endpoint = module.BaseTask, module.TrainJob, module.PredictionEndpoint
    task.__init__ = keeping_words(task.__init__)
    job.submit = recorded("train", job.submit)
    endpoint.__init__ = taking_job(making_endpoint(endpoint.__init__))
    endpoint.predict_nparray = predict_nparray
    endpoint.create = replacing(recorded("deploy", endpoint.create))


# What is done once to one of Fairing's modules when it has been loaded. Backends are looked up by name in their module,
# so ours are put there; the others have no extension point and don't work today, or not twice alike.
_FINISH: Mapping[str, Callable[[types.ModuleType], None]] = {
    f"{ROOT}.backends": _add_backends,
    f"{ROOT}.builders.cluster.azurestorage_context": _replace_context_source,
    f"{ROOT}.notebook.notebook_util": _replace_notebook_name,
    f"{ROOT}.ml_tasks.tasks": _patch_tasks,
    f"{ROOT}.ml_tasks.utils": _take_predictors,
    f"{ROOT}.preprocessors.function": _make_payloads_last,
}
