"""What is to be predicted, as users have it: CSV files of any origin, and JSON in the forms that are around."""

from __future__ import annotations

import json
import math

import pytest

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.fairing.prediction_data import read_samples

CSV = {
    "header": (b"a,b\n1,2\n3,4\n", [[1, 2], [3, 4]], ["a", "b"]),
    "no header": (b"1,2\n3,4\n", [[1, 2], [3, 4]], None),
    "windows": (b"\xef\xbb\xbfa;b\r\n1;2\r\n\r\n", [[1, 2]], ["a", "b"]),
    "utf-16": ("a\tb\n1\t2\n".encode("utf-16"), [[1, 2]], ["a", "b"]),
    "quoted": (b'"a, with comma","b\nc"\n"1",2e3\n', [[1, 2000]], ["a, with comma", "b\nc"]),
    "old mac": (b"a,b\r1,2\r", [[1, 2]], ["a", "b"]),
    "one column": (b"a\n1\n2\n", [[1], [2]], ["a"]),
    "blanks": (b" a , b \n 1 , -2 \n", [[1, -2]], ["a", "b"]),
}


@pytest.mark.parametrize("case", CSV)
def test_rows_of_a_csv_file_are_read_however_it_was_saved(case, tmp_path):
    content, rows, names = CSV[case]
    path = tmp_path / "rows.csv"
    path.write_bytes(content)

    found = read_samples(str(path))

    assert ([list(row) for row in found.rows], found.names) == (rows, names)


def test_an_empty_cell_and_null_are_missing_values(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n1,\n,2\n")

    rows = read_samples(str(path)).rows

    assert [[math.isnan(value) for value in row] for row in rows] == [[False, True], [True, False]]
    assert math.isnan(read_samples("[[1, null]]").rows[0][1])


@pytest.mark.parametrize(
    ("text", "rows", "names"),
    [
        ("[[1, 2], [3, 4.5]]", [[1, 2], [3, 4.5]], None),
        ("[1, 2, 3]", [[1, 2, 3]], None),
        (' [{"a": 1, "b": true}, {"b": 3, "a": 2}]', [[1, True], [2, 3]], ["a", "b"]),
        ('{"a": 1, "b": 2}', [[1, 2]], ["a", "b"]),
        ('{"instances": [[1], [2]]}', [[1], [2]], None),
        ('{"columns": ["a"], "index": [0], "data": [[7]]}', [[7]], ["a"]),
    ],
)
def test_rows_of_json_are_read_in_the_forms_that_are_around(text, rows, names, tmp_path):
    (tmp_path / "rows.json").write_text(text, encoding="utf-8-sig")

    for data in (text, str(tmp_path / "rows.json")):
        found = read_samples(data)
        assert ([list(row) for row in found.rows], found.names) == (rows, names)


def test_a_whole_message_is_sent_as_it_is():
    message = {"data": {"names": ["a"], "ndarray": [[1]]}, "meta": {"puid": "x"}}

    assert read_samples(json.dumps(message)).message == message


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"a,b\n1,x\n", "line 2, column 'b', holds 'x', which is no number"),
        (b"1,2\n1,x\n", "line 2, column 2, holds 'x', which is no number"),
        (b"a,b\n1\n", "line 2, has 1 cells; 2 are expected"),
        (b"a,b\n", "has no rows"),
        (b"", "has no rows"),
        (b"\n\n", "has no rows"),
        (b"\xff\xfea", "is not encoded as"),
        (b"a\n\xe9\n", "is not encoded as UTF-8"),
        (b'a\n"1\n', "is no CSV that can be read"),
        (b"a\n1_000\n", "holds '1_000', which is no number"),
    ],
)
def test_a_file_that_holds_no_rows_of_numbers_is_told_with_the_place(content, told, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(content)

    with pytest.raises(InputError, match=rf"rows\.csv'.*{told}") as caught:
        read_samples(str(path))

    assert caught.value.hint


@pytest.mark.parametrize(
    "text", ["[1, 'a']", "[", "{}", "[]", '["a"]', "[[1], 2]", "[[1], [2, 3]]", '[{"a": "x"}]', "[[[1]]]"]
)
def test_json_that_is_no_rows_of_numbers_is_an_input_error(text):
    with pytest.raises(InputError) as caught:
        read_samples(text)

    assert caught.value.hint


def test_a_file_that_is_not_there_is_told_as_such(tmp_path):
    with pytest.raises(InputError, match="can't be read: No such file"):
        read_samples(str(tmp_path / "none.csv"))
    with pytest.raises(InputError, match="can't be read: Is a directory"):
        read_samples(str(tmp_path))
    with pytest.raises(InputError, match="can't be read"):
        read_samples("a\0b.csv")
