"""The panel in JupyterLab: how it is opened, used by the keyboard alone, in every theme, and after a reload."""

from __future__ import annotations

import contextlib
import re
import time

import nbformat
import pytest
from playwright.sync_api import expect

from tests.browser.lab_page import PANEL, LabPage, serious_violations, tab_to, write_notebook

SECTIONS = ("Notebook", "Settings", "Checks", "Launch", "Runs", "Endpoints")
THEMES = ("JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast")
# The summary of checks that have ended: counts alone.
ENDED = re.compile(r"^\d+ (failed|unknown|warnings?|passed)")


@pytest.fixture
def at(page, lab, request):
    return LabPage(page, lab, re.sub(r"\W", "-", request.node.name)[:40])


@pytest.fixture(scope="module")
def notebook(lab):
    write_notebook(lab.root / "home.ipynb", "DOCKER_REGISTRY = None  # an ACR\nrate = 0.1", "print('home')")
    return "home.ipynb"


def heading(at, name):
    return at.panel.get_by_role("button", name=name, exact=True).first


def test_the_panel_opens_by_toolbar_menu_palette_and_shortcut_and_comes_back_as_it_was(at, notebook):
    page = at.open().page
    at.open_notebook(notebook)
    expect(at.panel).to_be_hidden()

    page.locator(".jp-NotebookPanel-toolbar").get_by_role("button", name=re.compile("Kubeflow on Azure")).click()
    expect(at.panel).to_be_visible()
    hide(at)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name=re.compile("^Fairing on Azure")).click()
    expect(at.panel).to_be_visible()
    hide(at)
    page.keyboard.press("Control+Shift+c")
    page.keyboard.type("Fairing on Azure")
    page.locator(".lm-CommandPalette-item[data-command='fairing-az:show']").click()
    expect(at.panel).to_be_visible()
    hide(at)
    page.locator(".jp-Notebook .jp-Cell").last.click()
    page.keyboard.press("Control+Alt+f")
    expect(at.panel).to_be_visible()

    at.widen_panel(420)
    at.section("Checks")
    at.close_section("Settings")
    width = at.panel.bounding_box()["width"]
    assert abs(width - 420) < 30
    kept = f"lab/api/workspaces/{at.workspace}"
    open_ones = "fairing-az-jupyter:plugin:sections", ["notebook", "checks"]
    wait_until(lambda: open_ones in at.lab.get(kept)["data"].items(), "the open sections are not kept")
    at.open(reset=False)
    expect(at.panel).to_be_visible()
    expect(heading(at, "Checks")).to_have_attribute("aria-expanded", "true")
    expect(heading(at, "Settings")).to_have_attribute("aria-expanded", "false")
    page.wait_for_function(
        "width => Math.abs(document.querySelector('#fairing-az-jupyter-panel').offsetWidth - width) < 30", arg=width
    )


def wait_until(holds, what):
    """Wait for what JupyterLab does in its own time."""
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def hide(at):
    at.page.get_by_role("tab", name="Fairing on Azure").click()
    expect(at.panel).to_be_hidden()


def test_every_section_is_opened_used_and_left_by_the_keyboard_alone(at, notebook, lab):
    page = at.open().page
    at.open_notebook(notebook)
    page.locator(".jp-Notebook .jp-Cell").last.click()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+Alt+f")
    expect(at.panel).to_be_visible()
    for name in SECTIONS:
        tab_to(page, heading(at, name))
        for _ in range(2):
            before = heading(at, name).get_attribute("aria-expanded")
            page.keyboard.press("Enter")
            expect(heading(at, name)).not_to_have_attribute("aria-expanded", before)
            expect(heading(at, name)).to_be_focused()

    registry = at.panel.get_by_label("Container registry", exact=True)
    tab_to(page, registry, back=True)
    page.keyboard.type("contosoml.azurecr.io")
    apply = at.panel.get_by_role("button", name="Apply")
    expect(apply).to_have_attribute("aria-disabled", "false")
    tab_to(page, apply)
    page.keyboard.press("Enter")
    expect(at.panel.get_by_text("Applied.")).to_be_visible()
    assert "DOCKER_REGISTRY = 'contosoml.azurecr.io'  # an ACR" in at.cell_sources()[0]
    assert page.evaluate("document.activeElement.closest('.jp-Notebook') !== null")

    at.execute("fairing-az:show", section="checks")
    expect(heading(at, "Checks")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(at.section("Checks").get_by_role("status").filter(has_text=ENDED)).to_be_visible(timeout=60_000)
    assert page.evaluate("document.querySelector('#fairing-az-jupyter-panel').contains(document.activeElement)")


def test_nothing_in_the_panel_keeps_anybody_out_in_any_theme(at, notebook):
    at.open()
    at.open_notebook(notebook)
    at.show_panel()
    for name in SECTIONS:
        at.section(name)
    at.panel.get_by_label("Container registry", exact=True).fill("<acr-name>.azurecr.io")
    at.panel.get_by_label("Resource group", exact=True).fill("contoso-ml")
    expect(at.panel.get_by_text("Correct the errors above")).to_be_visible()
    at.section("Checks").get_by_role("button", name="Run checks").click()
    expect(at.section("Checks").get_by_role("status").filter(has_text=ENDED)).to_be_visible(timeout=60_000)
    for theme in THEMES:
        assert serious_violations(at, theme) == {}, theme


def sources_of(path):
    """Return the sources of a notebook's cells; none while it is being written."""
    with contextlib.suppress(nbformat.reader.NotJSONError):
        return [cell.source for cell in nbformat.read(path, as_version=4).cells]
    return []


def test_in_notebook_7_the_panel_opens_beside_the_notebook_and_fills_it(page, lab, problems):
    pytest.importorskip("notebook", reason="Notebook 7 is missing: pip install 'notebook>=7.2,<8'")
    path = write_notebook(lab.root / "seven.ipynb", "DOCKER_REGISTRY = None", "print('seven')")
    page.goto(f"{lab.url}notebooks/seven.ipynb?token={lab.token}")
    expect(page.locator(".jp-Notebook .jp-CodeCell")).to_have_count(2)
    page.get_by_role("button", name=re.compile("Kubeflow on Azure")).click()

    panel = page.locator(PANEL)
    expect(panel).to_be_visible()
    panel.get_by_label("Container registry", exact=True).fill("contosoml.azurecr.io")
    apply = panel.get_by_role("button", name="Apply")
    expect(apply).to_have_attribute("aria-disabled", "false")
    apply.click()
    panel.get_by_role("button", name="Save the notebook").click()
    expect(page.locator(".jp-Notebook .cm-content").first).to_have_text("DOCKER_REGISTRY = 'contosoml.azurecr.io'")
    filled = "DOCKER_REGISTRY = 'contosoml.azurecr.io'"
    wait_until(lambda: filled in sources_of(path), "the notebook is not saved")
    # Notebook 7.6 itself says so at its start, also without the panel.
    problems[:] = [problem for problem in problems if "reading 'schema'" not in problem]
