"""Words of a command line that look like options and are values."""

from __future__ import annotations

import pytest

from fairing_az_jupyter.frontends import cli
from fairing_az_jupyter.frontends.command_line.parsing import parse
from fairing_az_jupyter.frontends.command_line.usage_errors import CommandLineError


@pytest.mark.kernel
@pytest.mark.parametrize("value", ["-1e-3", "-abc", "--", "-p", "--json", "-", "", "-0x1", "--cwd=x"])
@pytest.mark.parametrize("flag", ["-p", "--parameter"])
def test_any_word_can_be_a_parameters_value(flag, value):
    parsed = parse(["run", flag, "A", "1", flag, "B", value, "train.ipynb", "--json"])

    assert parsed.request.parameters == (("A", "1"), ("B", value))
    assert parsed.request.notebook == "train.ipynb"
    assert parsed.json


def test_a_run_without_parameters_has_none():
    assert parse(["run", "train.ipynb"]).request.parameters == ()


def test_a_notebook_behind_two_dashes_may_look_like_an_option():
    parsed = parse(["run", "-p", "A", "1", "--", "-p"]).request

    assert parsed.notebook == "-p"
    assert parsed.parameters == (("A", "1"),)


@pytest.mark.parametrize("words", [["-p"], ["-p", "A"], ["-p", "A", "1", "--parameter", "B"]])
def test_a_missing_word_is_a_usage_error(words, capsys):
    assert cli.main(["run", "train.ipynb", *words]) == 2
    assert "needs a value: NAME VALUE." in capsys.readouterr().err


def test_other_commands_have_no_parameters(capsys):
    assert cli.main(["fill", "train.ipynb", "-p", "A", "1"]) == 2
    assert "-p" in capsys.readouterr().err


def test_a_line_of_a_magic_that_is_refused_names_no_value():
    with pytest.raises(CommandLineError) as caught:
        parse(["train", "Model", "--passwort", "hunter2Qx8~marked-VALUE"], program="%fairing_azure")

    assert "hunter2" not in str(caught.value)
