"""Classes of a notebook are trained and deployed in the panel, and their endpoint is tried and deleted."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import psutil
import pytest
from playwright.sync_api import expect

from tests.browser.lab_page import LabPage, write_notebook

MODEL = """\
class Prices:
    def __init__(self):
        self.factor = None

    def train(self):
        with open('rows.csv') as file:
            print('trained with', len(file.read().splitlines()), 'rows')
        with open('factor.txt', 'w') as file:
            file.write('2.5')

    def predict(self, X, feature_names=None):
        return [float(row[0]) * 2.5 + float(row[1]) for row in X]
"""


def answers(url):
    port = urlsplit(url).port
    return port in {c.laddr.port for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN}


@pytest.fixture
def at(page, lab, request):
    opened = LabPage(page, lab, re.sub(r"\W", "-", request.node.name)[:40]).open()
    opened.show_panel()
    for name in ("Notebook", "Settings"):
        opened.close_section(name)
    return opened


def test_a_class_is_trained_and_deployed_and_its_endpoint_is_tried_and_deleted(at, lab, problems):
    page, folder = at.page, lab.root / "prices"
    write_notebook(folder / "prices.ipynb", "FAIRING_BACKEND = 'LocalBackend'", MODEL.strip())
    (folder / "rows.csv").write_text("rooms,area\n1,2\n3,4\n")
    at.open_notebook("prices/prices.ipynb")
    launch = at.section("Launch")

    launch.get_by_label("Train a class").check()
    expect(launch.get_by_label("Class", exact=True)).to_have_value("Prices")
    launch.get_by_label("Input files").fill("rows.csv")
    launch.get_by_role("button", name=re.compile("^(Save and launch|Launch)$")).click()

    details = launch.locator(".jp-fairing-az-run-details")
    expect(details.get_by_role("status").filter(has_text="succeeded")).to_be_visible(timeout=60_000)
    phases = details.get_by_role("list", name="Phases of the launch").get_by_role("listitem")
    expect(phases.filter(has_text="Pack files")).to_contain_text("succeeded")
    expect(phases.filter(has_text=re.compile("^Run"))).to_contain_text("succeeded")
    details.get_by_role("button", name="Log", exact=True).click()
    expect(details.get_by_role("log")).to_contain_text("trained with 3 rows")
    details.get_by_role("button", name="Close the run").click()

    launch.get_by_label("Deploy a class").check()
    launch.get_by_label("Input files").fill("")
    launch.get_by_role("button", name=re.compile("^(Save and launch|Launch)$")).click()

    expect(phases.filter(has_text="Serve")).to_contain_text("succeeded", timeout=90_000)
    url = details.locator(".jp-fairing-az-url code").inner_text()
    assert answers(url)
    at.picture("panel-launch")
    at.close_section("Launch")
    endpoints = at.section("Endpoints")
    endpoint = endpoints.get_by_role("listitem").first
    expect(endpoint).to_contain_text("ready")
    expect(endpoint).to_contain_text("on this machine")
    endpoint.get_by_role("button", name="Test call").click()
    endpoint.get_by_label("Sample rows").fill("rooms,area\n2,1\n4,0.5\n")
    endpoint.get_by_role("button", name="Predict").click()
    predictions = endpoint.get_by_role("group", name="Predictions").get_by_role("listitem")
    expect(predictions).to_have_text(["6", "10.5"])
    at.picture("panel-endpoints")

    endpoint.get_by_label("Sample rows").fill("rooms,area\nmany,0.5\n")
    endpoint.get_by_role("button", name="Predict").click()
    error = endpoint.get_by_role("alert")
    expect(error).to_contain_text("many")
    expect(predictions).to_have_count(0)
    # The browser itself writes a failed request to its console; it was the user's own row that was rejected.
    assert [text for text in problems if "/predict" not in text] == []
    problems.clear()

    endpoint.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(endpoints.get_by_text("No endpoints yet")).to_be_visible(timeout=30_000)
    assert not answers(url)
    expect(page.locator("#jp-main-statusbar").get_by_role("button", name=re.compile("Show runs"))).to_be_hidden()
