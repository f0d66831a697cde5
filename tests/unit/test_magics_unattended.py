"""`%fairing_azure` in notebooks that nobody looks at while they run, and in VS Code."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import nbformat
import pytest
from jupyter_client.manager import KernelManager

from tests.unit.magics_scene import Kernel

RUNNERS = {
    "papermill": ["-m", "papermill", "nb.ipynb", "done.ipynb"],
    "nbconvert": ["-m", "nbconvert", "--to", "notebook", "--execute", "nb.ipynb", "--output", "done.ipynb"],
    "run": ["-c", "import fairing_az_jupyter; fairing_az_jupyter.run('nb.ipynb', output='done.ipynb')"],
}
# As far as a cluster that lacks everything gets; the real one is asked in tests/cluster/test_commands_notebook.py.
CLUSTER = """from fairing_az_jupyter import services
from fairing_az_jupyter.models import Question
services.create_secrets = lambda session, *, ask, **named: (ask(Question('client_id', 'Client id:')),)"""
CELLS = {
    "load": "%load_ext fairing_az_jupyter",
    "settings": "FAIRING_BACKEND = 'LocalBackend'",
    "class": """class Model:
    def train(self):
        for step in range(5_000):
            print(f'[{step}] train-rmse:{1 / (step + 1):.6f}')
    def predict(self, X, feature_names=None):
        return X.sum(axis=1)""",
    "check": "%fairing_azure check",
    "train": "job = %fairing_azure train Model",
    "trained": "print(job.name, job.metrics['train-rmse'][-1])",
    "deploy": "endpoint = %fairing_azure deploy Model",
    "predict": "found = %fairing_azure predict {endpoint.name} '[[1, 2], [3, 4]]'",
    "predicted": "print(list(found))",
    "status": "%fairing_azure status",
    "delete": "%fairing_azure delete {endpoint.name}",
    "deleted": "print(endpoint.answers())",
    "panel": "%fairing_azure panel",
}


def environment(folder):
    """Return the environment of a user whose files are all below a folder, and who has no cluster."""
    places = {
        "FAIRING_AZURE_HOME": "home",
        "FAIRING_AZURE_CONFIG_DIR": "settings",
        "IPYTHONDIR": "ipython",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTER_CONFIG_DIR": "jupyter",
        "KUBECONFIG": "no-kubeconfig",
    }
    left_out = ("AZ_", "AZURE_", "DOCKER_", "FAIRING_", "KUBE", "JPY_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return environ | {name: str(folder / place) for name, place in places.items()}


def python(folder, *words):
    given = {"cwd": folder, "env": environment(folder), "stdin": subprocess.DEVNULL}
    command = [sys.executable, *words]
    return subprocess.run(command, **given, capture_output=True, text=True, timeout=120, check=False)


def execute(runner, folder, *sources):
    """Run a notebook as somebody does who does not stay before it."""
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), folder / "nb.ipynb")
    return python(folder, *RUNNERS[runner])


class Executed:
    """A notebook after its run."""

    def __init__(self, path):
        self.path = path
        notebook = nbformat.read(path, as_version=4)
        self.metadata = notebook.metadata
        # Papermill adds cells of its own.
        wanted = {source: name for name, source in CELLS.items()}
        self.outputs = {wanted[cell.source]: cell.outputs for cell in notebook.cells if cell.source in wanted}

    def printed(self, cell):
        """Return what a cell has printed."""
        return "".join(output.text for output in self.outputs[cell] if output.output_type == "stream")

    def shown(self, cell, kind="text/plain"):
        """Return the one display of a cell."""
        (output,) = (output for output in self.outputs[cell] if "data" in output)
        return output.data[kind]


@pytest.fixture(scope="module", params=RUNNERS)
def executed(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    done = execute(request.param, folder, *CELLS.values())
    assert done.returncode == 0, done.stdout + done.stderr
    return Executed(folder / "done.ipynb")


def test_a_notebook_without_a_person_checks_trains_serves_predicts_and_deletes(executed):
    job, *last = executed.printed("trained").split(maxsplit=1)

    assert re.fullmatch(r"fairing-job-[0-9a-f]{8}", job)
    assert last == ["(4999, 0.0002)\n"]
    assert executed.printed("predicted") == "[3, 7]\n"
    assert executed.printed("deleted") == "False\n"
    assert "Ready to launch." in executed.shown("check")


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("check", "Settings"),
        ("train", "Training Model on LocalBackend"),
        ("deploy", "Deploying Model on LocalBackend"),
        ("predict", "PREDICTION"),
        ("status", "fairing-endpoint-"),
        ("delete", "is deleted"),
    ],
)
def test_each_display_is_left_as_a_static_summary_in_html_and_in_plain_text(executed, cell, said):
    (output,) = (output for output in executed.outputs[cell] if "data" in output)
    html = "".join(ET.fromstring(re.sub("<details open>", "<details>", output.data["text/html"])).itertext())  # noqa: S314 - our own

    assert set(output.data) == {"text/html", "text/plain"}
    assert said in output.data["text/plain"]
    assert said in html
    assert "running" not in output.data["text/plain"]


def test_a_training_ends_as_its_last_lines_and_a_link_to_all_of_them(executed):
    assert "  Output, last 20 of 5,003 lines:\n" in executed.shown("train")
    assert "| [4999] train-rmse:0.000200\n" in executed.shown("train")
    (link,) = re.findall('<a href="([^"]+)">', executed.shown("train", "text/html"))
    log = (executed.path.parent / link).read_text()
    assert [line for line in log.splitlines() if line.startswith("[")][::4_999] == [
        "[0] train-rmse:1.000000",
        "[4999] train-rmse:0.000200",
    ]


def test_the_panel_is_left_out_with_one_message(executed):
    (output,) = executed.outputs["panel"]

    assert output.output_type == "stream"
    assert output.text.startswith("This notebook runs unattended, so the panel is left out. ")
    assert len(output.text.splitlines()) == 1


def test_no_widget_is_left_in_the_executed_notebook(executed):
    assert "widgets" not in executed.metadata
    assert "application/vnd.jupyter" not in executed.path.read_text()


def test_the_executed_notebook_stays_small(executed):
    assert executed.path.stat().st_size < 64_000


def test_a_page_that_is_made_of_it_shows_the_job_and_the_tables(executed):
    done = python(executed.path.parent, "-m", "nbconvert", "--to", "html", "done.ipynb")
    assert done.returncode == 0, done.stderr
    page = executed.path.with_suffix(".html").read_text()

    job = executed.printed("trained").split()[0]
    assert re.search(
        rf"<strong>Training Model</strong> on LocalBackend <span[^>]*>✓ succeeded</span>[^<]*· {job}<", page
    )
    assert "train-rmse from step 0 to step 4999" in page
    assert re.search(r'<th scope="col"[^>]*>PREDICTION</th>', page)
    assert re.search(r'<th scope="row"[^>]*>fairing-endpoint-[0-9a-f]{8}</th>', page)


NOBODY_TO_ASK = (
    "The values can't be asked for: this notebook runs unattended. "
    "Use --from-env (environment variables) or --from-file FILE instead."
)
NOBODY_TO_FILL = (
    "This notebook runs unattended, so its parameters cell can't be filled. "
    "In a terminal: fairing-azure fill NOTEBOOK --docker-registry contoso.azurecr.io"
)


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize(
    ("words", "said"),
    [("secrets create", NOBODY_TO_ASK), ("fill --docker-registry contoso.azurecr.io", NOBODY_TO_FILL)],
    ids=["secrets", "fill"],
)
def test_what_needs_a_person_ends_the_run_with_one_line_that_names_the_other_way(runner, words, said, tmp_path):
    done = execute(runner, tmp_path, CELLS["load"], CLUSTER, f"%fairing_azure {words}")

    assert done.returncode != 0
    assert said in done.stderr
    if runner != "nbconvert":
        # nbconvert keeps no notebook whose run has failed.
        outputs = [each for cell in nbformat.read(tmp_path / "done.ipynb", 4).cells for each in cell.get("outputs", ())]
        (error,) = (output for output in outputs if output.output_type == "error")
        assert error.traceback == [f"%fairing_azure: {said}"]


class VisualStudioCode:
    """A notebook of VS Code: it names its file to the kernel, and has no session of a server."""

    def __init__(self, client, kernel, folder):
        self._client, self._kernel, self.path = client, kernel, folder / "nb.ipynb"

    def begin(self, cell=None, newline="\n", inner="\n"):
        """Open a notebook in a kernel that has forgotten everything; with a parameters cell, it is saved first."""
        self.path.unlink(missing_ok=True)
        if cell is not None:
            notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell.replace("\n", inner))])
            notebook.cells[0].metadata["tags"] = ["parameters"]
            self.path.write_bytes(json.dumps(notebook, indent=1).replace("\n", newline).encode())
        self._kernel.run("%reset -f in")
        self._kernel.run("%reset -sf")
        # As VS Code does it at the start of a kernel.
        self._client.execute(f"__vsc_ipynb_file__ = {str(self.path)!r}", silent=True)
        self.run(CELLS["load"])

    def run(self, code):
        """Run a cell; return what it says, and the cell that it offers."""
        messages, _, reply = self._kernel.run(code)
        assert reply["status"] == "ok", messages
        printed = "".join(each["content"].get("text", "") for each in messages)
        offered = [each["text"] for each in reply["payload"] if each["source"] == "set_next_input"]
        return printed, offered


@pytest.fixture(scope="module")
def vscode(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vscode")
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(folder), env=environment(folder))
    client = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    yield VisualStudioCode(client, Kernel(client), folder)
    client.stop_channels()
    manager.shutdown_kernel(now=True)


FILL = "%fairing_azure fill --docker-registry contoso.azurecr.io"
PARAMETERS = "# mine\nDOCKER_REGISTRY = None  # where\nN = 3"
FILLED = "# mine\nDOCKER_REGISTRY = 'contoso.azurecr.io'  # where\nN = 3"


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["Linux", "Windows"])
def test_vs_code_is_offered_the_filled_cell_and_its_file_stays_as_it_is(vscode, newline):
    vscode.begin(PARAMETERS, newline=newline)
    before, changed = vscode.path.read_bytes(), vscode.path.stat().st_mtime_ns

    printed, offered = vscode.run(FILL)

    assert offered == [FILLED]
    assert "+DOCKER_REGISTRY = 'contoso.azurecr.io'  # where\n" in printed
    assert "Replace the parameters cell with this one, and run it. 'nb.ipynb' was not changed." in printed
    assert (vscode.path.read_bytes(), vscode.path.stat().st_mtime_ns) == (before, changed)


def test_a_cell_with_the_line_ends_of_windows_keeps_its_lines(vscode):
    vscode.begin(PARAMETERS, inner="\r\n")
    before = vscode.path.read_bytes()

    _, (offered,) = vscode.run(FILL)

    assert offered.splitlines() == FILLED.splitlines()
    assert vscode.path.read_bytes() == before


def test_the_offered_cell_sets_what_was_filled_in(vscode):
    vscode.begin(PARAMETERS)

    _, (offered,) = vscode.run(FILL)
    vscode.run(offered)

    assert json.loads(vscode.run("%fairing_azure settings --json")[0])["docker_registry"] == "contoso.azurecr.io"


def test_a_notebook_that_was_never_saved_is_known_by_the_cell_that_was_run(vscode):
    vscode.begin()
    vscode.run("DOCKER_REGISTRY = 'an-older.azurecr.io'")
    vscode.run(PARAMETERS)
    vscode.run("print(DOCKER_REGISTRY)")

    printed, offered = vscode.run(FILL)

    assert offered == [FILLED]
    assert "Replace the parameters cell with this one, and run it." in printed
    assert not vscode.path.exists()


def test_where_no_cell_sets_anything_a_new_one_is_offered(vscode):
    vscode.begin()

    printed, offered = vscode.run(f"{FILL} --azure-resource-group contoso-ml")

    assert sorted(offered[0].splitlines()) == [
        "AZURE_RESOURCE_GROUP = 'contoso-ml'",
        "DOCKER_REGISTRY = 'contoso.azurecr.io'",
    ]
    assert "Tag this cell 'parameters' and run it." in printed


def test_a_look_at_what_would_change_offers_no_cell(vscode):
    vscode.begin(PARAMETERS)

    printed, offered = vscode.run(f"{FILL} --dry-run")

    assert "+DOCKER_REGISTRY = 'contoso.azurecr.io'" in printed
    assert offered == []


def test_where_nothing_would_change_that_is_all_that_is_said(vscode):
    vscode.begin(FILLED)

    assert vscode.run(FILL) == ("The parameters cell already has these values. Nothing to change.\n", [])
