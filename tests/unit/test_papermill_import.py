"""papermill is imported without what no run needs, and everybody who needs it still gets it."""

from __future__ import annotations

IN_OWN_PROCESS = """
import importlib, sys
from fairing_az_jupyter.runs import papermill_import
papermill_import.in_own_process()
papermill_import.import_papermill()
import jsonschema, nbformat
from papermill import iorw
assert not {"rfc3987_syntax", "papermill.abs", "azure.storage.blob"} & sys.modules.keys()
try:
    nbformat.validate({"cells": [{"cell_type": "code"}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
except nbformat.ValidationError as error:
    print(str(error).splitlines()[0])
jsonschema.validate("a@b.org", {"format": "email"}, format_checker=jsonschema.FormatChecker())
papermill_import.with_blobs()
print(iorw.AzureBlobStore is importlib.import_module("papermill.abs").AzureBlobStore)
print(importlib.import_module("rfc3987_syntax").is_valid_syntax("iri", "https://example.org/\u00e4"))
"""
IN_A_USERS_PROCESS = """
import sys
from fairing_az_jupyter.runs import papermill_import
papermill_import.import_papermill()
import jsonschema
print("iri" in jsonschema.FormatChecker.checkers, "papermill.abs" in sys.modules)
"""


def test_process_of_this_package_spares_the_grammar_and_the_blobs_until_they_are_wanted(run_python):
    assert run_python(IN_OWN_PROCESS).stdout.splitlines() == [
        "'metadata' is a required property",
        "True",
        "True",
    ]


def test_process_of_a_user_has_jsonschema_whole(run_python):
    assert run_python(IN_A_USERS_PROCESS).stdout.split() == ["True", "False"]


def test_run_of_a_notebook_needs_neither(run_python, tmp_path):
    (tmp_path / "a.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    script = (
        "import sys\nfrom fairing_az_jupyter.__main__ import entry\n"
        "sys.argv[1:] = ['run', 'a.ipynb']\nassert entry() == 0\n"
        "print({'rfc3987_syntax', 'papermill.abs', 'papermill'} & sys.modules.keys())"
    )

    assert run_python(script).stdout.splitlines()[-1] == "{'papermill'}"
