"""What a run has written, in the panel: listed, downloaded, and copied, but never over a file of the user's."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import expect

from fairing_az_jupyter.models import Provenance, RunRequest
from fairing_az_jupyter.records import RunStore
from fairing_az_jupyter.records.provenance.files import write_packages, write_provenance
from fairing_az_jupyter.records.status import read_status, write_status
from tests.browser.lab_page import LabPage, serious_violations, tab_to, write_notebook
from tests.outputs.outputs_scene import local

MANY = 10_000
FILES = {
    "trained_prices_model.dat": b"m" * 2_345_678,
    "report.json": b'{"rmse": 0.25}',
    "plots/validation/learning-curve-of-the-last-and-longest-epoch.png": b"p" * 45_678,
    ".cache/index": b"x",
}
THEMES = ("JupyterLab Light", "JupyterLab Dark")


@pytest.fixture
def at(page, lab, request):
    opened = LabPage(page, lab, re.sub(r"\W", "-", request.node.name)[:40]).open()
    opened.show_panel()
    for name in ("Notebook", "Settings"):
        opened.close_section(name)
    return opened


def trained(lab, folder, files, *, name="", packages=None, metrics=None, error=None):
    """Make the record of a training with what it has written; return the run's identifier."""
    notebook = write_notebook(lab.root / folder / "prices.ipynb", None, "class Prices: ...")
    store = RunStore(lab.home / "fairing" / "runs")
    made = store.create(RunRequest(str(notebook), None, kind="train", task="Prices", name=name), None)
    now = time.time()
    ended = {"state": "failed" if error else "succeeded", "started": now, "ended": now, "duration": 12.5, "attempt": 1}
    write_status(made, {**read_status(made), **ended, "metrics": metrics or {}, "error": error}, final=True)
    digest = write_packages(made, packages or {})
    write_provenance(made, Provenance(code="c0de" * 16, python="3.11.7", packages=digest))
    if files:
        local(made / "outputs", files)
    return made.name


def details_of(at, name):
    section = at.section("Runs")
    section.get_by_role("button", name="Refresh the list of runs").click()
    section.get_by_role("row", name=re.compile(name)).first.click()
    return section.locator(".jp-fairing-az-run-details")


def test_files_are_downloaded_and_copied_and_a_file_of_the_user_is_replaced_only_on_a_yes(at, lab):
    page, folder = at.page, lab.root / "housing"
    trained(lab, "housing", FILES, name="housing", metrics={"rmse": 0.25})
    (folder / "report.json").write_text("mine")
    details = details_of(at, "housing")
    files = details.get_by_role("region", name="Files")
    expect(files.get_by_role("listitem")).to_have_count(len(FILES))
    expect(files.get_by_role("listitem").filter(has_text="trained_prices_model.dat")).to_contain_text("2.3")

    with page.expect_download() as started:
        files.get_by_role("button", name="Download trained_prices_model.dat").click()
    assert started.value.suggested_filename == "trained_prices_model.dat"
    assert started.value.path().read_bytes() == FILES["trained_prices_model.dat"]

    copy_all = files.get_by_role("button", name="Copy all")
    copy_all.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("“housing” already: report.json")
    dialog.get_by_role("button", name="Cancel").click()
    expect(files.get_by_text("Your own report.json was kept as it is.")).to_be_visible()
    expect(files.get_by_text("2 files copied to “housing”.")).to_be_visible()
    # Jupyter would not show it.
    expect(files.get_by_text(".cache/index: it is hidden")).to_be_visible()
    assert (folder / "report.json").read_text() == "mine"
    assert (folder / "trained_prices_model.dat").read_bytes() == FILES["trained_prices_model.dat"]
    assert not (folder / ".cache").exists()

    tab_to(page, files.get_by_role("button", name="Copy report.json"))
    page.keyboard.press("Enter")
    dialog.get_by_role("button", name="Replace").click()
    expect(files.get_by_text("report.json copied to “housing”.")).to_be_visible()
    assert (folder / "report.json").read_bytes() == FILES["report.json"]

    at.widen_panel(380)
    at.picture("panel-files")
    details.get_by_role("button", name="Deploy this model").click()
    form = details.get_by_role("group", name="Deploy this model")
    expect(form.get_by_text("This notebook has no class that can be deployed.")).to_be_visible()
    for width in (380, 800):
        at.widen_panel(width)
        for theme in THEMES:
            assert serious_violations(at, theme) == {}, theme
            files.scroll_into_view_if_needed()
            box = at.panel.bounding_box()
            for each in (files, form):
                inside = each.bounding_box()
                assert inside["x"] + inside["width"] <= box["x"] + box["width"]
    at.execute("apputils:change-theme", theme=THEMES[0])


def test_a_file_of_ten_thousand_is_found_and_copied_and_what_is_gone_says_so(at, lab, problems):
    run = trained(lab, "many", {f"part-{number:05}.bin": b"x%d" % number for number in range(MANY)}, name="many")
    details = details_of(at, "many")
    files = details.get_by_role("region", name="Files")
    expect(files.get_by_text(re.compile(rf"^1.10 of {MANY}$"))).to_be_visible()
    assert files.get_by_role("listitem").count() == 10
    files.get_by_role("searchbox").fill("09999")
    files.get_by_role("button", name="Copy part-09999.bin").click()
    expect(files.get_by_text("part-09999.bin copied to “many”.")).to_be_visible()
    assert (lab.root / "many" / "part-09999.bin").read_bytes() == b"x9999"
    assert len(list((lab.root / "many").iterdir())) == 2

    (lab.home / "fairing" / "runs" / run / "outputs" / "manifest.json").unlink()
    files.get_by_role("button", name="Download part-09999.bin").click()
    expect(files.get_by_text("has kept none")).to_be_visible()
    expect(files.get_by_role("listitem")).to_have_count(0)
    problems[:] = [problem for problem in problems if "404" not in problem]


def test_rows_tell_what_runs_list_tells_and_a_comparison_what_runs_were_made_of(at, lab):
    message = "The job of Prices failed.\n  | Traceback (most recent call last)\n  | ValueError: no rows in 'ames.csv'"
    failed = trained(lab, "rows", {}, error={"code": "job-failed", "message": message, "hint": ""})
    made = [
        trained(lab, "rows", {}, name=f"version-{version}", packages={"xgboost": version}, metrics={"rmse": rmse})
        for version, rmse in (("3.0.0", 0.31), ("3.1.1", 0.25))
    ]
    section = at.section("Runs")
    section.get_by_role("button", name="Refresh the list of runs").click()
    row = section.locator(f'[role="row"][id$="{failed}"]')
    expect(row).to_have_text(re.compile(r"train Prices.*failed.*13 s · ValueError: no rows in 'ames.csv'"))
    listed = lab.command_line("runs", "list")
    # In the same line, or below it where that is full.
    assert re.search(r"train Prices +failed [^\n]*\n?[^\n]*ValueError: no rows in 'ames.csv'", listed), listed

    for run in made:
        section.locator(f'[role="row"][id$="{run}"]').get_by_role("checkbox").check()
    section.get_by_role("button", name="Compare 2 runs").click()
    table = section.get_by_role("group", name="Comparison of runs")
    expect(table.get_by_role("row", name=re.compile("^xgboost"))).to_have_text(re.compile("3.0.0.*3.1.1|3.1.1.*3.0.0"))
    expect(table.get_by_text("The same: code, data, image, settings.")).to_be_visible()
