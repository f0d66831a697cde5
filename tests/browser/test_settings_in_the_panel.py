"""The settings' form in the panel: it is corrected, its changes are seen, applied, undone and saved."""

from __future__ import annotations

import re
import shutil

import nbformat
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import EXAMPLE
from tests.browser.lab_page import LabPage, write_notebook
from tests.conftest import REPOSITORY

FILLED = {
    "FAIRING_BACKEND = 'LocalBackend'": "FAIRING_BACKEND = 'KubeflowAzureBackend'",
    "DOCKER_REGISTRY = None": "DOCKER_REGISTRY = 'contosoml.azurecr.io'",
    "AZURE_RESOURCE_GROUP = None": "AZURE_RESOURCE_GROUP = 'contoso-ml'",
    "AZURE_STORAGE_ACCOUNT = None": "AZURE_STORAGE_ACCOUNT = 'contosomldata'",
}


class Settings:
    """The section 'Settings'."""

    def __init__(self, at):
        self.at, self.page = at, at.page

    @property
    def section(self):
        return self.at.section("Settings")

    def field(self, label):
        return self.section.get_by_label(label, exact=True)

    def fill(self, **texts):
        for label, text in texts.items():
            self.field(label.replace("_", " ")).fill(text)

    @property
    def diff(self):
        return self.section.get_by_role("region", name="Changed lines")

    def apply(self):
        apply = self.section.get_by_role("button", name="Apply")
        expect(apply).to_have_attribute("aria-disabled", "false")
        apply.click()
        expect(self.section.get_by_text("Applied.")).to_be_visible()

    def button(self, name):
        return self.section.get_by_role("button", name=name, exact=True)

    def cell(self, tag="parameters"):
        """Return the source of the tagged cell as the editor has it."""
        return self.page.evaluate(
            """tag => [...window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells]
                .find(cell => (cell.getMetadata('tags') ?? []).includes(tag))?.getSource() ?? null""",
            tag,
        )

    def save_by_keys(self):
        self.page.keyboard.press("Control+s")
        self.saved()

    def saved(self):
        self.page.wait_for_function("!window.jupyterapp.shell.currentWidget.context.model.dirty")

    def undo(self):
        self.page.keyboard.press("Control+z")


def bring_example(folder):
    folder.mkdir()
    for name in (EXAMPLE, "requirements.txt"):
        shutil.copy(REPOSITORY / "notebooks" / name, folder / name)
    return folder / EXAMPLE


@pytest.fixture
def settings(page, lab, request):
    at = LabPage(page, lab, re.sub(r"\W", "-", request.node.name)[:40]).open()
    # The launcher takes the keyboard once it is drawn.
    expect(page.get_by_role("heading", name="Notebook").first).to_be_visible()
    at.show_panel()
    return Settings(at)


def test_a_form_is_corrected_seen_as_a_diff_applied_undone_applied_again_and_saved(settings, lab):
    path = bring_example(lab.root / "story")
    settings.at.open_notebook(f"story/{EXAMPLE}")
    settings.page.get_by_role("heading", name="Train and serve").click()
    # As JupyterLab writes it without any fill: what is different then is the fill's.
    settings.save_by_keys()
    before = path.read_text()
    cell = settings.cell()

    settings.field("Backend").select_option("KubeflowAzureBackend")
    settings.fill(Container_registry="https://ContosoML.azurecr.io/", Resource_group="contoso-ml")
    registry = settings.field("Container registry")
    expect(registry).to_have_attribute("aria-invalid", "true")
    expect(registry).to_have_accessible_description(re.compile("Error: DOCKER_REGISTRY .*"))
    expect(settings.section.get_by_text("Correct the errors above")).to_be_visible()
    settings.button("Use contosoml.azurecr.io").click()
    expect(registry).to_have_value("contosoml.azurecr.io")
    expect(registry).to_have_attribute("aria-invalid", "false")
    expect(registry).to_be_focused()
    settings.fill(Storage_account="contosomldata")
    for old, new in FILLED.items():
        expect(settings.diff).to_contain_text(f"-{old}")
        expect(settings.diff).to_contain_text(f"+{new}")
    settings.at.close_section("Notebook")
    settings.at.widen_panel(420)
    settings.at.picture("panel-settings")

    settings.apply()

    assert settings.cell() == replaced(cell)
    assert path.read_text() == before
    settings.undo()
    settings.page.wait_for_function(
        "cell => window.jupyterapp.shell.currentWidget.content.activeCell.model.sharedModel.getSource() === cell",
        arg=cell,
    )
    assert path.read_text() == before
    settings.apply()
    settings.button("Save the notebook").click()
    settings.saved()
    assert path.read_text() == replaced(before)
    expect(settings.diff).to_be_hidden()
    row = settings.at.section("Notebook").get_by_role("row").filter(has_text="DOCKER_REGISTRY")
    expect(row).to_contain_text("'contosoml.azurecr.io'")


def replaced(text):
    for old, new in FILLED.items():
        # At the start of a line of code, not where a text speaks of it.
        text, count = re.subn(rf'^( +"|){re.escape(old)}', rf"\g<1>{new}", text, flags=re.MULTILINE)
        assert count == 1
    return text


def test_apply_keeps_what_was_typed_in_the_notebook_and_leaves_the_file_alone_till_it_is_saved(settings, lab):
    path = write_notebook(lab.root / "typed" / "a.ipynb", "rate = 1\r\nDOCKER_REGISTRY = ''", "print('as it was')")
    on_disk = path.read_bytes()
    settings.at.open_notebook("typed/a.ipynb")
    parameters = settings.at.cell_sources()[0]
    assert parameters.startswith("rate = 1\r\n")
    editor = settings.page.locator(".jp-Notebook .cm-content").nth(1)
    editor.click()
    settings.page.keyboard.press("Control+a")
    settings.page.keyboard.type("print('typed, and not saved')")

    settings.fill(Container_registry="contosoml.azurecr.io")
    settings.apply()

    assert path.read_bytes() == on_disk
    sources = settings.at.cell_sources()
    assert sources == [parameters.replace("''", "'contosoml.azurecr.io'"), "print('typed, and not saved')"]
    settings.undo()
    settings.page.wait_for_function(
        "!window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells[0].getSource().includes('contoso')"
    )
    assert settings.at.cell_sources() == [parameters, "print('typed, and not saved')"]
    settings.save_by_keys()
    saved = nbformat.read(path, as_version=4)
    assert [cell.source for cell in saved.cells] == [parameters, "print('typed, and not saved')"]


def test_a_notebook_without_a_parameters_cell_gets_one_and_undo_takes_it_away(settings, lab):
    path = write_notebook(lab.root / "bare" / "b.ipynb", None, "import os", "print('end')")
    settings.at.open_notebook("bare/b.ipynb")
    notebook = settings.at.section("Notebook")
    expect(notebook.get_by_text("This notebook has no cell tagged")).to_be_visible()
    expect(settings.section.get_by_text("No changes yet")).to_be_visible()

    settings.fill(Container_registry="contosoml.azurecr.io")
    settings.apply()

    assert settings.cell() == "DOCKER_REGISTRY = 'contosoml.azurecr.io'"
    expect(settings.section.get_by_text("and then Z in the notebook")).to_be_visible()
    settings.page.keyboard.press("z")
    settings.page.wait_for_function("window.jupyterapp.shell.currentWidget.content.widgets.length === 2")
    assert settings.at.cell_sources() == ["import os", "print('end')"]
    settings.apply()
    settings.save_by_keys()
    saved = nbformat.read(path, as_version=4)
    tagged = [cell.source for cell in saved.cells if "parameters" in cell.metadata.get("tags", [])]
    assert tagged == ["DOCKER_REGISTRY = 'contosoml.azurecr.io'"]
    assert len(saved.cells) == 3


def test_a_profile_is_saved_chosen_and_made_active_as_the_command_line_sees_it(settings, lab):
    settings.fill(Container_registry="teama.azurecr.io", Resource_group="team-a")
    expect(settings.field("Container registry")).to_have_attribute("aria-invalid", "false")
    settings.button("Save as…").click()
    settings.page.keyboard.type("team-a")
    settings.page.keyboard.press("Enter")
    expect(settings.page.get_by_text("Settings saved as profile team-a.").first).to_be_visible()
    shown = lab.command_line("profile", "show", "team-a").split()
    assert {"docker_registry", "teama.azurecr.io", "azure_resource_group"} <= set(shown)

    settings.button("Discard").click()
    expect(settings.field("Container registry")).to_have_value("teama.azurecr.io")
    expect(settings.section.get_by_text("profile team-a", exact=True).first).to_be_visible()
    settings.button("Make active").click()
    expect(settings.field("Profile").locator("option:checked")).to_have_text("team-a (active)")
    assert "* team-a" in lab.command_line("profile", "list")

    settings.at.reload()
    settings.at.show_panel()
    expect(settings.field("Container registry")).to_have_value("teama.azurecr.io")
    settings.button("Make inactive").click()
    expect(settings.button("Make active")).to_be_hidden()
    assert "* team-a" not in lab.command_line("profile", "list")
    settings.field("Profile").select_option("team-a")
    expect(settings.field("Container registry")).to_have_value("teama.azurecr.io")
    settings.button("Delete").click()
    settings.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(settings.field("Container registry")).to_have_value("")
    assert not (lab.home / "fairing-settings" / "profiles" / "team-a.toml").exists()


def run_cell(settings, text, index):
    settings.page.locator(".jp-Notebook .cm-content").nth(index).click()
    settings.page.keyboard.press("Control+a")
    settings.page.keyboard.type(text)
    settings.page.keyboard.press("Control+Enter")


def output(settings, index):
    return settings.page.locator(".jp-CodeCell").nth(index).locator(".jp-OutputArea")


def test_the_fill_magic_fills_through_the_panel_also_after_the_page_was_loaded_anew(settings, lab):
    write_notebook(lab.root / "magic" / "m.ipynb", "DOCKER_REGISTRY = None", "1", "2")
    settings.at.open_notebook("magic/m.ipynb")
    run_cell(settings, "%load_ext fairing_az_jupyter\nprint('loaded')", 1)
    expect(output(settings, 1)).to_contain_text("loaded", timeout=60_000)

    run_cell(settings, "%fairing_azure fill --docker-registry contosoml.azurecr.io", 2)

    expect(settings.page.get_by_text("Filled the parameters cell of magic/m.ipynb.").first).to_be_visible()
    assert settings.cell() == "DOCKER_REGISTRY = 'contosoml.azurecr.io'"
    expect(output(settings, 2)).to_contain_text("undo")
    settings.page.locator(".jp-Notebook .cm-content").first.click()
    settings.page.keyboard.press("Escape")
    settings.undo()
    settings.page.wait_for_function(
        "window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells[0].getSource().endsWith('None')"
    )

    settings.save_by_keys()
    settings.at.reload()
    settings.at.open_notebook("magic/m.ipynb")
    # What the panel does not understand, it lets pass.
    odd = "for data in (None, 7, 'fill', {'fill': 7}, {'fill': {}}, {'fill': {'values': 3, 'profile': []}}):\n"
    odd = f"link = get_ipython()._fairing_az_link\n{odd}    link._comm.send(data)\nprint('sent')"
    run_cell(settings, odd.replace("\n    ", "\n"), 1)
    expect(output(settings, 1)).to_contain_text("sent")
    run_cell(settings, "%fairing_azure fill --docker-registry second.azurecr.io", 2)
    settings.page.wait_for_function(
        "window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells[0].getSource().includes('second')"
    )
    assert settings.cell() == "DOCKER_REGISTRY = 'second.azurecr.io'"


def test_true_false_and_zero_are_typed_and_filled_in(settings, lab):
    write_notebook(lab.root / "gpus" / "g.ipynb", "FAIRING_GPUS = 2\nFAIRING_SPOT = False\nFAIRING_POD_TOKEN = True")
    settings.at.open_notebook("gpus/g.ipynb")
    settings.section.get_by_text("More settings").click()
    expect(settings.field("GPUs")).to_have_value("2")
    expect(settings.field("Spot nodes")).not_to_be_checked()
    expect(settings.field("Token in training pods")).to_be_checked()

    settings.fill(GPUs="0")
    settings.field("Spot nodes").check()
    settings.field("Token in training pods").uncheck()

    expect(settings.diff).to_contain_text("+FAIRING_SPOT = True")
    settings.apply()
    assert settings.cell() == "FAIRING_GPUS = 0\nFAIRING_SPOT = True\nFAIRING_POD_TOKEN = False"
    expect(settings.field("GPUs")).to_have_value("0")
    expect(settings.field("Spot nodes")).to_be_checked()
