"""The side panel before 1,000 runs and a log of 1,000,000 lines: opening, scrolling, memory, and what is downloaded."""

from __future__ import annotations

import contextlib
import gzip
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from table import Row

sys.path.insert(0, str(Path(__file__).parents[1]))

from fairing_az_jupyter.models import RunRequest
from fairing_az_jupyter.records import RunStore, layout
from fairing_az_jupyter.records.status import read_status, write_status
from tests.browser.conftest import Lab, chromium
from tests.browser.lab_page import LabPage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

RUNS = 1_000
LINES = 1_000_000
TIMES = 5
SECONDS = 3.0
"""How long is scrolled."""
OPENED = 0.5
FRAME = 1 / 30
"""How long a frame may take while one scrolls, in seconds."""
MEMORY = 300.0
BUNDLE = 200.0
STATIC = Path(__file__).parents[1] / "fairing_az_jupyter" / "labextension" / "static"

_OPEN = """([show, seen]) => new Promise((resolve, reject) => {
    const { shell, commands } = window.jupyterapp;
    const begin = performance.now();
    if (show) {
        void commands.execute('fairing-az:show', { section: 'runs' });
    } else {
        shell.activateById('jp-property-inspector');
    }
    const look = () => {
        const found = document.querySelector(seen);
        if (found && found.getBoundingClientRect().height > 0) {
            // What stands in the page is drawn when the next frame begins.
            requestAnimationFrame(() => resolve((performance.now() - begin) / 1000));
        } else if (performance.now() - begin > 20000) {
            reject(new Error(`${seen} was not shown`));
        } else {
            requestAnimationFrame(look);
        }
    };
    look();
})"""
_COUNT = """() => {
    const counted = { frames: 0, begin: performance.now() };
    window.counted = counted;
    const count = () => {
        counted.frames += 1;
        if (window.counted === counted) {
            requestAnimationFrame(count);
        }
    };
    requestAnimationFrame(count);
}"""
_COUNTED = "() => (performance.now() - window.counted.begin) / 1000 / window.counted.frames"


def rows() -> list[Row]:
    """Measure the panel in Chromium.

    Returns:
        One row for each promise.

    """
    with tempfile.TemporaryDirectory(prefix="bench-panel-") as name:
        lab = Lab(Path(name))
        _make(RunStore(lab.home / "fairing" / "runs"))
        lab.start()
        try:
            plain = _plain(lab)
            found = _used(lab)
        finally:
            lab.stop()
    idle, heap, tab = found["idle"], found["heap"], found["tab"]
    without = "the same tab without the panel"
    return [
        Row(f"open the panel before {RUNS:,} runs", found["panel"], found["other"], "another panel", "s", OPENED, DIFF),
        Row(f"a frame while {RUNS:,} runs scroll", found["list"], idle, "one of a page at rest", "s", FRAME / idle),
        Row(f"a frame while {LINES:,} lines scroll", found["log"], idle, "one of a page at rest", "s", FRAME / idle),
        Row("the tab's scripts after that", heap, plain["heap"], without, "MB", MEMORY, DIFF),
        Row("the tab's process after that", tab, plain["tab"], without, "MB", MEMORY, DIFF),
        Row("the panel's scripts, compressed", _bundle(), 0.0, "no panel", "kB", BUNDLE, DIFF),
    ]


DIFF = "difference"


def _make(store: RunStore) -> None:
    """Make records of runs that have ended, as `Recorder` leaves them; the newest has a long log."""
    folder = Path()
    for number in range(RUNS):
        folder = store.create(RunRequest(f"prices-{number}.ipynb", None, {"rate": number / RUNS}), None)
        ended = {"state": "succeeded", "started": time.time(), "ended": time.time(), "duration": 1.5, "attempt": 1}
        write_status(folder, {**read_status(folder), **ended, "metrics": {"rmse": 0.5}}, final=True)
    lines = (b"epoch %d loss 0.123 accuracy 0.456\n" % number for number in range(LINES))
    (folder / layout.LOG).write_bytes(b"".join(lines))


def _plain(lab: Lab) -> dict[str, float]:
    """Measure the memory of JupyterLab without the panel."""
    file = lab.home / "config" / "labconfig" / "page_config.json"
    kept = file.read_text()
    configuration = json.loads(kept)
    configuration["disabledExtensions"]["fairing-az-jupyter"] = True
    file.write_text(json.dumps(configuration))
    try:
        with _tab() as (browser, page):
            LabPage(page, lab, "plain").open()
            if page.evaluate("window.jupyterapp.commands.hasCommand('fairing-az:show')"):
                message = "the panel could not be left out"
                raise RuntimeError(message)
            return _memory(browser, page)
    finally:
        file.write_text(kept)


def _used(lab: Lab) -> dict[str, float]:
    found: dict[str, float] = {}
    with _tab() as (browser, page):
        opened = LabPage(page, lab, "panel").open()
        panels, others = [], []
        for _ in range(TIMES):
            others.append(page.evaluate(_OPEN, [False, "#jp-property-inspector"]))
            panels.append(page.evaluate(_OPEN, [True, "#fairing-az-jupyter-panel [role=row]"]))
            # Each time is the first one of a page.
            opened.reload()
            page.evaluate("window.jupyterapp.shell.collapseRight()")
        found["panel"], found["other"] = statistics.median(panels), statistics.median(others)
        opened.execute("fairing-az:show", section="runs")
        grid = opened.panel.get_by_role("grid")
        grid.wait_for()
        found["idle"] = _frame(page, 0)
        grid.hover()
        found["list"] = _frame(page, 400)
        grid.focus()
        page.keyboard.press("Home")
        opened.panel.get_by_role("row").first.click()
        opened.panel.get_by_role("button", name="Log", exact=True).click()
        log = opened.panel.get_by_role("log")
        log.get_by_text(f"epoch {LINES - 1} loss").wait_for()
        log.focus()
        page.keyboard.press("Home")
        log.get_by_text("epoch 0 loss").wait_for()
        log.hover()
        found["log"] = _frame(page, 400)
        return {**found, **_memory(browser, page)}


@contextlib.contextmanager
def _tab() -> Iterator[tuple[Browser, Page]]:
    with chromium() as browser:
        yield browser, browser.new_context(viewport={"width": 1400, "height": 900}).new_page()


def _frame(page: Page, wheel: int) -> float:
    """Turn the wheel on and on; return the seconds that a frame takes meanwhile."""
    page.evaluate(_COUNT)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if wheel:
            page.mouse.wheel(0, wheel)
        page.wait_for_timeout(16)
    return float(page.evaluate(_COUNTED))


def _memory(browser: Browser, page: Page) -> dict[str, float]:
    """Return what the page's scripts and its process hold, in MB, after a collection of garbage."""
    session = page.context.new_cdp_session(page)
    for command in ("HeapProfiler.collectGarbage", "Performance.enable"):
        session.send(command)
    metrics: list[dict[str, Any]] = session.send("Performance.getMetrics")["metrics"]
    processes = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    # A second renderer may wait for a next page; it holds less.
    tabs = [psutil.Process(each["id"]).memory_full_info().uss for each in processes if each["type"] == "renderer"]
    heap = next(each["value"] for each in metrics if each["name"] == "JSHeapUsedSize")
    return {"heap": heap / 1e6, "tab": max(tabs) / 1e6}


def _bundle() -> float:
    return sum(len(gzip.compress(path.read_bytes())) for path in STATIC.glob("*.js")) / 1e3


if __name__ == "__main__":
    for row in rows():
        print(f"{row.name}: {row.ours:.4f} {row.unit} against {row.theirs:.4f} {row.unit} by {row.against}", end=" ")
        print(f"({row.kind} {row.figure:.2f}, promised at most {row.promise:.2f})")
