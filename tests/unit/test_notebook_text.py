"""The notebook's JSON text: what a fill leaves as it is, and how it writes what is new."""

from __future__ import annotations

import json
import sys

import nbformat
import pytest

from fairing_az_jupyter.exceptions import NotebookFileError
from fairing_az_jupyter.parameters import plan_fill_text, read_parameters_text


def code(source, *, tag="parameters", **more):
    metadata = {"tags": [tag]} if tag else {}
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": metadata,
        "outputs": [],
        "source": source,
    } | more


def notebook(*cells, minor=4):
    return {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": minor}


def text_of(*cells, indent=1, minor=4, **options):
    return json.dumps(notebook(*cells, minor=minor), indent=indent, **options) + "\n"


def filled(text, **values):
    return plan_fill_text(text, values).new_text


def test_only_the_element_with_the_line_changes_in_a_list_source():
    text = text_of(code(["A = 1\n", "s = '\u00e9/'\n", "B = 2"])).replace("/", "\\/")
    assert filled(text, B=3) == text.replace('"B = 2"', '"B = 3"')
    assert "'\\u00e9\\/'" in filled(text, B=3)


def test_only_the_value_changes_in_a_text_source_and_escapes_stay():
    text = '{"cells": [%s], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}'
    cell = '{"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": "%s", "outputs": []}'
    before = "s = '\\u0041\\/\\ud83d\\ude00\\t'\\nA = '\\u0042' \\u0023 c\\nt = '\\/\\u00e9'"
    after = "s = '\\u0041\\/\\ud83d\\ude00\\t'\\nA = 'x' \\u0023 c\\nt = '\\/\\u00e9'"
    assert filled(text % (cell % before), A="x") == text % (cell % after)


def test_an_appended_line_touches_the_last_element_only_to_end_its_line():
    text = text_of(code(["x = 1\n", "y = 2"]))
    assert json.loads(filled(text, A=1))["cells"][0]["source"] == ["x = 1\n", "y = 2\n", "A = 1"]
    assert filled(text, A=1) == text.replace('"y = 2"', '"y = 2\\n",\n    "A = 1"')


def test_an_inserted_line_touches_no_element():
    text = text_of(code(["import A\n", "s = '\\/'\n", "y = 2"])).replace("\\\\/", "\\/")
    assert filled(text, A=1) == text.replace('"import A\\n",\n', '"import A\\n",\n    "A = 1\\n",\n')


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (["A =", " 1\nB", " = 2\n"], ["A =", " 5\n", "B", " = 2\n"]),
        (["A = 1\nB = 2\nC = 3"], ["A = 5\n", "B = 2\n", "C = 3"]),
        (["", "A = 1", ""], ["", "A = 5", ""]),
        (["A = '''", "x\n", "y''' # c", "\n"], ["A = 5 # c", "\n"]),
        ([], ["A = 5"]),
        ([""], ["A = 5"]),
        (["x = 1\n", ""], ["x = 1\n", "A = 5\n"]),
        (["x = 1\r\n", "A = 1\r\n"], ["x = 1\r\n", "A = 5\r\n"]),
    ],
)
@pytest.mark.parametrize("indent", [None, 1])
def test_a_list_may_be_split_anywhere(parts, expected, indent):
    text = text_of(code(parts), indent=indent)
    new = filled(text, A=5)
    assert json.loads(new) == notebook(code(expected))
    assert new == text_of(code(expected), indent=indent)


def test_an_empty_list_is_filled_in_the_style_of_the_file():
    text = text_of(code([]), indent=2)
    assert filled(text, A=1, B="x") == text_of(code(["A = 1\n", "B = 'x'"]), indent=2)


@pytest.mark.parametrize("separators", [None, (",", ":"), (" , ", " : ")])
@pytest.mark.parametrize("indent", [None, 0, 1, 2, 4, "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_every_layout_is_kept_and_a_new_cell_takes_it_on(separators, indent, newline, start):
    if indent is not None and separators == (" , ", " : "):
        separators = (",", " : ")
    options = {"indent": indent, "separators": separators}
    others = [code(["import x\n", "import y"], tag=None), code("x.y", tag=None)]
    before = (start + text_of(*others, **options)).replace("\n", newline)
    new = code(["A = 1\n", "B = 'x'"])
    expected = (start + text_of(others[0], new, others[1], **options)).replace("\n", newline)
    if separators == (" , ", " : "):
        assert json.loads(filled(before, A=1, B="x").removeprefix("\ufeff")) == notebook(others[0], new, others[1])
    else:
        assert filled(before, A=1, B="x") == expected


@pytest.mark.parametrize("indent", [None, 1, 2, "\t"])
@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_new_cell_goes_first_between_or_last_without_touching_its_neighbours(indent, position):
    cells = [code("import x", tag=None), code("import y", tag=None)]
    if position < 2:
        cells[position]["source"] = "work()"
    cells[1 if position == 0 else 0]["execution_count"] = 7
    expected = [*cells[:position], code("A = 1"), *cells[position:]]
    assert filled(text_of(*cells, indent=indent), A=1) == text_of(*expected, indent=indent)


@pytest.mark.parametrize("indent", [None, 1, 4, "\t"])
@pytest.mark.parametrize("minor", [0, 1, 2, 3, 4, 5])
def test_a_notebook_without_cells_gets_one(indent, minor):
    text = text_of(indent=indent, minor=minor)
    new = filled(text, A=1)
    expected = code(["A = 1"])
    if minor == 5:
        expected = {"cell_type": "code", "execution_count": None, "id": "parameters"} | expected
    assert new == text_of(expected, indent=indent, minor=minor)
    nbformat.validate(json.loads(new))


def test_a_new_cells_id_is_its_own():
    cells = [code("x", tag=None, id="parameters"), code("y", tag=None, id="parameters-2")]
    new = json.loads(filled(text_of(*cells, minor=5), A=1))
    assert [cell["id"] for cell in new["cells"]] == ["parameters-3", "parameters", "parameters-2"]
    nbformat.validate(new)


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize(
    "sheets",
    [
        [],
        [{"cells": []}],
        [{"cells": [{"cell_type": "heading", "level": 1, "source": "T"}]}],
        [
            {
                "cells": [
                    {"cell_type": "code", "input": ["import x"], "language": "python", "outputs": []},
                    {"cell_type": "code", "input": "x.y", "language": "python", "outputs": [], "prompt_number": 3},
                ],
                "metadata": {},
            },
            {"metadata": {}, "cells": []},
        ],
    ],
)
def test_an_nbformat_3_notebook_gets_a_valid_cell(sheets, indent):
    before = {"metadata": {"name": ""}, "nbformat": 3, "nbformat_minor": 0, "worksheets": sheets}
    new = filled(json.dumps(before, indent=indent), A=1)
    nbformat.validate(json.loads(new))
    assert read_parameters_text(new).values == {"A": 1}
    assert not plan_fill_text(new, {"A": 1}).changed


def test_an_nbformat_3_cell_is_filled_in_any_worksheet():
    tagged = {"cell_type": "code", "input": ["A = 1"], "language": "python", "outputs": []}
    tagged["metadata"] = {"tags": ["parameters"]}
    sheets = [{"cells": [{"cell_type": "markdown", "source": "x"}]}, {"cells": [tagged]}]
    text = json.dumps({"metadata": {}, "nbformat": 3, "nbformat_minor": 0, "worksheets": sheets}, indent=2)
    plan = plan_fill_text(text, {"A": 2})
    assert plan.new_text == text.replace("A = 1", "A = 2")
    assert plan.edits[0].cell_index == 1


def test_new_text_is_escaped_where_the_file_escapes():
    text = text_of(code(["A = 1\n", "# é"]), ensure_ascii=True)
    assert filled(text, A="ü😀") == text.replace("A = 1", "A = '\\u00fc\\ud83d\\ude00'")


def test_new_text_is_raw_where_the_file_is_raw_or_ascii():
    for comment in ("# é", "# e", "# \\\\u00e9"):
        text = text_of(code(["A = 1\n", comment]), ensure_ascii=False)
        assert filled(text, A="ü😀") == text.replace("A = 1", "A = 'ü😀'")


def test_of_repeated_keys_the_last_counts_as_in_json():
    cell = '{"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": "A = 1", "source": ["A = 2"]}'
    text = f'{{"cells": [], "nbformat": 3, "cells": [{cell}], "metadata": {{}}, "nbformat": 4, "nbformat_minor": 4}}'
    assert filled(text, A=3) == text.replace("A = 2", "A = 3")


def test_strange_but_valid_white_space_stays():
    text = '\ufeff \r\n{"nbformat":4 ,"cells" :\t[\r{"source" : [ "A = 1\\n" , "B = 2" ],"cell_type": "code" ,\n'
    text += '"metadata":{"tags":["parameters"]}} ] , "metadata":{},"nbformat_minor" : 4 }\t\n\n'
    assert filled(text, B=3) == text.replace("B = 2", "B = 3")


def test_other_cells_keep_numbers_and_escapes_that_json_would_rewrite():
    odd = '{"cell_type":"raw","metadata":{"n":1.0e5,"big":123456789012345678901234567890,"s":"\\ud800\\/"},"source":[]}'
    cell = json.dumps(code("A = 1"))
    text = f'{{"cells":[{odd}, {cell}],"metadata":{{"x":NaN}},"nbformat":4,"nbformat_minor":4}}'
    assert filled(text, A=2) == text.replace("A = 1", "A = 2")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1, column 1"),
        ("{", "line 1, column 2"),
        ('{"cells": [\n  {"a": 1,}\n]}', "line 2"),
        ('{"cells": [}', "line 1, column 12"),
        ('{"cells": [] "nbformat": 4}', "delimiter"),
        ('{"cells": [], "nbformat": 4, "nbformat_minor": 4, "metadata": {}} x', "Extra data"),
        ("<<<<<<< HEAD\n{}", "line 1, column 1"),
        ('{"cells": "' + "a\nb" + '"}', "control character"),
        ("[" * 100_000, "nested too deeply"),
        ('{"cells": [' + "[" * 100_000, "nested too deeply"),
        ("[]", "no 'nbformat'"),
        ("null", "no 'nbformat'"),
        ("{}", "no 'nbformat'"),
        ('{"name": "package"}', "no 'nbformat'"),
        ('{"nbformat": "4", "cells": []}', "no 'nbformat'"),
        ('{"nbformat": true, "cells": []}', "no 'nbformat'"),
        ('{"nbformat": 2, "worksheets": []}', "nbformat 2"),
        ('{"nbformat": 5, "cells": []}', "nbformat 5"),
        ('{"nbformat": 4}', "no list of cells"),
        ('{"nbformat": 4, "cells": {}}', "no list of cells"),
        ('{"nbformat": 3, "cells": []}', "no list of cells"),
        ('{"nbformat": 4, "cells": [1]}', "not a list of JSON objects"),
        ('{"nbformat": 3, "worksheets": [1]}', "not a list of JSON objects"),
        ('{"nbformat": 3, "worksheets": [{"cells": 1}]}', "not a list of JSON objects"),
        ('{"nbformat": 4, "cells": [], "metadata": {"kernelspec": {"language": "R"}}}', "is in R"),
        ('{"nbformat": 4, "cells": [], "metadata": {"language_info": {"name": "julia"}}}', "is in julia"),
        (text_of(code(None)), "damaged"),
        (text_of(code(["A", 1])), "damaged"),
        (text_of({"cell_type": "code", "metadata": {"tags": ["parameters"]}}), "damaged"),
    ],
)
def test_what_is_no_python_notebook_is_refused_with_the_reason_and_a_cure(text, said):
    for act in (lambda: plan_fill_text(text, {"A": 1}), lambda: read_parameters_text(text)):
        with pytest.raises(NotebookFileError) as caught:
            act()
        assert said in caught.value.message
        assert caught.value.hint


def test_a_number_that_python_refuses_to_read_is_an_error_and_no_crash():
    if not hasattr(sys, "get_int_max_str_digits"):
        pytest.skip("this Python has no limit on digits")
    with pytest.raises(NotebookFileError):
        plan_fill_text('{"nbformat": 4, "cells": [], "metadata": {"n": ' + "1" * 5000 + "}}", {"A": 1})


@pytest.mark.parametrize("language", ["python", "Python", "python3", "ipython"])
def test_a_python_notebook_may_spell_its_language(language):
    text = json.dumps(notebook(code("A = 1")) | {"metadata": {"kernelspec": {"language": language}}})
    assert read_parameters_text(text).values == {"A": 1}
