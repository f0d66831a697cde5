"""A whole notebook is launched in the panel, watched, found again, cancelled, repeated and compared."""

from __future__ import annotations

import json
import re
import shutil
import urllib.request
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import expect

from tests.browser.lab_page import LabPage, write_notebook
from tests.conftest import REPOSITORY

PARAMETERS = "rate = 0.1\nsteps = 3  # how many steps"
WAIT = "while not pathlib.Path('go').exists():\n    time.sleep(0.05)"
FORECAST = (
    "import pathlib, time\nfrom fairing_az_jupyter import report",
    "for step in range(steps):\n    print(f'step {step} at {rate}', flush=True)",
    WAIT,
    "report('rmse', rate * 10)",
    "print('all done')",
)
ENDED = 60_000


class Runs:
    """The sections that launch and show runs."""

    def __init__(self, at):
        self.at, self.page = at, at.page

    def launch(self, **parameters):
        section = self.at.section("Launch")
        section.get_by_label("Whole notebook").check()
        if parameters:
            summary = section.locator("summary", has_text="Parameters")
            if section.get_by_label(next(iter(parameters))).is_hidden():
                summary.click()
            for name, text in parameters.items():
                section.get_by_label(name, exact=False).fill(text)
        section.get_by_role("button", name=re.compile("^(Save and launch|Launch)$")).click()
        return self.shown("Launch")

    def shown(self, section):
        return self.at.section(section).locator(".jp-fairing-az-run-details")

    def state(self, details, word, timeout=ENDED):
        expect(details.get_by_role("status").filter(has_text=word).first).to_be_visible(timeout=timeout)

    def id_of(self, details):
        return details.locator("dd code").first.inner_text()

    def row(self, name):
        return self.at.section("Runs").get_by_role("row", name=re.compile(re.escape(name))).first

    def status_item(self):
        return self.page.locator("#jp-main-statusbar").get_by_role("button", name=re.compile("Show runs"))


@pytest.fixture
def runs(page, lab, request):
    at = LabPage(page, lab, re.sub(r"\W", "-", request.node.name)[:40]).open()
    at.show_panel()
    for name in ("Notebook", "Settings"):
        at.close_section(name)
    return Runs(at)


def events_of(lab, run):
    request = urllib.request.Request(
        f"{lab.url}fairing-az-jupyter/runs/{run}/events", headers={"Authorization": f"token {lab.token}"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        text = response.read().decode()
    found = [dict(line.split(": ", 1) for line in block.splitlines() if ": " in line) for block in text.split("\n\n")]
    return [json.loads(event["data"]) for event in found if event.get("event") == "event"]


def test_a_notebook_is_launched_watched_found_again_after_a_reload_and_its_result_opened(runs, lab):
    folder = lab.root / "story"
    write_notebook(folder / "forecast.ipynb", PARAMETERS, *FORECAST)
    runs.at.open_notebook("story/forecast.ipynb")

    details = runs.launch(rate="0.2")

    expect(details.get_by_text("Cell 5 of 7")).to_be_visible(timeout=ENDED)
    expect(details.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "4")
    runs.state(details, "running")
    expect(runs.status_item()).to_contain_text("1 run: forecast.ipynb 5/7")
    details.get_by_role("button", name="Log", exact=True).click()
    expect(details.get_by_role("log")).to_contain_text("step 2 at 0.2")
    details.get_by_role("button", name="Close the log").click()
    run = runs.id_of(details)

    runs.at.reload()
    runs.status_item().click()
    expect(runs.row("forecast.ipynb")).to_contain_text("running")
    expect(runs.row("forecast.ipynb")).to_contain_text("cell 5 of 7")
    runs.row("forecast.ipynb").click()
    details = runs.shown("Runs")
    assert runs.id_of(details) == run
    expect(details.get_by_text("Cell 5 of 7")).to_be_visible()
    runs.at.reload()
    runs.at.show_panel()
    details = runs.shown("Runs")
    expect(details.get_by_text("Cell 5 of 7")).to_be_visible()
    (folder / "go").touch()

    runs.state(details, "succeeded")
    expect(details.get_by_role("table", name="Metrics").get_by_role("row", name="rmse")).to_contain_text("2")
    expect(runs.status_item()).to_be_hidden()
    expect(runs.row("forecast.ipynb")).to_contain_text("succeeded")
    details.locator("summary", has_text="Cells and durations").click()
    for name in ("Notebook", "Settings"):
        runs.at.close_section(name)
    runs.at.picture("panel-runs")
    cells = details.get_by_role("group", name="Cells and durations").get_by_role("row")
    expect(cells).to_have_count(8)
    kinds = [(event["kind"], event.get("cell")) for event in events_of(lab, run) if event["kind"] != "output"]
    assert len(kinds) == len(set(kinds))
    shown = json.loads(lab.command_line("runs", "show", run, "--json"))["run"]
    asked = lab.get(f"fairing-az-jupyter/runs/{run}")
    assert {name: asked[name] for name in shown} == shown
    assert shown["metrics"] == {"rmse": 2.0}

    details.get_by_role("button", name="Open result").click()
    opened = runs.page.locator(".jp-NotebookPanel:visible")
    expect(opened.get_by_text("all done", exact=True)).to_be_visible()


def test_a_run_is_cancelled_and_repeated_and_two_are_compared(runs, lab):
    folder = lab.root / "pair"
    write_notebook(folder / "pair.ipynb", PARAMETERS, *FORECAST)
    runs.at.open_notebook("pair/pair.ipynb")
    details = runs.launch(rate="0.3")
    expect(details.get_by_text("Cell 5 of 7")).to_be_visible(timeout=ENDED)

    details.get_by_role("button", name="Cancel", exact=True).click()

    runs.state(details, "cancelled")
    first = runs.id_of(details)
    assert lab.get(f"fairing-az-jupyter/runs/{first}")["state"] == "cancelled"
    (folder / "go").touch()
    details.get_by_role("button", name="Retry").click()
    expect(details.locator("dd code").first).not_to_have_text(first)
    runs.state(details, "succeeded")
    expect(details.get_by_role("table", name="Parameters").get_by_role("row", name="rate")).to_contain_text("0.3")
    expect(details.get_by_text(first)).to_be_visible()
    second = runs.id_of(details)
    details.get_by_role("button", name="Close the run").click()
    runs.launch(rate="0.5")
    runs.state(details, "succeeded")

    section = runs.at.section("Runs")
    section.get_by_label("State", exact=True).select_option("succeeded")
    section.get_by_label("this notebook").check()
    expect(section.get_by_role("row")).to_have_count(2)
    for box in section.get_by_role("checkbox", name="Compare pair.ipynb").all():
        box.check()
    section.get_by_role("button", name="Compare 2 runs").click()
    table = section.get_by_role("group", name="Comparison of runs")
    expect(table.get_by_role("columnheader", name=second)).to_be_visible()
    expect(table.get_by_role("row", name=re.compile("^rate"))).to_have_text(re.compile("rate.*0.5.*0.3|rate.*0.3.*0.5"))
    expect(table.get_by_role("row", name=re.compile("^rmse"))).to_have_text(re.compile("rmse.*5.*3|rmse.*3.*5"))
    runs.page.keyboard.press("Escape")
    expect(table).to_be_hidden()


def test_a_cell_that_fails_shows_its_error_and_a_traceback_that_can_be_read(runs, lab):
    write_notebook(
        lab.root / "failing.ipynb",
        "among = 0",
        "def share(of, among):\n    return of / among",
        "share(1, 0)",
    )
    runs.at.open_notebook("failing.ipynb")

    details = runs.launch()

    runs.state(details, "failed")
    why = details.get_by_role("group", name="Failure reason")
    expect(why).to_contain_text("Cell 3 of 3")
    expect(why).to_contain_text("ZeroDivisionError")
    why.locator("summary", has_text="Traceback").click()
    expect(why.get_by_role("group", name="Traceback")).to_contain_text("return of / among")
    assert "\x1b" not in why.inner_text()
    expect(runs.status_item()).to_be_hidden()


def test_a_run_goes_on_when_the_server_is_killed_and_every_event_is_there_once(runs, lab, problems):
    folder = lab.root / "killed"
    write_notebook(folder / "killed.ipynb", PARAMETERS, *FORECAST)
    runs.at.open_notebook("killed/killed.ipynb")
    details = runs.launch()
    expect(details.get_by_text("Cell 4 of 6")).to_be_visible(timeout=ENDED)
    run = runs.id_of(details)

    lab.kill()
    expect(details.get_by_text("Connection lost")).to_be_visible()
    (folder / "go").touch()
    lab.start()

    runs.state(details, "succeeded")
    runs.at.reload()
    runs.at.show_panel()
    runs.row("killed.ipynb").click()
    details = runs.shown("Runs")
    runs.state(details, "succeeded")
    assert runs.id_of(details) == run
    details.locator("summary", has_text="Cells and durations").click()
    expect(details.get_by_role("group", name="Cells and durations").get_by_role("row")).to_have_count(7)
    kinds = [(event["kind"], event.get("cell")) for event in events_of(lab, run) if event["kind"] != "output"]
    assert len(kinds) == len(set(kinds))
    assert kinds[-1][0] == "run-finished"
    problems.clear()


def test_the_example_notebook_is_launched_to_its_end(runs, lab):
    shutil.copytree(REPOSITORY / "notebooks", lab.root / "example")
    (lab.root / "example" / "trained_ames_model.dat").unlink(missing_ok=True)
    runs.at.open_notebook("example/xgboost-high-level-apis.ipynb")

    details = runs.launch()

    runs.state(details, "succeeded", timeout=180_000)
    run = lab.get(f"fairing-az-jupyter/runs/{runs.id_of(details)}")
    executed = nbformat.read(Path(run["output"]), as_version=4)
    assert "endpoint" in str(executed.cells[-3].outputs)
    assert (lab.root / "example" / "trained_ames_model.dat").exists()
