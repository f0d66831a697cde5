"""Settings that are true or false, on the command line and in a magic: `--spot`, `--no-spot`, `--spot false`."""

from __future__ import annotations

import json

import nbformat
import pytest

from fairing_az_jupyter import services
from fairing_az_jupyter.exceptions import NotFoundError
from fairing_az_jupyter.frontends.cli import main
from fairing_az_jupyter.frontends.command_line import completion
from fairing_az_jupyter.frontends.command_line.parsing import parse
from fairing_az_jupyter.frontends.command_line.usage_errors import CommandLineError
from fairing_az_jupyter.models import RunRequest
from fairing_az_jupyter.operations.declaration import PROGRAM
from fairing_az_jupyter.services.cluster_runs import sweeps
from fairing_az_jupyter.services.launch_planning import launch_environment, plan_launch
from fairing_az_jupyter.services.session import Session
from fairing_az_jupyter.settings.profiles import ProfileStore

CELL = "%fairing_azure"


CODE = "FAIRING_SPOT = True\nFAIRING_GPUS = 2\nRATE = 0"


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cell = nbformat.v4.new_code_cell(CODE, metadata={"tags": ["parameters"]})
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), "train.ipynb")
    return "train.ipynb"


def settings_of(*words, program=PROGRAM):
    return parse(words, program=program).settings


@pytest.mark.parametrize("program", [PROGRAM, CELL])
@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["--spot"], "true"),
        (["--no-spot"], "false"),
        (["--spot", "true"], "true"),
        (["--spot", "False"], "false"),
        (["--spot=on"], "true"),
        (["--spot=no"], "false"),
        (["--spot", "--no-spot"], "false"),
    ],
)
def test_a_switch_is_on_alone_and_says_what_its_value_says(words, value, program):
    assert settings_of("settings", *words, program=program) == {"spot": value}


@pytest.mark.parametrize("program", [PROGRAM, CELL])
def test_a_switch_leaves_the_word_behind_it_to_the_command(program):
    parsed = parse(["run", "--spot", "train.ipynb", "-p", "A", "--spot"], program=program)

    assert parsed.request.notebook == "train.ipynb"
    assert parsed.request.parameters == (("A", "--spot"),)
    assert parsed.settings == {"spot": "true"}


@pytest.mark.parametrize("program", [PROGRAM, CELL])
@pytest.mark.parametrize("flag", ["--pod-token", "--no-pod-token", "--pod-token=true", "--pod-token=false"])
def test_the_switch_about_tokens_is_not_taken_for_a_secret(flag, program):
    assert settings_of("train", "train.py:Trainer", flag, program=program).keys() == {"pod_token"}


@pytest.mark.parametrize("program", [PROGRAM, CELL])
@pytest.mark.parametrize("word", ["--spot=maybe", "--spot=", "--no-spot=true"])
def test_a_switch_with_another_value_is_an_error_that_says_what_to_write(word, program):
    with pytest.raises(CommandLineError, match="takes true or false") as caught:
        parse(["check", word], program=program)

    assert caught.value.hint == "Write --spot or --no-spot."


def test_tab_offers_both_ways_to_set_a_switch():
    offered = {match.text for match in completion.complete("%fairing_azure settings --", {}).matches}

    assert {"--spot", "--no-spot", "--pod-token", "--no-pod-token", "--gpus"} <= offered
    assert "--no-gpus" not in offered


def test_the_help_says_both_ways_to_set_a_switch():
    assert "--spot / --no-spot" in parse(["train", "--help"]).text


def test_a_profile_keeps_false_and_zero_as_values(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FAIRING_AZURE_CONFIG_DIR", str(tmp_path))

    assert main(["profile", "set", "team", "--no-spot", "--pod-token", "--gpus", "0", "--retries", "2"]) == 0
    capsys.readouterr()
    assert main(["settings", "--profile", "team", "--explain", "--json"]) == 0

    told = json.loads(capsys.readouterr().out)
    assert ProfileStore().read("team") == {"spot": False, "pod_token": True, "gpus": 0, "retries": 2}
    text = ProfileStore().path("team").read_text()
    assert "spot = false" in text
    assert "pod_token = true" in text
    sources = {each["field"]: each["source"] for each in told}
    assert [sources[field] for field in ("spot", "gpus", "retries", "cpu_limit")] == [
        "profile",
        "profile",
        "profile",
        "default",
    ]


def test_fill_writes_false_and_zero(notebook):
    assert main(["fill", notebook, "--no-spot", "--gpus", "0", "--pod-token"]) == 0

    code = nbformat.read(notebook, 4).cells[0].source
    assert code.startswith("FAIRING_SPOT = False\nFAIRING_GPUS = 0\n")
    assert "FAIRING_POD_TOKEN = True" in code


def test_a_launch_in_the_background_gets_false_and_zero_from_its_record(notebook):
    given = {"spot": "false", "gpus": "0", "pod_token": "true", "node_wait": "0"}
    request, environment = plan_launch(Session(given), notebook)

    read = RunRequest.from_dict(json.loads(json.dumps(request.to_dict())))

    assert read.parameters["FAIRING_SPOT"] is False
    assert read.parameters["FAIRING_GPUS"] == 0
    assert read.settings == {"spot": False, "gpus": 0, "pod_token": True, "node_wait": "0"}
    assert environment == launch_environment(Session(), read) == {"FAIRING_POD_TOKEN": "True", "FAIRING_NODE_WAIT": "0"}


def test_the_environment_says_true_and_false_as_a_launch_hands_them_on(monkeypatch):
    for name, value in {"SPOT": "True", "POD_TOKEN": "False", "GPUS": "0", "RETRIES": "2"}.items():
        monkeypatch.setenv(f"FAIRING_{name}", value)

    found = services.Session().settings

    assert (found.spot, found.pod_token, found.gpus, found.retries) == (True, False, 0, 2)


def test_a_run_of_the_cluster_is_launched_with_what_its_cell_and_its_flags_say(notebook):
    from fairing_az_jupyter.services.cluster_runs.launch import plan_cluster_run

    needed = {"docker_registry": "contoso.azurecr.io", "azure_resource_group": "rg", "azure_storage_account": "data"}
    given = {**needed, "retries": "1", "gpus": "0", "node_selector": "pool=a"}
    _, settings = plan_cluster_run(Session(given), notebook)

    assert (settings.spot, settings.gpus, settings.retries) == (True, 0, 1)
    assert settings.node_selector == "pool=a"


def test_a_sweep_of_the_cluster_is_launched_with_flags_that_its_cell_does_not_name(notebook, monkeypatch, tmp_path):
    monkeypatch.setenv("FAIRING_AZURE_RUNS", str(tmp_path / "runs"))
    launched = []

    def start(_session, points, settings, **_options):
        launched.append((points, settings))
        # What comes next needs a cluster.
        raise NotFoundError("no cluster", hint="")

    monkeypatch.setattr(sweeps, "start_on_cluster", start)
    needed = ["--docker-registry", "contoso.azurecr.io", "--azure-resource-group", "rg"]
    needed += ["--azure-storage-account", "contosodata"]
    words = ["sweep", "run", notebook, "--on-cluster", "--grid", "RATE", "1", "--no-spot", "--pod-token"]

    assert main([*words, "--retries", "2", "--node-wait", "1h", *needed]) == 6

    [(points, settings)] = launched
    assert (settings.spot, settings.pod_token, settings.gpus) == (False, True, 2)
    assert (settings.retries, settings.node_wait) == (2, "1h")
    assert [point.request.parameters for point in points] == [{"FAIRING_SPOT": False, "RATE": 1}]
