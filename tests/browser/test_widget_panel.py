"""The panel of widgets in JupyterLab: used by mouse and keyboard, in both themes, and read without its kernel."""

from __future__ import annotations

import contextlib
import re

import psutil
import pytest
from playwright.sync_api import expect

from tests.browser.lab_page import AXE, LabPage, tab_to, write_notebook

PARAMETERS = "FAIRING_BACKEND = 'LocalBackend'\nDOCKER_REGISTRY = 'contoso.azurecr.io'"
MODEL = """\
class Prices:
    def train(self):
        import time
        print('trained with', len(open('rows.csv').read().splitlines()), 'rows', flush=True)
        time.sleep(WAIT)

    def predict(self, X, feature_names=None):
        return [float(row[0]) * 2.5 + float(row[1]) for row in X]"""
OPEN = "%load_ext fairing_az_jupyter\n%fairing_azure panel"


@pytest.fixture
def opened(page, lab, request):
    name = re.sub(r"\W", "-", request.node.name)[:40]

    def open_with(wait="0", *cells):
        folder = lab.root / name
        write_notebook(folder / "prices.ipynb", PARAMETERS, MODEL.replace("WAIT", wait), OPEN, *cells)
        (folder / "rows.csv").write_text("rooms,area\n1,2\n3,4\n")
        at = LabPage(page, lab, name).open()
        at.open_notebook(f"{name}/prices.ipynb")
        at.execute("notebook:run-all-cells")
        panel = page.locator(".fairing-az-panel")
        expect(panel.first.get_by_role("button", name="Close")).to_be_visible(timeout=60_000)
        return at, panel

    return open_with


def head(panel, name):
    return panel.get_by_role("button", name=re.compile(rf"^[▸▾] {name}"))


def test_settings_are_typed_corrected_and_filled_in(opened):
    at, panel = opened()
    registry = panel.get_by_label("Container registry")
    expect(registry).to_have_value("contoso.azurecr.io")
    expect(at.page.locator(".fairing-az-static")).to_be_hidden()

    registry.fill("FABRIKAM")
    registry.press("Tab")
    field = panel.locator(".fairing-az-field").filter(has=at.page.get_by_label("Container registry"))
    expect(field.get_by_role("alert")).to_contain_text("is a registry's name only")
    field.get_by_role("button", name="Use fabrikam.azurecr.io").click()

    expect(registry).to_have_value("fabrikam.azurecr.io")
    expect(registry).to_be_focused()
    expect(panel.get_by_label("Changed lines")).to_contain_text("+DOCKER_REGISTRY = 'fabrikam.azurecr.io'")
    panel.get_by_role("button", name="Fill").click()
    expect(panel.get_by_text("JupyterLab is filling the parameters cell")).to_be_visible()
    at.page.wait_for_function(
        "window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells[0].getSource().includes('fabrikam')"
    )
    assert at.cell_sources()[0] == PARAMETERS.replace("contoso", "fabrikam")


def test_a_class_is_trained_deployed_tried_and_deleted_while_cells_run(opened):
    at, panel = opened("2", "import time\nfor number in range(40): time.sleep(0.1)\nprint('cell', 'done')")
    panel.get_by_role("button", name="Run checks").click()
    panel.get_by_label("Input files").fill("rows.csv")
    panel.get_by_role("button", name="Train", exact=True).click()
    launch = panel.locator(".fairing-az-launch").first
    expect(launch).to_contain_text("trained with 3 rows", timeout=60_000)
    expect(launch).to_contain_text("running")
    expect(panel.get_by_text("Ready to launch.")).to_be_visible()
    expect(launch).to_contain_text("succeeded")
    expect(at.page.get_by_text("cell done")).to_be_visible()
    assert at.page.get_by_text("trained with 3 rows").count() == 2, "once in the panel, once in the hidden table"

    panel.get_by_role("button", name="Deploy", exact=True).click()
    expect(head(panel, "Endpoints")).to_contain_text("(1)", timeout=90_000)
    head(panel, "Endpoints").click()
    panel.get_by_role("button", name="Test call").click()
    panel.get_by_label("Sample rows").fill("rooms,area\n2,1\n4,0.5\n")
    panel.get_by_role("button", name="Predict").click()
    expect(panel.get_by_label("Predictions").get_by_role("listitem")).to_have_text(["6.0", "10.5"])
    head(panel, "Settings").click()
    at.picture("widget-panel")

    panel.get_by_role("button", name="Delete …").click()
    panel.get_by_role("button", name="Delete", exact=True).click()
    expect(panel.get_by_text("No endpoints yet.")).to_be_visible(timeout=30_000)


def test_a_training_is_cancelled_by_the_keyboard_alone(opened):
    at, panel = opened("600")
    panel.get_by_label("Input files").fill("rows.csv")
    tab_to(at.page, panel.get_by_role("button", name="Train", exact=True))
    at.page.keyboard.press("Enter")
    expect(panel.locator(".fairing-az-launch").first).to_contain_text("trained with", timeout=60_000)
    before = psutil.Process().children(recursive=True)

    tab_to(at.page, panel.get_by_role("button", name="Cancel"))
    at.page.keyboard.press("Space")

    expect(panel.locator(".fairing-az-launch").first).to_contain_text("cancelled", timeout=20_000)
    expect(panel.get_by_role("button", name="Cancel")).to_be_hidden()
    expect(panel.get_by_role("button", name="Train", exact=True)).to_be_focused()
    assert len(psutil.Process().children(recursive=True)) < len(before)


def test_sections_open_and_close_by_the_keyboard(opened):
    at, panel = opened()

    tab_to(at.page, panel.get_by_role("button", name="Close"))
    for name in ("Settings", "Checks", "Launch"):
        tab_to(at.page, head(panel, name))
        at.page.keyboard.press("Enter")
        expect(head(panel, name)).to_contain_text("▸")
        expect(head(panel, name)).to_be_focused()
    tab_to(at.page, head(panel, "Runs"))
    at.page.keyboard.press("Enter")
    expect(head(panel, "Runs")).to_contain_text("▾")
    # Those that the tests before have left, or that there are none.
    expect(panel.get_by_text(re.compile(r"No runs yet\.|succeeded")).first).to_be_visible()


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_nobody_is_shut_out_and_nothing_is_cut_off(opened, theme):
    at, panel = opened()
    at.execute("apputils:change-theme", theme=theme)
    at.page.wait_for_function("theme => document.body.dataset.jpThemeName === theme", arg=theme)
    panel.get_by_role("button", name=re.compile("More settings")).click()
    panel.get_by_label("Container registry").fill("FABRIKAM")
    panel.get_by_label("Container registry").press("Tab")
    panel.get_by_role("button", name="Run checks").click()
    head(panel, "Runs").click()
    head(panel, "Endpoints").click()
    expect(panel.get_by_text("No endpoints yet.")).to_be_visible()
    expect(panel.get_by_role("alert").first).to_be_visible()

    at.page.add_script_tag(path=AXE)
    report = at.page.evaluate("axe.run('.fairing-az-panel')")
    assert "color-contrast" in {each["id"] for each in report["passes"]}
    assert [each for each in report["violations"] if each["impact"] in ("serious", "critical")] == []
    for width in (1400, 1000):
        at.page.set_viewport_size({"width": width, "height": 900})
        cut = panel.evaluate(
            """panel => [...panel.querySelectorAll('button, label, .widget-html-content, table')]
                .filter(each => each.scrollWidth > each.clientWidth + 1 && each.clientWidth > 0)
                .map(each => each.textContent.slice(0, 60))"""
        )
        assert cut == []


def test_a_notebook_without_its_kernel_shows_a_table(opened):
    at, panel = opened()
    panel.get_by_role("button", name="Run checks").click()
    expect(panel.get_by_text("Ready to launch.")).to_be_visible()
    table = at.page.locator(".fairing-az-static")
    expect(table).to_contain_text("Ready to launch.")
    expect(table).to_be_hidden()
    at.execute("docmanager:save")
    at.page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")

    at.reload()

    expect(table).to_be_visible()
    expect(table.get_by_role("row").filter(has_text="DOCKER_REGISTRY")).to_contain_text("contoso.azurecr.io")
    expect(panel).to_have_count(0)
    expect(at.page.get_by_text("Error displaying widget")).to_be_hidden()
    at.picture("widget-panel-without-kernel")


def test_close_leaves_the_table_and_a_reloaded_page_shows_the_live_panel(opened):
    at, panel = opened()
    table = at.page.locator(".fairing-az-static")
    at.execute("docmanager:save")
    at.reload()
    expect(panel.get_by_label("Container registry")).to_have_value("contoso.azurecr.io", timeout=60_000)
    expect(table).to_be_hidden()

    panel.get_by_role("button", name="Close").click()

    expect(panel).to_have_count(0)
    expect(table).to_be_visible()


def test_notebook_7_shows_the_panel_and_a_training(page, lab, problems):
    folder = lab.root / "seven"
    train = "job = %fairing_azure train Prices --input-files rows.csv"
    write_notebook(folder / "seven.ipynb", PARAMETERS, MODEL.replace("WAIT", "0"), OPEN, train)
    (folder / "rows.csv").write_text("rooms,area\n1,2\n3,4\n")
    page.goto(f"{lab.url}notebooks/seven/seven.ipynb?token={lab.token}")
    expect(page.locator(".jp-Notebook .jp-CodeCell")).to_have_count(4)
    expect(page.locator(".jp-NotebookKernelStatus")).to_have_count(1)

    # Notebook 7.6 runs nothing as long as its kernel is only about to start, and says nothing either.
    begun = page.locator(".jp-InputPrompt", has_text=re.compile(r"\[(\*|\d+)\]"))
    for _ in range(10):
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        with contextlib.suppress(AssertionError):
            expect(begun.first).to_be_visible(timeout=4_000)
            break

    panel = page.locator(".fairing-az-panel")
    expect(panel.get_by_label("Container registry")).to_have_value("contoso.azurecr.io", timeout=60_000)
    expect(page.locator(".fairing-az-static")).to_be_hidden()
    trained = page.locator(".jp-OutputArea .fairing-az-launch").last
    expect(trained).to_contain_text("succeeded", timeout=60_000)
    expect(trained).to_contain_text("trained with 3 rows")
    panel.get_by_role("button", name="Run checks").click()
    expect(panel.get_by_text("Ready to launch.")).to_be_visible()
    # Notebook 7.6 itself says so at its start, also without the panel.
    problems[:] = [problem for problem in problems if "reading 'schema'" not in problem]
