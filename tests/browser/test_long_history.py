"""A thousand runs in the history and a million lines in a log: the panel shows the last of both."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import expect

from fairing_az_jupyter.models import RunRequest
from fairing_az_jupyter.records import RunStore, layout
from fairing_az_jupyter.records.status import read_status, write_status
from tests.browser.lab_page import LabPage

RUNS = 1_000
LINES = 1_000_000


def record(store, notebook, number=0):
    folder = store.create(RunRequest(notebook, None, {"rate": number / RUNS}), None)
    ended = {"state": "succeeded", "started": time.time(), "ended": time.time(), "duration": 1.5, "attempt": 1}
    write_status(folder, {**read_status(folder), **ended, "metrics": {"rmse": 1 / (number + 1)}}, final=True)
    return folder


@pytest.fixture(scope="module")
def long_log(lab):
    """Make a run with a long log as the newest of many runs."""
    store = RunStore(lab.home / "fairing" / "runs")
    for number in range(RUNS - 1):
        record(store, "first.ipynb" if number == 0 else f"run-{number:04}.ipynb", number)
    folder = record(store, "long.ipynb", RUNS)
    with (folder / layout.LOG).open("w") as log:
        for number in range(1, LINES + 1):
            log.write("the needle\n" if number == LINES - 1_000 else f"epoch {number} loss 0.123 accuracy 0.456\n")
    return folder / layout.LOG


@pytest.fixture
def runs(page, lab, long_log, request):
    at = LabPage(page, lab, re.sub(r"\W", "-", request.node.name)[:40]).open()
    at.show_panel()
    for name in ("Notebook", "Settings"):
        at.close_section(name)
    return at.section("Runs")


def test_the_list_of_a_thousand_runs_is_scrolled_to_its_last_by_wheel_and_by_key(runs, page):
    expect(runs.get_by_text("1000 runs")).to_be_visible()
    grid = runs.get_by_role("grid")
    expect(grid).to_have_attribute("aria-rowcount", str(RUNS))
    last = runs.get_by_role("row", name=re.compile(r"first\.ipynb"))
    grid.hover()
    end = time.monotonic() + 30
    while not last.is_visible() and time.monotonic() < end:
        page.mouse.wheel(0, 1_000)
    expect(last).to_be_in_viewport()

    grid.focus()
    page.keyboard.press("Home")
    expect(runs.get_by_role("row", name=re.compile(r"long\.ipynb"))).to_be_in_viewport()
    page.keyboard.press("End")

    expect(last).to_be_in_viewport()
    expect(last).to_have_attribute("aria-rowindex", str(RUNS))
    assert runs.get_by_role("row").count() < 30
    page.keyboard.press("Enter")
    details = runs.locator(".jp-fairing-az-run-details")
    expect(details.get_by_role("heading", name="first.ipynb")).to_be_visible()


def test_a_log_of_a_million_lines_is_searched_scrolled_and_downloaded(runs, page, long_log):
    runs.get_by_role("row", name=re.compile(r"long\.ipynb")).click()
    details = runs.locator(".jp-fairing-az-run-details")
    details.get_by_role("button", name="Log", exact=True).click()
    log = details.get_by_role("log")
    expect(details.get_by_text(f"{LINES} lines")).to_be_visible()
    expect(log.get_by_text(f"epoch {LINES} loss")).to_be_in_viewport()

    log.focus()
    page.keyboard.press("Home")
    expect(log.get_by_text("epoch 1 loss")).to_be_in_viewport()
    details.get_by_role("searchbox", name="Search the log").fill("needle")
    page.keyboard.press("Enter")
    expect(log.locator("mark", has_text="needle")).to_be_in_viewport(timeout=30_000)
    expect(details.get_by_role("status").filter(has_text=f"Line {LINES - 1_000}")).to_be_visible()

    log.focus()
    page.keyboard.press("Home")
    page.keyboard.press("End")
    expect(log.get_by_text(f"epoch {LINES} loss")).to_be_in_viewport()
    assert log.locator("[data-line]").count() < 200
    log.evaluate("node => { node.scrollTop = node.scrollHeight / 2 }")
    expect(log.get_by_text(re.compile(r"^epoch (49|50)\d{4} loss")).first).to_be_visible()

    with page.expect_download() as started:
        details.get_by_role("button", name="Download the log").click()
    assert started.value.path().stat().st_size == long_log.stat().st_size
