"""Parameter values from YAML and JSON files."""

from __future__ import annotations

import pytest

from fairing_az_jupyter.exceptions import ParameterError
from fairing_az_jupyter.runs.parameters.values import read_parameters_file


def read(tmp_path, content: str | bytes, name: str = "values.yaml") -> dict[str, object]:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_parameters_file(str(path))


def refused(tmp_path, content: str | bytes, name: str = "values.yaml") -> str:
    with pytest.raises(ParameterError) as caught:
        read(tmp_path, content, name)
    assert name in caught.value.message
    assert caught.value.hint
    return caught.value.message


def test_yaml_mapping_gives_the_values(tmp_path):
    content = (
        "ALPHA: 0.5\nEPOCHS: 3\nREGION: null\nNAME: 'x'\nFLAG: true\nLAYERS: [1, 2]\nMORE:\n  a: 1\nDAY: 2024-01-31\n"
    )

    assert read(tmp_path, content) == {
        "ALPHA": 0.5,
        "EPOCHS": 3,
        "REGION": None,
        "NAME": "x",
        "FLAG": True,
        "LAYERS": [1, 2],
        "MORE": {"a": 1},
        "DAY": "2024-01-31",
    }


def test_json_mapping_gives_the_values(tmp_path):
    content = '{\n\t"ALPHA": 1e-3,\n\t"NAME": "\\u00e9",\n\t"REGION": null}'

    assert read(tmp_path, content, "values.json") == {"ALPHA": 0.001, "NAME": "é", "REGION": None}


@pytest.mark.parametrize("name", ["values.yaml", "values.json"])
def test_windows_line_ends_and_byte_order_mark_are_no_matter(tmp_path, name):
    assert read(tmp_path, b'\xef\xbb\xbf{"A": 1,\r\n "B": "x"}\r\n', name) == {"A": 1, "B": "x"}


@pytest.mark.parametrize(("content", "name"), [("", "v.yaml"), ("# ALPHA: 1\n", "v.yaml"), (" \n", "v.json")])
def test_file_with_nothing_in_it_gives_no_values(tmp_path, content, name):
    assert read(tmp_path, content, name) == {}


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(ParameterError, match=r"Parameters file '.*missing\.yaml' not found"):
        read_parameters_file(str(tmp_path / "missing.yaml"))


def test_folder_is_refused(tmp_path):
    with pytest.raises(ParameterError, match="can't be read"):
        read_parameters_file(str(tmp_path))


@pytest.mark.parametrize(
    ("content", "name"), [("- 1\n", "v.yaml"), ("text", "v.yaml"), ("[1]", "v.json"), ("null", "v.json")]
)
def test_file_that_is_no_mapping_is_refused(tmp_path, content, name):
    assert "not a mapping" in refused(tmp_path, content, name)


@pytest.mark.parametrize(
    ("content", "name", "line"),
    [
        ("A: 1\nB: 2\nA: 3\n", "v.yaml", 3),
        ("A:\n  b: 1\n  b: 2\n", "v.yaml", 3),
        ("A: 1\nB: 2\n'A': 3\n", "v.yaml", 3),
        ('{"A": 1,\n"B": 2,\n"A": 3}', "v.json", 3),
    ],
)
def test_name_that_is_given_twice_is_refused_with_its_line(tmp_path, content, name, line):
    message = refused(tmp_path, content, name)

    assert f"line {line}" in message
    assert "is given twice" in message


@pytest.mark.parametrize("key", ["1", "yes", "null", "1.5", "[a]"])
def test_name_that_is_no_text_is_refused_with_its_line(tmp_path, key):
    message = refused(tmp_path, f"A: 1\n{key}: 2\n")

    assert "line 2" in message
    assert "not text" in message


@pytest.mark.parametrize(
    "value",
    ["!!binary aGk=", "!!set {a, b}", "!!python/object/apply:os.system ['true']", "!!timestamp 2024-01-01", "!mine x"],
)
def test_value_that_is_not_plain_data_is_refused_with_its_line(tmp_path, value):
    message = refused(tmp_path, f"A: 1\nB: {value}\n")

    assert "line 2" in message
    assert "plain data" in message


@pytest.mark.parametrize("content", ["A: &a [1]\nB: *a\n", "A: &a [*a]\n", "A: &a {x: 1}\nB:\n  <<: *a\n"])
def test_alias_is_refused(tmp_path, content):
    assert "line" in refused(tmp_path, content)


@pytest.mark.parametrize(
    ("content", "name"),
    [("A: .nan\n", "v.yaml"), ("A: [-.inf]\n", "v.yaml"), ('{"A": NaN}', "v.json"), ('{"A": 1e999}', "v.json")],
)
def test_number_that_is_not_finite_is_refused(tmp_path, content, name):
    assert "infinite or NaN" in refused(tmp_path, content, name)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("A: 1\nB: [2\nC: 3\n", "v.yaml"),
        ("A: 1\n\tB: 2\n", "v.yaml"),
        ("A: 1\n---\nB: 2\n", "v.yaml"),
        ('{"A": 1,\n}', "v.json"),
        ("A: 1", "v.json"),
    ],
)
def test_broken_file_is_refused_with_the_line(tmp_path, content, name):
    assert "line" in refused(tmp_path, content, name)


@pytest.mark.parametrize(
    "content",
    ["DB_PASSWORD: *hunter2\n", "DB_PASSWORD: !hunter2 x\n", "DB_PASSWORD: @hunter2\n", "DB_PASSWORD: 'hunter2\n"],
)
def test_message_about_a_broken_file_shows_no_value(tmp_path, content):
    assert "hunter2" not in refused(tmp_path, content)


@pytest.mark.parametrize("name", ["v.yaml", "v.json"])
def test_odd_bytes_are_refused(tmp_path, name):
    assert "not UTF-8" in refused(tmp_path, b"A: \xff\xfe\n", name)
    refused(tmp_path, b"A: \x00\n", name)


@pytest.mark.parametrize("name", ["v.yaml", "v.json"])
def test_file_that_is_nested_too_deeply_is_refused(tmp_path, name):
    refused(tmp_path, '{"A": ' * 100_000 + "1" + "}" * 100_000, name)
