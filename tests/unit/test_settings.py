"""The settings: what is accepted, what is refused and how that is told."""

from __future__ import annotations

import contextlib
import json
import pickle
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from fairing_az_jupyter.exceptions import SettingsError
from fairing_az_jupyter.settings import (
    Settings,
    cell_fields,
    check_launch,
    check_values,
    declarations,
    field_for,
    from_notebook,
    may_be_empty,
    missing_for_launch,
    naming,
    notebook_names,
    to_notebook,
)
from fairing_az_jupyter.settings.errors import InvalidSettingsError
from fairing_az_jupyter.settings.page import reference_page
from tests.unit.setting_values import SECRETS, STORAGE_KEY, refused

FIELDS = sorted(Settings.model_fields)


def test_settings_without_any_value_work_on_this_machine():
    settings = Settings()
    assert settings.backend == "LocalBackend"
    assert settings.docker_registry is None
    assert settings.service_account == "default-editor"
    assert (settings.azure_secret_name, settings.registry_secret_name) == ("azcreds", "acrcreds")
    assert settings.service_type == "ClusterIP"
    assert settings.builder_image == "ghcr.io/osscontainertools/kaniko:v1.28.3"


def test_settings_do_not_change_once_made():
    settings = Settings()
    with pytest.raises(ValidationError):
        settings.backend = "KubeflowAzureBackend"
    assert hash(settings) == hash(Settings())


def test_a_choice_in_the_wrong_case_is_refused_with_the_right_one():
    assert refused(backend="localbackend").hint == "Write FAIRING_BACKEND = 'LocalBackend'."
    assert refused(service_type="clusterip").hint == "Write FAIRING_SERVICE_TYPE = 'ClusterIP'."


def test_a_choice_that_is_none_is_answered_with_all_of_them():
    assert "layered, kaniko, acr-tasks" in refused(builder="docker").message


@pytest.mark.parametrize("value", [5, 1.5, True, b"contosoml.azurecr.io", ["a"], {"a": "b"}, object(), Path("x")])
def test_what_is_not_text_is_refused_without_being_taken_for_it(value):
    error = refused(docker_registry=value)
    assert "is not text" in error.message
    assert "DOCKER_REGISTRY = 'contosoml.azurecr.io'" in error.hint


def test_all_that_is_wrong_is_told_at_once_and_each_for_its_own():
    error = refused(docker_registry="<acr>", azure_storage_account="A B", backend="x", namespace="ok")
    assert [each["field"] for each in error.errors] == ["backend", "docker_registry", "azure_storage_account"]
    assert all(each["message"] and each["hint"] for each in error.errors)
    assert error.message.startswith("3 settings can't be used: ")
    for each in error.errors:
        assert each["name"] in error.message
        assert each["message"] in str(error)


def test_the_same_error_comes_from_every_way_of_making_settings():
    for make in (
        lambda: Settings(backend="x"),
        lambda: Settings.model_validate({"backend": "x"}),
        lambda: Settings.model_validate_json('{"backend": "x"}'),
        lambda: check_values({"backend": "x"}),
    ):
        with pytest.raises(SettingsError) as raised:
            make()
        assert (raised.value.code, raised.value.exit_code) == ("settings", 3)


@pytest.mark.parametrize("data", [None, 5, "text", ["backend"]])
def test_what_is_no_mapping_is_refused_as_such(data):
    with pytest.raises(InvalidSettingsError, match="mapping of names to values"):
        Settings.model_validate(data)


def test_an_unknown_setting_is_refused_with_the_one_that_was_meant():
    assert refused(docker_regsitry="contosoml.azurecr.io").hint == "Did you mean 'docker_registry'?"
    assert "Use 'docker_registry' here" in refused(DOCKER_REGISTRY="contosoml.azurecr.io").hint
    assert "Settings: backend, docker_registry" in refused(zebra="x").hint


@pytest.mark.parametrize("text", SECRETS)
@pytest.mark.parametrize("field", FIELDS)
def test_a_secret_in_a_setting_is_refused_and_shown_nowhere(field, text):
    with pytest.raises(InvalidSettingsError) as raised:
        Settings(**{field: text})
    error = raised.value
    told = "".join(traceback.format_exception(error)) + repr(error) + json.dumps(error.errors) + repr(error.to_dict())
    assert "looks like a secret" in error.message
    assert text not in told
    assert not any(part in told for part in ("hunter2", STORAGE_KEY[:20], "Zm9vYmFy", "c2lnbmF0", "abc8Q~", "MIIEvQ"))
    assert error.__context__ is None


@pytest.mark.parametrize("name", ["AZ_CLIENT_SECRET", "password", "storage_account_key", "sas", "connection_string"])
def test_a_secret_under_its_own_name_is_refused_and_not_shown(name):
    error = refused(**{name: "hunter2hunter2"})
    assert "hunter2" not in str(error) + json.dumps(error.errors)
    assert error.hint


def test_a_secret_as_a_name_is_not_shown():
    error = refused(**{STORAGE_KEY: "x"})
    assert STORAGE_KEY not in str(error) + json.dumps(error.errors)


@hypothesis_settings(deadline=None)
@given(field=st.sampled_from(FIELDS), text=st.text() | st.from_regex(r"[a-z0-9A-Z.:/@_ -]{1,40}"))
def test_any_text_is_either_accepted_or_refused_with_a_cure(field, text):
    try:
        value = getattr(Settings(**{field: text}), field)
    except InvalidSettingsError as error:
        assert error.hint  # noqa: PT017 - either outcome is good
        assert [each["field"] for each in error.errors] == [field]  # noqa: PT017
        suggestion = error.errors[0]["suggestion"]
        if suggestion:
            assert getattr(Settings(**{field: suggestion}), field) == suggestion
    else:
        assert getattr(Settings(**{field: value}), field) == value


@hypothesis_settings(deadline=None)
@given(st.dictionaries(st.text(), st.none() | st.integers() | st.text() | st.lists(st.text()), max_size=4))
def test_any_mapping_is_either_accepted_or_refused_with_settings_error(values):
    try:
        Settings.model_validate(values)
    except InvalidSettingsError as error:
        assert json.loads(json.dumps(error.errors)) == list(error.errors)  # noqa: PT017 - either outcome is good


@hypothesis_settings(deadline=None)
@given(st.text(min_size=1, max_size=40), st.sampled_from(["https://{}", "{}/", " {}", "{}:latest", "{}\r\n", "'{}'"]))
def test_mending_never_makes_a_name_that_is_refused_again(text, form):
    for rule in (naming.login_server, naming.image_reference, naming.storage_account, naming.resource_group):
        with contextlib.suppress(naming.BrokenRuleError):
            rule(form.format(text))
            continue
        with pytest.raises(naming.BrokenRuleError) as raised:
            rule(form.format(text))
        if raised.value.corrected:
            assert rule(raised.value.corrected)


def test_long_hostile_text_is_judged_at_once():
    for field in FIELDS:
        for text in ("a" * 200_000, "a-" * 100_000, "a." * 100_000, "a/" * 100_000, "-" * 200_000, "eyJ" * 70_000):
            error = refused(**{field: text})
            assert len(error.message) < 1000


def test_the_error_survives_the_way_back_from_a_worker_process():
    error = refused(backend="x", namespace="A_B")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - made in the line itself
    assert (copy.errors, copy.message, copy.hint) == (error.errors, error.message, error.hint)


def test_values_can_be_checked_some_at_a_time():
    assert check_values({"docker_registry": "ContosoML.azurecr.io", "azure_region": ""}) == {
        "docker_registry": "contosoml.azurecr.io",
        "azure_region": None,
    }
    assert check_values({}) == {}


def test_launching_in_the_cluster_needs_three_settings_and_locally_none():
    needed = ("docker_registry", "azure_resource_group", "azure_storage_account")
    assert missing_for_launch(Settings(backend="KubeflowAzureBackend")) == needed
    assert missing_for_launch(Settings(backend="KubeflowAzureBackend", azure_resource_group="rg")) == needed[::2]
    assert missing_for_launch(Settings()) == ()
    check_launch(Settings())


def test_a_launch_with_missing_settings_names_each_with_an_example():
    with pytest.raises(InvalidSettingsError) as raised:
        check_launch(Settings(backend="KubeflowAzureBackend", docker_registry="contosoml.azurecr.io"))
    assert [error["name"] for error in raised.value.errors] == ["AZURE_RESOURCE_GROUP", "AZURE_STORAGE_ACCOUNT"]
    assert "AZURE_STORAGE_ACCOUNT = 'contosomldata'" in raised.value.hint


def test_the_five_names_of_the_documented_workflow_are_in_every_cell():
    names = notebook_names()
    assert [names[field] for field in cell_fields()] == [
        "FAIRING_BACKEND",
        "DOCKER_REGISTRY",
        "AZURE_REGION",
        "AZURE_RESOURCE_GROUP",
        "AZURE_STORAGE_ACCOUNT",
    ]


def test_every_setting_declares_all_that_forms_flags_and_the_page_need():
    schema = json.loads(json.dumps(Settings.model_json_schema()))
    for field, declared in schema["properties"].items():
        for key in (
            "title",
            "description",
            "examples",
            "default",
            "notebook_name",
            "cell",
            "group",
            "rule",
            "needed_on",
        ):
            assert key in declared, (field, key)
        assert declared["rule"], field
        assert declared["notebook_name"].isupper()
        assert declared["notebook_name"].isidentifier()
        assert ("enum" in declared) or declared["rule_source"].startswith("https://")


def test_no_two_settings_share_a_name():
    names = notebook_names()
    assert len(set(names.values())) == len(names)


def test_every_example_and_default_keeps_its_own_rule():
    for field, declared in declarations().items():
        for value in (*declared["examples"], declared["default"]):
            assert check_values({field: value}) == {field: value}


def test_values_go_to_the_notebook_and_back():
    values = {"docker_registry": "contosoml.azurecr.io", "azure_region": None}
    assert to_notebook(values) == {"DOCKER_REGISTRY": "contosoml.azurecr.io", "AZURE_REGION": None}
    assert from_notebook({**to_notebook(values), "n_estimators": 100, "namespace": "mine"}) == values
    assert from_notebook(to_notebook(Settings())) == Settings().model_dump()


def test_a_field_is_found_by_either_of_its_names():
    assert field_for("DOCKER_REGISTRY") == field_for("docker_registry") == "docker_registry"
    with pytest.raises(InvalidSettingsError, match="not a setting"):
        field_for("Docker_Registry")


class OneMore(Settings):
    """The settings with one more."""

    workers: int = Field(2, title="Workers", description="How many processes train.", examples=[4])
    note: str | None = None


def test_one_new_field_shows_up_in_everything_that_is_derived():
    schema = OneMore.model_json_schema()["properties"]["workers"]
    assert schema["notebook_name"] == notebook_names(OneMore)["workers"] == "FAIRING_WORKERS"
    assert (schema["type"], schema["cell"]) == ("integer", "where-present")
    assert field_for("FAIRING_WORKERS", OneMore) == "workers"
    assert to_notebook(OneMore(workers=3))["FAIRING_WORKERS"] == 3
    assert from_notebook({"FAIRING_WORKERS": 4}, OneMore) == {"workers": 4}
    page = reference_page(OneMore)
    assert "### workers" in page
    assert "How many processes train." in page
    assert "`FAIRING_WORKERS = 4`" in page
    assert "workers" not in notebook_names()


def test_a_new_field_has_the_general_rules_without_asking_for_them():
    assert may_be_empty("note", OneMore)
    assert OneMore(note="", workers="3").model_dump(include={"note", "workers"}) == {"note": None, "workers": 3}
    with pytest.raises(InvalidSettingsError, match="placeholder"):
        OneMore(note="<note>")
    with pytest.raises(InvalidSettingsError) as raised:
        OneMore(workers=f"sig={STORAGE_KEY}")
    assert STORAGE_KEY not in str(raised.value)


def test_the_committed_page_is_the_one_that_the_declaration_gives():
    page = Path(__file__).parents[2] / "docs" / "settings.md"
    command = "python -m fairing_az_jupyter.settings.page > docs/settings.md"
    assert page.read_text(encoding="utf-8") == reference_page(), f"write it again: {command}"


def test_the_page_names_every_setting_both_ways():
    page = reference_page()
    for field, name in notebook_names().items():
        assert f"### {field}\n" in page
        assert f"`{name}`" in page


def test_importing_the_settings_loads_nothing_heavy():
    code = (
        "import sys\n"
        "from fairing_az_jupyter.settings import profiles, sources\n"
        "heavy = {'tomlkit', 'jupyter_core', 'IPython', 'azure', 'kubernetes', 'kubeflow', 'nbformat', 'requests'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
