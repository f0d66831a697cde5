"""Training a one-line function whose image is there already, against a bare Job of the same image by kubectl.

Both start the same command in the same image on the stand's node, with the same requests, and are waited for; in pairs,
so that both meet the same machine. Ours looks for the image in the registry, for a job that does the same, shows the
output and deletes the Job; `kubectl create` and `kubectl wait` do nothing of that.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import statistics
import subprocess
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubeflow.fairing import TrainJob
from table import Row

from fairing_az_jupyter import services
from fairing_az_jupyter.fairing.cluster.pod_spec import plain_spec
from fairing_az_jupyter.fairing.tasks.launching import TaskLaunch
from fairing_az_jupyter.fairing.tasks.lookup import load_task
from fairing_az_jupyter.settings import Settings
from tests.cluster.builders_scene import SMALL, Workshop
from tests.stand import close_shared, shared
from tests.stand.programs import binaries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.stand import Setup

PAIRS = 7
PROMISED = 1.3
AGAINST = "a bare Job by kubectl"
WAIT = "120s"
FILE, FUNCTION = "one_line.py", "greet"
TEXT = "it is done"


def rows() -> list[Row]:
    """Measure both.

    Returns:
        A row of seconds.

    """
    logging.disable(logging.WARNING)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-train-") as folder, _desk(Path(folder)) as desk:
            # The first launch builds the image, and has the node pull it.
            desk.train()
            desk.bare()
            pairs = [(_seconds(desk.train), desk.bare()) for _ in range(PAIRS)]
    finally:
        logging.disable(logging.NOTSET)
        close_shared()
    ours, theirs = (statistics.median(each[place] for each in pairs) for place in (0, 1))
    return [Row("train of one line, its image already there", ours, theirs, AGAINST, "s", PROMISED, "ratio")]


class _Desk:
    """A notebook's folder with one function, and two ways to run it in the cluster."""

    def __init__(self, setup: Setup, settings: Settings, folder: Path) -> None:
        self._setup, self._settings, self._folder = setup, settings, folder
        self._kubectl = str(binaries.kubectl())
        (folder / FILE).write_text(f"def {FUNCTION}():\n    print({TEXT!r})\n")

    def train(self) -> None:
        """Train by what the magic and the command line call, to the end."""
        given = self._settings.model_dump(exclude_unset=True)
        with contextlib.redirect_stdout(io.StringIO()) as shown:
            services.train(services.Session(given), f"{FILE}:{FUNCTION}")
        if TEXT not in shown.getvalue():
            message = f"The training printed {shown.getvalue()!r}."
            raise RuntimeError(message)

    def bare(self) -> float:
        """Make a Job by kubectl and wait for it; return the seconds, without those of its deletion."""
        name = f"bare-{uuid.uuid4().hex[:8]}"
        path = self._folder.parent / f"{name}.json"
        path.write_text(json.dumps(self._job(name)))
        began = time.perf_counter()
        self._run("create", "-f", str(path))
        self._run("wait", "--for=condition=complete", f"job/{name}", f"--timeout={WAIT}")
        seconds = time.perf_counter() - began
        self._run("delete", "job", name, "--wait=true")
        return seconds

    def _job(self, name: str) -> dict[str, Any]:
        launch = TaskLaunch(self._settings, (), {}, None)
        builder = TrainJob(load_task(f"{FILE}:{FUNCTION}", "train", None), **launch.arguments()).builder
        # Its image is there, so that this only finds out its name.
        builder.build()
        pod = plain_spec(builder.generate_pod_spec(), (), self._setup.namespace)
        pod["containers"][0]["resources"] = {"requests": {key: SMALL[key] for key in ("cpu", "memory")}}
        pod |= {"restartPolicy": "Never", "serviceAccountName": "default-editor"}
        template = {"metadata": {"labels": {"sidecar.istio.io/inject": "false"}}, "spec": pod}
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name},
            "spec": {"backoffLimit": 0, "template": template},
        }

    def _run(self, *words: str) -> None:
        command = [self._kubectl, "--namespace", self._setup.namespace, *words]
        subprocess.run(command, check=True, capture_output=True, timeout=150)


def _seconds(call: Any) -> float:  # noqa: ANN401 - called, whatever it returns
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


@contextlib.contextmanager
def _desk(folder: Path) -> Iterator[_Desk]:
    """Lead this process to a stand with a node and to a notebook's folder."""
    stand = shared()
    notebook = folder / "notebook"
    notebook.mkdir()
    with contextlib.ExitStack() as opened:
        opened.enter_context(stand.names.here())
        setup = stand.correct_setup(f"bench-{uuid.uuid4().hex[:8]}")
        before = dict(os.environ)
        opened.callback(lambda: (os.environ.clear(), os.environ.update(before)))
        for name in [name for name in os.environ if name.startswith("KUBERNETES_")]:
            del os.environ[name]
        os.environ.update({"KUBECONFIG": str(setup.kubeconfig), "FAIRING_AZURE_HOME": str(folder / "home")})
        opened.callback(os.chdir, Path.cwd())
        os.chdir(notebook)
        base = stand.node.push_base(setup.login_server, setup.dockerconfig)
        # Without requirements nothing is built in a pod.
        workshop = Workshop(stand, setup, base, Settings().builder_image, None)
        opened.callback(workshop.close)
        yield _Desk(setup, workshop.settings(backend="KubeflowAzureBackend"), notebook)


if __name__ == "__main__":
    for row in rows():
        print(f"{row.name}: {row.ours:.3f} {row.unit}, {row.against}: {row.theirs:.3f} {row.unit}, {row.figure:.2f}")
