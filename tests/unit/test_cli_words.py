"""The words of a command line that argparse alone takes for options."""

from __future__ import annotations

import pytest

from fairing_az_jupyter.frontends import cli
from fairing_az_jupyter.frontends.grammar import parser


@pytest.mark.parametrize("value", ["-1e-3", "-abc", "--", "-p", "--json", "-", "", "-0x1", "--cwd=x"])
@pytest.mark.parametrize("flag", ["-p", "--parameter"])
def test_any_word_can_be_a_parameters_value(flag, value):
    parsed = parser.parse(["run", flag, "A", "1", flag, "B", value, "train.ipynb", "--json"])

    assert [tuple(pair) for pair in parsed.parameters] == [("A", "1"), ("B", value)]
    assert parsed.notebook == "train.ipynb"
    assert parsed.json


def test_a_run_without_parameters_has_none():
    assert parser.parse(["run", "train.ipynb"]).parameters == []


def test_a_notebook_behind_two_dashes_may_look_like_an_option():
    parsed = parser.parse(["run", "-p", "A", "1", "--", "-p"])

    assert parsed.notebook == "-p"
    assert parsed.parameters == [["A", "1"]]


@pytest.mark.parametrize("words", [["-p"], ["-p", "A"], ["-p", "A", "1", "--parameter", "B"]])
def test_a_missing_word_is_a_usage_error(words, capsys):
    assert cli.main(["run", "train.ipynb", *words]) == 2
    assert "argument -p/--parameter: expected 2 arguments" in capsys.readouterr().err


def test_other_commands_have_no_parameters(capsys):
    assert cli.main(["fill", "train.ipynb", "-p", "A", "1"]) == 2
    assert "-p" in capsys.readouterr().err
