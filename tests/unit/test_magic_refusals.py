"""What can't be understood or done in a cell: one line with the nearest right one, and nothing changes."""

from __future__ import annotations

import os

import nbformat
import pytest
from jupyter_client.manager import KernelManager

from tests.unit.magics_scene import Kernel

DEFINE = """
%load_ext fairing_az_jupyter
FAIRING_BACKEND = 'LocalBackend'
class HousingServe:
    def train(self):
        print('trained')
    def predict(self, X, feature_names=None):
        return X
class Served:
    def predict(self, X, feature_names=None):
        return X
def work():
    print('worked')
def needs(argument):
    print(argument)
x = 3
"""
SECRET = "Qx8~marked-value-of-a-SECRET"
# What is typed, and what its one line has to name: the nearest right one, what is expected, or what there is.
REFUSED = [
    ("chekc", "'check'"),
    ("trian HousingServe", "'train'"),
    ("stauts", "'status'"),
    ("secret create", "'secrets'"),
    ("profil list", "'profile'"),
    ("pannel", "'panel'"),
    ("exmaple", "'example'"),
    ("depoly HousingServe", "'deploy'"),
    ("--check", "'check'"),
    ("check --profle team-a", "'--profile'"),
    ("check --profile taem-a", "team-a"),
    ("check nb.ipnb", "Notebook 'nb.ipnb' not found"),
    ("check --namespce x", "'--namespace'"),
    ("secrets", "create, rotate, attach or show"),
    ("secrets crate", "'create'"),
    ("secrets create --from-evn", "'--from-env'"),
    ("secrets create --acr --expires tomorrow", "--expires takes a day, YYYY-MM-DD"),
    ("secrets rotate extra words", "takes NOTEBOOK"),
    ("secrets create --from-file -", "--from-file FILE"),
    (f"secrets create --client-secret {SECRET}", "--from-env"),
    (f"secrets create AZ_CLIENT_SECRET={SECRET}", "--from-file FILE"),
    ("settings --explian", "'--explain'"),
    ("settings nosuch.ipynb", "Notebook 'nosuch.ipynb' not found"),
    ("settings --backend Local", "'LocalBackend'"),
    ("settings --docker-registry https://foo", "contosoml.azurecr.io"),
    ("settings --azure-storage-account UPPER", "'upper'"),
    ("profile", "list, show, set, remove or use"),
    ("profile us team-a", "'use'"),
    ("profile show nosuch", "team-a"),
    ("profile set team/a --backend LocalBackend", "team-a"),
    ("profile set team-b", "--docker-registry"),
    ("profile remove nosuch", "team-a"),
    ("profile use", "NAME or --none"),
    ("fill --docker-registy contoso.azurecr.io", "'--docker-registry'"),
    ("fill nosuch.ipynb --backend LocalBackend", "Notebook 'nosuch.ipynb' not found"),
    ("fill nb.ipynb --backend KubeflowBackend", "'KubeflowAzureBackend'"),
    ("train", "HousingServe, work"),
    ("train HousingSrve", "'HousingServe'"),
    ("train Served", "def train(self)"),
    ("train x", "class or function"),
    ("train nosuch.py:HousingServe", "FILE.py:CLASS"),
    ("train HousingServe --input-file data.csv", "'--input-files'"),
    ("train HousingServe --input-files dta.csv", "'data.csv'"),
    ("train HousingServe --deadline soon", "whole seconds, at least 1"),
    ("train HousingServe --output-map a", "SRC=DST"),
    ("train HousingServe --memory lots", "'8Gi'"),
    ("train HousingServe 'unclosed", "Close it"),
    ("deploy work", "class"),
    ("deploy HousingServ", "'HousingServe'"),
    ("predict", "NAME, DATA"),
    ("predict nosuch '[[1, 2]]'", "No endpoint 'nosuch' found on this machine"),
    ("predict nosuch dat.csv", "File 'dat.csv' can't be read"),
    ("predict http://127.0.0.1:9/predict '[[1, \"many\"]]'", "'many', which is not a number"),
    ("logs", "NAME"),
    ("logs nosuch --tail -1", "a whole number, 0 or more"),
    ("logs nosuch --folow", "'--follow'"),
    ("status nosuch extra", "takes NAME"),
    ("delete", "NAME"),
    ("delete nosuch", "No endpoint 'nosuch' found on this machine"),
    ("cleanup --everybody", "'--everyone'"),
    ("run", "NOTEBOOK"),
    ("run nosuch.ipynb", "Notebook 'nosuch.ipynb' not found"),
    ("run nb.ipynb -p ROUND 3", "'ROUNDS'"),
    ("run nb.ipynb -p ROUNDS three", "-p ROUNDS 3"),
    ("run nb.ipynb -p ROUNDS", "needs a value: NAME VALUE"),
    (f"run nb.ipynb -p AZ_CLIENT_SECRET {SECRET}", "looks like a secret"),
    ("run nb.ipynb --cell-timout 3", "'--cell-timeout'"),
    ("run nb.ipynb --cell-timeout -3", "seconds, more than 0"),
    ("run nb.ipynb --input-files data.csv", "--on-cluster"),
    ("launch nosuch.ipynb", "Notebook 'nosuch.ipynb' not found"),
    ("runs", "list, show, logs"),
    ("runs shw last", "'show'"),
    ("runs show nosuch", "runs list"),
    ("runs list --state faild", "'failed'"),
    ("runs prune", "--keep N"),
    ("runs compare", "RUN"),
    ("example a b", "takes FOLDER"),
    ("example nb.ipynb", "example FOLDER"),
    ("help trian", "'train'"),
    ("help runs shw", "'show'"),
    ("panel --clsoe", "'--close'"),
    ("panel now", "takes no argument"),
    ("sweep run nb.ipynb", "fairing-azure sweep run --help"),
    ("completion bash", "fairing-azure completion --help"),
    ("install-fairing --dryrun", "'--dry-run'"),
]
CELLS = [
    ("check", "class Later: pass", "Write one % instead of two"),
    ("train", " ", "nothing below this line"),
    ("train", "y = 1", "defines nothing that can be trained"),
    ("train Other", "class Model:\n    def train(self): pass", "'Other' not found in this notebook"),
    ("deploy", "class Model:\n    def train(self): pass", "defines nothing that can be deployed"),
    (
        "train",
        "class A:\n    def train(self): pass\nclass B:\n    def train(self): pass",
        "2 things that can be trained: A, B",
    ),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("refused")
    (found / "data.csv").write_text("a,b\n1,2\n")
    cell = nbformat.v4.new_code_cell("ROUNDS = 3\nFAIRING_BACKEND = 'LocalBackend'", metadata={"tags": ["parameters"]})
    notebook = nbformat.v4.new_notebook(cells=[cell])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, found / "nb.ipynb")
    return found


@pytest.fixture(scope="module")
def kernel(folder):
    started = KernelManager(kernel_name="python3")
    own = {"FAIRING_AZURE_HOME": "home", "FAIRING_AZURE_CONFIG_DIR": "settings", "KUBECONFIG": "no-kubeconfig"}
    started.start_kernel(
        cwd=str(folder), env={**os.environ, **{name: str(folder / value) for name, value in own.items()}}
    )
    client = started.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    opened = Kernel(client)
    opened.run(DEFINE)
    opened.run("%fairing_azure profile set team-a --azure-resource-group team-a-group")
    yield opened
    client.stop_channels()
    started.shutdown_kernel(now=True)


def everything(folder):
    """Return all files with what is in them."""
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def the_line(kernel, folder, code):
    before = everything(folder)
    names = kernel.value("sorted(name for name in globals() if not name.startswith('_'))")

    messages, asked, reply = kernel.run(code)

    assert asked == []
    assert reply["status"] == "error"
    assert [message["msg_type"] for message in messages] == ["error"], messages
    (line,) = "\n".join(messages[0]["content"]["traceback"]).splitlines()
    assert line.startswith("%fairing_azure: ")
    assert SECRET not in line
    assert everything(folder) == before
    return line, names


@pytest.mark.parametrize(("words", "named"), REFUSED, ids=[words for words, _ in REFUSED])
def test_what_can_not_be_done_is_one_line_that_names_the_nearest_right_one(kernel, folder, words, named):
    line, names = the_line(kernel, folder, f"%fairing_azure {words}")

    assert named in line
    assert kernel.value("sorted(name for name in globals() if not name.startswith('_'))") == names


@pytest.mark.parametrize(("words", "cell", "named"), CELLS, ids=[f"{words} {named}" for words, _, named in CELLS])
def test_a_cell_that_can_not_be_launched_is_one_line(kernel, folder, words, cell, named):
    line, _ = the_line(kernel, folder, f"%%fairing_azure {words}\n{cell}")

    assert named in line


def test_a_secret_of_a_refused_line_stands_in_no_file_of_the_kernel(kernel, folder):
    kernel.run(f"%fairing_azure secrets create --client-secret {SECRET}")

    assert [path for path, data in everything(folder).items() if SECRET.encode() in data] == []
