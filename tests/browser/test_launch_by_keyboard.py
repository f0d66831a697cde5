"""An endpoint from its launch to its end by the keyboard alone, and axe-core on what the sections show meanwhile."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.lab_page import LabPage, serious_violations, tab_to, write_notebook

MODEL = """\
class Prices:
    def predict(self, X, feature_names=None):
        return [float(row[0]) * 2.5 + float(row[1]) for row in X]"""


@pytest.fixture
def at(page, lab):
    write_notebook(lab.root / "keys" / "prices.ipynb", "FAIRING_BACKEND = 'LocalBackend'", MODEL)
    opened = LabPage(page, lab, "keys").open()
    opened.open_notebook("keys/prices.ipynb")
    opened.page.locator(".jp-Notebook .jp-Cell").last.click()
    opened.page.keyboard.press("Escape")
    opened.page.keyboard.press("Control+Alt+f")
    expect(opened.panel).to_be_visible()
    return opened


def test_an_endpoint_is_deployed_tried_and_deleted_and_its_run_found_by_the_keyboard_alone(at):
    page, keyboard = at.page, at.page.keyboard
    launch, runs, endpoints = (at.panel.locator(f"#jp-fairing-az-{name}-body") for name in SECTIONS)
    for name in ("Notebook", "Settings"):
        tab_to(page, heading(at, name))
        keyboard.press("Enter")
    tab_to(page, heading(at, "Launch"))
    keyboard.press("Enter")
    tab_to(page, launch.get_by_label("Whole notebook"))
    keyboard.press("ArrowDown")
    keyboard.press("ArrowDown")
    expect(launch.get_by_label("Deploy a class")).to_be_checked()
    start = launch.get_by_role("button", name=re.compile("^(Save and launch|Launch)$"))
    expect(start).to_be_enabled()
    tab_to(page, start)
    keyboard.press("Enter")
    phases = launch.get_by_role("list", name="Phases of the launch").get_by_role("listitem")
    expect(phases.filter(has_text="Serve")).to_contain_text("succeeded", timeout=90_000)
    tab_to(page, launch.get_by_role("button", name="Log", exact=True))
    keyboard.press("Enter")
    expect(launch.get_by_role("log")).to_be_visible()

    tab_to(page, heading(at, "Endpoints"))
    keyboard.press("Enter")
    endpoint = endpoints.get_by_role("listitem").first
    expect(endpoint).to_contain_text("ready")
    tab_to(page, endpoint.get_by_role("button", name="Test call"))
    keyboard.press("Enter")
    tab_to(page, endpoint.get_by_label("Sample rows"))
    keyboard.type("[[2, 1]]")
    tab_to(page, endpoint.get_by_role("button", name="Predict"))
    keyboard.press("Enter")
    expect(endpoint.get_by_role("group", name="Predictions").get_by_role("listitem")).to_have_text(["6"])

    tab_to(page, heading(at, "Runs"), back=True)
    keyboard.press("Enter")
    tab_to(page, runs.get_by_role("listbox").or_(runs.get_by_role("grid")))
    keyboard.press("ArrowDown")
    keyboard.press("Enter")
    expect(runs.get_by_role("button", name="Cancel")).to_be_visible()
    assert {theme: serious_violations(at, theme) for theme in ("JupyterLab Light", "JupyterLab Dark")} == {
        "JupyterLab Light": {},
        "JupyterLab Dark": {},
    }

    tab_to(page, endpoint.get_by_role("button", name="Delete"))
    keyboard.press("Enter")
    accept = page.get_by_role("dialog").get_by_role("button", name="Delete")
    tab_to(page, accept)
    keyboard.press("Enter")
    expect(endpoints.get_by_text("No endpoints yet")).to_be_visible(timeout=30_000)
    assert page.evaluate("document.activeElement.closest('#fairing-az-jupyter-panel') !== null")
    expect(runs.get_by_role("status").filter(has_text="succeeded")).to_be_visible()


SECTIONS = ("launch", "runs", "endpoints")


def heading(at, name):
    return at.panel.get_by_role("button", name=name, exact=True).first
