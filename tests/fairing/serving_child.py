"""Starts the endpoint's server as a child process beside a pickled class, as the deployers do."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import cloudpickle
import numpy as np
import requests

from fairing_az_jupyter.fairing.model_server import serving

START_SECONDS = 90
SOURCE = """
import sys, threading, time
import numpy as np

class Model:
    class_names = ["price"]

    def __init__(self):
        self.threads = {threading.get_ident()}
        self.loaded = False

    def load(self):
        self.threads.add(threading.get_ident())
        self.loaded = True

    def predict(self, X, feature_names):
        self.threads.add(threading.get_ident())
        wish = (feature_names or ["sum"])[0]
        if wish == "sleep":
            time.sleep(X[0, 0])
        if wish == "exit":
            sys.exit(3)
        if wish == "stop":
            raise StopIteration
        if wish == "bug":
            raise KeyError("no such thing")
        if wish == "refuse":
            raise ValueError("Feature shape mismatch,\\n expected: 5, got 1")
        return {
            "float32": X.astype(np.float32),
            "echo": X,
            "dtype": [str(X.dtype), list(X.shape)],
            "text": [["a", "b"], ["c", "d"]],
            "list": [1, 2],
            "scalar": 4.5,
            "nan": [float("nan"), float("inf"), 1.0],
            "names": [feature_names],
            "threads": [len(self.threads), self.loaded],
            "none": None,
            "object": object(),
            "sleep": 1,
            "sum": X.sum(axis=1) if X.ndim == 2 else X.sum(),
        }.get(wish)
"""


def app_folder(folder, source=SOURCE, name="Model"):
    """Write what Kubeflow Fairing and the deployers put into a container's /app."""
    folder.mkdir(exist_ok=True)
    for origin, target in serving.CONTAINER_FILES.items():
        shutil.copyfile(Path(serving.__file__).with_name(origin), folder / target)
    space = {"__name__": "__main__"}
    exec(source, space)  # noqa: S102 - what __main__ defines, cloudpickle takes by value, as in a notebook
    (folder / "pickled_fn.p").write_bytes(cloudpickle.dumps(space[name]))
    (folder / f"{name}.py").write_text(
        f'import cloudpickle\n{name} = cloudpickle.load(open("pickled_fn.p", "rb"))\n', encoding="utf-8"
    )
    return folder


def launch(folder, *arguments, name="Model", environment=None, **options):
    with (folder / "stderr").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, str(folder / "fairing_serving.py"), name, *arguments],
            cwd=folder,
            stdout=log,
            stderr=log,
            env={**os.environ, **(environment or {})},
            **options,
        )


def log_of(folder):
    return (folder / "stderr").read_text(encoding="utf-8", errors="replace")


def wait_until_ready(child, url, folder):
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        assert child.poll() is None, log_of(folder)
        with contextlib.suppress(requests.RequestException):
            if requests.get(f"{url}/v2/health/ready", timeout=2).ok:
                return
        time.sleep(0.05)
    raise AssertionError(log_of(folder))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextlib.contextmanager
def running(folder, **options):
    """Start a server on a socket that is handed over, and end it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        child = launch(folder, "--fd", str(listener.fileno()), pass_fds=(listener.fileno(),), **options)
    try:
        wait_until_ready(child, url := f"http://127.0.0.1:{port}", folder)
        yield child, url
    finally:
        child.kill()
        child.wait(10)


def failed_start(folder, *arguments, **options):
    """Run a server that can't start; return its exit code and its last line."""
    child = launch(folder, "--port", "0", *arguments, **options)
    try:
        code = child.wait(START_SECONDS)
    finally:
        child.kill()
        child.wait(10)
    return code, log_of(folder).rstrip().splitlines()[-1]


def tensor(values, shape, names=None):
    return {"data": {"names": names, "tensor": {"shape": shape, "values": values}}}


def ask(url, message, path="/predict"):
    answer = requests.post(url + path, data={"json": json.dumps(message)}, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()


def predict_nparray(url, data, feature_names=None):
    """Post what Kubeflow Fairing 1.0.2's PredictionEndpoint.predict_nparray posts, and decode as it does."""
    pdata = {
        "data": {
            "names": feature_names,
            "tensor": {"shape": np.asarray(data.shape).tolist(), "values": data.flatten().tolist()},
        }
    }
    answer = requests.post(url, data={"json": json.dumps(pdata)}, timeout=30)
    return json.loads(answer.text)


def infer(url, message, name="Model", **options):
    return requests.post(f"{url}/v2/models/{name}/infer", **(options or {"json": message}), timeout=30)


def v2_input(data, shape, datatype="FP64", name="x"):
    return {"name": name, "shape": shape, "datatype": datatype, "data": data}
