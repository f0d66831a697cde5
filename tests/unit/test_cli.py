"""`fairing-azure` as its users type it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import nbformat
import pytest

from fairing_az_jupyter import __version__
from fairing_az_jupyter.settings import Settings

CELL = "FAIRING_BACKEND = 'LocalBackend'\nDOCKER_REGISTRY = None\nAZURE_REGION = None\nROUNDS = 3\nNAME = 'a'\n"


@pytest.fixture
def notebook(tmp_path):
    cells = [
        nbformat.v4.new_code_cell(CELL, metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("print('rounds', ROUNDS, FAIRING_BACKEND)"),
    ]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path = tmp_path / "train.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)
    return path


def test_version_is_the_packages(fairing_azure):
    assert fairing_azure("--version")[:2] == (0, f"fairing-azure {__version__}\n")


def test_help_names_every_exit_code(fairing_azure):
    _, out, _ = fairing_azure("--help")

    assert all(f"\n  {code} " in out for code in (0, 1, 2, 3, 4, 5, 130))


def test_every_setting_is_a_flag_of_fill_settings_and_profile(fairing_azure):
    for command in (["fill"], ["settings"], ["profile", "set"]):
        _, out, _ = fairing_azure(*command, "--help")
        for field in Settings.model_fields:
            assert f"--{field.replace('_', '-')}" in out


def test_no_command_lists_all_of_them_in_groups(fairing_azure):
    code, out, err = fairing_azure()

    assert (code, err) == (0, "")
    assert out == fairing_azure("--help")[1]
    for line in ("Set up:", "Launch:", "Look after launches:", "Runs and sweeps:", "This tool:"):
        assert f"\n{line}\n" in out


def test_run_executes_the_notebook_with_parameters(fairing_azure, notebook, tmp_path):
    (tmp_path / "values.yaml").write_text("ROUNDS: 5\nNAME: b\n")
    output = tmp_path / "out.ipynb"

    code, out, _ = fairing_azure(
        "run", notebook, "-f", tmp_path / "values.yaml", "-p", "ROUNDS", "7", "--backend", "LocalBackend", "-o", output
    )

    assert code == 0
    assert "  | rounds 7 LocalBackend\n" in out
    assert f"Executed notebook: {output}\n" in out
    assert nbformat.read(output, as_version=4).metadata.papermill.parameters == {
        "ROUNDS": 7,
        "NAME": "b",
        "FAIRING_BACKEND": "LocalBackend",
    }


@pytest.mark.kernel
def test_run_writes_beside_the_notebook_unless_told(fairing_azure, notebook):
    assert fairing_azure("run", notebook)[0] == 0
    assert notebook.with_name("train.executed.ipynb").exists()


@pytest.mark.kernel
def test_run_as_json_is_one_document_a_line(fairing_azure, notebook):
    code, out, _ = fairing_azure("run", notebook, "--json")

    documents = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert documents[-1]["result"]["status"] == "succeeded"
    assert [d["event"]["text"] for d in documents[:-1] if d["event"]["kind"] == "output"] == ["rounds 3 LocalBackend\n"]


@pytest.mark.kernel
def test_the_kernel_of_a_run_knows_its_notebooks_name(fairing_azure, notebook):
    content = nbformat.read(notebook, as_version=4)
    ask = "from kubeflow.fairing.notebook.notebook_util import get_notebook_name; print(get_notebook_name())"
    content.cells.append(nbformat.v4.new_code_cell(ask))
    nbformat.write(content, notebook)

    assert "  | train.ipynb\n" in fairing_azure("run", notebook)[1]


@pytest.mark.kernel
def test_an_unknown_parameter_is_an_error_with_a_suggestion(fairing_azure, notebook):
    code, _, err = fairing_azure("run", notebook, "-p", "DOCKER_REGISTY", "x.azurecr.io")

    assert code == 3
    assert "DOCKER_REGISTY" in err
    assert "Did you mean 'DOCKER_REGISTRY'?" in err
    assert not notebook.with_name("train.executed.ipynb").exists()


def test_a_parameter_that_breaks_its_settings_rule_is_refused(fairing_azure, notebook):
    code, _, err = fairing_azure("run", notebook, "-p", "DOCKER_REGISTRY", "<acr-name>.azurecr.io")

    assert code == 3
    assert "DOCKER_REGISTRY" in err


def test_a_run_in_the_cluster_without_its_settings_is_refused_before_a_kernel_starts(fairing_azure, notebook):
    code, _, err = fairing_azure("run", notebook, "--backend", "KubeflowAzureBackend")

    assert code == 3
    assert "DOCKER_REGISTRY" in err
    assert "AZURE_STORAGE_ACCOUNT" in err


def test_an_error_as_json_has_code_message_and_hint(fairing_azure, tmp_path):
    code, out, _ = fairing_azure("run", tmp_path / "missing.ipynb", "--json")

    assert code == 3
    assert set(json.loads(out)["error"]) == {"code", "message", "hint"}


@pytest.mark.kernel
def test_a_failing_cell_has_exit_code_4(fairing_azure, notebook):
    content = nbformat.read(notebook, as_version=4)
    content.cells.append(nbformat.v4.new_code_cell("1 / 0"))
    nbformat.write(content, notebook)

    code, _, err = fairing_azure("run", notebook)

    assert code == 4
    assert "ZeroDivisionError" in err


def test_interrupting_a_run_has_exit_code_130_and_leaves_no_kernel(notebook):
    content = nbformat.read(notebook, as_version=4)
    content.cells.append(nbformat.v4.new_code_cell("import os, time\nprint('pid', os.getpid())\ntime.sleep(600)"))
    nbformat.write(content, notebook)

    command = [sys.executable, "-m", "fairing_az_jupyter", "run", str(notebook)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with child:
        pid = next(int(line.split()[-1]) for line in child.stdout if "pid" in line)
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=60)

    assert child.returncode == 130
    assert _gone(pid)


def _gone(pid):
    import psutil

    end = time.monotonic() + 10
    while psutil.pid_exists(pid) and time.monotonic() < end:
        time.sleep(0.1)
    return not psutil.pid_exists(pid)


def test_fill_shows_the_diff_and_writes(fairing_azure, notebook):
    code, out, _ = fairing_azure("fill", notebook, "--docker-registry", "contoso.azurecr.io")

    assert code == 0
    assert "-DOCKER_REGISTRY = None" in out
    assert "+DOCKER_REGISTRY = 'contoso.azurecr.io'" in out
    assert "DOCKER_REGISTRY = 'contoso.azurecr.io'" in nbformat.read(notebook, as_version=4).cells[0].source


def test_a_second_fill_changes_nothing(fairing_azure, notebook):
    fairing_azure("fill", notebook, "--docker-registry", "contoso.azurecr.io")
    before = notebook.read_bytes()

    code, out, _ = fairing_azure("fill", notebook, "--docker-registry", "contoso.azurecr.io")

    assert code == 0
    assert "nothing to change" in out
    assert notebook.read_bytes() == before


def test_a_dry_fill_writes_nothing(fairing_azure, notebook):
    before = notebook.read_bytes()

    code, out, _ = fairing_azure("fill", notebook, "--backend", "KubeflowAzureBackend", "--dry-run")

    assert code == 0
    assert "nothing was written" in out
    assert notebook.read_bytes() == before


def test_fill_as_json_has_the_edits_and_whether_they_were_written(fairing_azure, notebook):
    _, out, _ = fairing_azure("fill", notebook, "--azure-region", "northeurope", "--json")

    answer = json.loads(out)
    assert answer["written"] is True
    assert "AZURE_REGION = 'northeurope'" in answer["edits"][0]["after"]


def test_fill_with_nothing_given_says_what_to_give(fairing_azure, notebook):
    code, _, err = fairing_azure("fill", notebook)

    assert code == 3
    assert "--profile" in err


def test_fill_takes_the_environment_and_the_active_profile(fairing_azure, notebook, monkeypatch):
    fairing_azure("profile", "set", "team", "--docker-registry", "teamml.azurecr.io", "--azure-region", "westeurope")
    fairing_azure("profile", "use", "team")
    monkeypatch.setenv("DOCKER_REGISTRY", "environment.azurecr.io")

    assert fairing_azure("fill", notebook)[0] == 0

    source = nbformat.read(notebook, as_version=4).cells[0].source
    assert "DOCKER_REGISTRY = 'environment.azurecr.io'" in source
    assert "AZURE_REGION = 'westeurope'" in source


def test_a_named_profile_wins_over_the_environment(fairing_azure, notebook, monkeypatch):
    fairing_azure("profile", "set", "team", "--docker-registry", "teamml.azurecr.io")
    monkeypatch.setenv("DOCKER_REGISTRY", "environment.azurecr.io")

    fairing_azure("fill", notebook, "--profile", "team")

    assert "DOCKER_REGISTRY = 'teamml.azurecr.io'" in nbformat.read(notebook, as_version=4).cells[0].source


def test_settings_that_only_some_notebooks_have_are_not_forced_on_the_others(fairing_azure, notebook):
    fairing_azure("profile", "set", "team", "--docker-registry", "teamml.azurecr.io", "--builder", "kaniko")

    fairing_azure("fill", notebook, "--profile", "team")
    assert "BUILDER" not in nbformat.read(notebook, as_version=4).cells[0].source

    fairing_azure("fill", notebook, "--builder", "kaniko")
    assert "FAIRING_BUILDER = 'kaniko'" in nbformat.read(notebook, as_version=4).cells[0].source


def test_settings_explain_where_each_value_comes_from(fairing_azure, notebook, monkeypatch):
    monkeypatch.setenv("DOCKER_REGISTRY", "environment.azurecr.io")

    code, out, _ = fairing_azure("settings", notebook, "--explain", "--azure-region", "northeurope", "--json")

    explained = {each["field"]: each for each in json.loads(out)}
    assert code == 0
    assert explained["azure_region"]["source"] == "argument"
    assert explained["azure_region"]["overridden"] == [["parameters cell", None]]
    assert explained["docker_registry"]["source"] == "parameters cell"
    assert explained["builder"]["source"] == "default"


def test_settings_table_and_schema(fairing_azure):
    _, table, _ = fairing_azure("settings", "--explain")
    _, schema, _ = fairing_azure("settings", "--schema")

    assert "FAIRING_BACKEND" in table
    assert json.loads(schema) == Settings.model_json_schema()


def test_a_profile_is_kept_listed_shown_and_removed(fairing_azure):
    assert fairing_azure("profile", "set", "team", "--azure-region", "northeurope")[0] == 0
    assert fairing_azure("profile", "set", "team", "--namespace", "team-a")[0] == 0
    assert fairing_azure("profile", "use", "team")[0] == 0
    assert fairing_azure("profile", "list")[1] == "* team\n"
    shown = json.loads(fairing_azure("profile", "show", "team", "--json")[1])
    assert shown == {"azure_region": "northeurope", "namespace": "team-a"}
    assert fairing_azure("profile", "use", "--none")[0] == 0
    assert json.loads(fairing_azure("profile", "list", "--json")[1]) == {"profiles": ["team"], "active": None}
    assert fairing_azure("profile", "remove", "team")[0] == 0
    assert fairing_azure("profile", "show", "team")[0] == 3


def test_install_fairing_says_when_there_is_nothing_to_do(fairing_azure):
    code, out, _ = fairing_azure("install-fairing")

    assert code == 0
    assert "nothing to do" in out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_of_the_shell(fairing_azure, shell, tmp_path):
    code, out, _ = fairing_azure("completion", shell)

    assert code == 0
    assert "_FAIRING_AZURE_COMPLETE" in out
    if shutil.which(shell):
        (tmp_path / "script").write_text(out)
        subprocess.run([shell, "-n", str(tmp_path / "script")], check=True)


def test_a_shell_gets_commands_options_values_and_paths(tmp_path):
    (tmp_path / "values.yaml").write_text("")
    (tmp_path / "folder").mkdir()

    def completed(*words):
        asked = {"_FAIRING_AZURE_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(["fairing-azure", *words])}
        command = [sys.executable, "-m", "fairing_az_jupyter"]
        environ = {**os.environ, **asked, "COMP_CWORD": str(len(words))}
        done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    assert completed("sec") == ["plain,secrets"]
    assert completed("sweep", "res") == ["plain,resume"]
    assert completed("run", "--cell") == ["plain,--cell-timeout"]
    assert completed("check", "--backend", "Loc") == ["plain,LocalBackend"]
    for option in ("-f", "--parameters-file", "-o", "--output"):
        assert completed("run", option, "va") == ["plain,values.yaml"]
    assert completed("run", "--cwd", "fo") == ["dir,fo"]
    assert completed("run", "--cwd", "va") == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is missing; install it")
def test_bash_completes_by_the_script(fairing_azure, tmp_path):
    (tmp_path / "script").write_text(fairing_azure("completion", "bash")[1])
    (tmp_path / "fairing-azure").write_text(f"#!/bin/sh\nexec {sys.executable} -m fairing_az_jupyter\n")
    (tmp_path / "fairing-azure").chmod(0o755)
    complete = """
    source ./script
    COMP_WORDS=(fairing-azure runs can) COMP_CWORD=2
    $(complete -p fairing-azure | sed 's/.*-F \\([^ ]*\\).*/\\1/') ./fairing-azure
    printf '%s\\n' "${COMPREPLY[@]}"
    """

    done = subprocess.run(["bash", "-c", complete], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["cancel"]
