"""Where the parameters of a run come from: arguments, a file, an earlier run, the environment, a profile."""

from __future__ import annotations

import nbformat
import pytest

from fairing_az_jupyter import services
from fairing_az_jupyter.exceptions import FairingAzureError, ParameterError, SettingsError
from fairing_az_jupyter.runs.execution.execute import execute
from fairing_az_jupyter.runs.parameters.sources import ENVIRONMENT_PREFIX

CELL = """\
rate = 0.1
rounds: int = 3
title = 'x'
free = None
lower = 1
Upper = 1
upper = 1
FAIRING_BACKEND = 'LocalBackend'
AZURE_REGION = None
BUILDER_IMAGE = None
"""
METADATA = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """Return the path of a notebook with parameters, and keep the user's profiles away."""
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "jupyter"))
    cell = nbformat.v4.new_code_cell(CELL, metadata={"tags": ["parameters"]})
    path = tmp_path / "train.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=METADATA), path)
    return str(path)


@pytest.fixture
def environment(monkeypatch):
    """Return a function that sets parameters in the environment."""

    def set_all(**texts):
        for name, text in texts.items():
            monkeypatch.setenv(f"FAIRING_PARAM_{name}", text)

    return set_all


def refused(notebook, kind=ParameterError, **options):
    with pytest.raises(kind) as caught:
        services.plan_run(services.Session(), notebook, **options)
    assert caught.value.hint
    return caught.value


def test_the_prefix_is_public():
    assert ENVIRONMENT_PREFIX == "FAIRING_PARAM_"


def test_the_environment_gives_parameters_as_text(notebook, environment):
    environment(rate="0.5", ROUNDS="7", TITLE="12", free="x")

    assert services.plan_run(services.Session(), notebook).parameters == {
        "rate": 0.5,
        "rounds": 7,
        "title": "12",
        "free": "x",
    }


@pytest.mark.kernel
def test_a_run_has_the_types_that_its_cell_declares(notebook, environment, tmp_path):
    content = nbformat.read(notebook, as_version=4)
    content.cells[0].source += "names: list = None\n"
    content.cells.append(nbformat.v4.new_code_cell("(rounds, names, title)"))
    nbformat.write(content, notebook)
    environment(ROUNDS="7", NAMES='["a", true]', TITLE="1.10")
    output = tmp_path / "out.ipynb"

    execute(services.plan_run(services.Session(), notebook, output=str(output)), lambda event: None)

    result = nbformat.read(output, as_version=4).cells[-1].outputs[0]
    assert result["data"]["text/plain"] == "(7, ['a', True], '1.10')"


def test_the_exact_name_counts_before_the_one_in_capitals(notebook, environment):
    environment(RATE="0.5", rate="0.7", upper="5")

    assert services.plan_run(services.Session(), notebook).parameters == {"rate": 0.7, "upper": 5}


def test_a_variable_that_could_give_two_parameters_is_refused(notebook, environment):
    environment(UPPER="5")

    error = refused(notebook)

    assert error.code == "parameter-ambiguous"
    assert "FAIRING_PARAM_UPPER" in error.message
    assert "Upper, upper" in error.message


def test_two_variables_with_different_values_for_one_parameter_are_refused(notebook, environment):
    environment(LOWER="5", Lower="6")

    error = refused(notebook)

    assert error.code == "parameter-ambiguous"
    assert "FAIRING_PARAM_LOWER and FAIRING_PARAM_Lower" in error.message


def test_two_variables_that_agree_are_fine(notebook, environment):
    environment(LOWER="5", Lower="5")

    assert services.plan_run(services.Session(), notebook).parameters == {"lower": 5}


def test_an_unknown_name_in_the_environment_is_refused_as_with_p(notebook, environment):
    environment(ROUND="5")

    error = refused(notebook)

    assert error.code == "parameter-unknown"
    assert "from the environment variable FAIRING_PARAM_ROUND" in error.message
    assert "Did you mean 'rounds'?" in error.hint
    assert error.hint == refused(notebook, pairs=[("ROUND", "5")]).hint


def test_a_value_of_the_wrong_type_is_told_with_its_variable(notebook, environment):
    environment(ROUNDS="many")

    error = refused(notebook)

    assert "'rounds', from the environment variable FAIRING_PARAM_ROUNDS, is 'many'" in error.message
    assert "FAIRING_PARAM_ROUNDS=3" in error.hint


@pytest.mark.parametrize(("name", "text"), [("DB_PASSWORD", "hunter2"), ("free", "AccountKey=hunter2")])
def test_a_secret_in_the_environment_is_refused_and_not_shown(notebook, environment, name, text):
    environment(**{name: text})

    error = refused(notebook)

    assert error.code == "parameter-secret"
    assert f"FAIRING_PARAM_{name}" in error.message
    assert "hunter2" not in str(error)


def test_a_secret_as_the_name_of_a_variable_is_not_shown(notebook, environment):
    environment(**{"x://user:hunter2@host": "1"})

    assert "hunter2" not in str(refused(notebook))


def test_an_empty_variable_is_an_empty_text_where_text_is_wanted(notebook, environment):
    environment(TITLE="")

    assert services.plan_run(services.Session(), notebook).parameters == {"title": ""}


@pytest.mark.parametrize(("name", "fix"), [("ROUNDS", "a whole number"), ("RATE", "a number"), ("FREE", "free: str")])
def test_an_empty_variable_is_refused_elsewhere(notebook, environment, name, fix):
    environment(**{name: ""})

    error = refused(notebook)

    assert "is empty" in error.message
    assert f"Unset FAIRING_PARAM_{name}" in error.hint
    assert fix in error.hint


def test_an_empty_variable_is_no_matter_where_something_else_gives_the_parameter(notebook, environment):
    environment(ROUNDS="")

    assert services.plan_run(services.Session(), notebook, pairs=[("rounds", "4")]).parameters == {"rounds": 4}


def test_a_setting_in_the_environment_that_breaks_its_rule_is_told_with_its_variable(notebook, environment):
    environment(AZURE_REGION="bad!")

    assert "from the environment variable FAIRING_PARAM_AZURE_REGION" in refused(notebook, SettingsError).message


def test_the_environment_is_left_alone_where_it_gives_no_parameters(notebook, monkeypatch):
    monkeypatch.setenv("FAIRING_PARAMETERS", "x")
    monkeypatch.setenv("rate", "x")

    assert services.plan_run(services.Session(), notebook).parameters == {}


def test_an_earlier_run_gives_its_parameters(notebook):
    assert services.plan_run(services.Session(), notebook, from_run={"rate": 0.5, "free": [1]}).parameters == {
        "rate": 0.5,
        "free": [1],
    }


def test_a_name_that_the_notebook_no_longer_has_is_told_to_come_from_the_earlier_run(notebook):
    error = refused(notebook, from_run={"rounds": 5, "round": 5})

    assert error.code == "parameter-unknown"
    assert "'round' from the earlier run" in error.message
    assert "'rounds'" in error.hint


def test_a_value_that_no_longer_fits_is_told_to_come_from_the_earlier_run(notebook):
    assert "'rounds', from the earlier run, is 'x'" in refused(notebook, from_run={"rounds": "x"}).message


def test_an_earlier_runs_parameters_are_not_changed(notebook):
    earlier = {"rate": 0.5}

    services.plan_run(services.Session(), notebook, from_run=earlier, pairs=[("rate", "0.6")])

    assert earlier == {"rate": 0.5}


def test_the_highest_source_counts(notebook, environment, tmp_path):
    services.save_profile("team", {"backend": "KubeflowAzureBackend", "azure_region": "westeurope"})
    low = {}
    name, local = "AZURE_REGION", [("FAIRING_BACKEND", "LocalBackend")]

    def region(given=None, **options):
        pairs = [*local, *options.pop("pairs", [])]
        session = services.Session(given, profile="team")
        return services.plan_run(session, notebook, pairs=pairs, **low, **options).parameters[name]

    (tmp_path / "params.yaml").write_text(f"{name}: uksouth\n")
    file = {"parameters_file": str(tmp_path / "params.yaml")}
    assert region() == "westeurope"
    environment(AZURE_REGION="northeurope")
    assert region() == "northeurope"
    low["from_run"] = {name: "eastus"}
    assert region() == "eastus"
    assert region(**file) == "uksouth"
    assert region(**file, pairs=[(name, "westus")]) == "westus"
    assert region({"azure_region": "japaneast"}, **file, pairs=[(name, "westus")]) == "japaneast"


def test_a_value_that_another_overrules_need_not_fit(notebook, environment):
    environment(ROUNDS="many")

    assert services.plan_run(services.Session(), notebook, pairs=[("rounds", "4")]).parameters == {"rounds": 4}


def test_an_unknown_name_in_a_file_is_told_with_the_file(notebook, tmp_path):
    path = tmp_path / "params.json"
    path.write_text('{"rat": 1}')

    assert f"'rat' from {path}" in refused(notebook, parameters_file=str(path)).message


def test_a_secret_in_a_file_is_told_with_the_file_and_not_shown(notebook, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("free: AccountKey=hunter2\n")

    error = refused(notebook, parameters_file=str(path))

    assert str(path) in error.message
    assert "hunter2" not in str(error)


def test_a_snapshot_is_read_and_the_notebook_is_named(notebook, tmp_path):
    name = "abs://account.blob.core.windows.net/container/train.ipynb"
    request = services.plan_run(
        services.Session(), name, snapshot=notebook, pairs=[("rounds", "4")], output=str(tmp_path / "out.ipynb")
    )

    assert (request.notebook, request.parameters) == (name, {"rounds": 4})
    error = refused(name, snapshot=notebook, pairs=[("round", "4")])
    assert name in error.message
    assert notebook not in str(error)


def test_a_parameter_that_a_later_cell_of_a_snapshot_sets_again_is_refused_by_the_notebooks_name(tmp_path):
    cells = [nbformat.v4.new_code_cell(source, metadata={"tags": ["parameters"]}) for source in ("a = 1", "a = 2")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=METADATA), tmp_path / "copy.ipynb")

    error = refused("abs://x/train.ipynb", snapshot=str(tmp_path / "copy.ipynb"), pairs=[("a", "5")])

    assert error.code == "parameter-set-again"
    assert "'abs://x/train.ipynb'" in error.message


def test_a_missing_snapshot_is_an_error_of_the_notebook(tmp_path):
    error = refused("abs://x/train.ipynb", FairingAzureError, snapshot=str(tmp_path / "gone.ipynb"))

    assert "'abs://x/train.ipynb' not found" in error.message
