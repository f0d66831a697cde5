"""Where settings come from: precedence, explanation, and errors that name the source."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fairing_az_jupyter.settings import InvalidSettingsError, Settings, notebook_names
from fairing_az_jupyter.settings.sources import cluster_values, environment_values, resolve

ORDER = ["explicit", "cell", "environ", "profile", "cluster"]
LABELS = dict(
    zip(ORDER, ["argument", "parameters cell", "environment", "profile", "cluster"], strict=True),
)
PASTED_KEY = "?sv=2024-11-04&sig=Zm9vYmFyYmF6cXV4"


def given_by(source, field, value):
    name = notebook_names()[field] if source in ("cell", "environ") else field
    return {source: {name: value}}


def explained(resolved, field):
    return next(each for each in resolved.explain() if each.field == field)


def test_without_any_source_the_defaults_are_in_force():
    resolved = resolve()
    assert resolved.settings == Settings()
    assert {each.source for each in resolved.explain()} == {"default"}
    assert [each.field for each in resolved.explain()] == list(Settings.model_fields)


@pytest.mark.parametrize(("higher", "lower"), list(itertools.combinations(ORDER, 2)))
def test_of_two_sources_the_higher_wins_and_the_lower_is_shown(higher, lower):
    resolved = resolve(**given_by(higher, "namespace", "high"), **given_by(lower, "namespace", "low"))
    assert resolved.settings.namespace == "high"
    told = explained(resolved, "namespace")
    assert (told.source, told.value) == (LABELS[higher], "high")
    assert told.overridden == [(LABELS[lower], "low")]


def test_all_sources_are_told_from_the_nearest_to_the_furthest():
    sources = {}
    for number, source in enumerate(ORDER):
        sources |= given_by(source, "namespace", f"n{number}")
    told = explained(resolve(**sources), "namespace")
    assert told.notebook_name == "FAIRING_NAMESPACE"
    assert told.overridden == [(LABELS[source], f"n{number}") for number, source in enumerate(ORDER)][1:]


def test_none_in_the_cell_wins_over_the_profiles_region():
    resolved = resolve(cell={"AZURE_REGION": None}, profile={"azure_region": "northeurope"})
    assert resolved.settings.azure_region is None
    assert explained(resolved, "azure_region").source == "parameters cell"


@pytest.mark.parametrize("text", ["", "None", " "])
def test_an_empty_environment_variable_means_none(text):
    resolved = resolve(environ={"AZURE_REGION": text}, profile={"azure_region": "northeurope"})
    assert resolved.settings.azure_region is None


@pytest.mark.parametrize("value", [None, "", "None"])
def test_nothing_for_a_setting_that_always_has_a_value_lets_the_next_source_speak(value):
    resolved = resolve(explicit={"service_account": value}, profile={"service_account": "trainer"})
    assert resolved.settings.service_account == "trainer"
    assert explained(resolved, "service_account").source == "profile"


def test_arguments_may_use_either_name():
    resolved = resolve(explicit={"DOCKER_REGISTRY": "contosoml.azurecr.io", "azure_region": "northeurope"})
    assert resolved.settings.docker_registry == "contosoml.azurecr.io"
    assert resolved.settings.azure_region == "northeurope"


def test_one_setting_under_both_names_with_two_values_is_refused():
    with pytest.raises(InvalidSettingsError, match="different values") as raised:
        resolve(explicit={"DOCKER_REGISTRY": "aaaaa.azurecr.io", "docker_registry": "bbbbb.azurecr.io"})
    assert raised.value.errors[0]["source"] == "argument"


def test_other_variables_of_the_cell_and_the_environment_are_passed_over():
    resolved = resolve(
        cell={"namespace": "<not a setting>", "n_estimators": 100, "builder": object()},
        environ={"PATH": "/bin", "backend": "nonsense"},
    )
    assert resolved.settings == Settings()


def test_an_unknown_argument_is_refused_with_the_one_that_was_meant():
    with pytest.raises(InvalidSettingsError) as raised:
        resolve(explicit={"docker_regsitry": "x"})
    assert raised.value.message == "'docker_regsitry' is not a setting."
    assert raised.value.errors[0]["source"] == "argument"
    assert raised.value.hint == "Did you mean 'docker_registry'?"


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("explicit", "(azure_storage_account) = 'A B'"),
        ("cell", "(from the notebook's parameters cell)"),
        ("environ", "(from the environment variable AZURE_STORAGE_ACCOUNT)"),
        ("profile", "(from the profile 'aks')"),
        ("cluster", "(from the cluster)"),
    ],
)
def test_a_broken_value_names_the_source_that_it_comes_from(source, told):
    with pytest.raises(InvalidSettingsError) as raised:
        resolve(**given_by(source, "azure_storage_account", "A B"), profile_name="aks")
    assert told in raised.value.message
    assert raised.value.errors[0]["source"] == LABELS[source]
    assert "AZURE_STORAGE_ACCOUNT = 'contosomldata'" in raised.value.hint


def test_broken_values_of_several_sources_are_told_at_once():
    with pytest.raises(InvalidSettingsError) as raised:
        resolve(cell={"DOCKER_REGISTRY": "<acr-name>.azurecr.io"}, environ={"FAIRING_NAMESPACE": "A_B"})
    assert [(error["field"], error["source"]) for error in raised.value.errors] == [
        ("docker_registry", "parameters cell"),
        ("namespace", "environment"),
    ]


def test_a_broken_value_that_is_not_in_force_disturbs_nobody():
    resolved = resolve(explicit={"namespace": "team-a"}, profile={"namespace": "A_B"})
    assert resolved.settings.namespace == "team-a"
    assert explained(resolved, "namespace").overridden == [("profile", "A_B")]


def test_an_overridden_secret_is_shown_nowhere():
    resolved = resolve(explicit={"namespace": "team-a"}, environ={"FAIRING_NAMESPACE": PASTED_KEY})
    shown = repr(resolved) + repr(resolved.explain()) + json.dumps([each.to_dict() for each in resolved.explain()])
    assert "Zm9vYmFy" not in shown
    assert "looks like a secret" in shown


def test_the_explanation_is_json_whatever_the_sources_held():
    resolved = resolve(
        explicit={"namespace": "team-a", "azure_region": "North Europe"},
        cell={"FAIRING_NAMESPACE": object(), "AZURE_REGION": b"x", "DOCKER_REGISTRY": "ContosoML.azurecr.io"},
        environ={"FAIRING_NAMESPACE": "caf\udce9"},
        profile={"namespace": float("nan")},
    )
    text = json.dumps([each.to_dict() for each in resolved.explain()], allow_nan=False, ensure_ascii=False)
    told = {each["field"]: each for each in json.loads(text.encode("utf-8"))}
    assert told["docker_registry"]["value"] == "contosoml.azurecr.io"
    assert told["azure_region"]["overridden"] == [["parameters cell", "<bytes>"]]


def test_the_environments_settings_are_found_by_their_names_in_the_notebook():
    environ = {"DOCKER_REGISTRY": "contosoml.azurecr.io", "docker_registry": "x", "HOME": "/root"}
    assert environment_values(environ) == {"DOCKER_REGISTRY": "contosoml.azurecr.io"}
    assert resolve(environ=environment_values(environ)).settings.docker_registry == "contosoml.azurecr.io"


def test_the_process_environment_is_read_when_nothing_else_is_named(monkeypatch):
    monkeypatch.setenv("AZURE_RESOURCE_GROUP", "contoso-ml")
    assert environment_values()["AZURE_RESOURCE_GROUP"] == "contoso-ml"


def test_the_cluster_tells_the_namespace(tmp_path):
    file = tmp_path / "namespace"
    file.write_text("kubeflow-anonymous\n")
    assert cluster_values(file) == {"namespace": "kubeflow-anonymous"}
    assert resolve(cluster=cluster_values(file)).settings.namespace == "kubeflow-anonymous"


@pytest.mark.parametrize("raw", [b"", b"\n", b"\xff\xfe", b"Not A Namespace", None])
def test_outside_a_cluster_nothing_is_told(tmp_path, raw):
    file = tmp_path / "namespace"
    if raw is not None:
        file.write_bytes(raw)
    assert cluster_values(file) == {}
    assert cluster_values(tmp_path) == {}


VALUES = st.none() | st.text(max_size=20) | st.integers() | st.sampled_from(["northeurope", "team-a", "auto", "kaniko"])


@hypothesis_settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "explicit": st.dictionaries(st.sampled_from(list(Settings.model_fields)), VALUES),
            "cell": st.dictionaries(st.sampled_from(list(notebook_names().values())), VALUES),
            "profile": st.dictionaries(st.sampled_from(list(Settings.model_fields)), VALUES),
        },
    )
)
def test_any_sources_give_settings_that_are_explained_or_an_error_that_names_its_source(sources):
    try:
        resolved = resolve(**sources)
    except InvalidSettingsError as error:
        assert all(each["source"] for each in error.errors)  # noqa: PT017 - either outcome is good
    else:
        assert {each.field: each.value for each in resolved.explain()} == resolved.settings.model_dump()
