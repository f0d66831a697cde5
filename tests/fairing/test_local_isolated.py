"""Jobs and endpoints in environments of their own."""

from __future__ import annotations

import sys

import cloudpickle
import nbformat
import numpy as np
import pytest
from kubeflow.fairing import PredictionEndpoint
from kubeflow.fairing.backends import LocalBackend

from tests.fairing.local_tasks import Prefix, hello, submit

cloudpickle.register_pickle_by_value(sys.modules[__name__])


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.kernel
def test_an_isolated_notebook_runs_in_its_own_environment(in_folder, own_folders, monkeypatch):
    (in_folder / "leak").mkdir()
    (in_folder / "leak" / "leaked.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(in_folder / "leak"))
    (in_folder / "requirements.txt").write_text("")
    source = "import sys, importlib.util\nprint(sys.prefix, importlib.util.find_spec('leaked'))"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]), "train.ipynb")

    submit("train.ipynb", ["requirements.txt"], isolated=True)

    [output] = (own_folders / "fairing-home").rglob("fairing_output_notebook.ipynb")
    printed = nbformat.read(output, as_version=4).cells[0].outputs[0].text
    assert printed.startswith(str(own_folders / "fairing-home" / "environments"))
    assert printed.endswith(" None\n")


@pytest.mark.kernel
def test_requirements_that_name_another_file_change_with_it(in_folder):
    def show():
        from importlib.metadata import version

        print(version("iniconfig"))

    (in_folder / "requirements.txt").write_text("-r base.txt\n")
    versions = []
    for number in ("2.0.0", "2.1.0"):
        (in_folder / "base.txt").write_text(f"iniconfig=={number}\n")
        versions.append(submit(show, ["requirements.txt", "base.txt"], isolated=True).output)

    assert versions == ["2.0.0", "2.1.0"]


@pytest.mark.kernel
def test_an_isolated_environment_has_what_requirements_name_and_is_made_once(in_folder, own_folders):
    (in_folder / "requirements.txt").write_text("iniconfig==2.0.0\n")

    def show():
        from importlib.metadata import version

        import iniconfig  # noqa: F401

        print(version("iniconfig"), sys.prefix)

    first = submit(show, ["requirements.txt"], isolated=True).output.split()
    second = submit(show, ["requirements.txt"], isolated=True).output.split()

    assert first == second
    assert first[0] == "2.0.0"
    assert first[1].startswith(str(own_folders / "fairing-home" / "environments"))


@pytest.mark.kernel
@pytest.mark.timeout(600)
def test_an_endpoint_runs_in_an_isolated_environment(in_folder, own_folders):
    (in_folder / "requirements.txt").write_text("numpy\n")
    endpoint = PredictionEndpoint(Prefix, input_files=["requirements.txt"], backend=LocalBackend(isolated=True))
    endpoint.create()
    try:
        answer = endpoint.predict_nparray(np.zeros((1, 1)))
    finally:
        endpoint.delete()

    assert answer["data"]["ndarray"][0].startswith(str(own_folders / "fairing-home" / "environments"))


@pytest.mark.kernel
def test_requirements_that_can_not_be_installed_leave_nothing(in_folder, own_folders):
    (in_folder / "requirements.txt").write_text("this is no requirement !!\n")

    with pytest.raises(Exception, match=r"requirements can't be installed"):
        submit(hello, ["requirements.txt"], isolated=True)

    folder = own_folders / "fairing-home" / "environments"
    assert [entry.suffix for entry in folder.iterdir()] == [".lock"]
