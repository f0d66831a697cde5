"""The answer of Jupyter Server's own `/api/status`: with a check, a build's phases and 20 streams open, and idle.

The build is one as the server sees it: a run whose process writes its phases and lines into the record.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from table import Row

from fairing_az_jupyter import machine
from fairing_az_jupyter.models import RunRequest
from fairing_az_jupyter.records import RunStore
from fairing_az_jupyter.records.log_lines import LogLines
from fairing_az_jupyter.records.status import read_status, write_status

if TYPE_CHECKING:
    from collections.abc import Callable

STREAMS = 20
ASKED = 100
LONGEST = 0.050
"""Seconds that the answer may take while all that goes on, as the median."""
LINES = 1_000_000
WINDOW = 0.020
_TOKEN = "of-the-benchmark"  # noqa: S105 - of a server on this machine, for these seconds
_HEADERS = {"Authorization": f"token {_TOKEN}"}


def rows() -> list[Row]:
    """Measure the answers, and the windows of a long log.

    Returns:
        One row for each.

    """
    with tempfile.TemporaryDirectory(prefix="bench-server-") as name:
        home = Path(name)
        idle, busy = _answers(home)
        window, whole = _window(home / "log.txt")
    return [
        Row(f"status with a check, a build and {STREAMS} streams", busy, idle, "an idle server", "s", LONGEST / idle),
        Row(f"a window of a log of {LINES:,} lines", window, whole, "reading all of it", "s", WINDOW / whole),
    ]


def _answers(home: Path) -> tuple[float, float]:
    environment = {**os.environ, "HOME": str(home), "FAIRING_AZURE_HOME": str(home), "KUBECONFIG": str(home / "none")}
    command = [
        *(sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", "--ServerApp.port=0"),
        *(f"--IdentityProvider.token={_TOKEN}", f"--ServerApp.root_dir={home}", "--ServerApp.ip=127.0.0.1"),
        "--ServerApp.jpserver_extensions=fairing_az_jupyter=True",
    ]
    log = home / "server.log"
    with log.open("wb") as out:
        server = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=environment)
    try:
        return _measured(_address(log), home)
    finally:
        server.terminate()
        server.wait(20)


def _address(log: Path) -> str:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", log.read_text(errors="replace"))
        if found:
            return found[0]
        time.sleep(0.1)
    raise TimeoutError(log.read_text(errors="replace"))


def _measured(site: str, home: Path) -> tuple[float, float]:
    ours = f"{site}fairing-az-jupyter"
    requests.get(f"{ours}/profiles", headers=_HEADERS, timeout=30).raise_for_status()
    idle = _median(lambda: requests.get(f"{site}api/status", headers=_HEADERS, timeout=30), lambda _number: None)
    folder = RunStore(home / "runs").create(RunRequest(str(home / "n.ipynb"), None), b"{}")
    running = {**read_status(folder), "state": "running", "process": machine.process_name()}
    write_status(folder, running, final=False)

    def follow() -> None:
        url = f"{ours}/runs/{folder.name}/events"
        with requests.get(url, headers=_HEADERS, stream=True, timeout=60) as answer:
            for _ in answer.iter_lines(chunk_size=1):
                pass

    def build(number: int) -> None:
        event: dict[str, Any] = {"kind": "output", "time": time.time(), "stream": "stdout", "text": f"layer {number}\n"}
        with (folder / "events.jsonl").open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(event) + "\n" for _ in range(20))

    threads = [threading.Thread(target=follow, daemon=True) for _ in range(STREAMS)]
    for thread in threads:
        thread.start()
    body = {"values": {"backend": "KubeflowAzureBackend", "docker_registry": "contosoml.azurecr.io"}}
    requests.post(f"{ours}/checks", json=body, headers=_HEADERS, timeout=30).raise_for_status()
    busy = _median(lambda: requests.get(f"{site}api/status", headers=_HEADERS, timeout=30), build)
    write_status(folder, {**running, "state": "succeeded"}, final=True)
    for thread in threads:
        thread.join(20)
    return idle, busy


def _median(ask: Callable[[], requests.Response], meanwhile: Callable[[int], None]) -> float:
    times = []
    for number in range(ASKED):
        meanwhile(number)
        begin = time.perf_counter()
        ask().raise_for_status()
        times.append(time.perf_counter() - begin)
        time.sleep(0.02)
    return statistics.median(times)


def _window(log: Path) -> tuple[float, float]:
    log.write_bytes(b"".join(b"epoch %d loss 0.123 accuracy 0.456\n" % number for number in range(LINES)))
    begin = time.perf_counter()
    log.read_text(encoding="utf-8").splitlines()
    whole = time.perf_counter() - begin
    lines = LogLines(log)
    lines.window(0, 1)
    times = []
    for first in range(0, LINES, LINES // 50):
        begin = time.perf_counter()
        lines.window(first, 500)
        times.append(time.perf_counter() - begin)
    return statistics.median(times), whole


if __name__ == "__main__":
    for row in rows():
        print(f"{row.name}: {row.ours:.4f} {row.unit} against {row.theirs:.4f} {row.unit} by {row.against}", end=" ")
        print(f"(ratio {row.figure:.2f}, promised at most {row.promise:.2f})")
