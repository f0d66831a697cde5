"""Each setting's own rule: what Azure, Kubernetes and OCI accept, and what a near miss is told."""

from __future__ import annotations

import pytest

from fairing_az_jupyter.settings import (
    Settings,
)
from tests.unit.setting_values import PLACEHOLDERS, refused

FIELDS = sorted(Settings.model_fields)


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("contosoml.azurecr.io", "contosoml.azurecr.io"),
        ("ContosoML.AzureCR.io", "contosoml.azurecr.io"),
        ("contosoml.azurecr.io/team", "contosoml.azurecr.io/team"),
        ("contosoml.azurecr.io/team/a_b/c-d/e__f/g.h", "contosoml.azurecr.io/team/a_b/c-d/e__f/g.h"),
        ("contosoml.azurecr.us", "contosoml.azurecr.us"),
        ("contosoml.azurecr.cn/x", "contosoml.azurecr.cn/x"),
        ("contosoml-abc123.azurecr.io", "contosoml-abc123.azurecr.io"),
        ("contosoml-fnhqacejefesgvh2.azurecr.io/team", "contosoml-fnhqacejefesgvh2.azurecr.io/team"),
        ("12345.azurecr.io", "12345.azurecr.io"),
        ("a" * 50 + ".azurecr.io", "a" * 50 + ".azurecr.io"),
        ("localhost:5000", "localhost:5000"),
        ("localhost:5000/x", "localhost:5000/x"),
        ("127.0.0.1:36789/team", "127.0.0.1:36789/team"),
        (None, None),
        ("", None),
        ("None", None),
    ],
)
def test_a_login_server_of_any_azure_cloud_is_a_docker_registry(text, accepted):
    assert Settings(docker_registry=text).docker_registry == accepted


@pytest.mark.parametrize(
    ("text", "corrected"),
    [
        ("https://contosoml.azurecr.io", "contosoml.azurecr.io"),
        ("HTTPS://ContosoML.azurecr.io/", "contosoml.azurecr.io"),
        ("docker://contosoml.azurecr.io/team", "contosoml.azurecr.io/team"),
        ("contosoml.azurecr.io/", "contosoml.azurecr.io"),
        ("contosoml.azurecr.io/team//", "contosoml.azurecr.io/team"),
        ("contosoml.azurecr.io:latest", "contosoml.azurecr.io"),
        ("contosoml.azurecr.io:443", "contosoml.azurecr.io"),
        ("contosoml.azurecr.io/app:1.0", "contosoml.azurecr.io/app"),
        ("contosoml.azurecr.io/app@sha256:" + "0" * 64, "contosoml.azurecr.io/app"),
        ("contosoml.azurecr.io/Team", "contosoml.azurecr.io/team"),
        (" contosoml.azurecr.io", "contosoml.azurecr.io"),
        ("contosoml.azurecr.io\r\n", "contosoml.azurecr.io"),
        ("'contosoml.azurecr.io'", "contosoml.azurecr.io"),
        ("contosoml", "contosoml.azurecr.io"),
        ("contosoml.azurecr.com", "contosoml.azurecr.io"),
        ("localhost:5000/x/", "localhost:5000/x"),
    ],
)
def test_a_registry_that_is_nearly_right_is_refused_with_the_mended_one(text, corrected):
    error = refused(docker_registry=text)
    assert "DOCKER_REGISTRY (docker_registry)" in error.message
    assert error.hint == f"Write DOCKER_REGISTRY = {corrected!r}."
    assert error.errors[0]["suggestion"] == corrected
    assert Settings(docker_registry=corrected).docker_registry == corrected


@pytest.mark.parametrize(
    "text",
    [
        "abcd.azurecr.io",
        "a" * 51 + ".azurecr.io",
        "conto_so.azurecr.io",
        "-contoso.azurecr.io",
        "contoso-.azurecr.io",
        "contoso..azurecr.io",
        "ghcr.io/team",
        "docker.io",
        "registry.hub.docker.com/library",
        "azurecr.io",
        ".azurecr.io",
        "contoso.azurecr.io.evil.example",
        "contoso.azurecr.io/../x",
        "contoso.azurecr.io//x",
        "contoso.azurecr.io/team name",
        "contoso.azurecr.io\x00",
        "c\u043entoso.azurecr.io",
        "contos\u200bo.azurecr.io",
        "localhost:0",
        "localhost:65536",
        "localhost:99999999999999999999",
        "10.0.0.1:5000",
        "contoso.azurecr.io/" + "a" * 300,
        "\ud800",
    ],
)
def test_what_is_no_azure_registry_is_refused_with_an_example(text):
    error = refused(docker_registry=text)
    assert error.message.startswith("DOCKER_REGISTRY (docker_registry) = ")
    assert ".azurecr.io'" in error.hint


@pytest.mark.parametrize("text", PLACEHOLDERS)
@pytest.mark.parametrize("field", ["docker_registry", "azure_resource_group", "azure_storage_account", "azure_region"])
def test_placeholders_are_no_values_of_any_setting(field, text):
    error = refused(**{field: text})
    assert "is a placeholder" in error.message
    assert error.errors[0]["field"] == field
    assert error.hint


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("namespace", "todo-app"),
        ("azure_resource_group", "contoso-todo"),
        ("azure_resource_group", "our.group"),
        ("azure_storage_account", "xxcontoso"),
        ("azure_storage_account", "nonesuch"),
        ("base_image", "contosoml.azurecr.io/todo-list:v1"),
        ("docker_registry", "myregistry.azurecr.io"),
        ("namespace", "account-services"),
    ],
)
def test_names_that_only_contain_a_placeholders_word_are_names(field, text):
    assert getattr(Settings(**{field: text}), field) == text


@pytest.mark.parametrize(
    "text",
    [
        "northeurope",
        "NorthEurope",
        "North Europe",
        "NORTHEUROPE",
        "eastus2",
        "East US 2",
        "USGov Virginia",
        "chinanorth3",
    ],
)
def test_a_region_keeps_the_users_own_spelling(text):
    assert Settings(azure_region=text).azure_region == text


@pytest.mark.parametrize("text", [None, "", "None", " None "])
def test_no_region_can_be_written_in_four_ways(text):
    assert Settings(azure_region=text).azure_region is None


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("norteurope", "northeurope"),
        ("North Eurpoe", "northeurope"),
        ("north-europe", "northeurope"),
        ("north_europe", "northeurope"),
        ("europenorth", "northeurope"),
        ("useast2", "eastus2"),
        ("(Europe) North Europe", "northeurope"),
        ("westeurop", "westeurope"),
        ("easstus", "eastus"),
        ("usgovvirgina", "usgovvirginia"),
        ("'northeurope'", "northeurope"),
        ("northeurope\r", "northeurope"),
    ],
)
def test_a_misspelt_region_is_refused_with_the_one_that_was_meant(text, meant):
    error = refused(azure_region=text)
    assert error.hint == f"Write AZURE_REGION = {meant!r}."


@pytest.mark.parametrize("text", ["eastus4", "canadawest", "northeurope2", "icelandcentral", "Iceland Central"])
def test_a_region_that_azure_may_open_tomorrow_is_accepted(text):
    assert Settings(azure_region=text).azure_region == text


def test_a_place_without_a_point_of_the_compass_is_answered_with_the_regions_there():
    assert "northeurope, westeurope" in refused(azure_region="Europe").message


@pytest.mark.parametrize("text", ["none", "null", "North  Europe", "north/europe", "\u00e9urope", "a" * 1000, "1"])
def test_what_has_not_the_form_of_a_region_is_refused(text):
    assert "AZURE_REGION" in refused(azure_region=text).message


@pytest.mark.parametrize("text", ["rg", "RG_1-a.(b)", "a" * 90, "gr\u00fcppe", "\u8cc7\u6e90", "_", "(x)", ".x"])
def test_azures_rule_for_resource_groups_lets_them_pass(text):
    assert Settings(azure_resource_group=text).azure_resource_group == text


@pytest.mark.parametrize(
    ("text", "corrected"),
    [
        ("rg.", "rg"),
        (" rg ", "rg"),
        ('"rg"', "rg"),
        ("/subscriptions/0000/resourceGroups/contoso-ml/providers/x", "contoso-ml"),
    ],
)
def test_a_resource_group_that_is_nearly_right_is_refused_with_the_mended_one(text, corrected):
    assert refused(azure_resource_group=text).hint == f"Write AZURE_RESOURCE_GROUP = {corrected!r}."


@pytest.mark.parametrize("text", ["a" * 91, "a/b", "a b", "a\nb", "a,b", "\U0001f600", "..", "a\x00"])
def test_what_azure_refuses_as_a_resource_group_is_refused(text):
    assert "AZURE_RESOURCE_GROUP (azure_resource_group)" in refused(azure_resource_group=text).message


@pytest.mark.parametrize(
    ("text", "corrected"),
    [
        ("ContosoData", "contosodata"),
        ("https://contosodata.blob.core.windows.net/", "contosodata"),
        ("contosodata.blob.core.usgovcloudapi.net", "contosodata"),
        ("contosodata\n", "contosodata"),
    ],
)
def test_a_storage_account_that_is_nearly_right_is_refused_with_the_mended_one(text, corrected):
    assert refused(azure_storage_account=text).hint == f"Write AZURE_STORAGE_ACCOUNT = {corrected!r}."


@pytest.mark.parametrize("text", ["ab", "a" * 25, "contoso-data", "contoso_data", "cont\u00f6so", "contoso\u0663"])
def test_what_azure_refuses_as_a_storage_account_is_refused(text):
    assert "3 to 24 lower-case letters and digits" in refused(azure_storage_account=text).message


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("namespace", "a" * 63, "a" * 64),
        ("namespace", "kubeflow-anonymous", "kubeflow.anonymous"),
        ("namespace", "0", "-a"),
        ("namespace", "a--b", "a-"),
        ("service_account", "a" * 253, "a" * 254),
        ("service_account", "a.b", "a..b"),
        ("azure_secret_name", "azcreds.v2", "azcreds_v2"),
        ("registry_secret_name", "acrcreds", "acrcreds\n"),
    ],
)
def test_kubernetes_names_follow_rfc_1123(field, good, bad):
    assert getattr(Settings(**{field: good}), field) == good
    assert refused(**{field: bad}).errors[0]["field"] == field


@pytest.mark.parametrize(
    "text",
    [
        "python",
        "python:3.11-slim",
        "library/python@sha256:" + "0" * 64,
        "docker.io/library/python:3.11",
        "localhost:5000/a/b_c:Tag.1@sha256:" + "a" * 64,
        "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04",
    ],
)
def test_image_references_of_any_registry_are_base_images(text):
    assert Settings(base_image=text).base_image == text


@pytest.mark.parametrize(
    "text",
    [
        "Python:3.11",
        "https://ghcr.io/a/b",
        "a//b",
        "/a",
        "a/",
        "python:",
        "python:a b",
        "python@sha256:xyz",
        "a" * 256,
        "-a",
    ],
)
def test_what_is_no_image_reference_is_refused(text):
    assert "FAIRING_BASE_IMAGE (base_image)" in refused(base_image=text).message
