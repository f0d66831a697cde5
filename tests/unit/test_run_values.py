"""Parameter values from the command line, checked against the notebook's own cell."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairing_az_jupyter.exceptions import ParameterError
from fairing_az_jupyter.runs.parameters.values import (
    check_names,
    check_types,
    looks_secret,
    merge,
    parse_pairs,
    reject_secrets,
)
from fairing_az_jupyter.settings import notebook_names


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("True", True),
        ("False", False),
        ("true", True),
        ("false", False),
        ("None", None),
        ("null", None),
        ("12", 12),
        ("-3", -3),
        ("0.5", 0.5),
        ("1e-3", 0.001),
        ("inf", math.inf),
        ("northeurope", "northeurope"),
        ("TRUE", "TRUE"),
        ("", ""),
        (" ", " "),
        ("1.2.3", "1.2.3"),
        ("[1, 2]", "[1, 2]"),
        ("a=b", "a=b"),
    ],
)
def test_text_from_the_command_line_gets_a_type(text, value):
    (parsed,) = parse_pairs([("NAME", text)]).values()

    assert parsed == value
    assert type(parsed) is type(value)


@settings(deadline=None)  # the first import of papermill takes seconds
@given(st.text())
def test_text_that_is_no_word_for_a_value_is_typed_as_by_papermill(text):
    from papermill.cli import _resolve_type

    parsed = parse_pairs([("NAME", text)])["NAME"]

    if text not in {"true", "false", "none", "null"}:
        assert repr(parsed) == repr(_resolve_type(text))


def test_last_value_of_a_name_counts():
    assert parse_pairs([("A", "1"), ("B", "2"), ("A", "3")]) == {"A": 3, "B": 2}


@pytest.mark.parametrize(
    ("default", "text", "value"),
    [
        ("1.9", "1.10", "1.10"),
        ("a", "true", "true"),
        ("a", "None", None),
        (False, "true", True),
        ([1], "[2, 3]", [2, 3]),
        ({"a": 1}, "{'a': 2}", {"a": 2}),
        ([1], "[2, 3", "[2, 3"),
        (1.0, "2", 2),
        (None, "2", 2),
    ],
)
def test_value_takes_the_type_of_the_notebooks_own(default, text, value):
    assert parse_pairs([("NAME", text)], {"NAME": default}) == {"NAME": value}


def test_parameter_without_a_name_is_refused():
    with pytest.raises(ParameterError, match="without a name"):
        parse_pairs([("", "1")])


def test_later_source_overrules_the_earlier():
    assert merge({"A": 1, "B": 2}, {"B": 3}) == {"A": 1, "B": 3}


def test_known_names_pass():
    check_names({"A": 1}, ["A", "B"], "nb.ipynb")
    check_names({}, [], "nb.ipynb")


@pytest.mark.parametrize("typo", ["AZURE_REGON", "azure_region", "AZUREREGION"])
def test_unknown_name_is_refused_with_the_name_that_was_meant(typo):
    with pytest.raises(ParameterError) as caught:
        check_names({typo: "x"}, ["DOCKER_REGISTRY", "AZURE_REGION"], "nb.ipynb")

    assert f"'{typo}'" in caught.value.message
    assert "'nb.ipynb'" in caught.value.message
    assert "Did you mean 'AZURE_REGION'?" in caught.value.hint
    assert "DOCKER_REGISTRY, AZURE_REGION" in caught.value.hint


def test_name_like_no_other_gets_no_suggestion():
    with pytest.raises(ParameterError) as caught:
        check_names({"A": 1, "QQQQ": 1, "ZZZZ": 2}, ["A"], "nb.ipynb")

    assert "'QQQQ', 'ZZZZ'" in caught.value.message
    assert "Did you mean" not in caught.value.hint


def test_notebook_without_parameters_says_how_to_get_them():
    with pytest.raises(ParameterError) as caught:
        check_names({"ALPHA": 1}, [], "nb.ipynb")

    assert "has no parameters" in caught.value.message
    assert "fairing-azure fill nb.ipynb" in caught.value.hint


@pytest.mark.parametrize(
    ("value", "default"),
    [
        (2, 1),
        (2, 1.0),
        (2.5, 1.0),
        ("b", "a"),
        (True, False),
        ([2], [1]),
        ([2], (1,)),
        ({"a": 1}, {}),
        (None, 1),
        ("x", None),
        (1, {1}),
    ],
)
def test_value_of_a_fitting_type_passes(value, default):
    check_types({"NAME": value, "OTHER": "unknown"}, {"NAME": default})


@pytest.mark.parametrize(
    ("value", "default"),
    [
        ("x", 1),
        ("x", 1.0),
        (2.5, 1),
        (True, 1),
        (True, 1.0),
        (1, True),
        ("true", True),
        (1, "a"),
        (False, "a"),
        ("[1]", [1]),
        ({"a": 1}, [1]),
        ([1], {"a": 1}),
    ],
)
def test_value_of_another_type_is_refused(value, default):
    with pytest.raises(ParameterError) as caught:
        check_types({"NAME": value}, {"NAME": default})

    assert "'NAME'" in caught.value.message
    assert repr(value) in caught.value.message
    assert repr(default) in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    "name",
    [
        "AZ_CLIENT_SECRET",
        "client_secret",
        "clientSecret",
        "DB_PASSWORD",
        "dbpassword",
        "SAS_TOKEN",
        "apiToken",
        "STORAGE_ACCOUNT_KEY",
        "accountKey",
        "AZURE_STORAGE_CONNECTION_STRING",
        "API_KEY",
        "DB_PASS",
        "dbPwd",
        "SAS",
        "STORAGE_SAS",
        "HF_TOKEN",
        "accesstoken",
        "MY_SECRET",
    ],
)
def test_name_of_a_secret_is_refused_and_its_value_not_shown(name):
    for call in (
        lambda: parse_pairs([(name, "hunter2")]),
        lambda: reject_secrets({name: "hunter2"}),
        lambda: check_types({name: "hunter2"}, {name: 1}),
    ):
        with pytest.raises(ParameterError) as caught:
            call()
        assert name in caught.value.message
        assert "hunter2" not in str(caught.value)
        assert "Kubernetes Secret" in caught.value.hint


@pytest.mark.parametrize(
    "name",
    [
        "AZ_CREDS_SECRET_NAME",
        "PASSWORD_FILE",
        "MAX_TOKENS",
        "TOKENIZER",
        "KEY",
        "MONKEY",
        "token_count",
        "PAD_TOKEN",
        "EOS_TOKEN",
        "clsToken",
        "SECRETARY",
        "BYPASS",
        "SASKIA",
    ],
)
def test_name_that_only_resembles_a_secret_passes(name):
    assert not looks_secret(name)


def test_absence_of_a_secret_is_none():
    assert parse_pairs([("DB_PASSWORD", "None"), ("USE_TOKEN", "true")]) == {"DB_PASSWORD": None, "USE_TOKEN": True}


@pytest.mark.parametrize("name", notebook_names().values())
def test_no_setting_of_this_project_is_taken_for_a_secret(name):
    reject_secrets({name: "default"})


SECRETS = [
    "sv=2022&sig=abc%3D",
    "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=abcd==",
    "Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=a;SharedAccessKey=hunter2",
    "-----BEGIN RSA PRIVATE KEY-----\nhunter2",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "wrap", [str, lambda text: [1, [text]], lambda text: {"a": {"b": text}}, lambda text: {text: 1}]
)
def test_value_with_the_form_of_a_secret_is_refused_and_not_shown(secret, wrap):
    with pytest.raises(ParameterError) as caught:
        reject_secrets({"STORAGE": wrap(secret)})

    assert caught.value.code == "parameter-secret"
    assert "'STORAGE'" in caught.value.message
    assert secret not in str(caught.value)


def test_secret_on_the_command_line_is_refused_by_its_form():
    with pytest.raises(ParameterError, match="'STORAGE' has the form of a secret"):
        parse_pairs([("STORAGE", SECRETS[0])], {"STORAGE": "here"})


def test_secret_name_within_a_mapping_is_refused():
    with pytest.raises(ParameterError) as caught:
        reject_secrets({"DATABASE": {"host": "x", "password": "hunter2"}})

    assert "'DATABASE' has 'password' in it" in caught.value.message
    assert "hunter2" not in str(caught.value)


def test_name_and_value_in_one_word_are_refused_without_the_value():
    with pytest.raises(ParameterError) as caught:
        parse_pairs([("DB_PASS=hunter2", "--json")])

    assert "hunter2" not in str(caught.value)
    assert caught.value.hint == "Write: -p DB_PASS VALUE"
