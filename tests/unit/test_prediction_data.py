"""What is to be predicted, as users have it: CSV files of any origin, and JSON in the forms that are around."""

from __future__ import annotations

import json
import math

import pytest

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.fairing.inventory.prediction_data import read_samples

CSV = {
    "header": (b"a,b\n1,2\n3,4\n", [[1, 2], [3, 4]], ["a", "b"]),
    "no header": (b"1,2\n3,4\n", [[1, 2], [3, 4]], None),
    "windows": (b"\xef\xbb\xbfa;b\r\n1;2\r\n\r\n", [[1, 2]], ["a", "b"]),
    "utf-16": ("a\tb\n1\t2\n".encode("utf-16"), [[1, 2]], ["a", "b"]),
    "quoted": (b'"a, with comma","b\nc"\n"1",2e3\n', [[1, 2000]], ["a, with comma", "b\nc"]),
    "old mac": (b"a,b\r1,2\r", [[1, 2]], ["a", "b"]),
    "one column": (b"a\n1\n2\n", [[1], [2]], ["a"]),
    "delimiter in quotes": (b'"a;b;c","d"\n1,2\n', [[1, 2]], ["a;b;c", "d"]),
    "quoted numbers": (b'a,b\r\n"1","2"\r\n', [[1, 2]], ["a", "b"]),
    "no line end": (b"a,b\n1,2", [[1, 2]], ["a", "b"]),
    "a number among the names": (b"a,b,2020\n1,2,3\n", [[1, 2, 3]], ["a", "b", "2020"]),
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
        ('{"a": [1, 2], "b": [3, 4]}', [[1, 3], [2, 4]], ["a", "b"]),
        ('{"a": {"0": 1, "1": 2}, "b": {"0": 3, "1": 4}}', [[1, 3], [2, 4]], ["a", "b"]),
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
        (b"a,b\n1,x\n", "line 2, column 'b', holds 'x', which is not a number"),
        (b"1,2\n1,x\n", "line 2, column 2, holds 'x', which is not a number"),
        (b"1,2O,3\n4,5,6\n", "line 1, column 2, holds '2O', which is not a number"),
        (b"a,b\n1\n", "line 2, has 1 cells; 2 are expected"),
        (b"a,b\n", "has no rows"),
        (b"", "has no rows"),
        (b"\n\n", "has no rows"),
        (b"\xff\xfea", "is not encoded as"),
        (b"a\n\xe9\n", "is not encoded as UTF-8"),
        (b'a\n"1\n', "is not valid CSV"),
        (b"a\n1_000\n", "holds '1_000', which is not a number"),
    ],
)
def test_a_file_that_holds_no_rows_of_numbers_is_told_with_the_place(content, told, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(content)

    with pytest.raises(InputError, match=rf"rows\.csv'.*{told}") as caught:
        read_samples(str(path))

    assert caught.value.hint


NO_ROWS = ["[1, 'a']", "[", "{}", "[]", '["a"]', "[[1], 2]", "[[1], [2, 3]]", '[{"a": "x"}]', "[[[1]]]", "[" * 100_000]
NO_ROWS += ['{"a": [1, 2], "b": [3]}', '{"a": {"0": 1}, "b": {"1": 2}}', '{"a": []}', '{"a": {}}', '{"a": [[1]]}']


@pytest.mark.parametrize("text", NO_ROWS, ids=lambda text: text[:20])
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


def test_there_are_as_many_rows_as_the_file_has_though_nothing_is_known_of_one(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n1,2\n,\n\n3,NA\n")
    rows = read_samples(str(path)).rows

    assert [[math.isnan(value) for value in row] for row in rows] == [[False] * 2, [True] * 2, [False, True]]
    path.write_text('a\n1\n""\n\n3\n')
    rows = read_samples(str(path)).rows
    assert [math.isnan(value) for (value,) in rows] == [False, True, False]


@pytest.mark.parametrize("missing", ["NA", "N/A", "#N/A", "null", "None", "NaN", "nan", "<NA>", " NA "])
def test_what_stands_for_a_missing_value_makes_no_row_of_names(missing, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(f"1,{missing},3\n4,5,6\n")
    found = read_samples(str(path))

    assert (len(found.rows), found.names) == (2, None)
    assert math.isnan(found.rows[0][1])


def test_a_file_in_the_home_directory_is_found_by_its_short_name(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "rows.csv").write_text("1,2\n")

    assert list(read_samples("~/rows.csv").rows) == [[1, 2]]
