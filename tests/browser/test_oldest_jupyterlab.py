"""The wheel in an environment of its own, with the oldest JupyterLab and Notebook that it promises to work in."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Lab
from tests.browser.lab_page import PANEL, LabPage, write_notebook
from tests.conftest import REPOSITORY

OLDEST = ("jupyterlab==4.2.*", "notebook==7.2.*")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("oldest")
    run("-m", "build", "--wheel", "--outdir", folder / "dist", REPOSITORY)
    wheel = next((folder / "dist").glob("*.whl"))
    run("-m", "venv", "--without-pip", folder / "environment")
    python = folder / "environment" / "bin" / "python"
    run("-m", "uv", "pip", "install", "--quiet", "--python", python, wheel, *OLDEST)
    started = Lab(folder / "home", python).start()
    yield started
    started.stop()
    started.cancel_all()


def run(*words):
    command = [sys.executable, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_jupyter_finds_panel_and_server_extension_compatible(lab):
    command = [str(Path(lab.python).with_name("jupyter")), "labextension", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=lab.environ)

    text = re.sub(r"\x1b\[[0-9;]*m", "", listed.stdout + listed.stderr)
    assert "JupyterLab v4.2" in text
    assert re.search(r"fairing-az-jupyter v\S+ enabled +OK", text), text


def test_a_notebook_is_filled_undone_and_launched(page, lab):
    write_notebook(lab.root / "oldest.ipynb", "DOCKER_REGISTRY = None", "print('one')")
    at = LabPage(page, lab, "oldest").open()
    at.open_notebook("oldest.ipynb")
    at.show_panel()

    at.panel.get_by_label("Container registry", exact=True).fill("contosoml.azurecr.io")
    apply = at.panel.get_by_role("button", name="Apply")
    expect(apply).to_have_attribute("aria-disabled", "false")
    apply.click()
    expect(at.panel.get_by_text("Applied.")).to_be_visible()
    assert at.cell_sources()[0] == "DOCKER_REGISTRY = 'contosoml.azurecr.io'"
    page.keyboard.press("Control+z")
    expect(page.locator(".jp-Notebook .cm-content").first).to_have_text("DOCKER_REGISTRY = None")
    launch = at.section("Launch")
    launch.get_by_role("button", name=re.compile("^(Save and launch|Launch)$")).click()
    expect(launch.get_by_role("status").filter(has_text="succeeded")).to_be_visible(timeout=60_000)


def test_notebook_shows_the_panel(page, lab, problems):
    write_notebook(lab.root / "seven.ipynb", "DOCKER_REGISTRY = None")
    page.goto(f"{lab.url}notebooks/seven.ipynb?token={lab.token}")
    page.get_by_role("button", name=re.compile("Kubeflow on Azure")).click()

    expect(page.locator(PANEL).get_by_label("Container registry", exact=True)).to_be_visible()
    # Notebook 7.2 asks a notebook without checkpoints for the time of its last one, also without the panel.
    problems[:] = [problem for problem in problems if "reading 'last_modified'" not in problem]
