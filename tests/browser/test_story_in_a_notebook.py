"""A user's story as one notebook in JupyterLab: from loading the extension to an endpoint that is deleted again."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import nbformat
import psutil
from playwright.sync_api import expect

from tests.browser.lab_page import LabPage, write_notebook

PARAMETERS = "FAIRING_BACKEND = 'LocalBackend'\n# DOCKER_REGISTRY = None"
MODEL = """\
import numpy as np
from xgboost import XGBRegressor

class HousingServe:
    def __init__(self):
        self.model = XGBRegressor(n_estimators=60, max_depth=3, eval_metric='rmse')
        try:
            self.model.load_model('prices.json')
        except Exception:
            pass

    def train(self):
        data = np.loadtxt('rows.csv', delimiter=',', skiprows=1)
        X, y = data[:, :2], data[:, 2]
        self.model.fit(X[:300], y[:300], eval_set=[(X[300:], y[300:])], verbose=True)
        self.model.save_model('prices.json')

    def predict(self, X, feature_names=None):
        return self.model.predict(X)"""
TRAINED = "import shutil\nHousingServe().train()"
STORY = {
    "load": "%load_ext fairing_az_jupyter",
    "panel": "%fairing_azure panel",
    "fill": "%fairing_azure fill --docker-registry contoso.azurecr.io",
    "check": "found = %fairing_azure check",
    "train": "job = %fairing_azure train HousingServe --input-files rows.csv",
    "watch": "print(job.state, round(job.metrics['validation_0-rmse'][-1][1], 1) < 20)",
    "here": TRAINED,
    "deploy": "endpoint = %fairing_azure deploy HousingServe --input-files prices.json",
    "status": "%fairing_azure status",
    "predict": "prices = %fairing_azure predict {endpoint.name} '[[3, 120], [1, 40]]'",
    "delete": "%fairing_azure delete {endpoint.name}",
    "close": "%fairing_azure panel --close",
}


def rows():
    made = ["rooms,area,price"]
    made += [f"{n % 6},{20 + 7 * n % 180},{20 * (n % 6) + 1.5 * (20 + 7 * n % 180)}" for n in range(400)]
    return "\n".join(made) + "\n"


class Story:
    """The notebook, whose cells are run one after the other as a user does."""

    def __init__(self, at):
        self.at, self.page = at, at.page
        self.numbers = {name: number for number, name in enumerate(["parameters", "model", *STORY])}

    def output(self, name):
        return self.page.locator(".jp-Notebook .jp-CodeCell").nth(self.numbers[name]).locator(".jp-OutputArea")

    def run(self, name):
        number = self.numbers[name]
        self.page.evaluate(
            """number => {
                const { content } = window.jupyterapp.shell.currentWidget;
                content.deselectAll();
                content.activeCellIndex = number;
                return content.scrollToItem(number, 'smart');
            }""",
            number,
        )
        self.at.execute("notebook:run-cell")
        return self.output(name)

    def idle(self):
        self.page.wait_for_function(
            "window.jupyterapp.shell.currentWidget.sessionContext.kernelDisplayStatus === 'idle'", timeout=90_000
        )

    def picture(self, name, of):
        self.output(of).scroll_into_view_if_needed()
        self.at.picture(name)


def test_a_story_from_loading_to_deleting_in_one_notebook(page, lab):
    folder = lab.root / "story"
    path = write_notebook(folder / "story.ipynb", PARAMETERS, MODEL, *STORY.values())
    (folder / "rows.csv").write_text(rows())
    at = LabPage(page, lab, "story").open()
    at.open_notebook("story/story.ipynb")
    story = Story(at)
    for name in ("parameters", "model", "load"):
        story.run(name)
        story.idle()

    panel = story.run("panel").locator(".fairing-az-panel")
    expect(panel.get_by_label("Container registry")).to_be_visible(timeout=30_000)

    expect(story.run("fill")).to_contain_text("JupyterLab fills the parameters cell")
    page.wait_for_function(
        "window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells[0].getSource().includes('contoso')"
    )
    assert at.cell_sources()[0] == "FAIRING_BACKEND = 'LocalBackend'\nDOCKER_REGISTRY = 'contoso.azurecr.io'"
    story.run("parameters")
    # What a cell has set, the panel shows without being asked.
    expect(panel.get_by_label("Container registry")).to_have_value("contoso.azurecr.io")

    expect(story.run("check")).to_contain_text("Ready to launch.")

    trained = story.run("train")
    expect(trained).to_contain_text(re.compile("running|succeeded"), timeout=60_000)
    expect(trained).to_contain_text("succeeded", timeout=90_000)
    expect(trained.locator("polyline")).to_be_visible()
    expect(trained).to_contain_text("last 20 of")
    story.picture("magic-train", "train")
    expect(story.run("watch")).to_have_text("succeeded True")
    trained.get_by_role("link", name=re.compile(r"HousingServe.*\.log")).click()
    log = page.get_by_role("tab", name=re.compile(r"HousingServe.*\.log"))
    expect(log).to_be_visible()
    expect(page.locator(".jp-FileEditor")).to_contain_text("validation_0-rmse")
    at.execute("application:close")
    expect(log).to_have_count(0)

    story.run("here")
    story.idle()
    deployed = story.run("deploy")
    expect(deployed).to_contain_text("is ready: http://127.0.0.1", timeout=90_000)
    url = re.search(r"http://127\.0\.0\.1:\d+", deployed.inner_text())[0]
    story.idle()
    expect(story.run("status")).to_contain_text("ready")
    predicted = story.run("predict")
    expect(predicted.get_by_role("row")).to_have_count(3)
    story.picture("magic-predict", "predict")
    expect(story.run("delete")).to_contain_text("is deleted.")
    listening = {each.laddr.port for each in psutil.net_connections("tcp") if each.status == psutil.CONN_LISTEN}
    assert urlsplit(url).port not in listening
    expect(story.run("close")).to_contain_text("1 panel closed.")
    expect(page.locator(".fairing-az-panel")).to_have_count(0)
    expect(story.output("panel").locator(".fairing-az-static")).to_be_visible()

    at.execute("docmanager:save")
    page.wait_for_function("!window.jupyterapp.shell.currentWidget.context.model.dirty")
    has_kept_its_story(path, story)


def has_kept_its_story(path, story):
    saved = nbformat.read(path, as_version=4)
    shown = {name: saved.cells[number].outputs for name, number in story.numbers.items()}
    assert not [each for outputs in shown.values() for each in outputs if each.output_type == "error"]
    assert "Training HousingServe on LocalBackend: succeeded" in shown["train"][0].data["text/plain"]
    assert "<polyline" in shown["train"][0].data["text/html"]
    assert "DOCKER_REGISTRY" in shown["panel"][0].data["text/plain"]
    assert path.stat().st_size < 200_000
