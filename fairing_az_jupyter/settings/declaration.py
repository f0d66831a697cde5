"""The one declaration of every setting: its type, rule, help, and name in the notebook.

Forms, flags, notebook names, REST validation and the reference page are derived from `Settings.model_json_schema()`.
Each property there has, beside what pydantic writes (title, description, default, examples, enum):

notebook_name   the variable in the notebook's parameters cell, and in the environment
cell            "always": one of those that every parameters cell has; "where-present": set only where the cell has it
group           the heading that it stands under in forms and on the page
rule            the rule in words, and `rule_source`, the document that it comes from ("" where it is our own)
needed_on       the backends on which nothing can be launched without it

Secret values are never settings: what looks like one is rejected and not shown.
"""

from __future__ import annotations

import functools
from types import MappingProxyType, NoneType
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from fairing_az_jupyter.settings import field_types, mlflow_rules, naming, quantities, regions, scheduling
from fairing_az_jupyter.settings.errors import InvalidSettingsError, explain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["InvalidSettingsError", "Settings", "declarations", "may_be_empty"]

_NONE = ("", "None")
_PARALLELISM = "https://kubernetes.io/docs/concepts/workloads/controllers/job/#controlling-parallelism"
_JOBS = "https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-backoff-failure-policy"
_POD_SECURITY = "https://kubernetes.io/docs/concepts/security/pod-security-standards/"
_GPUS = "https://learn.microsoft.com/azure/aks/use-nvidia-gpu"
_SPOT_POOLS = "https://learn.microsoft.com/azure/aks/spot-node-pool"
_TOKENS = (
    "https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/"
    "#opt-out-of-api-credential-automounting"
)


def _complete(schema: dict[str, Any], _model: type[Any]) -> None:
    """Give a setting that declares only its type and help all that the front ends read."""
    for field, declared in schema.get("properties", {}).items():
        for key, value in {
            "notebook_name": f"FAIRING_{field.upper()}",
            "cell": "where-present",
            "group": "Other",
            "rule": "",
            "rule_source": "",
            "needed_on": [],
        }.items():
            declared.setdefault(key, value)


class Settings(BaseModel):
    """What a notebook needs to know to train and serve a model: no secrets, only names and choices.

    Every way of making one (arguments, `model_validate`) raises `InvalidSettingsError` with all that is wrong at once.
    "" and "None" mean None where a setting may be empty.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, title="Settings", json_schema_extra=_complete
    )

    backend: Literal["LocalBackend", "KubeflowAzureBackend"] = Field(
        "LocalBackend",
        title="Backend",
        description="Where training and endpoints run: as processes on this machine, or on Kubeflow on AKS.",
        examples=["KubeflowAzureBackend"],
        json_schema_extra={
            "notebook_name": "FAIRING_BACKEND",
            "cell": "always",
            "group": "Backend",
            "rule": "One of the two names.",
        },
    )
    docker_registry: field_types.LoginServer | None = Field(
        None,
        title="Container registry",
        description="The Azure Container Registry that images are pushed to: its login server, with an optional path.",
        examples=["contosoml.azurecr.io"],
        json_schema_extra={
            "notebook_name": "DOCKER_REGISTRY",
            "cell": "always",
            "group": "Azure",
            "rule": (
                "A registry's login server in any Azure cloud (5 to 50 letters and digits, then azurecr.io, azurecr.us "
                "or azurecr.cn), with an optional path in lower case; no scheme, tag or digest. Or a loopback host."
            ),
            "rule_source": naming.AZURE_NAMES,
            "needed_on": ["KubeflowAzureBackend"],
        },
    )
    azure_region: field_types.Region | None = Field(
        None,
        title="Azure region",
        description="Leave empty if the storage account exists; otherwise the region to create it in.",
        examples=["northeurope"],
        json_schema_extra={
            "notebook_name": "AZURE_REGION",
            "cell": "always",
            "group": "Azure",
            "rule": "None, or an Azure region in either spelling: northeurope, NorthEurope, North Europe.",
            "rule_source": regions.AZURE_REGIONS,
        },
    )
    azure_resource_group: field_types.ResourceGroup | None = Field(
        None,
        title="Resource group",
        description="The Azure resource group of the storage account.",
        examples=["contoso-ml"],
        json_schema_extra={
            "notebook_name": "AZURE_RESOURCE_GROUP",
            "cell": "always",
            "group": "Azure",
            "rule": "1 to 90 letters, digits and _ - . ( ), with no period at the end.",
            "rule_source": naming.AZURE_NAMES,
            "needed_on": ["KubeflowAzureBackend"],
        },
    )
    azure_storage_account: field_types.StorageAccount | None = Field(
        None,
        title="Storage account",
        description="The Azure storage account that build contexts are stored in.",
        examples=["contosomldata"],
        json_schema_extra={
            "notebook_name": "AZURE_STORAGE_ACCOUNT",
            "cell": "always",
            "group": "Azure",
            "rule": "3 to 24 lower-case letters and digits.",
            "rule_source": naming.AZURE_NAMES,
            "needed_on": ["KubeflowAzureBackend"],
        },
    )
    azure_cloud: Literal["AzurePublicCloud", "AzureUSGovernment", "AzureChinaCloud"] = Field(
        "AzurePublicCloud",
        title="Azure cloud",
        description="The Azure cloud that the subscription is in.",
        examples=["AzureUSGovernment"],
        json_schema_extra={"group": "Azure", "rule": "One of the three names."},
    )
    credential: Literal["auto", "secret", "workload-identity", "environment", "azure-cli"] = Field(
        "auto",
        title="Azure credential",
        description=(
            "How to sign in to Azure: with the Secret in the cluster, workload identity, AZURE_* variables, or the "
            "Azure CLI's login; auto uses the first that is available."
        ),
        examples=["workload-identity"],
        json_schema_extra={"group": "Azure", "rule": "One of the five names."},
    )
    namespace: field_types.Label | None = Field(
        None,
        title="Namespace",
        description="The Kubernetes namespace to work in. Leave empty for the notebook server's own namespace.",
        examples=["team-a"],
        json_schema_extra={
            "group": "Cluster",
            "rule": "1 to 63 lower-case letters, digits and hyphens, a letter or digit at both ends.",
            "rule_source": naming.KUBERNETES_NAMES,
        },
    )
    service_account: field_types.Subdomain = Field(
        "default-editor",
        title="Service account",
        description="The ServiceAccount that training, build and endpoint pods run as.",
        examples=["default-editor"],
        json_schema_extra={
            "group": "Cluster",
            "rule": "A DNS subdomain: lower-case letters, digits, hyphens and periods; at most 253 characters.",
            "rule_source": naming.KUBERNETES_NAMES,
        },
    )
    azure_secret_name: field_types.Subdomain = Field(
        "azcreds",
        title="Azure Secret",
        description="The name of the Secret with the service principal (AZ_CLIENT_ID and so on); never its contents.",
        examples=["azcreds"],
        json_schema_extra={
            "group": "Cluster",
            "rule": "A DNS subdomain: lower-case letters, digits, hyphens and periods; at most 253 characters.",
            "rule_source": naming.KUBERNETES_NAMES,
        },
    )
    registry_secret_name: field_types.Subdomain = Field(
        "acrcreds",
        title="Registry Secret",
        description="The name of the Secret with the registry's login, for pushing and pulling; never its contents.",
        examples=["acrcreds"],
        json_schema_extra={
            "group": "Cluster",
            "rule": "A DNS subdomain: lower-case letters, digits, hyphens and periods; at most 253 characters.",
            "rule_source": naming.KUBERNETES_NAMES,
        },
    )
    service_type: Literal["ClusterIP", "LoadBalancer"] = Field(
        "ClusterIP",
        title="Endpoint's service type",
        description="ClusterIP: reached inside the cluster. LoadBalancer: a public address without authentication.",
        examples=["ClusterIP"],
        json_schema_extra={"group": "Cluster", "rule": "One of the two names."},
    )
    endpoint_kind: Literal["deployment", "inference-service"] = Field(
        "deployment",
        title="Endpoint's kind",
        description="What an endpoint is in the cluster: a Deployment with a Service, or KServe's InferenceService.",
        examples=["inference-service"],
        json_schema_extra={"group": "Cluster", "rule": "One of the two names."},
    )
    cpu: field_types.Cores = Field(
        "1",
        title="Processor cores",
        description="How many processor cores a training job requests; its pod needs a node with that many free.",
        examples=["2"],
        json_schema_extra={
            "group": "Cluster",
            "rule": "A Kubernetes quantity of cores: 2, 0.5 or 500m.",
            "rule_source": quantities.QUANTITIES,
        },
    )
    cpu_limit: field_types.Cores | None = Field(
        None,
        title="Processor limit",
        description=(
            "The most processor cores a pod may use. Leave empty for no limit. Required if the cluster demands limits."
        ),
        examples=["4"],
        json_schema_extra={
            "group": "Cluster",
            "rule": "A Kubernetes quantity of cores, at least the requested amount: 2, 0.5 or 500m.",
            "rule_source": quantities.QUANTITIES,
        },
    )
    memory: field_types.Memory = Field(
        "2Gi",
        title="Memory",
        description="How much memory a training job requests; its pod needs a node with that much free.",
        examples=["8Gi"],
        json_schema_extra={
            "group": "Cluster",
            "rule": "A Kubernetes quantity of bytes: 2Gi, 512Mi, 4G.",
            "rule_source": quantities.QUANTITIES,
        },
    )
    build_cpu: field_types.Cores = Field(
        "1",
        title="Processor cores of a build",
        description="How many processor cores a build in the cluster requests.",
        examples=["2"],
        json_schema_extra={
            "group": "Cluster",
            "rule": "A Kubernetes quantity of cores: 2, 0.5 or 500m.",
            "rule_source": quantities.QUANTITIES,
        },
    )
    build_memory: field_types.Memory = Field(
        "4Gi",
        title="Memory of a build",
        description="How much memory a build in the cluster gets; installing large packages takes some.",
        examples=["8Gi"],
        json_schema_extra={
            "group": "Cluster",
            "rule": "A Kubernetes quantity of bytes: 2Gi, 512Mi, 4G.",
            "rule_source": quantities.QUANTITIES,
        },
    )
    parallelism: field_types.Count = Field(
        4,
        title="Runs at once",
        description="The most runs of a sweep that the cluster executes at once.",
        examples=[8],
        json_schema_extra={
            "group": "Cluster",
            "rule": "A whole number, at least 1.",
            "rule_source": _PARALLELISM,
        },
    )
    gpus: field_types.Number = Field(
        0,
        title="GPUs",
        description=(
            "How many NVIDIA GPUs a training job and an endpoint get; AKS's taint sku=gpu:NoSchedule is tolerated."
        ),
        examples=[1],
        json_schema_extra={"group": "Scheduling", "rule": "A whole number, at least 0.", "rule_source": _GPUS},
    )
    node_selector: field_types.NodeSelector | None = Field(
        None,
        title="Node selector",
        description="Labels that a node must have for pods to run on it. Leave empty for any node.",
        examples=["agentpool=gpupool"],
        json_schema_extra={
            "group": "Scheduling",
            "rule": "KEY=VALUE pairs with commas between them.",
            "rule_source": scheduling.LABELS,
        },
    )
    tolerations: field_types.Tolerations | None = Field(
        None,
        title="Tolerations",
        description="Node taints that pods tolerate. Leave empty for none.",
        examples=["dedicated=ml:NoSchedule"],
        json_schema_extra={
            "group": "Scheduling",
            "rule": "Taints as kubectl writes them, KEY[=VALUE][:EFFECT], with commas between them.",
            "rule_source": scheduling.TAINTS,
        },
    )
    spot: field_types.Switch = Field(
        default=False,
        title="Spot nodes",
        description=(
            "Whether trainings, builds and notebooks may run on AKS spot nodes, which Azure can reclaim at any time."
        ),
        examples=[True],
        json_schema_extra={"group": "Scheduling", "rule": "true or false.", "rule_source": _SPOT_POOLS},
    )
    node_wait: field_types.Duration = Field(
        "30m",
        title="Wait for a node",
        description="How long a launch waits for a node for its pod; 0 to fail at once.",
        examples=["1h"],
        json_schema_extra={
            "group": "Scheduling",
            "rule": "A duration of at most a week: 30m, 1h30m, 90s or 0; a number without a unit is seconds.",
            "rule_source": scheduling.DURATIONS,
        },
    )
    retries: field_types.Number = Field(
        0,
        title="Retries",
        description=(
            "How often a training job is started again after its program has failed; pods that the cluster takes away "
            "are always replaced."
        ),
        examples=[2],
        json_schema_extra={"group": "Scheduling", "rule": "A whole number, at least 0.", "rule_source": _JOBS},
    )
    pod_security: Literal["baseline", "restricted"] = Field(
        "baseline",
        title="Pod security",
        description=(
            "The Pod Security Standard that pods keep to. restricted: no root, no added rights, read-only root file "
            "system."
        ),
        examples=["restricted"],
        json_schema_extra={"group": "Security", "rule": "One of the two names.", "rule_source": _POD_SECURITY},
    )
    pod_token: field_types.Switch = Field(
        default=False,
        title="Token in training pods",
        description="Whether a training job gets its service account's token, to talk to the Kubernetes API.",
        examples=[True],
        json_schema_extra={"group": "Security", "rule": "true or false.", "rule_source": _TOKENS},
    )
    base_image: field_types.ImageReference | None = Field(
        None,
        title="Base image",
        description="The base image. Leave empty for Docker Hub's python with the notebook's Python version.",
        examples=["docker.io/library/python:3.11-slim"],
        json_schema_extra={
            "group": "Images",
            "rule": "A reference to an image: [host[:port]/]repository[:tag][@digest].",
            "rule_source": naming.IMAGE_NAMES,
        },
    )
    builder: Literal["layered", "kaniko", "acr-tasks"] = Field(
        "layered",
        title="Builder",
        description=(
            "layered: dependencies once in the cluster, then code as a layer in seconds. kaniko: the whole image in "
            "the cluster. acr-tasks: Azure builds it."
        ),
        examples=["kaniko"],
        json_schema_extra={"group": "Images", "rule": "One of the three names."},
    )
    builder_image: field_types.ImageReference = Field(
        "ghcr.io/osscontainertools/kaniko:v1.28.3",
        title="Builder's image",
        description="The image of Kaniko that builds run in.",
        examples=["ghcr.io/osscontainertools/kaniko:v1.28.3"],
        json_schema_extra={
            "group": "Images",
            "rule": "A reference to an image: [host[:port]/]repository[:tag][@digest].",
            "rule_source": naming.IMAGE_NAMES,
        },
    )
    outputs_limit: field_types.Size = Field(
        "5Gi",
        title="Limit of outputs",
        description="How many bytes are kept of the files that a job, or a notebook in the cluster, writes.",
        examples=["20Gi"],
        json_schema_extra={
            "group": "Outputs",
            "rule": "A Kubernetes quantity of bytes, at least 1: 5Gi, 500Mi, 4G.",
            "rule_source": quantities.QUANTITIES,
        },
    )

    mlflow_tracking_uri: field_types.TrackingUri | None = Field(
        None,
        title="MLflow server",
        description="The MLflow tracking server that launches are reported to. Leave empty for none.",
        examples=["https://mlflow.contoso.com"],
        json_schema_extra={
            "notebook_name": "MLFLOW_TRACKING_URI",
            "group": "Tracking",
            "rule": (
                "A URL that MLflow knows (https, http, azureml, databricks, file or sqlite) without user, password and "
                "query, or a folder. What it needs to log in stays in the environment."
            ),
            "rule_source": mlflow_rules.TRACKING,
        },
    )
    mlflow_experiment: field_types.ExperimentName | None = Field(
        None,
        title="MLflow experiment",
        description="The experiment on the MLflow server. Leave empty for fairing-az-jupyter.",
        examples=["house-prices"],
        json_schema_extra={
            "notebook_name": "MLFLOW_EXPERIMENT_NAME",
            "group": "Tracking",
            "rule": "1 to 500 printable characters.",
            "rule_source": mlflow_rules.TRACKING,
        },
    )

    @field_validator("*", mode="before")
    @classmethod
    def _reject_non_values(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, str):
            return value
        if len(value) > naming.LONGEST_TEXT:
            raise naming.BrokenRuleError("is too long for a name")
        if naming.looks_secret(value):
            raise naming.BrokenRuleError("holds what looks like a secret")
        if value.strip() in _NONE and info.field_name and may_be_empty(info.field_name, cls):
            return None
        if naming.looks_placeholder(value):
            raise naming.BrokenRuleError("is a placeholder, not a value")
        return value

    @model_validator(mode="wrap")
    @classmethod
    def _report_all_problems(cls, data: object, handler: Callable[[object], Settings]) -> Settings:
        try:
            return handler(data)
        except ValidationError as rejected:
            details = rejected.errors(include_url=False)
        # Raised out here so that no traceback leads back to pydantic's error, which holds the rejected values.
        raise InvalidSettingsError(explain(details, declarations(cls)))


@functools.cache
def declarations(model: type[Settings] = Settings) -> Mapping[str, dict[str, Any]]:
    """Return what is declared of each setting, from which everything else is derived.

    Args:
        model: The settings' model.

    Returns:
        The properties of the model's JSON schema by field, in the order of their declaration; not to be changed.

    """
    return MappingProxyType(model.model_json_schema()["properties"])


def may_be_empty(field: str, model: type[Settings] = Settings) -> bool:
    """Say whether None is a value of a setting.

    Args:
        field: The setting.
        model: The settings' model.

    Returns:
        True if it may be None; False if it always has a value.

    """
    return NoneType in get_args(model.model_fields[field].annotation)
