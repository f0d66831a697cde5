"""Train, list, fetch and deploy in the terminal, in cells, in Python and in the panel: all find the same records."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess

import pytest
from jupyter_client.manager import KernelManager
from playwright.sync_api import expect

from fairing_az_jupyter.records import RunStore
from tests.browser.lab_page import LabPage, write_notebook
from tests.unit.magics_scene import Kernel, view, written

pytestmark = pytest.mark.timeout(600)

NOTEBOOK = "prices/prices.ipynb"
BACKEND = "FAIRING_BACKEND = 'LocalBackend'"
MODEL = """\
from pathlib import Path

class Prices:
    def train(self):
        Path('factor.txt').write_text('2.5')
        return {'rows': 3}

    def predict(self, X, feature_names=None):
        factor = float(Path('factor.txt').read_text())
        return [factor * float(row[0]) + float(row[1]) for row in X]
"""
FILE, CONTENT = "factor.txt", "2.5"
ROWS, PREDICTED = [[2, 1], [4, 0.5]], [6, 10.5]
FACTS = ("id", "kind", "task", "state", "name", "job", "created", "duration")
ENDED = 60_000


class Terminal:
    """What a user types in a terminal of the server."""

    def __init__(self, lab):
        self.lab = lab

    def train(self):
        said = self.lab.command_line("train", f"{NOTEBOOK}:Prices", "--name", "by-terminal")
        return re.search(r"runs show (\S+)", said)[1]

    def records(self):
        return json.loads(self.lab.command_line("runs", "list", "--json"))["runs"]

    def fetch(self, run):
        assert FILE in self.lab.command_line("fetch", run, "--list")
        self.lab.command_line("fetch", run, FILE, "--to", "to-terminal")
        return (self.lab.root / "to-terminal" / FILE).read_text()

    def deploy(self, run):
        """Deploy and predict; the endpoint of this backend is the command's own, and ends with it."""
        command = [self.lab.python, "-m", "fairing_az_jupyter", "deploy", f"{NOTEBOOK}:Prices", "--from", run]
        with subprocess.Popen(
            command,
            cwd=self.lab.root,
            env=self.lab.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                lines = []
                for line in process.stdout:
                    lines.append(line)
                    if found := re.search(r"is ready: (http\S+)", line):
                        said = self.lab.command_line("predict", found[1], json.dumps(ROWS), "--json")
                        return json.loads(said)["values"]
                raise AssertionError("".join(lines))
            finally:
                process.send_signal(signal.SIGINT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(20)
                process.kill()


class Magics:
    """What a user types in cells."""

    def __init__(self, kernel, folder):
        self.kernel, self.folder = kernel, folder

    def run(self, code):
        messages, _, reply = self.kernel.run(code)
        assert reply["status"] == "ok", written(messages)
        return messages

    def train(self):
        shown = view(self.run("job = %fairing_azure train Prices --name by-magic"))
        return re.search(r"runs show (\S+)", shown)[1]

    def records(self):
        self.run("listed = %fairing_azure runs list")
        return self.kernel.value("[run.to_dict() for run in listed]")

    def fetch(self, run):
        self.run(f"paths = %fairing_azure fetch {run} {FILE} --to to-magic")
        (path,) = self.kernel.value("[str(path) for path in paths]")
        return (self.folder / path).read_text()

    def deploy(self, run):
        self.run(f"endpoint = %fairing_azure deploy Prices --from {run}")
        self.run(f"predicted = %fairing_azure predict {{endpoint.name}} '{json.dumps(ROWS)}'")
        predicted = self.kernel.value("list(predicted)")
        self.run("%fairing_azure delete {endpoint.name}")
        return predicted


class Python(Magics):
    """What a user writes with Fairing's own names; records of others it reads by the package's services."""

    def train(self):
        self.run(
            "from kubeflow.fairing import PredictionEndpoint, TrainJob\n"
            "from kubeflow.fairing.backends import LocalBackend\n"
            "from fairing_az_jupyter import services\n"
            "task = TrainJob(Prices, backend=LocalBackend())\n"
            "job = task.submit()"
        )
        return self.kernel.value("job.record")

    def records(self):
        return self.kernel.value("[run.to_dict() for run in services.list_runs(services.Session())]")

    def fetch(self, run):
        assert self.kernel.value("[file.name for file in job.files]") == [FILE]
        opened = f"services.open_output(services.Session(), '{run}', '{FILE}').pieces"
        return self.kernel.value(f"b''.join({opened}).decode()")

    def deploy(self, run):
        """Deploy its own job, which is what Fairing's own names take."""
        assert run == self.kernel.value("job.record")
        self.run("endpoint = PredictionEndpoint(Prices, from_job=job, backend=LocalBackend())\nendpoint.create()")
        predicted = self.kernel.value(f"endpoint.predict_nparray({ROWS})['data']['tensor']['values']")
        self.run("endpoint.delete()")
        return predicted


class Panel:
    """What a user clicks."""

    def __init__(self, at):
        self.at, self.page, self.lab = at, at.page, at.lab

    def train(self):
        launch = self.at.section("Launch")
        launch.get_by_label("Train a class").check()
        launch.get_by_role("button", name=re.compile("^(Save and launch|Launch)$")).click()
        details = launch.locator(".jp-fairing-az-run-details")
        expect(details.get_by_role("status").filter(has_text="succeeded")).to_be_visible(timeout=ENDED)
        return details.locator("dd code").first.inner_text()

    def records(self):
        """Return what the server tells the panel, once the panel shows a row for each."""
        section = self.at.section("Runs")
        section.get_by_role("button", name="Refresh the list of runs").click()
        found = self.lab.get("fairing-az-jupyter/runs")["runs"]
        for run in found:
            row = section.locator(f'[role="row"][id$="{run["id"]}"]')
            expect(row).to_contain_text(run["name"] or f"{run['kind']} {run['task']}")
            expect(row).to_contain_text(run["state"])
        return found

    def details(self, run):
        section = self.at.section("Runs")
        section.locator(f'[role="row"][id$="{run}"]').click()
        details = section.locator(".jp-fairing-az-run-details")
        expect(details.locator("dd code").first).to_have_text(run)
        return details

    def fetch(self, run):
        files = self.details(run).get_by_role("region", name="Files")
        files.get_by_role("button", name=f"Copy {FILE}").click()
        expect(files.get_by_text(f"{FILE} copied to “prices”.")).to_be_visible()
        return (self.lab.root / "prices" / FILE).read_text()

    def deploy(self, run):
        details = self.details(run)
        details.get_by_role("button", name="Deploy this model").click()
        form = details.get_by_role("group", name="Deploy this model")
        expect(form.get_by_label("Class")).to_have_value("Prices")
        expect(form.get_by_text("Runs on this machine.")).to_be_visible()
        form.get_by_role("button", name="Deploy", exact=True).click()
        phases = details.get_by_role("list", name="Phases of the launch").get_by_role("listitem")
        expect(phases.filter(has_text="Serve")).to_contain_text("succeeded", timeout=90_000)
        endpoints = self.at.section("Endpoints")
        endpoints.get_by_role("button", name="Refresh the list of endpoints").click()
        endpoint = endpoints.get_by_role("listitem").first
        endpoint.get_by_role("button", name="Test call").click()
        endpoint.get_by_label("Sample rows").fill(json.dumps(ROWS))
        endpoint.get_by_role("button", name="Predict").click()
        predictions = endpoint.get_by_role("group", name="Predictions").get_by_role("listitem")
        expect(predictions).to_have_count(len(ROWS))
        predicted = [float(text) for text in predictions.all_inner_texts()]
        endpoint.get_by_role("button", name="Delete").click()
        self.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(endpoints.get_by_text("No endpoints yet")).to_be_visible(timeout=30_000)
        return predicted


@pytest.fixture
def folder(lab):
    return write_notebook(lab.root / NOTEBOOK, BACKEND, MODEL.strip()).parent


@pytest.fixture
def kernel(lab, folder):
    """Start a kernel as Jupyter Server does for the notebook."""
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(folder), env={**lab.environ, "JPY_SESSION_NAME": str(lab.root / NOTEBOOK)})
    client = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    started = Kernel(client)
    for code in ("%load_ext fairing_az_jupyter", BACKEND, MODEL):
        started.run(code)
    yield started
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_every_front_end_trains_lists_fetches_and_deploys_and_finds_the_same_records(page, lab, folder, kernel):
    at = LabPage(page, lab, "every-front-end").open()
    at.open_notebook(NOTEBOOK)
    at.show_panel()
    for name in ("Notebook", "Settings"):
        at.close_section(name)
    fronts = [Terminal(lab), Magics(kernel, folder), Python(kernel, folder), Panel(at)]

    trained = [front.train() for front in fronts]
    at.close_section("Launch")

    assert len(set(trained)) == len(fronts)
    told = [{run["id"]: {fact: run[fact] for fact in FACTS} for run in front.records()} for front in fronts]
    assert told[0].keys() == set(trained)
    assert all(each == told[0] for each in told)
    assert {(run["kind"], run["task"], run["state"]) for run in told[0].values()} == {("train", "Prices", "succeeded")}
    assert [told[0][run]["name"] for run in trained] == ["by-terminal", "by-magic", "", ""]

    # Each takes what another one has trained.
    others = [*trained[1:], trained[0]]
    assert [front.fetch(run) for front, run in zip(fronts, others, strict=True)] == [CONTENT] * len(fronts)

    sources = [trained[3], trained[0], trained[2], trained[1]]
    for front, run in zip(fronts, sources, strict=True):
        assert front.deploy(run) == PREDICTED, type(front).__name__
    deployed = [run["id"] for run in fronts[0].records() if run["kind"] == "deploy"]
    store = RunStore(lab.home / "fairing" / "runs")
    assert {store.request(run).from_job for run in deployed} == set(trained)
