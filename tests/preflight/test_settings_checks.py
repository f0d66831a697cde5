"""The check of the settings: what is broken, what is missing, and the command that mends it."""

from __future__ import annotations

import shlex

import pytest

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.frontends.command_line.parsing import parse
from fairing_az_jupyter.preflight.checks.settings_checks import checks
from fairing_az_jupyter.preflight.context import CheckContext
from fairing_az_jupyter.preflight.runner import run_checks
from fairing_az_jupyter.settings import Settings, sources

COMPLETE = {
    "backend": "KubeflowAzureBackend",
    "docker_registry": "contosoml.azurecr.io",
    "azure_resource_group": "contoso-ml",
    "azure_storage_account": "contosomldata",
}


def found(**values):
    resolved, errors = sources.resolve_usable(explicit={**COMPLETE, **values})
    context = CheckContext(
        resolved.settings,
        broken={error["field"]: error["message"] for error in errors},
        hints={error["field"]: error["hint"] for error in errors},
        suggestions={error["field"]: error["suggestion"] for error in errors if error["suggestion"]},
        notebook="my train.ipynb",
    )
    [result] = run_checks(checks(context))
    return result


def test_complete_settings_pass():
    assert found().status == "pass"


def test_nothing_else_is_needed_on_this_machine():
    [result] = run_checks(checks(CheckContext(Settings(backend="LocalBackend"))))

    assert result.status == "pass"


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("docker_registry", "<acr-name>.azurecr.io", "settings-invalid"),
        ("docker_registry", None, "settings-missing"),
        ("azure_storage_account", "Contoso_ML", "settings-invalid"),
        ("azure_resource_group", "", "settings-missing"),
        ("azure_region", "<region>", "settings-invalid"),
    ],
)
def test_a_broken_or_missing_setting_is_named_with_the_command_that_mends_it(field, value, code):
    result = found(**{field: value})

    assert (result.status, result.code) == ("fail", code)
    assert field.upper() in result.message
    words = shlex.split(result.fixes[0].command)
    assert words[:3] == ["fairing-azure", "fill", "my train.ipynb"]
    assert field in parse(words[1:]).settings


@pytest.mark.parametrize(("field", "flag"), [("spot", "--spot"), ("pod_token", "--pod-token")])
@pytest.mark.parametrize("value", ["maybe", "2", "<yes>"])
def test_a_switch_that_is_broken_is_told_with_both_of_its_flags(field, flag, value):
    result = found(**{field: value})
    commands = [fix.command for fix in result.fixes]

    assert (result.status, result.code) == ("fail", "settings-invalid")
    fill = f"fairing-azure fill 'my train.ipynb' {flag}"
    assert commands == [f"Set FAIRING_{field.upper()} to True or False: {fill}, or --no-{flag[2:]}."]
    parse(shlex.split(fill)[1:])


def test_a_broken_switch_stays_out_of_the_command_for_other_settings():
    result = found(spot="maybe", azure_region="<region>")

    assert result.fixes[0].command == "fairing-azure fill 'my train.ipynb' --azure-region '<azure-region>'"
    assert [fix.command for fix in result.fixes if "--spot" in fix.command] == [
        "Set FAIRING_SPOT to True or False: fairing-azure fill 'my train.ipynb' --spot, or --no-spot."
    ]


def test_a_slip_is_mended_in_the_command():
    result = found(docker_registry="https://contosoml.azurecr.io/")

    assert "--docker-registry contosoml.azurecr.io" in result.fixes[0].command


def test_a_command_that_can_suggest_nothing_would_write_nothing_wrong():
    result = found(azure_storage_account=None)
    explicit = parse(shlex.split(result.fixes[0].command)[1:]).settings

    with pytest.raises(InputError):
        sources.resolve(explicit=explicit)


def test_a_secret_in_a_setting_is_not_shown():
    secret = "DefaultEndpointsProtocol=https;AccountKey=c2VjcmV0c2VjcmV0"
    result = found(azure_storage_account=secret)

    assert result.status == "fail"
    assert "c2VjcmV0" not in str(result.to_dict())


def test_the_other_settings_stay_usable_beside_a_broken_one():
    resolved, errors = sources.resolve_usable(
        explicit={"azure_region": "<region>"},
        cell={"AZURE_REGION": "mars", "DOCKER_REGISTRY": "contosoml.azurecr.io"},
        environ={"FAIRING_BACKEND": "Nobodys"},
    )

    assert {error["field"] for error in errors} == {"azure_region", "backend"}
    assert resolved.settings.docker_registry == "contosoml.azurecr.io"
    assert resolved.settings.azure_region is None


def test_a_name_that_is_no_setting_is_told_and_left_out():
    resolved, errors = sources.resolve_usable(profile={"dokcer_registry": "x", "namespace": "team-a"})

    assert "docker_registry" in errors[0]["hint"]
    assert resolved.settings.namespace == "team-a"
