"""What can be wrong here, before anything is asked."""

from __future__ import annotations

from .fault import fault, having

FAULTS = [
    fault(
        "settings",
        "a placeholder is left",
        "a setting is still a placeholder such as `<acr-name>.azurecr.io`",
        "fairing-azure fill train.ipynb --docker-registry '<docker-registry>'",
        having(DOCKER_REGISTRY="<acr-name>.azurecr.io"),
        code="settings-invalid",
    ),
    fault(
        "settings",
        "a setting is empty",
        "a setting that the backend needs is empty",
        "fairing-azure fill train.ipynb --azure-resource-group '<azure-resource-group>'",
        having(AZURE_RESOURCE_GROUP=None),
        code="settings-missing",
    ),
    fault(
        "settings",
        "a name breaks Azure's rule",
        "a name breaks Azure's rule for names",
        "fairing-azure fill train.ipynb --azure-storage-account '<azure-storage-account>'",
        having(AZURE_STORAGE_ACCOUNT="Contoso_Data"),
    ),
    fault(
        "fairing",
        "Fairing is not installed",
        "Kubeflow Fairing is not installed here",
        "fairing-azure install-fairing",
        lambda scene: setattr(scene, "fairing", None),
    ),
    fault(
        "python",
        "the base image has another Python",
        "the base image has another Python than the notebook",
        "fairing-azure fill train.ipynb --base-image docker.io/library/python:3.11-slim",
        having(FAIRING_BASE_IMAGE="docker.io/library/python:3.9-slim"),
    ),
]
