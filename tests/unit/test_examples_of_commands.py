"""The examples in the help and in the documents are lines that the grammar understands."""

from __future__ import annotations

import re
import shlex

import pytest

from fairing_az_jupyter.frontends.grammar import parser as grammar
from fairing_az_jupyter.frontends.grammar.examples import EXAMPLES
from fairing_az_jupyter.frontends.grammar.parts import Commands
from tests.conftest import REPOSITORY

CELL = "%fairing_azure"
_LINE = re.compile(r"^(?:\w+ = )?%{1,2}fairing_azure (.+)$", re.MULTILINE)


@pytest.mark.parametrize(
    "example", [each for each in EXAMPLES if each.where != "terminal"], ids=lambda each: each.words
)
def test_an_example_for_a_cell_can_be_typed_into_one(example):
    typed(example.words, CELL)


@pytest.mark.parametrize("example", [each for each in EXAMPLES if each.where != "cell"], ids=lambda each: each.words)
def test_an_example_for_a_terminal_can_be_typed_there(example):
    typed(example.words, grammar.PROGRAM)


def typed(words, program):
    if words.startswith("help"):
        with pytest.raises(SystemExit) as ended:
            grammar.parse(shlex.split(words), program=program)
        assert not ended.value.code
        return
    assert grammar.parse(shlex.split(words), program=program).command == words.split()[0]


@pytest.mark.parametrize("program", [CELL, grammar.PROGRAM])
def test_the_help_of_every_command_ends_with_its_examples(program):
    in_cell = program == CELL
    for example in EXAMPLES:
        if example.where == ("terminal" if in_cell else "cell") or example.words.startswith("help"):
            continue
        parser = grammar.parser(program)
        for word in example.words.split():
            found = next((a.choices for a in parser._actions if isinstance(a.choices, dict)), {})  # noqa: SLF001
            parser = found.get(word, parser)
            if not found:
                break
        assert f"  {example.typed(program)}\n" in parser.format_help()


def leaves(parser):
    """Yield the commands that do something, each by its words."""
    below = [action.choices for action in parser._actions if isinstance(action, Commands)]  # noqa: SLF001
    if not below:
        yield parser
    for choices in below:
        for sub in choices.values():
            yield from leaves(sub)


@pytest.mark.parametrize("program", [CELL, grammar.PROGRAM])
def test_no_command_is_without_an_example(program):
    # In a cell these are refused, and 'panel' is refused in a terminal.
    elsewhere = ("sweep", "completion") if program == CELL else ("panel",)
    without = [
        parser.prog
        for parser in leaves(grammar.parser(program))
        if "\nexamples:\n" not in parser.format_help()
        and not parser.prog.removeprefix(f"{program} ").startswith(elsewhere)
    ]

    assert without == []


@pytest.mark.parametrize("page", ["README.md", "docs/magics.md", "docs/widget-panel.md"])
def test_the_lines_in_a_document_can_be_typed_into_a_cell(page):
    blocks = re.findall(r"^```\w*\n(.*?)^```$", (REPOSITORY / page).read_text(), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in _LINE.findall(block)]

    assert lines
    for line in lines:
        assert grammar.parse(shlex.split(line), program=CELL).command
