"""Values of parameters as Python literals."""

from __future__ import annotations

import enum
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairing_az_jupyter.exceptions import ParameterError
from fairing_az_jupyter.parameters.literals import read_expression, same_value, write_literal


class Backend(str, enum.Enum):
    LOCAL = "LocalBackend"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("it's", '"it\'s"'),
        ("plain", "'plain'"),
        ('say "hi"', "'say \"hi\"'"),
        ("both ' and \"", "'both \\' and \"'"),
        ("a\nb", "'a\\nb'"),
        ("é", "'é'"),
        ("\ud800", "'\\ud800'"),
        (True, "True"),
        (None, "None"),
        (-3, "-3"),
        (1e100, "1e+100"),
        (math.inf, "float('inf')"),
        (-math.inf, "float('-inf')"),
        (math.nan, "float('nan')"),
        ([], "[]"),
        ((), "()"),
        ((1,), "(1,)"),
        ({"a": [1, (2, None)]}, "{'a': [1, (2, None)]}"),
        (Backend.LOCAL, "'LocalBackend'"),
        (enum.IntEnum("Size", "SMALL").SMALL, "1"),
        (np.float64(0.5), "0.5"),
        (np.str_("x"), "'x'"),
    ],
)
def test_a_value_is_written_as_python_would_print_it(value, text):
    assert write_literal("A", value) == text


def test_a_string_takes_the_quotes_that_it_is_given_unless_that_needs_escapes():
    assert write_literal("A", "it's", quote='"') == '"it\'s"'
    assert write_literal("A", "x", quote='"') == '"x"'
    assert write_literal("A", 'say "x"', quote='"') == "'say \"x\"'"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text() | st.floats(), inner),
        max_leaves=10,
    ),
    st.sampled_from("'\""),
)
def test_what_is_written_reads_back_the_same(value, quote):
    assert same_value(read_expression(write_literal("A", value, quote=quote)), value)


def test_a_huge_integer_is_written_so_that_python_reads_it():
    value = 7**10000
    assert read_expression(write_literal("A", value)) == value


@pytest.mark.parametrize("value", [object(), {1}, b"x", 1j, [lambda: 1], {"k": {1}}, np.arange(2), range(3)])
def test_a_value_without_a_literal_is_refused_by_name_and_type(value):
    with pytest.raises(ParameterError, match="'SECRET_NAME'") as caught:
        write_literal("SECRET_NAME", value)
    assert "type" in caught.value.message
    assert caught.value.hint


def test_a_list_that_contains_itself_is_refused():
    value = []
    value.append(value)
    with pytest.raises(ParameterError, match="contains itself"):
        write_literal("A", value)


def test_a_value_that_python_could_not_parse_again_is_refused():
    value = []
    for _ in range(500):
        value = [value]
    with pytest.raises(ParameterError, match="nested too deeply"):
        write_literal("A", value)


def test_an_unwritable_value_is_not_shown_in_the_error():
    with pytest.raises(ParameterError) as caught:
        write_literal("A", b"hunter2")
    assert "hunter2" not in str(caught.value)
