"""What a user does in JupyterLab, by name."""

from __future__ import annotations

import os
import re

import nbformat
from playwright.sync_api import expect

from tests.conftest import REPOSITORY

PANEL = "#fairing-az-jupyter-panel"
SCREENSHOTS = REPOSITORY / "docs" / "images"
AXE = REPOSITORY / "labextension" / "node_modules" / "axe-core" / "axe.min.js"


def write_notebook(path, parameters, *cells):
    """Write a notebook with a cell of parameters, None for none, and cells of code; return its path."""
    made = nbformat.v4.new_notebook()
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made.cells = list(map(nbformat.v4.new_code_cell, cells))
    if parameters is not None:
        made.cells.insert(0, nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(made, path)
    return path


def tab_to(page, target, *, back=False):
    """Go on by Tab till an element has the keyboard, as far as a patient user would."""
    for _ in range(150):
        if target.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Shift+Tab" if back else "Tab")
        assert page.evaluate("document.activeElement !== document.body"), "the keyboard is nowhere"
    raise AssertionError(f"Tab does not lead to {target}")


def serious_violations(at, theme):
    """Return what axe-core finds serious in the panel with a theme: the nodes, by the rule that they break."""
    at.execute("apputils:change-theme", theme=theme)
    at.page.wait_for_function("theme => document.body.dataset.jpThemeName === theme", arg=theme)
    if not at.page.evaluate("'axe' in window"):
        at.page.add_script_tag(path=AXE)
    report = at.page.evaluate(f"axe.run('{PANEL}')")
    assert "color-contrast" in {each["id"] for each in report["passes"]}
    return {
        each["id"]: [f"{node['html'][:200]} {node['failureSummary'][:300]}" for node in each["nodes"]]
        for each in report["violations"]
        if each["impact"] in ("serious", "critical")
    }


class LabPage:
    """JupyterLab in a browser.

    Args:
        page: The browser's page.
        lab: The server.
        workspace: The workspace's name; each test has one of its own.

    """

    def __init__(self, page, lab, workspace):
        self.page, self.lab, self.workspace = page, lab, workspace
        self.panel = page.locator(PANEL)

    def open(self, *, reset=True):
        query = f"{'reset&' if reset else ''}token={self.lab.token}"
        self.page.goto(f"{self.lab.url}lab/workspaces/{self.workspace}?{query}")
        self.wait_until_restored()
        return self

    def reload(self):
        self.page.reload()
        self.wait_until_restored()

    def wait_until_restored(self):
        self.page.wait_for_function("window.jupyterapp !== undefined")
        self.page.evaluate("window.jupyterapp.restored")
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")

    def execute(self, command, **arguments):
        return self.page.evaluate(
            "([command, args]) => window.jupyterapp.commands.execute(command, args).then(() => null)",
            [command, arguments],
        )

    def open_notebook(self, path):
        self.page.evaluate(
            """async path => {
                const widget = await window.jupyterapp.commands.execute('docmanager:open', { path });
                await widget.context.ready;
                await widget.revealed;
                await widget.sessionContext.ready;
                const kernel = widget.sessionContext.session.kernel;
                await kernel.info;
                window.jupyterapp.shell.activateById(widget.id);
            }""",
            path,
        )
        self.page.wait_for_function(
            "window.jupyterapp.shell.currentWidget?.sessionContext?.kernelDisplayStatus === 'idle'"
        )

    def show_panel(self):
        self.execute("fairing-az:show")
        expect(self.panel).to_be_visible()

    def section(self, name):
        """Return a section of the panel, opened."""
        heading = self.panel.get_by_role("button", name=re.compile(f"^{name}"), expanded=None).first
        if heading.get_attribute("aria-expanded") == "false":
            heading.click()
        return self.panel.locator(f"#jp-fairing-az-{name.lower()}-body")

    def close_section(self, name):
        heading = self.panel.get_by_role("button", name=re.compile(f"^{name}"), expanded=None).first
        if heading.get_attribute("aria-expanded") == "true":
            heading.click()

    def picture(self, name):
        """Keep a picture for the documentation, if that is wanted."""
        if os.environ.get("FAIRING_SCREENSHOTS"):
            SCREENSHOTS.mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=SCREENSHOTS / f"{name}.png")

    def cell_sources(self):
        return self.page.evaluate(
            "[...window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells].map(cell => cell.getSource())"
        )

    def widen_panel(self, width):
        """Drag the panel's edge till it is so wide, in pixels."""
        box = self.panel.bounding_box()
        x, y = box["x"] - 2, box["y"] + box["height"] / 2
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + box["width"] - width, y, steps=5)
        self.page.mouse.up()
