"""The examples in the help and in the documents are lines that can be typed."""

from __future__ import annotations

import re
import shlex

import pytest

from fairing_az_jupyter.frontends.command_line.parsing import Page, parse
from fairing_az_jupyter.operations.declaration import MAGIC, PROGRAM
from fairing_az_jupyter.operations.registry import operations
from tests.conftest import REPOSITORY

_LINE = re.compile(r"^(?:\w+ = )?%{1,2}fairing_azure (.+)$", re.MULTILINE)
EXAMPLES = [
    pytest.param(operation, example, program, id=f"{program} {example.words}")
    for operation in operations()
    for program in (MAGIC, PROGRAM)
    for example in operation.examples_for(in_cell=program == MAGIC)
]


@pytest.mark.parametrize(("operation", "example", "program"), EXAMPLES)
def test_an_example_can_be_typed(operation, example, program):
    parsed = parse(shlex.split(example.words), program=program)

    assert isinstance(parsed, Page) == (operation.name == "help")
    assert isinstance(parsed, Page) or parsed.operation is operation


@pytest.mark.parametrize(("operation", "example", "program"), EXAMPLES)
def test_the_help_of_a_command_ends_with_its_examples(operation, example, program):
    page = parse(["help", *operation.name.split()], program=program)

    assert f"  {example.typed(program)}\n" in page.text.partition("\nexamples:\n")[2]


@pytest.mark.parametrize(("program", "place"), [(MAGIC, "magic"), (PROGRAM, "terminal")])
def test_no_command_is_without_an_example(program, place):
    in_cell = program == MAGIC

    assert [each.name for each in operations(place) if not each.examples_for(in_cell=in_cell)] == []


@pytest.mark.parametrize("page", ["README.md", "docs/magics.md", "docs/widget-panel.md"])
def test_the_lines_in_a_document_can_be_typed_into_a_cell(page):
    blocks = re.findall(r"^```\w*\n(.*?)^```$", (REPOSITORY / page).read_text(), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in _LINE.findall(block)]

    assert lines
    for line in lines:
        assert parse(shlex.split(line), program=MAGIC)
