"""The types of settings: texts and numbers, each with its rule."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from fairing_az_jupyter.settings import mlflow_rules, naming, quantities, regions, scheduling

LoginServer = Annotated[str, Field(strict=True), AfterValidator(naming.login_server)]
Region = Annotated[str, Field(strict=True), AfterValidator(regions.region)]
ResourceGroup = Annotated[str, Field(strict=True), AfterValidator(naming.resource_group)]
StorageAccount = Annotated[str, Field(strict=True), AfterValidator(naming.storage_account)]
Label = Annotated[str, Field(strict=True), AfterValidator(naming.label)]
Subdomain = Annotated[str, Field(strict=True), AfterValidator(naming.subdomain)]
Cores = Annotated[str, Field(strict=True), AfterValidator(quantities.cores), BeforeValidator(quantities.as_text)]
Memory = Annotated[str, Field(strict=True), AfterValidator(quantities.memory), BeforeValidator(quantities.as_text)]
Size = Annotated[str, Field(strict=True), AfterValidator(quantities.size), BeforeValidator(quantities.as_text)]
Count = Annotated[int, BeforeValidator(quantities.count)]
Number = Annotated[int, BeforeValidator(quantities.number)]
Switch = Annotated[bool, BeforeValidator(quantities.switch)]
NodeSelector = Annotated[str, Field(strict=True), AfterValidator(scheduling.node_selector)]
Tolerations = Annotated[str, Field(strict=True), AfterValidator(scheduling.tolerations)]
Duration = Annotated[str, Field(strict=True), AfterValidator(scheduling.duration), BeforeValidator(quantities.as_text)]
ImageReference = Annotated[str, Field(strict=True), AfterValidator(naming.image_reference)]
TrackingUri = Annotated[str, Field(strict=True), AfterValidator(mlflow_rules.tracking_uri)]
ExperimentName = Annotated[str, Field(strict=True), AfterValidator(mlflow_rules.experiment_name)]
