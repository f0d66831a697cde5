"""What a notebook waits for: loading the extension, and importing Fairing."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile

from table import Row

PAIRS = 7
IMPORT = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"
TIMED = (
    "import time; start = time.perf_counter(); import IPython; "
    "IPython.start_ipython(['--quick', '--no-banner', '-c', {!r}]); print(time.perf_counter() - start)"
)


def rows() -> list[Row]:
    """Measure in new interpreters, in turn, with bytecode compiled; the median of each."""
    with tempfile.TemporaryDirectory() as cache:
        ext, bare = _medians(TIMED.format("%load_ext fairing_az_jupyter"), TIMED.format("pass"), cache)
        bridged = IMPORT.format("fairing_az_jupyter.fairing, kubeflow.fairing")
        bridge, client = _medians(bridged, IMPORT.format("kubernetes.client"), cache)
    return [
        Row("%load_ext fairing_az_jupyter", ext, bare, "bare IPython", "s", 0.1, "difference"),
        Row("import kubeflow.fairing", bridge, client, "import kubernetes.client", "s", 2.0),
    ]


def _medians(ours: str, theirs: str, cache: str) -> tuple[float, float]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPYCACHEPREFIX": cache, "IPYTHONDIR": f"{cache}/ipython"}
    times: dict[str, list[float]] = {ours: [], theirs: []}
    for turn in range(PAIRS + 1):
        for script, seen in times.items():
            done = subprocess.run(
                [sys.executable, "-c", script], env=environment, check=True, capture_output=True, text=True
            )
            if turn:  # the first one compiles
                seen.append(float(done.stdout.split()[-1]))
    return statistics.median(times[ours]), statistics.median(times[theirs])
